/* See world.h. */
#include "world.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct console *world_console;
char world_folder[32];

static struct platform *platform;
static int listen_fd;
static const struct console_options options = {
	.log_dir = world_folder,
	.log_size = LOG_SIZE,
	.rate_kib = RATE_KIB,
	.burst_kib = BURST_KIB,
};

static struct sockaddr_un socket_address(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/socket", world_folder);
	return a;
}

void world_start(void)
{
	ck_assert_int_eq(platform_open(&platform), 0);
	ck_assert_int_eq(console_create(platform, &options, listen_fd, -1, &world_console), 0);
	world_settle();
}

void world_stop(void)
{
	console_destroy(world_console);
	platform_close(platform);
}

void world_init(void)
{
	struct sockaddr_un a;

	strcpy(world_folder, "/tmp/lodge-console-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(world_folder));
	a = socket_address();
	fake_machine_init();
	listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(listen_fd, 300), 0);
	fake_introduce(1, "one");
	fake_introduce(2, "two");
	world_start();
}

void world_fini(void)
{
	char command[64];

	world_stop();
	fake_machine_fini();
	close(listen_fd);
	snprintf(command, sizeof(command), "rm -rf %s", world_folder);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c): a path of our own */
}

void world_settle(void)
{
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(console_turn(world_console, 0), 0);
}

void world_wait_ms(unsigned int ms)
{
	machine->now_ns += ms * UINT64_C(1000000);
	world_settle();
}

struct xencons_interface *world_ring(uint16_t domid)
{
	return &machine->domains[domid].page.ring;
}

size_t guest_print(uint16_t domid, const char *data, size_t size)
{
	struct xencons_interface *r = world_ring(domid);
	size_t done = 0;

	while (done < size && r->out_prod - r->out_cons < sizeof(r->out))
		r->out[MASK_XENCONS_IDX(r->out_prod++, r->out)] = data[done++];
	fake_send_event(domid);
	return done;
}

const char *guest_read(uint16_t domid)
{
	static char text[sizeof(((struct xencons_interface *)0)->in) + 1];
	struct xencons_interface *r = world_ring(domid);
	size_t n = 0;

	while (r->in_cons != r->in_prod)
		text[n++] = r->in[MASK_XENCONS_IDX(r->in_cons++, r->in)];
	text[n] = '\0';
	return text;
}

const char *log_text(const char *name, unsigned int older)
{
	static char text[64 << 10];
	char path[128], suffix[16] = "";
	size_t n;
	FILE *f;

	if (older)
		snprintf(suffix, sizeof(suffix), ".%u", older);
	snprintf(path, sizeof(path), "%s/%s.console%s", world_folder, name, suffix);
	f = fopen(path, "re");
	if (!f)
		return "(no file)";
	n = fread(text, 1, sizeof(text) - 1, f);
	text[n] = '\0';
	fclose(f);
	return text;
}

int client_new(const char *line)
{
	struct sockaddr_un a = socket_address();
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	client_type(fd, line);
	return fd;
}

const char *client_text(int fd)
{
	static char text[256 << 10];
	size_t n = 0;
	ssize_t got;

	world_settle();
	while ((got = recv(fd, text + n, sizeof(text) - n - 1, MSG_DONTWAIT)) > 0) {
		n += (size_t)got;
		world_settle();
	}
	text[n] = '\0';
	if (!got)
		strcat(text, "(closed)");
	return text;
}

void client_type(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
	world_settle();
}

void client_close(int fd)
{
	close(fd);
	world_settle();
}

/* qemu-nbd, for one process and one disk. It gets a socket to listen on as systemd would give it, with our connection
 * already waiting there, so that nobody else can have been first; it serves one client, and ends after it. */
#include "back/block/backing.h"
#include "back/block/nbd-room.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/qcow2.h"

#define LISTEN_FD 3 /* where it is expected */

static int listen_at(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) || listen(fd, 1)) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

static int connect_to(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address))) {
		int code = -errno;

		close(fd);
		return code;
	}
	return fd;
}

/* --- growing --- */

/* In the new process: becomes qemu-img. What it says goes to the pipe. */
static _Noreturn void become_grower(const struct nbd_image *image, int output, int keep_fd)
{
	char size[24];
	const char *const arguments[] = { image->grower, "resize",    "-q", "-f", image->format,
					  "--",          image->name, size, NULL };
	struct err err;

	snprintf(size, sizeof(size), "%" PRIu64, image->nr_wanted);
	dup2(output, STDERR_FILENO);
	(void)!fcntl(keep_fd, F_DUPFD, LISTEN_FD); /* without close-on-exec */
	if (nbd_room_enter(image, &err))
		dprintf(STDERR_FILENO, "a place for it: %s", err.text);
	else if (execvp(image->grower, (char *const *)(uintptr_t)arguments))
		dprintf(STDERR_FILENO, "%s", strerror(errno));
	_exit(EXIT_FAILURE);
}

/* What it says until it ends, as far as there is room; the last end of the line is left out. */
static void read_output(int fd, char *ret_text, size_t bytes)
{
	char rest[256];
	size_t length = 0;
	ssize_t nr;

	while ((nr = length < bytes - 1 ? read(fd, ret_text + length, bytes - 1 - length)
					: read(fd, rest, sizeof(rest))) > 0)
		length = MIN(length + (size_t)nr, bytes - 1);
	while (length && ret_text[length - 1] == '\n')
		length--;
	ret_text[length] = 0;
}

static int run_grower(const struct nbd_image *image, int keep_fd, struct err *err)
{
	int output[2], status = 0;
	char text[256];
	pid_t pid;

	if (pipe2(output, O_CLOEXEC))
		return err_errno(err, -errno, "%s", image->grower);
	pid = fork();
	if (!pid)
		become_grower(image, output[1], keep_fd);
	close(output[1]);
	if (pid > 0)
		read_output(output[0], text, sizeof(text));
	close(output[0]);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return err_errno(err, -errno, "%s", image->grower);
	return status ? err_set(err, -EIO, "%s", *text ? text : "qemu-img has failed") : 0;
}

int nbd_image_grow(const struct nbd_image *image, int keep_fd, struct err *err)
{
	struct qcow2 now = { .nr_bytes = 0 };
	int code = 0;

	if (image->nr_wanted && !strcmp(image->format, "qcow2") && *image->name == '/')
		code = qcow2_read(image->name, &now, err);
	return code || !now.nr_bytes || now.nr_bytes >= image->nr_wanted
		       ? code
		       : run_grower(image, keep_fd, err);
}

/* --- serving --- */

/* Where the file system of an image has no O_DIRECT, as without it. */
static const char *cache_of(const struct nbd_image *image)
{
	const char *cache = image->cache ? image->cache : "none";
	bool is_direct = !strcmp(cache, "none"), is_direct_sync = !strcmp(cache, "directsync");
	int fd;

	if (*image->name != '/' || !(is_direct || is_direct_sync))
		return cache;
	fd = open(image->name, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (fd < 0 && errno == EINVAL)
		return is_direct ? "writeback" : "writethrough";
	if (fd >= 0)
		close(fd);
	return cache;
}

/* In the new process: becomes the server. */
static _Noreturn void become_server(const struct nbd_image *image, int listener, int keep_fd)
{
	const char *arguments[16];
	char pid[16], cache[32];
	size_t nr = 0;
	struct err err;
	sigset_t none;
	/* Not 3, where the socket goes; without close-on-exec. */
	int kept = fcntl(keep_fd, F_DUPFD, LISTEN_FD + 1);

	arguments[nr++] = image->program;
	snprintf(cache, sizeof(cache), "--cache=%s", cache_of(image));
	arguments[nr++] = cache;
	arguments[nr++] = "--aio=threads";
	arguments[nr++] = image->may_discard ? "--discard=unmap" : "--discard=ignore";
	if (image->is_read_only)
		arguments[nr++] = "--read-only";
	arguments[nr++] = "-f";
	arguments[nr++] = image->format;
	arguments[nr++] = "--";
	arguments[nr++] = image->name;
	arguments[nr] = NULL;
	snprintf(pid, sizeof(pid), "%d", (int)getpid());
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (nbd_room_enter(image, &err)) {
		fprintf(stderr, "lodge-block: a place for %s: %s\n", image->program, err.text);
		_exit(EXIT_FAILURE);
	}
	if (kept >= 0 && dup2(listener, LISTEN_FD) >= 0 && !setenv("LISTEN_PID", pid, 1) &&
	    !setenv("LISTEN_FDS", "1", 1))
		execvp(image->program, (char *const *)(uintptr_t)arguments);
	fprintf(stderr, "lodge-block: %s: %s\n", image->program, strerror(errno));
	_exit(EXIT_FAILURE);
}

static int start_at(const struct sockaddr_un *address, const struct nbd_image *image, int keep_fd)
{
	int listener = listen_at(address), client;
	pid_t pid;

	if (listener < 0)
		return listener;
	client = connect_to(address);
	pid = client < 0 ? 0 : fork();
	if (client >= 0 && !pid)
		become_server(image, listener, keep_fd);
	close(listener);
	if (pid >= 0)
		return client;
	close(client);
	return -EAGAIN;
}

int nbd_server_start(const struct nbd_image *image, int keep_fd, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char folder[] = "/tmp/lodge-block-XXXXXX";
	int fd;

	signal(SIGCHLD, SIG_IGN); /* nobody waits for it: its end shows at the socket */
	if (!mkdtemp(folder))
		return err_errno(err, -errno, "a folder for the socket of %s", image->program);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/nbd", folder);
	fd = start_at(&address, image, keep_fd);
	unlink(address.sun_path);
	rmdir(folder);
	return fd < 0 ? err_errno(err, fd, "starting %s", image->program) : fd;
}

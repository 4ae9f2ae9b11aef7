/* Fuzz target: what a guest does to its console ring, and what clients send, byte by byte. Whatever it is, another
 * guest's output is logged. */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client.h"
#include "console.h"
#include "fake-platform.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct console_options options = {
	.log_dir = "/dev/shm",
	.log_size = 4096,
	.rate_kib = 64,
	.burst_kib = 64,
};

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static void turn(struct console *c)
{
	machine->now_ns += 1000000000;
	for (int i = 0; i < 8; i++)
		must(console_turn(c, 0) == 0);
}

/* A client whose other end is ours. */
static int add_client(struct console *c)
{
	struct client *client = calloc(1, sizeof(*client));
	int ends[2];

	must(client && !socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends));
	client->fd = ends[0];
	list_push_back(&c->clients, &client->node);
	c->nr_clients++;
	return ends[1];
}

static void step(struct console *c, int client, uint8_t what, const uint8_t *data, size_t size)
{
	struct xencons_interface *r = &machine->domains[1].page.ring;
	char sink[4096];

	switch (what % 4) {
	case 0: /* indices and all */
		memcpy((char *)r + sizeof(*r) - MIN(size, 16u), data, MIN(size, 16u));
		break;
	case 1:
		for (size_t i = 0; i < size; i++)
			r->out[MASK_XENCONS_IDX(r->out_prod++, r->out)] = (char)data[i];
		break;
	case 2:
		(void)!send(client, data, size, MSG_NOSIGNAL);
		break;
	default:
		while (recv(client, sink, sizeof(sink), 0) > 0)
			;
		r->in_cons = r->in_prod;
	}
	fake_send_event(1);
	turn(c);
}

static void check_other(struct console *c)
{
	struct xencons_interface *r = &machine->domains[2].page.ring;

	r->out[MASK_XENCONS_IDX(r->out_prod++, r->out)] = 'x';
	fake_send_event(2);
	turn(c);
	must(r->out_cons == r->out_prod);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct platform *platform;
	struct console *c;
	int client;

	fake_machine_init();
	fake_introduce(1, "lodge-fuzz-one");
	fake_introduce(2, "lodge-fuzz-two");
	must(!platform_open(&platform) && !console_create(platform, &options, -1, -1, &c));
	client = add_client(c);
	while (size >= 2) {
		size_t part = MIN(data[1], size - 2);

		step(c, client, data[0], data + 2, part);
		data += 2 + part;
		size -= 2 + part;
	}
	check_other(c);
	console_destroy(c);
	platform_close(platform);
	close(client);
	fake_machine_fini();
	return 0;
}

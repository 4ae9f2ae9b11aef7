/* fake-store SOCKET: the store with rings that are plain pages; ends with the one who started it. */
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>

#include "fake-platform.h"
#include "serve.h"
#include "socket.h"
#include "store.h"

int main(int argc, char **argv)
{
	struct listener l = { .read_only_fd = -1 };
	struct platform *platform;
	struct store *s;

	if (argc != 2)
		return 2;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	fake_machine_init();
	if (platform_open(&platform))
		return EXIT_FAILURE;
	s = store_create(platform);
	l.fd = socket_listen(argv[1], 0600);
	if (!s || l.fd < 0)
		return EXIT_FAILURE;
	while (!serve_turn(s, &l, -1, -1))
		;
	return EXIT_SUCCESS;
}

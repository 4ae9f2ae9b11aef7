#include "cli/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios before;
static volatile sig_atomic_t is_raw;

void terminal_restore(void)
{
	if (is_raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &before);
	is_raw = 0;
}

/* The signal then does what it always does. */
static void restore_and_die(int number)
{
	terminal_restore();
	signal(number, SIG_DFL);
	raise(number);
}

int terminal_make_raw(void)
{
	static const int deadly[] = { SIGHUP, SIGINT,  SIGQUIT, SIGILL,  SIGABRT, SIGBUS,
				      SIGFPE, SIGSEGV, SIGPIPE, SIGALRM, SIGTERM };
	struct sigaction action = { .sa_handler = restore_and_die };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &before))
		return -errno;
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++)
		sigaction(deadly[i], &action, NULL);
	atexit(terminal_restore);
	raw = before;
	cfmakeraw(&raw);
	is_raw = 1;
	if (tcsetattr(STDIN_FILENO, TCSANOW, &raw)) {
		is_raw = 0;
		return -errno;
	}
	return 0;
}

/*
 * stopwatch [-f FILE -t TEXT] COMMAND...: how long a command takes, and how long it is from its start until TEXT
 * appears in FILE, in nanoseconds of the machine's clock:
 *
 *   STOPWATCH status return_ns text_ns
 *
 * FILE need not be there yet; its folder must. It is looked at when it changes, so that waiting costs nothing. A
 * text that was there before the start counts, too: use a file for one run only.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TIMEOUT_MS 900000

struct watch {
	const char *file, *text; /* NULL: nothing to wait for */
	int inotify;
};

static uint64_t now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void __attribute__((noreturn)) fail(const char *what)
{
	fprintf(stderr, "stopwatch: %s: %s\n", what, strerror(errno));
	exit(125);
}

static void watch_start(struct watch *w)
{
	char *copy;

	w->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (w->inotify < 0)
		fail("inotify");
	if (!w->file)
		return;
	copy = strdup(w->file);
	if (!copy || inotify_add_watch(w->inotify, dirname(copy), IN_MODIFY | IN_CREATE) < 0)
		fail(w->file);
	free(copy);
}

static bool watch_has_come(const struct watch *w)
{
	char events[4096], text[65536];
	int fd = open(w->file, O_RDONLY | O_CLOEXEC);
	ssize_t length = 0;

	while (read(w->inotify, events, sizeof(events)) > 0)
		;
	if (fd < 0)
		return false;
	length = read(fd, text, sizeof(text));
	(void)close(fd);
	return length > 0 && memmem(text, (size_t)length, w->text, strlen(w->text));
}

/* Not by fork(), which copies this process first. */
static pid_t start(char **command)
{
	posix_spawnattr_t attributes;
	sigset_t none;
	pid_t child;

	(void)sigemptyset(&none);
	(void)posix_spawnattr_init(&attributes);
	(void)posix_spawnattr_setsigmask(&attributes, &none);
	(void)posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	errno = posix_spawnp(&child, command[0], NULL, &attributes, command, environ);
	if (errno)
		fail(command[0]);
	return child;
}

static int children_fd(void)
{
	sigset_t set;
	int fd;

	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		fail("signalfd");
	return fd;
}

int main(int argc, char **argv)
{
	struct watch w = { NULL, NULL, -1 };
	uint64_t began_ns, return_ns = 0, text_ns = 0;
	int option, status = 0;
	struct pollfd fds[2];
	pid_t child;

	while ((option = getopt(argc, argv, "+f:t:")) != -1) {
		if (option == 'f')
			w.file = optarg;
		else if (option == 't')
			w.text = optarg;
		else
			return 125;
	}
	if (optind == argc || !w.file != !w.text) {
		fprintf(stderr, "usage: stopwatch [-f FILE -t TEXT] COMMAND...\n");
		return 125;
	}
	watch_start(&w);
	fds[0] = (struct pollfd){ .fd = children_fd(), .events = POLLIN };
	fds[1] = (struct pollfd){ .fd = w.inotify, .events = POLLIN };
	began_ns = now_ns();
	child = start(argv + optind);
	while (!return_ns || (w.file && !text_ns)) {
		if (poll(fds, 2, TIMEOUT_MS) <= 0) {
			fprintf(stderr, "stopwatch: nothing happens\n");
			return 124;
		}
		if (!return_ns && waitpid(child, &status, WNOHANG) == child) {
			return_ns = now_ns() - began_ns;
			fds[0].fd = -1;
		}
		if (w.file && !text_ns && watch_has_come(&w))
			text_ns = now_ns() - began_ns;
	}
	printf("STOPWATCH %d %llu %llu\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128,
	       (unsigned long long)return_ns, (unsigned long long)text_ns);
	return 0;
}

/* lodged: see lodged.8. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "daemon/host-stop.h"
#include "daemon/hypervisor.h"
#include "daemon/lodged.h"
#include "lib/size.h"

#define MAX_FILES     262144u
#define MAX_STOP_S    86400u
#define MAX_USER_BASE (UINT32_MAX - 65536u) /* one user for each domain */

static const char usage[] =
	"usage: lodged [--run-dir FOLDER] [--state-dir FOLDER] [--log-dir FOLDER]\n"
	"              [--libexec-dir FOLDER] [--grub FILE] [--store SOCKET] [--user-base N]\n"
	"              [--stop-time SECONDS] [--no-autostart]\n"
	"Keeps guests running; see lodged(8).\n";

static int parse_number(const char *text, uint32_t max, uint32_t *ret_number)
{
	uint64_t number;
	struct err err;

	if (number_parse(text, &number, &err) || number > max) {
		fprintf(stderr, "lodged: \"%s\" is not a whole number up to %" PRIu32 "\n", text,
			max);
		return -EINVAL;
	}
	*ret_number = (uint32_t)number;
	return 0;
}

static int set_option(struct options *o, int c)
{
	switch (c) {
	case 'r':
		o->run_dir = optarg;
		return 0;
	case 's':
		o->state_dir = optarg;
		return 0;
	case 'l':
		o->log_dir = optarg;
		return 0;
	case 'x':
		o->libexec_dir = optarg;
		return 0;
	case 'g':
		o->grub = optarg;
		return 0;
	case 'S':
		o->store_socket = optarg;
		return 0;
	case 'u':
		return parse_number(optarg, MAX_USER_BASE, &o->user_base);
	case 't':
		return parse_number(optarg, MAX_STOP_S, &o->stop_s);
	case 'n':
		o->no_autostart = true;
		return 0;
	default:
		return -EINVAL;
	}
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "run-dir", required_argument, NULL, 'r' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "log-dir", required_argument, NULL, 'l' },
		{ "libexec-dir", required_argument, NULL, 'x' },
		{ "grub", required_argument, NULL, 'g' },
		{ "store", required_argument, NULL, 'S' },
		{ "user-base", required_argument, NULL, 'u' },
		{ "stop-time", required_argument, NULL, 't' },
		{ "no-autostart", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c, ret = 0;

	while (!ret && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		ret = set_option(o, c);
	}
	if (!ret && optind < argc)
		ret = -EINVAL;
	if (ret)
		fputs(usage, stderr);
	return ret;
}

struct signals {
	struct loop_fd fd;
	struct loop_timer again;
	struct lodged *lodged;
};

static void leave(void *argument)
{
	struct lodged *l = argument;

	l->loop.is_done = true;
}

/* The host shuts down: so do the guests, and then lodged. */
static void stop_host(struct loop_timer *t)
{
	struct signals *s = container_of(t, struct signals, again);
	struct err err;

	if (host_stop_begin(s->lodged, s->lodged->options.stop_s, leave, s->lodged, &err))
		loop_timer_start(&s->lodged->loop, t, 200); /* a client has asked for it, too */
}

/* SIGTERM, SIGINT: guests go on. */
static void take_signal(struct loop_fd *f, uint32_t events)
{
	struct signals *s = container_of(f, struct signals, fd);
	struct signalfd_siginfo info;

	(void)events;
	if (read(f->fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGPWR)
		stop_host(&s->again);
	else
		leave(s->lodged);
}

/* From now on they wait: also one that comes while lodged looks for its guests is heeded then. */
static void hold_signals(sigset_t *ret_set)
{
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(ret_set);
	sigaddset(ret_set, SIGTERM);
	sigaddset(ret_set, SIGINT);
	sigaddset(ret_set, SIGPWR);
	pthread_sigmask(SIG_BLOCK, ret_set, NULL);
}

static int open_signals(struct lodged *l, const sigset_t *set, struct signals *s, struct err *err)
{
	int ret;

	*s = (struct signals){ .lodged = l };
	s->fd.ready = take_signal;
	s->again.fire = stop_host;
	s->fd.fd = signalfd(-1, set, SFD_CLOEXEC);
	ret = s->fd.fd < 0 ? -errno : loop_add(&l->loop, &s->fd, EPOLLIN);
	return ret ? err_errno(err, ret, "signals") : 0;
}

/* A guest takes a dozen: images, journals, queues, each twice for the next start of its process. */
static void allow_files(void)
{
	struct rlimit limit = { MAX_FILES, MAX_FILES };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		log_line("the number of open files stays as it is: %s", strerror(errno));
}

int main(int argc, char **argv)
{
	static struct lodged l = {
		.options = { .run_dir = "/run/lodge",
			     .state_dir = "/var/lib/lodge",
			     .log_dir = "/var/log/lodge",
			     .libexec_dir = "/usr/libexec/lodge",
			     .grub = "/usr/lib/grub-xen/grub-i386-xen_pvh.bin",
			     .store_socket = NODES_SOCKET,
			     .user_base = 1900000000,
			     .stop_s = 60 },
	};
	struct signals signals;
	sigset_t set;
	struct err err;
	int ret = parse_options(argc, argv, &l.options);

	if (ret)
		return 2;
	hold_signals(&set);
	allow_files();
	ret = lodged_open(&l, hypervisor_open_xen, NULL, &err);
	if (!ret)
		ret = open_signals(&l, &set, &signals, &err);
	if (ret) {
		log_line("%s", err.text);
		return EXIT_FAILURE;
	}
	log_line("ready");
	ret = loop_run(&l.loop);
	lodged_close(&l);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

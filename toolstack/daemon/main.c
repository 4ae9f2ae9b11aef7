/* lodged: see lodged.8. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/adopt.h"
#include "daemon/autostart.h"
#include "daemon/device.h"
#include "daemon/guest.h"
#include "daemon/host-stop.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/serve.h"
#include "daemon/why.h"

#define MAX_THREADS 4u
#define STORE_MS    10000u /* that xenstore may need to start */

static const char usage[] =
	"usage: lodged [--run-dir FOLDER] [--state-dir FOLDER] [--log-dir FOLDER]\n"
	"              [--libexec-dir FOLDER] [--store SOCKET] [--stop-time SECONDS]\n"
	"              [--no-autostart]\n"
	"Keeps guests running; see lodged(8).\n";

void log_line(const char *format, ...)
{
	char line[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	fprintf(stderr, "lodged: %s\n", line);
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "run-dir", required_argument, NULL, 'r' },
		{ "state-dir", required_argument, NULL, 's' },
		{ "log-dir", required_argument, NULL, 'l' },
		{ "libexec-dir", required_argument, NULL, 'x' },
		{ "store", required_argument, NULL, 'S' },
		{ "stop-time", required_argument, NULL, 't' },
		{ "no-autostart", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'r':
			o->run_dir = optarg;
			break;
		case 's':
			o->state_dir = optarg;
			break;
		case 'l':
			o->log_dir = optarg;
			break;
		case 'x':
			o->libexec_dir = optarg;
			break;
		case 'S':
			o->store_socket = optarg;
			break;
		case 't':
			o->stop_s = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 'n':
			o->no_autostart = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fputs(usage, stderr);
	return -EINVAL;
}

/* The first line of a file, to be freed; NULL: there is none. */
static char *first_line(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[128];
	char *copy = NULL;

	if (!f)
		return NULL;
	if (fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		copy = strdup(line);
	}
	fclose(f);
	return copy;
}

/* Two of them would fight over guests. The lock goes with the process. */
static int lock_state(const struct lodged *l, struct err *err)
{
	int fd = open(l->options.state_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, -errno, "%s", l->options.state_dir);
	if (flock(fd, LOCK_EX | LOCK_NB))
		return err_errno(err, -errno, "%s: another lodged is running",
				 l->options.state_dir);
	return 0;
}

static void domains_changed(struct nodes_watch *w, const char *path)
{
	(void)path;
	guests_look(container_of(w, struct lodged, domains_watch));
}

static void read_host(struct lodged *l)
{
	char *boot = first_line("/proc/sys/kernel/random/boot_id");

	snprintf(l->boot_id, sizeof(l->boot_id), "%s", boot ? boot : "");
	free(boot);
	l->host = first_line("/etc/machine-id");
}

static int open_hypervisor(struct lodged *l, struct err *err)
{
	uint32_t version = 0;
	int ret;

	l->hv = hypervisor_open_xen(NULL);
	if (!l->hv)
		return err_errno(err, -errno,
				 "no access to hypercalls; is this Lodge's service VM?");
	ret = hypervisor_version(l->hv, &version);
	if (ret)
		return err_errno(err, ret, "the hypervisor has no control interface");
	if (version != LODGE_CONTROL_VERSION)
		return err_set(err, -EPROTO,
			       "the hypervisor's control interface is version %u, lodged's is %u",
			       version, LODGE_CONTROL_VERSION);
	ret = jobs_create(&l->loop, MAX_THREADS, hypervisor_open_xen, NULL, &l->jobs);
	return ret ? err_errno(err, ret, "threads") : 0;
}

static int open_all(struct lodged *l, struct err *err)
{
	int ret = loop_init(&l->loop);

	if (ret)
		return err_errno(err, ret, "epoll");
	read_host(l);
	ret = records_prepare(l, err);
	if (!ret)
		ret = lock_state(l, err);
	if (!ret)
		ret = open_hypervisor(l, err);
	if (!ret)
		ret = nodes_open(&l->loop, l->options.store_socket, STORE_MS, &l->nodes, err);
	if (!ret)
		ret = records_load(l, err);
	if (!ret)
		ret = adopt_rest(l, err);
	if (!ret) {
		l->domains_watch.changed = domains_changed;
		ret = nodes_watch(l->nodes, &l->domains_watch, err, "@releaseDomain");
	}
	return ret ? ret : serve_open(l, err);
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

static int open_signals(struct lodged *l, struct signals *s)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGPWR);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	*s = (struct signals){ .lodged = l };
	s->fd.ready = take_signal;
	s->again.fire = stop_host;
	s->fd.fd = signalfd(-1, &set, SFD_CLOEXEC);
	return s->fd.fd < 0 ? -errno : loop_add(&l->loop, &s->fd, EPOLLIN);
}

/* Guests and their backends stay; memory is given back so that leak checkers see what is lost. */
static void close_all(struct lodged *l)
{
	struct guest *g;

	serve_close(l);
	autostart_end(l);
	host_stop_end(l);
	jobs_destroy(l->jobs);
	list_for_each_entry_safe(g, &l->guests, node) {
		devices_forget(g);
		guest_free(g);
	}
	why_forget_all(l);
	nodes_close(l->nodes);
	hypervisor_close(l->hv);
	free(l->host);
	loop_fini(&l->loop);
}

int main(int argc, char **argv)
{
	static struct lodged l = {
		.options = { .run_dir = "/run/lodge",
			     .state_dir = "/var/lib/lodge",
			     .log_dir = "/var/log/lodge",
			     .libexec_dir = "/usr/libexec/lodge",
			     .store_socket = NODES_SOCKET,
			     .stop_s = 60 },
		.listener.fd = -1,
	};
	struct signals signals;
	struct err err;
	int ret = parse_options(argc, argv, &l.options);

	if (ret)
		return 2;
	list_init(&l.guests);
	list_init(&l.gone);
	list_init(&l.clients);
	events_init(&l.events);
	ret = open_all(&l, &err);
	if (!ret)
		ret = open_signals(&l, &signals);
	if (ret) {
		log_line("%s", err.text);
		return EXIT_FAILURE;
	}
	log_line("ready");
	if (!l.options.no_autostart)
		autostart_begin(&l);
	ret = loop_run(&l.loop);
	close_all(&l);
	return ret ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* lodge-net: see lodge-net.8. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/if_tun.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include "back/lib/sandbox.h"
#include "device.h"
#include "lib/cleanup.h"
#include "lib/size.h"

#define EVENTS_MAX 32
#define NOBODY     "65534" /* by number: not every service VM has the name */
#define REQUEST(name)                                                                       \
	{                                                                                   \
		.call = SCMP_SYS(ioctl), .has_argument = true, .argument = 1, .value = name \
	}

static const char usage[] =
	"usage: lodge-net --domain N --device ID --backend-path PATH --frontend-path PATH\n"
	"                 --tap-fd FD [--queues N] [--user NAME]\n"
	"Serves a guest's network interface; started by lodged. See lodge-net(8).\n";

struct options {
	struct device_options device;
	const char *user;
};

static int read_number(const char *text, uint64_t max, uint64_t *ret_number, struct err *err)
{
	int code = number_parse(text, ret_number, err);

	if (!code && *ret_number > max)
		code = err_set(err, -ERANGE, "%s is too much", text);
	return code;
}

static int read_option(struct options *o, int option, struct err *err)
{
	uint64_t number = 0;
	int code = 0;

	switch (option) {
	case 'd':
		code = read_number(optarg, UINT16_MAX, &number, err);
		o->device.domid = (uint16_t)number;
		break;
	case 'i': /* is in the paths already; it tells processes apart in a list */
		code = read_number(optarg, UINT32_MAX, &number, err);
		break;
	case 'b':
		o->device.back = optarg;
		break;
	case 'f':
		o->device.front = optarg;
		break;
	case 't':
		code = read_number(optarg, INT16_MAX, &number, err);
		o->device.tap_fd = (int)number;
		break;
	case 'q':
		code = read_number(optarg, NET_QUEUES_MAX, &number, err);
		o->device.nr_taps = (unsigned int)number;
		break;
	case 'u':
		o->user = optarg;
		break;
	default:
		code = err_set(err, -EINVAL, "no such option");
	}
	return code;
}

static int parse_options(int argc, char **argv, struct options *o, struct err *err)
{
	static const struct option names[] = {
		{ "domain", required_argument, NULL, 'd' },
		{ "device", required_argument, NULL, 'i' },
		{ "backend-path", required_argument, NULL, 'b' },
		{ "frontend-path", required_argument, NULL, 'f' },
		{ "tap-fd", required_argument, NULL, 't' },
		{ "queues", required_argument, NULL, 'q' },
		{ "user", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		int code;

		if (c == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		code = read_option(o, c, err);
		if (code)
			return code;
	}
	if (optind != argc || !o->device.back || !o->device.front || o->device.tap_fd < 0 ||
	    !o->device.nr_taps)
		return err_set(err, -EINVAL,
			       "--domain, --backend-path, --frontend-path and --tap-fd are needed");
	return 0;
}

enum source { SOURCE_EVENT, SOURCE_STORE, SOURCE_TAP };

static int watch_fd(int epoll_fd, int fd, enum source source, unsigned int nr, struct err *err)
{
	struct epoll_event event = {
		.events = EPOLLIN | (source == SOURCE_TAP ? EPOLLET : 0u),
		.data.u64 = (uint64_t)source << 32 | nr,
	};

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return err_errno(err, -errno, "descriptor %d", fd);
	return 0;
}

static int watch_tap(int epoll_fd, int fd, unsigned int nr, struct err *err)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK))
		return err_errno(err, -errno, "descriptor %d", fd);
	return watch_fd(epoll_fd, fd, SOURCE_TAP, nr, err);
}

static int watch_all(int epoll_fd, const struct device *d, struct err *err)
{
	const struct platform *p = d->xenbus.platform;
	int code = watch_fd(epoll_fd, platform_event_fd(p), SOURCE_EVENT, 0, err);

	if (!code)
		code = watch_fd(epoll_fd, platform_store_fd(p), SOURCE_STORE, 0, err);
	for (unsigned int i = 0; i < d->options->nr_taps && !code; i++)
		code = watch_tap(epoll_fd, d->options->tap_fd + (int)i, i, err);
	return code;
}

static int handle(struct device *d, uint64_t what, struct err *err)
{
	switch ((enum source)(what >> 32)) {
	case SOURCE_EVENT:
		device_take_events(d);
		return 0;
	case SOURCE_STORE:
		return device_store_news(d, err);
	case SOURCE_TAP:
		d->net.queues[(uint32_t)what].tap_is_ready = true;
		return 0;
	}
	return 0;
}

/* Until the device is over, which is 1, or something is wrong. */
static int serve(struct device *d, int epoll_fd, struct err *err)
{
	struct epoll_event events[EVENTS_MAX];
	int code = device_start(d, err);

	while (!code) {
		int nr = epoll_wait(epoll_fd, events, EVENTS_MAX, device_serve(d));

		if (nr < 0 && errno != EINTR)
			code = err_errno(err, -errno, "epoll");
		for (int i = 0; i < nr && !code; i++)
			code = handle(d, events[i].data.u64, err);
	}
	return code;
}

static int run(struct device *d, const struct options *o, struct err *err)
{
	static const struct sandbox_rule rules[] = {
		REQUEST(TUNSETOFFLOAD),
		REQUEST(TUNSETCARRIER),
		REQUEST(TUNSETQUEUE),
	};
	int epoll_fd cleanup_close = epoll_create1(EPOLL_CLOEXEC);
	struct platform *platform;
	int code;

	if (epoll_fd < 0)
		return err_errno(err, -errno, "epoll");
	code = platform_open(o->device.domid, &platform, err);
	if (!code)
		code = device_open(d, &o->device, platform, err);
	if (code)
		return code;
	code = watch_all(epoll_fd, d, err);
	if (!code)
		code = sandbox_leave_root(o->user, err);
	if (!code)
		code = sandbox_enter(rules, ARRAY_SIZE(rules), err);
	if (code) {
		device_close(d);
		return code;
	}
	/* At its end the kernel gives everything back: closing the store's library would load another one. */
	return serve(d, epoll_fd, err);
}

int main(int argc, char **argv)
{
	static struct device device;
	struct options o = { .device = { .tap_fd = -1, .nr_taps = 1 }, .user = NOBODY };
	struct err err;
	int code = parse_options(argc, argv, &o, &err);

	if (code) {
		fprintf(stderr, "lodge-net: %s\n%s", err.text, usage);
		return 2;
	}
	code = run(&device, &o, &err);
	if (code < 0)
		fprintf(stderr, "lodge-net: %s: %s\n", o.device.back, err.text);
	return code < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

#include "device.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/size.h"

#define KIB               1024u
#define RATE_MAX          (UINT64_C(1) << 32) /* KiB a second */
#define NAME_BYTES        48
#define TELL_AGAIN_NS     UINT64_C(10000000000)
#define ADDRESSES_NS      UINT64_C(1000000000) /* between two tellings of them */
#define NS_PER_MS         UINT64_C(1000000)
#define MULTICAST_REQUEST "request-multicast-control"

static struct device *device_of(struct xenbus *x)
{
	return container_of(x, struct device, xenbus);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* The tap device. What it is told may fail where it is a test's socket. */

static void tap_set_carrier(struct device *d)
{
	int on = d->net.nr_queues && !d->net.is_link_down && !d->net.nr_stalled;

	if (d->is_carrier_known && d->has_carrier == on)
		return;
	d->is_carrier_known = true;
	d->has_carrier = on;
	(void)!ioctl(d->options->tap_fd, TUNSETCARRIER, &on);
}

static void tap_set_offload(struct device *d)
{
	const struct net_features *f = &d->net.features;
	unsigned long flags = 0;

	d->is_plain = d->net.wants_plain_tap;
	if (f->csum_v4 && !d->is_plain) {
		flags = TUN_F_CSUM;
		flags |= f->gso_v4 ? TUN_F_TSO4 : 0;
		flags |= f->gso_v6 ? TUN_F_TSO6 : 0;
	}
	(void)!ioctl(d->options->tap_fd, TUNSETOFFLOAD, flags);
}

/* The host spreads packets over the queues that are attached. Even a single one may not be: a lodged that took
 * the device over has set its queues aside. What is as it should be already is refused, and that is all right. */
static void tap_set_queues(struct device *d, unsigned int nr)
{
	for (unsigned int i = 0; i < d->options->nr_taps; i++) {
		struct ifreq request = { .ifr_flags =
						 i < nr ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

		(void)!ioctl(d->options->tap_fd + (int)i, TUNSETQUEUE, &request);
	}
}

/* What lodged has written. */

static bool read_mac(struct device *d)
{
	char *text cleanup_free = xenbus_own(&d->xenbus, "mac");
	unsigned int part[ETHERNET_ADDRESS];
	char end;

	if (!text || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &part[0], &part[1], &part[2],
			    &part[3], &part[4], &part[5], &end) != ETHERNET_ADDRESS)
		return false;
	for (unsigned int i = 0; i < ETHERNET_ADDRESS; i++)
		d->net.filter.mac[i] = (uint8_t)part[i];
	return true;
}

/* "average peak burst", in KiB (a second); the last two may be missing. */
static void read_rate(struct device *d, const char *name, struct rate *rate)
{
	char *text cleanup_free = xenbus_own(&d->xenbus, name);
	uint64_t value[3] = { 0 };

	if (text)
		(void)!sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &value[0], &value[1],
			      &value[2]);
	for (unsigned int i = 0; i < ARRAY_SIZE(value); i++)
		value[i] = MIN(value[i], RATE_MAX) * KIB;
	rate_init(rate, value[0], value[1], value[2], now_ns());
}

static int read_allowed(struct device *d, struct err *err)
{
	char *text cleanup_free = xenbus_own(&d->xenbus, "allowed-addresses");
	char *rest = text, *word;

	d->net.filter.nr_addresses = 0;
	while ((word = strsep(&rest, " "))) {
		int code = *word ? filter_allow(&d->net.filter, word) : 0;

		if (code)
			return err_errno(err, code, "allowed-addresses: \"%s\"", word);
	}
	return 0;
}

static bool own_is(struct device *d, const char *name, const char *value)
{
	char *text cleanup_free = xenbus_own(&d->xenbus, name);

	return text && !strcmp(text, value);
}

static int read_settings(struct device *d, struct err *err)
{
	if (!read_mac(d))
		return err_set(err, -EINVAL, "the node mac is no MAC address");
	d->net.filter.is_trusted = own_is(d, "trusted-addresses", "1");
	d->net.is_link_down = own_is(d, "link", "down");
	read_rate(d, "inbound", &d->net.to_guest);
	read_rate(d, "outbound", &d->net.from_guest);
	return read_allowed(d, err);
}

static void setting_changed(struct xenbus *x, const char *name)
{
	struct device *d = device_of(x);

	if (!strcmp(name, "link"))
		d->net.is_link_down = own_is(d, "link", "down");
	else if (!strcmp(name, "inbound"))
		read_rate(d, name, &d->net.to_guest);
	else if (!strcmp(name, "outbound"))
		read_rate(d, name, &d->net.from_guest);
}

/* The device's life. */

static int announce(struct xenbus *x, struct err *err)
{
	static const char *const features[] = {
		"feature-sg",
		"feature-gso-tcpv4",
		"feature-gso-tcpv6",
		"feature-ipv6-csum-offload",
		"feature-rx-copy",
		"feature-multicast-control",
		"feature-dynamic-multicast-control",
		"feature-split-event-channels",
		"feature-ctrl-ring",
	};
	int code = 0;

	for (size_t i = 0; i < ARRAY_SIZE(features) && !code; i++)
		code = xenbus_tell(x, features[i], "1");
	if (!code)
		code = xenbus_tell(x, "feature-rx-flip", "0");
	if (!code)
		code = xenbus_tell(x, "multi-queue-max-queues", "%u",
				   device_of(x)->options->nr_taps);
	return code ? err_errno(err, code, "xenstore") : 0;
}

struct asked_flag {
	const char *name;
	bool *value;
};

static int read_features(struct device *d, struct err *err)
{
	struct net_features *f = &d->net.features;
	bool has_copy = false, has_no_csum = false;
	const struct asked_flag flags[] = {
		{ "request-rx-copy", &has_copy },
		{ "feature-rx-notify", &f->rx_notify },
		{ "feature-sg", &f->sg },
		{ "feature-gso-tcpv4", &f->gso_v4 },
		{ "feature-gso-tcpv6", &f->gso_v6 },
		{ "feature-no-csum-offload", &has_no_csum },
		{ "feature-ipv6-csum-offload", &f->csum_v6 },
		{ MULTICAST_REQUEST, &d->net.filter.has_multicast_control },
	};

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		uint64_t number;
		int code = xenbus_ask_or(&d->xenbus, flags[i].name, 1, 0, &number, err);

		if (code)
			return code;
		*flags[i].value = number;
	}
	f->csum_v4 = !has_no_csum;
	f->gso_v4 &= f->sg;
	f->gso_v6 &= f->sg;
	if (!has_copy)
		return err_set(err, -EINVAL, "the frontend does not ask for packets to be copied");
	return 0;
}

static int ask_u32(struct device *d, const char *prefix, const char *name, uint32_t *ret_number,
		   struct err *err)
{
	char path[NAME_BYTES];
	uint64_t number;
	int code;

	snprintf(path, sizeof(path), "%s%s", prefix, name);
	code = xenbus_ask(&d->xenbus, path, UINT32_MAX, &number, err);
	if (!code)
		*ret_number = (uint32_t)number;
	return code;
}

static int map_page(struct device *d, const char *prefix, const char *name, void **ret_page,
		    struct err *err)
{
	uint32_t ref;
	int code = ask_u32(d, prefix, name, &ref, err);

	if (code)
		return code;
	code = platform_map(d->xenbus.platform, &ref, 1, false, ret_page);
	return code ? err_errno(err, code, "%s%s: grant %u", prefix, name, ref) : 0;
}

static int bind_port(struct device *d, const char *prefix, const char *name, uint32_t *ret_port,
		     struct err *err)
{
	uint32_t port;
	int code = ask_u32(d, prefix, name, &port, err);

	if (code)
		return code;
	code = platform_bind(d->xenbus.platform, port, ret_port);
	return code ? err_errno(err, code, "%s%s: port %u", prefix, name, port) : 0;
}

static int bind_ports(struct device *d, const char *prefix, struct queue_ends *ends,
		      struct err *err)
{
	int code = bind_port(d, prefix, "event-channel-tx", &ends->tx_port, err);

	if (!code)
		return bind_port(d, prefix, "event-channel-rx", &ends->rx_port, err);
	if (code != -ENOENT)
		return code;
	code = bind_port(d, prefix, "event-channel", &ends->tx_port, err);
	ends->rx_port = ends->tx_port;
	return code;
}

static void release_queue(struct device *d, struct queue_ends *ends)
{
	struct platform *p = d->xenbus.platform;

	if (ends->tx_page)
		platform_unmap(p, ends->tx_page, 1);
	if (ends->rx_page)
		platform_unmap(p, ends->rx_page, 1);
	if (ends->tx_port)
		platform_unbind(p, ends->tx_port);
	if (ends->rx_port && ends->rx_port != ends->tx_port)
		platform_unbind(p, ends->rx_port);
	*ends = (struct queue_ends){ 0 };
}

static int connect_queue(struct device *d, unsigned int nr, bool is_only, bool is_takeover,
			 struct err *err)
{
	struct queue_ends *ends = &d->ends[nr];
	char prefix[NAME_BYTES] = "";
	int code;

	if (!is_only)
		snprintf(prefix, sizeof(prefix), "queue-%u/", nr);
	d->nr_mapped = nr + 1;
	ends->tap_fd = d->options->tap_fd + (int)nr;
	ends->is_inherited = is_takeover;
	code = map_page(d, prefix, "tx-ring-ref", &ends->tx_page, err);
	if (!code)
		code = map_page(d, prefix, "rx-ring-ref", &ends->rx_page, err);
	if (!code)
		code = bind_ports(d, prefix, ends, err);
	if (code)
		return code;
	code = net_add_queue(&d->net, ends);
	return code ? err_set(err, code, "%s", d->net.why) : 0;
}

static int connect_control(struct device *d, struct err *err)
{
	int code = map_page(d, "", "ctrl-ring-ref", &d->ctrl_page, err);

	if (code)
		return code == -ENOENT ? 0 : code;
	code = bind_port(d, "", "event-channel-ctrl", &d->ctrl_port, err);
	if (code)
		return code;
	code = net_set_control(&d->net, d->ctrl_page, d->ctrl_port);
	return code ? err_set(err, code, "%s", d->net.why) : 0;
}

static void disconnect_device(struct xenbus *x)
{
	struct device *d = device_of(x);

	net_remove_queues(&d->net);
	tap_set_carrier(d);
	for (unsigned int i = 0; i < d->nr_mapped; i++)
		release_queue(d, &d->ends[i]);
	d->nr_mapped = 0;
	if (d->ctrl_page)
		platform_unmap(x->platform, d->ctrl_page, 1);
	if (d->ctrl_port)
		platform_unbind(x->platform, d->ctrl_port);
	d->ctrl_page = NULL;
	d->ctrl_port = 0;
}

/* Whoever served the rings before may have died before it could tell the guest. */
static void notify_all(struct device *d)
{
	for (unsigned int i = 0; i < d->nr_mapped; i++) {
		platform_notify(d->xenbus.platform, d->ends[i].tx_port);
		if (d->ends[i].rx_port != d->ends[i].tx_port)
			platform_notify(d->xenbus.platform, d->ends[i].rx_port);
	}
}

static int connect_device(struct xenbus *x, bool is_takeover, struct err *err)
{
	struct device *d = device_of(x);
	uint64_t nr;
	int code = xenbus_ask_or(x, "multi-queue-num-queues", d->options->nr_taps, 1, &nr, err);

	if (!code && !nr)
		code = err_set(err, -EINVAL, "the frontend wants no queue");
	if (!code)
		code = read_features(d, err);
	for (unsigned int i = 0; i < nr && !code; i++)
		code = connect_queue(d, i, nr == 1, is_takeover, err);
	if (!code)
		code = connect_control(d, err);
	if (code) {
		disconnect_device(x);
		return code;
	}
	d->net.wants_plain_tap = false;
	d->net.filter.nr_groups = 0;
	d->net.filter.has_lost_groups = is_takeover;
	tap_set_queues(d, (unsigned int)nr);
	tap_set_offload(d);
	tap_set_carrier(d);
	if (is_takeover)
		notify_all(d);
	return 0;
}

static const struct xenbus_ops ops = {
	.announce = announce,
	.connect = connect_device,
	.disconnect = disconnect_device,
};

static int watch_multicast(struct device *d, struct err *err)
{
	char path[256];
	int code = -ENAMETOOLONG;

	if (snprintf(path, sizeof(path), "%s/%s", d->options->front, MULTICAST_REQUEST) <
	    (int)sizeof(path))
		code = platform_watch(d->xenbus.platform, path);
	return code ? err_errno(err, code, "xenstore") : 0;
}

int device_open(struct device *d, const struct device_options *options, struct platform *platform,
		struct err *err)
{
	int code = net_init(&d->net, platform, options->domid);

	if (code) {
		platform_close(platform);
		return err_errno(err, code, "buffers");
	}
	d->options = options;
	d->xenbus = (struct xenbus){
		.platform = platform,
		.ops = &ops,
		.front = options->front,
		.back = options->back,
	};
	code = xenbus_watch(&d->xenbus, err);
	if (!code)
		code = watch_multicast(d, err);
	if (!code)
		code = read_settings(d, err);
	if (code)
		device_close(d);
	return code;
}

int device_start(struct device *d, struct err *err)
{
	int code = xenbus_start(&d->xenbus, err);

	tap_set_carrier(
		d); /* only now: whoever takes the rings over has it, and nobody sees it go */
	return code;
}

void device_close(struct device *d)
{
	if (d->xenbus.is_connected)
		disconnect_device(&d->xenbus);
	net_fini(&d->net);
	platform_close(d->xenbus.platform);
}

int device_store_news(struct device *d, struct err *err)
{
	int code = xenbus_step(&d->xenbus, setting_changed, err);
	uint64_t number;
	struct err ignored;

	if (code)
		return code;
	if (d->xenbus.is_connected &&
	    !xenbus_ask_or(&d->xenbus, MULTICAST_REQUEST, 1, 0, &number, &ignored))
		d->net.filter.has_multicast_control = number;
	tap_set_carrier(d);
	return d->xenbus.is_over;
}

void device_take_events(struct device *d)
{
	uint32_t ports[PLATFORM_EVENTS], nr = platform_events(d->xenbus.platform, ports);

	for (uint32_t i = 0; i < nr; i++)
		net_port_event(&d->net, ports[i]);
}

/* A guest makes up as many as it likes: the store hears of them once in a while. */
static void tell_addresses(struct device *d, uint64_t now, uint64_t *wake_ns)
{
	char text[SNOOP_TEXT_MAX];
	uint64_t next = d->addresses_told_ns ? d->addresses_told_ns + ADDRESSES_NS : 0;

	if (!d->net.snoop.has_changed)
		return;
	if (now < next) {
		*wake_ns = MIN(*wake_ns, next);
		return;
	}
	d->net.snoop.has_changed = false;
	d->addresses_told_ns = now;
	snoop_text(&d->net.snoop, text, sizeof(text));
	(void)!xenbus_tell(&d->xenbus, "addresses", "%s", text);
}

/* What lodged shows. A store that does not take it is seen elsewhere. */
static void tell_news(struct device *d, uint64_t now, uint64_t *wake_ns)
{
	tell_addresses(d, now, wake_ns);
	if (d->net.counters.tx_spoofed != d->spoofed_told &&
	    (!d->spoofed_told || now - d->spoofed_told_ns > TELL_AGAIN_NS)) {
		d->spoofed_told = d->net.counters.tx_spoofed;
		d->spoofed_told_ns = now;
		(void)!xenbus_tell(&d->xenbus, "spoofed", "%" PRIu64, d->spoofed_told);
	}
}

int device_serve(struct device *d)
{
	uint64_t now = now_ns(), wake = NET_NEVER;
	struct err why;
	int code = d->xenbus.is_connected ? net_serve(&d->net, now, &wake) : 0;

	if (code < 0) {
		if (code == -EPROTO)
			err_set(&why, code, "%s", d->net.why);
		else
			err_errno(&why, code, "copying from or to the guest's pages");
		xenbus_fail(&d->xenbus, &why);
		return -1;
	}
	tell_news(d, now, &wake);
	if (d->net.wants_plain_tap != d->is_plain)
		tap_set_offload(d);
	tap_set_carrier(d);
	if (code > 0)
		return 0;
	if (wake == NET_NEVER)
		return -1;
	return wake > now ? (int)MIN(div_round_up(wake - now, NS_PER_MS), 60000u) : 0;
}

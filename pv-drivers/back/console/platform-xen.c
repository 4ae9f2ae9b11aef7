/* Guests through the service VM's devices /dev/xen/evtchn and /dev/xen/gntdev, and the store through its socket.
 * Nobody but root may connect to that: when the store's process is replaced, so is this one. */
#include "platform.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>
#include <xenstore_lib.h>

#include "lib/log.h"

#define CONSOLE_GRANT 0 /* the toolstack lets domain 0 have the ring by this */
#define INTRODUCED    "@introduceDomain"
#define RELEASED      "@releaseDomain"
#define OURS          "/lodge"  /* which guests do not see */
#define CONFINE       "confine" /* to reading: see lodge-store(8) */

struct platform {
	xenevtchn_handle *events;
	xengnttab_handle *grants;
	struct xs_handle *store;
	int news_fd;
	char news[512]; /* that have come and are not told yet */
	size_t nr_news;
};

static int send_message(int fd, uint32_t type, const char *data, size_t bytes)
{
	char message[sizeof(struct xsd_sockmsg) + 64];
	struct xsd_sockmsg header = { .type = type, .len = (uint32_t)bytes };

	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), data, bytes);
	bytes += sizeof(header);
	return send(fd, message, bytes, MSG_NOSIGNAL) == (ssize_t)bytes ? 0 : -EIO;
}

/* A watch that sees one level below its path: "@releaseDomain/7". The library cannot ask for that. */
static int send_watch(int fd, const char *path, const char *token)
{
	char data[64];
	int length = snprintf(data, sizeof(data), "%s%c%s%c1%c", path, 0, token, 0, 0);

	return send_message(fd, XS_WATCH, data, (size_t)length);
}

/* A second connection, for news only: the library does not tell when it has lost the store, either. */
static int open_news(struct platform *p)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int err;

	p->news_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (p->news_fd < 0)
		return -errno;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", xs_daemon_socket());
	if (connect(p->news_fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	err = send_message(p->news_fd, XS_CONTROL, CONFINE, sizeof(CONFINE));
	if (!err)
		err = send_watch(p->news_fd, INTRODUCED, INTRODUCED);
	return err ? err : send_watch(p->news_fd, RELEASED, RELEASED);
}

static int open_store(struct platform *p)
{
	errno = 0;
	p->store = xs_open(XS_OPEN_SOCKETONLY);
	if (!p->store)
		return errno ? -errno : -EIO;
	free(xs_control_command(p->store, CONFINE, NULL, 0));
	return open_news(p);
}

int platform_open(struct platform **ret_platform)
{
	struct platform *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return -ENOMEM;
	p->news_fd = -1;
	p->events = xenevtchn_open(NULL, 0);
	p->grants = xengnttab_open(NULL, 0);
	if (!p->events || !p->grants) {
		log_line("no access to event channels or grants: %s", strerror(errno));
		err = -EIO;
		goto close;
	}
	/* More than one event is taken at a time. */
	if (fcntl(xenevtchn_fd(p->events), F_SETFL, O_NONBLOCK))
		log_line("event channels block: %s", strerror(errno));
	err = open_store(p);
	if (err) {
		log_line("no access to the store: %s", strerror(-err));
		goto close;
	}
	*ret_platform = p;
	return 0;
close:
	platform_close(p);
	return err;
}

void platform_close(struct platform *p)
{
	if (p->news_fd >= 0)
		close(p->news_fd);
	if (p->store)
		xs_close(p->store);
	if (p->grants)
		xengnttab_close(p->grants);
	if (p->events)
		xenevtchn_close(p->events);
	free(p);
}

uint64_t platform_now_ns(struct platform *p)
{
	struct timespec now;

	(void)p;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int platform_event_fd(const struct platform *p)
{
	return xenevtchn_fd(p->events);
}

uint32_t platform_event(struct platform *p)
{
	int port = xenevtchn_pending(p->events);

	return port > 0 ? (uint32_t)port : 0;
}

void platform_unmask(struct platform *p, uint32_t local_port)
{
	(void)!xenevtchn_unmask(p->events, local_port);
}

int platform_map(struct platform *p, uint16_t domid, struct xencons_interface **ret_page)
{
	void *page;

	errno = 0;
	page = xengnttab_map_grant_ref(p->grants, domid, CONSOLE_GRANT, PROT_READ | PROT_WRITE);
	if (!page)
		return errno ? -errno : -EIO;
	*ret_page = page;
	return 0;
}

void platform_unmap(struct platform *p, uint16_t domid, struct xencons_interface *page)
{
	(void)domid;
	xengnttab_unmap(p->grants, page, 1);
}

int platform_bind(struct platform *p, uint16_t domid, uint32_t port, uint32_t *ret_local_port)
{
	int local = xenevtchn_bind_interdomain(p->events, domid, port);

	if (local < 0)
		return -errno;
	*ret_local_port = (uint32_t)local;
	return 0;
}

void platform_unbind(struct platform *p, uint32_t local_port)
{
	xenevtchn_unbind(p->events, local_port);
}

void platform_notify(struct platform *p, uint32_t local_port)
{
	xenevtchn_notify(p->events, local_port);
}

int platform_store_fd(const struct platform *p)
{
	return p->news_fd;
}

/* What stands at the start of what has come: its length, 0: nothing whole, -EIO: nothing that the store sends. */
static int next_message(const struct platform *p, struct xsd_sockmsg *ret_header)
{
	if (p->nr_news < sizeof(*ret_header))
		return 0;
	memcpy(ret_header, p->news, sizeof(*ret_header));
	if (ret_header->len > sizeof(p->news) - sizeof(*ret_header) || ret_header->type == XS_ERROR)
		return -EIO;
	if (p->nr_news < sizeof(*ret_header) + ret_header->len)
		return 0;
	return (int)(sizeof(*ret_header) + ret_header->len);
}

/* "@releaseDomain/7"; without a number where the watch has just been set. */
static enum platform_news read_event(const char *path, uint16_t *ret_domid)
{
	const char *slash = strchr(path, '/');

	*ret_domid = slash ? (uint16_t)strtoul(slash + 1, NULL, 10) : 0;
	return strncmp(path, RELEASED, strlen(RELEASED)) ? NEWS_INTRODUCED : NEWS_RELEASED;
}

/* The first message, of so many bytes, is done with. */
static enum platform_news take_message(struct platform *p, const struct xsd_sockmsg *header,
				       size_t bytes, uint16_t *ret_domid)
{
	char *path = p->news + sizeof(*header);
	enum platform_news what = NEWS_NONE;

	if (header->type == XS_WATCH_EVENT && header->len) {
		path[header->len - 1] = '\0'; /* the token's end */
		what = read_event(path, ret_domid);
	}
	p->nr_news -= bytes;
	memmove(p->news, p->news + bytes, p->nr_news);
	return what;
}

int platform_news(struct platform *p, uint16_t *ret_domid)
{
	for (;;) {
		struct xsd_sockmsg header;
		int bytes = next_message(p, &header);
		enum platform_news what;
		ssize_t got;

		if (bytes < 0)
			return bytes;
		if (bytes) {
			what = take_message(p, &header, (size_t)bytes, ret_domid);
			if (what != NEWS_NONE)
				return (int)what;
			continue; /* the answer to a request */
		}
		got = recv(p->news_fd, p->news + p->nr_news, sizeof(p->news) - p->nr_news,
			   MSG_DONTWAIT);
		if (got <= 0)
			return got && (errno == EAGAIN || errno == EINTR) ? NEWS_NONE : -EIO;
		p->nr_news += (size_t)got;
	}
}

int platform_domains(struct platform *p, uint16_t **ret_domids, size_t *ret_nr)
{
	unsigned int nr;
	size_t nr_domids = 0;
	char **names = xs_directory(p->store, XBT_NULL, "/local/domain", &nr);
	uint16_t *domids;

	if (!names && errno != ENOENT)
		return -errno;
	if (!names)
		nr = 0;
	domids = calloc(nr + 1, sizeof(*domids));
	for (unsigned int i = 0; domids && i < nr; i++) {
		unsigned long domid = strtoul(names[i], NULL, 10);

		if (domid && domid <= UINT16_MAX)
			domids[nr_domids++] = (uint16_t)domid;
	}
	free(names);
	if (!domids)
		return -ENOMEM;
	*ret_domids = domids;
	*ret_nr = nr_domids;
	return 0;
}

bool platform_is_introduced(struct platform *p, uint16_t domid)
{
	return xs_is_domain_introduced(p->store, domid);
}

/* The text of a domain's node, cut off at size; empty when there is none. */
static void read_text(struct platform *p, const char *folder, uint16_t domid, const char *name,
		      char *ret_text, size_t size)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "%s/%u/%s", folder, domid, name);
	text = xs_read(p->store, XBT_NULL, path, NULL);
	snprintf(ret_text, size, "%s", text ? text : "");
	free(text);
}

int platform_describe(struct platform *p, uint16_t domid, struct guest_description *ret_guest)
{
	struct guest_description *g = ret_guest;
	char port[16];

	read_text(p, "/local/domain", domid, "console/port", port, sizeof(port));
	g->port = (uint32_t)strtoul(port, NULL, 10);
	if (!g->port)
		return -ENOENT;
	read_text(p, OURS, domid, "name", g->name, sizeof(g->name));
	if (!*g->name)
		read_text(p, "/local/domain", domid, "name", g->name, sizeof(g->name));
	read_text(p, OURS, domid, "console-log", g->log, sizeof(g->log));
	return 0;
}

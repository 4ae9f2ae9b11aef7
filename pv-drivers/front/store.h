/*
 * A client of xenstore: requests by the ring that HVM parameters 1 and 2 tell of, each waited for. Paths that
 * do not begin with '/' are below the domain's own folder. Functions return 0, or a length where they say
 * so, or a negative error number of abi/errno.h.
 */
#ifndef FRONT_STORE_H
#define FRONT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/xs-wire.h"

#define STORE_VALUE_MAX 256
#define STORE_NO_TX     0

/* For tests that abuse it. */
extern struct xenstore_domain_interface *store_ring;
extern uint32_t store_port;

int store_init(void);

/* One request of any type; what it sends are count parts, one after the other. The reply, cut to size and
 * ended by a zero byte, is left in reply; its whole length is returned. */
struct store_part {
	const void *data;
	size_t size;
};
int store_request(uint32_t type, uint32_t tx, const struct store_part *parts, unsigned int count,
		  char *reply, size_t size);

/* The length of the value; one that does not fit is -XEN_E2BIG. */
int store_read(uint32_t tx, const char *path, char *ret_value, size_t size);
int store_read_number(uint32_t tx, const char *path, uint64_t *ret_number);
int store_write(uint32_t tx, const char *path, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int store_remove(uint32_t tx, const char *path);
/* The names below it, each ended by a zero byte; their length altogether. */
int store_list(uint32_t tx, const char *path, char *ret_names, size_t size);

int store_begin(uint32_t *ret_tx);
int store_end(uint32_t tx, bool commit); /* -XEN_EAGAIN: do it all again */

/* Changes below path come as events, the first at once. */
int store_watch(const char *path, const char *token);
int store_unwatch(const char *path, const char *token);

struct store_event {
	char path[STORE_VALUE_MAX];
	char token[STORE_VALUE_MAX];
};
bool store_next_event(struct store_event *ret_event); /* without waiting */
bool store_has_event(void);

/* Decimal digits and nothing else. */
bool parse_number(const char *text, uint64_t *ret_number);

#endif

/* xenstore through its socket, for a process that may connect but once: when the store's process is replaced, so is
 * this one. */
#ifndef LODGE_BACK_STORE_LINK_H
#define LODGE_BACK_STORE_LINK_H

#include <xenstore.h>

#include "lib/util.h"

struct store_link {
	struct xs_handle *store;
	int guard_fd;
	int fd; /* readable: there is news, or the end */
};

/* 0 or a negative errno; then nothing is open. */
must_check int store_link_open(struct store_link *l);
void store_link_close(struct store_link *l); /* fine when it is not open, but zero */

/* Gives up rights for good, before a guest is listened to: "confine" of lodge-store(8), with its arguments, each with its
 * zero. Xen's own store does not know the word, and leaves all as it is. Watches are set after. */
void store_link_confine(const struct store_link *l, const char *arguments, size_t size);

/* Has SIGIO sent to the process when fd becomes readable. 0 or a negative errno. */
must_check int store_link_signal(const struct store_link *l);

/* Of a watch, to be freed; NULL: none, and ret_is_lost tells whether the store is gone. */
char **store_link_news(struct store_link *l, bool *ret_is_lost);

#endif

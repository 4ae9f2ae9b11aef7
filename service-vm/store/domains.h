/* How domains are. The hypercall that tells it can do anything to any domain, and Linux restricts no handle to one
 * operation; so it is a process of its own that has the handle, and knows no more than to ask for the list. The store,
 * which reads what guests write, asks that process. It ends with the store. */
#ifndef LODGE_STORE_DOMAINS_H
#define LODGE_STORE_DOMAINS_H

#include <stdint.h>

#include "abi/control.h"
#include "lib/util.h"

#define DOMAINS_AT_ONCE ((uint32_t)(4096 / sizeof(struct lodge_domain_info)))

struct domains {
	int fd; /* to the process; -1: none */
};

struct domains_answer {
	uint32_t nr;     /* of info */
	uint32_t next;   /* LODGE_LIST_END: there are no more */
	uint64_t change; /* up to where they are told */
	struct lodge_domain_info info[DOMAINS_AT_ONCE];
};

/* Early: the process keeps what it was started with, but for descriptors. The error is also logged. */
must_check int domains_open(struct domains *d);
void domains_close(struct domains *d);

/* Of the domains from `first` on, and changed since then, at most max. When the process has gone, this one ends: the
 * next store starts another. */
void domains_ask(const struct domains *d, uint32_t first, uint32_t max, uint64_t since,
		 struct domains_answer *ret_answer);

#endif

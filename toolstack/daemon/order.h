/* In which order guests start: by their numbers, and after those that they name. */
#ifndef LODGE_DAEMON_ORDER_H
#define LODGE_DAEMON_ORDER_H

#include "config/domain.h"

struct ordered {
	const char *name;
	const struct domain_description *d; /* start_order, start_after */
	unsigned int
		level;    /* out: 0 for the first; guests of one level do not wait for each other */
	bool is_in_cycle; /* out: it waits for itself; that is overlooked */
};

/* Sorts. Lower numbers come first, then names in their order; whoever is named in start_after comes earlier,
 * whatever its number is. Names that are not among the guests are overlooked. */
void order_guests(struct ordered *guests, size_t nr);

#endif

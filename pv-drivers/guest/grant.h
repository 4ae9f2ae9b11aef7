/* The domain's own grant table, version 1. */
#ifndef GUEST_GRANT_H
#define GUEST_GRANT_H

#include "guest/cpu.h"
#include "guest/hypercall.h"

extern struct grant_entry_v1 *grant_table;

void grant_init(unsigned int nr_frames);

/* Lets domid use the page: the frame first, then the flags that make the entry valid. */
void grant_allow(uint32_t ref, uint16_t domid, const void *page, uint16_t flags);
void grant_revoke(uint32_t ref);

/* The same with references of the kit's choice, from 8 on. Running out ends the guest with ERROR. */
uint32_t grant_take(uint16_t domid, const void *page, uint16_t flags);
bool grant_give_back(uint32_t ref); /* false, and nothing has changed: the peer still uses it */

#endif

/* A store with a fake machine: domains' rings are plain pages, and the tests are their other ends. */
#ifndef LODGE_TESTS_STORE_WORLD_H
#define LODGE_TESTS_STORE_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "abi/xs-wire.h"
#include "platform.h"
#include "store.h"

/* Payloads: strings with their last zero, and without. */
#define STR(literal)   literal, sizeof(literal)
#define BYTES(literal) literal, sizeof(literal) - 1

struct message {
	struct xsd_sockmsg header;
	char data[XENSTORE_PAYLOAD_MAX + 1]; /* a zero follows */
};

extern struct store *store;

/* A store with domain 0 and, introduced, domains 1 and 2. */
void world_setup(void);
void world_teardown(void);

/* The process dies at once and another one starts, which reads what the first has left. Without
 * world_keep(), nothing is left. */
void world_keep(void);
void world_restart(void);

/* The domain's page, made on demand; what happened to its port. */
struct xenstore_domain_interface *world_page(uint16_t domid);
unsigned int world_nr_notified(uint16_t domid);
void world_on_notify(void (*fn)(uint16_t domid)); /* NULL: nothing */
void world_fail_maps(bool fail);
void world_set_domain_state(uint16_t domid, enum domain_state state);

/* What the page of a new domain says. */
void world_clear_page(uint16_t domid);

/* What the peer does. put() leaves out what does not fit; get() is false where no whole message waits. */
size_t world_put(uint16_t domid, const void *data, size_t len);
size_t world_put_quietly(uint16_t domid, const void *data, size_t len); /* without an event */
bool world_get(uint16_t domid, struct message *m);

/* The store's turn. */
void world_serve(void);

void world_send(uint16_t domid, uint32_t type, uint32_t tx, const void *data, size_t len);

/* Sends, and waits for the answer's data, or the name of the error; events are kept for world_event(). What
 * it returns lasts until the next call; its length is in world_answer_len. */
const char *ask(uint16_t domid, uint32_t type, uint32_t tx, const void *data, size_t len);
extern size_t world_answer_len;

/* "path token" of the next event, or "none". */
const char *world_event(uint16_t domid);

uint32_t begin(uint16_t domid);
const char *end(uint16_t domid, uint32_t tx);

#endif

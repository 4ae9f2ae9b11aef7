/* The machine under fake-platform.c: one for the process and its children. */
#ifndef LODGE_TESTS_STORE_FAKE_PLATFORM_H
#define LODGE_TESTS_STORE_FAKE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/xs-wire.h"
#include "platform.h"

#define FAKE_DOMAINS 1200u

struct fake_machine {
	void (*on_notify)(uint16_t domid); /* NULL: the peer does nothing at once */
	union {
		struct xenstore_domain_interface interface;
		char bytes[4096];
	} pages[FAKE_DOMAINS];
	bool pending[FAKE_DOMAINS]; /* events for the store */
	unsigned int nr_notified[FAKE_DOMAINS];
	enum domain_state states[FAKE_DOMAINS];
	enum domain_state told[FAKE_DOMAINS]; /* to the store, as changes */
	bool domains_changed;
	bool fail_maps;
	int event_fd;
};

extern struct fake_machine *machine;

void fake_machine_init(void);
void fake_machine_fini(void);
void fake_machine_send_event(uint16_t domid);

#endif

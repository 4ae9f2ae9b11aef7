/* The machine under fake-platform.c: one for the process and its children. */
#ifndef LODGE_TESTS_CONSOLE_FAKE_PLATFORM_H
#define LODGE_TESTS_CONSOLE_FAKE_PLATFORM_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/console.h"
#include "platform.h"

#define FAKE_DOMAINS 64u

struct fake_domain {
	union {
		struct xencons_interface ring;
		char bytes[4096];
	} page;
	bool is_introduced, has_console, is_mapped, is_bound;
	bool pending, masked;
	unsigned int nr_notified;
	char name[64];
	char log[256];
};

struct fake_machine {
	struct fake_domain domains[FAKE_DOMAINS];
	uint64_t now_ns;
	bool introduced[FAKE_DOMAINS]; /* of domain 0: of any */
	bool released[FAKE_DOMAINS];
	bool fails_to_map, fails_to_bind, store_is_gone;
	int event_fd, store_fd;
};

extern struct fake_machine *machine;

void fake_machine_init(void);
void fake_machine_fini(void);
void fake_send_event(uint16_t domid);
void fake_introduce(uint16_t domid, const char *name);
void fake_release(uint16_t domid);

#endif

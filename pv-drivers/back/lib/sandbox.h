/* How a device process shuts itself in: another user, no new privileges, and no system calls but those it was
 * written with. What it needs is open by then. */
#ifndef LODGE_BACK_SANDBOX_H
#define LODGE_BACK_SANDBOX_H

#include "lib/err.h"

/* A system call that is allowed; with an argument only where that has the value, or its bits in mask have. */
struct sandbox_rule {
	int call;
	bool has_argument;
	unsigned int argument;
	uint64_t value;
	uint64_t mask; /* 0: all bits */
};

/* Becomes user, a name or a number, where the process is root; else it stays who it is. */
must_check int sandbox_leave_root(const char *user, struct err *err);

/* Any other system call kills the process from here on. What every process needs is allowed besides: memory,
 * reading and writing of what is open, waiting, and the requests of Xen's devices. */
must_check int sandbox_enter(const struct sandbox_rule *rules, size_t nr, struct err *err);

#endif

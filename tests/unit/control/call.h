/* control as the service VM calls it. */
#ifndef LODGE_TESTS_CONTROL_CALL_H
#define LODGE_TESTS_CONTROL_CALL_H

#include <check.h>
#include <string.h>

#include "abi/control.h"
#include "abi/errno.h"
#include "lodge/hypercall.h"
#include "lodge/page.h"
#include "unit.h"
#include "world.h"

extern struct lodge_control op; /* what is passed, and what came back */

void control_setup(void); /* the world, and an empty op */
/* Passes op, with version, operation and domain filled in. */
int64_t control(uint32_t what, uint32_t domain);
/* The same with an empty op. */
int64_t control_plain(uint32_t what, uint32_t domain);
/* Until it is done, however often it stops; *ret_restarts how often that was. */
int64_t control_to_end(uint32_t what, uint32_t domain, unsigned *ret_restarts);

#endif

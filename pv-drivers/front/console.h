/* The domain's console: the ring that HVM parameters 17 and 18 tell of. */
#ifndef FRONT_CONSOLE_H
#define FRONT_CONSOLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct xencons_interface;

/* For tests that abuse it. */
extern struct xencons_interface *console_ring;
extern uint32_t console_port;

/* From now on printf() writes there. False where the domain has none. */
bool console_init(void);

/* As it is; waits for room, and loses the rest when nobody makes any for some seconds. */
void console_write(const char *text, size_t size);

/* What there is of input, without waiting. */
size_t console_read(char *text, size_t size);

/* The value of a parameter of the own domain, 0 where it has none. */
uint64_t domain_param(uint32_t index);

#endif

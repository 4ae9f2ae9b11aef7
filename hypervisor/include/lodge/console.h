/* The hypervisor's console: a ring that keeps the log, the serial line, and the service VM's use of
 * both (console_io, VIRQ_CONSOLE). Locking: LOCK_RANK_CONSOLE, a leaf. */
#ifndef LODGE_CONSOLE_H
#define LODGE_CONSOLE_H

#include "lodge/log.h"
#include "lodge/types.h"

extern enum log_level console_level; /* what reaches the serial line */

void console_write(const char *text, size_t bytes); /* ring and serial line, as it is */
/* A character has come in on the serial line: to the service VM, or our own keys (Ctrl-A three times
 * switches). From the serial interrupt or poll. */
void console_input(char c);
/* Copies from the ring, oldest first, starting at *pos (a running count of bytes); returns bytes. */
size_t console_read_ring(uint64_t *pos, char *buf, size_t bytes);
/* What was written before pos is not read any more. */
void console_clear_ring(uint64_t pos);
/* A key for the hypervisor itself: core/debug-keys.c. */
void debug_key(char key);
/* After a panic: no locks any more. */
void console_force_unlock(void);

#endif

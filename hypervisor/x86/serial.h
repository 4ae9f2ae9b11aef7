/* The first serial line: what the hypervisor's console writes and reads. Output is buffered once
 * interrupts work and drained by the transmit interrupt, so that a log line costs no waiting.
 * arch_serial_write() is called under the console's lock or, in a panic, without any. */
#ifndef LODGE_SERIAL_H
#define LODGE_SERIAL_H

#include "lodge/types.h"

#define SERIAL_MODEM_PORTS 8u /* registers of a UART */

extern uint16_t serial_port; /* 0: there is none, or console= does not name it */
extern uint32_t serial_gsi;  /* which the service VM must not have; UINT32_MAX: not by interrupt */

void serial_init(void);     /* from com1= and console= */
void serial_irq_init(void); /* once IO-APIC and vectors work */
void serial_poll(void);     /* moves characters both ways where there is no interrupt */
/* Without locks or buffering, after what is buffered: for dumps and panics. */
void serial_write_now(const char *text, size_t bytes);
void serial_set_synchronous(void); /* panic: waits for the line instead of buffering */

#endif

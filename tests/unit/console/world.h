/* A console daemon in a folder of its own, two guests, "one" and "two", and clients on socket pairs. */
#ifndef LODGE_TESTS_CONSOLE_WORLD_H
#define LODGE_TESTS_CONSOLE_WORLD_H

#include "console.h"
#include "fake-platform.h"
#include "unit.h"

#define BURST_KIB 4u
#define RATE_KIB  4u
#define LOG_SIZE  (8 << 10)

extern struct console *world_console;
extern char world_folder[32];

void world_init(void);
void world_fini(void);
void world_start(void); /* the daemon, anew; world_init() has done so */
void world_stop(void);

/* Turns until there is nothing to do, at the time that it is. */
void world_settle(void);
void world_wait_ms(unsigned int ms); /* moves the clock, then settles */

struct xencons_interface *world_ring(uint16_t domid);
/* What a guest does: as much as there is room for; an event. How much it was. */
size_t guest_print(uint16_t domid, const char *data, size_t size);
/* All that was typed. */
const char *guest_read(uint16_t domid);

/* The log of a guest; older is the number of the file. */
const char *log_text(const char *name, unsigned int older);

/* A connection that has sent a line and has all answers that there are so far. */
int client_new(const char *line);
const char *client_text(int fd); /* what has come since; "(closed)" at the end */
void client_type(int fd, const char *text);
void client_close(int fd);

#endif

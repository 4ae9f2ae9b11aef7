/* A guest's memory and vCPUs as an ELF core file, for gdb and crash. */
#ifndef LODGE_DAEMON_CORE_DUMP_H
#define LODGE_DAEMON_CORE_DUMP_H

#include "lib/err.h"

struct guest;

/* g: the guest, unless its domain has ended meanwhile; then NULL. */
typedef void (*core_dump_done_fn)(void *argument, struct guest *g, int ret, const struct err *err);

/* Starts writing it, in a thread; the file has holes where memory is zero. The guest is paused meanwhile. On
 * failure, as when its domain ends first, nothing is left of the file. done is called later, unless this
 * returns an error. */
must_check int core_dump(struct guest *g, const char *path, core_dump_done_fn done, void *argument,
			 struct err *err);

#endif

/* The terminal as the guest's: no key means anything here, and nothing that comes is changed. However the
 * program ends, except by SIGKILL, the terminal is as before. */
#ifndef LODGE_CLI_TERMINAL_H
#define LODGE_CLI_TERMINAL_H

#include "lib/util.h"

/* Once. A negative errno where standard input is no terminal. */
must_check int terminal_make_raw(void);
void terminal_restore(void); /* also where it is not raw */

#endif

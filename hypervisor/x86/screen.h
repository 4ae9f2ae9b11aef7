/* The screen as a second console: VGA text, or the frame buffer that the loader set up. Ours until the
 * service VM starts, and again in a panic. Same locking as arch_serial_write(). */
#ifndef LODGE_SCREEN_H
#define LODGE_SCREEN_H

#include "lodge/types.h"

void screen_init(void);
void screen_map(void);                             /* once the final page tables are loaded */
void screen_write(const char *text, size_t bytes); /* nothing while there is no screen of ours */
void screen_release(void);                         /* the service VM's now, unless vga=keep */
void screen_reclaim(void);

#endif

/* Text on the frame buffer that the boot loader left, for machines without VGA text (UEFI). */
#ifndef LODGE_FRAMEBUFFER_H
#define LODGE_FRAMEBUFFER_H

#include "lodge/types.h"

/* False when there is none that we can use. At first it is reached through the boot tables. */
must_check bool framebuffer_init(void);
void framebuffer_map(
	void); /* in the final tables; nothing may be written before, once they are loaded */
void framebuffer_put(char c);

#endif

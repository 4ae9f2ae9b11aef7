/*
 * Consoles: the console_io(cmd, count, buffer) hypercall, and the ring a guest shares with the
 * console backend.
 */
#ifndef LODGE_ABI_CONSOLE_H
#define LODGE_ABI_CONSOLE_H

#include "layout.h"

#define CONSOLEIO_write 0
#define CONSOLEIO_read  1 /* result: bytes read */

/* Writing a byte to this port prints it. */
#define XEN_HVM_DEBUGCONS_IOPORT 0xe9

typedef uint32_t XENCONS_RING_IDX;

/* Indices run freely and are masked by the size of their buffer. in goes to the guest. */
struct xencons_interface {
	char in[1024];
	char out[2048];
	XENCONS_RING_IDX in_cons;
	XENCONS_RING_IDX in_prod;
	XENCONS_RING_IDX out_cons;
	XENCONS_RING_IDX out_prod;
};

#define MASK_XENCONS_IDX(idx, ring) ((idx) & (sizeof(ring) - 1))

ABI_SIZE(struct xencons_interface, 3088);
ABI_OFFSET(struct xencons_interface, in, 0);
ABI_OFFSET(struct xencons_interface, out, 1024);
ABI_OFFSET(struct xencons_interface, in_cons, 3072);
ABI_OFFSET(struct xencons_interface, in_prod, 3076);
ABI_OFFSET(struct xencons_interface, out_cons, 3080);
ABI_OFFSET(struct xencons_interface, out_prod, 3084);

#endif /* LODGE_ABI_CONSOLE_H */

/* What an image of the format qcow2 says of itself at its start (docs/interop/qcow2.txt of QEMU): how large the disk in it
 * is, and which image is below it. Nothing of it is believed further than it is asked for: who wrote the image may
 * have been anybody. */
#ifndef LODGE_TOOLSTACK_QCOW2_H
#define LODGE_TOOLSTACK_QCOW2_H

#include "lib/err.h"

#define QCOW2_NAME_BYTES 1024u
#define QCOW2_BELOW_MAX  16u /* images below one: more is taken for a circle */

struct qcow2 {
	uint64_t nr_bytes; /* of the disk; 0: the file is no such image */
	char below
		[QCOW2_NAME_BYTES]; /* absolute, or from where the image's own name begins; "": none is */
	bool is_below_raw; /* it says that the one below has no format, so nothing below it */
};

/* An image of another format has nothing below. Fails when it cannot be read, when what it says of the image below is
 * damaged (-EINVAL), and when that is no file (-EOPNOTSUPP). */
must_check int qcow2_read(const char *name, struct qcow2 *ret_image, struct err *err);

/* Only how large the disk in it is; 0: it is no such image. */
uint64_t qcow2_size(int fd);

#endif

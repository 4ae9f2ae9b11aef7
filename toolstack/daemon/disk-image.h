/* Images that no guest uses at the moment: copies and larger ones. These take as long as they take; they run in a
 * thread of the jobs. */
#ifndef LODGE_DAEMON_DISK_IMAGE_H
#define LODGE_DAEMON_DISK_IMAGE_H

#include "config/domain.h"
#include "lib/err.h"

enum clone_way {
	CLONE_ANY,     /* a reflink where the file system has them, else a copy */
	CLONE_REFLINK, /* shares all blocks until they are written */
	CLONE_OVERLAY, /* a qcow2 image that has the other one below it, which must not change any more */
	CLONE_COPY,
};

extern const char *const clone_ways[]; /* their names; the first is NULL */

/* To a file that is not there yet, and is not there after a failure. ret_way: how it was done. format: what a guest's
 * description says of the image; DISK_FORMATS: none has it. An overlay tells qemu-nbd what is below it, and a guest can
 * write into a raw disk what begins like any format, with any file of the host below it: so its beginning is not
 * believed then. */
must_check int image_clone(const char *from, enum disk_format format, const char *to,
			   enum clone_way way, enum clone_way *ret_way, struct err *err);

#endif

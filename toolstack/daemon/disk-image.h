/* Images that no guest uses at the moment: copies and larger ones. These take as long as they take; they run in a
 * thread of the jobs. */
#ifndef LODGE_DAEMON_DISK_IMAGE_H
#define LODGE_DAEMON_DISK_IMAGE_H

#include "lib/err.h"

enum clone_way {
	CLONE_ANY,     /* a reflink where the file system has them, else a copy */
	CLONE_REFLINK, /* shares all blocks until they are written */
	CLONE_OVERLAY, /* a qcow2 image that has the other one below it, which must not change any more */
	CLONE_COPY,
};

extern const char *const clone_ways[]; /* their names; the first is NULL */

/* To a file that is not there yet, and is not there after a failure. ret_way: how it was done. */
must_check int image_clone(const char *from, const char *to, enum clone_way way,
			   enum clone_way *ret_way, struct err *err);

#endif

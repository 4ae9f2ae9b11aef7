/* Where qemu-nbd lives: a file system of its own, in which there is nothing but its program and the files it is to
 * serve, under their names; no network unless what it serves is there; and a user that owns nothing. */
#ifndef LODGE_BLOCK_NBD_ROOM_H
#define LODGE_BLOCK_NBD_ROOM_H

#include "back/block/backing.h"

/* For a new process with one thread, which then becomes qemu-nbd. Who is not root stays where and who it is. */
must_check int nbd_room_enter(const struct nbd_image *image, struct err *err);

#endif

/* What a server of a disk was given and may have in its memory only: writes since the last flush, with their data, in
 * memory that outlives the process (it lies behind the journal, in the same file). qcow2 needs it: qemu-nbd keeps the
 * tables that say where data is, and writes them when it is told to flush. The guest, which has its answers, would
 * lose what it wrote if qemu-nbd was killed.
 *
 * A write is put in before it is answered. A flush forgets what was in when it began. When a process finds something
 * in it, it has the server write it again, in order, before anything else: what came later has no answer yet, and is
 * done again after. */
#ifndef LODGE_BLOCK_NBD_LOG_H
#define LODGE_BLOCK_NBD_LOG_H

#include "lib/err.h"

#define NBD_LOG_BYTES     (8U << 20)
#define NBD_LOG_WRITE_MAX (NBD_LOG_BYTES / 8) /* bytes of one */

struct nbd_log;

/* fd: of the file, in which it begins at `offset`; -1: plain memory, for tests. A file of zeroes is an empty log. */
must_check int nbd_log_open(int fd, uint64_t offset, struct nbd_log **ret_log, struct err *err);
void nbd_log_close(struct nbd_log *l); /* NULL is fine */

/* False: there is no room. length is at most NBD_LOG_WRITE_MAX. */
bool nbd_log_put(struct nbd_log *l, uint64_t offset, const void *data, uint32_t length);
/* Up to where something is in it, and forgetting it up to there. */
uint64_t nbd_log_end(const struct nbd_log *l);
void nbd_log_forget(struct nbd_log *l, uint64_t end);
bool nbd_log_is_half_full(const struct nbd_log *l);

/* The write at *position, which starts as 0, and goes on behind it; ret_data has room for NBD_LOG_WRITE_MAX. 1; 0: there
 * is no more; -EBADMSG: nothing that was put in. Processes without rights have the file, and who reads it may still be
 * root: it is not trusted. */
must_check int nbd_log_next(const struct nbd_log *l, uint64_t *position, uint64_t *ret_offset,
			    void *ret_data, uint32_t *ret_length);

#endif

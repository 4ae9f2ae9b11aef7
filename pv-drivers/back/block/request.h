/* A disk request as the guest has put it, in one shape whatever the guest's word size is, and checked. It works on
 * private copies only; nothing here reads the guest's memory. */
#ifndef LODGE_BLOCK_REQUEST_H
#define LODGE_BLOCK_REQUEST_H

#include "abi/blkif.h"
#include "lib/err.h"

#define SECTOR               512u
#define SECTORS_IN_PAGE      8u
#define REQUEST_SEGMENTS_MAX 64u /* told to the guest as feature-max-indirect-segments */
#define REQUEST_ENTRY_MAX    sizeof(union blkif_sring_entry)

enum request_kind {
	REQUEST_READ,
	REQUEST_WRITE,
	REQUEST_FLUSH,   /* may carry data, which then comes after the flush, and is flushed too */
	REQUEST_BARRIER, /* the same, and nothing passes it */
	REQUEST_DISCARD,
	REQUEST_UNKNOWN, /* to be answered BLKIF_RSP_EOPNOTSUPP */
};

struct request {
	uint64_t id;       /* this and operation come back in the response */
	uint8_t operation; /* of an indirect request, the one inside */
	enum request_kind kind;
	bool is_secure; /* discard */
	uint64_t sector;
	uint64_t nr_sectors;
	uint32_t nr_segments;
	bool is_indirect;      /* the segments stand in the page granted by indirect_ref */
	uint32_t indirect_ref; /* one page has room for REQUEST_SEGMENTS_MAX */
	struct blkif_request_segment segments[REQUEST_SEGMENTS_MAX];
};

/* Bytes of one ring entry, and of one response. */
size_t request_entry_size(bool is_32_bit);

/* Reads a ring entry. -EINVAL when no honest guest would have put it. */
must_check int request_parse(const void *entry, bool is_32_bit, struct request *ret_request,
			     struct err *err);

/* Checks the segments, of which there are now copies, counts the sectors, and sees that they lie on a disk of so
 * many. -EINVAL as above. */
must_check int request_check(struct request *r, uint64_t disk_sectors, struct err *err);

/* Writes the response; the number of its bytes. */
size_t request_answer(const struct request *r, bool is_32_bit, int16_t status,
		      struct blkif_response *ret_response);

#endif

/*
 * blkif: the disk protocol. A ring of requests and responses (ring.h), of one or several pages, for
 * each queue of a disk. The frontend tells in its xenstore node "protocol" whether it lays requests
 * out as a 64-bit ("x86_64-abi") or a 32-bit guest ("x86_32-abi") does; absent means like the backend.
 *
 * A sector is 512 bytes, whatever the disk's own sector size is.
 */
#ifndef LODGE_ABI_BLKIF_H
#define LODGE_ABI_BLKIF_H

#include "grant-table.h"
#include "ring.h"

#define BLKIF_OP_READ            0
#define BLKIF_OP_WRITE           1
#define BLKIF_OP_WRITE_BARRIER   2 /* as feature-barrier: everything before it first, then durable */
#define BLKIF_OP_FLUSH_DISKCACHE 3 /* as feature-flush-cache: what was answered becomes durable */
#define BLKIF_OP_RESERVED_1      4
#define BLKIF_OP_DISCARD         5 /* as feature-discard */
#define BLKIF_OP_INDIRECT        6 /* as feature-max-indirect-segments */

#define BLKIF_MAX_SEGMENTS_PER_REQUEST       11
#define BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST 8

#define BLKIF_DISCARD_SECURE (1U << 0)

#define BLKIF_RSP_OKAY       0
#define BLKIF_RSP_ERROR      (-1)
#define BLKIF_RSP_EOPNOTSUPP (-2)

/* Bits of the backend's node "info". */
#define VDISK_CDROM     0x1
#define VDISK_REMOVABLE 0x2
#define VDISK_READONLY  0x4

typedef uint16_t blkif_vdev_t;
typedef uint64_t blkif_sector_t;

/* Part of a granted page: its sectors first to last, both included. */
struct blkif_request_segment {
	grant_ref_t gref;
	uint8_t first_sect;
	uint8_t last_sect;
	uint8_t pad[2];
};

ABI_SIZE(struct blkif_request_segment, 8);
ABI_OFFSET(struct blkif_request_segment, gref, 0);
ABI_OFFSET(struct blkif_request_segment, first_sect, 4);
ABI_OFFSET(struct blkif_request_segment, last_sect, 5);
ABI_OFFSET(struct blkif_request_segment, pad, 6);

/* Read, write, barrier and flush. */
struct blkif_request {
	uint8_t operation;
	uint8_t nr_segments;
	blkif_vdev_t handle;
	uint32_t pad0;
	uint64_t id; /* the frontend's own, comes back in the response */
	blkif_sector_t sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

ABI_SIZE(struct blkif_request, 112);
ABI_OFFSET(struct blkif_request, operation, 0);
ABI_OFFSET(struct blkif_request, nr_segments, 1);
ABI_OFFSET(struct blkif_request, handle, 2);
ABI_OFFSET(struct blkif_request, pad0, 4);
ABI_OFFSET(struct blkif_request, id, 8);
ABI_OFFSET(struct blkif_request, sector_number, 16);
ABI_OFFSET(struct blkif_request, seg, 24);

struct blkif_request_discard {
	uint8_t operation;
	uint8_t flag; /* BLKIF_DISCARD_* */
	blkif_vdev_t handle;
	uint32_t pad0;
	uint64_t id;
	blkif_sector_t sector_number;
	uint64_t nr_sectors;
};

ABI_SIZE(struct blkif_request_discard, 32);
ABI_OFFSET(struct blkif_request_discard, operation, 0);
ABI_OFFSET(struct blkif_request_discard, flag, 1);
ABI_OFFSET(struct blkif_request_discard, handle, 2);
ABI_OFFSET(struct blkif_request_discard, pad0, 4);
ABI_OFFSET(struct blkif_request_discard, id, 8);
ABI_OFFSET(struct blkif_request_discard, sector_number, 16);
ABI_OFFSET(struct blkif_request_discard, nr_sectors, 24);

/* A read or write whose segments stand in granted pages, 512 in each. */
struct blkif_request_indirect {
	uint8_t operation;
	uint8_t indirect_op; /* BLKIF_OP_READ, BLKIF_OP_WRITE */
	uint16_t nr_segments;
	uint32_t pad0;
	uint64_t id;
	blkif_sector_t sector_number;
	blkif_vdev_t handle;
	uint16_t pad1;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	uint32_t pad2;
};

ABI_SIZE(struct blkif_request_indirect, 64);
ABI_OFFSET(struct blkif_request_indirect, operation, 0);
ABI_OFFSET(struct blkif_request_indirect, indirect_op, 1);
ABI_OFFSET(struct blkif_request_indirect, nr_segments, 2);
ABI_OFFSET(struct blkif_request_indirect, pad0, 4);
ABI_OFFSET(struct blkif_request_indirect, id, 8);
ABI_OFFSET(struct blkif_request_indirect, sector_number, 16);
ABI_OFFSET(struct blkif_request_indirect, handle, 24);
ABI_OFFSET(struct blkif_request_indirect, pad1, 26);
ABI_OFFSET(struct blkif_request_indirect, indirect_grefs, 28);
ABI_OFFSET(struct blkif_request_indirect, pad2, 60);

struct blkif_response {
	uint64_t id;
	uint8_t operation;
	uint8_t pad0;
	int16_t status; /* BLKIF_RSP_* */
	uint32_t pad1;
};

ABI_SIZE(struct blkif_response, 16);
ABI_OFFSET(struct blkif_response, id, 0);
ABI_OFFSET(struct blkif_response, operation, 8);
ABI_OFFSET(struct blkif_response, pad0, 9);
ABI_OFFSET(struct blkif_response, status, 10);
ABI_OFFSET(struct blkif_response, pad1, 12);

/* An entry of the ring: 32 of them in one page. */
union blkif_sring_entry {
	struct blkif_request req;
	struct blkif_response rsp;
};

/* As a 32-bit guest lays them out. */
struct compat_blkif_request {
	uint8_t operation;
	uint8_t nr_segments;
	blkif_vdev_t handle;
	compat_uint64_t id;
	compat_uint64_t sector_number;
	struct blkif_request_segment seg[BLKIF_MAX_SEGMENTS_PER_REQUEST];
};

ABI_SIZE(struct compat_blkif_request, 108);
ABI_OFFSET(struct compat_blkif_request, operation, 0);
ABI_OFFSET(struct compat_blkif_request, nr_segments, 1);
ABI_OFFSET(struct compat_blkif_request, handle, 2);
ABI_OFFSET(struct compat_blkif_request, id, 4);
ABI_OFFSET(struct compat_blkif_request, sector_number, 12);
ABI_OFFSET(struct compat_blkif_request, seg, 20);

struct compat_blkif_request_discard {
	uint8_t operation;
	uint8_t flag;
	blkif_vdev_t handle;
	compat_uint64_t id;
	compat_uint64_t sector_number;
	compat_uint64_t nr_sectors;
};

ABI_SIZE(struct compat_blkif_request_discard, 28);
ABI_OFFSET(struct compat_blkif_request_discard, operation, 0);
ABI_OFFSET(struct compat_blkif_request_discard, flag, 1);
ABI_OFFSET(struct compat_blkif_request_discard, handle, 2);
ABI_OFFSET(struct compat_blkif_request_discard, id, 4);
ABI_OFFSET(struct compat_blkif_request_discard, sector_number, 12);
ABI_OFFSET(struct compat_blkif_request_discard, nr_sectors, 20);

struct compat_blkif_request_indirect {
	uint8_t operation;
	uint8_t indirect_op;
	uint16_t nr_segments;
	compat_uint64_t id;
	compat_uint64_t sector_number;
	blkif_vdev_t handle;
	uint16_t pad1;
	grant_ref_t indirect_grefs[BLKIF_MAX_INDIRECT_PAGES_PER_REQUEST];
	compat_uint64_t pad;
};

ABI_SIZE(struct compat_blkif_request_indirect, 64);
ABI_OFFSET(struct compat_blkif_request_indirect, operation, 0);
ABI_OFFSET(struct compat_blkif_request_indirect, indirect_op, 1);
ABI_OFFSET(struct compat_blkif_request_indirect, nr_segments, 2);
ABI_OFFSET(struct compat_blkif_request_indirect, id, 4);
ABI_OFFSET(struct compat_blkif_request_indirect, sector_number, 12);
ABI_OFFSET(struct compat_blkif_request_indirect, handle, 20);
ABI_OFFSET(struct compat_blkif_request_indirect, pad1, 22);
ABI_OFFSET(struct compat_blkif_request_indirect, indirect_grefs, 24);
ABI_OFFSET(struct compat_blkif_request_indirect, pad, 56);

struct compat_blkif_response {
	compat_uint64_t id;
	uint8_t operation;
	uint8_t pad0;
	int16_t status;
};

ABI_SIZE(struct compat_blkif_response, 12);
ABI_OFFSET(struct compat_blkif_response, id, 0);
ABI_OFFSET(struct compat_blkif_response, operation, 8);
ABI_OFFSET(struct compat_blkif_response, pad0, 9);
ABI_OFFSET(struct compat_blkif_response, status, 10);

#endif /* LODGE_ABI_BLKIF_H */

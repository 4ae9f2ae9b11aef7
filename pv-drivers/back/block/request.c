#include "back/block/request.h"

#include <errno.h>
#include <string.h>

size_t request_entry_size(bool is_32_bit)
{
	return is_32_bit ? sizeof(struct compat_blkif_request) : sizeof(union blkif_sring_entry);
}

/* What both word sizes have, wherever it lies. */
struct head {
	uint8_t operation;
	uint8_t second; /* nr_segments, flag or indirect_op */
	uint16_t nr_indirect_segments;
	uint64_t id;
	uint64_t sector;
	uint64_t nr_discarded;
	uint32_t indirect_ref;
	const struct blkif_request_segment *segments;
};

static void read_64(const void *entry, struct head *h)
{
	const struct blkif_request *r = entry;
	const struct blkif_request_discard *discard = entry;
	const struct blkif_request_indirect *indirect = entry;

	*h = (struct head){ .operation = r->operation,
			    .second = r->nr_segments,
			    .nr_indirect_segments = indirect->nr_segments,
			    .id = r->id,
			    .sector = r->sector_number,
			    .nr_discarded = discard->nr_sectors,
			    .indirect_ref = indirect->indirect_grefs[0],
			    .segments = r->seg };
}

static void read_32(const void *entry, struct head *h)
{
	const struct compat_blkif_request *r = entry;
	const struct compat_blkif_request_discard *discard = entry;
	const struct compat_blkif_request_indirect *indirect = entry;

	*h = (struct head){ .operation = r->operation,
			    .second = r->nr_segments,
			    .nr_indirect_segments = indirect->nr_segments,
			    .id = r->id,
			    .sector = r->sector_number,
			    .nr_discarded = discard->nr_sectors,
			    .indirect_ref = indirect->indirect_grefs[0],
			    .segments = r->seg };
}

static enum request_kind kind_of(uint8_t operation)
{
	switch (operation) {
	case BLKIF_OP_READ:
		return REQUEST_READ;
	case BLKIF_OP_WRITE:
		return REQUEST_WRITE;
	case BLKIF_OP_WRITE_BARRIER:
		return REQUEST_BARRIER;
	case BLKIF_OP_FLUSH_DISKCACHE:
		return REQUEST_FLUSH;
	case BLKIF_OP_DISCARD:
		return REQUEST_DISCARD;
	default:
		return REQUEST_UNKNOWN;
	}
}

static int parse_indirect(const struct head *h, struct request *r, struct err *err)
{
	if (h->second != BLKIF_OP_READ && h->second != BLKIF_OP_WRITE)
		return err_set(err, -EINVAL, "the guest sent an indirect request of kind %u",
			       h->second);
	if (!h->nr_indirect_segments || h->nr_indirect_segments > REQUEST_SEGMENTS_MAX)
		return err_set(
			err, -EINVAL,
			"the guest sent an indirect request of %u segments, 1 to %u are allowed",
			h->nr_indirect_segments, REQUEST_SEGMENTS_MAX);
	r->operation = h->second; /* what a frontend wants to see in the response */
	r->kind = kind_of(h->second);
	r->is_indirect = true;
	r->nr_segments = h->nr_indirect_segments;
	r->indirect_ref = h->indirect_ref;
	return 0;
}

static int parse_direct(const struct head *h, struct request *r, struct err *err)
{
	bool may_be_empty = r->kind == REQUEST_FLUSH || r->kind == REQUEST_BARRIER;

	if (h->second > BLKIF_MAX_SEGMENTS_PER_REQUEST || (!h->second && !may_be_empty))
		return err_set(err, -EINVAL,
			       "the guest sent a request of %u segments, 1 to %u are allowed",
			       h->second, BLKIF_MAX_SEGMENTS_PER_REQUEST);
	r->nr_segments = h->second;
	memcpy(r->segments, h->segments, h->second * sizeof(*h->segments));
	return 0;
}

int request_parse(const void *entry, bool is_32_bit, struct request *ret_request, struct err *err)
{
	struct request *r = ret_request;
	struct head h;

	if (is_32_bit)
		read_32(entry, &h);
	else
		read_64(entry, &h);
	r->id = h.id;
	r->operation = h.operation;
	r->kind = kind_of(h.operation);
	r->is_secure = false;
	r->is_indirect = false;
	r->nr_segments = 0;
	r->sector = h.sector;
	r->nr_sectors = 0;
	if (h.operation == BLKIF_OP_INDIRECT)
		return parse_indirect(&h, r, err);
	if (r->kind == REQUEST_UNKNOWN)
		return 0;
	if (r->kind != REQUEST_DISCARD)
		return parse_direct(&h, r, err);
	r->nr_sectors = h.nr_discarded;
	r->is_secure = h.second & BLKIF_DISCARD_SECURE;
	return 0;
}

int request_check(struct request *r, uint64_t disk_sectors, struct err *err)
{
	for (uint32_t i = 0; i < r->nr_segments; i++) {
		const struct blkif_request_segment *s = &r->segments[i];

		if (s->first_sect > s->last_sect || s->last_sect >= SECTORS_IN_PAGE)
			return err_set(err, -EINVAL,
				       "the guest sent a segment from sector %u to %u of a page",
				       s->first_sect, s->last_sect);
		r->nr_sectors += s->last_sect - s->first_sect + 1U;
	}
	if (r->nr_sectors > disk_sectors || r->sector > disk_sectors - r->nr_sectors) {
		/* A flush without data names no place. */
		if (r->nr_sectors)
			return err_set(err, -EINVAL,
				       "the guest sent a request for sectors %llu + %llu of %llu",
				       (unsigned long long)r->sector,
				       (unsigned long long)r->nr_sectors,
				       (unsigned long long)disk_sectors);
	}
	return 0;
}

size_t request_answer(const struct request *r, bool is_32_bit, int16_t status,
		      struct blkif_response *ret_response)
{
	struct compat_blkif_response narrow = { .id = r->id,
						.operation = r->operation,
						.status = status };

	*ret_response =
		(struct blkif_response){ .id = r->id, .operation = r->operation, .status = status };
	if (!is_32_bit)
		return sizeof(*ret_response);
	memcpy(ret_response, &narrow, sizeof(narrow));
	return sizeof(narrow);
}

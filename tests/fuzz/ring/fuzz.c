/* Both roles of pv-drivers/ring against a peer that writes what it likes into the page, between any two steps. The
 * input is a list of steps. Whatever happens: no access outside the page (the sanitizer's business), no more
 * entries than the ring has, never more responses than requests. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "ring/ring.h"
#include "ring/stream.h"

#define BYTES 512 /* little, so that its end is near */
#define ENTRY 12

static void require(bool what)
{
	if (!what)
		abort();
}

struct world {
	unsigned char *page;
	struct ring_back back;
	struct ring_front front;
	struct stream stream;
};

/* Four bytes anywhere, or one of the indices near what it was. */
static void peer_writes(struct world *w, uint8_t where, uint32_t what)
{
	struct ring_header *shared = (struct ring_header *)w->page;
	RING_IDX *index[] = { &shared->req_prod, &shared->req_event, &shared->rsp_prod,
			      &shared->rsp_event };

	if (where & 0x80)
		*index[where & 3] += (uint32_t)(int8_t)what;
	else
		memcpy(w->page + (where & 0x7f) * 4, &what, 4);
}

static void back_steps(struct world *w, uint8_t step)
{
	unsigned char entry[ENTRY] = { 0 };
	uint32_t before = ring_back_in_flight(&w->back);

	require(before <= w->back.view.nr_entries);
	if (step == 0)
		require(ring_back_take(&w->back, entry, ENTRY) != RING_TAKEN ||
			ring_back_in_flight(&w->back) == before + 1);
	else if (step == 1 && before)
		ring_back_put(&w->back, entry, ENTRY);
	else if (step == 2)
		(void)ring_back_push(&w->back);
	else if (step == 3)
		(void)ring_back_rearm(&w->back);
	else if (step == 4) {
		ring_back_attach(&w->back, w->page, BYTES, ENTRY);
		if (ring_back_resume(&w->back, w->back.rsp_prod + w->page[70]) == RING_BROKEN)
			require(w->page[70] > w->back.view.nr_entries);
	}
}

static void front_steps(struct world *w, uint8_t step)
{
	unsigned char entry[ENTRY] = { 0 };
	uint32_t room = ring_front_free(&w->front);

	require(room <= w->front.view.nr_entries);
	if (step == 0 && room)
		ring_front_put(&w->front, entry, ENTRY);
	else if (step == 1)
		require(ring_front_take(&w->front, entry, ENTRY) != RING_TAKEN ||
			ring_front_free(&w->front) == room + 1);
	else if (step == 2)
		(void)ring_front_push(&w->front);
	else if (step == 3)
		(void)ring_front_rearm(&w->front);
}

static void stream_steps(struct world *w, uint8_t step)
{
	char bytes[64] = { 0 };

	if (step & 1)
		require(stream_read(&w->stream, bytes, sizeof(bytes)) <= (int32_t)sizeof(bytes));
	else
		require(stream_write(&w->stream, bytes, sizeof(bytes)) <= (int32_t)sizeof(bytes));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world w = { .page = aligned_alloc(64, BYTES) };
	struct ring_header *shared = (struct ring_header *)w.page;

	memset(w.page, 0, BYTES);
	ring_front_init(&w.front, w.page, BYTES, ENTRY);
	ring_back_attach(&w.back, w.page, BYTES, ENTRY);
	stream_attach(&w.stream, (char *)w.page + 64, 256, &shared->req_prod, &shared->rsp_prod);
	for (size_t i = 0; i + 6 <= size; i += 6) {
		uint32_t what;

		memcpy(&what, data + i + 2, 4);
		if (data[i] & 8)
			peer_writes(&w, data[i + 1], what);
		else if (data[i] & 16)
			front_steps(&w, data[i] & 3);
		else if (data[i] & 32)
			stream_steps(&w, data[i] & 1);
		else
			back_steps(&w, data[i] & 7);
	}
	free(w.page);
	return 0;
}

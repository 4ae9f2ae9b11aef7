/* Byte streams in a shared page, as the console and xenstore have them: a buffer whose size is a power of two,
 * and two indices that run freely. One end writes bytes and prod, the other reads bytes and writes cons.
 *
 * As in ring.h, the peer's index is read once and checked, and -1 means that it is impossible. Each end keeps its
 * own index in the page, so that it survives the end; it is read there once, at attach, and trusted after, because
 * only what the end itself has written is kept. There is no hold-off of notifications: notify after every call
 * that moved something. */
#ifndef LODGE_RING_STREAM_H
#define LODGE_RING_STREAM_H

#include "ring/ring.h"

struct stream {
	char *buffer;
	uint32_t size;
	RING_IDX *own;  /* prod for the writer, cons for the reader */
	RING_IDX *peer; /* the other */
	RING_IDX index; /* what *own is */
};

static inline void stream_attach(struct stream *s, char *buffer, uint32_t size, RING_IDX *own,
				 RING_IDX *peer)
{
	s->buffer = buffer;
	s->size = size;
	s->own = own;
	s->peer = peer;
	s->index = ring_load(own);
}

/* For the reader: how many bytes wait, or -1. */
static inline int32_t stream_waiting(const struct stream *s)
{
	uint32_t nr = ring_load(s->peer) - s->index;

	return nr <= s->size ? (int32_t)nr : -1;
}

/* For the writer: how much room there is, or -1. */
static inline int32_t stream_room(const struct stream *s)
{
	uint32_t nr = s->index - ring_load(s->peer);

	return nr <= s->size ? (int32_t)(s->size - nr) : -1;
}

/* Copies up to max bytes, which stay in the buffer. The number copied, or -1. */
static inline int32_t stream_peek(const struct stream *s, char *to, uint32_t max)
{
	int32_t nr = stream_waiting(s);

	if (nr > 0 && (uint32_t)nr > max)
		nr = (int32_t)max;
	for (int32_t i = 0; i < nr; i++)
		to[i] = __atomic_load_n(&s->buffer[(s->index + (uint32_t)i) & (s->size - 1)],
					__ATOMIC_RELAXED);
	return nr;
}

/* Gives back the room of the first nr bytes, which were peeked at. */
static inline void stream_consume(struct stream *s, uint32_t nr)
{
	s->index += nr;
	ring_barrier(); /* bytes are read before their room is given back */
	ring_store(s->own, s->index);
}

/* Takes up to max bytes. The number taken, or -1. */
static inline int32_t stream_read(struct stream *s, char *to, uint32_t max)
{
	int32_t nr = stream_peek(s, to, max);

	if (nr > 0)
		stream_consume(s, (uint32_t)nr);
	return nr;
}

/* Writes up to nr bytes, as many as there is room for. The number written, or -1. */
static inline int32_t stream_write(struct stream *s, const char *from, uint32_t nr)
{
	int32_t room = stream_room(s);

	if (room > 0 && (uint32_t)room > nr)
		room = (int32_t)nr;
	for (int32_t i = 0; i < room; i++)
		__atomic_store_n(&s->buffer[(s->index + (uint32_t)i) & (s->size - 1)], from[i],
				 __ATOMIC_RELAXED);
	if (room > 0) {
		s->index += (uint32_t)room;
		ring_store(s->own, s->index);
		ring_barrier(); /* seen before the caller looks whether the peer sleeps */
	}
	return room;
}

#endif

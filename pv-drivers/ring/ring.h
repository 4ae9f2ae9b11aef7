/* The shared-ring protocol, for both ends: requests one way, responses the other, in pages that two domains
 * see. The layout is abi/ring.h; this is the only code that touches the indices in it.
 *
 * The other end is not trusted. What it writes is read once, into private memory, and checked there: a producer
 * index further ahead than the ring is long, or behind what it was, gives RING_BROKEN, and the caller is to
 * disconnect; an entry is copied out before anybody looks at it. What this end has written is never read back.
 * So the worst that a peer can do is to send wrong entries, which every protocol must check anyway.
 *
 * An end has one user at a time; there are no locks. Nothing here allocates, blocks or calls the system: it is
 * used by freestanding frontends and by processes alike.
 *
 * To sleep without losing a wake-up: take entries until RING_EMPTY; rearm; sleep only when that says RING_EMPTY
 * too. tests/model/ring checks this with a store buffer in each CPU: the full barriers in push and rearm are a
 * pair (each writes its own index, then reads the other's), and both are needed on x86 also. */
#ifndef LODGE_RING_H
#define LODGE_RING_H

#include "abi/ring.h"
#include "lib/util.h"

enum ring_status {
	RING_BROKEN = -1, /* the peer's index is impossible; stays so */
	RING_EMPTY = 0,
	RING_TAKEN = 1, /* from rearm: there is something to take */
};

/* The ring's memory as one end sees it. */
struct ring_view {
	struct ring_header *shared;
	unsigned char *entries;
	uint32_t nr_entries; /* a power of two */
	uint32_t entry_size;
};

struct ring_back {
	struct ring_view view;
	RING_IDX req_cons; /* the next request to take */
	RING_IDX req_seen; /* the frontend's req_prod when last looked at, and good then */
	RING_IDX rsp_prod; /* where the next response goes */
	RING_IDX rsp_sent; /* responses before it are published */
};

struct ring_front {
	struct ring_view view;
	RING_IDX rsp_cons;
	RING_IDX rsp_seen;
	RING_IDX req_prod;
	RING_IDX req_sent;
};

/* What the peer writes: read once. Entries are copied in words that a compiler cannot fetch twice. */
static inline RING_IDX ring_load(const RING_IDX *index)
{
	return __atomic_load_n(index, __ATOMIC_ACQUIRE); /* entries are read after the index */
}

/* Entries and everything before are seen before the index. */
static inline void ring_store(RING_IDX *index, RING_IDX value)
{
	__atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/* Orders this end's index before the look at the other's. The pair is push here, rearm there. */
static inline void ring_barrier(void)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

typedef uint64_t ring_word_t __attribute__((__may_alias__, __aligned__(4)));
typedef uint32_t ring_half_t __attribute__((__may_alias__));

static inline unsigned char *ring_slot(const struct ring_view *v, RING_IDX i)
{
	return v->entries + (size_t)(i & (v->nr_entries - 1)) * v->entry_size;
}

/* size is a multiple of 4, and so is the place of every entry. */
static inline void ring_copy_out(const struct ring_view *v, RING_IDX i, void *ret_entry,
				 size_t size)
{
	const unsigned char *from = ring_slot(v, i);
	unsigned char *to = ret_entry;
	size_t done = 0;

	for (; done + sizeof(ring_word_t) <= size; done += sizeof(ring_word_t)) {
		ring_word_t value = *(const volatile ring_word_t *)(from + done);

		__builtin_memcpy(to + done, &value, sizeof(value));
	}
	if (done < size) {
		ring_half_t value = *(const volatile ring_half_t *)(from + done);

		__builtin_memcpy(to + done, &value, sizeof(value));
	}
}

static inline void ring_copy_in(const struct ring_view *v, RING_IDX i, const void *entry,
				size_t size)
{
	unsigned char *to = ring_slot(v, i);
	const unsigned char *from = entry;
	size_t done = 0;

	for (; done + sizeof(ring_word_t) <= size; done += sizeof(ring_word_t)) {
		ring_word_t value;

		__builtin_memcpy(&value, from + done, sizeof(value));
		*(volatile ring_word_t *)(to + done) = value;
	}
	if (done < size) {
		ring_half_t value;

		__builtin_memcpy(&value, from + done, sizeof(value));
		*(volatile ring_half_t *)(to + done) = value;
	}
}

/* How many entries a ring of so many bytes has; 0 when not one fits. */
static inline uint32_t ring_entries(size_t bytes, size_t entry_size)
{
	if (bytes < sizeof(struct ring_header) + entry_size)
		return 0;
	return (uint32_t)1 << log2_floor((bytes - sizeof(struct ring_header)) / entry_size);
}

/* bytes holds at least one entry, the size of which is a multiple of 4. */
static inline void ring_view_init(struct ring_view *v, void *memory, size_t bytes,
				  size_t entry_size)
{
	v->shared = memory;
	v->entries = (unsigned char *)memory + sizeof(struct ring_header);
	v->nr_entries = ring_entries(bytes, entry_size);
	v->entry_size = (uint32_t)entry_size;
}

/* The backend.
 *
 * Takes a ring over as it is: a new one, or one that an earlier backend has left. rsp_prod is then what that had
 * published, and requests are taken from there on: all that had no answer. They need not be whole any more: a
 * response lies on a request, from put on, and not on its own when answers are given in any order. A backend that
 * may be killed therefore keeps copies of what it has taken, outside the ring, and says by ring_back_resume() up
 * to where it has. */
static inline void ring_back_attach(struct ring_back *r, void *memory, size_t bytes,
				    size_t entry_size)
{
	ring_view_init(&r->view, memory, bytes, entry_size);
	r->rsp_prod = ring_load(&r->view.shared->rsp_prod);
	r->rsp_sent = r->rsp_prod;
	r->req_cons = r->rsp_prod;
	r->req_seen = r->rsp_prod;
}

/* After attach: requests before req_cons were taken already. */
static inline enum ring_status ring_back_resume(struct ring_back *r, RING_IDX req_cons)
{
	if (req_cons - r->rsp_prod > r->view.nr_entries)
		return RING_BROKEN;
	r->req_cons = req_cons;
	r->req_seen = req_cons;
	return RING_TAKEN;
}

/* Looks at the frontend's index again. */
static inline enum ring_status ring_back_look(struct ring_back *r)
{
	RING_IDX seen = ring_load(&r->view.shared->req_prod);
	uint32_t in_flight = r->req_cons - r->rsp_prod;

	if (seen - r->req_cons > r->view.nr_entries - in_flight)
		return RING_BROKEN;
	r->req_seen = seen;
	return seen == r->req_cons ? RING_EMPTY : RING_TAKEN;
}

/* Copies the next request of size bytes (at most an entry's). */
static inline enum ring_status ring_back_take(struct ring_back *r, void *ret_request, size_t size)
{
	if (r->req_cons == r->req_seen) {
		enum ring_status status = ring_back_look(r);

		if (status != RING_TAKEN)
			return status;
	}
	ring_copy_out(&r->view, r->req_cons, ret_request, size);
	r->req_cons++;
	return RING_TAKEN;
}

/* Requests taken and not answered. */
static inline uint32_t ring_back_in_flight(const struct ring_back *r)
{
	return r->req_cons - r->rsp_prod;
}

/* Writes a response, in any order, at most one for each request taken. The frontend sees it after push. */
static inline void ring_back_put(struct ring_back *r, const void *response, size_t size)
{
	ring_copy_in(&r->view, r->rsp_prod, response, size);
	r->rsp_prod++;
}

/* Publishes. True: the frontend wants to be notified. */
static inline bool ring_back_push(struct ring_back *r)
{
	RING_IDX old = r->rsp_sent;

	if (old == r->rsp_prod)
		return false;
	ring_store(&r->view.shared->rsp_prod, r->rsp_prod);
	r->rsp_sent = r->rsp_prod;
	ring_barrier(); /* with ring_front_rearm() */
	return r->rsp_prod - ring_load(&r->view.shared->rsp_event) < r->rsp_prod - old;
}

/* Asks to be notified of the next request. RING_TAKEN: one has come meanwhile; do not sleep. */
static inline enum ring_status ring_back_rearm(struct ring_back *r)
{
	ring_store(&r->view.shared->req_event, r->req_cons + 1);
	ring_barrier(); /* with ring_front_push() */
	return ring_back_look(r);
}

/* Requests seen and not taken; a look may find more. */
static inline uint32_t ring_back_waiting(const struct ring_back *r)
{
	return r->req_seen - r->req_cons;
}

/* For who needs more requests at a time than there are: asks to be notified of the next beyond those seen.
 * RING_TAKEN: one has come meanwhile; do not sleep. */
static inline enum ring_status ring_back_rearm_more(struct ring_back *r)
{
	RING_IDX seen = r->req_seen;
	enum ring_status status;

	ring_store(&r->view.shared->req_event, seen + 1);
	ring_barrier(); /* with ring_front_push() */
	status = ring_back_look(r);
	if (status == RING_BROKEN)
		return status;
	return r->req_seen == seen ? RING_EMPTY : RING_TAKEN;
}

/* The frontend.
 *
 * Makes a new, empty ring. The memory is zeroed by the caller: a peer may see all of it. */
static inline void ring_front_init(struct ring_front *r, void *memory, size_t bytes,
				   size_t entry_size)
{
	ring_view_init(&r->view, memory, bytes, entry_size);
	r->view.shared->req_prod = 0;
	r->view.shared->rsp_prod = 0;
	r->view.shared->req_event = 1;
	ring_store(&r->view.shared->rsp_event, 1);
	r->rsp_cons = 0;
	r->rsp_seen = 0;
	r->req_prod = 0;
	r->req_sent = 0;
}

/* How many requests may be put. */
static inline uint32_t ring_front_free(const struct ring_front *r)
{
	return r->view.nr_entries - (r->req_prod - r->rsp_cons);
}

/* Writes a request; there must be room. The backend sees it after push. */
static inline void ring_front_put(struct ring_front *r, const void *request, size_t size)
{
	ring_copy_in(&r->view, r->req_prod, request, size);
	r->req_prod++;
}

/* Publishes. True: the backend wants to be notified. */
static inline bool ring_front_push(struct ring_front *r)
{
	RING_IDX old = r->req_sent;

	if (old == r->req_prod)
		return false;
	ring_store(&r->view.shared->req_prod, r->req_prod);
	r->req_sent = r->req_prod;
	ring_barrier(); /* with ring_back_rearm() */
	return r->req_prod - ring_load(&r->view.shared->req_event) < r->req_prod - old;
}

static inline enum ring_status ring_front_look(struct ring_front *r)
{
	RING_IDX seen = ring_load(&r->view.shared->rsp_prod);

	if (seen - r->rsp_cons > r->req_sent - r->rsp_cons)
		return RING_BROKEN;
	r->rsp_seen = seen;
	return seen == r->rsp_cons ? RING_EMPTY : RING_TAKEN;
}

/* Copies the next response. */
static inline enum ring_status ring_front_take(struct ring_front *r, void *ret_response,
					       size_t size)
{
	if (r->rsp_cons == r->rsp_seen) {
		enum ring_status status = ring_front_look(r);

		if (status != RING_TAKEN)
			return status;
	}
	ring_copy_out(&r->view, r->rsp_cons, ret_response, size);
	r->rsp_cons++;
	return RING_TAKEN;
}

/* Asks to be notified of the next response. RING_TAKEN: one has come meanwhile; do not sleep. */
static inline enum ring_status ring_front_rearm(struct ring_front *r)
{
	ring_store(&r->view.shared->rsp_event, r->rsp_cons + 1);
	ring_barrier(); /* with ring_back_push() */
	return ring_front_look(r);
}

#endif

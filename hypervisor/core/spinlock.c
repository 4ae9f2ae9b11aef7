/* Ticket locks: whoever takes a ticket is served in turn. In a debug build each CPU keeps the list of
 * locks it holds, and stops the machine on a wrong order, on a second lock of the same, and on an
 * unlock by somebody else. Order and reasons: docs/locking.md. */
#include "lodge/spinlock.h"

#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/log.h"

#if LODGE_DEBUG

#define MAX_HELD 16u

/* Written by its own CPU only. */
static struct held {
	const struct spinlock *lock[MAX_HELD];
	unsigned nr;
} held_by_cpu[MAX_CPUS];

static bool is_over; /* a panic: set once, never cleared */

/* NULL before this CPU has a record, and in a panic: nothing is checked then. */
static struct held *held_here(void)
{
	const struct cpu *c = this_cpu();

	return c && !is_over ? &held_by_cpu[c->id] : NULL;
}

static void check_order(const struct spinlock *l, bool nested)
{
	const struct held *h = held_here();

	for (unsigned i = 0; h && i < h->nr; i++) {
		const struct spinlock *other = h->lock[i];

		if (other == l)
			panic("lock %p of rank %u taken twice", (const void *)l, l->rank);
		if (other->rank > l->rank || (other->rank == l->rank && !nested))
			panic("lock of rank %u taken under one of rank %u", l->rank, other->rank);
	}
}

static void note_taken(struct spinlock *l)
{
	struct held *h = held_here();

	if (!h)
		return;
	BUG_ON(h->nr == MAX_HELD);
	h->lock[h->nr++] = l;
	l->holder = this_cpu()->id + 1;
}

static void note_released(struct spinlock *l)
{
	struct held *h = held_here();
	unsigned i = 0;

	if (!h || !l->holder)
		return;
	while (i < h->nr && h->lock[i] != l)
		i++;
	if (i == h->nr)
		panic("lock of rank %u released by CPU %u, held by %u", l->rank, this_cpu()->id,
		      l->holder - 1);
	h->lock[i] = h->lock[--h->nr];
	l->holder = 0;
}

void spinlock_stop_checks(void)
{
	is_over = true;
}

#else

void spinlock_stop_checks(void)
{
}

static void check_order(const struct spinlock *l, bool nested)
{
	(void)l;
	(void)nested;
}

static void note_taken(struct spinlock *l)
{
	(void)l;
}

static void note_released(struct spinlock *l)
{
	(void)l;
}

#endif

void spinlock_init(struct spinlock *l, enum lock_rank rank)
{
	*l = (struct spinlock)SPINLOCK((uint8_t)rank);
	(void)rank;
}

static void take(struct spinlock *l)
{
	uint16_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_ACQUIRE);

	while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
		cpu_relax();
	note_taken(l);
}

void spin_lock(struct spinlock *l)
{
	check_order(l, false);
	take(l);
}

void spin_lock_nested(struct spinlock *l)
{
	check_order(l, true);
	take(l);
}

bool spin_trylock(struct spinlock *l)
{
	struct spinlock old = { .word = __atomic_load_n(&l->word, __ATOMIC_RELAXED) };
	struct spinlock new = old;

	if (old.next != old.serving)
		return false;
	new.next++;
	if (!__atomic_compare_exchange_n(&l->word, &old.word, new.word, false, __ATOMIC_ACQUIRE,
					 __ATOMIC_RELAXED))
		return false;
	note_taken(l);
	return true;
}

void spin_unlock(struct spinlock *l)
{
	note_released(l);
	/* Only the holder changes `serving`. */
	__atomic_store_n(&l->serving, (uint16_t)(l->serving + 1), __ATOMIC_RELEASE);
}

bool spin_is_locked(const struct spinlock *l)
{
	struct spinlock now = { .word = __atomic_load_n(&l->word, __ATOMIC_RELAXED) };

	return now.next != now.serving;
}

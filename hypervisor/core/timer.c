/*
 * Timers: a heap for each CPU, and one hardware timer that is set for the heap's head or the end of
 * the running vCPU's slice, whichever is first. Nothing ticks: without either, the hardware is off.
 *
 * timer->cpu names the CPU whose lock guards the timer. It changes under that lock and only while the
 * timer is not queued, so whoever wants the lock takes it and looks whether it is still the right one.
 */
#include "lodge/timer.h"

#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"

static bool timer_before(const struct heap_node *a, const struct heap_node *b)
{
	return heap_entry(a, const struct timer, node)->deadline_ns <
	       heap_entry(b, const struct timer, node)->deadline_ns;
}

void timer_cpu_init(struct cpu *c)
{
	spinlock_init(&c->timer.lock, LOCK_RANK_TIMER);
	heap_init(&c->timer.queue, timer_before);
	c->timer.programmed_ns = TIME_NEVER;
}

void timer_init(struct timer *t, timer_fn *fn)
{
	*t = (struct timer){ .fn = fn, .cpu = this_cpu()->id };
}

static struct cpu *timer_lock(struct timer *t)
{
	for (;;) {
		uint32_t id = READ_ONCE(t->cpu);
		struct cpu *c = cpus[id];

		spin_lock(&c->timer.lock);
		if (likely(t->cpu == id))
			return c;
		spin_unlock(&c->timer.lock);
	}
}

static void dequeue(struct cpu *c, struct timer *t)
{
	heap_remove(&c->timer.queue, &t->node);
	t->queued = false;
}

/* Dequeues t and returns with this CPU's lock held, which is now the one that guards it. */
static struct cpu *timer_take(struct timer *t)
{
	struct cpu *here = this_cpu();

	for (;;) {
		struct cpu *c = timer_lock(t);

		if (t->queued)
			dequeue(c, t);
		if (likely(c == here))
			return here;
		WRITE_ONCE(t->cpu, here->id);
		spin_unlock(&c->timer.lock);
	}
}

static uint64_t first_deadline(const struct cpu *c)
{
	const struct heap_node *head = heap_min(&c->timer.queue);

	return head ? heap_entry(head, const struct timer, node)->deadline_ns : TIME_NEVER;
}

static void enqueue(struct cpu *here, struct timer *t, uint64_t deadline_ns)
{
	uint64_t next_ns;

	t->deadline_ns = MAX(deadline_ns, here->timer.done_ns + 1);
	heap_insert(&here->timer.queue, &t->node);
	t->queued = true;
	next_ns = MIN(first_deadline(here), READ_ONCE(here->sched.slice_end_ns));
	if (next_ns != here->timer.programmed_ns) {
		here->timer.programmed_ns = next_ns;
		arch_timer_program(next_ns);
	}
}

void timer_set(struct timer *t, uint64_t deadline_ns)
{
	struct cpu *here = timer_take(t);

	if (deadline_ns != TIME_NEVER)
		enqueue(here, t, deadline_ns);
	spin_unlock(&here->timer.lock);
}

/* The hardware stays as it is, which may be another CPU's: at worst it fires once for nothing. */
void timer_cancel(struct timer *t)
{
	struct cpu *c = timer_lock(t);

	if (t->queued)
		dequeue(c, t);
	spin_unlock(&c->timer.lock);
}

static bool is_running(const struct timer *t)
{
	for (unsigned i = 0; i < nr_cpus; i++)
		if (READ_ONCE(cpus[i]->timer.running) == t)
			return true;
	return false;
}

/* With t's lock held its function can neither start nor set it. */
void timer_fini(struct timer *t)
{
	bool running;

	do {
		struct cpu *c = timer_lock(t);

		if (t->queued)
			dequeue(c, t);
		running = is_running(t);
		spin_unlock(&c->timer.lock);
		cpu_relax();
	} while (running);
}

void timer_migrate(struct timer *t)
{
	struct cpu *here = this_cpu(), *c;
	uint64_t deadline_ns = TIME_NEVER;

	if (!READ_ONCE(t->queued) || READ_ONCE(t->cpu) == here->id)
		return;
	c = timer_lock(t);
	if (t->queued && c != here) { /* else it has fired, or moved, meanwhile */
		deadline_ns = t->deadline_ns;
		dequeue(c, t);
		WRITE_ONCE(t->cpu, here->id);
	}
	spin_unlock(&c->timer.lock);
	if (deadline_ns == TIME_NEVER)
		return;
	c = timer_lock(t);
	if (c == here && !t->queued) /* else it was set anew */
		enqueue(here, t, deadline_ns);
	spin_unlock(&c->timer.lock);
}

/* The first timer that is due, dequeued and running; NULL when there is none. */
static struct timer *take_due(struct cpu *c, uint64_t now_ns)
{
	struct heap_node *head = heap_min(&c->timer.queue);
	struct timer *t;

	if (!head)
		return NULL;
	t = heap_entry(head, struct timer, node);
	if (t->deadline_ns > now_ns)
		return NULL;
	dequeue(c, t);
	WRITE_ONCE(c->timer.running, t);
	return t;
}

/* Ends: what timer functions set from here on is later than now_ns. */
void timer_run_due(struct cpu *c)
{
	uint64_t now_ns = arch_now_ns(), slice_end_ns;
	struct timer *t;

	spin_lock(&c->timer.lock);
	c->timer.done_ns = now_ns;
	while ((t = take_due(c, now_ns))) {
		timer_fn *fn = t->fn;

		spin_unlock(&c->timer.lock);
		trace(TRACE_TIMER, (uintptr_t)fn);
		fn(t);
		spin_lock(&c->timer.lock);
		WRITE_ONCE(c->timer.running, NULL);
	}
	slice_end_ns = READ_ONCE(c->sched.slice_end_ns);
	if (slice_end_ns <= now_ns) {
		cpu_raise(c, CPU_PENDING_RESCHED);
		slice_end_ns = TIME_NEVER; /* sched_run() starts another */
	}
	c->timer.programmed_ns = MIN(first_deadline(c), slice_end_ns);
	/* What was programmed has fired, or will once for nothing: never worth turning it off. */
	if (c->timer.programmed_ns != TIME_NEVER)
		arch_timer_program(c->timer.programmed_ns);
	spin_unlock(&c->timer.lock);
}

void timer_slice_changed(struct cpu *c)
{
	if (likely(READ_ONCE(c->sched.slice_end_ns) >= c->timer.programmed_ns))
		return;
	spin_lock(&c->timer.lock);
	if (READ_ONCE(c->sched.slice_end_ns) < c->timer.programmed_ns) {
		c->timer.programmed_ns = c->sched.slice_end_ns;
		arch_timer_program(c->timer.programmed_ns);
	}
	spin_unlock(&c->timer.lock);
}

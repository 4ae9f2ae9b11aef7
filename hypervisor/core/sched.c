/*
 * The scheduler. Each CPU has a queue of the vCPUs that wait for it, ordered by virtual run time: CPU
 * time in ns, scaled by 256 / weight. Who is least far runs, for a slice while others wait, for as
 * long as it likes when nobody does. docs/scheduler.md has the policy and its reasons.
 *
 * Locking: cpu->sched.lock, one at a time. A vCPU that changes its CPU is dequeued under the old one's
 * lock, which also makes v->cpu name the new one, and queued under that one's; in between it is
 * "floating", and whoever locks it finds it neither queued nor running, as a sleeper that is awake.
 *
 * No lost wake-up: who removes the last reason not to run calls sched_wake() afterwards, which takes the
 * lock; sched_run() looks at the reasons with the lock held. Either it sees that there is none, or the
 * waker sees that the vCPU is no CPU's current any more.
 */
#include "core/sched-internal.h"

#include "abi/errno.h"
#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/timer.h"
#include "lodge/vcpu.h"

#define SLICE_NS        (5 * NS_PER_MS) /* a turn while others wait */
#define SLEEP_CREDIT_NS SLICE_NS        /* most that a sleeper is ahead of the queue */
#define GRANULARITY_NS  NS_PER_MS       /* how far behind the current one must be to be preempted */
#define TURN_MIN_NS     (100 * NS_PER_US) /* a turn that a waking vCPU does not cut short */
#define BALANCE_NS      (30 * NS_PER_MS)
#define SCALE_SHIFT     20u
#define CHARGE_MAX_NS   (16 * NS_PER_SEC) /* × scale, which is 256 << 20 at most, fits 64 bits */
#define STOP_REASONS    (~(VCPU_HALTED | VCPU_POLLING | VCPU_PARKED))

/* CPUs that found nothing to run; bits are atomic. Whoever gives such a CPU something to do clears its
 * bit first, so that the next waker looks for another. */
static bitmap_word_t idle_cpus[BITMAP_WORDS(MAX_CPUS)];

static bool vcpu_before(const struct heap_node *a, const struct heap_node *b)
{
	return (int64_t)(heap_entry(a, const struct sched_vcpu, node)->vruntime -
			 heap_entry(b, const struct sched_vcpu, node)->vruntime) < 0;
}

static struct vcpu *node_to_vcpu(struct heap_node *n)
{
	return heap_entry(n, struct vcpu, sched.node);
}

static struct vcpu *queue_head(const struct cpu *c)
{
	struct heap_node *n = heap_min(&c->sched.queue);

	return n ? node_to_vcpu(n) : NULL;
}

static void share_ended(struct timer *t)
{
	cpu_raise(container_of(t, struct cpu, sched.share_end), CPU_PENDING_RESCHED);
}

void sched_cpu_init(struct cpu *c)
{
	c->sched.share_end = (struct timer){ .fn = share_ended, .cpu = c->id };
	spinlock_init(&c->sched.lock, LOCK_RANK_SCHED);
	heap_init(&c->sched.queue, vcpu_before);
	c->sched.slice_end_ns = TIME_NEVER;
}

static uint64_t scale_of(uint32_t weight)
{
	return ((uint64_t)SCHED_WEIGHT_DEFAULT << SCALE_SHIFT) / weight;
}

void sched_vcpu_init(struct vcpu *v)
{
	struct sched_vcpu *s = &v->sched;

	*s = (struct sched_vcpu){ .weight = SCHED_WEIGHT_DEFAULT,
				  .scale = scale_of(SCHED_WEIGHT_DEFAULT),
				  .floating = true };
	bitmap_fill(s->affinity, MAX_CPUS);
	v->cpu = (v->domain->id + v->id) % nr_cpus;
	v->runstate = (struct vcpu_runstate_info){ .state = RUNSTATE_offline,
						   .state_entry_time = arch_now_ns() };
}

void sched_vcpu_fini(struct vcpu *v)
{
	BUG_ON(v->sched.queued || sched_is_running(v));
}

static struct cpu *sched_lock(const struct vcpu *v)
{
	for (;;) {
		uint32_t id = READ_ONCE(v->cpu);
		struct cpu *c = cpus[id];

		spin_lock(&c->sched.lock);
		if (likely(v->cpu == id))
			return c;
		spin_unlock(&c->sched.lock);
	}
}

static bool may_run_on(const struct vcpu *v, const struct cpu *c)
{
	return bitmap_test(v->sched.affinity, c->id);
}

static bool is_runnable(const struct vcpu *v)
{
	return !READ_ONCE(v->blocked_by);
}

/* True once no CPU has state of v any more, and what it saved can be read. Pairs with the barrier in
 * sched_run(). */
static bool is_saved(const struct vcpu *v)
{
	if (READ_ONCE(v->sched.running))
		return false;
	smp_rmb();
	return true;
}

bool sched_is_running(const struct vcpu *v)
{
	return !is_saved(v) || __atomic_load_n(&v->sched.nr_movers, __ATOMIC_ACQUIRE);
}

/* A vCPU between two queues is in nobody's hands but this CPU's: whoever waits for it to stop, to destroy
 * it perhaps, waits until it has arrived. Begins under the lock of the CPU that v leaves. */
static void begin_move(struct vcpu *v)
{
	__atomic_fetch_add(&v->sched.nr_movers, 1, __ATOMIC_RELAXED);
}

static void end_move(struct vcpu *v)
{
	__atomic_fetch_sub(&v->sched.nr_movers, 1, __ATOMIC_RELEASE);
}

/* Idle CPUs ------------------------------------------------------------------------------------ */

static bool test_idle(uint32_t cpu)
{
	return READ_ONCE(idle_cpus[cpu / BITMAP_WORD_BITS]) >> (cpu % BITMAP_WORD_BITS) & 1;
}

static void set_idle(uint32_t cpu)
{
	if (!test_idle(cpu))
		__atomic_fetch_or(&idle_cpus[cpu / BITMAP_WORD_BITS], BIT64(cpu % BITMAP_WORD_BITS),
				  __ATOMIC_SEQ_CST);
}

/* True for the one who cleared it. */
static bool clear_idle(uint32_t cpu)
{
	bitmap_word_t bit = BIT64(cpu % BITMAP_WORD_BITS);

	return test_idle(cpu) &&
	       (__atomic_fetch_and(&idle_cpus[cpu / BITMAP_WORD_BITS], ~bit, __ATOMIC_SEQ_CST) &
		bit);
}

/* An idle CPU that v may run on, which from now on is the caller's to wake; NULL: none. */
static struct cpu *claim_idle(const struct vcpu *v)
{
	for (size_t word = 0; word < BITMAP_WORDS(MAX_CPUS); word++) {
		bitmap_word_t idle = READ_ONCE(idle_cpus[word]) & v->sched.affinity[word];

		while (idle) {
			uint32_t bit = (uint32_t)__builtin_ctzll(idle);
			uint32_t id = (uint32_t)word * BITMAP_WORD_BITS + bit;

			if (clear_idle(id))
				return cpus[id];
			idle &= ~BIT64(bit);
		}
	}
	return NULL;
}

/* Virtual time --------------------------------------------------------------------------------- */

static uint64_t scaled(const struct vcpu *v, uint64_t ns)
{
	return MIN(ns, CHARGE_MAX_NS) * v->sched.scale >> SCALE_SHIFT;
}

/* v's virtual run time if it has been running until now. Whoever asks may have read the clock before v
 * started, on another CPU: then it has not run yet, and not for 2^64 ns. */
static uint64_t vruntime_at(const struct vcpu *v, uint64_t now_ns)
{
	uint64_t start_ns = v->sched.run_start_ns;

	return v->sched.vruntime + scaled(v, now_ns > start_ns ? now_ns - start_ns : 0);
}

static void charge(struct vcpu *v, uint64_t now_ns)
{
	if (unlikely(v->sched.capped) && now_ns > v->sched.run_start_ns)
		v->sched.share_ns -= (int64_t)(now_ns - v->sched.run_start_ns);
	v->sched.vruntime = vruntime_at(v, now_ns);
	v->sched.run_start_ns = MAX(v->sched.run_start_ns, now_ns);
}

/* min_vruntime follows whoever is least far, so that it moves on as the CPU's time is used. */
static void advance_min(struct cpu *c, uint64_t current_vruntime)
{
	const struct vcpu *head = queue_head(c);
	uint64_t least = current_vruntime;

	if (head && (int64_t)(head->sched.vruntime - least) < 0)
		least = head->sched.vruntime;
	if ((int64_t)(least - c->sched.min_vruntime) > 0)
		c->sched.min_vruntime = least;
}

/* Queues ---------------------------------------------------------------------------------------- */

static void enqueue(struct cpu *c, struct vcpu *v, uint64_t now_ns)
{
	struct sched_vcpu *s = &v->sched;

	if (s->floating) {
		s->vruntime += c->sched.min_vruntime;
		s->floating = false;
		s->placed_ns = now_ns;
	}
	/* However long it slept: no more than this ahead of those who did not. */
	if ((int64_t)(s->vruntime + SLEEP_CREDIT_NS - c->sched.min_vruntime) < 0)
		s->vruntime = c->sched.min_vruntime - SLEEP_CREDIT_NS;
	heap_insert(&c->sched.queue, &s->node);
	s->queued = true;
	c->sched.nr_runnable++;
	vcpu_set_runstate(v, RUNSTATE_runnable, now_ns);
}

static void dequeue(struct cpu *c, struct vcpu *v)
{
	heap_remove(&c->sched.queue, &v->sched.node);
	v->sched.queued = false;
	c->sched.nr_runnable--;
}

/* v is to be queued on `to`, by whoever calls sched_wake() next. The lock of v's CPU c is held. */
static void set_adrift(struct cpu *c, struct vcpu *v, const struct cpu *to)
{
	if (!v->sched.floating) {
		v->sched.vruntime -= c->sched.min_vruntime;
		v->sched.floating = true;
	}
	WRITE_ONCE(v->cpu, to->id);
}

static void set_stopped(struct vcpu *v, uint64_t now_ns)
{
	uint32_t blocked_by = READ_ONCE(v->blocked_by);

	if (blocked_by == VCPU_PARKED)
		vcpu_set_runstate(v, RUNSTATE_runnable, now_ns);
	else
		vcpu_set_runstate(
			v, blocked_by & STOP_REASONS ? RUNSTATE_offline : RUNSTATE_blocked, now_ns);
}

/* Waking ---------------------------------------------------------------------------------------- */

static struct cpu *least_loaded(const struct vcpu *v)
{
	struct cpu *best = NULL;

	for (unsigned i = 0; i < nr_cpus; i++) {
		struct cpu *c = cpus[i];

		if (may_run_on(v, c) &&
		    (!best || READ_ONCE(c->sched.load) < READ_ONCE(best->sched.load)))
			best = c;
	}
	return best;
}

/* Where v, which can run again, is to wait: where it ran last if that is idle, or as long as it is not
 * saved; an idle CPU; else where it ran last, whose caches may still know it. */
static struct cpu *choose_cpu(struct cpu *last, const struct vcpu *v)
{
	struct cpu *c;

	if (!is_saved(v) || (may_run_on(v, last) && clear_idle(last->id)))
		return last;
	c = claim_idle(v);
	if (c)
		return c;
	return may_run_on(v, last) ? last : least_loaded(v);
}

/* What c has to do now that v waits in its queue. */
static uint32_t preemption(struct cpu *c, const struct vcpu *v, uint64_t now_ns)
{
	struct vcpu *current = c->current;
	uint64_t behind, turn_ends_ns = now_ns + SLICE_NS;

	if (!current)
		return CPU_PENDING_RESCHED;
	behind = vruntime_at(current, now_ns) - v->sched.vruntime;
	if ((int64_t)(behind - scaled(v, GRANULARITY_NS)) > 0) {
		turn_ends_ns = c->sched.turn_start_ns + TURN_MIN_NS;
		if (now_ns >= turn_ends_ns)
			return CPU_PENDING_RESCHED;
	}
	if (c->sched.slice_end_ns <= turn_ends_ns)
		return 0;
	WRITE_ONCE(c->sched.slice_end_ns, turn_ends_ns);
	return CPU_PENDING_TIMER;
}

/* c's lock is held and released. v is neither queued nor current. */
static void queue_and_tell(struct cpu *c, struct vcpu *v, uint64_t now_ns)
{
	struct vcpu *current = c->current;
	uint32_t pending;

	if (current)
		advance_min(c, vruntime_at(current, now_ns));
	enqueue(c, v, now_ns);
	c->sched.load += v->sched.weight;
	pending = preemption(c, v, now_ns);
	spin_unlock(&c->sched.lock);
	if (pending)
		cpu_raise(c, pending);
	/* A CPU that went idle after choose_cpu() looked, and before v was here to be stolen. Its bit and
	 * then our queue, our queue and then its bit: one of the two sees the other. */
	if (current) {
		smp_mb();
		c = claim_idle(v);
		if (c)
			cpu_raise(c, CPU_PENDING_RESCHED);
	}
}

void sched_wake(struct vcpu *v)
{
	struct cpu *c = sched_lock(v), *to;

	if (!is_runnable(v) || v->sched.queued || c->current == v) {
		spin_unlock(&c->sched.lock);
		return;
	}
	trace(TRACE_WAKE, (uint32_t)v->domain->id << 16 | v->id);
	to = choose_cpu(c, v);
	if (to != c) {
		set_adrift(c, v, to);
		spin_unlock(&c->sched.lock);
		c = sched_lock(v);
		/* In between it may have been stopped, or woken by somebody else. */
		if (!is_runnable(v) || v->sched.queued || c->current == v) {
			spin_unlock(&c->sched.lock);
			cpu_raise(
				to,
				CPU_PENDING_RESCHED); /* claimed as idle: let it claim that again */
			return;
		}
	}
	queue_and_tell(c, v, arch_now_ns());
}

void sched_sleep(struct vcpu *v)
{
	struct cpu *c = this_cpu();
	bool is_current;

	if (c->current == v) { /* stays so: only this CPU changes it */
		cpu_raise(c, CPU_PENDING_RESCHED);
		return;
	}
	c = sched_lock(v);
	is_current = c->current == v;
	if (!is_current && !is_runnable(v)) {
		if (v->sched.queued) {
			dequeue(c, v);
			c->sched.load -= v->sched.weight;
		}
		set_stopped(v, arch_now_ns());
	}
	spin_unlock(&c->sched.lock);
	if (is_current)
		cpu_raise(c, CPU_PENDING_RESCHED);
}

void sched_wait_stopped(struct vcpu *v)
{
	if (this_cpu()->current == v)
		return;
	while (sched_is_running(v))
		cpu_relax();
}

void sched_give_way(struct vcpu *v)
{
	v->sched.yielded = true;
	cpu_raise(this_cpu(), CPU_PENDING_RESCHED);
}

/* Stealing and balancing ------------------------------------------------------------------------ */

/* The first in the queue's order, roughly, that may run on `to`. The lock of `from` is held. */
static struct vcpu *find_movable(struct cpu *from, const struct cpu *to)
{
	for (struct heap_node *n = heap_min(&from->sched.queue); n; n = heap_next(n)) {
		struct vcpu *v = node_to_vcpu(n);

		if (may_run_on(v, to) && is_saved(v))
			return v;
	}
	return NULL;
}

static struct vcpu *steal_from(struct cpu *from, struct cpu *to)
{
	struct vcpu *v = NULL;

	if (!READ_ONCE(from->sched.nr_runnable))
		return NULL;
	spin_lock(&from->sched.lock);
	v = find_movable(from, to);
	if (v) {
		dequeue(from, v);
		from->sched.load -= v->sched.weight;
		set_adrift(from, v, to);
		begin_move(v);
	}
	spin_unlock(&from->sched.lock);
	return v;
}

/* A vCPU that waits for another CPU, now adrift towards c, which ends the move; NULL: none. No lock is
 * held. */
static struct vcpu *steal(struct cpu *c)
{
	struct cpu *busiest = NULL;
	struct vcpu *v;

	for (unsigned i = 0; i < nr_cpus; i++) {
		struct cpu *other = cpus[i];
		unsigned nr = READ_ONCE(other->sched.nr_runnable);

		if (other != c && nr && (!busiest || nr > READ_ONCE(busiest->sched.nr_runnable)))
			busiest = other;
	}
	if (!busiest)
		return NULL;
	v = steal_from(busiest, c);
	for (unsigned i = 0; !v && i < nr_cpus; i++)
		if (cpus[i] && cpus[i] != c)
			v = steal_from(cpus[i], c);
	return v;
}

/* Whether v should go from its CPU c to another: to one that is left with no more load than c by
 * that. With equal loads this exchanges their places, which is what shares three CPU hogs fairly
 * between two CPUs. */
static struct cpu *lighter_cpu(const struct cpu *c, const struct vcpu *v)
{
	struct cpu *to = least_loaded(v);

	if (to == c || READ_ONCE(to->sched.load) > c->sched.load - v->sched.weight)
		return NULL;
	return to;
}

/* One that leaves its CPU: neither queued nor running, but it stays that CPU's until it is saved, so
 * that a waker in between queues it there. */
struct departure {
	struct vcpu *v; /* NULL: nobody leaves */
	struct cpu *to;
};

/* At the end of a slice: the longest resident of those at hand moves on, if a CPU with less load
 * takes it. The lock is held. */
static struct departure balance(struct cpu *c, struct vcpu *prev, struct vcpu *head,
				uint64_t now_ns)
{
	struct vcpu *v =
		head->sched.placed_ns < prev->sched.placed_ns && is_saved(head) ? head : prev;
	struct cpu *to;

	if (now_ns < c->sched.balance_ns)
		return (struct departure){ NULL, NULL };
	c->sched.balance_ns = now_ns + BALANCE_NS;
	to = lighter_cpu(c, v);
	if (!to)
		return (struct departure){ NULL, NULL };
	WRITE_ONCE(to->sched.balance_ns, now_ns + BALANCE_NS); /* it changes there just now */
	if (v == head)
		dequeue(c, v);
	c->sched.load -= v->sched.weight;
	return (struct departure){ v, to };
}

/* It is saved. Where somebody has woken it meanwhile, it is on its way already. */
static void depart(struct cpu *c, const struct departure *leaves)
{
	struct vcpu *v = leaves->v;

	spin_lock(&c->sched.lock);
	if (v->cpu == c->id && !v->sched.queued && c->current != v)
		set_adrift(c, v, leaves->to);
	spin_unlock(&c->sched.lock);
	sched_wake(v);
	end_move(v);
}

/* Running --------------------------------------------------------------------------------------- */

/* Whether prev, which can go on, goes on. */
static bool stays(const struct cpu *c, const struct vcpu *prev, const struct vcpu *head,
		  uint64_t now_ns)
{
	int64_t behind;

	if (!head)
		return true;
	if (prev->sched.yielded)
		return false;
	behind = (int64_t)(prev->sched.vruntime - head->sched.vruntime);
	if (now_ns >= c->sched.slice_end_ns)
		return behind < 0;
	return behind <= (int64_t)scaled(head, GRANULARITY_NS);
}

/* The first that has a share of its domain's cap, if there is one. Those that have none are parked. */
static struct vcpu *take_head(struct cpu *c, uint64_t now_ns)
{
	struct vcpu *v;

	while ((v = queue_head(c))) {
		dequeue(c, v);
		if (likely(!v->sched.capped) || sched_cap_take(v, now_ns))
			break;
		c->sched.load -= v->sched.weight;
	}
	return v;
}

/* What prev has used is counted, and it gets another share, if it can go on, or is parked. */
static void renew_share(struct vcpu *prev, uint64_t now_ns)
{
	sched_cap_give_back(prev);
	if (is_runnable(prev))
		(void)!sched_cap_take(prev, now_ns);
}

/* Who follows prev, c's current until now, which may be prev again; NULL: nobody here. */
static struct vcpu *succeed(struct cpu *c, struct vcpu *prev, uint64_t now_ns,
			    struct departure *ret_leaves)
{
	struct vcpu *next;

	charge(prev, now_ns);
	advance_min(c, prev->sched.vruntime);
	if (unlikely(prev->sched.capped))
		renew_share(prev, now_ns);
	if (!is_runnable(prev)) {
		set_stopped(prev, now_ns);
		c->sched.load -= prev->sched.weight;
		return take_head(c, now_ns);
	}
	if (!may_run_on(prev, c)) {
		c->sched.load -= prev->sched.weight;
		*ret_leaves = (struct departure){ prev, least_loaded(prev) };
		return take_head(c, now_ns);
	}
	if (now_ns >= c->sched.slice_end_ns && queue_head(c))
		*ret_leaves = balance(c, prev, queue_head(c), now_ns);
	if (ret_leaves->v == prev)
		return take_head(c, now_ns);
	if (stays(c, prev, queue_head(c), now_ns))
		return prev;
	next = take_head(c, now_ns); /* first: after a yield, prev may be least far itself */
	if (!next)
		return prev; /* those who waited have been parked */
	enqueue(c, prev, now_ns);
	return next;
}

/* For a CPU without anything to do: what another has too much of. Called and returns with the lock
 * held, but drops it. */
static struct vcpu *take_from_others(struct cpu *c)
{
	struct vcpu *v;

	set_idle(
		c->id); /* a locked instruction, before the look at the queues: see queue_and_tell() */
	smp_mb();
	spin_unlock(&c->sched.lock);
	v = steal(c);
	spin_lock(&c->sched.lock);
	if (v && v->cpu == c->id && is_runnable(v) && !v->sched.queued) {
		enqueue(c, v, arch_now_ns());
		c->sched.load += v->sched.weight;
	}
	if (v)
		end_move(v);
	return queue_head(c) ? take_head(c, arch_now_ns()) : NULL;
}

/* next is c's current from now on; it may have been before. */
static void start(struct cpu *c, struct vcpu *next, bool new_turn, uint64_t now_ns)
{
	uint64_t slice_end_ns = c->sched.slice_end_ns;

	next->sched.yielded = false;
	if (new_turn) {
		next->sched.run_start_ns = now_ns;
		c->sched.turn_start_ns = now_ns;
		next->sched.running = true;
		vcpu_set_runstate(next, RUNSTATE_running, now_ns);
		trace(TRACE_RUN, (uint32_t)next->domain->id << 16 | next->id);
	}
	if (unlikely(!may_run_on(next,
				 c))) /* woken here because it was not saved: moves on at once */
		cpu_raise(c, CPU_PENDING_RESCHED);
	if (heap_is_empty(&c->sched.queue))
		slice_end_ns = TIME_NEVER;
	else if (new_turn || slice_end_ns == TIME_NEVER || now_ns >= slice_end_ns)
		slice_end_ns = now_ns + SLICE_NS;
	WRITE_ONCE(c->sched.slice_end_ns, slice_end_ns);
	if (unlikely(next->sched.capped))
		timer_set(&c->sched.share_end, now_ns + (uint64_t)next->sched.share_ns);
	advance_min(c, next->sched.vruntime);
	clear_idle(c->id);
}

static void stop(struct cpu *c)
{
	WRITE_ONCE(c->sched.slice_end_ns, TIME_NEVER);
	trace(TRACE_IDLE, 0);
}

/* The state of those two changes places in the CPU. Afterwards prev is anyone's. */
static void switch_state(struct vcpu *prev, struct vcpu *next)
{
	arch_vcpu_switch(prev, next);
	if (prev) {
		smp_wmb(); /* what was saved, before the news of it: is_saved() */
		WRITE_ONCE(prev->sched.running, false);
	}
	if (next && READ_ONCE(next->singleshot.queued))
		timer_migrate(&next->singleshot);
	if (next && READ_ONCE(next->periodic.queued))
		timer_migrate(&next->periodic);
}

void sched_run(struct cpu *c)
{
	struct vcpu *prev = c->current, *next;
	struct departure leaves = { NULL, NULL };
	uint64_t now_ns = arch_now_ns();
	bool goes_on;

	spin_lock(&c->sched.lock);
	next = prev ? succeed(c, prev, now_ns, &leaves) : take_head(c, now_ns);
	goes_on = prev && next == prev;
	if (prev && unlikely(prev->sched.capped) && !goes_on)
		sched_cap_give_back(prev);
	if (!next) {
		c->current = NULL;
		next = take_from_others(c);
	}
	c->current = next;
	if (next)
		start(c, next, !goes_on, now_ns);
	else
		stop(c);
	if (leaves.v)
		begin_move(leaves.v);
	spin_unlock(&c->sched.lock);
	if (next != prev)
		switch_state(prev, next);
	timer_slice_changed(c);
	if (leaves.v)
		depart(c, &leaves);
}

/* Settings --------------------------------------------------------------------------------------- */

void sched_get_runstate(struct vcpu *v, struct vcpu_runstate_info *ret_info)
{
	struct cpu *c = sched_lock(v);

	*ret_info = v->runstate;
	spin_unlock(&c->sched.lock);
	ret_info->time[ret_info->state] += arch_now_ns() - ret_info->state_entry_time;
}

int sched_set_weight(struct vcpu *v, uint32_t weight)
{
	struct cpu *c;
	bool queued;

	if (weight < SCHED_WEIGHT_MIN || weight > SCHED_WEIGHT_MAX)
		return -XEN_EINVAL;
	c = sched_lock(v);
	queued = v->sched.queued;
	if (queued)
		dequeue(c, v);
	else if (c->current == v)
		charge(v, arch_now_ns());
	if (queued || c->current == v)
		c->sched.load += (uint64_t)weight - v->sched.weight;
	if (!v->sched.floating) {
		/* What it is ahead by was counted with the old weight. */
		int64_t ahead = (int64_t)(v->sched.vruntime - c->sched.min_vruntime);

		if (ahead > 0)
			v->sched.vruntime =
				c->sched.min_vruntime + (uint64_t)ahead / weight * v->sched.weight;
	}
	v->sched.weight = weight;
	v->sched.scale = scale_of(weight);
	if (queued) {
		heap_insert(&c->sched.queue, &v->sched.node);
		v->sched.queued = true;
		c->sched.nr_runnable++;
	}
	spin_unlock(&c->sched.lock);
	return 0;
}

int sched_set_affinity(struct vcpu *v, const bitmap_word_t *cpus_allowed)
{
	struct cpu *c;
	bool must_leave, is_current;

	if (bitmap_next_set(cpus_allowed, nr_cpus, 0) >= nr_cpus)
		return -XEN_EINVAL;
	c = sched_lock(v);
	bitmap_copy(v->sched.affinity, cpus_allowed, MAX_CPUS);
	is_current = c->current == v;
	must_leave = !may_run_on(v, c);
	if (must_leave && v->sched.queued) {
		dequeue(c, v);
		c->sched.load -= v->sched.weight;
	}
	spin_unlock(&c->sched.lock);
	if (must_leave && is_current)
		cpu_raise(c, CPU_PENDING_RESCHED);
	else if (must_leave)
		sched_wake(v);
	return 0;
}

static void set_capped(struct vcpu *v, bool capped)
{
	struct cpu *c = sched_lock(v);
	bool is_current = c->current == v;

	if (is_current)
		charge(v, arch_now_ns()); /* what it ran so far is not counted, or was */
	v->sched.capped = capped;
	v->sched.share_ns = 0;
	spin_unlock(&c->sched.lock);
	if (is_current && capped)
		cpu_raise(c, CPU_PENDING_RESCHED);
}

/* A cap that its vCPUs cannot exceed anyway costs nothing. In between, some of them have the old cap. */
void sched_set_cap(struct domain *d, uint32_t percent)
{
	bool capped = percent && percent < 100 * d->nr_vcpus;

	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		set_capped(d->vcpu[i], false);
	sched_cap_set(d, percent);
	for (uint32_t i = 0; capped && i < d->nr_vcpus; i++)
		set_capped(d->vcpu[i], true);
}

/*
 * The timer of the virtual local APIC: one-shot, periodic and TSC deadline. It counts at 100 MHz before
 * its divider. Its struct timer fires on the CPU where the vCPU ran when it was set, or to which
 * vlapic_migrate() took it; hence the lock.
 */
#include "x86/vm/vlapic-internal.h"

#include "lodge/arch.h"
#include "x86/cpu.h"
#include "x86/time.h"
#include "x86/vm/vm.h"

#define APIC_TICK_NS 10u
/* A guest cannot keep us busy with shorter periods. Those interrupts that it takes cost it time of its
 * own; those that it does not, others pay for. */
#define MIN_PERIOD_NS       (20 * NS_PER_US)
#define MIN_PERIOD_ALONE_NS NS_PER_MS

static uint64_t tick_ns(const struct vlapic *a)
{
	return (uint64_t)APIC_TICK_NS * a->timer.divide;
}

/* timer.lock held. */
static void timer_stop(struct vlapic *a)
{
	timer_cancel(&a->timer.timer);
	a->timer.period_ns = 0;
	a->timer.tsc_deadline = 0;
}

void vlapic_timer_start(struct vlapic *a, uint32_t initial_count)
{
	spin_lock(&a->timer.lock);
	timer_stop(a);
	a->timer.initial_count = initial_count;
	if (initial_count && vlapic_timer_mode(a) != LVT_TIMER_TSC_DEADLINE) {
		a->timer.start_ns = arch_now_ns();
		a->timer.period_ns = a->timer.initial_count * tick_ns(a);
		timer_set(&a->timer.timer, a->timer.start_ns + a->timer.period_ns);
	}
	spin_unlock(&a->timer.lock);
}

void vlapic_timer_set_deadline(struct vcpu *v, uint64_t deadline)
{
	struct vlapic *a = &v->arch.vlapic;
	uint64_t now = vm_guest_tsc(v->domain), wait_ns;

	if (vlapic_timer_mode(a) != LVT_TIMER_TSC_DEADLINE)
		return;
	wait_ns = deadline > now ? ticks_to_ns(&v->domain->arch.tsc_scale, deadline - now) : 0;
	spin_lock(&a->timer.lock);
	timer_stop(a);
	a->timer.tsc_deadline = deadline;
	if (deadline)
		timer_set(&a->timer.timer, arch_now_ns() + wait_ns);
	spin_unlock(&a->timer.lock);
}

/* The last one was delivered, and so will be this one. */
static bool is_taken(const struct vlapic *a, uint32_t lvt)
{
	uint8_t vector = (uint8_t)lvt;

	return !(lvt & LVT_MASKED) && vector >= FIRST_LEGAL_VECTOR &&
	       !(READ_ONCE(a->irr[vector / 64]) & BIT64(vector % 64));
}

static void timer_expired(struct timer *t)
{
	struct vlapic *a = container_of(t, struct vlapic, timer.timer);
	struct vcpu *v = container_of(a, struct vcpu, arch.vlapic);
	uint64_t now = arch_now_ns();
	uint32_t lvt;

	spin_lock(&a->timer.lock);
	/* Stopped or started again while we were on our way, on another CPU. */
	if (t->queued || !(a->timer.period_ns || a->timer.tsc_deadline)) {
		spin_unlock(&a->timer.lock);
		return;
	}
	lvt = READ_ONCE(a->lvt[LVT_TIMER]);
	if ((lvt & LVT_TIMER_MODE) == LVT_TIMER_PERIODIC && a->timer.period_ns) {
		uint64_t min_ns = is_taken(a, lvt) ? MIN_PERIOD_NS : MIN_PERIOD_ALONE_NS;

		/* Periods that were missed altogether become one interrupt, as in hardware. */
		a->timer.start_ns +=
			(now - a->timer.start_ns) / a->timer.period_ns * a->timer.period_ns;
		timer_set(t, MAX(a->timer.start_ns + a->timer.period_ns, now + min_ns));
	} else {
		a->timer.period_ns = 0;
		a->timer.tsc_deadline = 0;
	}
	spin_unlock(&a->timer.lock);
	if (lvt & LVT_MASKED)
		return;
	if ((lvt & 0xff) < FIRST_LEGAL_VECTOR)
		vlapic_post_error(v, ESR_RECEIVE_VECTOR);
	else
		vlapic_set_irq(v, (uint8_t)lvt, false);
}

uint32_t vlapic_timer_count(struct vlapic *a)
{
	uint64_t passed, count = 0;

	spin_lock(&a->timer.lock);
	if (a->timer.period_ns) {
		passed = arch_now_ns() - a->timer.start_ns;
		if (vlapic_timer_mode(a) == LVT_TIMER_PERIODIC)
			passed %= a->timer.period_ns;
		if (passed < a->timer.period_ns)
			count = (a->timer.period_ns - passed) / tick_ns(a);
	}
	spin_unlock(&a->timer.lock);
	return (uint32_t)count;
}

/* A new divider changes the speed of what is left of the count. */
void vlapic_timer_set_divide(struct vlapic *a, uint32_t config)
{
	unsigned log2 = ((config & 3) | (config >> 1 & 4)) + 1; /* 0: by 2, … 6: by 128, 7: by 1 */
	uint32_t left = vlapic_timer_count(a);
	uint64_t now = arch_now_ns();

	spin_lock(&a->timer.lock);
	a->timer.divide_config = config & 0xb;
	a->timer.divide = (uint8_t)(1u << (log2 & 7));
	if (a->timer.period_ns) {
		uint64_t left_ns = left * tick_ns(a);

		a->timer.period_ns = a->timer.initial_count * tick_ns(a);
		a->timer.start_ns = now + left_ns - a->timer.period_ns;
		timer_set(&a->timer.timer, now + left_ns);
	}
	spin_unlock(&a->timer.lock);
}

/* Between counting and the TSC deadline, the timer is disarmed (SDM 3, 11.5.4.1). */
void vlapic_timer_set_lvt(struct vlapic *a, uint32_t value)
{
	spin_lock(&a->timer.lock);
	if ((a->lvt[LVT_TIMER] ^ value) & LVT_TIMER_TSC_DEADLINE)
		timer_stop(a);
	WRITE_ONCE(a->lvt[LVT_TIMER], value);
	spin_unlock(&a->timer.lock);
}

void vlapic_migrate(struct vcpu *v)
{
	struct vlapic *a = &v->arch.vlapic;

	if (!READ_ONCE(a->timer.timer.queued))
		return;
	spin_lock(&a->timer.lock);
	timer_migrate(&a->timer.timer);
	spin_unlock(&a->timer.lock);
}

void vlapic_timer_reset(struct vlapic *a)
{
	spin_lock(&a->timer.lock);
	timer_stop(a);
	a->timer.initial_count = 0;
	a->timer.divide_config = 0;
	a->timer.divide = 2;
	spin_unlock(&a->timer.lock);
}

void vlapic_timer_init(struct vlapic *a)
{
	spinlock_init(&a->timer.lock, LOCK_RANK_VLAPIC);
	timer_init(&a->timer.timer, timer_expired);
}

void vlapic_fini(struct vcpu *v)
{
	timer_fini(&v->arch.vlapic.timer.timer);
}

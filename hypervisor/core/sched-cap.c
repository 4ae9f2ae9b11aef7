/*
 * Caps: how much CPU time a domain gets at most, whoever else wants the CPUs. A domain with a cap has a pool
 * of time that is filled up once in a period. A CPU that is to run one of its vCPUs takes a share of the
 * pool first, and a timer of that CPU ends the turn with the share; what is left of it goes back when
 * another takes over. Where the pool is empty the vCPU is parked (VCPU_PARKED: one more reason not to
 * run), and the domain's timer, which is set only while somebody is parked, wakes all of them when the
 * next period begins. Time used beyond a share is taken from the next one.
 *
 * sched.c calls this for vCPUs with sched.capped only; for others it costs a look at that flag.
 * Locking: cap->lock, inside the run queue's. A vCPU parks under it, and the pool is filled under it, so
 * nobody parks beside a pool that has just been filled.
 */
#include "core/sched-internal.h"

#include "abi/errno.h"
#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"

#define PERIOD_NS    (10 * NS_PER_MS)
#define MIN_SHARE_NS (200 * (int64_t)NS_PER_US) /* smaller ones cost more than they are exact */
#define MAX_PERIODS  1024u /* that one refill counts; keeps products far from overflow */

/* The lock is held. What nobody used is lost, what was used ahead is not forgotten. */
static void refill(struct sched_cap *cap, uint64_t now_ns)
{
	uint64_t nr_periods;

	if (now_ns < cap->period_end_ns)
		return;
	nr_periods = (now_ns - cap->period_end_ns) / PERIOD_NS + 1;
	cap->period_end_ns += nr_periods * PERIOD_NS;
	cap->pool_ns += (int64_t)MIN(nr_periods, MAX_PERIODS) * cap->quota_ns;
	cap->pool_ns = MIN(cap->pool_ns, cap->quota_ns);
}

/* The lock is held. */
static void park(struct sched_cap *cap, struct vcpu *v, uint64_t now_ns)
{
	v->sched.parked_since_ns = now_ns;
	__atomic_fetch_or(&v->blocked_by, VCPU_PARKED, __ATOMIC_SEQ_CST);
	if (!cap->timer_is_set)
		timer_set(&cap->timer, cap->period_end_ns);
	cap->timer_is_set = true;
}

/* The lock is held; v is unblocked once it is not. */
static void count_parked(struct vcpu *v, uint64_t now_ns)
{
	if (READ_ONCE(v->blocked_by) & VCPU_PARKED && now_ns > v->sched.parked_since_ns) {
		v->sched.parked_ns += now_ns - v->sched.parked_since_ns;
		v->sched.parked_since_ns = now_ns;
	}
}

static void wake_all(struct domain *d)
{
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (READ_ONCE(d->vcpu[i]->blocked_by) & VCPU_PARKED)
			vcpu_unblock(d->vcpu[i], VCPU_PARKED);
}

static void period_began(struct timer *t)
{
	struct domain *d = container_of(t, struct domain, cap.timer);
	struct sched_cap *cap = &d->cap;
	uint64_t now_ns = arch_now_ns();
	bool is_empty;

	spin_lock(&cap->lock);
	refill(cap, now_ns);
	is_empty = cap->pool_ns <= 0 && cap->percent;
	if (is_empty)
		timer_set(t, cap->period_end_ns);
	else
		for (uint32_t i = 0; i < d->nr_vcpus; i++)
			count_parked(d->vcpu[i], now_ns);
	cap->timer_is_set = is_empty;
	spin_unlock(&cap->lock);
	if (!is_empty)
		wake_all(d);
}

/* A smaller share for each, the more CPUs there may be that want one: so all run until the pool is empty,
 * and none sits on what another could use. */
bool sched_cap_take(struct vcpu *v, uint64_t now_ns)
{
	struct sched_cap *cap = &v->domain->cap;
	unsigned nr_takers = MIN(v->domain->nr_vcpus, nr_cpus);
	int64_t share_ns = 0;

	spin_lock(&cap->lock);
	refill(cap, now_ns);
	if (cap->pool_ns > 0) {
		share_ns = MIN(MAX(cap->pool_ns / nr_takers, MIN_SHARE_NS), cap->pool_ns);
		cap->pool_ns -= share_ns;
	} else {
		park(cap, v, now_ns);
	}
	spin_unlock(&cap->lock);
	v->sched.share_ns = share_ns;
	return share_ns;
}

void sched_cap_give_back(struct vcpu *v)
{
	struct sched_cap *cap = &v->domain->cap;

	spin_lock(&cap->lock);
	cap->pool_ns += v->sched.share_ns;
	spin_unlock(&cap->lock);
	v->sched.share_ns = 0;
}

void sched_cap_set(struct domain *d, uint32_t percent)
{
	struct sched_cap *cap = &d->cap;
	uint64_t now_ns = arch_now_ns();

	spin_lock(&cap->lock);
	cap->percent = percent;
	cap->quota_ns = (int64_t)(PERIOD_NS / 100) * MIN(percent, 100 * d->nr_vcpus);
	cap->pool_ns = cap->quota_ns;
	cap->period_end_ns = now_ns + PERIOD_NS;
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		count_parked(d->vcpu[i], now_ns);
	spin_unlock(&cap->lock);
	wake_all(d);
}

uint64_t sched_get_parked_ns(struct vcpu *v)
{
	struct sched_cap *cap = &v->domain->cap;
	uint64_t parked_ns;

	spin_lock(&cap->lock);
	count_parked(v, arch_now_ns());
	parked_ns = v->sched.parked_ns;
	spin_unlock(&cap->lock);
	return parked_ns;
}

void sched_domain_init(struct domain *d)
{
	spinlock_init(&d->cap.lock, LOCK_RANK_CAP);
	timer_init(&d->cap.timer, period_began);
}

void sched_domain_fini(struct domain *d)
{
	timer_fini(&d->cap.timer);
}

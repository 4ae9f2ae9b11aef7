/*
 * Virtual CPUs: life, reasons not to run, wake-ups, timers, and the records that guests read.
 *
 * blocked_by is one word of reasons, changed by locked instructions only: whoever takes the last one
 * away wakes the vCPU, so exactly one does. It has no lock; sched.c tells why no wake-up is lost.
 */
#include "lodge/vcpu.h"

#include "abi/errno.h"
#include "abi/sched.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/p2m.h"
#include "lodge/page.h"

#define WAITS        (VCPU_HALTED | VCPU_POLLING)
#define TRY_PAUSE_NS (50 * NS_PER_US)

/* Timers ---------------------------------------------------------------------------------------- */

static void singleshot_fired(struct timer *t)
{
	evtchn_send_virq(container_of(t, struct vcpu, singleshot), VIRQ_TIMER);
}

static void periodic_fired(struct timer *t)
{
	struct vcpu *v = container_of(t, struct vcpu, periodic);
	uint64_t period_ns = READ_ONCE(v->periodic_ns), now_ns = arch_now_ns();

	if (!period_ns) /* stopped while it was on its way */
		return;
	evtchn_send_virq(v, VIRQ_TIMER);
	timer_set(t, MAX(t->deadline_ns, now_ns - now_ns % period_ns) + period_ns);
}

static void poll_timer_fired(struct timer *t)
{
	vcpu_unblock(container_of(t, struct vcpu, poll_timer), VCPU_POLLING);
}

void vcpu_set_singleshot(struct vcpu *v, uint64_t deadline_ns)
{
	if (deadline_ns > arch_now_ns()) {
		timer_set(&v->singleshot, deadline_ns);
		return;
	}
	timer_cancel(&v->singleshot);
	evtchn_send_virq(v, VIRQ_TIMER);
}

/* Life ------------------------------------------------------------------------------------------ */

static struct vcpu_info *default_info(struct vcpu *v)
{
	/* The 32-bit layout has the same size. */
	return v->id < XEN_LEGACY_MAX_VCPUS ? &v->domain->shared_info->vcpu_info[v->id]
					    : &v->own_info;
}

int vcpu_create(struct domain *d, uint32_t id)
{
	struct vcpu *v = domain_mem_alloc(d, sizeof(*v));
	int err;

	if (!v)
		return -XEN_ENOMEM;
	v->domain = d;
	v->id = id;
	v->blocked_by = VCPU_DOWN;
	v->info = default_info(v);
	v->info_mfn = MFN_NONE;
	timer_init(&v->singleshot, singleshot_fired);
	timer_init(&v->periodic, periodic_fired);
	timer_init(&v->poll_timer, poll_timer_fired);
	sched_vcpu_init(v);
	err = arch_vcpu_init(v);
	if (err) {
		arch_vcpu_fini(v);
		domain_mem_free(d, v, sizeof(*v));
		return err;
	}
	d->vcpu[id] = v;
	vcpu_update_time(v);
	return 0;
}

void vcpu_destroy(struct vcpu *v)
{
	timer_fini(&v->singleshot);
	timer_fini(&v->periodic);
	timer_fini(&v->poll_timer);
	vcpu_forget_areas(v);
	sched_vcpu_fini(v);
	arch_vcpu_fini(v);
	v->domain->vcpu[v->id] = NULL;
	domain_mem_free(v->domain, v, sizeof(*v));
}

/* Reasons not to run ---------------------------------------------------------------------------- */

void vcpu_block(struct vcpu *v, uint32_t why)
{
	__atomic_fetch_or(&v->blocked_by, why, __ATOMIC_SEQ_CST);
	sched_sleep(v);
}

void vcpu_unblock(struct vcpu *v, uint32_t why)
{
	uint32_t old = __atomic_fetch_and(&v->blocked_by, ~why, __ATOMIC_SEQ_CST);

	if (unlikely(old & why & VCPU_POLLING))
		__atomic_fetch_sub(&v->domain->evtchn.nr_pollers, 1, __ATOMIC_RELAXED);
	if (unlikely(old & why & VCPU_DOWN))
		v->initialised = true;
	if (old && !(old & ~why))
		sched_wake(v);
}

static void pause_without_wait(struct vcpu *v)
{
	__atomic_fetch_add(&v->blocked_by, VCPU_PAUSE_ONE, __ATOMIC_SEQ_CST);
	sched_sleep(v);
}

void vcpu_pause(struct vcpu *v)
{
	pause_without_wait(v);
	sched_wait_stopped(v);
}

void vcpu_unpause(struct vcpu *v)
{
	if (!__atomic_sub_fetch(&v->blocked_by, VCPU_PAUSE_ONE, __ATOMIC_SEQ_CST))
		sched_wake(v);
}

int vcpu_try_pause(struct vcpu *v)
{
	uint64_t until_ns = arch_now_ns() + TRY_PAUSE_NS;

	pause_without_wait(v);
	while (sched_is_running(v)) {
		/* Its CPU may be in this very loop, waiting for the vCPU that runs here. */
		if (READ_ONCE(this_cpu()->pending) || arch_now_ns() > until_ns) {
			vcpu_unpause(v);
			return -XEN_EAGAIN;
		}
		cpu_relax();
	}
	return 0;
}

void vcpu_go_down(struct vcpu *v)
{
	struct domain *d = v->domain;

	vcpu_block(v, VCPU_DOWN);
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (d->vcpu[i] && !(READ_ONCE(d->vcpu[i]->blocked_by) & VCPU_DOWN))
			return;
	domain_shutdown(d, SHUTDOWN_poweroff);
}

/* Waiting for events ---------------------------------------------------------------------------- */

/* Whoever has something for v records it, then looks whether v waits; v says that it waits, then looks
 * for something recorded. Both steps of both are in order because the first is a locked instruction. */
void vcpu_halt(struct vcpu *v)
{
	__atomic_fetch_or(&v->blocked_by, VCPU_HALTED, __ATOMIC_SEQ_CST);
	if (arch_vcpu_has_interrupt(v))
		__atomic_fetch_and(&v->blocked_by, ~VCPU_HALTED, __ATOMIC_SEQ_CST);
	else
		sched_sleep(v);
}

void vcpu_poll(struct vcpu *v, evtchn_port_t port, uint64_t timeout_ns)
{
	WRITE_ONCE(v->poll_port, port);
	__atomic_fetch_or(&v->blocked_by, VCPU_POLLING, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&v->domain->evtchn.nr_pollers, 1, __ATOMIC_SEQ_CST);
	/* Also forgets the timeout of an earlier poll that ended before it. */
	timer_set(&v->poll_timer, timeout_ns);
	if (arch_vcpu_has_interrupt(v))
		vcpu_unblock(v, VCPU_POLLING);
	else
		sched_sleep(v);
}

void vcpu_kick(struct vcpu *v)
{
	uint32_t waits = READ_ONCE(v->blocked_by) & WAITS;

	if (waits)
		vcpu_unblock(v, waits);
	else if (v != this_cpu()->current && READ_ONCE(v->sched.running))
		arch_cpu_kick(cpus[READ_ONCE(v->cpu)]);
}

/* A 32-bit kernel's record is aligned to 4 bytes only, so it is reached by its address here. */
static uint8_t *upcall_pending(struct vcpu_info *info)
{
	return (uint8_t *)info + offsetof(struct vcpu_info, evtchn_upcall_pending);
}

typedef struct vcpu_time_info vcpu_time_any __attribute__((aligned(4)));

static vcpu_time_any *time_of(struct vcpu_info *info)
{
	return (void *)((uint8_t *)info + offsetof(struct vcpu_info, time)); /* in both layouts */
}

void vcpu_raise_upcall(struct vcpu *v)
{
	if (__atomic_exchange_n(upcall_pending(READ_ONCE(v->info)), 1, __ATOMIC_SEQ_CST))
		return;
	arch_vcpu_upcall(v);
	vcpu_kick(v);
}

bool vcpu_upcall_pending(const struct vcpu *v)
{
	return READ_ONCE(*upcall_pending(READ_ONCE(v->info)));
}

/* Records in guest memory ----------------------------------------------------------------------- */

/* A sender marks its event pending in shared info (or the FIFO), then reads v->info: with the old value,
 * its event is found by the guest's look at everything; later senders read the new one. */
void vcpu_set_info(struct vcpu *v, struct vcpu_info *info)
{
	memcpy(info, v->info, sizeof(*info));
	__atomic_store_n(&v->info, info, __ATOMIC_SEQ_CST);
	vcpu_update_time(v);
	if (v->domain->compat)
		memset((uint8_t *)info + offsetof(struct compat_vcpu_info, evtchn_pending_sel),
		       0xff, sizeof(uint32_t));
	else
		WRITE_ONCE(info->evtchn_pending_sel, UINT64_MAX);
	__atomic_store_n(upcall_pending(info), 1, __ATOMIC_SEQ_CST);
	arch_vcpu_upcall(v);
	vcpu_kick(v);
}

static inline void area_write(const struct vcpu_area *area, uint32_t offset, const void *from,
			      uint32_t bytes)
{
	const uint8_t *byte = from;

	if (likely(offset + bytes <= area->first_bytes)) {
		__builtin_memcpy(area->part[0] + offset, from, bytes);
		return;
	}
	for (uint32_t i = 0; i < bytes; i++) {
		uint32_t at = offset + i;

		if (at < area->first_bytes)
			area->part[0][at] = byte[i];
		else
			area->part[1][at - area->first_bytes] = byte[i];
	}
}

static void area_release(struct vcpu_area *area)
{
	if (!area->part[0])
		return;
	page_put(area->mfn[0]);
	if (area->part[1])
		page_put(area->mfn[1]);
	*area = (struct vcpu_area){ { NULL, NULL }, 0, { MFN_NONE, MFN_NONE } };
}

static int pin_linear(struct vcpu *caller, guest_ptr_t at, mfn_t *ret_mfn)
{
	gfn_t gfn;
	int err = guest_translate(caller, at, true, &gfn);

	return err ? err : p2m_pin(caller->domain, gfn, true, ret_mfn);
}

int vcpu_area_register(struct vcpu *caller, struct vcpu_area *area, guest_ptr_t at, size_t bytes)
{
	uint64_t offset = at.va & ~PAGE_MASK;
	struct vcpu_area new = { { NULL, NULL }, 0, { MFN_NONE, MFN_NONE } };
	int err;

	if (at.va) {
		new.first_bytes = (uint32_t)MIN(bytes, PAGE_SIZE - offset);
		err = pin_linear(caller, at, &new.mfn[0]);
		if (err)
			return err;
		new.part[0] = (uint8_t *)mfn_to_ptr(new.mfn[0]) + offset;
		if (new.first_bytes < bytes) {
			err = pin_linear(caller, guest_ptr_add(at, new.first_bytes), &new.mfn[1]);
			if (err) {
				page_put(new.mfn[0]);
				return err;
			}
			new.part[1] = mfn_to_ptr(new.mfn[1]);
		}
	}
	area_release(area);
	*area = new;
	return 0;
}

void vcpu_forget_areas(struct vcpu *v)
{
	area_release(&v->runstate_area);
	area_release(&v->time_area);
	if (mfn_is_none(v->info_mfn))
		return;
	WRITE_ONCE(v->info, default_info(v));
	page_put(v->info_mfn);
	v->info_mfn = MFN_NONE;
}

/* Readers start again when version is odd or has changed. The guest may write it as well; all that this
 * breaks is its own clock. */
static uint32_t next_odd(uint32_t version)
{
	return (version + 1) | 1;
}

static void publish_time(vcpu_time_any *to, const struct vcpu_time_info *time)
{
	uint32_t version = next_odd(READ_ONCE(to->version));

	WRITE_ONCE(to->version, version);
	smp_wmb(); /* with the reader's barriers: odd version before new contents */
	to->tsc_timestamp = time->tsc_timestamp;
	to->system_time = time->system_time;
	to->tsc_to_system_mul = time->tsc_to_system_mul;
	to->tsc_shift = time->tsc_shift;
	to->flags = time->flags;
	smp_wmb(); /* new contents before even version */
	WRITE_ONCE(to->version, version + 1);
}

static void publish_time_area(const struct vcpu_area *area, struct vcpu_time_info *time)
{
	const uint32_t version_at = offsetof(struct vcpu_time_info, version);
	uint32_t version = next_odd(time->version);

	time->version = version;
	area_write(area, version_at, &version, sizeof(version));
	smp_wmb(); /* as above */
	area_write(area, 0, time, sizeof(*time));
	smp_wmb();
	version++;
	area_write(area, version_at, &version, sizeof(version));
}

void vcpu_update_time(struct vcpu *v)
{
	struct vcpu_time_info time = { 0 };
	vcpu_time_any *to = time_of(v->info);

	arch_vcpu_time(v, &time);
	publish_time(to, &time);
	time.version = to->version;
	if (v->time_area.part[0])
		publish_time_area(&v->time_area, &time);
}

/* Run states ------------------------------------------------------------------------------------ */

void vcpu_set_runstate(struct vcpu *v, int state, uint64_t now_ns)
{
	struct vcpu_runstate_info *r = &v->runstate;

	r->time[r->state] += now_ns - r->state_entry_time;
	r->state_entry_time = now_ns;
	r->state = state;
	v->runstate_dirty = true;
}

static void publish_compat(const struct vcpu_area *area, const struct vcpu_runstate_info *r,
			   uint64_t entry_time)
{
	struct compat_vcpu_runstate_info c = { .state = r->state, .state_entry_time = entry_time };

	for (unsigned i = 0; i < RUNSTATE_NR; i++)
		c.time[i] = r->time[i];
	area_write(area, 0, &c, sizeof(c));
}

static void publish_all(const struct vcpu *v, struct vcpu_runstate_info *r)
{
	if (v->runstate_compat)
		publish_compat(&v->runstate_area, r, r->state_entry_time);
	else
		area_write(&v->runstate_area, 0, r, sizeof(*r));
}

/* For a guest that reads the run states of other vCPUs, the entry time shows while the rest changes. */
void vcpu_publish(struct vcpu *v)
{
	const struct vcpu_area *area = &v->runstate_area;
	const uint32_t entry_at =
		v->runstate_compat ? offsetof(struct compat_vcpu_runstate_info, state_entry_time)
				   : offsetof(struct vcpu_runstate_info, state_entry_time);
	struct vcpu_runstate_info r;

	v->runstate_dirty = false;
	if (!area->part[0])
		return;
	r = v->runstate;
	if (v->domain->vm_assist & BIT64(VMASST_TYPE_runstate_update_flag)) {
		r.state_entry_time |= XEN_RUNSTATE_UPDATE;
		area_write(area, entry_at, &r.state_entry_time, sizeof(r.state_entry_time));
		smp_wmb(); /* flag, then contents, then the flag away: with the reader's barriers */
		publish_all(v, &r);
		smp_wmb();
		r.state_entry_time &= ~XEN_RUNSTATE_UPDATE;
		area_write(area, entry_at, &r.state_entry_time, sizeof(r.state_entry_time));
	} else {
		publish_all(v, &r);
	}
}

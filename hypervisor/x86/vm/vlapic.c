/*
 * The virtual local APIC: who gets an interrupt, and when.
 *
 * ISR is a stack: a vector is accepted only when its priority class is above all that are in service,
 * so the last accepted is the highest, and there are at most sixteen. PPR follows from it and TPR.
 *
 * It does not do: SMIs and ExtINT (guests have neither), moving the page, arbitration. The LVT
 * entries for thermal and performance interrupts, LINT0 and LINT1 can be written, but nothing drives
 * them.
 */
#include "x86/vm/vlapic-internal.h"

#include "lodge/arch.h"
#include "lodge/log.h"
#include "x86/vm/vioapic.h"
#include "x86/vm/vm.h"

#define ICR_MODE(icr)      ((uint8_t)((icr) >> 8 & 7))
#define ICR_LOGICAL        (1ull << 11)
#define ICR_ASSERT         (1ull << 14)
#define ICR_LEVEL          (1ull << 15)
#define ICR_SHORTHAND(icr) ((unsigned)((icr) >> 18 & 3))

enum { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

/* Posting. */

void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level)
{
	struct vlapic *a = &v->arch.vlapic;
	uint64_t bit = BIT64(vector % 64);
	unsigned word = vector / 64;

	if (level)
		__atomic_fetch_or(&a->tmr[word], bit, __ATOMIC_RELAXED);
	else if (unlikely(READ_ONCE(a->tmr[word]) & bit))
		__atomic_fetch_and(&a->tmr[word], ~bit, __ATOMIC_RELAXED);
	if (__atomic_fetch_or(&a->irr[word], bit, __ATOMIC_SEQ_CST) & bit)
		return;
	vm_request_event(v);
	vcpu_kick(v);
}

void vlapic_post_error(struct vcpu *v, uint32_t esr_bit)
{
	struct vlapic *a = &v->arch.vlapic;
	uint32_t lvt = READ_ONCE(a->lvt[LVT_ERROR]);

	__atomic_fetch_or(&a->esr_events, esr_bit, __ATOMIC_RELAXED);
	/* An illegal vector in the error entry itself is not reported: it would never end. */
	if (!(lvt & LVT_MASKED) && (lvt & 0xff) >= FIRST_LEGAL_VECTOR && READ_ONCE(a->enabled))
		vlapic_set_irq(v, (uint8_t)lvt, false);
}

void vlapic_set_nmi(struct vcpu *v)
{
	__atomic_fetch_or(&v->arch.vlapic.attention, VLAPIC_ATT_NMI, __ATOMIC_SEQ_CST);
	vm_request_event(v);
	vcpu_kick(v);
}

/* INIT makes a start that has not happened yet void. The vCPU resets itself (vlapic_do_reset), now or,
 * when it is down, with the SIPI that starts it. */
static void post_init(struct vcpu *v)
{
	__atomic_fetch_and(&v->arch.vlapic.attention, ~VLAPIC_ATT_SIPI, __ATOMIC_SEQ_CST);
	__atomic_fetch_or(&v->arch.vlapic.attention, VLAPIC_ATT_INIT, __ATOMIC_SEQ_CST);
	vm_request_work(v, VM_WORK_EVENT);
	vcpu_unblock(v, VCPU_POLLING);
	vcpu_kick(v);
}

static void post_sipi(struct vcpu *v, uint8_t vector)
{
	struct vlapic *a = &v->arch.vlapic;

	if (!READ_ONCE(a->wait_for_sipi) && !(READ_ONCE(a->attention) & VLAPIC_ATT_INIT))
		return;
	WRITE_ONCE(a->sipi_vector, vector);
	__atomic_fetch_or(&a->attention, VLAPIC_ATT_SIPI, __ATOMIC_SEQ_CST);
	vm_request_work(v, VM_WORK_EVENT);
	vcpu_unblock(v, VCPU_DOWN);
}

/* False when v does not take it. */
static bool post(struct vcpu *v, uint8_t mode, uint8_t vector, bool level)
{
	switch (mode) {
	case VLAPIC_MODE_FIXED:
	case VLAPIC_MODE_LOWEST:
		if (!READ_ONCE(v->arch.vlapic.enabled))
			return false;
		if (vector < FIRST_LEGAL_VECTOR)
			vlapic_post_error(v, ESR_RECEIVE_VECTOR);
		else
			vlapic_set_irq(v, vector, level);
		return true;
	case VLAPIC_MODE_NMI:
		vlapic_set_nmi(v);
		return true;
	case VLAPIC_MODE_INIT:
		post_init(v);
		return true;
	case VLAPIC_MODE_SIPI:
		post_sipi(v, vector);
		return true;
	default: /* SMI and ExtINT do not exist here */
		return false;
	}
}

void vlapic_self_ipi(struct vcpu *v, uint8_t vector)
{
	post(v, VLAPIC_MODE_FIXED, vector, false);
}

/* Destinations. */

static bool logical_dest_is(const struct vlapic *a, const struct vlapic_msg *msg)
{
	uint32_t ldr = READ_ONCE(a->ldr), dest = msg->dest;

	if (vlapic_is_x2apic(a)) {
		uint32_t cluster = msg->wide_dest ? dest >> 16 : 0;

		return ldr >> 16 == cluster && (ldr & dest & 0xffff);
	}
	ldr >>= 24;
	if (READ_ONCE(a->dfr) >> 28 == 0xf) /* flat */
		return ldr & dest & 0xff;
	return ldr >> 4 == (dest >> 4 & 0xf) && (ldr & dest & 0xf);
}

static bool dest_is(const struct vcpu *v, const struct vlapic_msg *msg)
{
	const struct vlapic *a = &v->arch.vlapic;

	if (msg->dest == (msg->wide_dest ? UINT32_MAX : 0xffu))
		return true;
	return msg->logical ? logical_dest_is(a, msg) : a->id == msg->dest;
}

/* Lowest priority: the one that does the least important thing. */
static struct vcpu *find_lowest_priority(struct domain *d, const struct vlapic_msg *msg)
{
	struct vcpu *best = NULL;

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = d->vcpu[i];

		if (!v || !READ_ONCE(v->arch.vlapic.enabled) || !dest_is(v, msg))
			continue;
		if (!best || READ_ONCE(v->arch.vlapic.tpr) < READ_ONCE(best->arch.vlapic.tpr))
			best = v;
	}
	return best;
}

struct vcpu *vlapic_deliver(struct domain *d, const struct vlapic_msg *msg)
{
	struct vcpu *got = NULL;

	if (msg->mode == VLAPIC_MODE_LOWEST) {
		got = find_lowest_priority(d, msg);
		return got && post(got, msg->mode, msg->vector, msg->level) ? got : NULL;
	}
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = d->vcpu[i];

		if (v && dest_is(v, msg) && post(v, msg->mode, msg->vector, msg->level))
			got = v;
	}
	return got;
}

struct vcpu *vlapic_find_target(struct domain *d, const struct vlapic_msg *msg)
{
	struct vcpu *only = NULL;

	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = d->vcpu[i];

		if (!v || !dest_is(v, msg))
			continue;
		if (only)
			return NULL;
		only = v;
	}
	return only;
}

void vlapic_send_ipi(struct vcpu *v, uint64_t icr)
{
	struct vlapic *a = &v->arch.vlapic;
	struct domain *d = v->domain;
	unsigned shorthand = ICR_SHORTHAND(icr);
	struct vlapic_msg msg = {
		.dest = (uint32_t)(icr >> 32),
		.vector = (uint8_t)icr,
		.mode = ICR_MODE(icr),
		.logical = icr & ICR_LOGICAL,
		.wide_dest = vlapic_is_x2apic(a),
	};

	if (!vlapic_is_x2apic(a))
		msg.dest >>= 24;
	if (msg.mode == VLAPIC_MODE_INIT && !(icr & ICR_ASSERT) && (icr & ICR_LEVEL))
		return; /* de-assert: meant for arbitration in CPUs of long ago */
	if (msg.mode <= VLAPIC_MODE_LOWEST && msg.vector < FIRST_LEGAL_VECTOR) {
		vlapic_post_error(v, ESR_SEND_VECTOR);
		return;
	}
	switch (shorthand) {
	case SHORTHAND_NONE:
		vlapic_deliver(d, &msg);
		return;
	case SHORTHAND_SELF:
		if (msg.mode == VLAPIC_MODE_FIXED)
			post(v, msg.mode, msg.vector, false);
		return;
	default:
		break;
	}
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *t = d->vcpu[i];

		if (t && (t != v || shorthand == SHORTHAND_ALL))
			post(t, msg.mode, msg.vector, false);
	}
}

/* Delivery. */

uint8_t vlapic_ppr(const struct vlapic *a)
{
	uint8_t served = a->nr_in_service ? a->in_service[a->nr_in_service - 1] & 0xf0 : 0;

	return a->tpr >> 4 >= served >> 4 ? a->tpr : served;
}

static int highest_requested(const struct vlapic *a)
{
	for (int word = 3; word >= 0; word--) {
		uint64_t bits = READ_ONCE(a->irr[word]);

		if (bits)
			return word * 64 + (int)log2_floor(bits);
	}
	return -1;
}

int vlapic_highest_deliverable(const struct vcpu *v)
{
	const struct vlapic *a = &v->arch.vlapic;
	int vector = highest_requested(a);

	/* The software enable bit stops reception, not delivery: SDM 3, 11.4.7.2. */
	if (vector < 0 || !(a->base_msr & BASE_ENABLED) || vector >> 4 <= vlapic_ppr(a) >> 4)
		return -1;
	return vector;
}

void vlapic_accept(struct vcpu *v, uint8_t vector)
{
	struct vlapic *a = &v->arch.vlapic;

	ASSERT(a->nr_in_service < ARRAY_SIZE(a->in_service));
	__atomic_fetch_and(&a->irr[vector / 64], ~BIT64(vector % 64), __ATOMIC_SEQ_CST);
	a->in_service[a->nr_in_service++ % ARRAY_SIZE(a->in_service)] = vector;
}

void vlapic_look_again(struct vcpu *v)
{
	if (vlapic_pending_vector(v) >= 0)
		vm_request_event(v);
}

void vlapic_eoi(struct vcpu *v)
{
	struct vlapic *a = &v->arch.vlapic;
	uint8_t vector;

	if (!a->nr_in_service)
		return;
	vector = a->in_service[--a->nr_in_service];
	if (unlikely(READ_ONCE(a->tmr[vector / 64]) & BIT64(vector % 64)))
		vioapic_eoi(v->domain, vector);
	vlapic_look_again(v);
}

void vlapic_set_tpr(struct vcpu *v, uint8_t tpr)
{
	v->arch.vlapic.tpr = tpr;
	vlapic_look_again(v);
}

void vlapic_take_nmi(struct vcpu *v)
{
	__atomic_fetch_and(&v->arch.vlapic.attention, ~VLAPIC_ATT_NMI, __ATOMIC_SEQ_CST);
}

/* Reset. */

uint32_t vlapic_x2apic_ldr(const struct vlapic *a)
{
	return a->id >> 4 << 16 | 1u << (a->id & 0xf);
}

void vlapic_reset_registers(struct vlapic *a)
{
	vlapic_timer_reset(a);
	a->tpr = 0;
	a->nr_in_service = 0;
	for (unsigned i = 0; i < ARRAY_SIZE(a->irr); i++) {
		__atomic_store_n(&a->irr[i], 0, __ATOMIC_SEQ_CST);
		__atomic_store_n(&a->tmr[i], 0, __ATOMIC_SEQ_CST);
	}
	for (unsigned i = 0; i < VLAPIC_NR_LVT; i++)
		WRITE_ONCE(a->lvt[i], LVT_MASKED);
	WRITE_ONCE(a->ldr, vlapic_is_x2apic(a) ? vlapic_x2apic_ldr(a) : 0);
	WRITE_ONCE(a->dfr, UINT32_MAX);
	a->spiv = 0xff;
	a->esr = 0;
	a->esr_events = 0;
	a->icr = 0;
	vlapic_update_enabled(a);
}

void vlapic_init(struct vcpu *v, uint32_t apic_id)
{
	struct vlapic *a = &v->arch.vlapic;

	vlapic_timer_init(a);
	a->id = apic_id;
	a->base_msr = VLAPIC_BASE | BASE_ENABLED | BASE_X2APIC | (v->id ? 0 : BASE_BSP);
	a->wait_for_sipi = v->id != 0;
	a->attention = 0;
	vlapic_reset_registers(a);
}

void vlapic_set_started(struct vcpu *v)
{
	WRITE_ONCE(v->arch.vlapic.wait_for_sipi, false);
}

bool vlapic_do_reset(struct vcpu *v)
{
	struct vlapic *a = &v->arch.vlapic;
	uint32_t seen;

	for (;;) {
		seen = __atomic_fetch_and(&a->attention, ~VLAPIC_ATT_RESET, __ATOMIC_SEQ_CST);
		if (seen & VLAPIC_ATT_INIT) {
			__atomic_fetch_and(&a->attention, ~VLAPIC_ATT_NMI, __ATOMIC_SEQ_CST);
			vlapic_reset_registers(a);
			WRITE_ONCE(a->wait_for_sipi, true);
		}
		if ((seen & VLAPIC_ATT_SIPI) && a->wait_for_sipi) {
			WRITE_ONCE(a->wait_for_sipi, false);
			vcpu_reset_to_sipi(v, READ_ONCE(a->sipi_vector));
			/* INIT has cleared IRR, but not the guest's record of the upcall: without
			 * this, no further event would post it again. */
			if (vcpu_upcall_pending(v))
				arch_vcpu_upcall(v);
		}
		if (!a->wait_for_sipi)
			return true;
		/* A SIPI that comes before the block finds nothing to unblock: look once more after
		 * it. Pairs with the signal before vcpu_unblock() in post_sipi(). */
		vcpu_block(v, VCPU_DOWN);
		if (!(__atomic_load_n(&a->attention, __ATOMIC_SEQ_CST) & VLAPIC_ATT_SIPI))
			return false;
		vcpu_unblock(v, VCPU_DOWN);
	}
}

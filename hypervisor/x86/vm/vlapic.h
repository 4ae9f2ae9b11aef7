/*
 * The virtual local APIC of a vCPU: xAPIC page and x2APIC MSRs, interprocessor interrupts, timer.
 * State is struct vlapic in arch-types.h. Only the vCPU itself works on its registers; everybody
 * else posts: IRR bits, and attention bits for NMI, INIT and SIPI. Whoever posts sets VM_WORK_EVENT; so
 * does what makes a vector deliverable that was not (EOI, a lower task priority). There is no lock but
 * the timer's.
 *
 * What the entry path does on VM_WORK_EVENT, in this order:
 *	if (vlapic_attention(v) & VLAPIC_ATT_RESET) and !vlapic_do_reset(v): do not enter;
 *	if (… & VLAPIC_ATT_NMI) and the guest takes NMIs: vlapic_take_nmi(v), inject;
 *	vector = vlapic_pending_vector(v); if (vector >= 0): if the guest takes interrupts
 *	vlapic_accept(v, vector) and inject it, else ask for an exit when it does.
 */
#ifndef LODGE_X86_VM_VLAPIC_H
#define LODGE_X86_VM_VLAPIC_H

#include "arch-inline.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"

#define VLAPIC_BASE 0xfee00000u /* where the page is; guests cannot move it */

#define VLAPIC_ATT_NMI   0x1u /* bits of vlapic.attention */
#define VLAPIC_ATT_INIT  0x2u
#define VLAPIC_ATT_SIPI  0x4u
#define VLAPIC_ATT_RESET (VLAPIC_ATT_INIT | VLAPIC_ATT_SIPI)

struct mmio_ops;

/* An interrupt message, as an IO-APIC entry, an MSI or an ICR write describes it. */
struct vlapic_msg {
	uint32_t dest;  /* APIC id or logical mask */
	uint8_t vector; /* ignored for NMI and INIT */
	uint8_t mode;   /* VLAPIC_MODE_* */
	bool logical;   /* dest is a mask of logical ids */
	bool level;     /* EOI is to be broadcast to the IO-APICs */
	bool wide_dest; /* dest has 32 bits (x2APIC ICR), else 8 and 0xff means all */
};

#define VLAPIC_MODE_FIXED  0u
#define VLAPIC_MODE_LOWEST 1u
#define VLAPIC_MODE_SMI    2u
#define VLAPIC_MODE_NMI    4u
#define VLAPIC_MODE_INIT   5u
#define VLAPIC_MODE_SIPI   6u
#define VLAPIC_MODE_EXTINT 7u

/* The state at the start of a domain: x2APIC mode, id as given; all but vCPU 0 wait for a SIPI. */
void vlapic_init(struct vcpu *v, uint32_t apic_id);
void vlapic_fini(struct vcpu *v);
/* v runs on this CPU from now on: takes its timer along. */
void vlapic_migrate(struct vcpu *v);

/* Posts a vector, software-disabled or not, and kicks v if the vector is new. Any context. */
void vlapic_set_irq(struct vcpu *v, uint8_t vector, bool level);
void vlapic_set_nmi(struct vcpu *v);

/* Sends a message within d. Returns a vCPU that got it, NULL when nobody did. Any context. */
struct vcpu *vlapic_deliver(struct domain *d, const struct vlapic_msg *msg);
/* The vCPU that would get it when there is exactly one; NULL otherwise. */
struct vcpu *vlapic_find_target(struct domain *d, const struct vlapic_msg *msg);

int vlapic_highest_deliverable(const struct vcpu *v);

/* The highest vector that TPR and what is in service let through; -1: none. */
static inline int vlapic_pending_vector(const struct vcpu *v)
{
	const uint64_t *irr = v->arch.vlapic.irr;

	if (likely(!(READ_ONCE(irr[0]) | READ_ONCE(irr[1]) | READ_ONCE(irr[2]) |
		     READ_ONCE(irr[3]))))
		return -1;
	return vlapic_highest_deliverable(v);
}

static inline uint32_t vlapic_attention(const struct vcpu *v)
{
	return READ_ONCE(v->arch.vlapic.attention);
}

/* True when HLT must end: an interrupt that the APIC would deliver, an NMI, an INIT or a SIPI. */
static inline bool vlapic_has_work(const struct vcpu *v)
{
	return vlapic_attention(v) || vlapic_pending_vector(v) >= 0;
}

/* From requested to in service; vector is what vlapic_pending_vector() returned just now. */
void vlapic_accept(struct vcpu *v, uint8_t vector);
/* Takes the pending NMI: the caller injects it. */
void vlapic_take_nmi(struct vcpu *v);
/* Acts on INIT and SIPI. False when v waits for a SIPI now: it is blocked and must not be entered. */
must_check bool vlapic_do_reset(struct vcpu *v);
/* v was started by other means than a SIPI (VCPUOP_initialise). */
void vlapic_set_started(struct vcpu *v);

/* End of interrupt: the highest vector in service is done; nothing in service is no error. */
void vlapic_eoi(struct vcpu *v);

/* CR8 and the task priority register are one: bits 7:4 and 3:0 of TPR. */
static inline uint8_t vlapic_get_tpr(const struct vcpu *v)
{
	return v->arch.vlapic.tpr;
}

void vlapic_set_tpr(struct vcpu *v, uint8_t tpr);

/* MSR 0x1b, 0x6e0 and 0x800 … 0x8ff. -EINVAL: the access takes #GP(0). */
must_check int vlapic_msr_read(struct vcpu *v, uint32_t msr, uint64_t *ret_value);
must_check int vlapic_msr_write(struct vcpu *v, uint32_t msr, uint64_t value);

/* The xAPIC page, for mmio_register(d, VLAPIC_BASE, PAGE_SIZE, &vlapic_mmio_ops, NULL). In x2APIC
 * mode and when disabled, it reads all ones and ignores writes. */
extern const struct mmio_ops vlapic_mmio_ops;

#endif

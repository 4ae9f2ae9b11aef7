/*
 * The registers of the virtual local APIC. Both faces of it, the xAPIC page and the x2APIC MSRs, lead
 * to the same ones, numbered as in x2APIC: offset in the page / 16.
 */
#include "x86/vm/vlapic-internal.h"

#include "abi/errno.h"
#include "lodge/arch.h"
#include "x86/cpu.h"
#include "x86/vm/vm.h"

/* Register numbers. */
enum {
	REG_ID = 0x02,
	REG_VERSION = 0x03,
	REG_TPR = 0x08,
	REG_APR = 0x09,
	REG_PPR = 0x0a,
	REG_EOI = 0x0b,
	REG_RRD = 0x0c,
	REG_LDR = 0x0d,
	REG_DFR = 0x0e,
	REG_SPIV = 0x0f,
	REG_ISR = 0x10,
	REG_TMR = 0x18,
	REG_IRR = 0x20,
	REG_ESR = 0x28,
	REG_ICR = 0x30,
	REG_ICR_HIGH = 0x31,
	REG_LVT = 0x32, /* timer, thermal, performance, LINT0, LINT1, error */
	REG_TIMER_INITIAL = 0x38,
	REG_TIMER_CURRENT = 0x39,
	REG_TIMER_DIVIDE = 0x3e,
	REG_SELF_IPI = 0x3f,
	REG_NR = 0x40,
};

#define VERSION_VALUE ((VLAPIC_NR_LVT - 1) << 16 | 0x14u)

/* What can be written in each LVT entry: vector and mask; delivery mode; polarity and trigger. */
static const uint32_t lvt_writable[VLAPIC_NR_LVT] = {
	[LVT_TIMER] = 0x700ff, [LVT_THERMAL] = 0x107ff, [LVT_PERFORMANCE] = 0x107ff,
	[LVT_LINT0] = 0x1a7ff, [LVT_LINT1] = 0x1a7ff,   [LVT_ERROR] = 0x100ff,
};

#define ICR_X2APIC_BITS 0xffffffff000ccfffull
#define ICR_XAPIC_LOW   0x000ccfffu
#define ICR_XAPIC_HIGH  0xff000000u

static uint32_t read_in_service(const struct vlapic *a, unsigned word)
{
	uint32_t bits = 0;

	for (unsigned i = 0; i < a->nr_in_service; i++)
		if (a->in_service[i] / 32 == word)
			bits |= 1u << (a->in_service[i] % 32);
	return bits;
}

static uint32_t half_word(const uint64_t *bits, unsigned word)
{
	return (uint32_t)(READ_ONCE(bits[word / 2]) >> (word % 2 * 32));
}

/* Without the upcall: Linux takes what it finds here when it sets the APIC up for a leftover, and polls
 * long for it to go away, with interrupts off. */
static uint32_t read_requested(const struct vlapic *a, unsigned word)
{
	const struct vcpu *v = container_of(a, const struct vcpu, arch.vlapic);
	uint32_t bits = half_word(a->irr, word);

	if (v->arch.upcall_vector / 32 == word)
		bits &= ~(1u << (v->arch.upcall_vector % 32));
	return bits;
}

/* The registers that both faces show alike; false: there is no such register. */
static bool read_common(struct vlapic *a, unsigned reg, uint32_t *ret_value)
{
	uint32_t value = 0;

	switch (reg) {
	case REG_VERSION:
		value = VERSION_VALUE;
		break;
	case REG_TPR:
		value = a->tpr;
		break;
	case REG_PPR:
		value = vlapic_ppr(a);
		break;
	case REG_LDR:
		value = a->ldr;
		break;
	case REG_SPIV:
		value = a->spiv;
		break;
	case REG_ISR ... REG_ISR + 7:
		value = read_in_service(a, reg - REG_ISR);
		break;
	case REG_TMR ... REG_TMR + 7:
		value = half_word(a->tmr, reg - REG_TMR);
		break;
	case REG_IRR ... REG_IRR + 7:
		value = read_requested(a, reg - REG_IRR);
		break;
	case REG_ESR:
		value = a->esr;
		break;
	case REG_LVT ... REG_LVT + VLAPIC_NR_LVT - 1:
		value = a->lvt[reg - REG_LVT];
		break;
	case REG_TIMER_INITIAL:
		value = a->timer.initial_count;
		break;
	case REG_TIMER_CURRENT:
		value = vlapic_timer_count(a);
		break;
	case REG_TIMER_DIVIDE:
		value = a->timer.divide_config;
		break;
	default:
		return false;
	}
	*ret_value = value;
	return true;
}

static void write_spiv(struct vcpu *v, uint32_t value)
{
	struct vlapic *a = &v->arch.vlapic;

	a->spiv = value & 0x3ff;
	vlapic_update_enabled(a);
	if (!(value & SPIV_ENABLED))
		for (unsigned i = 0; i < VLAPIC_NR_LVT; i++)
			WRITE_ONCE(a->lvt[i], a->lvt[i] | LVT_MASKED);
	/* An upcall that was raised before an INIT went with it, and no other follows while the guest's
	 * pending flag is set: Linux registers both for a CPU before it starts it. */
	else if (vcpu_upcall_pending(v))
		arch_vcpu_upcall(v);
	vlapic_look_again(v);
}

static void write_lvt(struct vlapic *a, unsigned i, uint32_t value)
{
	value &= lvt_writable[i];
	if (!(a->spiv & SPIV_ENABLED))
		value |= LVT_MASKED;
	if (i == LVT_TIMER)
		vlapic_timer_set_lvt(a, value);
	else
		WRITE_ONCE(a->lvt[i], value);
}

/* As read_common(). The bits that may be written are the caller's business where the faces differ. */
static bool write_common(struct vcpu *v, unsigned reg, uint32_t value)
{
	struct vlapic *a = &v->arch.vlapic;

	switch (reg) {
	case REG_TPR:
		vlapic_set_tpr(v, (uint8_t)value);
		break;
	case REG_EOI:
		vlapic_eoi(v);
		break;
	case REG_SPIV:
		write_spiv(v, value);
		break;
	case REG_ESR:
		a->esr = __atomic_exchange_n(&a->esr_events, 0, __ATOMIC_RELAXED);
		break;
	case REG_LVT ... REG_LVT + VLAPIC_NR_LVT - 1:
		write_lvt(a, reg - REG_LVT, value);
		break;
	case REG_TIMER_INITIAL:
		if (vlapic_timer_mode(a) == LVT_TIMER_TSC_DEADLINE)
			break;
		vlapic_timer_start(a, value);
		break;
	case REG_TIMER_DIVIDE:
		vlapic_timer_set_divide(a, value);
		break;
	default:
		return false;
	}
	return true;
}

/* x2APIC: MSRs. */

/* Bits that must be zero in a write, by register; all of them where nothing may be written. */
static uint64_t x2apic_reserved(unsigned reg)
{
	switch (reg) {
	case REG_TPR:
		return ~0xffull;
	case REG_ESR:
		return ~0ull;
	case REG_SPIV:
		return ~0x3ffull;
	case REG_LVT ... REG_LVT + VLAPIC_NR_LVT - 1:
		/* Delivery status and remote IRR are read-only, not reserved. */
		return ~(uint64_t)(lvt_writable[reg - REG_LVT] | 0x5000);
	case REG_TIMER_DIVIDE:
		return ~0xbull;
	default:
		return ~0xffffffffull;
	}
}

static int x2apic_read(struct vlapic *a, unsigned reg, uint64_t *ret_value)
{
	uint32_t value;

	switch (reg) {
	case REG_ID:
		*ret_value = a->id;
		return 0;
	case REG_ICR:
		*ret_value = a->icr;
		return 0;
	default:
		if (!read_common(a, reg, &value))
			return -XEN_EINVAL;
		*ret_value = value;
		return 0;
	}
}

static int x2apic_write(struct vcpu *v, unsigned reg, uint64_t value)
{
	struct vlapic *a = &v->arch.vlapic;

	switch (reg) {
	case REG_ICR:
		if (value & ~ICR_X2APIC_BITS)
			return -XEN_EINVAL;
		a->icr = value;
		vlapic_send_ipi(v, value);
		return 0;
	case REG_SELF_IPI:
		if (value & ~0xffull)
			return -XEN_EINVAL;
		if (value < FIRST_LEGAL_VECTOR)
			vlapic_post_error(v, ESR_SEND_VECTOR);
		else
			vlapic_self_ipi(v, (uint8_t)value);
		return 0;
	default:
		if (value & x2apic_reserved(reg))
			return -XEN_EINVAL;
		return write_common(v, reg, (uint32_t)value) ? 0 : -XEN_EINVAL;
	}
}

/* Off and x2APIC are reached from xAPIC; x2APIC is left only to off (APM 2, 16.9; SDM 3, 11.12.5). */
static int write_base(struct vcpu *v, uint64_t value)
{
	struct vlapic *a = &v->arch.vlapic;
	uint64_t modes = BASE_ENABLED | BASE_X2APIC;
	uint64_t from = a->base_msr & modes, to = value & modes;

	if ((value & ~(modes | BASE_BSP)) != VLAPIC_BASE || to == BASE_X2APIC)
		return -XEN_EINVAL;
	if ((from == modes && to == BASE_ENABLED) || (!from && to == modes))
		return -XEN_EINVAL;
	if (from == to)
		return 0;
	a->base_msr = VLAPIC_BASE | to | (a->base_msr & BASE_BSP);
	if (!to || !from) {
		vlapic_reset_registers(a);
		return 0;
	}
	a->icr &= 0xffffffff;
	WRITE_ONCE(a->ldr, vlapic_x2apic_ldr(a));
	return 0;
}

int vlapic_msr_read(struct vcpu *v, uint32_t msr, uint64_t *ret_value)
{
	struct vlapic *a = &v->arch.vlapic;

	if (msr == MSR_APIC_BASE) {
		*ret_value = a->base_msr;
		return 0;
	}
	if (msr == MSR_TSC_DEADLINE) {
		*ret_value = READ_ONCE(a->timer.tsc_deadline);
		return 0;
	}
	if (!vlapic_is_x2apic(a) || msr < MSR_X2APIC || msr >= MSR_X2APIC + REG_NR)
		return -XEN_EINVAL;
	return x2apic_read(a, msr - MSR_X2APIC, ret_value);
}

int vlapic_msr_write(struct vcpu *v, uint32_t msr, uint64_t value)
{
	/* First, because each upcall ends with one. */
	if (likely(msr == MSR_X2APIC + REG_EOI) && vlapic_is_x2apic(&v->arch.vlapic)) {
		if (value)
			return -XEN_EINVAL;
		vlapic_eoi(v);
		return 0;
	}
	if (msr == MSR_APIC_BASE)
		return write_base(v, value);
	if (msr == MSR_TSC_DEADLINE) {
		vlapic_timer_set_deadline(v, value);
		return 0;
	}
	if (!vlapic_is_x2apic(&v->arch.vlapic) || msr < MSR_X2APIC || msr >= MSR_X2APIC + REG_NR)
		return -XEN_EINVAL;
	return x2apic_write(v, msr - MSR_X2APIC, value);
}

/* xAPIC: the page. */

static bool page_is_on(const struct vlapic *a)
{
	return (a->base_msr & (BASE_ENABLED | BASE_X2APIC)) == BASE_ENABLED;
}

static bool xapic_read(struct vlapic *a, unsigned reg, uint32_t *ret_value)
{
	switch (reg) {
	case REG_ID:
		*ret_value = a->id << 24;
		return true;
	case REG_APR:
	case REG_RRD:
	case REG_EOI:
		*ret_value = 0;
		return true;
	case REG_DFR:
		*ret_value = a->dfr;
		return true;
	case REG_ICR:
		*ret_value = (uint32_t)a->icr;
		return true;
	case REG_ICR_HIGH:
		*ret_value = (uint32_t)(a->icr >> 32);
		return true;
	default:
		return read_common(a, reg, ret_value);
	}
}

static bool xapic_write(struct vcpu *v, unsigned reg, uint32_t value)
{
	struct vlapic *a = &v->arch.vlapic;

	switch (reg) {
	case REG_ID: /* read-only here, as in recent CPUs: firmware and the MADT have told it */
	case REG_RRD:
		return true;
	case REG_LDR:
		WRITE_ONCE(a->ldr, value & 0xff000000);
		return true;
	case REG_DFR:
		WRITE_ONCE(a->dfr, value | 0x0fffffff);
		return true;
	case REG_ICR:
		a->icr = (a->icr & ~0xffffffffull) | (value & ICR_XAPIC_LOW);
		vlapic_send_ipi(v, a->icr);
		return true;
	case REG_ICR_HIGH:
		a->icr = (a->icr & 0xffffffff) | (uint64_t)(value & ICR_XAPIC_HIGH) << 32;
		return true;
	default:
		return write_common(v, reg, value);
	}
}

/* Registers are 32 bits wide at multiples of 16. Narrower reads inside of one work, as in hardware;
 * everything else is an illegal register access. */
static uint64_t mmio_read(struct vcpu *v, void *ctx, uint64_t offset, unsigned size)
{
	struct vlapic *a = &v->arch.vlapic;
	unsigned byte = offset % 16;
	uint32_t value;

	(void)ctx;
	if (!page_is_on(a))
		return UINT64_MAX;
	if (byte + size > 4 || offset / 16 >= REG_NR ||
	    !xapic_read(a, (unsigned)(offset / 16), &value)) {
		vlapic_post_error(v, ESR_REGISTER);
		return 0;
	}
	return value >> (byte * 8);
}

static void mmio_write(struct vcpu *v, void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)ctx;
	if (!page_is_on(&v->arch.vlapic))
		return;
	if (offset % 16 || size != 4 || offset / 16 >= REG_NR ||
	    !xapic_write(v, (unsigned)(offset / 16), (uint32_t)value))
		vlapic_post_error(v, ESR_REGISTER);
}

const struct mmio_ops vlapic_mmio_ops = { mmio_read, mmio_write };

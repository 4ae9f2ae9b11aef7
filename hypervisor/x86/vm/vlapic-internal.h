/* What the three files of the virtual local APIC share: vlapic.c (posting, delivery, reset),
 * vlapic-regs.c (registers), vlapic-timer.c. Nobody else includes it. */
#ifndef LODGE_X86_VM_VLAPIC_INTERNAL_H
#define LODGE_X86_VM_VLAPIC_INTERNAL_H

#include "x86/vm/vlapic.h"

enum { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR };

#define BASE_BSP     (1ull << 8)
#define BASE_X2APIC  (1ull << 10)
#define BASE_ENABLED (1ull << 11)

#define SPIV_ENABLED (1u << 8)

#define LVT_MASKED             (1u << 16)
#define LVT_TIMER_MODE         (3u << 17)
#define LVT_TIMER_PERIODIC     (1u << 17)
#define LVT_TIMER_TSC_DEADLINE (2u << 17)

#define ESR_SEND_VECTOR    (1u << 5)
#define ESR_RECEIVE_VECTOR (1u << 6)
#define ESR_REGISTER       (1u << 7)

#define FIRST_LEGAL_VECTOR 16u

static inline bool vlapic_is_x2apic(const struct vlapic *a)
{
	return a->base_msr & BASE_X2APIC;
}

static inline void vlapic_update_enabled(struct vlapic *a)
{
	a->enabled = (a->base_msr & BASE_ENABLED) && (a->spiv & SPIV_ENABLED);
}

static inline uint32_t vlapic_timer_mode(const struct vlapic *a)
{
	return a->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* vlapic.c */
void vlapic_post_error(struct vcpu *v, uint32_t esr_bit);
void vlapic_send_ipi(struct vcpu *v, uint64_t icr); /* as written, in the current mode's format */
void vlapic_self_ipi(struct vcpu *v, uint8_t vector);
uint8_t vlapic_ppr(const struct vlapic *a);
void vlapic_look_again(struct vcpu *v); /* something in IRR may have become deliverable */
uint32_t vlapic_x2apic_ldr(const struct vlapic *a);
void vlapic_reset_registers(struct vlapic *a); /* as after INIT; APIC_BASE and the id stay */

/* vlapic-timer.c */
void vlapic_timer_init(struct vlapic *a);
void vlapic_timer_reset(struct vlapic *a);
void vlapic_timer_start(struct vlapic *a, uint32_t initial_count);
void vlapic_timer_set_deadline(struct vcpu *v, uint64_t tsc);
void vlapic_timer_set_divide(struct vlapic *a, uint32_t config);
void vlapic_timer_set_lvt(struct vlapic *a, uint32_t value);
uint32_t vlapic_timer_count(struct vlapic *a);

#endif

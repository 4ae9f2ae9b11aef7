/* All that core asks of the machine, listed once. tests/unit/fake-arch.c implements the same list.
 * The parts that must be inline (direct map, this_cpu, barriers) are in arch-inline.h. */
#ifndef LODGE_ARCH_H
#define LODGE_ARCH_H

#include "arch-inline.h"
#include "lodge/types.h"

struct cpu;
struct domain;
struct lodge_cpu_info;
struct lodge_cpuid_change;
struct lodge_cpuid_features;
struct lodge_host_info;
struct lodge_registers;
struct p2m_entry;
struct vcpu;
struct vcpu_time_info;

/* Time and CPUs. */
uint64_t arch_now_ns(void);        /* system time: since boot, same on all CPUs, never goes back */
uint64_t arch_wall_clock_ns(void); /* UTC at system time 0 */
/* This CPU's timer interrupt; in the past: at once; TIME_NEVER: off. Never early: it would find nothing
 * to do and be programmed again. */
void arch_timer_program(uint64_t deadline_ns);
void arch_cpu_kick(struct cpu *c); /* interrupts c if it idles or runs a guest */

/* Domains and vCPUs. *_fini accept what *_init left half-done. */
must_check int arch_domain_init(struct domain *d);
void arch_domain_fini(struct domain *d);
must_check int arch_vcpu_init(struct vcpu *v);
void arch_vcpu_fini(struct vcpu *v);
/* What d's CPUs can do, from the most there is: replaces earlier changes. d has not run yet. -EINVAL, -EOPNOTSUPP
 * as LODGE_CONTROL_set_cpuid has them, -ENOMEM; nothing has changed then. */
must_check int arch_domain_set_cpuid(struct domain *d, const struct lodge_cpuid_change *changes,
				     uint32_t nr);
/* d's CPUs have a time stamp counter of that frequency; 0: the machine's. d has not run yet. */
void arch_domain_set_tsc(struct domain *d, uint64_t hz);
/* What a domain without changes has, by the number of the leaf, into zeroed memory; false: no more. */
bool arch_cpuid_features(uint32_t number, struct lodge_cpuid_features *ret_features);
/* Saves prev's state, so that any CPU may load it once this has returned, and loads next's; either may be
 * NULL (idle). */
void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next);
/* upcall_pending went from 0 to 1: have v's upcall injected, the way the guest chose. */
void arch_vcpu_upcall(struct vcpu *v);
/* An interrupt or an upcall is deliverable now: v should not sleep in HLT. */
bool arch_vcpu_has_interrupt(struct vcpu *v);
/* Fills system_time, tsc_timestamp, scale and flags (not version). */
void arch_vcpu_time(struct vcpu *v, struct vcpu_time_info *ret_time);
/* HVMOP_set_evtchn_upcall_vector and HVM_PARAM_CALLBACK_IRQ. -EINVAL for what cannot be. */
must_check int arch_vcpu_set_upcall_vector(struct vcpu *v, uint8_t vector);
must_check int arch_domain_set_callback(struct domain *d, uint64_t via);
/* VCPUOP_initialise: start state from guest memory (struct vcpu_hvm_context). v is down and paused; the
 * domain's lock is held, so that no other caller sets the same state. */
must_check int arch_vcpu_initialise(struct vcpu *v, guest_ptr_t context);
must_check int arch_vcpu_send_nmi(struct vcpu *v);
/* For looking at a vCPU that runs nowhere and is kept from running. translate: -ENOENT where its page
 * tables, read through the physmap, show nothing. */
void arch_vcpu_registers(struct vcpu *v, struct lodge_registers *ret_regs);
must_check int arch_vcpu_translate(struct vcpu *v, uint64_t linear, gpa_t *ret_gpa);
const char *arch_exit_name(unsigned kind); /* of vcpu.nr_exits[]; NULL: no such kind */

/* Physmap tables. Called with p2m.lock held. */
must_check int arch_p2m_init(struct domain *d); /* sets d->p2m.max_gfn */
/* Returns -EAGAIN when preempted (call again), 0 when done; accepts what init left. */
must_check int arch_p2m_fini(struct domain *d);
/* Writes one leaf of e->order (P2M_HOLE clears it), splitting a larger one and making tables as
 * needed, counted in d->p2m.nr_table_pages. Nothing is mapped in a block that becomes a leaf. Does not
 * flush. -ENOMEM without memory or beyond d->p2m.max_table_pages; nothing has changed then. Clearing a
 * whole leaf cannot fail. */
must_check int arch_p2m_set(struct domain *d, gfn_t gfn, const struct p2m_entry *e);
/* kind is P2M_HOLE or a first guess: P2M_GRANT for a grant mapping, else P2M_RAM; p2m.c refines it.
 * For a hole, order says how large the hole's table slot is. */
void arch_p2m_get(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e);
/* The machine frame at gfn, below d->p2m.max_gfn; MFN_NONE for a hole, a grant mapping, or what may not be written
 * and is to be. Whose it is the page's record tells. */
mfn_t arch_p2m_frame(const struct domain *d, gfn_t gfn, bool for_write);
/* The first frame from gfn on, below d->p2m.max_gfn, that may be mapped, or where looking further would take
 * another table. */
uint64_t arch_p2m_next(struct domain *d, uint64_t gfn);
/* Returns when no vCPU of d can use translations that were removed before the call. */
void arch_p2m_flush(struct domain *d);

/* The machine. */
_Noreturn void arch_machine_restart(void);
_Noreturn void arch_machine_power_off(void);
void arch_serial_write(const char *text, size_t bytes);
/* Fill in what only the machine part knows: model and speed; node and APIC id. */
void arch_host_info(struct lodge_host_info *info);
void arch_cpu_info(const struct cpu *c, struct lodge_cpu_info *info);
/* Privileged operations that are the machine's business: -ENOSYS where it has none. */
struct hypercall_args;
int64_t arch_physdev_op(struct vcpu *v, struct hypercall_args *a);
int64_t arch_platform_op(struct vcpu *v, struct hypercall_args *a);

#endif

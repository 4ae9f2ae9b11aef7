/* The virtual machine as both vendors share it: start states, faults, emulated ports and pages, and
 * the loop that runs vCPUs. */
#ifndef LODGE_X86_VM_H
#define LODGE_X86_VM_H

#include "lodge/domain.h"
#include "lodge/vcpu.h"
#include "x86/vm/cpuid-policy.h"
#include "x86/vm/vm-ops.h"

/* Boot CPU: chooses vm_ops and prepares the tables that all CPUs share. Stops the boot with one line
 * where the CPU cannot do what Lodge needs. */
void vm_init(void);
/* On each CPU, the boot CPU included, after vm_init(). */
void vm_cpu_init(struct cpu *c);
/* Runs vCPUs, forever. */
_Noreturn void run_loop(void);

/* Whether d's CPUs have it: their registers, and legal values of these, are as their CPUID says. */
static inline bool vm_has(const struct domain *d, enum cpu_feature f)
{
	return d->arch.cpuid->word[f / 32] & (1u << (f % 32));
}

uint64_t vm_guest_tsc(const struct domain *d);

/* Bits of arch_vcpu.work. */
#define VM_WORK_EVENT 0x1u /* an interrupt, an upcall, an NMI, INIT or SIPI may be deliverable */
#define VM_WORK_FLUSH 0x2u /* translations were removed */

/* Makes v look at `work` before it runs guest code again. The caller follows up with vcpu_kick(v)
 * when v may be another CPU's. */
static inline void vm_request_work(struct vcpu *v, uint32_t work)
{
	__atomic_fetch_or(&v->arch.work, work, __ATOMIC_SEQ_CST);
}

/* An interrupt, upcall or NMI for v is recorded: have it injected. Any context. */
static inline void vm_request_event(struct vcpu *v)
{
	vm_request_work(v, VM_WORK_EVENT);
}

/* Exceptions, as numbered by the architecture. */
#define VECTOR_DE  0u
#define VECTOR_DB  1u
#define VECTOR_NMI 2u
#define VECTOR_UD  6u
#define VECTOR_DF  8u
#define VECTOR_GP  13u
#define VECTOR_PF  14u
#define VECTOR_MC  18u

/* The guest gets an exception instead of its current instruction. Do not skip the instruction. */
void inject_fault(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
void inject_page_fault(struct vcpu *v, uint64_t linear, uint32_t error); /* PF_WRITE or 0 */

#define PF_WRITE 2u
#define PF_USER  4u

static inline void inject_gp(struct vcpu *v)
{
	inject_fault(v, VECTOR_GP, true, 0);
}

/* Acts on an exit; fills in x->insn_len where the CPU does not tell. */
void vcpu_handle_exit(struct vcpu *v, struct exit_info *x);

/* Before VM entry: injects what can be injected, asks for a window for the rest. */
void vcpu_deliver_events(struct vcpu *v);

/* The guest is at the IRET that ends its NMI handler: the next NMI must not come before that is done. */
void vcpu_end_of_nmi(struct vcpu *v);

/* The state in which a vCPU starts. Everything that is not named here has its value after reset. */
struct vm_start_state {
	struct vm_regs regs;
	uint64_t cr0, cr3, cr4, efer;
	struct vm_segment seg[VM_NR_SEGMENTS];
};

/* v runs nowhere, or is the current vCPU, which continues in the new state. None of these changes
 * whether v is up. */
void vcpu_reset(struct vcpu *v, const struct vm_start_state *s);
/* PVH entry: 32-bit protected mode, flat, no paging. */
void vcpu_reset_to_pvh(struct vcpu *v, uint64_t entry, uint64_t start_info);
/* Start-up IPI: real mode at vector << 12. */
void vcpu_reset_to_sipi(struct vcpu *v, uint8_t vector);

/* Emulated devices. Handlers run with no lock held, on the vCPU's CPU. Upper bytes of what a read
 * returns are ignored. mmio: `offset` counts from the region's start, size is 1, 2, 4 or 8, and the
 * access does not cross the region's end. */
struct mmio_ops {
	uint64_t (*read)(struct vcpu *v, void *ctx, uint64_t offset, unsigned size);
	void (*write)(struct vcpu *v, void *ctx, uint64_t offset, unsigned size, uint64_t value);
};

struct port_ops { /* size is 1, 2 or 4; may reach beyond the last registered port */
	uint32_t (*read)(struct vcpu *v, void *ctx, uint16_t port, unsigned size);
	void (*write)(struct vcpu *v, void *ctx, uint16_t port, unsigned size, uint32_t value);
};

/* -EEXIST where it overlaps another, -ENOMEM. Takes LOCK_RANK_REGIONS. `ctx` must stay valid even after
 * unregistering: a handler may just be running. */
must_check int mmio_register(struct domain *d, gpa_t start, uint64_t bytes,
			     const struct mmio_ops *ops, void *ctx);
void mmio_unregister(struct domain *d, gpa_t start);
must_check int port_register(struct domain *d, uint16_t first, unsigned nr,
			     const struct port_ops *ops, void *ctx);
/* Lets the domain reach the machine's ports first … last. Registered ports stay emulated: allow
 * first, register afterwards. */
must_check int port_allow(struct domain *d, uint16_t first, uint16_t last);

#endif

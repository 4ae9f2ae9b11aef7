/*
 * The machine's part of a vCPU: what core asks of it (arch_vcpu_* of lodge/arch.h), the states it can
 * start in, and what is switched when a CPU changes from one vCPU to another.
 *
 * A vCPU that stops running is saved at once, so that any CPU may load it. Its registers stay where
 * they are all the same: if the next vCPU that this CPU runs is the same again, and it ran nowhere
 * else, nothing has to be loaded (arch_vcpu.fresh_on, arch_cpu.loaded).
 */
#include "x86/vm/vm.h"

#include "abi/errno.h"
#include "abi/hvm-vcpu.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "x86/cpu.h"
#include "x86/time.h"
#include "x86/trap.h"
#include "x86/vm/exit.h"
#include "x86/vm/fpu.h"
#include "x86/vm/vlapic.h"

#define RFLAGS_FIXED 2ull
#define RFLAGS_VALID 0x3f7fd5ull

#define CR4_LA57 (1ull << 12)

/* Attributes of segments: present, and type. */
#define ATTR_CODE16 0x09bu
#define ATTR_DATA16 0x093u
#define ATTR_CODE32 0xc9bu
#define ATTR_DATA32 0xc93u
#define ATTR_CODE64 0xa9bu
#define ATTR_TSS    0x08bu /* busy */
#define ATTR_LDT    0x082u

#define MTRR_WRITE_BACK_ENABLED 0x806u
#define MSR_MTRR_DEF_TYPE       0x2ffu

/* MONITOR, LWP and so on aside, all of CR4 that some CPU has; what the domain has not is refused. */
static uint64_t cr4_valid_bits(const struct domain *d)
{
	uint64_t valid = 0x3ff | CR4_OSFXSR | CR4_OSXMMEXCPT; /* VME … PCE */

	if (vm_has(d, CPU_UMIP))
		valid |= CR4_UMIP;
	if (vm_has(d, CPU_FSGSBASE))
		valid |= CR4_FSGSBASE;
	if (vm_has(d, CPU_PCID))
		valid |= CR4_PCIDE;
	if (vm_has(d, CPU_XSAVE))
		valid |= CR4_OSXSAVE;
	if (vm_has(d, CPU_SMEP))
		valid |= CR4_SMEP;
	if (vm_has(d, CPU_SMAP))
		valid |= CR4_SMAP;
	return valid;
}

/* Start states. */

static void set_flat_segments(struct vm_start_state *s, uint16_t code, uint16_t data)
{
	for (unsigned i = 0; i < VM_NR_SEGMENTS; i++)
		s->seg[i] = (struct vm_segment){ .attr = data, .limit = UINT32_MAX };
	s->seg[VM_CS].attr = code;
	s->seg[VM_TR] = (struct vm_segment){ .attr = ATTR_TSS, .limit = 0x67 };
	s->seg[VM_LDTR] = (struct vm_segment){ .attr = ATTR_LDT, .limit = 0xffff };
}

void vcpu_reset(struct vcpu *v, const struct vm_start_state *s)
{
	v->arch.regs = s->regs;
	v->arch.regs.rflags = (s->regs.rflags & RFLAGS_VALID) | RFLAGS_FIXED;
	v->arch.intr_shadow = false;
	v->arch.intr_window = false;
	v->arch.nmi_blocked = false;
	v->arch.nmi_step = 0;
	v->arch.spec_ctrl = 0;
	v->arch.tsc_aux = 0;
	__builtin_memset(v->arch.debug, 0, sizeof(v->arch.debug));
	fpu_reset(v);
	vm_ops->reset(v, s);
	/* Whatever is in some CPU's registers is not this. */
	v->arch.fresh_on = CPU_NONE;
	if (this_cpu()->current == v)
		arch_vcpu_switch(NULL, v);
}

void vcpu_reset_to_pvh(struct vcpu *v, uint64_t entry, uint64_t start_info)
{
	struct vm_start_state s = {
		.regs = { .rip = entry, .rbx = start_info },
		.cr0 = CR0_PE | CR0_ET,
	};

	set_flat_segments(&s, ATTR_CODE32, ATTR_DATA32);
	vcpu_reset(v, &s);
}

void vcpu_reset_to_sipi(struct vcpu *v, uint8_t vector)
{
	struct vm_start_state s = { .cr0 = CR0_ET };

	set_flat_segments(&s, ATTR_CODE16, ATTR_DATA16);
	for (unsigned i = VM_ES; i <= VM_GS; i++)
		s.seg[i].limit = 0xffff;
	s.seg[VM_CS].selector = (uint16_t)(vector << 8);
	s.seg[VM_CS].base = (uint64_t)vector << 12;
	s.seg[VM_TR].limit = 0xffff;
	vcpu_reset(v, &s);
}

/* A state in which a CPU can be: else VM entry would fail, and with it the guest. */
static bool control_registers_are_valid(const struct domain *d, const struct vm_start_state *s)
{
	uint64_t cr0_valid = CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |
			     CR0_NW | CR0_CD | CR0_PG;
	uint64_t efer_valid = EFER_SCE | EFER_LME | EFER_LMA | (vm_has(d, CPU_NX) ? EFER_NXE : 0);
	bool paged = s->cr0 & CR0_PG, lme = s->efer & EFER_LME, lma = s->efer & EFER_LMA;

	if (s->cr0 & ~cr0_valid || s->cr4 & ~cr4_valid_bits(d) || s->efer & ~efer_valid)
		return false;
	if (s->cr0 & CR0_NW && !(s->cr0 & CR0_CD))
		return false;
	if (paged && !(s->cr0 & CR0_PE))
		return false;
	if (lma != (lme && paged) || (lma && !(s->cr4 & CR4_PAE)))
		return false;
	if (s->cr4 & CR4_PCIDE && !lma)
		return false;
	return !(s->cr3 >> host_cpu.phys_bits) && !(s->regs.rflags & RFLAGS_VM);
}

static bool segment_is_valid(const struct vm_segment *s, bool is_code)
{
	bool is_present = s->attr & 0x80, is_user_type = s->attr & 0x10;
	bool has_code_type = s->attr & 0x08;

	if (s->attr & ~0xfffu || s->attr & VM_SEG_L)
		return false;
	if (!is_code && !is_present)
		return true; /* an unusable data segment */
	return is_present && is_user_type && has_code_type == is_code;
}

static int start_state_32(const struct vcpu_hvm_x86_32 *c, struct vm_start_state *ret_s)
{
	struct vm_start_state s = {
		.regs = { .rax = c->eax,
			  .rcx = c->ecx,
			  .rdx = c->edx,
			  .rbx = c->ebx,
			  .rsp = c->esp,
			  .rbp = c->ebp,
			  .rsi = c->esi,
			  .rdi = c->edi,
			  .rip = c->eip,
			  .rflags = c->eflags },
		.cr0 = c->cr0,
		.cr3 = c->cr3,
		.cr4 = c->cr4,
		.efer = c->efer,
	};

	if (c->pad1 || c->pad2[0] || c->pad2[1] || c->pad2[2])
		return -XEN_EINVAL;
	set_flat_segments(&s, ATTR_CODE32, ATTR_DATA32);
	s.seg[VM_CS] = (struct vm_segment){ 0, c->cs_ar, c->cs_limit, c->cs_base };
	s.seg[VM_DS] = (struct vm_segment){ 0, c->ds_ar, c->ds_limit, c->ds_base };
	s.seg[VM_SS] = (struct vm_segment){ 0, c->ss_ar, c->ss_limit, c->ss_base };
	s.seg[VM_ES] = (struct vm_segment){ 0, c->es_ar, c->es_limit, c->es_base };
	s.seg[VM_TR] = (struct vm_segment){ 0, c->tr_ar, c->tr_limit, c->tr_base };
	if (!segment_is_valid(&s.seg[VM_CS], true) || !segment_is_valid(&s.seg[VM_DS], false) ||
	    !segment_is_valid(&s.seg[VM_SS], false) || !segment_is_valid(&s.seg[VM_ES], false))
		return -XEN_EINVAL;
	if ((c->tr_ar & 0x9f) != ATTR_TSS && (c->tr_ar & 0x9f) != 0x83)
		return -XEN_EINVAL;
	/* Code starts at privilege 0, and long mode with 32-bit code is compatibility mode. */
	if (c->cs_ar & 0x60 || c->ss_ar & 0x60)
		return -XEN_EINVAL;
	*ret_s = s;
	return 0;
}

static int start_state_64(const struct vcpu_hvm_x86_64 *c, struct vm_start_state *ret_s)
{
	struct vm_start_state s = {
		.regs = { .rax = c->rax,
			  .rcx = c->rcx,
			  .rdx = c->rdx,
			  .rbx = c->rbx,
			  .rsp = c->rsp,
			  .rbp = c->rbp,
			  .rsi = c->rsi,
			  .rdi = c->rdi,
			  .rip = c->rip,
			  .rflags = c->rflags },
		.cr0 = c->cr0,
		.cr3 = c->cr3,
		.cr4 = c->cr4,
		.efer = c->efer,
	};

	if (!(c->efer & EFER_LMA) || (uint64_t)((int64_t)(c->rip << 16) >> 16) != c->rip)
		return -XEN_EINVAL;
	set_flat_segments(&s, ATTR_CODE64, ATTR_DATA32);
	*ret_s = s;
	return 0;
}

int arch_vcpu_initialise(struct vcpu *v, guest_ptr_t context)
{
	struct vcpu_hvm_context c;
	struct vm_start_state s;
	int err = copy_from_guest(this_cpu()->current, &c, context, sizeof(c));

	if (err)
		return err;
	if (c.pad)
		return -XEN_EINVAL;
	if (c.mode == VCPU_HVM_MODE_32B)
		err = start_state_32(&c.cpu_regs.x86_32, &s);
	else if (c.mode == VCPU_HVM_MODE_64B)
		err = start_state_64(&c.cpu_regs.x86_64, &s);
	else
		err = -XEN_EINVAL;
	if (err)
		return err;
	s.cr0 |= CR0_ET;
	if (!control_registers_are_valid(v->domain, &s))
		return -XEN_EINVAL;
	vcpu_reset(v, &s);
	vlapic_set_started(v);
	return 0;
}

/* Life. */

int arch_vcpu_init(struct vcpu *v)
{
	int err;

	v->arch.fresh_on = CPU_NONE;
	v->arch.mtrr_def_type = MTRR_WRITE_BACK_ENABLED;
	if (v->domain->privileged && rdmsr_safe(MSR_MTRR_DEF_TYPE, &v->arch.mtrr_def_type))
		v->arch.mtrr_def_type = MTRR_WRITE_BACK_ENABLED;
	vlapic_init(v, v->id);
	err = fpu_vcpu_init(v);
	if (!err)
		err = vm_ops->vcpu_init(v);
	if (err)
		return err; /* the caller calls arch_vcpu_fini() */
	vm_ops->set_tsc_offset(v, v->domain->arch.tsc_offset);
	vcpu_reset_to_sipi(v, 0);
	return 0;
}

void arch_vcpu_fini(struct vcpu *v)
{
	/* Its domain no longer lists v. Pairs with arch_p2m_flush(), which counts itself before it reads
	 * the list: one of the two sees the other. */
	smp_mb();
	while (__atomic_load_n(&v->domain->arch.nr_flushing, __ATOMIC_ACQUIRE))
		cpu_relax();
	vlapic_fini(v);
	vm_ops->vcpu_fini(v);
	fpu_vcpu_fini(v);
}

/* Switching. */

static void save_debug_regs(struct vcpu *v)
{
	__asm__ volatile("mov %%dr0, %0" : "=r"(v->arch.debug[0]));
	__asm__ volatile("mov %%dr1, %0" : "=r"(v->arch.debug[1]));
	__asm__ volatile("mov %%dr2, %0" : "=r"(v->arch.debug[2]));
	__asm__ volatile("mov %%dr3, %0" : "=r"(v->arch.debug[3]));
}

void vcpu_load_debug_regs(const struct vcpu *v)
{
	__asm__ volatile("mov %0, %%dr0" : : "r"(v->arch.debug[0]));
	__asm__ volatile("mov %0, %%dr1" : : "r"(v->arch.debug[1]));
	__asm__ volatile("mov %0, %%dr2" : : "r"(v->arch.debug[2]));
	__asm__ volatile("mov %0, %%dr3" : : "r"(v->arch.debug[3]));
}

static void save(struct vcpu *v)
{
	vm_ops->save(v);
	fpu_save(v);
	if (v->arch.uses_debug)
		save_debug_regs(v);
}

static void load(struct cpu *c, struct vcpu *v)
{
	/* From the first guest on, its TR is loaded and ours is not: nobody puts ours back. */
	if (unlikely(!c->arch.loaded))
		trap_use_double_fault_stack(c, false);
	vm_ops->load(v);
	fpu_load(v);
	if (v->arch.uses_debug)
		vcpu_load_debug_regs(v);
	if (cpu_has(CPU_RDTSCP))
		wrmsr(MSR_TSC_AUX, v->arch.tsc_aux);
	c->arch.loaded = v;
	v->arch.fresh_on = c->id;
}

void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
	struct cpu *c = this_cpu();

	if (prev)
		save(prev);
	if (!next || (c->arch.loaded == next && next->arch.fresh_on == c->id))
		return;
	if (next->arch.fresh_on != c->id)
		vlapic_migrate(next);
	load(c, next);
}

/* Events. */

void arch_vcpu_upcall(struct vcpu *v)
{
	if (likely(v->arch.upcall_vector)) {
		vlapic_set_irq(v, v->arch.upcall_vector, false);
	} else if (v->domain->arch.callback_vector) {
		WRITE_ONCE(v->arch.upcall_via_callback, true);
		vm_request_event(v);
		vcpu_kick(v);
	}
}

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
	return vlapic_has_work(v) ||
	       (READ_ONCE(v->arch.upcall_via_callback) && v->domain->arch.callback_vector);
}

int arch_vcpu_set_upcall_vector(struct vcpu *v, uint8_t vector)
{
	if (vector < 0x10)
		return -XEN_EINVAL;
	v->arch.upcall_vector = vector;
	return 0;
}

int arch_vcpu_send_nmi(struct vcpu *v)
{
	vlapic_set_nmi(v);
	return 0;
}

void arch_vcpu_time(struct vcpu *v, struct vcpu_time_info *ret_time)
{
	const struct arch_domain *d = &v->domain->arch;

	/* System time 0 and the TSC then: with the scale, a guest computes what we compute. */
	ret_time->tsc_timestamp = d->tsc_is_emulated ? 0 : tsc_at_zero + d->tsc_offset;
	ret_time->system_time = 0;
	ret_time->tsc_to_system_mul = d->tsc_scale.mul;
	ret_time->tsc_shift = d->tsc_scale.shift;
	ret_time->flags = cpu_has(CPU_INVARIANT_TSC) ? XEN_PVCLOCK_TSC_STABLE_BIT : 0;
}

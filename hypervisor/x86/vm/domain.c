/*
 * The machine's part of a domain, and of its physmap as far as it is not the vendor's: arch_domain_* and
 * arch_p2m_* of lodge/arch.h.
 */
#include "abi/errno.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"
#include "x86/time.h"
#include "x86/vm/io.h"
#include "x86/vm/vlapic.h"
#include "x86/vm/vm.h"

/* HVM_PARAM_CALLBACK_IRQ: the type is in bits 63:56. */
#define CALLBACK_TYPE(via) ((via) >> 56)
#define CALLBACK_GSI       0u
#define CALLBACK_VECTOR    2u

int arch_domain_init(struct domain *d)
{
	int err = io_domain_init(d);

	d->arch.cpuid = &cpuid_default;
	d->arch.tsc_scale = tsc_scale;
	d->arch.tsc_khz = tsc_khz;
	d->arch.p2m_generation = 1;
	if (err)
		return err;
	return mmio_register(d, GPA(VLAPIC_BASE), PAGE_SIZE, &vlapic_mmio_ops, NULL);
}

static void use_cpuid(struct domain *d, struct cpuid_policy *p)
{
	if (d->arch.own_cpuid)
		domain_mem_free(d, d->arch.own_cpuid, sizeof(*p));
	d->arch.own_cpuid = p;
	d->arch.cpuid = p ? p : &cpuid_default;
}

void arch_domain_fini(struct domain *d)
{
	use_cpuid(d, NULL);
	io_domain_fini(d);
}

int arch_domain_set_cpuid(struct domain *d, const struct lodge_cpuid_change *changes, uint32_t nr)
{
	struct cpuid_policy *p = domain_mem_alloc(d, sizeof(*p));
	int err;

	if (!p)
		return -XEN_ENOMEM;
	*p = cpuid_default;
	err = cpuid_policy_change(p, changes, nr);
	if (err)
		domain_mem_free(d, p, sizeof(*p));
	else
		use_cpuid(d, p);
	return err;
}

void arch_domain_set_tsc(struct domain *d, uint64_t hz)
{
	d->arch.tsc_is_emulated = hz;
	d->arch.tsc_scale = hz ? tsc_scale_for(hz) : tsc_scale;
	d->arch.tsc_khz = hz ? hz / 1000 : tsc_khz;
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		vm_ops->intercept_tsc(d->vcpu[i], hz);
		vcpu_update_time(d->vcpu[i]);
	}
}

uint64_t vm_guest_tsc(const struct domain *d)
{
	if (d->arch.tsc_is_emulated)
		return ns_to_ticks(&d->arch.tsc_scale, arch_now_ns());
	return rdtsc() + d->arch.tsc_offset;
}

bool arch_cpuid_features(uint32_t number, struct lodge_cpuid_features *ret_features)
{
	return cpuid_policy_features(&cpuid_default, number, ret_features);
}

int arch_domain_set_callback(struct domain *d, uint64_t via)
{
	uint8_t vector = (uint8_t)via;

	switch (CALLBACK_TYPE(via)) {
	case CALLBACK_GSI:
		/* Linux says "GSI 1" when it has per-vCPU vectors and means nothing by it. */
		d->arch.callback_vector = 0;
		return 0;
	case CALLBACK_VECTOR:
		if (vector < 0x10)
			return -XEN_EINVAL;
		d->arch.callback_vector = vector;
		return 0;
	default:
		return -XEN_EINVAL;
	}
}

int arch_p2m_init(struct domain *d)
{
	return vm_ops->p2m_init(d);
}

int arch_p2m_fini(struct domain *d)
{
	return vm_ops->p2m_fini(d);
}

int arch_p2m_set(struct domain *d, gfn_t gfn, const struct p2m_entry *e)
{
	return vm_ops->p2m_set(d, gfn, e);
}

void arch_p2m_get(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e)
{
	vm_ops->p2m_get(d, gfn, ret_e);
}

mfn_t arch_p2m_frame(const struct domain *d, gfn_t gfn, bool for_write)
{
	return vm_ops->p2m_frame(d, gfn, for_write);
}

uint64_t arch_p2m_next(struct domain *d, uint64_t gfn)
{
	return vm_ops->p2m_next(d, gfn);
}

/* Waits until c, whose current vCPU was v, has left the guest, or the copy, that it was in. */
static void wait_outside(struct cpu *c, const struct vcpu *v)
{
	uint64_t where = READ_ONCE(c->arch.in_guest);

	if (where == CPU_IN_GUEST)
		arch_cpu_kick(c);
	while (where && where == READ_ONCE(c->arch.in_guest) && v == READ_ONCE(c->current)) {
		/* The bit is gone once v has come by the entry path: it was outside. */
		if (where == CPU_IN_GUEST && !(READ_ONCE(v->arch.work) & VM_WORK_FLUSH))
			return;
		cpu_relax();
	}
}

void arch_p2m_flush(struct domain *d)
{
	/* The atomic operations order what the caller changed in the tables before the look at
	 * in_guest. Pairs with vm_enter() and guest-mem.c: a CPU that is not inside now sees the
	 * generation, or the bit, and the change before it goes in. */
	__atomic_fetch_add(&d->arch.nr_flushing, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&d->arch.p2m_generation, 1, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = READ_ONCE(d->vcpu[i]); /* NULL as soon as it is destroyed */

		if (v)
			vm_request_work(v, VM_WORK_FLUSH);
	}
	smp_mb();
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		const struct vcpu *v = READ_ONCE(d->vcpu[i]);
		struct cpu *c = v ? cpus[READ_ONCE(v->cpu)] : NULL;

		if (c && c != this_cpu() && READ_ONCE(c->current) == v)
			wait_outside(c, v);
	}
	__atomic_fetch_sub(&d->arch.nr_flushing, 1, __ATOMIC_RELEASE);
}

/*
 * Floating point and vector state is switched eagerly, whenever a CPU changes from one vCPU to
 * another, and at no other time: the hypervisor itself uses general registers only, so an exit leaves
 * the guest's in place. Lazy switching would save little (nearly every kernel uses these registers)
 * and has leaked them by speculation (CVE-2018-3665).
 *
 * With XSAVE all components that the CPU has are switched, whatever the guest's XCR0 enables: some
 * can be changed without it (PKRU). The guest's XCR0 stays loaded across its exits.
 */
#include "x86/vm/fpu.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "lodge/domain.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"

#define FXSAVE_BYTES   512u
#define FCW_OFFSET     0u
#define MXCSR_OFFSET   24u
#define FCW_AT_RESET   0x37fu
#define MXCSR_AT_RESET 0x1f80u
#define XCR0_AT_RESET  1u

static size_t area_bytes;

void fpu_init(void)
{
	area_bytes = cpu_has(CPU_XSAVE) ? host_cpu.xsave_bytes : FXSAVE_BYTES;
}

int fpu_vcpu_init(struct vcpu *v)
{
	v->arch.fpu = domain_mem_alloc(
		v->domain, area_bytes); /* a power of two or whole pages: aligned to 64 */
	return v->arch.fpu ? 0 : -XEN_ENOMEM;
}

void fpu_vcpu_fini(struct vcpu *v)
{
	domain_mem_free(v->domain, v->arch.fpu, area_bytes);
	v->arch.fpu = NULL;
}

void fpu_reset(struct vcpu *v)
{
	uint8_t *area = v->arch.fpu;

	/* An XSAVE header of zeros: every component is in its initial state, all but MXCSR. */
	memset(area, 0, area_bytes);
	*(uint16_t *)(area + FCW_OFFSET) = FCW_AT_RESET;
	*(uint32_t *)(area + MXCSR_OFFSET) = MXCSR_AT_RESET;
	v->arch.xcr0 = XCR0_AT_RESET;
}

static void xsetbv_if(uint64_t now, uint64_t wanted)
{
	if (now != wanted)
		xsetbv(0, wanted);
}

void fpu_save(struct vcpu *v)
{
	if (!cpu_has(CPU_XSAVE)) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(v->arch.fpu) : "memory");
		return;
	}
	/* Emulated CPUs (QEMU 7.2) let a guest's XSETBV through in spite of the intercept: what is in
	 * the register counts, and the CPU has checked it. */
	v->arch.xcr0 = xgetbv(0);
	xsetbv_if(v->arch.xcr0, host_cpu.xcr0_mask);
	__asm__ volatile("xsave64 (%0)" : : "r"(v->arch.fpu), "a"(-1), "d"(-1) : "memory");
	xsetbv_if(host_cpu.xcr0_mask, v->arch.xcr0);
}

/* AMD's older CPUs save and load the x87 unit's pointers to the last instruction and its operand only
 * while an exception is pending, so the next guest would find the last one's (CVE-2006-1056). This
 * makes them point to us. */
static void forget_pointers(void)
{
	static const uint32_t zero;

	__asm__ volatile("fnclex; emms; fildl %0" : : "m"(zero));
}

void fpu_load(struct vcpu *v)
{
	if (!cpu_has(CPU_XSAVEERPTR))
		forget_pointers();
	if (!cpu_has(CPU_XSAVE)) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(v->arch.fpu) : "memory");
		return;
	}
	xsetbv(0, host_cpu.xcr0_mask);
	__asm__ volatile("xrstor64 (%0)" : : "r"(v->arch.fpu), "a"(-1), "d"(-1) : "memory");
	xsetbv_if(host_cpu.xcr0_mask, v->arch.xcr0);
}

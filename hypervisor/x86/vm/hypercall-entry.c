/*
 * The hypercall instruction: registers to arguments and back. 64-bit code passes RDI, RSI, RDX, R10,
 * R8; 32-bit code EBX, ECX, EDX, ESI, EDI. Only RAX changes, unless the call is to be restarted: then
 * the arguments hold how far it got, and the same instruction runs again.
 */
#include "x86/vm/exit.h"

#include "abi/cpuid.h"
#include "abi/errno.h"
#include "abi/xen.h"
#include "lodge/domain.h"
#include "lodge/hypercall.h"
#include "lodge/p2m.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"
#include "x86/cpu.h"
#include "x86/vm/hypercall-page.h"
#include "x86/vm/vm.h"

static int hypercall_64(struct vcpu *v)
{
	struct vm_regs *r = &v->arch.regs;
	struct hypercall_args a = {
		.arg = { r->rdi, r->rsi, r->rdx, r->r10, r->r8 },
	};
	int64_t result = hypercall_dispatch(v, r->rax, &a);

	if (likely(result != HYPERCALL_RESTART)) {
		r->rax = (uint64_t)result;
		return 0;
	}
	r->rdi = a.arg[0];
	r->rsi = a.arg[1];
	r->rdx = a.arg[2];
	r->r10 = a.arg[3];
	r->r8 = a.arg[4];
	return EXIT_NO_SKIP;
}

static int hypercall_32(struct vcpu *v)
{
	struct vm_regs *r = &v->arch.regs;
	struct hypercall_args a = {
		.arg = { (uint32_t)r->rbx, (uint32_t)r->rcx, (uint32_t)r->rdx, (uint32_t)r->rsi,
			 (uint32_t)r->rdi },
		.compat = true,
	};
	int64_t result = hypercall_dispatch(v, (uint32_t)r->rax, &a);

	if (result != HYPERCALL_RESTART) {
		r->rax = (uint32_t)result;
		return 0;
	}
	r->rbx = (uint32_t)a.arg[0];
	r->rcx = (uint32_t)a.arg[1];
	r->rdx = (uint32_t)a.arg[2];
	r->rsi = (uint32_t)a.arg[3];
	r->rdi = (uint32_t)a.arg[4];
	return EXIT_NO_SKIP;
}

int exit_hypercall(struct vcpu *v, const struct exit_info *x)
{
	uint32_t mode = vm_ops->mode(v);

	(void)x;
	if (unlikely(mode & VM_MODE_CPL || !(mode & VM_MODE_PROTECTED))) {
		v->arch.regs.rax =
			mode & VM_MODE_CODE64 ? (uint64_t)-XEN_EPERM : (uint32_t)-XEN_EPERM;
		return 0;
	}
	return likely(mode & VM_MODE_CODE64) ? hypercall_64(v) : hypercall_32(v);
}

/* Entry n: mov $n, %eax; vmmcall (or vmcall); ret. IRET's is for PV guests: it traps. */
static void write_stubs(uint8_t *page, bool is_amd)
{
	const uint8_t call[3] = { 0x0f, 0x01, is_amd ? 0xd9 : 0xc1 };

	for (uint32_t n = 0; n < PAGE_SIZE / XEN_HYPERCALL_PAGE_ENTRY_SIZE; n++) {
		uint8_t *p = page + n * XEN_HYPERCALL_PAGE_ENTRY_SIZE;

		__builtin_memset(p, 0xcc, XEN_HYPERCALL_PAGE_ENTRY_SIZE);
		if (n == __HYPERVISOR_iret) {
			p[0] = 0x0f; /* ud2 */
			p[1] = 0x0b;
			continue;
		}
		p[0] = 0xb8;
		__builtin_memcpy(p + 1, &n, sizeof(n));
		__builtin_memcpy(p + 5, call, sizeof(call));
		p[8] = 0xc3;
	}
}

int hypercall_page_fill(struct vcpu *v, uint64_t value)
{
	mfn_t mfn;
	int err;

	if (value & (PAGE_SIZE - 1))
		return -XEN_EINVAL;
	err = p2m_pin(v->domain, gpa_to_gfn(GPA(value)), true, &mfn);
	if (err)
		return err;
	write_stubs(mfn_to_ptr(mfn),
		    host_cpu.vendor == VENDOR_AMD || host_cpu.vendor == VENDOR_HYGON);
	page_put(mfn);
	return 0;
}

/*
 * Hypercalls. The instruction is assembled as VMMCALL and patched to VMCALL at start on CPUs whose
 * vendor is not AMD or Hygon, so a call costs nothing but itself.
 */
#ifndef GUEST_HYPERCALL_H
#define GUEST_HYPERCALL_H

#include <stdint.h>

#include "abi/console.h"
#include "abi/errno.h"
#include "abi/event-channel.h"
#include "abi/grant-table.h"
#include "abi/hvm.h"
#include "abi/memory.h"
#include "abi/physdev.h"
#include "abi/platform.h"
#include "abi/sched.h"
#include "abi/vcpu.h"
#include "abi/version.h"
#include "abi/xen.h"

#define HYPERCALL_INSN                                        \
	"771: vmmcall\n"                                      \
	".pushsection .hypercall_sites, \"a\"\n .quad 771b\n" \
	".popsection\n"

static inline int64_t hypercall5(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4,
				 uint64_t a5)
{
	register uint64_t r10 __asm__("r10") = a4;
	register uint64_t r8 __asm__("r8") = a5;

	__asm__ volatile(HYPERCALL_INSN
			 : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3), "+r"(r10), "+r"(r8)
			 :
			 : "memory");
	return (int64_t)nr;
}

static inline int64_t hypercall3(uint64_t nr, uint64_t a1, uint64_t a2, uint64_t a3)
{
	__asm__ volatile(HYPERCALL_INSN
			 : "+a"(nr), "+D"(a1), "+S"(a2), "+d"(a3)
			 :
			 : "memory", "r8", "r10");
	return (int64_t)nr;
}

static inline int64_t hypercall2(uint64_t nr, uint64_t a1, uint64_t a2)
{
	__asm__ volatile(HYPERCALL_INSN
			 : "+a"(nr), "+D"(a1), "+S"(a2)
			 :
			 : "memory", "rdx", "r8", "r10");
	return (int64_t)nr;
}

static inline int64_t xen_version(int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_xen_version, (uint64_t)cmd, (uintptr_t)arg);
}

static inline int64_t memory_op(unsigned int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_memory_op, cmd, (uintptr_t)arg);
}

static inline int64_t console_io(int cmd, uint32_t count, const char *text)
{
	return hypercall3(__HYPERVISOR_console_io, (uint64_t)cmd, count, (uintptr_t)text);
}

static inline int64_t event_channel_op(int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_event_channel_op, (uint64_t)cmd, (uintptr_t)arg);
}

static inline int64_t grant_table_op(unsigned int cmd, void *ops, uint32_t count)
{
	return hypercall3(__HYPERVISOR_grant_table_op, cmd, (uintptr_t)ops, count);
}

static inline int64_t hvm_op(unsigned int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_hvm_op, cmd, (uintptr_t)arg);
}

static inline int64_t vcpu_op(int cmd, uint32_t vcpu, void *arg)
{
	return hypercall3(__HYPERVISOR_vcpu_op, (uint64_t)cmd, vcpu, (uintptr_t)arg);
}

static inline int64_t sched_op(int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_sched_op, (uint64_t)cmd, (uintptr_t)arg);
}

/* Stops the whole domain with a SHUTDOWN_* reason. */
__attribute__((noreturn)) void guest_shutdown(unsigned int reason);

/* One hypercall from 32-bit code. The caller's registers in, and what they are afterwards out. */
struct call32 {
	uint32_t eax, ebx, ecx, edx, esi, edi;
	uint32_t reserved[2];
	uint32_t cr0; /* 0: compatibility mode under the current page tables */
	uint32_t cr3, cr4;
};
void call32(struct call32 *c);

#endif

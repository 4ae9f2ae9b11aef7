/* What core uses of the machine in its hottest paths, inline. The host build of the unit tests has a
 * file of the same name. */
#ifndef LODGE_ARCH_INLINE_H
#define LODGE_ARCH_INLINE_H

#include "lodge/types.h"

struct cpu;

/* All RAM is mapped here, read-write, never executable. */
#define DIRECT_MAP_BASE 0xffff800000000000ull

static inline void *mfn_to_ptr(mfn_t mfn)
{
	return (void *)(DIRECT_MAP_BASE + (mfn.n << PAGE_SHIFT));
}

static inline void *mpa_to_ptr(mpa_t mpa)
{
	return (void *)(DIRECT_MAP_BASE + mpa.a);
}

/* Only for pointers into the direct map. */
static inline mfn_t ptr_to_mfn(const void *p)
{
	return MFN(((uintptr_t)p - DIRECT_MAP_BASE) >> PAGE_SHIFT);
}

/* Each CPU's stack is CPU_STACK_SIZE bytes, aligned to that, with a pointer to its struct cpu in the
 * topmost word. Every entry into the hypervisor uses that stack. */
#define CPU_STACK_SIZE 16384ul

static inline struct cpu *this_cpu(void)
{
	uintptr_t sp;

	__asm__("mov %%rsp, %0" : "=r"(sp));
	return *(struct cpu **)((sp | (CPU_STACK_SIZE - 1)) - (sizeof(void *) - 1));
}

#define barrier()        __asm__ volatile("" ::: "memory")
#define smp_mb()         __asm__ volatile("lock; addl $0, -4(%%rsp)" ::: "memory", "cc")
#define smp_rmb()        barrier() /* x86 keeps loads in order */
#define smp_wmb()        barrier() /* and stores */
#define READ_ONCE(x)     __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" ::: "memory");
}

/* Something that counts up all the time, for trace records. */
static inline uint64_t arch_cycles(void)
{
	return __builtin_ia32_rdtsc();
}

/* Clamps an index that was already checked against its bound, so that speculation past the check
 * cannot use it: index < bound ? index : 0, without a branch. */
static inline uint64_t index_clamp(uint64_t index, uint64_t bound)
{
	uint64_t mask;

	__asm__("cmp %1, %2; sbb %0, %0" : "=r"(mask) : "g"(bound), "r"(index) : "cc");
	return index & mask;
}

#endif

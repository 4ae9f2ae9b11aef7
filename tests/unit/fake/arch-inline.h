/* The host's twin of hypervisor/x86/include/arch-inline.h: the direct map is an arena of the test's
 * process, and this_cpu() is whatever the test says. */
#ifndef LODGE_ARCH_INLINE_H
#define LODGE_ARCH_INLINE_H

#include "lodge/types.h"

struct cpu;

extern uint8_t *fake_memory; /* the arena: frame n starts at fake_memory + n * PAGE_SIZE */
extern uint64_t fake_nr_frames;
extern _Thread_local struct cpu *fake_this_cpu; /* a thread may be a CPU of its own */

static inline void *mpa_to_ptr(mpa_t mpa)
{
	return fake_memory + mpa.a;
}

static inline void *mfn_to_ptr(mfn_t mfn)
{
	return fake_memory + (mfn.n << PAGE_SHIFT);
}

static inline mfn_t ptr_to_mfn(const void *p)
{
	return MFN((uint64_t)((const uint8_t *)p - fake_memory) >> PAGE_SHIFT);
}

static inline struct cpu *this_cpu(void)
{
	return fake_this_cpu;
}

#define barrier()        __asm__ volatile("" ::: "memory")
#define smp_mb()         __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()        __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()        __atomic_thread_fence(__ATOMIC_RELEASE)
#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) __atomic_store_n(&(x), (v), __ATOMIC_RELAXED)

void cpu_relax(void); /* panics after many calls: nobody else runs who could end the wait */

extern uint64_t fake_now_ns;

static inline uint64_t arch_cycles(void)
{
	return fake_now_ns;
}

static inline uint64_t index_clamp(uint64_t index, uint64_t bound)
{
	return index < bound ? index : 0;
}

#endif

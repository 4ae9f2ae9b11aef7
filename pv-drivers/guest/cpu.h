/* The CPU as a guest sees it: instructions that C lacks, control bits, and struct cpu. */
#ifndef GUEST_CPU_H
#define GUEST_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest/layout.h"
#include "lib/util.h"

#define BIT(n) (1ULL << (n))

#define PAGE_SIZE  4096UL
#define PAGE_SHIFT 12

#define CR0_PE    BIT(0)
#define CR0_MP    BIT(1)
#define CR0_EM    BIT(2)
#define CR0_TS    BIT(3)
#define CR0_NE    BIT(5)
#define CR0_WP    BIT(16)
#define CR0_AM    BIT(18)
#define CR0_NW    BIT(29)
#define CR0_CD    BIT(30)
#define CR0_PG    BIT(31)
#define CR4_TSD   BIT(2)
#define CR4_PSE   BIT(4)
#define CR4_PAE   BIT(5)
#define CR4_PGE   BIT(7)
#define CR4_VMXE  BIT(13)
#define EFER_SCE  BIT(0)
#define EFER_LME  BIT(8)
#define EFER_LMA  BIT(10)
#define EFER_NXE  BIT(11)
#define EFER_SVME BIT(12)
#define RFLAGS_TF BIT(8)
#define RFLAGS_IF BIT(9)
#define RFLAGS_AC BIT(18)

#define MSR_TSC            0x10
#define MSR_APIC_BASE      0x1b
#define MSR_SYSENTER_CS    0x174
#define MSR_PAT            0x277
#define MSR_TSC_DEADLINE   0x6e0
#define MSR_EFER           0xc0000080
#define MSR_STAR           0xc0000081
#define MSR_LSTAR          0xc0000082
#define MSR_CSTAR          0xc0000083
#define MSR_SFMASK         0xc0000084
#define MSR_FS_BASE        0xc0000100
#define MSR_GS_BASE        0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

struct tss {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t io_map_base;
} __attribute__((packed));

/* One vCPU. %gs points at it, at every privilege level. Written by its own vCPU only, except that the
 * starter fills it before the start and reads `running` afterwards. */
struct cpu {
	struct cpu *self;
	uint64_t user_resume; /* stack to come back to from CPL 3 */
	struct tss tss;
	uint32_t fault; /* what the last TRY() met */
	uint32_t vcpu_id;
	uint32_t apic_id;
	bool x2apic;           /* the mode of its local APIC */
	bool running;          /* from the request to start until fn returned */
	uint32_t starts;       /* how often it reached C code */
	void (*fn)(void *arg); /* what an application processor was started for */
	void *arg;
	uint32_t nr_upcalls;
	uint64_t gdt[GDT_ENTRIES];
};
_Static_assert(offsetof(struct cpu, self) == CPU_SELF, "");
_Static_assert(offsetof(struct cpu, user_resume) == CPU_USER_RESUME, "");
_Static_assert(offsetof(struct cpu, tss) + offsetof(struct tss, rsp) == CPU_RSP0, "");

static inline struct cpu *this_cpu(void)
{
	struct cpu *cpu;

	__asm__ volatile("mov %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

struct cpuid {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid cpuid_count(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline struct cpuid cpuid(uint32_t leaf)
{
	return cpuid_count(leaf, 0);
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr));
	return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" ::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

#define CONTROL_REGISTER(name)                                                   \
	static inline uint64_t read_##name(void)                                 \
	{                                                                        \
		uint64_t value;                                                  \
                                                                                 \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
		return value;                                                    \
	}                                                                        \
	static inline void write_##name(uint64_t value)                          \
	{                                                                        \
		__asm__ volatile("mov %0, %%" #name ::"r"(value) : "memory");    \
	}
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(cr8)

/* What is pending comes before this returns: STI holds interrupts back for one more instruction. */
static inline void irq_enable(void)
{
	__asm__ volatile("sti; nop" ::: "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" ::: "memory");
}

/* Sleeps until the next interrupt. With interrupts off at the call none can be lost in between. */
static inline void irq_enable_and_halt(void)
{
	__asm__ volatile("sti; hlt" ::: "memory");
}

static inline void pause(void)
{
	__asm__ volatile("pause" ::: "memory");
}

static inline void barrier(void)
{
	__asm__ volatile("" ::: "memory");
}

#define PORT_IO(width, suffix)                                                        \
	static inline uint##width##_t in##width(uint16_t port)                        \
	{                                                                             \
		uint##width##_t value;                                                \
                                                                                      \
		__asm__ volatile("in" suffix " %1, %0" : "=a"(value) : "Nd"(port));   \
		return value;                                                         \
	}                                                                             \
	static inline void out##width(uint16_t port, uint##width##_t value)           \
	{                                                                             \
		__asm__ volatile("out" suffix " %0, %1" ::"a"(value), "Nd"(port));    \
	}                                                                             \
	static inline uint##width##_t mmio_read##width(uint64_t address)              \
	{                                                                             \
		uint##width##_t value;                                                \
                                                                                      \
		__asm__ volatile("mov %1, %0"                                         \
				 : "=r"(value)                                        \
				 : "m"(*(volatile uint##width##_t *)address)          \
				 : "memory");                                         \
		return value;                                                         \
	}                                                                             \
	static inline void mmio_write##width(uint64_t address, uint##width##_t value) \
	{                                                                             \
		__asm__ volatile("mov %1, %0"                                         \
				 : "=m"(*(volatile uint##width##_t *)address)         \
				 : "r"(value)                                         \
				 : "memory");                                         \
	}
PORT_IO(8, "b")
PORT_IO(16, "w")
PORT_IO(32, "l")

static inline uint64_t mmio_read64(uint64_t address)
{
	return *(volatile uint64_t *)address;
}

static inline void mmio_write64(uint64_t address, uint64_t value)
{
	*(volatile uint64_t *)address = value;
}

#endif

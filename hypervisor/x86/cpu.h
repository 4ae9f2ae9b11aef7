/* The CPU: its instructions as functions, and what it can do (CPUID, read once on the boot CPU; a CPU
 * that can do less is not started). */
#ifndef LODGE_X86_CPU_H
#define LODGE_X86_CPU_H

#include "lodge/types.h"

enum cpuid_word { /* CPUID registers that are kept in host_cpu.word[] */
		  CPUID_1_ECX,
		  CPUID_1_EDX,
		  CPUID_7_EBX,
		  CPUID_7_ECX,
		  CPUID_7_EDX,
		  CPUID_D1_EAX,
		  CPUID_80000001_ECX,
		  CPUID_80000001_EDX,
		  CPUID_80000007_EDX,
		  CPUID_80000008_EBX,
		  CPUID_8000000A_EDX,
		  CPUID_80000021_EAX,
		  NR_CPUID_WORDS,
};

#define CPU_FEATURE(word, bit) ((word)*32u + (bit))
enum cpu_feature {
	CPU_MONITOR = CPU_FEATURE(CPUID_1_ECX, 3),
	CPU_VMX = CPU_FEATURE(CPUID_1_ECX, 5),
	CPU_PCID = CPU_FEATURE(CPUID_1_ECX, 17),
	CPU_X2APIC = CPU_FEATURE(CPUID_1_ECX, 21),
	CPU_TSC_DEADLINE = CPU_FEATURE(CPUID_1_ECX, 24),
	CPU_XSAVE = CPU_FEATURE(CPUID_1_ECX, 26),
	CPU_RDRAND = CPU_FEATURE(CPUID_1_ECX, 30),
	CPU_HYPERVISOR = CPU_FEATURE(CPUID_1_ECX, 31),
	CPU_MCE = CPU_FEATURE(CPUID_1_EDX, 7),
	CPU_APIC = CPU_FEATURE(CPUID_1_EDX, 9),
	CPU_PGE = CPU_FEATURE(CPUID_1_EDX, 13),
	CPU_PAT = CPU_FEATURE(CPUID_1_EDX, 16),
	CPU_FXSR = CPU_FEATURE(CPUID_1_EDX, 24),
	CPU_FSGSBASE = CPU_FEATURE(CPUID_7_EBX, 0),
	CPU_SMEP = CPU_FEATURE(CPUID_7_EBX, 7),
	CPU_SMAP = CPU_FEATURE(CPUID_7_EBX, 20),
	CPU_UMIP = CPU_FEATURE(CPUID_7_ECX, 2),
	CPU_MD_CLEAR = CPU_FEATURE(CPUID_7_EDX, 10),
	CPU_IBRSB = CPU_FEATURE(CPUID_7_EDX, 26), /* SPEC_CTRL and PRED_CMD, Intel's way */
	CPU_XSAVEOPT = CPU_FEATURE(CPUID_D1_EAX, 0),
	CPU_XSAVEC = CPU_FEATURE(CPUID_D1_EAX, 1),
	CPU_XSAVES = CPU_FEATURE(CPUID_D1_EAX, 3),
	CPU_SVM = CPU_FEATURE(CPUID_80000001_ECX, 2),
	CPU_NX = CPU_FEATURE(CPUID_80000001_EDX, 20),
	CPU_1G_PAGES = CPU_FEATURE(CPUID_80000001_EDX, 26),
	CPU_RDTSCP = CPU_FEATURE(CPUID_80000001_EDX, 27),
	CPU_INVARIANT_TSC = CPU_FEATURE(CPUID_80000007_EDX, 8),
	CPU_XSAVEERPTR = CPU_FEATURE(CPUID_80000008_EBX, 2), /* x87 pointers always come along */
	CPU_IBPB = CPU_FEATURE(CPUID_80000008_EBX, 12),
	CPU_IBRS = CPU_FEATURE(CPUID_80000008_EBX, 14),
	CPU_STIBP = CPU_FEATURE(CPUID_80000008_EBX, 15),
	CPU_SSBD = CPU_FEATURE(CPUID_80000008_EBX, 24),
	CPU_SVM_NPT = CPU_FEATURE(CPUID_8000000A_EDX, 0),
	CPU_SVM_LBR = CPU_FEATURE(CPUID_8000000A_EDX, 1),
	CPU_SVM_NRIPS = CPU_FEATURE(CPUID_8000000A_EDX, 3),
	CPU_SVM_VMCB_CLEAN = CPU_FEATURE(CPUID_8000000A_EDX, 5),
	CPU_SVM_FLUSH_BY_ASID = CPU_FEATURE(CPUID_8000000A_EDX, 6),
	CPU_SVM_DECODE_ASSISTS = CPU_FEATURE(CPUID_8000000A_EDX, 7),
	CPU_SVM_AVIC = CPU_FEATURE(CPUID_8000000A_EDX, 13),
	CPU_SVM_SPEC_CTRL = CPU_FEATURE(CPUID_8000000A_EDX, 20), /* SPEC_CTRL is virtualised */
	CPU_AUTO_IBRS = CPU_FEATURE(CPUID_80000021_EAX, 8),
};

enum cpu_vendor { VENDOR_OTHER, VENDOR_INTEL, VENDOR_AMD, VENDOR_HYGON };

struct cpu_features {
	uint32_t word[NR_CPUID_WORDS];
	enum cpu_vendor vendor;
	char vendor_name[13], model_name[49];
	uint32_t family, model, stepping;
	uint32_t max_leaf, max_extended_leaf;
	uint32_t phys_bits; /* width of machine addresses */
	uint32_t nr_asids;  /* SVM; 0 without */
	uint32_t clflush_bytes;
	uint32_t xsave_bytes; /* area for everything in xcr0_mask; 0 without XSAVE */
	uint64_t xcr0_mask;   /* XCR0 bits that exist */
};

extern struct cpu_features host_cpu;

static inline bool cpu_has(enum cpu_feature f)
{
	return host_cpu.word[f / 32] & (1u << (f % 32));
}

void cpu_features_init(void);  /* boot CPU, before paging_init() */
void cpu_registers_init(void); /* each CPU: CR0, CR4, EFER, XCR0 */
/* True if this CPU can do all that the boot CPU can and Lodge uses. */
bool cpu_is_equal(void);

#define MSR_TSC            0x10u
#define MSR_APIC_BASE      0x1bu
#define MSR_TSC_ADJUST     0x3bu
#define MSR_SPEC_CTRL      0x48u
#define MSR_PRED_CMD       0x49u
#define MSR_TSC_DEADLINE   0x6e0u
#define MSR_PAT            0x277u
#define MSR_X2APIC         0x800u
#define MSR_EFER           0xc0000080u
#define MSR_STAR           0xc0000081u
#define MSR_LSTAR          0xc0000082u
#define MSR_CSTAR          0xc0000083u
#define MSR_SFMASK         0xc0000084u
#define MSR_FS_BASE        0xc0000100u
#define MSR_GS_BASE        0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX        0xc0000103u
#define MSR_VM_CR          0xc0010114u
#define MSR_VM_HSAVE_PA    0xc0010117u

#define EFER_SCE    (1ull << 0)
#define EFER_LME    (1ull << 8)
#define EFER_LMA    (1ull << 10)
#define EFER_NXE    (1ull << 11)
#define EFER_SVME   (1ull << 12)
#define EFER_AIBRSE (1ull << 21) /* automatic IBRS */

#define SPEC_CTRL_IBRS 1ull

#define CR0_PE (1ull << 0)
#define CR0_MP (1ull << 1)
#define CR0_EM (1ull << 2)
#define CR0_TS (1ull << 3)
#define CR0_ET (1ull << 4)
#define CR0_NE (1ull << 5)
#define CR0_WP (1ull << 16)
#define CR0_AM (1ull << 18)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)

#define CR4_PAE        (1ull << 5)
#define CR4_MCE        (1ull << 6)
#define CR4_PGE        (1ull << 7)
#define CR4_OSFXSR     (1ull << 9)
#define CR4_OSXMMEXCPT (1ull << 10)
#define CR4_UMIP       (1ull << 11)
#define CR4_VMXE       (1ull << 13)
#define CR4_FSGSBASE   (1ull << 16)
#define CR4_PCIDE      (1ull << 17)
#define CR4_OSXSAVE    (1ull << 18)
#define CR4_SMEP       (1ull << 20)
#define CR4_SMAP       (1ull << 21)

struct cpuid_regs {
	uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid_regs r;

	__asm__ volatile("cpuid"
			 : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
			 : "a"(leaf), "c"(subleaf));
	return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr"
			 :
			 : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

/* Not before earlier loads: the value is never older than what the program has already seen. */
static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

#define CONTROL_REGISTER(name)                                                  \
	static inline uint64_t read_##name(void)                                \
	{                                                                       \
		uint64_t value;                                                 \
                                                                                \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(value));          \
		return value;                                                   \
	}                                                                       \
	static inline void write_##name(uint64_t value)                         \
	{                                                                       \
		__asm__ volatile("mov %0, %%" #name : : "r"(value) : "memory"); \
	}
CONTROL_REGISTER(cr0)
CONTROL_REGISTER(cr2)
CONTROL_REGISTER(cr3)
CONTROL_REGISTER(cr4)
CONTROL_REGISTER(dr6)
CONTROL_REGISTER(dr7)
#undef CONTROL_REGISTER

static inline uint64_t xgetbv(uint32_t index)
{
	uint32_t low, high;

	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(index));
	return (uint64_t)high << 32 | low;
}

static inline void xsetbv(uint32_t index, uint64_t value)
{
	__asm__ volatile("xsetbv"
			 :
			 : "c"(index), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint16_t inw(uint16_t port)
{
	uint16_t value;

	__asm__ volatile("inw %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t value;

	__asm__ volatile("inl %1, %0" : "=a"(value) : "Nd"(port) : "memory");
	return value;
}

static inline void outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t value)
{
	__asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t value)
{
	__asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

/* size is 1, 2 or 4. */
static inline uint32_t io_in(uint16_t port, unsigned size)
{
	return size == 1 ? inb(port) : size == 2 ? inw(port) : inl(port);
}

static inline void io_out(uint16_t port, unsigned size, uint32_t value)
{
	if (size == 1)
		outb(port, (uint8_t)value);
	else if (size == 2)
		outw(port, (uint16_t)value);
	else
		outl(port, value);
}

static inline void irq_enable(void)
{
	__asm__ volatile("sti" : : : "memory");
}

static inline void irq_disable(void)
{
	__asm__ volatile("cli" : : : "memory");
}

/* One window for interrupts that wait: sti holds them off for one more instruction. */
static inline void irq_window(void)
{
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

/* Sleeps until an interrupt; one that came before is not missed. */
static inline void irq_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

static inline void invlpg(const void *va)
{
	__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
}

static inline _Noreturn void halt_forever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt" : : : "memory");
}

#endif

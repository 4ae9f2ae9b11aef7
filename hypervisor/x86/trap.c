/* Descriptor tables of each CPU, and where exceptions and interrupts go. */
#include "x86/trap.h"
#include "abi/errno.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/trace.h"
#include "x86/apic.h"
#include "x86/panic.h"

#define GATE_INTERRUPT   0x8e00u
#define IST_DOUBLE_FAULT 1u
#define ORDER_STACK      2u

struct gate {
	uint16_t offset_low, selector, flags, offset_middle;
	uint32_t offset_high, reserved;
};

struct tss {
	uint32_t reserved0;
	uint32_t rsp[6];
	uint32_t reserved1[2];
	uint32_t ist[14]; /* 64-bit values that are only 4-aligned */
	uint32_t reserved2[2];
	uint16_t reserved3, io_bitmap;
};
static_assert(sizeof(struct tss) == 104, "APM 2, 12.2.5");

struct cpu_tables {
	struct gate idt[256];
	uint64_t gdt[5]; /* null, code, data, TSS (two words) */
	struct tss tss;
};

struct extable_entry {
	int32_t fault, fixup; /* relative to themselves */
};

extern const char trap_stubs[]; /* trap.S: 16 bytes each */
extern const struct extable_entry extable_start[], extable_end[];

void irq_dispatch(uint8_t vector);        /* from trap.S */
void trap_dispatch(struct trap_frame *f); /* from trap.S */

static irq_fn *vector_handler[256]; /* written at boot and by irq.c under its lock */
static uint64_t vector_is_reported[4];

static struct cpu_tables boot_tables;
static uint8_t boot_double_fault_stack[CPU_STACK_SIZE] __attribute__((aligned(CPU_STACK_SIZE)));

static void set_gate(struct gate *g, uint64_t target)
{
	*g = (struct gate){
		.offset_low = (uint16_t)target,
		.selector = SELECTOR_CODE,
		.flags = GATE_INTERRUPT,
		.offset_middle = (uint16_t)(target >> 16),
		.offset_high = (uint32_t)(target >> 32),
	};
}

void trap_use_double_fault_stack(struct cpu *c, bool on)
{
	c->arch.tables->idt[TRAP_DF].flags =
		(uint16_t)(GATE_INTERRUPT | (on ? IST_DOUBLE_FAULT : 0));
}

static void set_tss_descriptor(struct cpu_tables *t)
{
	uint64_t base = (uintptr_t)&t->tss;

	t->gdt[3] = (sizeof(t->tss) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 |
		    (base >> 24 & 0xff) << 56;
	t->gdt[4] = base >> 32;
}

/* double_fault_stack: as this_cpu() wants it, but for the pointer at its top. */
static void fill_tables(struct cpu *c, struct cpu_tables *t, uint8_t *double_fault_stack)
{
	uint64_t top = (uintptr_t)double_fault_stack + CPU_STACK_SIZE;

	*(struct cpu **)(top - sizeof(void *)) = c;
	for (unsigned i = 0; i < 256; i++)
		set_gate(&t->idt[i], (uintptr_t)trap_stubs + 16 * i);
	t->gdt[1] = 0x00af9b000000ffff; /* 64-bit code */
	t->gdt[2] = 0x00cf93000000ffff; /* data */
	set_tss_descriptor(t);
	top -= 16;
	t->tss.ist[2 * (IST_DOUBLE_FAULT - 1)] = (uint32_t)top;
	t->tss.ist[2 * (IST_DOUBLE_FAULT - 1) + 1] = (uint32_t)(top >> 32);
	t->tss.io_bitmap = sizeof(t->tss);
	c->arch.tables = t;
	trap_use_double_fault_stack(c, true);
}

int trap_cpu_prepare(struct cpu *c)
{
	struct cpu_tables *t;
	mfn_t stack;

	if (c->id == 0) {
		fill_tables(c, &boot_tables, boot_double_fault_stack);
		return 0;
	}
	t = mem_alloc(sizeof(*t));
	if (!t)
		return -XEN_ENOMEM;
	stack = page_alloc(ORDER_STACK, NODE_ANY, 0);
	if (mfn_is_none(stack)) {
		mem_free(t, sizeof(*t));
		return -XEN_ENOMEM;
	}
	fill_tables(c, t, mfn_to_ptr(stack));
	return 0;
}

void trap_cpu_load(struct cpu *c)
{
	struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) pointer;
	struct cpu_tables *t = c->arch.tables;

	pointer.limit = sizeof(t->gdt) - 1;
	pointer.base = (uintptr_t)t->gdt;
	__asm__ volatile("lgdt %0" : : "m"(pointer));
	__asm__ volatile("pushq %0; leaq 1f(%%rip), %%rax; pushq %%rax; lretq; 1:"
			 :
			 : "i"(SELECTOR_CODE)
			 : "rax", "memory");
	__asm__ volatile("mov %0, %%ss; mov %0, %%ds; mov %0, %%es" : : "r"(SELECTOR_DATA));
	__asm__ volatile("mov %0, %%fs; mov %0, %%gs; lldt %w0" : : "r"(0));
	set_tss_descriptor(t); /* not busy */
	__asm__ volatile("ltr %w0" : : "r"(SELECTOR_TSS));
	pointer.limit = sizeof(t->idt) - 1;
	pointer.base = (uintptr_t)t->idt;
	__asm__ volatile("lidt %0" : : "m"(pointer));
}

void irq_set_handler(uint8_t vector, irq_fn *fn)
{
	WRITE_ONCE(vector_handler[vector], fn);
}

static void unhandled(uint8_t vector)
{
	uint64_t bit = 1ull << (vector % 64);

	apic_eoi();
	if (!(__atomic_fetch_or(&vector_is_reported[vector / 64], bit, __ATOMIC_RELAXED) & bit))
		log_warn("interrupt on vector %#x, which nobody handles\n", vector);
}

/* A handler's CPU is not idle: the watchdog looks at it. Who makes something pending meanwhile sends
 * no interrupt; the idle loop looks once more after each, and IRET orders its look after our store. */
void irq_dispatch(uint8_t vector)
{
	irq_fn *fn = READ_ONCE(vector_handler[vector]);
	struct cpu *c = this_cpu();
	bool was_idle = c->idle;

	WRITE_ONCE(c->idle, false);
	trace(TRACE_INTERRUPT, vector);
	if (likely(fn))
		fn(vector);
	else
		unhandled(vector);
	WRITE_ONCE(c->idle, was_idle);
}

static bool fix_up(struct trap_frame *f)
{
	for (const struct extable_entry *e = extable_start; e < extable_end; e++) {
		if ((uintptr_t)&e->fault + (uint64_t)(int64_t)e->fault == f->rip) {
			f->rip = (uintptr_t)&e->fixup + (uint64_t)(int64_t)e->fixup;
			return true;
		}
	}
	return false;
}

void trap_dispatch(struct trap_frame *f)
{
	if (f->vector == TRAP_NMI)
		nmi_handle(f);
	else if (f->vector == TRAP_DF || f->vector == TRAP_MC || !fix_up(f))
		panic_trap(f);
}

int rdmsr_safe(uint32_t msr, uint64_t *ret_value)
{
	uint32_t low = 0, high = 0;
	int err = -XEN_EFAULT;

	__asm__ volatile("1: rdmsr\n"
			 "\txor %0, %0\n"
			 "2:\n" ASM_EXTABLE("1b", "2b")
			 : "+r"(err), "+a"(low), "+d"(high)
			 : "c"(msr));
	if (!err)
		*ret_value = (uint64_t)high << 32 | low;
	return err;
}

int xcr0_write_safe(uint64_t value)
{
	int err = -XEN_EFAULT;

	__asm__ volatile("1: xsetbv\n"
			 "\txor %0, %0\n"
			 "2:\n" ASM_EXTABLE("1b", "2b")
			 : "+r"(err)
			 : "c"(0), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
			 : "memory");
	return err;
}

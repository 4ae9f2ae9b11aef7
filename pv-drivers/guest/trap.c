/* Descriptor tables, exception fixups, interrupt dispatch and calls to CPL 3. See trap.h. */
#include "guest/trap.h"

#include "guest/console.h"
#include "guest/smp.h"
#include "guest/test.h"

#define GATE_INTERRUPT   0x8e00
#define GATE_USER        0xee00
#define IST_DOUBLE_FAULT 1

struct gate {
	uint16_t offset_low, selector, attributes, offset_mid;
	uint32_t offset_high, reserved;
};

struct table_register {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

struct fixup {
	uint64_t from, to;
};

extern const char trap_stubs[];
extern const uint64_t boot_gdt[GDT_ENTRIES];
extern const struct fixup _fixups_start[], _fixups_end[];
void user_exit(void);
uint64_t user_enter(uint64_t (*fn)(uint64_t), uint64_t arg, uint64_t stack_top);

static struct gate idt[256];
static irq_handler_t irq_handlers[256];
static uint8_t fault_stacks[MAX_CPUS][PAGE_SIZE] __attribute__((aligned(16)));
static uint8_t user_stacks[MAX_CPUS][PAGE_SIZE] __attribute__((aligned(16)));

static void idt_set(unsigned int vector, uint64_t target, uint16_t attributes)
{
	idt[vector] = (struct gate){
		.offset_low = (uint16_t)target,
		.selector = SEL_CODE64,
		.attributes = attributes,
		.offset_mid = (uint16_t)(target >> 16),
		.offset_high = (uint32_t)(target >> 32),
	};
}

static void idt_fill(void)
{
	for (unsigned int vector = 0; vector < 256; vector++)
		idt_set(vector, (uintptr_t)trap_stubs + 16 * vector, GATE_INTERRUPT);
	/* CPL 3 may execute int3 and into, and leaves by its own vector. */
	idt_set(TRAP_BP, (uintptr_t)trap_stubs + 16 * TRAP_BP, GATE_USER);
	idt_set(TRAP_DF, (uintptr_t)trap_stubs + 16 * TRAP_DF, GATE_INTERRUPT | IST_DOUBLE_FAULT);
	idt_set(VECTOR_USER_EXIT, (uintptr_t)user_exit, GATE_USER);
}

void trap_init_cpu(struct cpu *cpu)
{
	struct table_register gdtr = { sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt };
	struct table_register idtr = { sizeof(idt) - 1, (uintptr_t)idt };
	uint64_t tss = (uintptr_t)&cpu->tss;

	if (!idt[0].selector)
		idt_fill();
	for (unsigned int i = 0; i < GDT_ENTRIES; i++)
		cpu->gdt[i] = boot_gdt[i];
	cpu->gdt[SEL_TSS / 8] = (sizeof(struct tss) - 1) | (tss & 0xffffff) << 16 | 0x89ULL << 40 |
				(tss >> 24 & 0xff) << 56;
	cpu->gdt[SEL_TSS / 8 + 1] = tss >> 32;
	cpu->tss.io_map_base = sizeof(struct tss);
	cpu->tss.ist[IST_DOUBLE_FAULT - 1] = (uintptr_t)fault_stacks[cpu->vcpu_id + 1];
	cpu->self = cpu;
	__asm__ volatile("lgdt %0; lidt %1; ltr %w2" ::"m"(gdtr), "m"(idtr), "r"(SEL_TSS)
			 : "memory");
	wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
}

static __attribute__((noreturn)) void die(struct regs *r)
{
	printf("unexpected %s at %#lx on vCPU %u, CR2 %#lx\n",
	       fault_name(FAULT(r->vector, r->error & 0xffff)), r->rip, this_cpu()->vcpu_id,
	       read_cr2());
	printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", r->rax, r->rbx, r->rcx, r->rdx);
	printf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", r->rsi, r->rdi, r->rbp, r->rsp);
	printf("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", r->r8, r->r9, r->r10, r->r11);
	printf("cs %lx ss %lx rflags %lx\n", r->cs, r->ss, r->rflags);
	test_finish("FAILURE");
}

/* A fault names the instruction itself; the traps #DB and #BP name the one after it. */
static bool fix_up(struct regs *r)
{
	for (const struct fixup *f = _fixups_start; f < _fixups_end; f++) {
		bool is_trap = r->vector == TRAP_DB || r->vector == TRAP_BP;

		if (r->rip != f->from && !(is_trap && r->rip == f->to))
			continue;
		this_cpu()->fault = FAULT(r->vector, r->error & 0xffff);
		r->rip = f->to;
		r->rflags &= ~RFLAGS_TF;
		return true;
	}
	return false;
}

void trap_handle(struct regs *r)
{
	irq_handler_t handler = irq_handlers[r->vector & 0xff];

	if (handler)
		handler(r);
	else if (r->vector >= 32 || !fix_up(r))
		die(r);
}

void irq_set_handler(unsigned int vector, irq_handler_t handler)
{
	irq_handlers[vector & 0xff] = handler;
}

const char *fault_name(uint32_t fault)
{
	static const char *const names[] = {
		"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9",
		"#TS", "#NP", "#SS", "#GP", "#PF", "#15", "#MF", "#AC", "#MC", "#XM",
	};
	static char text[32];
	unsigned int vector = fault >> 16 & 0xff;

	if (fault == NO_FAULT)
		return "no fault";
	snprintf(text, sizeof(text), "%s(%x)",
		 vector < ARRAY_SIZE(names) ? names[vector] : "vector",
		 vector < ARRAY_SIZE(names) ? fault & 0xffff : vector);
	return text;
}

uint32_t rdmsr_try(uint32_t msr, uint64_t *value)
{
	uint32_t lo = 0, hi = 0;
	uint32_t fault = TRY("rdmsr", : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");

	if (fault == NO_FAULT)
		*value = (uint64_t)hi << 32 | lo;
	return fault;
}

uint32_t wrmsr_try(uint32_t msr, uint64_t value)
{
	return TRY("wrmsr",
		   :
		   : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32))
		   : "memory");
}

uint64_t user_call(uint64_t (*fn)(uint64_t arg), uint64_t arg)
{
	return user_enter(fn, arg, (uintptr_t)user_stacks[this_cpu()->vcpu_id + 1]);
}

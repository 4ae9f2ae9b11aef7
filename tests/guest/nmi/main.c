/* When an NMI comes that could not come at once: with interrupts off all the time, and no exit to help. */
#include "guest/guest.h"

const char test_title[] =
	"an NMI that has to wait comes as soon as it can, whatever the interrupt flag is";

#define RFLAGS_TF BIT(8)
#define DR6_BS    BIT(14)

static struct {
	uint32_t count, depth, max_depth;
	uint32_t resend;           /* so many send others while they are handled */
	uint32_t times;            /* how many each */
	bool sets_tf;              /* the first has its guest single-stepped from then on */
	uint64_t rip[8], flags[8]; /* where each came */
} nmi;

static struct {
	uint32_t count, nmis_before;
	uint64_t rip, dr6;
} db;

static void send_nmi(void)
{
	apic_send(cpus[0].apic_id, APIC_ICR_NMI);
}

static void on_nmi(struct regs *regs)
{
	uint32_t nr = nmi.count++;

	nmi.depth++;
	nmi.max_depth = MAX(nmi.max_depth, nmi.depth);
	nmi.rip[nr % 8] = regs->rip;
	nmi.flags[nr % 8] = regs->rflags;
	for (uint32_t i = 0; nr < nmi.resend && i < nmi.times; i++)
		send_nmi();
	if (nr == 0 && nmi.sets_tf)
		regs->rflags |= RFLAGS_TF;
	nmi.depth--;
}

static void on_db(struct regs *regs)
{
	db.count++;
	db.nmis_before = nmi.count;
	db.rip = regs->rip;
	__asm__ volatile("mov %%dr6, %0" : "=r"(db.dr6));
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
	regs->rflags &= ~RFLAGS_TF;
}

static void start_over(void)
{
	memset(&nmi, 0, sizeof(nmi));
	nmi.times = 1;
	memset(&db, 0, sizeof(db));
}

static void check_second(void)
{
	start_over();
	nmi.resend = 1;
	send_nmi();
	check_eq(nmi.count, 2, "one that came while another was handled follows its IRET");
	check_eq(nmi.max_depth, 1, "and not earlier");
	check_eq(nmi.rip[1], nmi.rip[0], "with nothing run in between");
	check_eq(nmi.flags[1], nmi.flags[0], "and the same flags");
	check_eq(db.count, 0, "without a debug exception");
	start_over();
	nmi.resend = 7;
	send_nmi();
	check_eq(nmi.count, 8, "so do six more");
	check_eq(nmi.max_depth, 1, "one after the other");
}

static void check_merged(void)
{
	start_over();
	nmi.resend = 1;
	nmi.times = 3;
	send_nmi();
	check_eq(nmi.count, 2, "three that wait are one");
	send_nmi();
	check_eq(nmi.count, 3, "one that comes later is another");
}

/* With TF, the instruction that sends an NMI raises #DB as well, and that goes first. */
static void check_trap(void)
{
	start_over();
	__asm__ volatile("pushfq\n"
			 "orq %0, (%%rsp)\n"
			 "popfq\n"
			 "wrmsr\n"
			 :
			 : "i"(RFLAGS_TF), "c"(0x800 + APIC_ICR), "a"(APIC_ICR_NMI),
			   "d"(cpus[0].apic_id)
			 : "memory", "cc");
	check_eq(db.count, 1, "an instruction that is single-stepped sends one");
	check_eq(db.nmis_before, 1, "it comes when the debug exception was taken");
	check_eq(nmi.count, 1, "once");
	check_eq(nmi.flags[0] & RFLAGS_TF, 0, "in that exception's handler");
}

/* What a debugger does: the first NMI returns to single steps, and another one comes at once. */
static void check_steps(void)
{
	start_over();
	nmi.resend = 1;
	nmi.sets_tf = true;
	send_nmi();
	check_eq(nmi.count, 2, "one comes on return to single steps");
	check_eq(nmi.flags[1] & RFLAGS_TF, RFLAGS_TF, "whose flag it saves");
	check_eq(db.count, 1, "one instruction runs, and the debug exception comes");
	check_eq(db.nmis_before, 2, "after the NMI");
	check(db.rip != nmi.rip[1], "behind that instruction");
	check_eq(db.dr6 & DR6_BS, DR6_BS, "for a single step");
}

void test_main(void)
{
	uint64_t dr6;

	irq_set_handler(TRAP_NMI, on_nmi);
	irq_set_handler(TRAP_DB, on_db);
	irq_disable();
	check(apic_is_x2apic(), "the local APIC is in x2APIC mode");
	check_second();
	check_merged();
	__asm__ volatile("mov %%dr6, %0" : "=r"(dr6));
	check_eq(dr6 & DR6_BS, 0, "nothing of how they were made to wait shows in DR6");
	check_trap();
	check_steps();
}

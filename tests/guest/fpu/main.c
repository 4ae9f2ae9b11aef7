/* FPU and SSE state belongs to each vCPU, however often vCPUs change places on a CPU. */
#include "guest/guest.h"

const char test_title[] = "FPU state survives hypercalls, exits and changes of vCPU";

#define ROUNDS 2000

/* FXSAVE image. The CPU does not write its reserved bytes. */
struct fxsave {
	uint8_t bytes[512];
} __attribute__((aligned(16)));

static struct fxsave patterns[MAX_CPUS];
static volatile uint32_t damaged[MAX_CPUS], rounds[MAX_CPUS];

static void fill(struct fxsave *f, uint32_t vcpu)
{
	memset(f, 0, sizeof(*f));
	f->bytes[0] = 0x7f;                       /* FCW */
	f->bytes[1] = (uint8_t)((vcpu & 3) << 2); /* rounding differs */
	f->bytes[4] = 0xff;                       /* all x87 registers are in use */
	f->bytes[24] = 0x80;                      /* MXCSR */
	f->bytes[25] = (uint8_t)(0x1f | (vcpu & 3) << 5);
	for (unsigned int i = 0; i < 8; i++)
		memset(&f->bytes[32 + 16 * i], (int)(0x40 + 8 * vcpu + i), 10);
	for (unsigned int i = 0; i < 16; i++)
		memset(&f->bytes[160 + 16 * i], (int)(1 + 16 * vcpu + i), 16);
}

static void hold(void *arg)
{
	uint32_t vcpu = this_cpu()->vcpu_id;
	struct fxsave now __attribute__((aligned(16)));

	(void)arg;
	fill(&patterns[vcpu], vcpu);
	memset(&now, 0, sizeof(now));
	__asm__ volatile("fxrstor64 %0" ::"m"(patterns[vcpu]));
	for (; rounds[vcpu] < ROUNDS; rounds[vcpu]++) {
		if (rounds[vcpu] % 3 == 0)
			sched_op(SCHEDOP_yield, NULL);
		else if (rounds[vcpu] % 3 == 1)
			cpuid(0);
		else
			for (unsigned int i = 0; i < 500; i++)
				pause();
		__asm__ volatile("fxsave64 %0" : "=m"(now));
		if (memcmp(&now.bytes[0], &patterns[vcpu].bytes[0], 2) ||
		    memcmp(&now.bytes[24], &patterns[vcpu].bytes[24], 2) ||
		    memcmp(&now.bytes[32], &patterns[vcpu].bytes[32], 384))
			damaged[vcpu]++;
	}
}

/* CR0.TS belongs to the guest: its #NM is the guest's, and nobody clears it. */
static void check_task_switched(void)
{
	write_cr0(read_cr0() | CR0_TS);
	check_fault(TRY("movaps %xmm0, %xmm1"), FAULT(TRAP_NM, 0), "SSE under CR0.TS gives #NM");
	check(read_cr0() & CR0_TS, "CR0.TS stays set");
	sched_op(SCHEDOP_yield, NULL);
	check_fault(TRY("fwait"), FAULT(TRAP_NM, 0), "FWAIT under CR0.MP and TS gives #NM");
	check_fault(TRY("fld1"), FAULT(TRAP_NM, 0), "x87 under CR0.TS gives #NM");
	__asm__ volatile("clts");
	check_fault(TRY("movaps %xmm0, %xmm1"), NO_FAULT, "CLTS ends it");
	write_cr0(read_cr0() | CR0_EM);
	check_fault(TRY("movaps %xmm0, %xmm1"), UD0, "SSE under CR0.EM gives #UD");
	write_cr0(read_cr0() & ~CR0_EM);
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	check(nr_cpus >= 4, "there are %u vCPUs, more than CPUs", nr_cpus);
	for (unsigned int i = 1; i < nr_cpus; i++)
		cpu_start(i, hold, NULL);
	hold(NULL);
	for (unsigned int i = 1; i < nr_cpus; i++)
		cpu_wait_down(i);
	for (unsigned int i = 0; i < nr_cpus; i++) {
		check_eq(rounds[i], ROUNDS, "vCPU %u held its registers for %u rounds", i, ROUNDS);
		check_eq(damaged[i], 0, "and never lost them");
	}
	check_task_switched();
}

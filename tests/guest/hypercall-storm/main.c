/*
 * Hypercalls with arguments out of a bag of plausible and absurd values, on all vCPUs at once. They may
 * all fail; the machine must go on, and the guest must find itself unharmed where it did not ask for harm.
 * For it does ask for the loss of pages, and for results anywhere: so its image lies where no argument points
 * to, nor a piece of one, nor of an earlier result (CMakeLists.txt), and scratch lies far from everything else.
 * "seed=N" on the command line repeats what each vCPU asks for; the seed is printed.
 */
#include "guest/guest.h"

const char test_title[] = "no sequence of odd hypercalls stops the machine";

#define SCRATCH_PAGES 16u
#define ROUNDS        20000u
#define REFILL_ROUNDS 100u
#define GAP_PAGES \
	512u /* around scratch: the largest block that a call can ask to lose, or to have filled */
#define NO_POINTER (TEST_VA + 0x1000000)

static uint8_t *scratch; /* SCRATCH_PAGES of each vCPU */
static uint64_t states[MAX_CPUS];

/* xorshift64* */
static uint64_t next(void)
{
	uint64_t *state = &states[this_cpu()->vcpu_id];

	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1d;
}

static uint64_t below(uint64_t limit)
{
	return next() % limit;
}

static uint64_t own_scratch(void)
{
	return (uintptr_t)scratch + this_cpu()->vcpu_id * SCRATCH_PAGES * PAGE_SIZE;
}

static uint64_t scratch_address(void)
{
	return own_scratch() + below(SCRATCH_PAGES * PAGE_SIZE);
}

/* A word of a structure: mostly something that could be meant. */
static uint64_t odd_word(void)
{
	switch (below(10)) {
	case 0:
	case 1:
	case 2:
		return below(4);
	case 3:
		return below(64);
	case 4:
		return scratch_address() >> PAGE_SHIFT;
	case 5:
		return scratch_address();
	case 6:
		return DOMID_SELF;
	case 7:
		return next();
	case 8:
		return ~0ULL >> below(64);
	default:
		return BIT(below(64));
	}
}

static uint64_t odd_pointer(void)
{
	switch (below(8)) {
	case 0:
		return NO_POINTER;
	case 1:
		return next();
	case 2: /* crosses into the unmapped */
		return TEST_VA + PAGE_SIZE - below(64);
	default:
		return scratch_address() & ~7ULL;
	}
}

/* A structure in scratch: words of 8 and 4 bytes in any mixture. */
static void fill(uint64_t at)
{
	uint8_t *to = (uint8_t *)at;
	uint64_t end = own_scratch() + SCRATCH_PAGES * PAGE_SIZE;

	if (at < own_scratch() || at + 64 > end)
		return;
	for (unsigned int i = 0; i < 64;) {
		uint64_t word = odd_word();
		unsigned int size = 4u << below(2);

		memcpy(to + i, &word, i + size > 64 ? 4 : size);
		i += size;
	}
}

/* Left out is what does as told and ends the run: to stop, to wait, to print, to start other code. */
static bool is_left_out(uint64_t nr, uint32_t cmd)
{
	switch (nr) {
	case __HYPERVISOR_console_io:
	case __HYPERVISOR_multicall:
		return true;
	case __HYPERVISOR_sched_op:
		return cmd != SCHEDOP_yield;
	case __HYPERVISOR_vcpu_op:
		return cmd <= VCPUOP_down;
	default:
		return nr >= 56;
	}
}

static void one_call(void)
{
	static const uint8_t favourites[] = {
		__HYPERVISOR_memory_op,      __HYPERVISOR_event_channel_op,
		__HYPERVISOR_grant_table_op, __HYPERVISOR_vcpu_op,
		__HYPERVISOR_hvm_op,         __HYPERVISOR_physdev_op,
		__HYPERVISOR_xen_version,    __HYPERVISOR_vm_assist,
		__HYPERVISOR_set_timer_op,
	};
	uint64_t nr = below(8) ? favourites[below(sizeof(favourites))] : below(56);
	uint64_t cmd = below(16) ? below(30) : odd_word();
	uint64_t second = odd_pointer(), third = below(2) ? below(5) : odd_pointer();

	if (is_left_out(nr, (uint32_t)cmd))
		return;
	fill(second);
	fill(third);
	/* A count, whose results go into as many structures. */
	if (nr == __HYPERVISOR_grant_table_op)
		third = below(8);
	/* Not 2^order pages at a time: all of scratch would soon be gone. */
	if (nr == __HYPERVISOR_memory_op && (cmd & MEMOP_CMD_MASK) <= XENMEM_populate_physmap) {
		second = own_scratch() + below(SCRATCH_PAGES) * PAGE_SIZE;
		fill(second);
		((struct xen_memory_reservation *)second)->extent_order = 0;
	}
	if (nr == __HYPERVISOR_vcpu_op)
		hypercall5(nr, cmd, below(4), third, odd_word(), odd_word());
	else
		hypercall5(nr, cmd, second, third, odd_word(), odd_word());
}

static void ignore(struct regs *regs)
{
	(void)regs;
}

static uint64_t choose_seed(void)
{
	const char *text = strstr(command_line(), "seed=");
	uint64_t seed = 0;

	if (!text)
		return rdtsc() | 1;
	for (text += 5; *text >= '0' && *text <= '9'; text++)
		seed = seed * 10 + (uint64_t)(*text - '0');
	return seed | 1;
}

/* What is lost of scratch comes back: writes to where no memory is are emulated, which takes long. */
static void refill_scratch(void)
{
	for (uint64_t page = 0; page < SCRATCH_PAGES; page++) {
		uint64_t gfn = (own_scratch() >> PAGE_SHIFT) + page;
		struct xen_memory_reservation r = {
			.extent_start = (uintptr_t)&gfn,
			.nr_extents = 1,
			.domid = DOMID_SELF,
		};

		memory_op(XENMEM_populate_physmap, &r);
	}
}

static volatile bool all_run; /* before, one could meet an NMI without a handler */

static void storm(void *arg)
{
	(void)arg;
	while (!all_run)
		pause();
	for (unsigned int i = 0; i < ROUNDS; i++) {
		if (i % REFILL_ROUNDS == 0)
			refill_scratch();
		one_call();
	}
}

/* Behind scratch is no memory: a list of zeros up to the end of the gap would take seconds. */
static void alloc_scratch(void)
{
	uint64_t end;
	struct xen_memory_reservation r = { .extent_start = (uintptr_t)&end,
					    .nr_extents = 1,
					    .domid = DOMID_SELF };

	scratch = pages_alloc(SCRATCH_PAGES * nr_cpus + 2 * GAP_PAGES);
	scratch += GAP_PAGES * PAGE_SIZE;
	end = gfn_of(scratch) + SCRATCH_PAGES * nr_cpus;
	check_err(memory_op(XENMEM_decrease_reservation, &r), 1, "a page is given back");
}

void test_main(void)
{
	uint64_t sum = 0, seed = choose_seed();
	uint8_t *kept = page_alloc();

	event_init(EVENT_CALLBACK_VECTOR); /* for the clock */
	memset(kept, 0x5a, PAGE_SIZE);
	alloc_scratch();
	map_page(TEST_VA, (uintptr_t)scratch | PTE_P | PTE_W);
	irq_set_handler(TRAP_NMI, ignore);
	note("seed=%lu", seed);
	for (unsigned int i = 0; i < nr_cpus; i++)
		states[i] = seed + 2 * i * 0x9e3779b97f4a7c15;
	for (unsigned int i = 1; i < nr_cpus; i++)
		cpu_start(i, storm, NULL);
	all_run = true;
	storm(NULL);
	for (unsigned int i = 1; i < nr_cpus; i++) {
		while (*(volatile bool *)&cpus[i].running)
			pause();
	}
	check_err(xen_version(XENVER_version, NULL), 4 << 16 | 17,
		  "after %u calls on each of %u vCPUs one still answers", ROUNDS, nr_cpus);
	for (unsigned int i = 0; i < PAGE_SIZE; i++)
		sum += kept[i];
	check_eq(sum, 0x5a * PAGE_SIZE, "a page that no call named is untouched");
}

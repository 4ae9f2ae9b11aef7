/*
 * Hypercalls with arguments out of a bag of plausible and absurd values, on all vCPUs at once. They may
 * all fail; the machine must go on, and the guest must find itself unharmed where it did not ask for harm.
 * "seed=N" on the command line repeats what each vCPU asks for; the seed is printed.
 */
#include "guest/guest.h"

const char test_title[] = "no sequence of odd hypercalls stops the machine";

#define SCRATCH_PAGES 16u
#define ROUNDS        60000u
#define MARGIN_PAGES  4u /* for results that begin at the end of scratch */
#define NO_POINTER    (TEST_VA + 0x1000000)

extern const uint8_t _image_start[], _image_end[];

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
static uint64_t draw_word(void)
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

/* As an address or as a frame, would it be a part of this image that is not scratch? */
static bool is_own(uint64_t address)
{
	bool in_image =
		address + PAGE_SIZE > (uintptr_t)_image_start && address < (uintptr_t)_image_end;

	return in_image && (address < (uintptr_t)scratch ||
			    address >= (uintptr_t)scratch + nr_cpus * SCRATCH_PAGES * PAGE_SIZE);
}

static uint64_t odd_word(void)
{
	uint64_t word;

	do
		word = draw_word();
	while (is_own(word) || is_own(word << PAGE_SHIFT) || is_own((uint32_t)word) ||
	       is_own((uint64_t)(uint32_t)word << PAGE_SHIFT));
	return word;
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
	/* Not 2^order pages at a time: those would be the image's. */
	if (nr == __HYPERVISOR_memory_op && cmd <= XENMEM_populate_physmap) {
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

static volatile bool all_run; /* before, one could meet an NMI without a handler */

static void storm(void *arg)
{
	(void)arg;
	while (!all_run)
		pause();
	for (unsigned int i = 0; i < ROUNDS; i++)
		one_call();
}

void test_main(void)
{
	uint64_t sum = 0, seed = choose_seed();
	uint8_t *kept = page_alloc();

	event_init(EVENT_CALLBACK_VECTOR); /* for the clock */
	memset(kept, 0x5a, PAGE_SIZE);
	scratch = pages_alloc(SCRATCH_PAGES * nr_cpus + MARGIN_PAGES);
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

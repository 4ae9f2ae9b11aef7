/*
 * AMD's IOMMU, after the public specification 48882.
 *
 * Each PCI segment has one device table, which its IOMMUs share. Every entry starts blocked: valid, no
 * page tables, no rights, interrupts aborted. attach() puts the root of the domain's nested page tables
 * into the entry; those tables carry the IOMMU's fields beside the CPU's (x86/svm/npt.c). With interrupt
 * remapping each device has a table of its own, one entry for each of its MSIs; each IO-APIC too, one
 * entry for each pin, the index being what stands in place of the vector.
 *
 * Faults are logged with device and address, a few each second; the device's entry stays.
 *
 * Locking: iommu_lock for device tables, interrupt tables and command buffers of all IOMMUs. Commands
 * are rare (a flush for each unmap of memory that devices reach), and each waits for its completion.
 *
 * It does not do: page requests, guest tables, ATS, remapped interrupts to APIC ids above 255.
 */
#include "x86/iommu/amd.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/iommu.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/spinlock.h"
#include "x86/apic.h"
#include "x86/ioapic.h"
#include "x86/iommu/iommu.h"
#include "x86/iommu/ivrs.h"
#include "x86/irq.h"
#include "x86/paging.h"
#include "x86/pci.h"
#include "x86/private-mmio.h"
#include "x86/trap.h"
#include "x86/vm/service-vm.h"

/* Registers. */
#define REG_DEVICE_TABLE 0x00u
#define REG_COMMAND_BASE 0x08u
#define REG_EVENT_BASE   0x10u
#define REG_CONTROL      0x18u
#define REG_COMMAND_HEAD 0x2000u
#define REG_COMMAND_TAIL 0x2008u
#define REG_EVENT_HEAD   0x2010u
#define REG_EVENT_TAIL   0x2018u
#define REG_STATUS       0x2020u
#define REGISTER_BYTES   0x4000u

#define CONTROL_ENABLE     (1ull << 0)
#define CONTROL_HT_TUNNEL  (1ull << 1)
#define CONTROL_EVENT_LOG  (1ull << 2)
#define CONTROL_EVENT_INT  (1ull << 3)
#define CONTROL_PASS_PW    (1ull << 8)
#define CONTROL_RES_PASSPW (1ull << 9)
#define CONTROL_COHERENT   (1ull << 10)
#define CONTROL_ISOC       (1ull << 11)
#define CONTROL_COMMANDS   (1ull << 12)

#define STATUS_OVERFLOW  (1ull << 0)
#define STATUS_EVENT_INT (1ull << 1)

/* Command buffer and event log: one page each, 256 entries of 16 bytes. */
#define LOG_ENTRIES  256u
#define LOG_LENGTH   (8ull << 56)
#define ENTRY_BYTES  16u
#define BYTES_IN_LOG (LOG_ENTRIES * ENTRY_BYTES)

#define COMMAND(code)          ((uint64_t)(code) << 60)
#define COMMAND_WAIT           COMMAND(1)
#define COMMAND_WAIT_STORE     1ull
#define COMMAND_INV_DEVICE     COMMAND(2)
#define COMMAND_INV_PAGES      COMMAND(3)
#define COMMAND_INV_INTERRUPTS COMMAND(5)
#define INV_PAGES_RANGE        1ull /* S: the address's low one bits tell the size */
#define INV_PAGES_TABLES       2ull /* PDE: cached upper levels, too */
#define INV_PAGES_ALL          0x7ffffffffffff000ull

/* Device table entry. */
struct dte {
	uint64_t q[4];
};
#define DTE0_VALID        (1ull << 0)
#define DTE0_TRANSLATION  (1ull << 1)
#define DTE0_LEVELS(n)    ((uint64_t)(n) << 9)
#define DTE0_READ         (1ull << 61)
#define DTE0_WRITE        (1ull << 62)
#define DTE2_INTERRUPTS   (1ull << 0)
#define DTE2_LOG2_SIZE(n) ((uint64_t)(n) << 1)
#define DTE2_REMAP        (2ull << 60)
#define NESTED_LEVELS     4u

/* Interrupt table entry, 32-bit format. */
#define IRTE_VALID     (1u << 0)
#define IRTE_DEST(id)  ((uint32_t)(id) << 8)
#define IRTE_VECTOR(v) ((uint32_t)(v) << 16)
#define IRT_MAX_LOG2   11u
#define SHARED_INDEXES 256u /* for an id that several devices send under */
#define IOAPIC_INDEXES 256u /* any vector that an entry of an IO-APIC can hold */

#define MAX_SEGMENTS    8u
#define EVENT_PERIOD_NS NS_PER_SEC
#define EVENTS_A_PERIOD 8u

struct interrupt_table {
	uint32_t *entry;
	unsigned nr, nr_used;
};

struct segment {
	uint16_t number;
	uint32_t nr_devices;               /* what the device table has room for */
	struct dte *device;                /* iommu_lock */
	struct interrupt_table *interrupt; /* by device; iommu_lock */
};

struct amd_iommu {
	const struct ivrs_iommu *info;
	struct segment *segment;
	volatile uint8_t *registers;
	uint64_t *command, *event; /* the buffers */
	uint32_t command_tail;     /* iommu_lock, as completed */
	volatile uint64_t *completed;
	uint64_t sequence;
};

static struct spinlock iommu_lock = SPINLOCK(LOCK_RANK_IOMMU);
static struct segment segments[MAX_SEGMENTS];
static struct amd_iommu iommus[IVRS_MAX_IOMMUS];
static unsigned nr_segments, nr_iommus;

static uint64_t read_register(const struct amd_iommu *io, unsigned reg)
{
	return *(volatile uint64_t *)(uintptr_t)(io->registers + reg);
}

static void write_register(const struct amd_iommu *io, unsigned reg, uint64_t value)
{
	*(volatile uint64_t *)(uintptr_t)(io->registers + reg) = value;
}

static unsigned log2_ceil(unsigned n)
{
	return n > 1 ? log2_floor(n - 1) + 1 : 0;
}

static uint64_t mpa_of(const void *p)
{
	return mfn_to_mpa(ptr_to_mfn(p)).a + (uintptr_t)p % PAGE_SIZE;
}

static struct segment *find_segment(uint16_t number)
{
	for (unsigned i = 0; i < nr_segments; i++)
		if (segments[i].number == number)
			return &segments[i];
	return NULL;
}

/* Commands. iommu_lock held. */

static void queue(struct amd_iommu *io, uint64_t low, uint64_t high)
{
	uint32_t next = (io->command_tail + 1) % LOG_ENTRIES;

	/* Each batch is waited for, so there is room unless the IOMMU has stopped. */
	io->command[io->command_tail * 2] = low;
	io->command[io->command_tail * 2 + 1] = high;
	io->command_tail = next;
}

static void submit_and_wait(struct amd_iommu *io)
{
	uint64_t sequence = ++io->sequence, start;

	queue(io,
	      COMMAND_WAIT | mpa_of((const void *)(uintptr_t)io->completed) | COMMAND_WAIT_STORE,
	      sequence);
	smp_mb(); /* tables and commands before the IOMMU is told */
	write_register(io, REG_COMMAND_TAIL, io->command_tail * ENTRY_BYTES);
	if (*io->completed == sequence)
		return;
	start = arch_now_ns();
	while (*io->completed != sequence) {
		if (arch_now_ns() - start > NS_PER_SEC)
			panic("IOMMU %04x:%04x does not execute commands: status %#" PRIx64,
			      io->info->segment, io->info->bdf, read_register(io, REG_STATUS));
		cpu_relax();
	}
}

/* One command to all IOMMUs of a segment (NULL: of all). */
static void command(const struct segment *s, uint64_t low, uint64_t high)
{
	for (unsigned i = 0; i < nr_iommus; i++) {
		if (s && iommus[i].segment != s)
			continue;
		queue(&iommus[i], low, high);
		submit_and_wait(&iommus[i]);
	}
}

/* DMA. */

/* Domain 0 of the IOMMU is for those who have none. */
static uint16_t iommu_domain(const struct domain *d)
{
	return (uint16_t)(d->id + 1);
}

static void flush(struct domain *d, gfn_t gfn, uint64_t nr_pages)
{
	uint64_t first = gfn.n << PAGE_SHIFT, last = ((gfn.n + nr_pages) << PAGE_SHIFT) - 1;
	uint64_t address = first, differ = first ^ last;

	if (nr_pages != 1) {
		/* The block that is invalidated is naturally aligned: its size is told by the one bits
		 * below its highest, which is zero. */
		unsigned bits = differ ? log2_floor(differ) : PAGE_SHIFT;

		address = bits > 51 ? INV_PAGES_ALL : (first | (BIT64(bits) - 1)) & ~BIT64(bits);
		address = (address & PAGE_MASK) | INV_PAGES_RANGE;
	}
	spin_lock(&iommu_lock);
	command(NULL, COMMAND_INV_PAGES | (uint64_t)iommu_domain(d) << 32,
		address | INV_PAGES_TABLES);
	spin_unlock(&iommu_lock);
}

static void attach_one(const struct segment *s, struct domain *d, uint16_t bdf)
{
	struct dte *e = &s->device[bdf];

	WRITE_ONCE(e->q[1], iommu_domain(d));
	barrier(); /* the IOMMU may read the entry at any time: rights come last */
	WRITE_ONCE(e->q[0], DTE0_VALID | DTE0_TRANSLATION | DTE0_LEVELS(NESTED_LEVELS) |
				    mfn_to_mpa(MFN(d->arch.p2m_root.n)).a | DTE0_READ | DTE0_WRITE);
	command(s, COMMAND_INV_DEVICE | bdf, 0);
}

/* Calls fn for the device and for what it may send as. */
static uint16_t next_alias(const struct segment *s, uint16_t bdf, unsigned *i)
{
	while (*i < ivrs.nr_aliases) {
		const struct ivrs_alias *a = &ivrs.alias[(*i)++];

		if (a->segment == s->number && bdf >= a->first && bdf <= a->last)
			return a->bdf;
	}
	return bdf;
}

static int attach(struct domain *d, uint16_t segment, uint16_t bdf)
{
	struct segment *s = find_segment(segment);
	unsigned i = 0;
	uint16_t alias;

	if (!s || bdf >= s->nr_devices) {
		log_warn("IOMMU: device %04x:%02x:%02x.%x is behind none: its DMA is blocked\n",
			 segment, bdf >> 8, bdf >> 3 & 31, bdf & 7u);
		return 0;
	}
	spin_lock(&iommu_lock);
	attach_one(s, d, bdf);
	while ((alias = next_alias(s, bdf, &i)) != bdf)
		attach_one(s, d, alias);
	spin_unlock(&iommu_lock);
	if (iommu_verbose)
		log_info("IOMMU: device %04x:%02x:%02x.%x is domain %u's\n", segment, bdf >> 8,
			 bdf >> 3 & 31, bdf & 7u, d->id);
	for (i = 0; i < ivrs.nr_unities; i++)
		if (service_vm_map_identity(d, ivrs.unity[i].start, ivrs.unity[i].bytes))
			return -XEN_ENOMEM;
	return 0;
}

static const struct iommu_ops amd_ops = { "AMD-Vi", attach, flush };

/* Interrupts. */

static int make_table(struct segment *s, uint16_t bdf, unsigned nr)
{
	struct interrupt_table *t = &s->interrupt[bdf];
	unsigned log2 = MAX(log2_ceil(nr), 5u); /* tables are aligned to 128 bytes */

	if (log2 > IRT_MAX_LOG2)
		return -XEN_EINVAL;
	t->entry = mem_alloc(sizeof(*t->entry) << log2);
	if (!t->entry)
		return -XEN_ENOMEM;
	t->nr = 1u << log2;
	WRITE_ONCE(s->device[bdf].q[2],
		   DTE2_INTERRUPTS | DTE2_LOG2_SIZE(log2) | mpa_of(t->entry) | DTE2_REMAP);
	command(s, COMMAND_INV_DEVICE | bdf, 0);
	command(s, COMMAND_INV_INTERRUPTS | bdf, 0);
	return 0;
}

/* A device that sends under another's id uses that one's table. */
static uint16_t interrupt_id(const struct segment *s, uint16_t bdf)
{
	unsigned i = 0;

	return next_alias(s, bdf, &i);
}

static bool is_shared_id(const struct segment *s, uint16_t bdf)
{
	for (unsigned i = 0; i < ivrs.nr_aliases; i++)
		if (ivrs.alias[i].segment == s->number && ivrs.alias[i].bdf == bdf)
			return true;
	return false;
}

/* Indexes of one device are neighbours, and aligned as its MSIs need it. */
static int take_indexes(struct segment *s, uint16_t bdf, unsigned nr, unsigned *ret_first)
{
	struct interrupt_table *t = &s->interrupt[bdf];
	unsigned first = (unsigned)align_up(t->nr_used, 1u << log2_ceil(nr));
	int err = 0;

	if (!t->entry)
		err = make_table(s, bdf, is_shared_id(s, bdf) ? MAX(nr, SHARED_INDEXES) : nr);
	if (!err && first + nr > t->nr)
		err = -XEN_ENOSPC;
	if (err)
		return err;
	t->nr_used = first + nr;
	*ret_first = first;
	return 0;
}

static int prepare(uint16_t segment, uint16_t bdf, unsigned nr, unsigned *ret_first)
{
	struct segment *s = find_segment(segment);
	int err;

	*ret_first = 0;
	if (!s || bdf >= s->nr_devices)
		return 0; /* attach() says that it is blocked */
	spin_lock(&iommu_lock);
	err = take_indexes(s, interrupt_id(s, bdf), nr, ret_first);
	spin_unlock(&iommu_lock);
	return err;
}

static void set_index(struct segment *s, uint16_t bdf, unsigned index, uint32_t entry)
{
	struct interrupt_table *t = &s->interrupt[bdf];

	spin_lock(&iommu_lock);
	if (index < t->nr && t->entry[index] != entry) {
		WRITE_ONCE(t->entry[index], entry);
		command(s, COMMAND_INV_INTERRUPTS | bdf, 0);
	}
	spin_unlock(&iommu_lock);
}

static uint32_t make_entry(const struct irq *irq)
{
	return irq ? IRTE_VALID | IRTE_DEST(irq_apic_id(irq)) | IRTE_VECTOR(irq->vector) : 0;
}

static void set(uint16_t segment, uint16_t bdf, unsigned index, const struct irq *irq)
{
	struct segment *s = find_segment(segment);

	if (s && bdf < s->nr_devices)
		set_index(s, interrupt_id(s, bdf), index, make_entry(irq));
}

/* NULL where firmware names an id that no IOMMU translates. */
static struct segment *segment_of(const struct ivrs_ioapic *a)
{
	struct segment *s = find_segment(a->segment);

	return s && a->bdf < s->nr_devices ? s : NULL;
}

static bool set_pin(uint8_t ioapic_id, unsigned pin, const struct irq *irq)
{
	for (unsigned i = 0; i < ivrs.nr_ioapics; i++) {
		const struct ivrs_ioapic *a = &ivrs.ioapic[i];
		struct segment *s = segment_of(a);

		if (a->id == ioapic_id && s) {
			set_index(s, a->bdf, pin, make_entry(irq));
			return true;
		}
	}
	return false;
}

static const struct irq_remap_ops amd_remap = { prepare, set, set_pin };

/* The serial line's interrupt was set up before: it keeps working, its vector being its index. */
static void keep_serial_interrupt(struct segment *s, const struct ivrs_ioapic *a)
{
	const struct irq serial = { .vector = VECTOR_SERIAL };

	set_index(s, a->bdf, VECTOR_SERIAL, make_entry(&serial));
}

static bool can_remap(void)
{
	for (unsigned i = 0; i < nr_cpus; i++)
		if (cpus[i]->arch.apic_id > 0xff)
			return false;
	for (unsigned i = 0; i < nr_ioapics; i++) {
		bool found = false;

		for (unsigned j = 0; j < ivrs.nr_ioapics; j++)
			found |= ivrs.ioapic[j].id == ioapic_info(i)->id &&
				 segment_of(&ivrs.ioapic[j]);
		if (!found)
			return false;
	}
	return true;
}

/* Before the IOMMUs run: they keep what they have read of a device's entry. */
static void start_remapping(void)
{
	if (!iommu_intremap)
		return;
	if (!can_remap()) {
		log_warn(
			"IOMMU: interrupts are not remapped: firmware does not list the IO-APICs\n");
		return;
	}
	/* Everything that has no table yet is blocked: the service VM's devices get theirs. */
	for (unsigned i = 0; i < nr_segments; i++)
		for (uint32_t bdf = 0; bdf < segments[i].nr_devices; bdf++)
			segments[i].device[bdf].q[2] = DTE2_INTERRUPTS;
	for (unsigned i = 0; i < ivrs.nr_ioapics; i++) {
		const struct ivrs_ioapic *a = &ivrs.ioapic[i];
		struct segment *s = segment_of(a);
		unsigned first;

		if (!s)
			continue;
		if (prepare(a->segment, a->bdf, IOAPIC_INDEXES, &first))
			boot_fail("no memory for the IOMMU's interrupt tables");
		keep_serial_interrupt(s, a);
	}
	irq_remap = &amd_remap;
}

/* Events. */

static void log_event(const struct amd_iommu *io, const uint64_t *e)
{
	static uint64_t window_ns;
	static unsigned nr;
	uint64_t now = arch_now_ns();
	uint16_t bdf = (uint16_t)e[0];

	if (now - window_ns > EVENT_PERIOD_NS) {
		window_ns = now;
		nr = 0;
	}
	if (++nr > EVENTS_A_PERIOD)
		return;
	log_warn("IOMMU: device %04x:%02x:%02x.%x, event %u, address %#" PRIx64 " (%#" PRIx64
		 ")%s\n",
		 io->info->segment, bdf >> 8, bdf >> 3 & 31, bdf & 7u, (unsigned)(e[0] >> 60), e[1],
		 e[0], nr == EVENTS_A_PERIOD ? "; more in this second are not shown" : "");
}

static void drain_events(struct amd_iommu *io)
{
	uint64_t head = read_register(io, REG_EVENT_HEAD) % BYTES_IN_LOG;
	uint64_t tail = read_register(io, REG_EVENT_TAIL) % BYTES_IN_LOG;

	for (; head != tail; head = (head + ENTRY_BYTES) % BYTES_IN_LOG) {
		uint64_t *e = &io->event[head / sizeof(uint64_t)];

		log_event(io, e);
		e[0] = 0;
		e[1] = 0;
	}
	write_register(io, REG_EVENT_HEAD, head);
}

static void restart_log(const struct amd_iommu *io)
{
	uint64_t control = read_register(io, REG_CONTROL);

	write_register(io, REG_CONTROL, control & ~CONTROL_EVENT_LOG);
	write_register(io, REG_STATUS, STATUS_OVERFLOW);
	write_register(io, REG_EVENT_HEAD, 0);
	write_register(io, REG_EVENT_TAIL, 0);
	write_register(io, REG_CONTROL, control);
}

static void event_interrupt(uint8_t vector)
{
	(void)vector;
	for (unsigned i = 0; i < nr_iommus; i++) {
		struct amd_iommu *io = &iommus[i];

		/* Cleared first: what comes while the log is read interrupts again. */
		write_register(io, REG_STATUS, STATUS_EVENT_INT);
		drain_events(io);
		if (read_register(io, REG_STATUS) & STATUS_OVERFLOW)
			restart_log(io);
	}
	apic_eoi();
}

static void enable_event_interrupt(const struct ivrs_iommu *info)
{
	unsigned cap = pci_find_capability(info->segment, info->bdf, PCI_CAP_MSI);
	const struct irq irq = { .vector = VECTOR_IOMMU };
	uint16_t control;

	if (!cap) {
		log_warn("IOMMU: no MSI: faults are not reported\n");
		return;
	}
	control = (uint16_t)pci_read(info->segment, info->bdf, cap + 2, 2);
	pci_write(info->segment, info->bdf, cap + 4, 4, irq_msi_address(&irq));
	if (control & 0x80)
		pci_write(info->segment, info->bdf, cap + 8, 4, 0);
	pci_write(info->segment, info->bdf, cap + (control & 0x80 ? 12 : 8), 2, irq_msi_data(&irq));
	pci_write(info->segment, info->bdf, cap + 2, 2, (control & ~0x70u) | 1);
}

/* Start. */

static void *alloc_block(uint64_t bytes)
{
	unsigned order = bytes > PAGE_SIZE ? log2_floor(bytes - 1) + 1 - PAGE_SHIFT : 0;
	mfn_t mfn = page_alloc(order, NODE_ANY, PAGE_ALLOC_ZERO);

	if (mfn_is_none(mfn))
		boot_fail("no memory for the IOMMU's tables");
	return mfn_to_ptr(mfn);
}

static uint64_t device_table_bytes(const struct segment *s)
{
	return align_up(s->nr_devices * sizeof(struct dte), PAGE_SIZE);
}

static struct segment *make_segment(uint16_t number)
{
	struct segment *s = find_segment(number);

	if (s)
		return s;
	if (nr_segments == MAX_SEGMENTS)
		boot_fail("the machine has more than %u PCI segments", MAX_SEGMENTS);
	s = &segments[nr_segments++];
	s->number = number;
	s->nr_devices = (uint32_t)align_up(ivrs.last_bdf + 1u, PAGE_SIZE / sizeof(struct dte));
	s->device = alloc_block(device_table_bytes(s));
	s->interrupt = alloc_block(s->nr_devices * sizeof(*s->interrupt));
	for (uint32_t i = 0; i < s->nr_devices; i++)
		s->device[i].q[0] = DTE0_VALID | DTE0_TRANSLATION;
	return s;
}

static uint64_t control_bits(const struct ivrs_iommu *info)
{
	uint64_t bits = CONTROL_COHERENT;

	bits |= info->flags & IVHD_FLAG_HT_TUNNEL ? CONTROL_HT_TUNNEL : 0;
	bits |= info->flags & IVHD_FLAG_PASS_PW ? CONTROL_PASS_PW : 0;
	bits |= info->flags & IVHD_FLAG_RES_PASSPW ? CONTROL_RES_PASSPW : 0;
	bits |= info->flags & IVHD_FLAG_ISOC ? CONTROL_ISOC : 0;
	return bits;
}

static void start_one(const struct ivrs_iommu *info)
{
	struct amd_iommu *io = &iommus[nr_iommus++];

	io->info = info;
	io->segment = make_segment(info->segment);
	io->registers = map_mmio(info->base, REGISTER_BYTES);
	io->command = alloc_block(BYTES_IN_LOG);
	io->event = alloc_block(BYTES_IN_LOG);
	io->completed = alloc_block(PAGE_SIZE);
	private_mmio_add(info->base, REGISTER_BYTES);

	write_register(io, REG_CONTROL, 0);
	write_register(io, REG_DEVICE_TABLE,
		       mpa_of(io->segment->device) |
			       (device_table_bytes(io->segment) / PAGE_SIZE - 1));
	write_register(io, REG_COMMAND_BASE, mpa_of(io->command) | LOG_LENGTH);
	write_register(io, REG_EVENT_BASE, mpa_of(io->event) | LOG_LENGTH);
	write_register(io, REG_COMMAND_HEAD, 0);
	write_register(io, REG_COMMAND_TAIL, 0);
	write_register(io, REG_EVENT_HEAD, 0);
	write_register(io, REG_EVENT_TAIL, 0);
	enable_event_interrupt(info);
	write_register(io, REG_CONTROL,
		       control_bits(info) | CONTROL_COMMANDS | CONTROL_EVENT_LOG |
			       CONTROL_EVENT_INT | CONTROL_ENABLE);
	if (iommu_verbose)
		log_info("IOMMU %04x:%02x:%02x.%x, registers at %#" PRIx64 "\n", info->segment,
			 info->bdf >> 8, info->bdf >> 3 & 31, info->bdf & 7u, info->base.a);
}

bool amd_iommu_init(void)
{
	if (!ivrs_parse())
		return false;
	irq_set_handler(VECTOR_IOMMU, event_interrupt);
	for (unsigned i = 0; i < ivrs.nr_iommus; i++)
		(void)make_segment(ivrs.iommu[i].segment);
	start_remapping();
	for (unsigned i = 0; i < ivrs.nr_iommus; i++)
		start_one(&ivrs.iommu[i]);
	iommu_ops = &amd_ops;
	log_info("IOMMU: AMD-Vi, %u, interrupts %s\n", nr_iommus,
		 irq_remap ? "remapped" : "not remapped");
	return true;
}

/*
 * The builder of the service VM: decides how much memory and how many vCPUs it gets, loads its kernel
 * and initial ramdisk, writes its start info, gives it the machine's devices. Runs once, on the boot
 * CPU, before any guest; hence no locks of its own and boot_fail() for whatever is wrong.
 */
#include "x86/vm/service-vm-internal.h"

#include "lib/format.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/iommu.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"
#include "x86/acpi.h"
#include "x86/boot-info.h"
#include "x86/cmdline.h"
#include "x86/ioapic.h"
#include "x86/paging.h"
#include "x86/private-mmio.h"
#include "x86/vm/elf.h"
#include "x86/vm/vioapic.h"
#include "x86/vm/vlapic.h"
#include "x86/vm/vm.h"
#include "x86/vm/vpci.h"

#define MIB      UINT64_C(0x100000)
#define GIB      UINT64_C(0x40000000)
#define FOUR_GIB (4 * GIB)

/* Without dom0_mem=: a quarter of the machine and this, but no more than the limit. */
#define DEFAULT_BASE  (512 * MIB)
#define DEFAULT_LIMIT (8 * GIB)
/* What the hypervisor keeps at least for itself and its first guests. */
#define KEEP_MIN (24 * MIB)

/* Where Linux looks for it is mapped by the kernel's first page tables. */
#define START_INFO_LIMIT GIB

#define LINUX_CMDLINE_BYTES 2048u

/* Options. */

struct memory_size {
	uint64_t bytes;
	bool is_set, is_negative; /* negative: all there is but these */
};

static struct memory_size opt_mem, opt_mem_min, opt_mem_max;
static uint64_t opt_vcpus_min, opt_vcpus_max = UINT64_MAX;

/* "[min:|max:][-]<size>", separated by commas. */
static bool parse_dom0_mem(const char *s)
{
	enum { MEM, MIN_MEM, MAX_MEM, NR };
	struct memory_size sizes[NR] = { opt_mem, opt_mem_min, opt_mem_max };

	do {
		struct memory_size *m = &sizes[MEM];

		if (parse_word(&s, "min"))
			m = &sizes[MIN_MEM];
		else if (parse_word(&s, "max"))
			m = &sizes[MAX_MEM];
		if (m != &sizes[MEM] && *s++ != ':')
			return false;
		m->is_negative = *s == '-';
		if (m->is_negative)
			s++;
		if (!parse_size(&s, &m->bytes))
			return false;
		m->is_set = true;
	} while (*s++ == ',');
	if (s[-1] != '\0')
		return false;
	opt_mem = sizes[MEM];
	opt_mem_min = sizes[MIN_MEM];
	opt_mem_max = sizes[MAX_MEM];
	return true;
}
OPTION_PARSE("dom0_mem", parse_dom0_mem);

/* "<n>" or "[<min>]-[<max>]". */
static bool parse_dom0_max_vcpus(const char *s)
{
	uint64_t min = 0, max = UINT64_MAX;

	if (*s != '-' && !parse_uint(&s, &min))
		return false;
	if (*s == '\0')
		max = min;
	else if (*s++ != '-' || (*s && !parse_uint(&s, &max)))
		return false;
	if (*s != '\0' || !max || min > max)
		return false;
	opt_vcpus_min = min;
	opt_vcpus_max = max;
	return true;
}
OPTION_PARSE("dom0_max_vcpus", parse_dom0_max_vcpus);

static uint32_t choose_vcpus(void)
{
	uint64_t n = MAX(MIN(nr_cpus, opt_vcpus_max), opt_vcpus_min);

	if (n > MAX_VCPUS)
		log_warn("dom0_max_vcpus=: the service VM has %u vCPUs, which is the most\n",
			 MAX_VCPUS);
	return (uint32_t)MIN(n, MAX_VCPUS);
}

static uint64_t size_or(const struct memory_size *m, uint64_t available, uint64_t otherwise)
{
	if (!m->is_set)
		return otherwise;
	if (!m->is_negative)
		return m->bytes;
	return available > m->bytes ? available - m->bytes : 0;
}

static uint64_t choose_memory(uint64_t available)
{
	uint64_t total = page_count_total() << PAGE_SHIFT;
	uint64_t wish = size_or(&opt_mem, available, MIN(total / 4 + DEFAULT_BASE, DEFAULT_LIMIT));

	wish = MIN(wish, size_or(&opt_mem_max, available, UINT64_MAX));
	wish = MAX(wish, size_or(&opt_mem_min, available, 0));
	if (!opt_mem.is_set)
		wish = MIN(wish, available);
	if (wish > available)
		boot_fail("dom0_mem= asks for %" PRIu64 " MiB, but the machine has %" PRIu64
			  " MiB to give: ask for less",
			  wish / MIB, available / MIB);
	return align_down(wish, 2 * MIB);
}

/* Placing. */

/* What is taken of the service VM's RAM while it is loaded. */
struct placement {
	const struct service_vm_map *map;
	struct {
		uint64_t start, end;
	} used[3];
	unsigned nr_used;
};

static void place(struct placement *p, uint64_t start, uint64_t end)
{
	p->used[p->nr_used].start = start;
	p->used[p->nr_used++].end = end;
}

/* The end of what is in the way of [at, at + bytes); 0: nothing is. */
static uint64_t in_the_way(const struct placement *p, uint64_t at, uint64_t bytes)
{
	for (unsigned i = 0; i < p->nr_used; i++)
		if (at < p->used[i].end && p->used[i].start < at + bytes)
			return p->used[i].end;
	return 0;
}

/* The lowest free RAM above the first MiB and below `limit`; 0: none. */
static uint64_t find_room(const struct placement *p, uint64_t bytes, uint64_t align, uint64_t limit)
{
	for (unsigned i = 0; i < p->map->nr; i++) {
		const struct hvm_memmap_table_entry *e = &p->map->entry[i];
		uint64_t end = MIN(e->addr + e->size, limit);
		uint64_t at = align_up(MAX(e->addr, MIB), align), next;

		if (e->type != XEN_HVM_MEMMAP_TYPE_RAM)
			continue;
		for (; at < end && end - at >= bytes; at = align_up(next, align)) {
			next = in_the_way(p, at, bytes);
			if (!next)
				return at;
		}
	}
	return 0;
}

static bool is_ram(const struct service_vm_map *map, uint64_t start, uint64_t end)
{
	for (unsigned i = 0; i < map->nr; i++) {
		const struct hvm_memmap_table_entry *e = &map->entry[i];

		if (e->type == XEN_HVM_MEMMAP_TYPE_RAM && start >= e->addr &&
		    end <= e->addr + e->size)
			return true;
	}
	return false;
}

static _Noreturn void fail_too_small(void)
{
	boot_fail("the service VM's kernel and initial ramdisk do not fit into its memory: "
		  "give it more by dom0_mem=");
}

static void load_kernel(struct domain *d, const struct elf_image *image, struct placement *p)
{
	for (unsigned i = 0; i < image->nr_segments; i++) {
		const struct elf_segment *s = &image->segment[i];

		if (!is_ram(p->map, s->paddr, s->paddr + s->memory_bytes))
			fail_too_small();
		service_vm_write(d, s->paddr, s->data, s->file_bytes);
		service_vm_clear(d, s->paddr + s->file_bytes, s->memory_bytes - s->file_bytes);
	}
	place(p, image->start, image->end);
}

static void load_ramdisk(struct domain *d, struct placement *p, struct hvm_modlist_entry *ret_entry)
{
	const struct boot_module *m = &boot_info.module[1];
	uint64_t at;

	if (boot_info.nr_modules < 2 || !m->bytes)
		return;
	at = find_room(p, m->bytes, PAGE_SIZE, FOUR_GIB);
	if (!at)
		fail_too_small();
	service_vm_write(d, at, mpa_to_ptr(m->base), m->bytes);
	place(p, at, at + m->bytes);
	ret_entry->paddr = at;
	ret_entry->size = m->bytes;
}

struct start_block { /* as written to the guest */
	struct hvm_start_info info;
	struct hvm_modlist_entry module;
	struct hvm_memmap_table_entry map[XEN_HVM_MEMMAP_LINUX_MAX];
	char cmdline[LINUX_CMDLINE_BYTES];
};

static uint64_t write_start_info(struct domain *d, struct placement *p,
				 const struct hvm_modlist_entry *ramdisk, uint64_t rsdp)
{
	struct start_block *b = mem_alloc(sizeof(*b));
	uint64_t at = find_room(p, sizeof(*b), PAGE_SIZE, START_INFO_LIMIT);

	if (!b || !at)
		fail_too_small();
	b->info = (struct hvm_start_info){
		.magic = XEN_HVM_START_MAGIC_VALUE,
		.version = XEN_HVM_START_VERSION,
		.flags = SIF_PRIVILEGED | SIF_INITDOMAIN,
		.nr_modules = ramdisk->size ? 1 : 0,
		.modlist_paddr = at + offsetof(struct start_block, module),
		.cmdline_paddr = at + offsetof(struct start_block, cmdline),
		.rsdp_paddr = rsdp,
		.memmap_paddr = at + offsetof(struct start_block, map),
		.memmap_entries = p->map->nr,
	};
	b->module = *ramdisk;
	memcpy(b->map, p->map->entry, p->map->nr * sizeof(b->map[0]));
	if (str_copy(b->cmdline, boot_info.module[0].cmdline, sizeof(b->cmdline)) >=
	    sizeof(b->cmdline))
		boot_fail("the service VM's command line is longer than %u characters",
			  LINUX_CMDLINE_BYTES - 1);
	service_vm_write(d, at, b, sizeof(*b));
	mem_free(b, sizeof(*b));
	place(p, at, at + sizeof(*b));
	return at;
}

/* The domain. */

static struct domain *create_domain(uint64_t max_bytes)
{
	struct domain_config cfg = {
		.nr_vcpus = choose_vcpus(),
		.max_pages = max_bytes >> PAGE_SHIFT,
		.privileged = true,
	};
	struct domain *d;
	int err = domain_create(0, &cfg, &d);

	if (err)
		boot_fail("the service VM cannot be created: error %d", err);
	for (uint32_t i = 0; i < cfg.nr_vcpus; i++)
		vlapic_init(d->vcpu[i], service_vm_apic_id(i));
	return d;
}

static void keep_private_registers(void)
{
	private_mmio_add(MPA(VLAPIC_BASE), MIB); /* local APIC and the window of MSIs */
	if (acpi_hpet.a) /* its timers can write messages anywhere, past the IOMMU */
		private_mmio_add(acpi_hpet, PAGE_SIZE);
	for (unsigned i = 0; i < nr_ioapics; i++)
		private_mmio_add(ioapic_info(i)->base, PAGE_SIZE);
	for (unsigned i = 0; i < nr_acpi_mcfg; i++) {
		const struct acpi_mcfg *m = &acpi_mcfg[i];

		private_mmio_add(MPA(m->base.a + m->first_bus * MIB),
				 (m->last_bus - m->first_bus + 1u) * MIB);
	}
}

static void read_kernel(struct elf_image *ret_image)
{
	const struct boot_module *m = &boot_info.module[0];
	const char *problem;

	if (!boot_info.nr_modules)
		boot_fail("no service VM: give its kernel (vmlinux) and initial ramdisk as boot "
			  "modules");
	problem = elf_parse(mpa_to_ptr(m->base), m->bytes, ret_image);
	if (problem)
		boot_fail("the service VM's kernel, module 1, %s", problem);
}

static void give_devices(struct domain *d)
{
	int err = service_vm_allow_ports(d);

	if (!err)
		err = vioapic_create(d);
	if (!err)
		err = vpci_create(d);
	if (err)
		boot_fail("the service VM cannot be given the machine's devices: error %d", err);
}

/* Without an IOMMU. The service VM's memory has to be where the boot loader has put its modules: moves
 * them out of the way. */
static void move_module(struct boot_module *m, const struct elf_image *image)
{
	unsigned order = m->bytes > PAGE_SIZE ? log2_floor(m->bytes - 1) + 1 - PAGE_SHIFT : 0;
	mfn_t mfn = page_alloc(order, NODE_ANY, 0), other = mfn;

	/* Where the kernel itself must go is no way out. */
	if (!mfn_is_none(mfn) && mfn_to_mpa(mfn).a < image->end &&
	    image->start < mfn_to_mpa(mfn).a + (PAGE_SIZE << order)) {
		other = page_alloc(order, NODE_ANY, 0);
		page_free(mfn, order);
	}
	if (mfn_is_none(other))
		boot_fail("no memory to move boot modules of %" PRIu64 " MiB: without an IOMMU, "
			  "more is needed",
			  m->bytes / MIB);
	memcpy(mfn_to_ptr(other), mpa_to_ptr(m->base), m->bytes);
	m->base = mfn_to_mpa(other);
}

static void free_module(const struct boot_module *m)
{
	unsigned order = m->bytes > PAGE_SIZE ? log2_floor(m->bytes - 1) + 1 - PAGE_SHIFT : 0;

	page_free(mpa_to_mfn(m->base), order);
}

static unsigned nr_used_modules(void)
{
	return MIN(boot_info.nr_modules, 2u);
}

static void prepare_direct_mapping(struct elf_image *image)
{
	log_warn("no IOMMU: the service VM's devices can reach all memory of this machine, and its "
		 "backends copy guests' data\n");
	for (unsigned i = 0; i < nr_used_modules(); i++)
		move_module(&boot_info.module[i], image);
	memory_free_modules();
	read_kernel(image); /* it points into the module */
}

static void free_modules(void)
{
	for (unsigned i = 0; i < nr_used_modules() && !iommu_ops; i++)
		free_module(&boot_info.module[i]);
	memory_free_modules();
}

void service_vm_create(void)
{
	struct hvm_modlist_entry ramdisk = { 0 };
	uint64_t bytes, available, acpi_at, rsdp, start_info;
	struct service_vm_map map;
	struct placement placement = { .map = &map };
	struct elf_image image;
	struct domain *d;

	read_kernel(&image);
	keep_private_registers();
	vpci_scan();
	if (!iommu_ops)
		prepare_direct_mapping(&image);
	available = page_count_free() << PAGE_SHIFT;
	available = available > KEEP_MIN ? available - KEEP_MIN : 0;
	bytes = choose_memory(available);
	d = create_domain(MAX(bytes, size_or(&opt_mem_max, available, 0)));
	service_vm_plan_memory(d, bytes, &map, &acpi_at);
	service_vm_populate(d, &map);
	load_kernel(d, &image, &placement);
	load_ramdisk(d, &placement, &ramdisk);
	rsdp = service_vm_write_acpi(d, acpi_at);
	start_info = write_start_info(d, &placement, &ramdisk, rsdp);
	give_devices(d);
	vcpu_reset_to_pvh(d->vcpu[0], image.entry, start_info);
	vcpu_unblock(d->vcpu[0], VCPU_DOWN);
	free_modules();
	log_info("service VM: %" PRIu64 " MiB, %u vCPUs, kernel entry %#" PRIx64 "\n",
		 d->nr_pages * PAGE_SIZE / MIB, d->nr_vcpus, image.entry);
	domain_unpause(d);
}

/* The fake machine: lodge/arch.h and lodge/guest.h for the host, and what the boot code defines. */
#include "fake-arch.h"

#include <check.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "abi/control.h"
#include "abi/errno.h"
#include "lodge/arch.h"
#include "lodge/hypercall.h"
#include "lodge/iommu.h"
#include "lodge/page.h"

uint8_t *fake_memory;
uint64_t fake_nr_frames;
_Thread_local struct cpu *fake_this_cpu;
uint64_t fake_now_ns, fake_wall_clock_ns;
struct vcpu *fake_switch_prev, *fake_switch_next;
unsigned fake_nr_switches;
void (*fake_on_kick)(struct cpu *c);
void (*fake_on_switch)(void);
jmp_buf fake_end_jmp;
bool fake_end_armed;
char fake_panic_text[256];
char fake_log[16384];
size_t fake_log_len;
unsigned fake_nr_guest_reads, fake_nr_guest_writes;
struct fake_guest_write fake_guest_write[256];
unsigned fake_nr_iommu_flushes;
gfn_t fake_iommu_flush_gfn;
uint64_t fake_iommu_flush_pages;
const struct iommu_ops *iommu_ops;

static struct page *records;
static uint8_t guest_memory[FAKE_GUEST_SIZE];
static size_t guest_used;
static long reads_left, writes_left, p2m_sets_left;
bool fake_threads;
static unsigned nr_relaxes;
static struct cpu cpu_record[MAX_CPUS];

/* A countdown: true when this call may succeed. */
static bool spend(long *left)
{
	if (*left < 0)
		return true;
	if (*left == 0)
		return false;
	(*left)--;
	return true;
}

void fake_memory_init(uint64_t nr_frames)
{
	size_t bytes = FAKE_MAX_FRAMES * PAGE_SIZE;

	ck_assert_uint_le(nr_frames, FAKE_MAX_FRAMES);
	if (fake_memory) {
		munmap(fake_memory, bytes);
		free(records);
	}
	fake_memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	ck_assert_ptr_ne(fake_memory, MAP_FAILED);
	records = calloc(nr_frames, sizeof(*records));
	ck_assert_ptr_nonnull(records);
	fake_nr_frames = nr_frames;
	page_init(records, nr_frames);
	page_add_range(MFN(1), nr_frames - 1, 0);
}

void fake_cpus(unsigned nr)
{
	memset(cpu_record, 0, sizeof(cpu_record));
	memset(cpus, 0, sizeof(*cpus) * MAX_CPUS);
	for (unsigned i = 0; i < nr; i++) {
		struct cpu *c = &cpu_record[i];

		c->id = i;
		c->online = true;
		c->timer.programmed_ns = TIME_NEVER;
		c->sched.slice_end_ns = TIME_NEVER;
		c->arch.timer_deadline_ns = TIME_NEVER;
		cpus[i] = c;
	}
	nr_cpus = nr;
	fake_run_on(0);
}

void fake_run_on(unsigned cpu)
{
	fake_this_cpu = &cpu_record[cpu];
}

void fake_reset(void)
{
	fake_end_armed = false;
	fake_panic_text[0] = '\0';
	memset(fake_log, 0, sizeof(fake_log));
	fake_log_len = 0;
	fake_now_ns = NS_PER_SEC;
	fake_wall_clock_ns = 1000 * NS_PER_SEC;
	fake_switch_prev = fake_switch_next = NULL;
	fake_nr_switches = 0;
	fake_on_kick = NULL;
	fake_on_switch = NULL;
	fake_nr_guest_reads = fake_nr_guest_writes = 0;
	memset(guest_memory, 0, sizeof(guest_memory));
	guest_used = 0;
	reads_left = writes_left = p2m_sets_left = -1;
	nr_relaxes = 0;
	fake_threads = false;
	iommu_ops = NULL;
	fake_nr_iommu_flushes = 0;
	fake_cpus(1);
	fake_core_reset();
	fake_memory_init(4096);
}

/* Ends. */

static _Noreturn void end(enum fake_end how)
{
	if (fake_end_armed)
		longjmp(fake_end_jmp, (int)how);
	ck_abort_msg("ended with %d: %s", (int)how, fake_panic_text);
	abort();
}

_Noreturn void panic(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fake_panic_text, sizeof(fake_panic_text), fmt, ap);
	va_end(ap);
	end(FAKE_PANICKED);
}

_Noreturn void boot_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fake_panic_text, sizeof(fake_panic_text), fmt, ap);
	va_end(ap);
	end(FAKE_BOOT_FAILED);
}

_Noreturn void arch_machine_restart(void)
{
	end(FAKE_RESTARTED);
}

_Noreturn void arch_machine_power_off(void)
{
	end(FAKE_POWERED_OFF);
}

void arch_serial_write(const char *text, size_t bytes)
{
	if (bytes >= sizeof(fake_log) - fake_log_len)
		fake_log_len = 0;
	ck_assert_uint_lt(bytes, sizeof(fake_log));
	memcpy(fake_log + fake_log_len, text, bytes);
	fake_log_len += bytes;
	fake_log[fake_log_len] = '\0';
}

void cpu_relax(void)
{
	if (fake_threads)
		sched_yield();
	else if (++nr_relaxes > 1000000)
		panic("waits for ever");
}

/* Time and CPUs. */

uint64_t arch_now_ns(void)
{
	return fake_now_ns;
}

uint64_t arch_wall_clock_ns(void)
{
	return fake_wall_clock_ns;
}

void arch_timer_program(uint64_t deadline_ns)
{
	fake_this_cpu->arch.timer_deadline_ns = deadline_ns;
	fake_this_cpu->arch.nr_timer_programs++;
}

void arch_cpu_kick(struct cpu *c)
{
	c->arch.nr_kicks++;
	if (fake_on_kick)
		fake_on_kick(c);
}

/* Domains and vCPUs. */

int arch_domain_init(struct domain *d)
{
	d->arch.is_init = true;
	return 0;
}

void arch_domain_fini(struct domain *d)
{
	d->arch.is_init = false;
}

int arch_vcpu_init(struct vcpu *v)
{
	v->arch.is_init = true;
	return 0;
}

void arch_vcpu_fini(struct vcpu *v)
{
	v->arch.is_init = false;
}

void arch_vcpu_switch(struct vcpu *prev, struct vcpu *next)
{
	fake_switch_prev = prev;
	fake_switch_next = next;
	fake_nr_switches++;
	if (fake_on_switch)
		fake_on_switch();
	if (prev)
		prev->arch.nr_switched_out++;
	if (next)
		next->arch.nr_switched_in++;
}

void arch_vcpu_upcall(struct vcpu *v)
{
	v->arch.nr_upcalls++;
}

bool arch_vcpu_has_interrupt(struct vcpu *v)
{
	return v->arch.has_interrupt;
}

/* One tick is one nanosecond. */
void arch_vcpu_time(struct vcpu *v, struct vcpu_time_info *ret_time)
{
	(void)v;
	ret_time->system_time = fake_now_ns;
	ret_time->tsc_timestamp = fake_now_ns;
	ret_time->tsc_to_system_mul = 1u << 31;
	ret_time->tsc_shift = 1;
	ret_time->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
}

int arch_vcpu_set_upcall_vector(struct vcpu *v, uint8_t vector)
{
	if (vector < 16)
		return -XEN_EINVAL;
	v->arch.upcall_vector = vector;
	return 0;
}

/* Leaf 1, with everything in ECX. */
bool arch_cpuid_features(uint32_t number, struct lodge_cpuid_features *ret_features)
{
	if (number)
		return false;
	ret_features->leaf = 1;
	ret_features->shown[2] = UINT32_MAX;
	return true;
}

int arch_domain_set_cpuid(struct domain *d, const struct lodge_cpuid_change *changes, uint32_t nr)
{
	for (uint32_t i = 0; i < nr; i++)
		if (changes[i].leaf != 1)
			return -XEN_EINVAL;
	d->arch.nr_cpuid_changes = nr;
	return 0;
}

void arch_domain_set_tsc(struct domain *d, uint64_t hz)
{
	d->arch.tsc_hz = hz;
}

int arch_domain_set_callback(struct domain *d, uint64_t via)
{
	if (via >> 56 > 2)
		return -XEN_EINVAL;
	d->arch.callback = via;
	return 0;
}

int arch_vcpu_initialise(struct vcpu *v, guest_ptr_t context)
{
	uint32_t mode;

	ck_assert(spin_is_locked(&v->domain->lock));
	ck_assert(v->blocked_by & VCPU_PAUSED);
	if (copy_from_guest(v, &mode, context, sizeof(mode)))
		return -XEN_EFAULT;
	v->arch.nr_initialised++;
	return 0;
}

int arch_vcpu_send_nmi(struct vcpu *v)
{
	v->arch.nr_nmis++;
	return 0;
}

/* The vCPU's number in RIP, so that a test sees whose registers came. */
void arch_vcpu_registers(struct vcpu *v, struct lodge_registers *ret_regs)
{
	ck_assert(v->blocked_by & VCPU_PAUSED);
	ret_regs->rip = v->id;
	ret_regs->segment[7].base = 7;
	ret_regs->cr2 = 8;
	ret_regs->kernel_gs_base = 9;
}

/* Linear addresses are physical ones, up to 4 GiB. */
int arch_vcpu_translate(struct vcpu *v, uint64_t linear, gpa_t *ret_gpa)
{
	ck_assert(v->blocked_by & VCPU_PAUSED);
	if (linear > UINT32_MAX)
		return -XEN_ENOENT;
	*ret_gpa = GPA(linear);
	return 0;
}

const char *arch_exit_name(unsigned kind)
{
	return kind < 2 ? "fake" : NULL;
}

void arch_host_info(struct lodge_host_info *info)
{
	info->cpu_khz = 1000000;
}

void arch_cpu_info(const struct cpu *c, struct lodge_cpu_info *info)
{
	info->apic_id = c->id * 2;
}

int64_t arch_physdev_op(struct vcpu *v, struct hypercall_args *a)
{
	(void)v;
	(void)a;
	return -XEN_ENOSYS;
}

int64_t arch_platform_op(struct vcpu *v, struct hypercall_args *a)
{
	(void)v;
	(void)a;
	return -XEN_ENOSYS;
}

/* Physmap tables. */

void fake_p2m_fail_after(long n)
{
	p2m_sets_left = n;
}

int arch_p2m_init(struct domain *d)
{
	if (!spend(&p2m_sets_left))
		return -XEN_ENOMEM;
	d->arch.p2m_is_init = true;
	d->p2m.max_gfn = 1ull << 36;
	return 0;
}

int arch_p2m_fini(struct domain *d)
{
	if (d->arch.p2m_is_init && !d->arch.p2m_fini_stopped && hypercall_should_stop()) {
		d->arch.p2m_fini_stopped = true;
		return -XEN_EAGAIN;
	}
	free(d->arch.leaf);
	d->arch.leaf = NULL;
	d->arch.nr_leaves = d->arch.max_leaves = 0;
	d->arch.p2m_is_init = false;
	return 0;
}

/* Index of the first leaf that ends after gfn. */
static size_t leaf_index(const struct arch_domain *a, uint64_t gfn)
{
	size_t low = 0, high = a->nr_leaves;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (a->leaf[mid].gfn + (1ull << a->leaf[mid].order) <= gfn)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static struct fake_leaf *leaf_at(const struct arch_domain *a, uint64_t gfn)
{
	size_t i = leaf_index(a, gfn);

	return i < a->nr_leaves && a->leaf[i].gfn <= gfn ? &a->leaf[i] : NULL;
}

static void leaf_insert(struct arch_domain *a, const struct fake_leaf *new)
{
	size_t i = leaf_index(a, new->gfn);

	if (a->nr_leaves == a->max_leaves) {
		a->max_leaves = a->max_leaves ? 2 * a->max_leaves : 64;
		a->leaf = realloc(a->leaf, a->max_leaves * sizeof(*a->leaf));
		ck_assert_ptr_nonnull(a->leaf);
	}
	memmove(a->leaf + i + 1, a->leaf + i, (a->nr_leaves - i) * sizeof(*a->leaf));
	a->leaf[i] = *new;
	a->nr_leaves++;
}

static void leaf_remove(struct arch_domain *a, struct fake_leaf *l)
{
	size_t i = (size_t)(l - a->leaf);

	a->nr_leaves--;
	memmove(l, l + 1, (a->nr_leaves - i) * sizeof(*l));
}

/* One level down, as the hardware's tables would have it: 1G → 512 × 2M → 512 × 4K. */
static void leaf_split(struct arch_domain *a, struct fake_leaf *l)
{
	struct fake_leaf old = *l;
	uint8_t order = (uint8_t)(old.order - 9);

	leaf_remove(a, l);
	for (uint64_t i = 0; i < 512; i++) {
		uint64_t offset = i << order;
		struct fake_leaf part = { old.gfn + offset, MFN(old.mfn.n + offset), old.kind,
					  order, old.access };

		leaf_insert(a, &part);
	}
}

int arch_p2m_set(struct domain *d, gfn_t gfn, const struct p2m_entry *e)
{
	struct arch_domain *a = &d->arch;
	struct fake_leaf new = { gfn.n, e->mfn, e->kind, e->order, e->access };
	struct fake_leaf *l;

	ck_assert_uint_eq(e->order % 9, 0);
	ck_assert_uint_eq(gfn.n & ((1ull << e->order) - 1), 0);
	if (!spend(&p2m_sets_left))
		return -XEN_ENOMEM;
	while ((l = leaf_at(a, gfn.n)) && l->order > e->order)
		leaf_split(a, l);
	for (size_t i = leaf_index(a, gfn.n);
	     i < a->nr_leaves && a->leaf[i].gfn < gfn.n + (1ull << e->order);)
		leaf_remove(a, &a->leaf[i]);
	if (e->kind != P2M_HOLE)
		leaf_insert(a, &new);
	return 0;
}

/* The largest slot around a hole that nothing is in. */
static uint8_t hole_order(const struct arch_domain *a, uint64_t gfn)
{
	for (uint8_t order = 27; order; order = (uint8_t)(order - 9)) {
		uint64_t first = gfn & ~((1ull << order) - 1);
		size_t i = leaf_index(a, first);

		if (i == a->nr_leaves || a->leaf[i].gfn >= first + (1ull << order))
			return order;
	}
	return 0;
}

void arch_p2m_get(struct domain *d, gfn_t gfn, struct p2m_entry *ret_e)
{
	const struct fake_leaf *l = leaf_at(&d->arch, gfn.n);

	if (!l) {
		*ret_e = (struct p2m_entry){ .mfn = MFN_NONE,
					     .kind = P2M_HOLE,
					     .order = hole_order(&d->arch, gfn.n) };
		return;
	}
	*ret_e = (struct p2m_entry){ .mfn = MFN(l->mfn.n + (gfn.n - l->gfn)),
				     .kind = l->kind == P2M_GRANT ? P2M_GRANT : P2M_RAM,
				     .order = l->order,
				     .access = l->access };
}

mfn_t arch_p2m_frame(const struct domain *d, gfn_t gfn, bool for_write)
{
	const struct fake_leaf *l = leaf_at(&d->arch, gfn.n);

	if (!l || l->kind == P2M_GRANT || (for_write && !(l->access & P2M_WRITE)))
		return MFN_NONE;
	return MFN(l->mfn.n + (gfn.n - l->gfn));
}

uint64_t arch_p2m_next(struct domain *d, uint64_t gfn)
{
	uint64_t slot = 1ull << hole_order(&d->arch, gfn);

	return leaf_at(&d->arch, gfn) ? gfn : align_down(gfn, slot) + slot;
}

void arch_p2m_flush(struct domain *d)
{
	d->arch.nr_flushes++;
}

/* The IOMMU. */

static int iommu_attach(struct domain *d, uint16_t segment, uint16_t bdf)
{
	(void)d;
	(void)segment;
	(void)bdf;
	return 0;
}

static void iommu_flush(struct domain *d, gfn_t gfn, uint64_t nr_pages)
{
	(void)d;
	fake_nr_iommu_flushes++;
	fake_iommu_flush_gfn = gfn;
	fake_iommu_flush_pages = nr_pages;
}

static const struct iommu_ops fake_iommu_ops = { "fake", iommu_attach, iommu_flush };

void fake_iommu_enable(void)
{
	iommu_ops = &fake_iommu_ops;
}

/* Guest memory. */

void fake_guest_fault_reads_after(long n)
{
	reads_left = n;
}

void fake_guest_fault_writes_after(long n)
{
	writes_left = n;
}

static uint8_t *guest_range(guest_ptr_t p, size_t bytes)
{
	if (p.va < FAKE_GUEST_BASE || p.va - FAKE_GUEST_BASE > FAKE_GUEST_SIZE ||
	    bytes > FAKE_GUEST_SIZE - (p.va - FAKE_GUEST_BASE))
		return NULL;
	return guest_memory + (p.va - FAKE_GUEST_BASE);
}

void *fake_guest_at(guest_ptr_t p)
{
	void *at = guest_range(p, 1);

	ck_assert_ptr_nonnull(at);
	return at;
}

guest_ptr_t fake_guest_space(size_t bytes)
{
	guest_ptr_t p = GUEST_PTR(FAKE_GUEST_BASE + guest_used);

	ck_assert_uint_le(bytes, FAKE_GUEST_SIZE - guest_used);
	guest_used = (guest_used + bytes + 7) & ~(size_t)7;
	return p;
}

guest_ptr_t fake_guest_put(const void *data, size_t bytes)
{
	guest_ptr_t p = fake_guest_space(bytes);

	if (bytes)
		memcpy(fake_guest_at(p), data, bytes);
	return p;
}

int copy_from_guest(struct vcpu *v, void *to, guest_ptr_t from, size_t bytes)
{
	const uint8_t *p = guest_range(from, bytes);

	(void)v;
	if (!spend(&reads_left) || !p)
		return -XEN_EFAULT;
	fake_nr_guest_reads++;
	if (bytes)
		memcpy(to, p, bytes);
	return 0;
}

int copy_to_guest(struct vcpu *v, guest_ptr_t to, const void *from, size_t bytes)
{
	uint8_t *p = guest_range(to, bytes);

	(void)v;
	if (!spend(&writes_left) || !p)
		return -XEN_EFAULT;
	if (fake_nr_guest_writes < ARRAY_SIZE(fake_guest_write))
		fake_guest_write[fake_nr_guest_writes] = (struct fake_guest_write){ to, bytes };
	fake_nr_guest_writes++;
	if (bytes)
		memcpy(p, from, bytes);
	return 0;
}

/* Linear addresses are guest physical ones, for a test that has a physmap. */
int guest_translate(struct vcpu *v, guest_ptr_t at, bool for_write, gfn_t *ret_gfn)
{
	(void)v;
	if (!spend(for_write ? &writes_left : &reads_left) || !guest_range(at, 1))
		return -XEN_EFAULT;
	*ret_gfn = GFN(at.va >> PAGE_SHIFT);
	return 0;
}

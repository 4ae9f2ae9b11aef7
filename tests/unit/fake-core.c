/* Weak twins of core's functions, each the simplest thing that keeps its contract or a record of the
 * call. Linking the real file replaces them. */
#include "fake-arch.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/sched.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/console.h"
#include "lodge/gnttab.h"
#include "lodge/hypercall.h"
#include "lodge/page.h"
#include "lodge/sched.h"

#define WEAK __attribute__((weak))

long fake_page_budget, fake_alloc_budget, fake_nr_allocs;
unsigned fake_nr_virqs[NR_VIRQS];
struct domain *fake_virq_domain[NR_VIRQS];
bool fake_should_stop;
long fake_should_stop_after;
unsigned fake_nr_kicks;
int fake_teardown_again;
int fake_vcpu_create_fails_at;
uint32_t fake_frame_limit;

static struct domain *domains[64];
static size_t nr_domains;

void fake_core_reset(void)
{
	for (size_t i = 0; i < nr_domains; i++) {
		while (arch_p2m_fini(domains[i]))
			;
		for (uint32_t n = 0; n < domains[i]->nr_vcpus; n++)
			free(domains[i]->vcpu[n]);
		free(domains[i]->vcpu);
		free(domains[i]);
	}
	nr_domains = 0;
	service_vm = NULL;
	fake_page_budget = fake_alloc_budget = -1;
	fake_nr_allocs = 0;
	memset(fake_nr_virqs, 0, sizeof(fake_nr_virqs));
	memset(fake_virq_domain, 0, sizeof(fake_virq_domain));
	fake_should_stop = false;
	fake_should_stop_after = -1;
	fake_nr_kicks = 0;
	fake_teardown_again = 0;
	fake_vcpu_create_fails_at = -1;
	fake_frame_limit = 64;
}

static bool spend(long *left)
{
	if (*left < 0)
		return true;
	if (*left == 0)
		return false;
	(*left)--;
	return true;
}

/* cpu.h, hypercall.h */

WEAK struct cpu *cpus[MAX_CPUS];
WEAK unsigned nr_cpus;

WEAK void cpu_raise(struct cpu *c, uint32_t pending)
{
	c->pending |= pending;
	if (c != this_cpu())
		arch_cpu_kick(c);
}

WEAK bool hypercall_should_stop(void)
{
	return fake_should_stop || !spend(&fake_should_stop_after);
}

/* spinlock.h: one thread, so a held lock can only be a deadlock. */

WEAK void spinlock_init(struct spinlock *l, enum lock_rank rank)
{
	(void)rank;
	memset(l, 0, sizeof(*l));
}

WEAK bool spin_is_locked(const struct spinlock *l)
{
	return l->next != l->serving;
}

WEAK bool spin_trylock(struct spinlock *l)
{
	if (spin_is_locked(l))
		return false;
	l->next++;
	return true;
}

WEAK void spin_lock(struct spinlock *l)
{
	if (!spin_trylock(l))
		panic("deadlock");
}

WEAK void spin_lock_nested(struct spinlock *l)
{
	spin_lock(l);
}

WEAK void spin_unlock(struct spinlock *l)
{
	if (!spin_is_locked(l))
		panic("unlock of a free lock");
	l->serving++;
}

/* log.h */

WEAK void log_at(enum log_level level, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	(void)level;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	arch_serial_write(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

WEAK void guest_log(struct domain *d, const char *fmt, ...)
{
	char line[512];
	va_list ap;
	int n;

	d->log_count++;
	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	arch_serial_write(line, (size_t)n < sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

/* alloc.h: of the host, so that the sanitizer sees each object. */

WEAK void *mem_alloc(size_t size)
{
	if (!spend(&fake_alloc_budget))
		return NULL;
	__atomic_add_fetch(&fake_nr_allocs, 1, __ATOMIC_RELAXED);
	return calloc(1, size);
}

WEAK void mem_free(void *p, size_t size)
{
	(void)size;
	if (p)
		__atomic_sub_fetch(&fake_nr_allocs, 1, __ATOMIC_RELAXED);
	free(p);
}

/* page.h: first fit over the records. */

WEAK struct page *page_table_base;
WEAK uint64_t nr_page_records;

WEAK void page_init(struct page *records, uint64_t nr_records)
{
	page_table_base = records;
	nr_page_records = nr_records;
	for (uint64_t i = 0; i < nr_records; i++)
		records[i].owner = PAGE_OWNER_NONE;
}

WEAK void page_add_range(mfn_t first, uint64_t nr_pages, unsigned node)
{
	(void)node;
	for (uint64_t i = 0; i < nr_pages; i++)
		page_table_base[first.n + i].owner = PAGE_OWNER_FREE;
}

static bool block_is_free(uint64_t first, unsigned order)
{
	for (uint64_t i = first; i < first + (1ull << order); i++)
		if (i >= nr_page_records || page_table_base[i].owner != PAGE_OWNER_FREE)
			return false;
	return true;
}

WEAK mfn_t page_alloc(unsigned order, unsigned node, unsigned flags)
{
	(void)node;
	(void)flags;
	if (!spend(&fake_page_budget))
		return MFN_NONE;
	for (uint64_t first = 0; first < nr_page_records; first += 1ull << order) {
		if (!block_is_free(first, order))
			continue;
		for (uint64_t i = first; i < first + (1ull << order); i++) {
			page_table_base[i].owner = PAGE_OWNER_SELF;
			page_table_base[i].count = 1;
		}
		memset(mfn_to_ptr(MFN(first)), 0, PAGE_SIZE << order);
		return MFN(first);
	}
	return MFN_NONE;
}

WEAK mfn_t page_alloc_shared(void)
{
	mfn_t mfn = page_alloc(0, NODE_ANY, PAGE_ALLOC_ZERO);

	if (!mfn_is_none(mfn))
		mfn_to_page(mfn)->owner = PAGE_OWNER_SHARED;
	return mfn;
}

WEAK void page_free(mfn_t mfn, unsigned order)
{
	for (uint64_t i = mfn.n; i < mfn.n + (1ull << order); i++) {
		if (page_table_base[i].owner == PAGE_OWNER_FREE)
			panic("page %#lx freed twice", (unsigned long)i);
		page_table_base[i].owner = PAGE_OWNER_FREE;
		page_table_base[i].count = 0;
	}
}

WEAK int page_alloc_domain(struct domain *d, unsigned order, unsigned flags, mfn_t *ret_mfn)
{
	mfn_t mfn;

	if (d->nr_pages + (1ull << order) > d->max_pages)
		return -XEN_ENOMEM;
	mfn = page_alloc(order, NODE_ANY, flags);
	if (mfn_is_none(mfn))
		return -XEN_ENOMEM;
	d->nr_pages += 1ull << order;
	for (uint64_t i = mfn.n; i < mfn.n + (1ull << order); i++)
		page_table_base[i].owner = d->id;
	*ret_mfn = mfn;
	return 0;
}

WEAK int page_set_claim(struct domain *d, uint64_t nr, uint64_t *ret_missing)
{
	*ret_missing = 0;
	d->nr_claimed = nr;
	return 0;
}

WEAK bool page_get(mfn_t mfn, uint16_t owner)
{
	struct page *p = mfn_to_page(mfn);

	if (!p || p->owner != owner || !p->count)
		return false;
	p->count++;
	return true;
}

WEAK void page_put(mfn_t mfn)
{
	struct page *p = mfn_to_page(mfn);
	struct domain *d;

	if (!p || !p->count)
		panic("put of page %#lx without a count", (unsigned long)mfn.n);
	if (--p->count)
		return;
	d = domain_of_page(p->owner);
	if (d)
		d->nr_pages--;
	page_free(mfn, 0);
}

WEAK void page_put_block(mfn_t mfn, unsigned order)
{
	for (uint64_t i = 0; i < 1ull << order; i++)
		page_put(MFN(mfn.n + i));
}

/* domain.h */

WEAK struct domain *service_vm;

struct domain *fake_domain(domid_t id, bool privileged, unsigned nr_vcpus)
{
	struct domain *d = calloc(1, sizeof(*d));

	ck_assert_ptr_nonnull(d);
	ck_assert_uint_lt(nr_domains, ARRAY_SIZE(domains));
	domains[nr_domains++] = d;
	d->id = id;
	d->privileged = privileged;
	d->refcount = 1;
	d->max_pages = 1 << 20;
	d->nr_vcpus = nr_vcpus;
	d->vcpu = calloc(nr_vcpus + 1, sizeof(*d->vcpu));
	ck_assert_ptr_nonnull(d->vcpu);
	d->shared_info = mfn_to_ptr(page_alloc_shared());
	d->shared_info_gfn = GFN_NONE;
	spinlock_init(&d->lock, LOCK_RANK_DOMAIN);
	spinlock_init(&d->p2m.lock, LOCK_RANK_P2M);
	spinlock_init(&d->evtchn.lock, LOCK_RANK_EVTCHN);
	spinlock_init(&d->grant.lock, LOCK_RANK_GRANT);
	d->grant.max_frames = GRANT_FRAMES_DEFAULT;
	ck_assert_int_eq(arch_p2m_init(d), 0);
	d->p2m.max_table_pages = UINT64_MAX;
	for (uint32_t i = 0; i < nr_vcpus; i++) {
		struct vcpu *v = calloc(1, sizeof(*v));

		ck_assert_ptr_nonnull(v);
		v->domain = d;
		v->id = i;
		v->info = &d->shared_info->vcpu_info[i % XEN_LEGACY_MAX_VCPUS];
		v->info_mfn = MFN_NONE;
		d->vcpu[i] = v;
	}
	if (privileged)
		service_vm = d;
	return d;
}

WEAK struct domain *domain_lookup(domid_t id)
{
	for (size_t i = 0; i < nr_domains; i++) {
		if (domains[i]->id == id) {
			domains[i]->refcount++;
			return domains[i];
		}
	}
	return NULL;
}

WEAK void domain_set_layout(struct domain *d, bool compat)
{
	d->compat = compat;
}

WEAK struct domain *domain_of_page(domid_t owner)
{
	for (size_t i = 0; i < nr_domains; i++)
		if (domains[i]->id == owner)
			return domains[i];
	return NULL;
}

WEAK void domain_put(struct domain *d)
{
	if (!d->refcount)
		panic("put of domain %u without a count", d->id);
	d->refcount--;
}

WEAK int domain_get_peer(struct vcpu *caller, domid_t id, struct domain **ret_d)
{
	struct domain *d = domain_lookup(id == DOMID_SELF ? caller->domain->id : id);

	if (!d)
		return -XEN_ESRCH;
	*ret_d = d;
	return 0;
}

WEAK int domain_get(struct vcpu *caller, domid_t id, struct domain **ret_d)
{
	if (id != DOMID_SELF && id != caller->domain->id && !caller->domain->privileged)
		return -XEN_EPERM;
	return domain_get_peer(caller, id, ret_d);
}

WEAK struct vcpu *domain_vcpu(struct domain *d, uint32_t id)
{
	return id < d->nr_vcpus ? d->vcpu[id] : NULL;
}

WEAK void domain_pause(struct domain *d)
{
	d->pause_count++;
}

WEAK void domain_unpause(struct domain *d)
{
	d->pause_count--;
}

WEAK void domain_shutdown(struct domain *d, uint8_t reason)
{
	d->is_shut_down = true;
	d->shutdown_reason = reason;
}

WEAK void domain_crash(struct domain *d, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(d->crash_reason, sizeof(d->crash_reason), fmt, ap);
	va_end(ap);
	domain_shutdown(d, SHUTDOWN_crash);
}

WEAK void domain_update_wallclock(struct domain *d)
{
	d->shared_info->wc_version += 2;
}

WEAK void domain_watchdog_init(struct domain *d)
{
	(void)d;
}

WEAK void domain_watchdog_fini(struct domain *d)
{
	(void)d;
}

/* vcpu.h */

WEAK int vcpu_create(struct domain *d, uint32_t id)
{
	struct vcpu *v;

	if ((int)id == fake_vcpu_create_fails_at)
		return -XEN_ENOMEM;
	v = mem_alloc(sizeof(*v));
	if (!v)
		return -XEN_ENOMEM;
	v->domain = d;
	v->id = id;
	v->info = &d->shared_info->vcpu_info[id % XEN_LEGACY_MAX_VCPUS];
	v->info_mfn = MFN_NONE;
	v->blocked_by = VCPU_DOWN;
	d->vcpu[id] = v;
	return 0;
}

WEAK void vcpu_destroy(struct vcpu *v)
{
	v->domain->vcpu[v->id] = NULL;
	mem_free(v, sizeof(*v));
}

WEAK void vcpu_block(struct vcpu *v, uint32_t why)
{
	v->blocked_by |= why;
}

WEAK void vcpu_unblock(struct vcpu *v, uint32_t why)
{
	v->blocked_by &= ~why;
}

WEAK void vcpu_pause(struct vcpu *v)
{
	v->blocked_by += VCPU_PAUSE_ONE;
}

WEAK void vcpu_unpause(struct vcpu *v)
{
	v->blocked_by -= VCPU_PAUSE_ONE;
}

WEAK void vcpu_kick(struct vcpu *v)
{
	fake_nr_kicks++;
	vcpu_unblock(v, VCPU_HALTED);
}

WEAK bool vcpu_upcall_pending(const struct vcpu *v)
{
	return v->info->evtchn_upcall_pending;
}

WEAK void vcpu_raise_upcall(struct vcpu *v)
{
	if (v->info->evtchn_upcall_pending)
		return;
	v->info->evtchn_upcall_pending = 1;
	arch_vcpu_upcall(v);
	vcpu_kick(v);
}

WEAK void vcpu_set_info(struct vcpu *v, struct vcpu_info *info)
{
	*info = *v->info;
	v->info = info;
}

/* sched.h */

WEAK void sched_sleep(struct vcpu *v)
{
	v->sched.queued = v->sched.running = false;
}

WEAK void sched_wake(struct vcpu *v)
{
	v->sched.queued = true;
}

WEAK void sched_wait_stopped(struct vcpu *v)
{
	(void)v;
}

WEAK bool sched_is_running(const struct vcpu *v)
{
	return v->sched.running;
}

WEAK void sched_get_runstate(struct vcpu *v, struct vcpu_runstate_info *ret_info)
{
	*ret_info = v->runstate;
}

WEAK int sched_set_weight(struct vcpu *v, uint32_t weight)
{
	if (weight < SCHED_WEIGHT_MIN || weight > SCHED_WEIGHT_MAX)
		return -XEN_EINVAL;
	v->sched.weight = weight;
	return 0;
}

WEAK void sched_domain_init(struct domain *d)
{
	(void)d;
}

WEAK void sched_domain_fini(struct domain *d)
{
	(void)d;
}

WEAK void sched_set_cap(struct domain *d, uint32_t percent)
{
	d->cap.percent = percent;
}

WEAK uint64_t sched_get_parked_ns(struct vcpu *v)
{
	return v->sched.parked_ns;
}

WEAK int sched_set_affinity(struct vcpu *v, const bitmap_word_t *cpus_allowed)
{
	if (bitmap_next_set(cpus_allowed, nr_cpus, 0) >= nr_cpus)
		return -XEN_EINVAL;
	bitmap_copy(v->sched.affinity, cpus_allowed, MAX_CPUS);
	return 0;
}

/* evtchn.h, gnttab.h */

WEAK int evtchn_init(struct domain *d, uint32_t max_port)
{
	spinlock_init(&d->evtchn.lock, LOCK_RANK_EVTCHN);
	d->evtchn.max_port = max_port;
	return 0;
}

WEAK int evtchn_teardown(struct domain *d)
{
	(void)d;
	if (!fake_teardown_again)
		return 0;
	fake_teardown_again--;
	return -XEN_EAGAIN;
}

WEAK void evtchn_send_virq(struct vcpu *v, uint32_t virq)
{
	fake_nr_virqs[virq]++;
	fake_virq_domain[virq] = v->domain;
}

WEAK void evtchn_send_global_virq(struct domain *d, uint32_t virq)
{
	fake_nr_virqs[virq]++;
	fake_virq_domain[virq] = d;
}

WEAK bool evtchn_port_is_pending(struct domain *d, evtchn_port_t port)
{
	(void)d;
	(void)port;
	return false;
}

WEAK evtchn_port_t evtchn_next_open(struct domain *d, evtchn_port_t port)
{
	return port <= d->evtchn.max_port ? port : 0;
}

WEAK bool evtchn_port_is_valid(struct domain *d, evtchn_port_t port)
{
	return port && port <= d->evtchn.max_port;
}

WEAK int gnttab_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack_frames)
{
	spinlock_init(&d->grant.lock, LOCK_RANK_GRANT);
	d->grant.max_frames = max_frames;
	d->grant.max_maptrack_frames = max_maptrack_frames;
	return 0;
}

WEAK int gnttab_teardown(struct domain *d)
{
	(void)d;
	return 0;
}

WEAK void gnttab_fini(struct domain *d)
{
	for (uint32_t i = 0; i < d->grant.nr_frames; i++)
		page_put(ptr_to_mfn(d->grant.frame[i]));
	mem_free(d->grant.frame, sizeof(*d->grant.frame) * fake_frame_limit);
	mem_free(d->grant.frame_gfn, sizeof(*d->grant.frame_gfn) * fake_frame_limit);
}

WEAK int gnttab_get_frame(struct domain *d, uint32_t idx, mfn_t *ret_mfn)
{
	if (idx >= fake_frame_limit)
		return -XEN_EINVAL;
	if (!d->grant.frame)
		d->grant.frame = mem_alloc(sizeof(*d->grant.frame) * fake_frame_limit);
	if (!d->grant.frame_gfn)
		d->grant.frame_gfn = mem_alloc(sizeof(*d->grant.frame_gfn) * fake_frame_limit);
	if (!d->grant.frame || !d->grant.frame_gfn)
		return -XEN_ENOMEM;
	while (d->grant.nr_frames <= idx) {
		mfn_t mfn = page_alloc_shared();

		if (mfn_is_none(mfn))
			return -XEN_ENOMEM;
		d->grant.frame[d->grant.nr_frames] = mfn_to_ptr(mfn);
		d->grant.frame_gfn[d->grant.nr_frames++] = GFN_NONE;
		if (d->grant.nr_frames <= idx && hypercall_should_stop())
			return -XEN_EAGAIN;
	}
	*ret_mfn = ptr_to_mfn(d->grant.frame[idx]);
	return 0;
}

/* Domains: the table, counts, creation, pausing, shutdown and destruction. What a domain is made of has
 * files of its own.
 * Locking: table_lock for the table and for the step of a count from 1 to 0, so that a lookup finds a
 * domain with a count or not at all. d->lock as described in lodge/domain.h. */
#include "lodge/domain.h"

#include "abi/errno.h"
#include "abi/sched.h"
#include "lib/bitmap.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/hypercall.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/vcpu.h"

struct domain *service_vm;

static struct spinlock table_lock = SPINLOCK(LOCK_RANK_DOMAIN_LIST);
static struct domain *table[MAX_DOMAINS];
static bitmap_word_t is_used[BITMAP_WORDS(MAX_DOMAINS)]; /* ids in the table; table_lock */
static uint64_t latest_change, change_of[MAX_DOMAINS];   /* table_lock */

/* The latest change of each so many ids: table_lock. */
#define IDS_PER_BLOCK 64u
static uint64_t change_of_block[MAX_DOMAINS / IDS_PER_BLOCK];

/* Table and counts ---------------------------------------------------------------------------------- */

/* table_lock is held. */
static void set_table(domid_t id, struct domain *d)
{
	WRITE_ONCE(table[id], d);
	if (d)
		bitmap_set(is_used, id);
	else
		bitmap_clear(is_used, id);
}

static int table_insert(struct domain *d)
{
	int err = 0;

	spin_lock(&table_lock);
	if (table[d->id])
		err = -XEN_EEXIST;
	else
		set_table(d->id, d);
	spin_unlock(&table_lock);
	return err;
}

struct domain *domain_lookup(domid_t id)
{
	struct domain *d;

	if (id >= MAX_DOMAINS)
		return NULL;
	spin_lock(&table_lock);
	d = table[index_clamp(id, MAX_DOMAINS)];
	if (d)
		domain_ref(d);
	spin_unlock(&table_lock);
	return d;
}

struct domain *domain_of_page(domid_t owner)
{
	return READ_ONCE(table[owner]);
}

/* table_lock is held. */
static void number_change(domid_t id)
{
	change_of[id] = change_of_block[id / IDS_PER_BLOCK] = ++latest_change;
}

void domain_changed(struct domain *d)
{
	spin_lock(&table_lock);
	number_change(d->id);
	spin_unlock(&table_lock);
	if (service_vm)
		evtchn_send_global_virq(service_vm, VIRQ_DOM_EXC);
}

uint64_t domain_latest_change(void)
{
	uint64_t change;

	spin_lock(&table_lock);
	change = latest_change;
	spin_unlock(&table_lock);
	return change;
}

uint64_t domain_change_of(domid_t id)
{
	return READ_ONCE(change_of[id]);
}

uint32_t domain_next(uint32_t id, uint64_t since)
{
	spin_lock(&table_lock);
	if (!since) {
		id = id < MAX_DOMAINS ? (uint32_t)bitmap_next_set(is_used, MAX_DOMAINS, id)
				      : MAX_DOMAINS;
	} else {
		while (id < MAX_DOMAINS && change_of[id] <= since)
			id = change_of_block[id / IDS_PER_BLOCK] > since
				     ? id + 1
				     : (uint32_t)align_up(id + 1ull, IDS_PER_BLOCK);
	}
	spin_unlock(&table_lock);
	return MIN(id, MAX_DOMAINS);
}

int domain_control_begin(struct domain *d)
{
	int err = 0;

	spin_lock(&d->lock);
	if (d->dying)
		err = -XEN_ESRCH;
	else if (d->control_busy)
		err = -XEN_EAGAIN;
	else
		d->control_busy = true;
	spin_unlock(&d->lock);
	return err;
}

void domain_control_end(struct domain *d)
{
	spin_lock(&d->lock);
	d->control_busy = false;
	spin_unlock(&d->lock);
}

int domain_get_peer(struct vcpu *caller, domid_t id, struct domain **ret_d)
{
	struct domain *d = caller->domain;

	if (id == DOMID_SELF || id == d->id)
		domain_ref(d);
	else
		d = domain_lookup(id);
	if (!d)
		return -XEN_ESRCH;
	*ret_d = d;
	return 0;
}

int domain_get(struct vcpu *caller, domid_t id, struct domain **ret_d)
{
	if (id != DOMID_SELF && id != caller->domain->id && !caller->domain->privileged)
		return -XEN_EPERM;
	return domain_get_peer(caller, id, ret_d);
}

/* Takes only locks that rank late, because the last count may go while others are held. */
static void domain_free(struct domain *d)
{
	uint64_t missing;

	BUG_ON(d->nr_pages);
	(void)!page_set_claim(d, 0,
			      &missing); /* an allocation that failed may have given it back */
	gnttab_fini(d);
	if (d->shared_info) {
		page_put(ptr_to_mfn(d->shared_info));
		domain_count_overhead(d, -(int64_t)PAGE_SIZE);
	}
	domain_mem_free(d, d->e820, d->nr_e820 * sizeof(d->e820[0]));
	domain_mem_free(d, d->vcpu, d->nr_vcpus * sizeof(d->vcpu[0]));
	BUG_ON(LODGE_DEBUG && d->overhead != mem_footprint(sizeof(*d))); /* something leaks */
	mem_free(d, sizeof(*d));
}

void domain_put(struct domain *d)
{
	uint32_t old = READ_ONCE(d->refcount);
	bool last, was_known = false;

	BUG_ON(!old);
	while (old > 1)
		if (__atomic_compare_exchange_n(&d->refcount, &old, old - 1, true, __ATOMIC_RELEASE,
						__ATOMIC_RELAXED))
			return;
	spin_lock(&table_lock);
	last = !__atomic_sub_fetch(&d->refcount, 1, __ATOMIC_ACQ_REL);
	was_known = last && table[d->id] == d;
	if (was_known) {
		set_table(d->id, NULL);
		number_change(d->id);
	}
	spin_unlock(&table_lock);
	if (was_known) /* later, because of the locks that the caller may hold */
		cpu_raise(this_cpu(), CPU_PENDING_GONE);
	if (last)
		domain_free(d);
}

struct vcpu *domain_vcpu(struct domain *d, uint32_t id)
{
	return id < d->nr_vcpus ? d->vcpu[index_clamp(id, d->nr_vcpus)] : NULL;
}

/* Creation ------------------------------------------------------------------------------------------ */

static int create_parts(struct domain *d, const struct domain_config *cfg)
{
	mfn_t mfn = page_alloc_shared();
	int err;

	if (mfn_is_none(mfn))
		return -XEN_ENOMEM;
	d->shared_info = mfn_to_ptr(mfn);
	domain_count_overhead(d, PAGE_SIZE);
	d->vcpu = domain_mem_alloc(d, cfg->nr_vcpus * sizeof(d->vcpu[0]));
	if (!d->vcpu)
		return -XEN_ENOMEM;
	d->nr_vcpus = cfg->nr_vcpus;
	err = p2m_init(d);
	if (!err)
		err = evtchn_init(d, cfg->max_evtchn_port);
	if (!err)
		err = gnttab_init(d, cfg->max_grant_frames, cfg->max_maptrack_frames);
	if (!err)
		err = arch_domain_init(d);
	for (uint32_t i = 0; !err && i < d->nr_vcpus; i++)
		err = vcpu_create(d, i);
	if (err)
		return err;
	domain_watchdog_init(d);
	domain_update_wallclock(d);
	domain_pause(d);
	return 0;
}

static int tear_down(struct domain *d);

int domain_create(domid_t id, const struct domain_config *cfg, struct domain **ret_d)
{
	struct domain *d;
	int err;

	if (id >= MAX_DOMAINS || !cfg->nr_vcpus || cfg->nr_vcpus > MAX_VCPUS)
		return -XEN_EINVAL;
	d = mem_alloc(sizeof(*d));
	if (!d)
		return -XEN_ENOMEM;
	d->id = id;
	d->overhead = mem_footprint(sizeof(*d));
	d->privileged = cfg->privileged;
	d->refcount = 1;
	d->max_pages = cfg->max_pages;
	d->shared_info_gfn = GFN_NONE;
	memcpy(d->handle, cfg->handle, sizeof(d->handle));
	spinlock_init(&d->lock, LOCK_RANK_DOMAIN);
	sched_domain_init(d);
	err = create_parts(d, cfg);
	if (!err)
		err = table_insert(d);
	if (err)
		goto undo;
	if (d->privileged && !service_vm)
		service_vm = d;
	*ret_d = d;
	return 0;

undo:
	d->dying = true;
	while (tear_down(d) == -XEN_EAGAIN)
		; /* it is almost empty: what asks us to stop waits some microseconds */
	domain_put(d);
	return err;
}

int domain_set_memory_map(struct domain *d, const struct xen_e820_entry *entries, uint32_t nr)
{
	struct xen_e820_entry *new, *old;
	uint32_t nr_old;

	if (nr > MAX_E820_ENTRIES)
		return -XEN_E2BIG;
	new = domain_mem_alloc(d, nr * sizeof(new[0]));
	if (!new)
		return -XEN_ENOMEM;
	memcpy(new, entries, nr * sizeof(new[0]));
	spin_lock(&d->lock);
	old = d->e820;
	nr_old = d->nr_e820;
	d->e820 = new;
	d->nr_e820 = nr;
	spin_unlock(&d->lock);
	domain_mem_free(d, old, nr_old * sizeof(old[0]));
	return 0;
}

/* Shared info for kernels of the other width ---------------------------------------------------------- */

/* The record's selector moves, and the guest is to look at all its ports. */
static void set_info_layout(struct vcpu_info *info, bool compat)
{
	struct compat_vcpu_info *c = (struct compat_vcpu_info *)(void *)info;

	memset((uint8_t *)info + offsetof(struct vcpu_info, pad0), 0,
	       offsetof(struct vcpu_info, time) - offsetof(struct vcpu_info, pad0));
	if (compat)
		c->evtchn_pending_sel = UINT32_MAX;
	else
		info->evtchn_pending_sel = UINT64_MAX;
}

/* Pending bits are at the same place in both layouts; the masks move, and all that follows is written
 * anew. */
void domain_set_layout(struct domain *d, bool compat)
{
	uint8_t mask[sizeof(((struct compat_shared_info *)NULL)->evtchn_mask)];
	uint8_t *page = (uint8_t *)d->shared_info;
	size_t from = d->compat ? offsetof(struct compat_shared_info, evtchn_mask)
				: offsetof(struct shared_info, evtchn_mask);
	size_t to = compat ? offsetof(struct compat_shared_info, evtchn_mask)
			   : offsetof(struct shared_info, evtchn_mask);
	size_t pending_end = offsetof(struct compat_shared_info, evtchn_mask);

	if (d->compat == compat)
		return;
	spin_lock(&d->evtchn.lock);
	memcpy(mask, page + from, sizeof(mask));
	memset(page + pending_end, 0, PAGE_SIZE - pending_end);
	memcpy(page + to, mask, sizeof(mask));
	d->compat = compat;
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (d->vcpu[i])
			set_info_layout(d->vcpu[i]->info, compat);
	spin_unlock(&d->evtchn.lock);
	domain_update_wallclock(d);
}

/* Pausing and stopping -------------------------------------------------------------------------------- */

void domain_pause(struct domain *d)
{
	spin_lock(&d->lock);
	d->pause_count++;
	spin_unlock(&d->lock);
	for (uint32_t i = 0; i < d->nr_vcpus; i++)
		if (d->vcpu[i])
			vcpu_pause(d->vcpu[i]);
}

void domain_unpause(struct domain *d)
{
	bool was_paused;

	spin_lock(&d->lock);
	was_paused = d->pause_count && !d->dying;
	if (was_paused && !--d->pause_count)
		WRITE_ONCE(d->has_run, true);
	spin_unlock(&d->lock);
	for (uint32_t i = 0; was_paused && i < d->nr_vcpus; i++)
		if (d->vcpu[i])
			vcpu_unpause(d->vcpu[i]);
}

static const char *const reason_name[] = {
	[SHUTDOWN_poweroff] = "power off", [SHUTDOWN_reboot] = "reboot",
	[SHUTDOWN_suspend] = "suspend",    [SHUTDOWN_crash] = "crash",
	[SHUTDOWN_watchdog] = "watchdog",  [SHUTDOWN_soft_reset] = "soft reset",
};

/* Nobody is left who could use the machine. */
static _Noreturn void end_machine(uint8_t reason)
{
	log_info("the service VM has ended (%s)\n",
		 reason < ARRAY_SIZE(reason_name) ? reason_name[reason] : "?");
	if (reason == SHUTDOWN_poweroff)
		arch_machine_power_off();
	arch_machine_restart();
}

void domain_shutdown(struct domain *d, uint8_t reason)
{
	bool first;

	if (d == service_vm)
		end_machine(reason);
	spin_lock(&d->lock);
	first = !d->is_shut_down;
	if (first) {
		d->shutdown_reason = d->shutdown_code ? (uint8_t)(d->shutdown_code - 1) : reason;
		WRITE_ONCE(d->is_shut_down, true);
	}
	for (uint32_t i = 0; first && i < d->nr_vcpus; i++)
		if (d->vcpu[i])
			vcpu_block(d->vcpu[i], VCPU_DEAD);
	spin_unlock(&d->lock);
	if (first)
		domain_changed(d);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
	bool first;
	va_list args;

	spin_lock(&d->lock);
	first = !d->is_shut_down && !d->crash_reason[0];
	if (first) {
		va_start(args, fmt);
		vformat(d->crash_reason, sizeof(d->crash_reason), fmt, args);
		va_end(args);
	}
	spin_unlock(&d->lock);
	if (first)
		log_err("dom%u crashed: %s\n", d->id, d->crash_reason);
	domain_shutdown(d, SHUTDOWN_crash);
}

/* Destruction ------------------------------------------------------------------------------------------ */

/* Each step is idempotent, may be preempted (-EAGAIN), and accepts a domain where creation stopped. */
typedef int step_fn(struct domain *d);

static int stop_vcpus(struct domain *d)
{
	domain_watchdog_fini(d);
	domain_pause(d);
	sched_domain_fini(d);
	return 0;
}

static int destroy_vcpus(struct domain *d)
{
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v;

		spin_lock(&d->lock);
		v = d->vcpu[i];
		d->vcpu[i] =
			NULL; /* whoever walks the vCPUs holds the lock or a port that is closed now */
		spin_unlock(&d->lock);
		if (!v)
			continue;
		vcpu_destroy(v);
		if (hypercall_should_stop())
			return -XEN_EAGAIN;
	}
	return 0;
}

static int release_claim(struct domain *d)
{
	uint64_t missing;

	return page_set_claim(d, 0, &missing);
}

static int finish_arch(struct domain *d)
{
	arch_domain_fini(d);
	return 0;
}

/* What the records say must agree with the account: a page that nobody counts would be lost for ever. A
 * page that somebody still maps stays until he lets go. */
static int audit(struct domain *d)
{
	if (LODGE_DEBUG && domain_of_page(d->id) == d) {
		uint64_t nr_owned = page_count_owned(d->id);

		BUG_ON(nr_owned > READ_ONCE(d->nr_pages));
		if (nr_owned)
			log_info("dom%u: %" PRIu64 " pages are still in use by others\n", d->id,
				 nr_owned);
		else
			log_debug("dom%u: all its pages are free again\n", d->id);
	}
	return 0;
}

static step_fn *const teardown_steps[] = {
	stop_vcpus,    release_claim, evtchn_teardown, gnttab_teardown,
	destroy_vcpus, p2m_teardown,  finish_arch,     audit,
};

/* From where it stopped. Only one CPU at a time. */
static int tear_down(struct domain *d)
{
	int err = 0;

	while (!err && d->teardown_step < ARRAY_SIZE(teardown_steps)) {
		err = teardown_steps[d->teardown_step](d);
		if (!err)
			d->teardown_step++;
	}
	return err;
}

/* False when another CPU is at it. */
static bool start_teardown(struct domain *d)
{
	bool started;

	spin_lock(&d->lock);
	WRITE_ONCE(d->dying, true);
	started = !d->control_busy;
	d->control_busy = true;
	spin_unlock(&d->lock);
	return started;
}

int domain_destroy(struct domain *d)
{
	bool was_done;
	int err;

	if (d == service_vm)
		return -XEN_EPERM;
	if (!start_teardown(d))
		return -XEN_EAGAIN;
	was_done = d->teardown_step == ARRAY_SIZE(teardown_steps);
	err = tear_down(d);
	domain_control_end(d);
	if (err || was_done)
		return err;
	domain_put(d); /* the count that the domain had by existing */
	domain_changed(d);
	return 0;
}

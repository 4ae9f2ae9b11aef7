/*
 * The control interface's part that only tells: domains, vCPUs, the machine, its log.
 *
 * Records are made one at a time on the stack and copied out at once. A vCPU's structure stays while its
 * domain's lock is held, so lists may run beside a destruction.
 */
#include "core/control-internal.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/console.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/iommu.h"
#include "lodge/page.h"
#include "lodge/sched.h"
#include "lodge/version.h"

#define RECORDS_BATCH 16u /* of domains, between two looks at whether to stop */
#define CONSOLE_CHUNK 256u

static_assert(VCPU_EXIT_KINDS == LODGE_EXIT_KINDS, "all are told");
static_assert(MAX_NODES == LODGE_MAX_NODES, "all are told");
static_assert(sizeof(((struct domain *)NULL)->crash_reason) == LODGE_CRASH_REASON_LEN,
	      "it is told as it is");

/* Lists -------------------------------------------------------------------------------------------- */

/* The next record of a list, if there is room. */
static int put_record(struct control *c, const void *record, size_t bytes)
{
	struct lodge_control_list *l = &c->op.u.list;
	int err = copy_to_guest(c->caller,
				guest_ptr_add(GUEST_PTR(l->buffer), (uint64_t)l->nr * bytes),
				record, bytes);

	if (!err)
		l->nr++;
	return err;
}

/* What an ordinary list leaves alone. */
static bool is_plain(const struct lodge_control_list *l)
{
	return !l->nr && !l->next && !l->since && !l->change;
}

/* Fills in record `number`, of record_bytes, into zeroed memory. */
typedef void fill_fn(struct control *c, uint32_t number, void *ret_record);

/* A list of which all numbers below `end` have a record. */
static int put_all(struct control *c, uint32_t end, fill_fn *fn, void *record, size_t bytes)
{
	struct lodge_control_list *l = &c->op.u.list;
	uint32_t number = l->first;
	int err = 0;

	if (!is_plain(l))
		return -XEN_EINVAL;
	for (; !err && number < end && l->nr < l->max; number++) {
		memset(record, 0, bytes);
		fn(c, number, record);
		err = put_record(c, record, bytes);
	}
	l->next = number < end ? number : LODGE_LIST_END;
	return err;
}

/* Domains ------------------------------------------------------------------------------------------ */

static uint32_t domain_flags(const struct domain *d)
{
	uint32_t flags = 0;

	if (d->privileged)
		flags |= LODGE_DOMAIN_PRIVILEGED;
	if (d->pause_count)
		flags |= LODGE_DOMAIN_PAUSED;
	if (d->is_shut_down)
		flags |= LODGE_DOMAIN_SHUT_DOWN;
	if (d->dying)
		flags |= LODGE_DOMAIN_DYING;
	return flags;
}

/* d->lock is held. */
static void sum_up_vcpus(struct domain *d, struct lodge_domain_info *info)
{
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu_runstate_info r;

		if (!d->vcpu[i])
			continue;
		sched_get_runstate(d->vcpu[i], &r);
		info->cpu_time_ns += r.time[RUNSTATE_running];
		if (!(READ_ONCE(d->vcpu[i]->blocked_by) & VCPU_DOWN))
			info->nr_vcpus_up++;
		if (r.state == RUNSTATE_running)
			info->flags |= LODGE_DOMAIN_RUNNING;
		if (r.state == RUNSTATE_runnable)
			info->flags |= LODGE_DOMAIN_WAITING;
	}
}

static void fill_domain(struct domain *d, struct lodge_domain_info *info)
{
	*info = (struct lodge_domain_info){
		.domain = d->id,
		.nr_vcpus = d->nr_vcpus,
		.nr_pages = READ_ONCE(d->nr_pages),
		.max_pages = READ_ONCE(d->max_pages),
		.nr_claimed = READ_ONCE(d->nr_claimed),
		.nr_tables = READ_ONCE(d->p2m.nr_table_pages),
		.highest_gfn = READ_ONCE(d->p2m.highest_gfn),
		.nr_ports = READ_ONCE(d->evtchn.nr_open),
		.max_ports = READ_ONCE(d->evtchn.max_port),
		.nr_grant_frames = READ_ONCE(d->grant.nr_frames),
		.max_grant_frames = d->grant.max_frames,
		.nr_maptrack_frames = READ_ONCE(d->grant.nr_maptrack_frames),
		.max_maptrack_frames = d->grant.max_maptrack_frames,
		.overhead = READ_ONCE(d->overhead) + READ_ONCE(d->p2m.nr_table_pages) * PAGE_SIZE,
		.cap = READ_ONCE(d->cap.percent),
		.change = domain_change_of(d->id)
	};
	memcpy(info->uuid, d->handle, sizeof(info->uuid));
	spin_lock(&d->lock);
	info->flags = domain_flags(d);
	info->shutdown_reason = d->shutdown_reason;
	info->pause_count = d->pause_count;
	memcpy(info->crash_reason, d->crash_reason, sizeof(info->crash_reason));
	sum_up_vcpus(d, info);
	spin_unlock(&d->lock);
}

/* The record of an id; false: there is none to tell. */
static bool domain_record(domid_t id, uint64_t since, struct lodge_domain_info *info)
{
	uint64_t change = domain_change_of(id);
	struct domain *d;

	if (since && change <= since)
		return false;
	d = domain_lookup(id);
	if (d) {
		fill_domain(d, info);
		domain_put(d);
	} else if (since) {
		*info = (struct lodge_domain_info){ .domain = id,
						    .flags = LODGE_DOMAIN_GONE,
						    .change = change };
	}
	return d || since;
}

int control_list(struct control *c)
{
	struct lodge_control_list *l = &c->op.u.list;
	struct lodge_domain_info info;
	uint32_t id = l->first;
	int err = 0;

	if (l->nr || l->next || l->change)
		return -XEN_EINVAL;
	l->change =
		domain_latest_change(); /* before the look: what comes later is told next time */
	id = domain_next(id, l->since);
	while (!err && id < MAX_DOMAINS && l->nr < l->max) {
		if (domain_record((domid_t)index_clamp(id, MAX_DOMAINS), l->since, &info))
			err = put_record(c, &info, sizeof(info));
		id = domain_next(id + 1, l->since);
		if (l->nr % RECORDS_BATCH == 0 && hypercall_should_stop())
			break; /* the caller goes on, as it does when its buffer is full */
	}
	l->next = id < MAX_DOMAINS ? id : LODGE_LIST_END;
	return err;
}

/* vCPUs -------------------------------------------------------------------------------------------- */

static uint32_t vcpu_flags(const struct vcpu *v)
{
	uint32_t blocked_by = READ_ONCE(v->blocked_by), flags = 0;

	if (!(blocked_by & VCPU_DOWN))
		flags |= LODGE_VCPU_UP;
	if (blocked_by & VCPU_PAUSED)
		flags |= LODGE_VCPU_PAUSED;
	if (blocked_by & (VCPU_HALTED | VCPU_POLLING))
		flags |= LODGE_VCPU_BLOCKED;
	if (blocked_by & VCPU_PARKED)
		flags |= LODGE_VCPU_CAPPED;
	if (READ_ONCE(v->sched.running))
		flags |= LODGE_VCPU_RUNNING;
	return flags;
}

static void fill_vcpu(struct control *c, uint32_t number, void *ret_record)
{
	struct lodge_vcpu_info *info = ret_record;
	struct vcpu_runstate_info r;
	struct vcpu *v;

	info->vcpu = number;
	spin_lock(&c->d->lock);
	v = c->d->vcpu[index_clamp(number, c->d->nr_vcpus)];
	if (v) {
		sched_get_runstate(v, &r);
		info->flags = vcpu_flags(v);
		info->cpu = READ_ONCE(v->cpu);
		info->weight = READ_ONCE(v->sched.weight);
		info->running_ns = r.time[RUNSTATE_running];
		info->waiting_ns = r.time[RUNSTATE_runnable];
		info->blocked_ns = r.time[RUNSTATE_blocked];
		info->offline_ns = r.time[RUNSTATE_offline];
		info->capped_ns = sched_get_parked_ns(v);
		for (unsigned i = 0; i < LODGE_EXIT_KINDS; i++)
			info->exits[i] = READ_ONCE(v->nr_exits[i]);
	}
	spin_unlock(&c->d->lock);
}

int control_vcpu_list(struct control *c)
{
	struct lodge_vcpu_info info;

	return put_all(c, c->d->nr_vcpus, fill_vcpu, &info, sizeof(info));
}

int control_registers(struct control *c)
{
	const struct lodge_control_vcpu *op = &c->op.u.vcpu;
	struct vcpu *v = domain_vcpu(c->d, op->vcpu);
	struct lodge_registers regs = { 0 };

	if (!v || op->reserved)
		return -XEN_EINVAL;
	vcpu_pause(v);
	arch_vcpu_registers(v, &regs);
	vcpu_unpause(v);
	return copy_to_guest(c->caller, GUEST_PTR(op->buffer), &regs, sizeof(regs));
}

int control_translate(struct control *c)
{
	struct lodge_control_translate *op = &c->op.u.translate;
	struct vcpu *v = domain_vcpu(c->d, op->vcpu);
	gpa_t gpa;
	int err;

	if (!v || op->reserved || op->gpa)
		return -XEN_EINVAL;
	vcpu_pause(v);
	err = arch_vcpu_translate(v, op->linear, &gpa);
	vcpu_unpause(v);
	if (!err)
		op->gpa = gpa.a;
	return err;
}

/* The machine -------------------------------------------------------------------------------------- */

static uint32_t count_domains(void)
{
	uint32_t nr = 0;

	for (uint32_t id = 0; (id = domain_next(id, 0)) < MAX_DOMAINS; id++)
		nr++;
	return nr;
}

static uint32_t host_features(void)
{
	return (iommu_ops ? LODGE_HOST_IOMMU : 0) | (LODGE_DEBUG ? LODGE_HOST_DEBUG : 0);
}

static void fill_host(struct control *c, uint32_t number, void *ret_record)
{
	struct lodge_host_info *info = ret_record;

	(void)c;
	(void)number;
	(void)str_copy(info->version, LODGE_VERSION, sizeof(info->version));
	info->nr_cpus = nr_cpus;
	info->features = host_features();
	info->uptime_ns = arch_now_ns();
	info->nr_pages = page_count_total();
	info->nr_free = page_count_free();
	info->nr_dirty = page_count_dirty();
	info->nr_claimed = page_count_claimed();
	info->nr_domains = count_domains();
	info->max_domains = MAX_DOMAINS;
	info->max_vcpus = MAX_VCPUS;
	while (info->nr_nodes < MAX_NODES &&
	       page_node_counts(info->nr_nodes, &info->node[info->nr_nodes].nr_pages,
				&info->node[info->nr_nodes].nr_free))
		info->nr_nodes++;
	arch_host_info(info);
}

int control_host_info(struct control *c)
{
	struct lodge_host_info info;

	return put_all(c, 1, fill_host, &info, sizeof(info));
}

/* Other CPUs' words are read as they are: each is true at some moment. A domain that is current on a CPU
 * may end while we look, so its lock is the scheduler's. */
static void fill_cpu(struct control *c, uint32_t number, void *ret_record)
{
	struct lodge_cpu_info *info = ret_record;
	struct cpu *cpu = cpus[index_clamp(number, nr_cpus)];
	const struct vcpu *v;

	(void)c;
	info->cpu = number;
	info->domain = LODGE_DOMAIN_ANY;
	spin_lock(&cpu->sched.lock);
	v = cpu->current; /* stays alive: who destroys it waits until it has been switched from */
	if (v) {
		info->domain = v->domain->id;
		info->vcpu = v->id;
	}
	info->nr_waiting = cpu->sched.nr_runnable;
	info->load = cpu->sched.load;
	spin_unlock(&cpu->sched.lock);
	info->exits = READ_ONCE(cpu->nr_exits);
	arch_cpu_info(cpu, info);
}

int control_cpu_list(struct control *c)
{
	struct lodge_cpu_info info;

	return put_all(c, nr_cpus, fill_cpu, &info, sizeof(info));
}

static void fill_exit_name(struct control *c, uint32_t number, void *ret_record)
{
	struct lodge_exit_name *name = ret_record;
	const char *text = arch_exit_name(number);

	(void)c;
	if (text)
		(void)str_copy(name->name, text, sizeof(name->name));
}

int control_exit_names(struct control *c)
{
	struct lodge_exit_name name;

	return put_all(c, LODGE_EXIT_KINDS, fill_exit_name, &name, sizeof(name));
}

static void fill_cpuid(struct control *c, uint32_t number, void *ret_record)
{
	(void)c;
	(void)arch_cpuid_features(number, ret_record);
}

int control_cpuid_features(struct control *c)
{
	struct lodge_cpuid_features features;

	return put_all(c, LODGE_CPUID_LEAVES, fill_cpuid, &features, sizeof(features));
}

/* The log ------------------------------------------------------------------------------------------ */

int control_read_console(struct control *c)
{
	struct lodge_control_console *op = &c->op.u.console;
	char chunk[CONSOLE_CHUNK];
	int err;

	if (op->flags & ~LODGE_CONSOLE_CLEAR || op->reserved || op->done > op->bytes)
		return -XEN_EINVAL;
	while (op->done < op->bytes) {
		uint64_t position = op->position;
		size_t nr = console_read_ring(&position, chunk,
					      MIN(op->bytes - op->done, CONSOLE_CHUNK));

		if (!nr)
			break;
		err = copy_to_guest(c->caller, guest_ptr_add(GUEST_PTR(op->buffer), op->done),
				    chunk, nr);
		if (err)
			return err;
		op->position = position;
		op->done += (uint32_t)nr;
		if (op->done < op->bytes && hypercall_should_stop())
			return -XEN_EAGAIN;
	}
	if (op->flags & LODGE_CONSOLE_CLEAR)
		console_clear_ring(op->position);
	return 0;
}

/*
 * The control interface: one hypercall by which the service VM makes, feeds, watches and ends domains.
 * Here are its dispatch and what changes a domain's life or its vCPUs; control-memory.c has memory,
 * control-info.c what only tells.
 *
 * The argument is copied in once and, where an operation has results, copied out as a whole, also when
 * it failed or is going to be started again: then it tells how far the operation got.
 * Locking: an operation that needs the domain's vCPUs, or adds to what the domain holds, has the domain
 * to itself (domain_control_begin()), so that it cannot be destroyed meanwhile. Whoever comes second
 * executes its hypercall again.
 */
#include "core/control-internal.h"

#include "abi/errno.h"
#include "abi/sched.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/log.h"
#include "lodge/sched.h"

/* Far below what vcpu.blocked_by can count. */
#define MAX_PAUSES 1000u

/* Life -------------------------------------------------------------------------------------------- */

static int control_version(struct control *c)
{
	c->op.u.version.version = LODGE_CONTROL_VERSION;
	c->op.u.version.nr_ops = LODGE_CONTROL_NR;
	return 0;
}

static bool id_is_used(domid_t id)
{
	struct domain *d = domain_lookup(id);

	if (d)
		domain_put(d);
	return d;
}

/* Ids go round, so that one that was in use rests as long as possible. */
static int create_with_any_id(const struct domain_config *cfg, uint32_t *ret_id)
{
	static uint32_t latest_id; /* atomic */

	for (uint32_t tried = 0; tried < MAX_DOMAINS; tried++) {
		uint32_t id = __atomic_add_fetch(&latest_id, 1, __ATOMIC_RELAXED) % MAX_DOMAINS;
		struct domain *d;
		int err;

		if (!id || id_is_used((domid_t)id))
			continue;
		err = domain_create((domid_t)id, cfg, &d);
		*ret_id = id;
		if (err != -XEN_EEXIST) /* somebody asked for it just now */
			return err;
	}
	return -XEN_ENOSPC;
}

static int control_create(struct control *c)
{
	const struct lodge_control_create *op = &c->op.u.create;
	struct domain_config cfg = {
		.nr_vcpus = op->nr_vcpus,
		.max_pages = op->max_pages,
		.max_grant_frames = op->max_grant_frames,
		.max_maptrack_frames = op->max_maptrack_frames,
		.max_evtchn_port = op->max_ports,
	};
	uint32_t id = c->op.domain;
	struct domain *d;
	int err;

	if (op->reserved[0] || op->reserved[1] || op->max_ports >= EVTCHN_FIFO_NR_CHANNELS)
		return -XEN_EINVAL;
	memcpy(cfg.handle, op->uuid, sizeof(cfg.handle));
	if (id == LODGE_DOMAIN_ANY)
		err = create_with_any_id(&cfg, &id);
	else if (id >= MAX_DOMAINS)
		err = -XEN_EINVAL;
	else
		err = domain_create((domid_t)id, &cfg, &d);
	if (err)
		return err;
	c->op.domain = id;
	d = domain_lookup((domid_t)id); /* who guessed the id may have destroyed it by now */
	if (d) {
		domain_changed(d);
		domain_put(d);
	}
	return 0;
}

/* The service VM never learned the id. */
static void undo_create(struct control *c)
{
	struct domain *d = domain_lookup((domid_t)c->op.domain);

	if (!d)
		return;
	while (domain_destroy(d) == -XEN_EAGAIN)
		; /* it is almost empty: what asks us to stop waits some microseconds */
	domain_put(d);
}

/* The last count may be ours: then the id is free when the caller hears of it. */
static int control_destroy(struct control *c)
{
	int err = domain_destroy(c->d);

	if (err)
		return err;
	domain_put(c->d);
	c->d = NULL;
	evtchn_send_global_virq(service_vm, VIRQ_DOM_EXC);
	return 0;
}

static int control_pause(struct control *c)
{
	if (READ_ONCE(c->d->pause_count) >= MAX_PAUSES)
		return -XEN_EINVAL;
	domain_pause(c->d);
	domain_changed(c->d);
	return 0;
}

static int control_unpause(struct control *c)
{
	if (!READ_ONCE(c->d->pause_count))
		return -XEN_EINVAL;
	domain_unpause(c->d);
	domain_changed(c->d);
	return 0;
}

static int control_shutdown(struct control *c)
{
	const struct lodge_control_shutdown *op = &c->op.u.shutdown;

	if (op->reason > SHUTDOWN_MAX || op->reserved)
		return -XEN_EINVAL;
	if (op->reason == SHUTDOWN_crash)
		domain_crash(c->d, "the service VM says so");
	else
		domain_shutdown(c->d, (uint8_t)op->reason);
	return 0;
}

static int control_seed_grant(struct control *c)
{
	const struct lodge_control_seed_grant *op = &c->op.u.seed_grant;

	if (op->ref >= LODGE_SEED_GRANTS || op->peer >= MAX_DOMAINS)
		return -XEN_EINVAL;
	return gnttab_seed(c->d, op->ref, (domid_t)op->peer, GFN(op->gfn));
}

static int control_set_cpuid(struct control *c)
{
	const struct lodge_control_list *op = &c->op.u.list;
	struct lodge_cpuid_change changes[LODGE_CPUID_LEAVES];
	int err;

	if (op->max || op->first || op->next || op->since || op->change ||
	    op->nr > LODGE_CPUID_LEAVES)
		return -XEN_EINVAL;
	err = copy_from_guest(c->caller, changes, GUEST_PTR(op->buffer),
			      op->nr * sizeof(changes[0]));
	if (err)
		return err;
	return READ_ONCE(c->d->has_run) ? -XEN_EBUSY : arch_domain_set_cpuid(c->d, changes, op->nr);
}

static int control_set_clock(struct control *c)
{
	int64_t offset_s = c->op.u.clock.offset_s;

	if (offset_s > LODGE_CLOCK_MAX_S || offset_s < -LODGE_CLOCK_MAX_S)
		return -XEN_EINVAL;
	domain_set_clock(c->d, offset_s);
	return 0;
}

static int control_set_tsc(struct control *c)
{
	uint64_t hz = c->op.u.tsc.hz;

	if (hz && (hz < LODGE_TSC_MIN_HZ || hz > LODGE_TSC_MAX_HZ))
		return -XEN_EINVAL;
	if (READ_ONCE(c->d->has_run))
		return -XEN_EBUSY;
	arch_domain_set_tsc(c->d, hz);
	return 0;
}

/* vCPUs ------------------------------------------------------------------------------------------- */

/* It stays down while it is held by its pause. */
static int control_start_vcpu(struct control *c)
{
	struct vcpu *v = domain_vcpu(c->d, c->op.u.vcpu.vcpu);
	int err = -XEN_EBUSY;

	if (!v || c->op.u.vcpu.reserved)
		return -XEN_EINVAL;
	vcpu_pause(v);
	/* Against VCPUOP_initialise of the domain's own vCPUs. */
	spin_lock(&c->d->lock);
	if (READ_ONCE(v->blocked_by) & VCPU_DOWN)
		err = arch_vcpu_initialise(v, GUEST_PTR(c->op.u.vcpu.buffer));
	if (!err)
		v->initialised = true;
	spin_unlock(&c->d->lock);
	if (!err)
		vcpu_unblock(v, VCPU_DOWN);
	vcpu_unpause(v);
	return err;
}

static int control_inject_nmi(struct control *c)
{
	const struct lodge_control_vcpu *op = &c->op.u.vcpu;
	struct vcpu *v = domain_vcpu(c->d, op->vcpu);

	if (!v || op->reserved || op->buffer)
		return -XEN_EINVAL;
	return arch_vcpu_send_nmi(v);
}

/* Does fn to one vCPU or to all of the domain, until it fails. */
static int for_vcpus(struct control *c, uint32_t vcpu,
		     int (*fn)(struct vcpu *v, const void *argument), const void *argument)
{
	int err = 0;

	if (vcpu != LODGE_VCPU_ALL) {
		struct vcpu *v = domain_vcpu(c->d, vcpu);

		return v ? fn(v, argument) : -XEN_EINVAL;
	}
	for (uint32_t i = 0; !err && i < c->d->nr_vcpus; i++)
		err = fn(c->d->vcpu[i], argument);
	return err;
}

static int set_weight(struct vcpu *v, const void *weight)
{
	uint32_t w = *(const uint32_t *)weight;

	return w ? sched_set_weight(v, w) : 0;
}

static int control_set_scheduling(struct control *c)
{
	const struct lodge_control_scheduling *op = &c->op.u.scheduling;

	int err;

	if (op->reserved)
		return -XEN_EINVAL;
	err = for_vcpus(c, op->vcpu, set_weight, &op->weight);
	if (!err && op->cap != LODGE_CAP_SAME)
		sched_set_cap(c->d, op->cap);
	return err;
}

static int control_get_scheduling(struct control *c)
{
	struct lodge_control_scheduling *op = &c->op.u.scheduling;
	const struct vcpu *v = domain_vcpu(c->d, op->vcpu);

	if (!v || op->weight || op->cap || op->reserved)
		return -XEN_EINVAL;
	op->weight = READ_ONCE(v->sched.weight);
	op->cap = READ_ONCE(c->d->cap.percent);
	return 0;
}

static_assert(LODGE_CPU_MASK_BYTES == BITMAP_WORDS(MAX_CPUS) * sizeof(bitmap_word_t),
	      "a bit for each CPU there may be");

static int set_affinity(struct vcpu *v, const void *mask)
{
	return sched_set_affinity(v, mask);
}

static int control_set_affinity(struct control *c)
{
	const struct lodge_control_vcpu *op = &c->op.u.vcpu;
	bitmap_word_t mask[BITMAP_WORDS(MAX_CPUS)];
	int err;

	if (op->reserved)
		return -XEN_EINVAL;
	err = copy_from_guest(c->caller, mask, GUEST_PTR(op->buffer), sizeof(mask));
	return err ? err : for_vcpus(c, op->vcpu, set_affinity, mask);
}

static int control_get_affinity(struct control *c)
{
	const struct lodge_control_vcpu *op = &c->op.u.vcpu;
	const struct vcpu *v = domain_vcpu(c->d, op->vcpu);

	if (!v || op->reserved)
		return -XEN_EINVAL;
	return copy_to_guest(c->caller, GUEST_PTR(op->buffer), v->sched.affinity,
			     sizeof(v->sched.affinity));
}

/* Dispatch ----------------------------------------------------------------------------------------- */

#define GETS_DOMAIN 0x1u                 /* takes a count of the domain that is named */
#define EXCLUSIVE   (0x2u | GETS_DOMAIN) /* has it to itself, and it is not dying */
#define OF_OTHERS   0x4u                 /* never the service VM */
#define HAS_RESULT  0x8u                 /* the argument is copied out */
#define ANY_VERSION 0x10u

static const struct control_row {
	control_fn *fn;
	uint8_t flags;
	uint8_t arg_bytes; /* of the union; the rest must be zero */
	void (*undo)(struct control *c);
} control_table[LODGE_CONTROL_NR] = {
#define ROW(name, member, row_flags)                          \
	[LODGE_CONTROL_##name] = { control_##name, row_flags, \
				   sizeof(((struct lodge_control *)NULL)->u.member), NULL }
	ROW(version, version, HAS_RESULT | ANY_VERSION),
	[LODGE_CONTROL_create] = { control_create, HAS_RESULT, sizeof(struct lodge_control_create),
				   undo_create },
	[LODGE_CONTROL_destroy] = { control_destroy, GETS_DOMAIN | OF_OTHERS, 0, NULL },
	[LODGE_CONTROL_pause] = { control_pause, EXCLUSIVE | OF_OTHERS, 0, NULL },
	[LODGE_CONTROL_unpause] = { control_unpause, EXCLUSIVE | OF_OTHERS, 0, NULL },
	ROW(list, list, HAS_RESULT),
	ROW(vcpu_list, list, GETS_DOMAIN | HAS_RESULT),
	ROW(set_memory, memory, EXCLUSIVE),
	ROW(claim, memory, EXCLUSIVE | HAS_RESULT),
	ROW(populate, populate, EXCLUSIVE | HAS_RESULT),
	ROW(copy_in, copy, EXCLUSIVE | HAS_RESULT),
	ROW(copy_out, copy, EXCLUSIVE | HAS_RESULT),
	ROW(set_memory_map, list, EXCLUSIVE | OF_OTHERS),
	ROW(start_vcpu, vcpu, EXCLUSIVE | OF_OTHERS),
	ROW(seed_grant, seed_grant, EXCLUSIVE),
	ROW(set_scheduling, scheduling, EXCLUSIVE),
	ROW(get_scheduling, scheduling, EXCLUSIVE | HAS_RESULT),
	ROW(set_affinity, vcpu, EXCLUSIVE),
	ROW(get_affinity, vcpu, EXCLUSIVE),
	ROW(shutdown, shutdown, EXCLUSIVE | OF_OTHERS),
	ROW(registers, vcpu, EXCLUSIVE | OF_OTHERS),
	ROW(translate, translate, EXCLUSIVE | OF_OTHERS | HAS_RESULT),
	ROW(host_info, list, HAS_RESULT),
	ROW(cpu_list, list, HAS_RESULT),
	ROW(exit_names, list, HAS_RESULT),
	ROW(read_console, console, HAS_RESULT),
	ROW(inject_nmi, vcpu, EXCLUSIVE | OF_OTHERS),
	ROW(cpuid_features, list, HAS_RESULT),
	ROW(set_cpuid, list, EXCLUSIVE | OF_OTHERS),
	ROW(set_clock, clock, EXCLUSIVE | OF_OTHERS),
	ROW(set_tsc, tsc, EXCLUSIVE | OF_OTHERS),
#undef ROW
};

static bool rest_is_zero(const struct lodge_control *op, unsigned from)
{
	const uint8_t *byte = (const uint8_t *)&op->u;

	for (unsigned i = from; i < sizeof(op->u); i++)
		if (byte[i])
			return false;
	return true;
}

static int read_call(struct control *c, guest_ptr_t at, const struct control_row **ret_row)
{
	const struct control_row *row;
	int err = copy_from_guest(c->caller, &c->op, at, sizeof(c->op));

	if (err)
		return err;
	if (c->op.op != LODGE_CONTROL_version && c->op.version != LODGE_CONTROL_VERSION)
		return -XEN_EINVAL;
	if (c->op.op >= LODGE_CONTROL_NR)
		return -XEN_ENOSYS;
	row = &control_table[index_clamp(c->op.op, LODGE_CONTROL_NR)];
	if (c->op.reserved || !rest_is_zero(&c->op, row->arg_bytes))
		return -XEN_EINVAL;
	*ret_row = row;
	return 0;
}

/* Ours is the count that is not a caller's: DOMID_SELF and the like name nobody here. */
static int get_domain(struct control *c, unsigned flags)
{
	if (!(flags & GETS_DOMAIN))
		return 0;
	c->d = c->op.domain < MAX_DOMAINS ? domain_lookup((domid_t)c->op.domain) : NULL;
	if (!c->d)
		return -XEN_ESRCH;
	return flags & OF_OTHERS && c->d->privileged ? -XEN_EINVAL : 0;
}

static int run(struct control *c, const struct control_row *row)
{
	bool is_exclusive = (row->flags & EXCLUSIVE) == EXCLUSIVE;
	int err = get_domain(c, row->flags);

	if (!err && is_exclusive)
		err = domain_control_begin(c->d);
	if (!err) {
		err = row->fn(c);
		if (is_exclusive)
			domain_control_end(c->d);
	}
	if (c->d)
		domain_put(c->d);
	return err;
}

int64_t do_control(struct vcpu *v, struct hypercall_args *a)
{
	struct control c = { .caller = v };
	const struct control_row *row;
	int err;

	if (!v->domain->privileged)
		return -XEN_EPERM;
	if (a->compat)
		return -XEN_ENOSYS;
	err = read_call(&c, GUEST_PTR(a->arg[0]), &row);
	if (err)
		return err;
	err = run(&c, row);
	if (row->flags & HAS_RESULT &&
	    copy_to_guest(v, GUEST_PTR(a->arg[0]), &c.op, sizeof(c.op))) {
		if (!err && row->undo)
			row->undo(&c);
		if (!err || err == -XEN_EAGAIN)
			err = -XEN_EFAULT;
	}
	return err == -XEN_EAGAIN ? HYPERCALL_RESTART : err;
}

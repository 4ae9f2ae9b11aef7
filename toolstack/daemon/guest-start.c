/*
 * From a description to a running domain. A job reads the kernel and fills the domain; the loop's thread
 * then connects it and lets it run. Whatever fails, everything before it is undone: domain, nodes, devices.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "build/build.h"
#include "daemon/device.h"
#include "daemon/guest-clock.h"
#include "daemon/guest-cpu.h"
#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "daemon/record.h"
#include "daemon/why.h"

#define PROGRESS_MS     300u
#define STORE_MS        10000u              /* to wait for a store that is being restarted */
#define DEVICES_MS      10000u              /* to wait for backends where a loader asks for them */
#define KERNELS_BYTES   (UINT64_C(1) << 30) /* that the cache of unpacked kernels may take */
#define RESERVED_PAGES  256u /* beyond its memory: rings, tables, what a balloon overshoots */
#define TRIES           8u   /* in a row to start a guest again */
#define PAGE_BYTES_LOG2 12

enum step { STEP_WAITING, STEP_KERNEL, STEP_MEMORY, STEP_STORE };

static const char *const step_texts[] = {
	[STEP_WAITING] = "waiting for other guests",
	[STEP_KERNEL] = "reading the kernel",
	[STEP_MEMORY] = "filling memory",
	[STEP_STORE] = "waiting for xenstore",
};

struct guest_start {
	struct job job;
	struct guest *guest;
	struct start_request request; /* its config is referenced by guest->active */
	struct loop_timer progress;
	struct nodes_waiter store;
	struct loop_timer devices;
	bool is_waiting; /* for devices */

	/* The thread's, while it works. */
	struct build_description build;
	struct domain_limits limits;
	struct guest_cpu cpu;
	int64_t clock_offset_s;
	uint64_t tsc_hz; /* 0: the host's */
	char *kernels;
	int ret;
	struct err err;
	uint32_t domain;
	struct guest_rings rings;
	struct err warning;

	atomic_uint step;
	atomic_bool is_cancelled;
};

static int describe(struct guest_start *s, struct err *err)
{
	const struct domain_description *d = s->guest->active->d;
	const char *state_dir = s->guest->lodged->options.state_dir;
	const char *grub = s->guest->lodged->options.grub;

	if (!d->kernel && !d->loader && access(grub, R_OK))
		return err_set(err, -ENOENT,
			       "its description names no kernel, and %s, which would start it from "
			       "its disk, is not here: install grub-xen-host",
			       grub);
	if (d->nr_initrds > BUILD_MAX_INITRDS)
		return err_set(err, -EINVAL, "it has more than %u initrds", BUILD_MAX_INITRDS);
	if (asprintf(&s->kernels, "%s/kernels", state_dir) < 0) {
		s->kernels = NULL;
		return err_set(err, -ENOMEM, "no memory");
	}
	s->build = (struct build_description){
		.kernel = d->kernel   ? d->kernel
			  : d->loader ? d->loader
				      : grub,
		.nr_initrds = (unsigned int)d->nr_initrds,
		.cmdline = d->cmdline,
		.memory_bytes = d->memory_current,
		.nr_vcpus = d->nr_vcpus,
		.cache = { s->kernels, KERNELS_BYTES },
	};
	for (size_t i = 0; i < d->nr_initrds; i++)
		s->build.initrd[i] = d->initrds[i];
	s->limits = (struct domain_limits){
		.max_pages = (d->memory >> PAGE_BYTES_LOG2) + RESERVED_PAGES,
		.nr_vcpus = d->nr_vcpus,
		.max_grant_frames = d->max_grant_frames,
		.max_ports = d->max_event_channels,
	};
	memcpy(s->limits.uuid, s->guest->domain_uuid, sizeof(s->limits.uuid));
	return 0;
}

/* What the host's CPUs have to do with it, before anything is built. */
static int describe_cpu(struct guest_start *s, struct err *err)
{
	const struct domain_description *d = s->guest->active->d;
	struct hypervisor *hv = s->guest->lodged->hv;
	struct lodge_cpuid_features features[LODGE_CPUID_LEAVES];
	struct lodge_host_info info;
	int ret = 0;

	if (d->nr_features) {
		ret = hypervisor_cpuid(hv, features);
		ret = ret ? err_errno(err, ret, "asking for the host's CPU features")
			  : guest_cpu_make(d, features, &s->cpu, err);
	}
	if (!ret && (d->tsc_hz || d->tsc_mode == TSC_EMULATE)) {
		ret = hypervisor_host(hv, &info);
		ret = ret ? err_errno(err, ret, "asking for the speed of the host's TSC")
			  : guest_clock_tsc(d, info.cpu_khz * UINT64_C(1000), &s->tsc_hz, err);
	}
	return ret ? ret : guest_clock_offset(d, time(NULL), &s->clock_offset_s, err);
}

/* --- in a thread --- */

static int pin(struct hypervisor *hv, uint32_t domain, uint32_t vcpu, const struct cpu_set *cpus)
{
	uint8_t mask[LODGE_CPU_MASK_BYTES];

	for (unsigned int i = 0; i < sizeof(mask); i++)
		mask[i] = (uint8_t)(cpus->word[i / 8] >> (i % 8 * 8));
	return hypervisor_set_affinity(hv, domain, vcpu, mask);
}

static int set_cpus(const struct guest_start *s, struct hypervisor *hv, struct err *err)
{
	const struct domain_description *d = s->guest->active->d;
	int ret = 0;

	if (!cpu_set_is_empty(&d->affinity))
		ret = pin(hv, s->domain, LODGE_VCPU_ALL, &d->affinity);
	for (size_t i = 0; !ret && i < d->nr_pins; i++)
		ret = pin(hv, s->domain, d->pins[i].vcpu, &d->pins[i].cpus);
	if (ret == -EINVAL)
		return err_set(err, ret, "it is pinned to CPUs of which the host has none");
	if (ret)
		return err_errno(err, ret, "pinning vCPUs");
	if (d->weight == 256 && !d->cap_percent)
		return 0;
	ret = hypervisor_set_scheduling(hv, s->domain, d->weight, d->cap_percent);
	return ret ? err_errno(err, ret, "setting weight and cap") : 0;
}

static int set_cpu_kind(const struct guest_start *s, struct hypervisor *hv, struct err *err)
{
	int ret = 0;

	if (s->cpu.nr)
		ret = hypervisor_set_cpuid(hv, s->domain, s->cpu.changes, s->cpu.nr);
	if (ret == -EOPNOTSUPP)
		return err_set(err, -EINVAL,
			       "of its CPU features, one that it requires needs one that it "
			       "disables");
	if (ret)
		return err_errno(err, ret, "setting CPU features");
	if (s->tsc_hz)
		ret = hypervisor_set_tsc(hv, s->domain, s->tsc_hz);
	if (ret)
		return err_errno(err, ret, "setting the TSC's frequency");
	if (s->clock_offset_s)
		ret = hypervisor_set_clock(hv, s->domain, s->clock_offset_s);
	return ret ? err_errno(err, ret, "setting the clock") : 0;
}

static int make_domain(struct guest_start *s, struct hypervisor *hv, const struct build_plan *plan,
		       struct err *err)
{
	struct guest_ports ports;
	int ret;

	s->limits.max_pages = MAX(s->limits.max_pages, plan->nr_pages);
	ret = hypervisor_create(hv, &s->limits, &s->domain);
	if (ret)
		return err_errno(err, ret, "creating a domain");
	ret = set_cpus(s, hv, err);
	if (!ret)
		ret = set_cpu_kind(s, hv, err);
	if (!ret)
		ret = hypervisor_execute(hv, s->domain, plan, &ports, err);
	if (ret)
		return ret;
	s->rings = (struct guest_rings){ .store_gfn = plan->store_gfn,
					 .console_gfn = plan->console_gfn,
					 .store_port = ports.store,
					 .console_port = ports.console };
	return 0;
}

/* A domain that somebody else destroys meanwhile makes anything fail, with errors that do not tell. */
static void explain_death(struct guest_start *s, struct hypervisor *hv)
{
	struct lodge_domain_info info;

	if (s->domain == NO_DOMAIN || s->ret == -ECANCELED)
		return;
	if (hypervisor_info(hv, s->domain, &info) ||
	    info.flags & (LODGE_DOMAIN_DYING | LODGE_DOMAIN_GONE))
		s->ret =
			err_set(&s->err, -EIO, "its domain was destroyed while it was being built");
}

static void build(struct job *j, struct hypervisor *hv)
{
	struct guest_start *s = container_of(j, struct guest_start, job);
	struct build_plan *plan = NULL;

	s->ret = hv ? 0 : err_set(&s->err, -EIO, "the hypervisor cannot be reached");
	if (s->is_cancelled)
		s->ret = err_set(&s->err, -ECANCELED, "cancelled");
	s->step = STEP_KERNEL;
	if (!s->ret)
		s->ret = build_plan_create(&s->build, &plan, &s->err);
	s->step = STEP_MEMORY;
	if (!s->ret)
		s->ret = make_domain(s, hv, plan, &s->err);
	if (!s->ret)
		s->warning = plan->cache_problem;
	build_plan_destroy(plan);
	if (!s->ret || s->domain == NO_DOMAIN)
		return;
	explain_death(s, hv);
	if (!hypervisor_destroy(hv, s->domain))
		s->domain = NO_DOMAIN;
}

/* --- in the loop's thread --- */

static void start_free(struct guest_start *s)
{
	loop_timer_stop(&s->progress);
	loop_timer_stop(&s->devices);
	free(s->kernels);
	free(s);
}

static bool try_again(struct guest *g, const struct guest_start *s)
{
	if (!s->request.is_again || s->is_cancelled || g->lodged->stop ||
	    g->restarts.nr_short >= TRIES)
		return false;
	g->is_restarting = true;
	loop_timer_start(&g->lodged->loop, &g->restart, policy_delay_ms(&g->restarts, 0));
	return true;
}

/* It is OFF, and stays so, or waits for the next try. */
static void let_go(struct guest *g, bool is_tried_again)
{
	struct err err;

	if (!is_tried_again) {
		config_put(g->active);
		g->active = NULL;
	}
	if (!g->defined && !is_tried_again)
		guest_forget(g);
	else if (record_save(g, &err))
		log_line("%s: %s", g->name, err.text);
}

/* Everything was undone. */
static void failed(void *argument)
{
	struct guest *g = argument;
	struct guest_start *s = g->start;
	guest_started_fn done = s->request.done;
	void *done_argument = s->request.argument;
	struct err err = s->err;
	int ret = s->ret;
	bool is_tried_again;

	g->start = NULL;
	g->state = GUEST_OFF;
	g->requested = NULL;
	cJSON_Delete(g->why);
	g->why = why_create(ret == -ECANCELED ? END_DESTROYED : END_BUILD_FAILED, err.text);
	is_tried_again = try_again(g, s);
	why_set_action(g->why, is_tried_again ? "restart" : "destroy");
	start_free(s);
	guest_changed(g, ret == -ECANCELED ? "stopped" : "failed");
	let_go(g, is_tried_again);
	if (done)
		done(done_argument, NULL, ret, &err);
}

/* Nodes, backends, record. */
static int connect_guest(struct guest *g, struct guest_start *s, struct err *err)
{
	int ret = guest_nodes_write(g, &s->rings, err);

	if (!ret)
		ret = devices_start(g, err);
	return ret ? ret : record_save(g, err);
}

static int let_run(struct guest_start *s)
{
	struct guest *g = s->guest;
	int ret;

	if (s->is_cancelled)
		return err_set(&s->err, -ECANCELED, "it was destroyed while it was being built");
	if (g->is_paused)
		return 0;
	ret = hypervisor_unpause(g->lodged->hv, g->domain);
	return ret ? err_errno(&s->err, ret, "letting domain %u run", g->domain) : 0;
}

/* All is ready, or something has failed. */
static void finish(struct guest_start *s)
{
	struct guest *g = s->guest;

	if (!s->ret)
		s->ret = let_run(s);
	if (s->ret) {
		explain_death(s, g->lodged->hv);
		guest_abort(g, failed, g);
		return;
	}
	g->state = GUEST_RUNNING;
	if (s->warning.text[0])
		log_line("%s: %s", g->name, s->warning.text);
	g->start = NULL;
	guest_changed(g, "started");
	if (s->request.done)
		s->request.done(s->request.argument, g, 0, NULL);
	start_free(s);
}

/* GRUB looks for disks once, and leaves out whose backend does not wait for it yet. Kernels are patient. */
static bool needs_devices(const struct guest *g)
{
	return !g->active->d->kernel && !g->is_paused && !devices_are_ready(g);
}

static void devices_waited(struct loop_timer *t)
{
	struct guest_start *s = container_of(t, struct guest_start, devices);

	s->is_waiting = false;
	if (!s->is_cancelled && !devices_are_ready(s->guest))
		log_line("%s: starts although not all of its devices are ready", s->guest->name);
	finish(s);
}

void guest_start_look(struct guest *g)
{
	struct guest_start *s = g->start;

	if (s && s->is_waiting && (s->is_cancelled || devices_are_ready(g)))
		loop_timer_start(&g->lodged->loop, &s->devices, 0);
}

/* Its domain is built, or there is none. */
static void go_on(struct guest_start *s)
{
	struct guest *g = s->guest;

	loop_timer_stop(&s->progress);
	guest_set_domain(g, s->domain);
	g->is_paused = s->request.is_paused;
	g->started = time(NULL);
	g->started_ns = loop_now_ns();
	why_note_log(g);
	if (!s->ret && !s->is_cancelled) {
		g->state = GUEST_RUNNING; /* so its record says */
		s->ret = connect_guest(g, s, &s->err);
		g->state = GUEST_BUILDING;
	}
	if (s->ret || s->is_cancelled || !needs_devices(g)) {
		finish(s);
		return;
	}
	s->is_waiting = true;
	s->devices.fire = devices_waited;
	loop_timer_start(&g->lodged->loop, &s->devices, DEVICES_MS);
}

static void store_answers(struct nodes_waiter *w, int ret)
{
	struct guest_start *s = container_of(w, struct guest_start, store);

	if (ret)
		s->ret = err_set(&s->err, -EIO, "xenstore does not answer: see lodge-store's log");
	go_on(s);
}

static void built(struct job *j)
{
	struct guest_start *s = container_of(j, struct guest_start, job);
	struct nodes *n = s->guest->lodged->nodes;

	s->step = STEP_STORE;
	s->store.done = store_answers;
	if (s->ret || nodes_is_up(n))
		go_on(s);
	else
		nodes_wait(n, &s->store, STORE_MS);
}

static void tell_progress(struct loop_timer *t)
{
	struct guest_start *s = container_of(t, struct guest_start, progress);

	s->request.progress(s->request.argument, step_texts[s->step], 0);
	loop_timer_start(&s->guest->lodged->loop, t, PROGRESS_MS);
}

static int may_start(const struct guest *g, struct err *err)
{
	if (g->lodged->stop)
		return err_set(err, -ESTALE, "the host is shutting down");
	if (g->state == GUEST_ENDED)
		return err_set(err, -ESTALE,
			       "what is left of its last run is kept: destroy it first");
	if (g->state != GUEST_OFF)
		return err_set(err, -ESTALE, "\"%s\" is %s", g->name, guest_state_name(g));
	return 0;
}

/* It was not even tried. */
static int refuse(struct guest *g, int ret)
{
	if (g->state == GUEST_OFF && !g->defined && !g->is_restarting)
		guest_forget(g);
	return ret;
}

int guest_start(struct guest *g, const struct start_request *request, struct err *err)
{
	struct lodged *l = g->lodged;
	struct guest_start *s;
	struct config *before;
	int ret = may_start(g, err);

	if (ret)
		return refuse(g, ret);
	loop_timer_stop(&g->restart);
	s = calloc(1, sizeof(*s));
	if (!s)
		return refuse(g, err_set(err, -ENOMEM, "no memory"));
	s->guest = g;
	s->request = *request;
	s->domain = NO_DOMAIN;
	s->job.work = build;
	s->job.done = built;
	s->progress.fire = tell_progress;
	before = g->active;
	g->active = config_get(request->config);
	config_put(before);
	memcpy(g->domain_uuid, g->uuid, sizeof(g->domain_uuid));
	g->has_crashed = false;
	g->is_restarting = false;
	ret = describe(s, err);
	if (!ret)
		ret = describe_cpu(s, err);
	if (!ret)
		ret = devices_prepare(g, err);
	if (ret) {
		bool is_tried_again = try_again(g, s);

		start_free(s);
		let_go(g, is_tried_again);
		return ret;
	}
	g->state = GUEST_BUILDING;
	g->start = s;
	jobs_submit(l->jobs, &s->job);
	if (s->request.progress)
		loop_timer_start(&l->loop, &s->progress, PROGRESS_MS);
	guest_changed(g, NULL);
	return 0;
}

void guest_start_cancel(struct guest *g)
{
	g->start->is_cancelled = true;
	guest_start_look(g);
}

/*
 * Keys for whoever sits at the serial line: what the hypervisor is doing. They read numbers without locks
 * and print what they find; what may be freed meanwhile they look at under the lock that keeps it.
 */
#include "abi/event-channel.h"
#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/console.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "lodge/page.h"
#include "lodge/sched.h"
#include "lodge/vcpu.h"

#define MAX_PORTS_SHOWN 64u

static void show_help(void);

static void __attribute__((format(printf, 1, 2))) print_line(const char *fmt, ...)
{
	char line[128];
	va_list args;

	va_start(args, fmt);
	(void)vformat(line, sizeof(line), fmt, args);
	va_end(args);
	log_info("  %s", line);
}

static void for_each_domain_do(void (*fn)(struct domain *d))
{
	for (unsigned id = 0; id < MAX_DOMAINS; id++) {
		struct domain *d = domain_lookup((domid_t)id);

		if (!d)
			continue;
		fn(d);
		domain_put(d);
	}
}

static void show_cpus(void)
{
	for (unsigned i = 0; i < nr_cpus; i++) {
		const struct cpu *c = cpus[i];
		const struct vcpu *v = READ_ONCE(c->current);

		if (v)
			log_info("cpu%u runs dom%u vcpu%u, %" PRIu64 " exits, pending %#x\n", i,
				 v->domain->id, v->id, c->nr_exits, c->pending);
		else
			log_info("cpu%u is idle, %" PRIu64 " exits, pending %#x\n", i, c->nr_exits,
				 c->pending);
		trace_print(c, 8, print_line);
	}
}

static void show_domain(struct domain *d)
{
	log_info("dom%u: %u vCPUs, %" PRIu64 " of %" PRIu64 " pages, %" PRIu64
		 " for tables%s%s%s%s\n",
		 d->id, d->nr_vcpus, d->nr_pages, d->max_pages, d->p2m.nr_table_pages,
		 d->pause_count ? ", paused" : "", d->is_shut_down ? ", shut down" : "",
		 d->dying ? ", dying" : "", d->crash_reason[0] ? ", crashed" : "");
	spin_lock(&d->lock); /* vCPUs go with it held */
	for (uint32_t i = 0; i < d->nr_vcpus; i++) {
		struct vcpu *v = d->vcpu[i];

		if (v)
			log_info("  vcpu%u: cpu%u, blocked by %#x, upcall %s, ran %" PRIu64 " ms\n",
				 i, v->cpu, v->blocked_by,
				 vcpu_upcall_pending(v) ? "pending" : "clear",
				 v->runstate.time[RUNSTATE_running] / NS_PER_MS);
	}
	spin_unlock(&d->lock);
}

static void show_domains(void)
{
	log_info("%" PRIu64 " of %" PRIu64 " pages are free\n", page_count_free(),
		 page_count_total());
	for_each_domain_do(show_domain);
}

static void show_queues(void)
{
	for (unsigned i = 0; i < nr_cpus; i++)
		log_info("cpu%u: %u wait, load %" PRIu64 ", virtual time %" PRIu64 " ms\n", i,
			 cpus[i]->sched.nr_runnable, cpus[i]->sched.load,
			 cpus[i]->sched.min_vruntime / NS_PER_MS);
}

static void show_domain_events(struct domain *d)
{
	unsigned nr_shown = 0;

	log_info("dom%u: %s events, up to port %u; pending:\n", d->id,
		 d->evtchn.fifo ? "FIFO" : "2-level", d->evtchn.max_port);
	for (evtchn_port_t port = evtchn_next_open(d, 1); port && nr_shown < MAX_PORTS_SHOWN;
	     port = evtchn_next_open(d, port + 1)) {
		if (!evtchn_port_is_pending(d, port))
			continue;
		log_info("  port %u\n", port);
		nr_shown++;
	}
}

static void show_events(void)
{
	for_each_domain_do(show_domain_events);
}

static const struct debug_key_row {
	char key;
	const char *help;
	void (*fn)(void);
} keys[] = {
	{ 'd', "CPUs and what they did last", show_cpus },
	{ 'e', "pending events", show_events },
	{ 'h', "this help", show_help },
	{ 'q', "domains and their vCPUs", show_domains },
	{ 'r', "run queues", show_queues },
};

static void show_help(void)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		log_info("%c  %s\n", keys[i].key, keys[i].help);
}

void debug_key(char key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].key == key)
			keys[i].fn();
}

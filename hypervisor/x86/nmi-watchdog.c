/* CPUs watch each other: once a second each looks at the next one's heartbeat, which its main loop
 * counts. A CPU that is neither idle nor in a guest and has made no pass for some seconds hangs in
 * the hypervisor: an NMI makes it print where, and panic. Off by default, because it keeps an idle
 * machine from sleeping longer than a second. A machine with one CPU has nobody to watch it. */
#include "x86/nmi-watchdog.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/timer.h"
#include "x86/cmdline.h"
#include "x86/panic.h"

#define PERIOD_NS NS_PER_SEC
#define LIMIT     5u /* periods */

static bool opt_watchdog;
OPTION_BOOL("watchdog", opt_watchdog);

static struct watch { /* its CPU's own */
	struct timer timer;
	uint64_t heartbeat; /* the neighbour's at the last look */
	unsigned missed;
} watches[MAX_CPUS];

/* Each pass of c's main loop counts, in the one or the other. */
static uint64_t heartbeat_of(const struct cpu *c)
{
	return READ_ONCE(c->arch.heartbeat) + READ_ONCE(c->nr_exits);
}

static bool makes_progress(const struct cpu *c, uint64_t heartbeat)
{
	return READ_ONCE(c->idle) || READ_ONCE(c->arch.in_guest) == CPU_IN_GUEST ||
	       heartbeat_of(c) != heartbeat;
}

static void look(struct timer *t)
{
	struct watch *w = container_of(t, struct watch, timer);
	struct cpu *next = cpus[(this_cpu()->id + 1) % nr_cpus];

	w->missed = makes_progress(next, w->heartbeat) ? 0 : w->missed + 1;
	w->heartbeat = heartbeat_of(next);
	if (w->missed == LIMIT)
		panic_watchdog_expired(next);
	timer_set(t, arch_now_ns() + PERIOD_NS);
}

void watchdog_cpu_init(void)
{
	struct watch *w = &watches[this_cpu()->id];

	if (!opt_watchdog || nr_cpus < 2)
		return;
	timer_init(&w->timer, look);
	timer_set(&w->timer, arch_now_ns() + PERIOD_NS);
}

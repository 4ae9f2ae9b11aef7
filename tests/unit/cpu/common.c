/* Helpers of the tests in this folder: see common.h. */
#include "common.h"

#include <stdlib.h>
#include <string.h>

#include "lodge/page.h"

struct domain *machine_domain(domid_t id, bool privileged, unsigned nr_vcpus)
{
	struct domain *d = fake_domain(id, privileged, nr_vcpus);

	sched_domain_init(d);
	for (unsigned i = 0; i < nr_vcpus; i++) {
		free(d->vcpu[i]);
		d->vcpu[i] = NULL;
		ck_assert_int_eq(vcpu_create(d, i), 0);
	}
	return d;
}

void machine_pass(unsigned cpu)
{
	fake_run_on(cpu);
	cpu_do_pending(cpus[cpu]);
}

static bool anything_pending(void)
{
	for (unsigned i = 0; i < nr_cpus; i++)
		if (cpus[i]->pending)
			return true;
	return false;
}

void machine_settle(void)
{
	while (anything_pending())
		for (unsigned i = 0; i < nr_cpus; i++)
			machine_pass(i);
	fake_run_on(0);
}

void machine_setup(unsigned nr)
{
	fake_reset();
	fake_cpus(nr);
	for (unsigned i = 0; i < nr; i++)
		cpu_init(cpus[i], i);
	machine_settle(); /* all find out that they are idle */
}

static uint64_t next_interrupt(void)
{
	uint64_t first_ns = TIME_NEVER;

	for (unsigned i = 0; i < nr_cpus; i++)
		first_ns = MIN(first_ns, cpus[i]->arch.timer_deadline_ns);
	return first_ns;
}

void machine_advance(uint64_t ns)
{
	uint64_t until_ns = fake_now_ns + ns;

	machine_settle();
	while (next_interrupt() <= until_ns) {
		fake_now_ns = MAX(fake_now_ns, next_interrupt());
		for (unsigned i = 0; i < nr_cpus; i++) {
			if (cpus[i]->arch.timer_deadline_ns > fake_now_ns)
				continue;
			cpus[i]->arch.timer_deadline_ns = TIME_NEVER;
			cpus[i]->pending |= CPU_PENDING_TIMER;
		}
		machine_settle();
	}
	fake_now_ns = until_ns;
}

void machine_run(struct vcpu *v, unsigned cpu)
{
	bitmap_word_t only[BITMAP_WORDS(MAX_CPUS)] = { 0 }, any[BITMAP_WORDS(MAX_CPUS)];

	bitmap_set(only, cpu);
	bitmap_fill(any, MAX_CPUS);
	ck_assert_int_eq(sched_set_affinity(v, only), 0);
	vcpu_unblock(v, UINT32_MAX);
	machine_settle();
	ck_assert_ptr_eq(cpus[cpu]->current, v);
	ck_assert_int_eq(sched_set_affinity(v, any), 0);
	fake_run_on(cpu);
}

static int64_t call_as(hypercall_fn *fn, struct vcpu *v, uint64_t arg0, uint64_t arg1,
		       uint64_t arg2, bool compat)
{
	struct hypercall_args a = { .arg = { arg0, arg1, arg2 }, .compat = compat };

	return fn(v, &a);
}

int64_t call(hypercall_fn *fn, struct vcpu *v, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	return call_as(fn, v, arg0, arg1, arg2, false);
}

int64_t call_compat(hypercall_fn *fn, struct vcpu *v, uint64_t arg0, uint64_t arg1, uint64_t arg2)
{
	return call_as(fn, v, arg0, arg1, arg2, true);
}

mfn_t machine_ram(struct domain *d, unsigned nr_pages)
{
	mfn_t first = MFN_NONE;

	for (unsigned i = 0; i < nr_pages; i++) {
		struct p2m_entry e = { .kind = P2M_RAM, .access = P2M_WRITE | P2M_EXEC | P2M_DMA };

		ck_assert_int_eq(page_alloc_domain(d, 0, 0, &e.mfn), 0);
		ck_assert_int_eq(p2m_map(d, GFN((FAKE_GUEST_BASE >> PAGE_SHIFT) + i), &e), 0);
		if (!i)
			first = e.mfn;
	}
	return first;
}

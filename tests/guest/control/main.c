/* The control interface, from the first claim to the last page: guests are made, fed, started, watched and
 * destroyed. */
#include "abi/control.h"
#include "abi/hvm-vcpu.h"
#include "child.h"
#include "guest/guest.h"

const char test_title[] = "guests are made, run, watched and destroyed, and leave nothing behind";

#define ROUNDS      100
#define CHILD_PAGES 1024
#define UNBACKED    0xf0000000u

#define STEP(step, x, y, z)                                  \
	{                                                    \
		.what = (step), .a = (x), .b = (y), .c = (z) \
	}
#define CALL(nr, x, y, z) STEP(__HYPERVISOR_##nr, x, y, z)
#define SHUT_DOWN         CALL(sched_op, SCHEDOP_shutdown, CHILD_DATA, 0)

static struct lodge_control call;
static uint32_t exc_port;
static struct vcpu_hvm_context context;
static uint8_t buffer[8 * PAGE_SIZE] __attribute__((aligned(4096)));

static int64_t control(uint32_t op, uint32_t domain)
{
	call.version = LODGE_CONTROL_VERSION;
	call.op = op;
	call.domain = domain;
	return hypercall2(__HYPERVISOR_lodge_control, (uintptr_t)&call, 0);
}

static int64_t simple(uint32_t op, uint32_t domain)
{
	memset(&call, 0, sizeof(call));
	return control(op, domain);
}

static void need(int64_t err, const char *what)
{
	if (err)
		test_error("%s: %ld", what, err);
}

/* What there is to ask -------------------------------------------------------------------------------- */

static struct lodge_host_info host_info(void)
{
	static struct lodge_host_info info;

	memset(&call, 0, sizeof(call));
	call.u.list = (struct lodge_control_list){ .buffer = (uintptr_t)&info, .max = 1 };
	need(control(LODGE_CONTROL_host_info, 0), "host_info");
	return info;
}

static struct lodge_domain_info domain_info(uint32_t id)
{
	static struct lodge_domain_info info;

	info.domain = LODGE_DOMAIN_ANY;
	memset(&call, 0, sizeof(call));
	call.u.list =
		(struct lodge_control_list){ .buffer = (uintptr_t)&info, .max = 1, .first = id };
	need(control(LODGE_CONTROL_list, 0), "list");
	return info;
}

static struct lodge_vcpu_info vcpu_info(uint32_t id)
{
	static struct lodge_vcpu_info info;

	memset(&call, 0, sizeof(call));
	call.u.list = (struct lodge_control_list){ .buffer = (uintptr_t)&info, .max = 1 };
	need(control(LODGE_CONTROL_vcpu_list, id), "vcpu_list");
	return info;
}

/* A child --------------------------------------------------------------------------------------------- */

static int64_t copy(uint32_t op, uint32_t id, uint64_t gpa, const void *from, uint64_t bytes)
{
	memset(&call, 0, sizeof(call));
	call.u.copy = (struct lodge_control_copy){ .gpa = gpa,
						   .buffer = (uintptr_t)from,
						   .bytes = bytes };
	return control(op, id);
}

static int64_t populate(uint32_t id, uint64_t gfn, uint64_t nr)
{
	memset(&call, 0, sizeof(call));
	call.u.populate = (struct lodge_control_populate){ .gfn = gfn, .nr_pages = nr };
	return control(LODGE_CONTROL_populate, id);
}

static int64_t claim(uint32_t id, uint64_t nr)
{
	memset(&call, 0, sizeof(call));
	call.u.memory.nr_pages = nr;
	return control(LODGE_CONTROL_claim, id);
}

static int64_t create(uint32_t id)
{
	memset(&call, 0, sizeof(call));
	call.u.create = (struct lodge_control_create){ .uuid = "a tiny guest 16",
						       .max_pages = CHILD_PAGES,
						       .nr_vcpus = 1 };
	return control(LODGE_CONTROL_create, id);
}

static int64_t start_vcpu(uint32_t id)
{
	memset(&context, 0, sizeof(context));
	context.mode = VCPU_HVM_MODE_32B;
	context.cpu_regs.x86_32 = (struct vcpu_hvm_x86_32){
		.eip = CHILD_ENTRY,
		.ebx = CHILD_DATA,
		.esp = CHILD_DATA,
		.eflags = 2,
		.cr0 = 0x11,
		.cs_limit = UINT32_MAX,
		.ds_limit = UINT32_MAX,
		.ss_limit = UINT32_MAX,
		.es_limit = UINT32_MAX,
		.tr_limit = 0x67,
		.cs_ar = 0xc9b,
		.ds_ar = 0xc93,
		.ss_ar = 0xc93,
		.es_ar = 0xc93,
		.tr_ar = 0x8b,
	};
	memset(&call, 0, sizeof(call));
	call.u.vcpu.buffer = (uintptr_t)&context;
	return control(LODGE_CONTROL_start_vcpu, id);
}

/* A guest that will do these steps, not started yet. */
static uint32_t make_child(const struct step *steps, unsigned int nr)
{
	uint32_t id;

	need(create(LODGE_DOMAIN_ANY), "create");
	id = call.domain;
	need(claim(id, CHILD_PAGES), "claim");
	need(populate(id, 0, CHILD_PAGES), "populate");
	need(copy(LODGE_CONTROL_copy_in, id, CHILD_ENTRY, child_code,
		  (uint64_t)(child_code_end - child_code)),
	     "copy in its code");
	need(copy(LODGE_CONTROL_copy_in, id, CHILD_STEPS, steps, nr * sizeof(*steps)),
	     "copy in its steps");
	need(start_vcpu(id), "start its vCPU");
	return id;
}

static struct step result_of(uint32_t id, unsigned int nr)
{
	struct step s = { 0 };

	need(copy(LODGE_CONTROL_copy_out, id, CHILD_STEPS + nr * sizeof(s), &s, sizeof(s)),
	     "copy out a step");
	return s;
}

/* Runs it until it has stopped; its record then. */
static struct lodge_domain_info run_child(uint32_t id)
{
	struct lodge_domain_info info;
	uint64_t end = clock_ns() + 5 * SEC;

	need(simple(LODGE_CONTROL_unpause, id), "unpause");
	do {
		uint32_t count = event_count[exc_port];

		info = domain_info(id);
		if (!(info.flags & LODGE_DOMAIN_SHUT_DOWN))
			event_wait(exc_port, count + 1, SEC);
	} while (!(info.flags & LODGE_DOMAIN_SHUT_DOWN) && clock_ns() < end);
	return info;
}

static void destroy(uint32_t id)
{
	need(simple(LODGE_CONTROL_destroy, id), "destroy");
}

static void set_shutdown_reason(uint32_t id, uint32_t reason)
{
	need(copy(LODGE_CONTROL_copy_in, id, CHILD_DATA, &reason, sizeof(reason)), "copy in");
}

/* The checks ------------------------------------------------------------------------------------------ */

static void check_calls(void)
{
	memset(&call, 0, sizeof(call));
	call.op = LODGE_CONTROL_version;
	call.version = 99;
	check_err(hypercall2(__HYPERVISOR_lodge_control, (uintptr_t)&call, 0), 0,
		  "any version may ask for the version");
	check_eq(call.u.version.version, LODGE_CONTROL_VERSION, "it is told");
	call.op = LODGE_CONTROL_host_info;
	check_err(hypercall2(__HYPERVISOR_lodge_control, (uintptr_t)&call, 0), -XEN_EINVAL,
		  "another version is refused");
	check_err(hypercall2(__HYPERVISOR_lodge_control, 0xffff000000000000, 0), -XEN_EFAULT,
		  "an address that is not mapped is told");
	check_err(simple(LODGE_CONTROL_NR, 0), -XEN_ENOSYS, "an operation that does not exist");
	check_err(simple(LODGE_CONTROL_pause, 0), -XEN_EINVAL,
		  "the service VM cannot pause itself");
	check_err(simple(LODGE_CONTROL_destroy, 0), -XEN_EINVAL, "nor destroy itself");
	check_err(simple(LODGE_CONTROL_pause, 77), -XEN_ESRCH, "no domain, no pause");
}

static void check_life(void)
{
	const struct step steps[] = { STEP(STEP_LOAD, UNBACKED, 0, 0), STEP(STEP_IN, 0x60, 0, 0),
				      STEP(STEP_STORE, CHILD_PAGE, 0x600dcafe, 0), SHUT_DOWN };
	uint32_t id = make_child(steps, ARRAY_SIZE(steps)), value = 0;
	struct lodge_domain_info info = domain_info(id);
	struct lodge_vcpu_info v;
	uint64_t since = info.change;

	check(info.domain == id && info.flags == LODGE_DOMAIN_PAUSED,
	      "a guest that was made is paused");
	check_eq(info.nr_pages, CHILD_PAGES, "it has the memory that it was given");
	check(info.overhead > info.nr_tables * PAGE_SIZE && info.overhead < 1 << 20,
	      "%lu KiB of the hypervisor's memory serve it", info.overhead >> 10);
	check_eq(info.nr_claimed, 0, "which has used up its claim");
	check_err(populate(id, CHILD_PAGES, 1), -XEN_ENOMEM, "its limit holds");
	check_eq(call.u.populate.done, 0, "and nothing was done");
	check_err(start_vcpu(id), -XEN_EBUSY, "its vCPU cannot be started twice");
	check_err(copy(LODGE_CONTROL_copy_in, id, CHILD_PAGES * PAGE_SIZE - 4, steps, 8),
		  -XEN_EINVAL, "a copy beyond its memory stops there");
	check_eq(call.u.copy.done, 4, "and tells how far it came");
	set_shutdown_reason(id, SHUTDOWN_reboot);
	info = run_child(id);
	check(info.flags & LODGE_DOMAIN_SHUT_DOWN, "it runs, and VIRQ_DOM_EXC tells that it ended");
	check_eq(info.shutdown_reason, SHUTDOWN_reboot, "for the reason that it gave");
	check_eq(result_of(id, 0).result, UINT32_MAX, "where it has nothing it read all ones");
	check_eq(result_of(id, 1).result & 0xff, 0xff, "from ports as well");
	need(copy(LODGE_CONTROL_copy_out, id, CHILD_PAGE, &value, sizeof(value)), "copy out");
	check_eq(value, 0x600dcafe, "what it wrote can be read");
	v = vcpu_info(id);
	check(v.running_ns && v.exits[4], "it took %lu ns of CPU time, %lu hypercalls",
	      v.running_ns, v.exits[4]);
	destroy(id);
	memset(&call, 0, sizeof(call));
	call.u.list =
		(struct lodge_control_list){ .buffer = (uintptr_t)&info, .max = 1, .since = since };
	need(control(LODGE_CONTROL_list, 0), "list what changed");
	check(call.u.list.nr == 1 && info.domain == id && info.flags == LODGE_DOMAIN_GONE,
	      "that it is gone is told as a change");
}

static void check_claims(void)
{
	struct lodge_host_info before = host_info(), after;
	uint32_t first, second;

	need(create(LODGE_DOMAIN_ANY), "create");
	first = call.domain;
	need(create(LODGE_DOMAIN_ANY), "create");
	second = call.domain;
	check_err(claim(first, before.nr_free), -XEN_ENOMEM,
		  "what does not fit is refused at once");
	check(call.u.memory.missing, "%lu pages are missing", call.u.memory.missing);
	check_err(claim(first, before.nr_free / 2), 0, "what fits is claimed");
	after = host_info();
	check_eq(after.nr_claimed, before.nr_free / 2, "the host tells how much");
	check_err(claim(second, before.nr_free / 2), -XEN_ENOMEM, "nobody else can claim it");
	destroy(first);
	check_err(claim(second, before.nr_free / 2), 0, "its end gives it up");
	destroy(second);
	check_eq(host_info().nr_claimed, 0, "no claim is left");
}

static void check_crash(void)
{
	const struct step steps[] = { STEP(STEP_TRIPLE, 0, 0, 0) };
	uint32_t id = make_child(steps, ARRAY_SIZE(steps));
	struct lodge_domain_info info = run_child(id);
	static struct lodge_registers regs;

	check(info.flags & LODGE_DOMAIN_SHUT_DOWN && info.shutdown_reason == SHUTDOWN_crash,
	      "a triple fault is a crash");
	check(strstr(info.crash_reason, "triple fault"), "and told so: %s", info.crash_reason);
	memset(&call, 0, sizeof(call));
	call.u.vcpu.buffer = (uintptr_t)&regs;
	check_err(control(LODGE_CONTROL_registers, id), 0, "its registers can be read");
	check(regs.rip >= CHILD_ENTRY && regs.rip < CHILD_STEPS && regs.rbp == CHILD_STEPS &&
		      regs.cr0 & 1 && regs.segment[1].attributes == 0xc9b,
	      "and show where it stood: rip %#lx", regs.rip);
	memset(&call, 0, sizeof(call));
	call.u.translate.linear = regs.rip;
	check_err(control(LODGE_CONTROL_translate, id), 0, "its addresses can be translated");
	check_eq(call.u.translate.gpa, regs.rip, "without paging to themselves");
	destroy(id);
}

/* It spins; it is paused, looked at, and stopped from here. */
static void check_pause(void)
{
	const struct step steps[] = { STEP(STEP_SPIN, 0, 0, 0) };
	uint32_t id = make_child(steps, 1), count;

	need(simple(LODGE_CONTROL_unpause, id), "unpause");
	check(WAIT_UNTIL(result_of(id, 0).result, 5 * SEC), "it counts");
	check_err(simple(LODGE_CONTROL_pause, id), 0, "it can be paused");
	count = result_of(id, 0).result;
	delay_ns(2 * MS);
	check_eq(result_of(id, 0).result, count, "then it stands still");
	check_err(simple(LODGE_CONTROL_unpause, id), 0, "and goes on");
	check(WAIT_UNTIL(result_of(id, 0).result != count, 5 * SEC), "it counts again");
	check_err(simple(LODGE_CONTROL_unpause, id), -XEN_EINVAL,
		  "what is not paused cannot be unpaused");
	memset(&call, 0, sizeof(call));
	call.u.shutdown.reason = SHUTDOWN_crash;
	check_err(control(LODGE_CONTROL_shutdown, id), 0, "it can be stopped from here");
	check_eq(domain_info(id).shutdown_reason, SHUTDOWN_crash, "as a crash");
	destroy(id);
}

/* The child grants a page (seeded), sends an event and waits for one. */
static void check_channels(void)
{
	uint8_t *window = hole_alloc();
	struct sched_poll_32 {
		uint32_t ports, nr_ports;
		uint64_t timeout;
	} poll = { CHILD_DATA + 32, 1, 0 };
	struct step steps[] = {
		STEP(STEP_STORE, CHILD_PAGE, 0x11223344, 0),
		CALL(event_channel_op, EVTCHNOP_send, CHILD_DATA + 32, 0),
		CALL(sched_op, SCHEDOP_poll, CHILD_DATA + 16, 0),
		SHUT_DOWN,
	};
	uint32_t id = make_child(steps, ARRAY_SIZE(steps)), port, theirs, count;
	struct gnttab_map_grant_ref map = { .host_addr = (uintptr_t)window,
					    .flags = GNTMAP_host_map,
					    .ref = 1,
					    .dom = (uint16_t)id };
	struct gnttab_unmap_grant_ref unmap = { .host_addr = (uintptr_t)window };
	struct gnttab_copy copy_op = { .source = { .u.ref = 1, .domid = (uint16_t)id },
				       .dest = { .u.gmfn = gfn_of(buffer), .domid = DOMID_SELF },
				       .len = 64,
				       .flags = GNTCOPY_source_gref };

	theirs = event_alloc_unbound((uint16_t)id, 0);
	port = event_bind_interdomain((uint16_t)id, theirs);
	event_unmask(port);
	memset(&call, 0, sizeof(call));
	call.u.seed_grant = (struct lodge_control_seed_grant){ .ref = 1, .gfn = CHILD_PAGE >> 12 };
	check_err(control(LODGE_CONTROL_seed_grant, id), 0, "a grant can be seeded");
	check_err(control(LODGE_CONTROL_seed_grant, id), -XEN_EBUSY, "once");
	need(copy(LODGE_CONTROL_copy_in, id, CHILD_DATA + 16, &poll, sizeof(poll)), "copy in");
	need(copy(LODGE_CONTROL_copy_in, id, CHILD_DATA + 32, &theirs, sizeof(theirs)), "copy in");
	count = event_count[port]; /* who binds starts with one */
	need(simple(LODGE_CONTROL_unpause, id), "unpause");
	check(event_wait(port, count + 1, 5 * SEC), "its event arrives here");
	check(!grant_table_op(GNTTABOP_map_grant_ref, &map, 1) && !map.status,
	      "its page can be mapped");
	check_eq(*(volatile uint32_t *)window, 0x11223344, "and shows what it wrote");
	check(!grant_table_op(GNTTABOP_copy, &copy_op, 1) && !copy_op.status,
	      "its page can be copied");
	check_eq(*(volatile uint32_t *)buffer, 0x11223344, "and what came is the same");
	check(!(domain_info(id).flags & LODGE_DOMAIN_SHUT_DOWN), "it waits for an event");
	check_err(event_send(port), 0, "which is sent");
	check(WAIT_UNTIL(domain_info(id).flags & LODGE_DOMAIN_SHUT_DOWN, 5 * SEC),
	      "and ends its wait");
	/* What is mapped outlives its owner, until it is unmapped. */
	destroy(id);
	check(domain_info(id).flags & LODGE_DOMAIN_DYING, "a mapped page keeps its record");
	check_eq(*(volatile uint32_t *)window, 0x11223344, "and its contents");
	unmap.handle = map.handle;
	check(!grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1) && !unmap.status,
	      "until it is unmapped");
	check(domain_info(id).domain != id, "then the domain is gone");
	check_err(event_send(port), 0, "a channel without its other end stays open");
	event_close(port);
}

/* As a backend that has not noticed yet that its guest is gone. */
static void check_death_while_mapped(void)
{
	const struct step steps[] = { STEP(STEP_STORE, CHILD_PAGE, 0xfeedbeef, 0), SHUT_DOWN };
	struct gnttab_map_grant_ref map[LODGE_SEED_GRANTS];
	struct lodge_domain_info info;
	uint64_t nr_free;
	bool all = true;
	uint32_t id, count = 0;

	for (uint32_t ref = 0; ref < LODGE_SEED_GRANTS; ref++)
		map[ref].host_addr = (uintptr_t)hole_alloc();
	nr_free = host_info().nr_free;
	id = make_child(steps, ARRAY_SIZE(steps));
	for (uint32_t ref = 0; ref < LODGE_SEED_GRANTS; ref++) {
		memset(&call, 0, sizeof(call));
		call.u.seed_grant =
			(struct lodge_control_seed_grant){ .ref = ref,
							   .gfn = (CHILD_PAGE >> 12) + ref };
		need(control(LODGE_CONTROL_seed_grant, id), "seed a grant");
		map[ref] = (struct gnttab_map_grant_ref){ .host_addr = map[ref].host_addr,
							  .flags = GNTMAP_host_map,
							  .ref = ref,
							  .dom = (uint16_t)id };
	}
	check(!grant_table_op(GNTTABOP_map_grant_ref, map, ARRAY_SIZE(map)),
	      "a guest's pages are mapped");
	(void)run_child(id);
	destroy(id);
	info = domain_info(id);
	check(info.domain == id && info.flags & LODGE_DOMAIN_DYING,
	      "destroyed while they are, it is told as dying");
	check_eq(info.nr_pages, LODGE_SEED_GRANTS, "and has no other pages any more");
	check_err(simple(LODGE_CONTROL_unpause, id), -XEN_ESRCH, "nothing can be done to it");
	check_err(simple(LODGE_CONTROL_destroy, id), 0, "but destroy it again");
	for (uint32_t ref = LODGE_SEED_GRANTS; ref-- > 0;) {
		struct gnttab_unmap_grant_ref unmap = { .host_addr = map[ref].host_addr,
							.handle = map[ref].handle };

		all = all && domain_info(id).domain == id &&
		      *(volatile uint32_t *)map[0].host_addr == 0xfeedbeef;
		count = event_count[exc_port];
		need(grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1) || unmap.status, "unmap");
	}
	check(all, "it stays until the last of them is unmapped");
	check(domain_info(id).domain != id, "then it is gone");
	check(event_count[exc_port] != count, "which VIRQ_DOM_EXC tells");
	check_eq(host_info().nr_free, nr_free, "and its memory is free again, to the page");
}

/* What a guest must not do comes back as an error, and hurts nobody. */
static void check_hostile(void)
{
	const struct step steps[] = {
		CALL(sched_op, SCHEDOP_remote_shutdown, CHILD_DATA + 64, 0),
		CALL(console_io, CONSOLEIO_write, 4, CHILD_PAGE),
		CALL(platform_op, CHILD_DATA + 64, 0, 0),
		CALL(physdev_op, 25, CHILD_DATA + 64, 0),
		STEP(__HYPERVISOR_lodge_control, CHILD_DATA + 64, 0, 0),
		CALL(memory_op, XENMEM_current_reservation, CHILD_DATA + 64, 0),
		CALL(event_channel_op, EVTCHNOP_send, CHILD_DATA + 64, 0),
		CALL(grant_table_op, GNTTABOP_map_grant_ref, 0xfffff000, 1),
		STEP(STEP_STORE, UNBACKED, 1, 0),
		STEP(STEP_HALT, 0, 0, 0),
	};
	const int32_t want[] = { -XEN_EPERM, -XEN_EPERM, -XEN_EPERM,  -XEN_EPERM,
				 -XEN_EPERM, -XEN_EPERM, -XEN_EINVAL, -XEN_EFAULT };
	uint32_t id = make_child(steps, ARRAY_SIZE(steps)), zeros[4] = { 0 };
	struct lodge_domain_info info;

	/* Domain 0 is what each of them names. */
	need(copy(LODGE_CONTROL_copy_in, id, CHILD_DATA + 64, zeros, sizeof(zeros)), "copy in");
	info = run_child(id);
	for (unsigned int i = 0; i < ARRAY_SIZE(want); i++)
		check_err((int32_t)result_of(id, i).result, want[i],
			  "hypercall %u of a guest is refused", steps[i].what);
	check(info.flags & LODGE_DOMAIN_SHUT_DOWN && info.shutdown_reason == SHUTDOWN_poweroff,
	      "its last halt with interrupts off is its power-off");
	destroy(id);
}

static void check_scheduling(void)
{
	static uint64_t mask[LODGE_CPU_MASK_BYTES / 8];
	uint32_t id;

	need(create(LODGE_DOMAIN_ANY), "create");
	id = call.domain;
	memset(&call, 0, sizeof(call));
	call.u.scheduling =
		(struct lodge_control_scheduling){ .vcpu = LODGE_VCPU_ALL, .weight = 512 };
	check_err(control(LODGE_CONTROL_set_scheduling, id), 0, "weights can be set");
	memset(&call, 0, sizeof(call));
	check_err(control(LODGE_CONTROL_get_scheduling, id), 0, "and read");
	check_eq(call.u.scheduling.weight, 512, "they are what was set");
	memset(&call, 0, sizeof(call));
	call.u.vcpu = (struct lodge_control_vcpu){ .buffer = (uintptr_t)mask };
	check_err(control(LODGE_CONTROL_set_affinity, id), -XEN_EINVAL, "a vCPU needs a CPU");
	mask[0] = 1;
	check_err(control(LODGE_CONTROL_set_affinity, id), 0, "it can be bound to one");
	destroy(id);
}

static int64_t set_cap(uint32_t id, uint32_t cap)
{
	memset(&call, 0, sizeof(call));
	call.u.scheduling = (struct lodge_control_scheduling){ .vcpu = LODGE_VCPU_ALL, .cap = cap };
	return control(LODGE_CONTROL_set_scheduling, id);
}

/* In thousandths of a CPU, over some periods of the cap. */
static uint64_t share_of(uint32_t id)
{
	uint64_t start = clock_ns(), ran = vcpu_info(id).running_ns;

	delay_ns(200 * MS);
	return (vcpu_info(id).running_ns - ran) * 1000 / (clock_ns() - start);
}

/* It spins on the other CPU, so that nothing but its cap keeps it from running. How much that is can be
 * said only where no host shares out time to the emulated CPUs. */
static void check_cap(bool exactly)
{
	static const uint64_t other_cpu[LODGE_CPU_MASK_BYTES / 8] = { 2 };
	const struct step steps[] = { STEP(STEP_SPIN, 0, 0, 0) };
	uint32_t id = make_child(steps, 1);
	uint64_t share;

	memset(&call, 0, sizeof(call));
	call.u.vcpu = (struct lodge_control_vcpu){ .vcpu = LODGE_VCPU_ALL,
						   .buffer = (uintptr_t)other_cpu };
	if (control(LODGE_CONTROL_set_affinity, id)) {
		note("caps are not tried with one CPU");
		destroy(id);
		return;
	}
	check_err(set_cap(id, 30), 0, "a cap can be set");
	check_eq(domain_info(id).cap, 30, "and is told");
	need(simple(LODGE_CONTROL_unpause, id), "unpause");
	share = share_of(id);
	if (exactly)
		check(share > 270 && share < 330, "of 300 thousandths of a CPU it gets %lu", share);
	check(vcpu_info(id).capped_ns && vcpu_info(id).waiting_ns >= vcpu_info(id).capped_ns,
	      "the time that it did not get is told as a part of what it waited");
	check_err(set_cap(id, LODGE_CAP_SAME), 0, "it can be left as it is");
	check_eq(domain_info(id).cap, 30, "then it is");
	check_err(set_cap(id, 0), 0, "it can be taken away");
	share = share_of(id);
	if (exactly)
		check(share > 950, "then it gets %lu", share);
	destroy(id);
}

/* It spins, and has nowhere to go with an NMI. */
static void check_nmi(void)
{
	const struct step steps[] = { STEP(STEP_SPIN, 0, 0, 0) };
	uint32_t id = make_child(steps, 1);

	need(simple(LODGE_CONTROL_unpause, id), "unpause");
	check(WAIT_UNTIL(result_of(id, 0).result, 5 * SEC), "a guest counts");
	check_err(simple(LODGE_CONTROL_inject_nmi, id), 0, "an NMI can be sent to it");
	check(WAIT_UNTIL(domain_info(id).flags & LODGE_DOMAIN_SHUT_DOWN, 5 * SEC),
	      "which ends one without a handler");
	destroy(id);
}

/* What CPUs can do ------------------------------------------------------------------------------------ */

#define LEAF1_ECX_SSE3   0x1u
#define LEAF1_ECX_CX16   0x2000u
#define LEAF1_ECX_X2APIC 0x200000u
#define EXT1_EDX_NX      0x100000u

static int64_t set_cpuid(uint32_t id, const struct lodge_cpuid_change *changes, uint32_t nr)
{
	memset(&call, 0, sizeof(call));
	call.u.list = (struct lodge_control_list){ .buffer = (uintptr_t)changes, .nr = nr };
	return control(LODGE_CONTROL_set_cpuid, id);
}

static void check_features(void)
{
	static struct lodge_cpuid_features f[LODGE_CPUID_LEAVES];

	memset(&call, 0, sizeof(call));
	call.u.list = (struct lodge_control_list){ .buffer = (uintptr_t)f, .max = ARRAY_SIZE(f) };
	check_err(control(LODGE_CONTROL_cpuid_features, 0), 0,
		  "what a guest's CPU can have is told");
	check_eq(f[0].leaf, 1, "from leaf 1 on");
	check_eq(f[0].shown[2], cpuid(1).ecx & ~BIT(27), "it is what the service VM has");
	check_eq(f[0].fixed[2] & LEAF1_ECX_X2APIC, LEAF1_ECX_X2APIC, "and what cannot be hidden");
}

static void check_cpuid(void)
{
	const struct step steps[] = { STEP(STEP_CPUID, 1, 0, 0), STEP(STEP_CPUID, 0x80000001, 0, 0),
				      SHUT_DOWN };
	const struct lodge_cpuid_change changes[] = {
		{ .leaf = 1,
		  .hide = { 0, 0, LEAF1_ECX_SSE3, 0 },
		  .need = { 0, 0, LEAF1_ECX_CX16, 0 } },
		{ .leaf = 0x80000001, .hide = { 0, 0, 0, EXT1_EDX_NX } },
	};
	const struct lodge_cpuid_change impossible = { .leaf = 1, .need = { 0, 0, 1u << 5, 0 } };
	const struct lodge_cpuid_change fixed = { .leaf = 1,
						  .hide = { 0, 0, LEAF1_ECX_X2APIC, 0 } };
	struct lodge_domain_info info;
	struct step s;
	uint32_t id = make_child(steps, ARRAY_SIZE(steps));

	check_err(set_cpuid(id, &impossible, 1), -XEN_EOPNOTSUPP, "VMX cannot be had");
	check_err(set_cpuid(id, &fixed, 1), -XEN_EINVAL, "x2APIC cannot be hidden");
	check_err(set_cpuid(0, changes, 1), -XEN_EINVAL, "the service VM has what it has");
	check_err(set_cpuid(id, changes, ARRAY_SIZE(changes)), 0,
		  "features are hidden from a guest");
	(void)run_child(id);
	s = result_of(id, 0);
	check_eq(s.more[1] & (LEAF1_ECX_SSE3 | LEAF1_ECX_CX16), LEAF1_ECX_CX16,
		 "of leaf 1 it sees what was left");
	check_eq(s.more[1] | LEAF1_ECX_SSE3, cpuid(1).ecx & ~BIT(27), "and all of that");
	s = result_of(id, 1);
	check_eq(s.more[2] | EXT1_EDX_NX, cpuid(0x80000001).edx, "so it does of leaf 0x80000001");
	check_eq(s.more[2] & EXT1_EDX_NX, 0, "NX is hidden");
	check_err(set_cpuid(id, changes, 1), -XEN_EBUSY, "nothing is hidden once it has run");
	destroy(id);

	/* Without NX its bit in EFER is reserved. */
	for (unsigned int hidden = 0; hidden < 2; hidden++) {
		const struct step set_nxe[] = { STEP(STEP_WRMSR, MSR_EFER, EFER_NXE, 0),
						SHUT_DOWN };

		id = make_child(set_nxe, ARRAY_SIZE(set_nxe));
		need(set_cpuid(id, &changes[1], hidden), "set_cpuid");
		set_shutdown_reason(id, SHUTDOWN_reboot);
		info = run_child(id);
		check_eq(info.shutdown_reason, hidden ? SHUTDOWN_crash : SHUTDOWN_reboot,
			 hidden ? "with NX hidden, EFER.NXE faults"
				: "with NX, EFER.NXE can be set");
		destroy(id);
	}
}

#define COMPAT_WC_SEC 2308u /* in struct compat_shared_info */

static void check_clock(void)
{
	const struct {
		uint16_t domid, size;
		uint32_t space, idx, gpfn;
	} map = { DOMID_SELF, 0, XENMAPSPACE_shared_info, 0, CHILD_PAGE >> 12 };
	const struct step steps[] = { CALL(memory_op, XENMEM_add_to_physmap, CHILD_DATA + 64, 0),
				      STEP(STEP_LOAD, CHILD_PAGE + COMPAT_WC_SEC, 0, 0),
				      SHUT_DOWN };
	uint32_t id = make_child(steps, ARRAY_SIZE(steps));

	need(copy(LODGE_CONTROL_copy_in, id, CHILD_DATA + 64, &map, sizeof(map)), "copy in");
	memset(&call, 0, sizeof(call));
	call.u.clock.offset_s = -7200;
	check_err(control(LODGE_CONTROL_set_clock, id), 0, "a guest's clock can be two hours late");
	check_err(control(LODGE_CONTROL_set_clock, 0), -XEN_EINVAL, "but not the service VM's");
	(void)run_child(id);
	check_eq(result_of(id, 0).result, 0, "it maps its shared info");
	check_eq(result_of(id, 1).result, shared_info->wc_sec - 7200, "and finds the clock so");
	destroy(id);
}

#define EXT1_EDX_RDTSCP 0x8000000u
#define MSR_TSC_AUX_NR  0xc0000103u

static uint64_t tsc_of(uint32_t id, unsigned int nr)
{
	struct step s = result_of(id, nr);

	return (uint64_t)s.more[2] << 32 | s.result;
}

/* A TSC of 1 GHz counts nanoseconds. */
static void check_tsc(void)
{
	bool has_rdtscp = cpuid(0x80000001).edx & EXT1_EDX_RDTSCP;
	const struct step steps[] = {
		STEP(STEP_CPUID, 0x40000003, 0, 0),
		STEP(STEP_RDTSC, 0, 77, 0),
		has_rdtscp ? (struct step)STEP(STEP_WRMSR, MSR_TSC_AUX_NR, 1234, 0)
			   : (struct step)STEP(STEP_STORE, CHILD_PAGE, 0, 0),
		STEP(has_rdtscp ? STEP_RDTSCP : STEP_RDTSC, 0, 1234, 0),
		SHUT_DOWN,
	};
	uint32_t id = make_child(steps, ARRAY_SIZE(steps));
	uint64_t start, end, first, second;

	memset(&call, 0, sizeof(call));
	call.u.tsc.hz = 999;
	check_err(control(LODGE_CONTROL_set_tsc, id), -XEN_EINVAL, "no TSC runs at 999 Hz");
	call.u.tsc.hz = SEC;
	check_err(control(LODGE_CONTROL_set_tsc, id), 0, "but one may at 1 GHz");
	start = clock_ns();
	(void)run_child(id);
	end = clock_ns();
	first = tsc_of(id, 1);
	second = tsc_of(id, 3);
	check_eq(result_of(id, 0).more[1], 1000000, "it is told the frequency");
	check_eq(result_of(id, 0).result & 1, 1, "and that it is emulated");
	check(first >= start && second > first && second <= end,
	      "from %lu ns to %lu it reads %lu, then %lu", start, end, first, second);
	check_eq(result_of(id, 1).more[1], 77, "RDTSC leaves ECX alone");
	check_eq(result_of(id, 3).more[1], 1234,
		 has_rdtscp ? "RDTSCP gives it TSC_AUX" : "and so it does again");
	memset(&call, 0, sizeof(call));
	check_err(control(LODGE_CONTROL_set_tsc, id), -XEN_EBUSY, "it keeps that for its life");
	destroy(id);
}

static void check_log(void)
{
	memset(&call, 0, sizeof(call));
	call.u.console = (struct lodge_control_console){ .buffer = (uintptr_t)buffer,
							 .bytes = 4 * PAGE_SIZE };
	check_err(control(LODGE_CONTROL_read_console, 0), 0, "the log can be read");
	buffer[call.u.console.done] = 0;
	check(call.u.console.done && strstr((char *)buffer, "lodge: "), "it has %u bytes so far",
	      call.u.console.done);
}

/* Each round's id is another one. */
static void check_loop(void)
{
	const struct step steps[] = { SHUT_DOWN };
	uint64_t nr_free = host_info().nr_free, start = clock_ns(), made = 0, ended = 0;
	uint32_t last = 0;
	bool differ = true, ran = true;

	for (unsigned int i = 0; i < ROUNDS; i++) {
		uint64_t t = clock_ns();
		uint32_t id = make_child(steps, 1);

		made += clock_ns() - t;
		differ = differ && id != last;
		last = id;
		ran = ran && run_child(id).flags & LODGE_DOMAIN_SHUT_DOWN;
		t = clock_ns();
		destroy(id);
		ended += clock_ns() - t;
	}
	check(ran, "%u guests ran one after the other", ROUNDS);
	check(differ, "each had an id of its own");
	check_eq(host_info().nr_free, nr_free, "afterwards as many pages are free as before");
	note("%lu us each: %lu to make, %lu to destroy", (clock_ns() - start) / ROUNDS / US,
	     made / ROUNDS / US, ended / ROUNDS / US);
}

void test_main(void)
{
	uint64_t nr_free;

	event_init(EVENT_PER_VCPU_VECTOR);
	exc_port = event_bind_virq(VIRQ_DOM_EXC, 0);
	event_unmask(exc_port);
	event_unmask(event_bind_virq(VIRQ_TIMER, 0)); /* for event_wait() */
	irq_enable();
	if (strstr(command_line(), "cap")) {
		check_cap(true);
		return;
	}
	check_calls();
	nr_free = host_info().nr_free;
	check_life();
	/* Small objects of a kind keep the page that they were in. */
	check(host_info().nr_free + 4 >= nr_free, "the first guest leaves %lu pages behind",
	      nr_free - host_info().nr_free);
	check_claims();
	check_crash();
	check_pause();
	check_channels();
	check_death_while_mapped();
	check_hostile();
	check_scheduling();
	check_cap(false);
	check_nmi();
	check_features();
	check_cpuid();
	check_clock();
	check_tsc();
	check_log();
	check_loop();
}

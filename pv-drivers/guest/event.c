/* Event channels: set-up, the upcall for both ABIs, and thin calls. See event.h. */
#include "guest/event.h"

#include "guest/apic.h"
#include "guest/console.h"
#include "guest/hypercall.h"
#include "guest/paging.h"
#include "guest/smp.h"
#include "guest/test.h"
#include "guest/time.h"
#include "guest/trap.h"

#define WORDS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define FIFO_PAGES     (EVENT_MAX / WORDS_PER_PAGE)
#define CALLBACK_VECTOR \
	((uint64_t)HVM_PARAM_CALLBACK_TYPE_VECTOR << HVM_PARAM_CALLBACK_IRQ_TYPE_SHIFT)

struct shared_info *shared_info;
volatile uint32_t event_count[EVENT_MAX];

static enum event_delivery delivery;
static bool use_fifo;
static unsigned int fifo_pages;
static uint32_t *fifo_array[FIFO_PAGES];
static struct evtchn_fifo_control_block *fifo_control[MAX_CPUS];
static uint32_t fifo_head[MAX_CPUS][EVTCHN_FIFO_MAX_QUEUES];
static volatile struct vcpu_info *vcpu_infos[MAX_CPUS];

volatile struct vcpu_info *event_vcpu_info(uint32_t vcpu_id)
{
	return vcpu_infos[vcpu_id];
}

void event_set_vcpu_info(uint32_t vcpu_id, volatile struct vcpu_info *info)
{
	vcpu_infos[vcpu_id] = info;
}

volatile uint32_t *event_fifo_word(uint32_t port)
{
	return &fifo_array[port / WORDS_PER_PAGE][port % WORDS_PER_PAGE];
}

static void take(uint32_t port)
{
	if (port < EVENT_MAX)
		__atomic_add_fetch(&event_count[port], 1, __ATOMIC_RELAXED);
}

static void upcall_2level(volatile struct vcpu_info *info)
{
	uint64_t words = __atomic_exchange_n(&info->evtchn_pending_sel, 0, __ATOMIC_ACQ_REL);

	for (; words; words &= words - 1) {
		unsigned int word = (unsigned int)__builtin_ctzll(words);
		uint64_t ready =
			shared_info->evtchn_pending[word] & ~shared_info->evtchn_mask[word];

		for (; ready; ready &= ready - 1) {
			uint32_t port = word * 64 + (uint32_t)__builtin_ctzll(ready);

			event_clear(port);
			take(port);
		}
	}
}

/* Takes a word off its queue: LINKED and the link go, the rest stays. Returns the link. */
static uint32_t fifo_unlink(volatile uint32_t *word)
{
	uint32_t old = *word;

	while (!__atomic_compare_exchange_n(
		word, &old, old & ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK), false,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
		;
	return old & EVTCHN_FIFO_LINK_MASK;
}

static void fifo_consume(unsigned int vcpu, unsigned int queue)
{
	struct evtchn_fifo_control_block *control = fifo_control[vcpu];
	uint32_t port = fifo_head[vcpu][queue];

	if (!port)
		port = __atomic_load_n(&control->head[queue], __ATOMIC_ACQUIRE);
	while (port) {
		uint32_t next = fifo_unlink(event_fifo_word(port));

		if (event_is_pending(port) && !event_is_masked(port)) {
			event_clear(port);
			take(port);
		}
		port = next;
	}
	fifo_head[vcpu][queue] = 0;
}

static void upcall_fifo(unsigned int vcpu)
{
	uint32_t *ready = &fifo_control[vcpu]->ready;
	uint32_t queues;

	while ((queues = __atomic_exchange_n(ready, 0, __ATOMIC_ACQ_REL))) {
		for (; queues; queues &= queues - 1)
			fifo_consume(vcpu, (unsigned int)__builtin_ctz(queues));
	}
}

void event_upcall(struct regs *regs)
{
	uint32_t vcpu = this_cpu()->vcpu_id;
	volatile struct vcpu_info *info = vcpu_infos[vcpu];

	(void)regs;
	this_cpu()->nr_upcalls++;
	if (delivery == EVENT_PER_VCPU_VECTOR)
		apic_eoi();
	while (__atomic_exchange_n(&info->evtchn_upcall_pending, 0, __ATOMIC_ACQ_REL)) {
		if (use_fifo)
			upcall_fifo(vcpu);
		else
			upcall_2level(info);
	}
}

void event_init_cpu(void)
{
	uint32_t vcpu = this_cpu()->vcpu_id;
	struct xen_hvm_evtchn_upcall_vector op = { .vcpu = vcpu, .vector = EVENT_VECTOR };

	if (delivery != EVENT_PER_VCPU_VECTOR)
		return;
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	if (hvm_op(HVMOP_set_evtchn_upcall_vector, &op))
		test_error("no upcall vector for vCPU %u", vcpu);
}

void event_set_delivery(enum event_delivery how)
{
	struct xen_hvm_param callback = {
		.domid = DOMID_SELF,
		.index = HVM_PARAM_CALLBACK_IRQ,
		.value = how == EVENT_CALLBACK_VECTOR ? CALLBACK_VECTOR | EVENT_VECTOR : 0,
	};

	delivery = how;
	if (hvm_op(HVMOP_set_param, &callback))
		test_error("cannot set the callback");
	event_init_cpu();
}

void event_init(enum event_delivery how)
{
	struct xen_add_to_physmap map = {
		.domid = DOMID_SELF,
		.space = XENMAPSPACE_shared_info,
	};

	shared_info = page_alloc();
	map.gpfn = gfn_of(shared_info);
	if (memory_op(XENMEM_add_to_physmap, &map))
		test_error("no shared_info");
	for (unsigned int i = 0; i < MAX_CPUS; i++)
		vcpu_infos[i] = &shared_info->vcpu_info[i];
	for (unsigned int i = 0; i < ARRAY_SIZE(shared_info->evtchn_mask); i++)
		shared_info->evtchn_mask[i] = ~0ULL;
	irq_set_handler(EVENT_VECTOR, event_upcall);
	event_set_delivery(how);
}

bool event_fifo_init(void)
{
	for (unsigned int vcpu = 0; vcpu < nr_cpus; vcpu++) {
		struct evtchn_init_control op = { .vcpu = vcpu };

		fifo_control[vcpu] = page_alloc();
		op.control_gfn = gfn_of(fifo_control[vcpu]);
		if (event_channel_op(EVTCHNOP_init_control, &op))
			return false;
	}
	use_fifo = true;
	event_fifo_expand(1);
	return true;
}

void event_fifo_expand(uint32_t nr_ports)
{
	while (fifo_pages * WORDS_PER_PAGE < nr_ports) {
		uint32_t *page = page_alloc();
		struct evtchn_expand_array op = { .array_gfn = gfn_of(page) };

		for (unsigned int i = 0; i < WORDS_PER_PAGE; i++)
			page[i] = 1u << EVTCHN_FIFO_MASKED;
		fifo_array[fifo_pages] = page;
		if (event_channel_op(EVTCHNOP_expand_array, &op))
			test_error("cannot expand the event array");
		fifo_pages++;
	}
}

static uint64_t *word_of(void *bitmap, uint32_t port)
{
	return &((uint64_t *)bitmap)[port / 64];
}

bool event_is_pending(uint32_t port)
{
	if (use_fifo)
		return *event_fifo_word(port) >> EVTCHN_FIFO_PENDING & 1;
	return *(volatile uint64_t *)word_of(shared_info->evtchn_pending, port) >> (port % 64) & 1;
}

bool event_is_masked(uint32_t port)
{
	if (use_fifo)
		return *event_fifo_word(port) >> EVTCHN_FIFO_MASKED & 1;
	return *(volatile uint64_t *)word_of(shared_info->evtchn_mask, port) >> (port % 64) & 1;
}

void event_mask(uint32_t port)
{
	if (use_fifo)
		__atomic_or_fetch(event_fifo_word(port), 1u << EVTCHN_FIFO_MASKED,
				  __ATOMIC_SEQ_CST);
	else
		__atomic_or_fetch(word_of(shared_info->evtchn_mask, port), BIT(port % 64),
				  __ATOMIC_SEQ_CST);
}

/* By hypercall: it clears the mask and raises what became pending meanwhile, under either ABI. */
void event_unmask(uint32_t port)
{
	struct evtchn_unmask op = { .port = port };

	if (event_channel_op(EVTCHNOP_unmask, &op))
		test_error("cannot unmask port %u", port);
}

void event_clear(uint32_t port)
{
	if (use_fifo)
		__atomic_and_fetch(event_fifo_word(port), ~(1u << EVTCHN_FIFO_PENDING),
				   __ATOMIC_SEQ_CST);
	else
		__atomic_and_fetch(word_of(shared_info->evtchn_pending, port), ~BIT(port % 64),
				   __ATOMIC_SEQ_CST);
}

static uint32_t created(int64_t err, uint32_t port, const char *what)
{
	if (err)
		test_error("%s: %ld", what, err);
	if (use_fifo)
		event_fifo_expand(port + 1);
	if (port < EVENT_MAX)
		event_count[port] = 0;
	return port;
}

uint32_t event_bind_virq(uint32_t virq, uint32_t vcpu)
{
	struct evtchn_bind_virq op = { .virq = virq, .vcpu = vcpu };
	int64_t err = event_channel_op(EVTCHNOP_bind_virq, &op);

	return created(err, op.port, "bind_virq");
}

uint32_t event_bind_ipi(uint32_t vcpu)
{
	struct evtchn_bind_ipi op = { .vcpu = vcpu };
	int64_t err = event_channel_op(EVTCHNOP_bind_ipi, &op);

	return created(err, op.port, "bind_ipi");
}

uint32_t event_alloc_unbound(uint16_t domid, uint16_t remote)
{
	struct evtchn_alloc_unbound op = { .dom = domid, .remote_dom = remote };
	int64_t err = event_channel_op(EVTCHNOP_alloc_unbound, &op);

	return created(err, op.port, "alloc_unbound");
}

uint32_t event_bind_interdomain(uint16_t remote, uint32_t remote_port)
{
	struct evtchn_bind_interdomain op = { .remote_dom = remote, .remote_port = remote_port };
	int64_t err = event_channel_op(EVTCHNOP_bind_interdomain, &op);

	return created(err, op.local_port, "bind_interdomain");
}

int event_send(uint32_t port)
{
	struct evtchn_send op = { .port = port };

	return (int)event_channel_op(EVTCHNOP_send, &op);
}

int event_close(uint32_t port)
{
	struct evtchn_close op = { .port = port };

	return (int)event_channel_op(EVTCHNOP_close, &op);
}

/* CPUID leaf base + 4 tells the domid; where it does not, the initial domain is 0. */
uint16_t own_domid(void)
{
	struct cpuid leaf = cpuid(0x40000004);

	return leaf.eax & BIT(4) ? (uint16_t)leaf.ecx : 0;
}

uint64_t event_timer_start(uint64_t timeout_ns)
{
	struct vcpu_set_singleshot_timer timer = { 0 };

	if (timeout_ns == FOREVER)
		return FOREVER;
	timer.timeout_abs_ns = clock_ns() + timeout_ns;
	vcpu_op(VCPUOP_set_singleshot_timer, this_cpu()->vcpu_id, &timer);
	return timer.timeout_abs_ns;
}

void event_timer_stop(uint64_t end)
{
	if (end != FOREVER)
		vcpu_op(VCPUOP_stop_singleshot_timer, this_cpu()->vcpu_id, NULL);
}

bool event_wait(uint32_t port, uint32_t count, uint64_t timeout_ns)
{
	return HALT_UNTIL(event_count[port] >= count, timeout_ns);
}

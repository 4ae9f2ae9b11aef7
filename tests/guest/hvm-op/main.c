/* hvm_op: parameters and upcall vectors. */
#include "guest/guest.h"

const char test_title[] = "hvm_op reads and sets what a guest may";

static int64_t param(unsigned int cmd, uint16_t domid, uint32_t index, uint64_t *value)
{
	struct xen_hvm_param op = { .domid = domid, .index = index, .value = *value };
	int64_t err = hvm_op(cmd, &op);

	*value = op.value;
	return err;
}

/* What the initial domain finds: it makes its own xenstore page and has no console ring. */
static void check_params(void)
{
	static const uint32_t not_for_guests[] = { HVM_PARAM_IOREQ_PFN, HVM_PARAM_BUFIOREQ_PFN,
						   HVM_PARAM_MONITOR_RING_PFN };
	uint64_t value = 77;

	check_err(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_STORE_EVTCHN, &value), 0,
		  "the xenstore port can be read");
	check_eq(value, 0, "it is 0: the initial domain provides xenstore itself");
	check_err(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_CONSOLE_PFN, &value), 0,
		  "the console page can be read");
	for (unsigned int i = 0; i < ARRAY_SIZE(not_for_guests); i++) {
		value = 1;
		check(param(HVMOP_set_param, DOMID_SELF, not_for_guests[i], &value) < 0,
		      "parameter %u is not the guest's to set", not_for_guests[i]);
	}
	check_err(param(HVMOP_get_param, DOMID_SELF, HVM_NR_PARAMS, &value), -XEN_EINVAL,
		  "the first number beyond the last parameter gives -EINVAL");
	check_err(param(HVMOP_set_param, DOMID_SELF, ~0u, &value), -XEN_EINVAL,
		  "parameter -1 gives -EINVAL");
	check_err(param(HVMOP_get_param, 1234, HVM_PARAM_STORE_EVTCHN, &value), -XEN_ESRCH,
		  "a domain that does not exist gives -ESRCH");
	value = 1;
	check_err(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0,
		  "callback by GSI 1 is taken, as Linux asks for it");
	value = 0;
	check_err(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0,
		  "the callback can be switched off");
}

static void check_vectors(void)
{
	static const struct {
		uint32_t vcpu;
		uint8_t vector;
		bool taken;
	} rows[] = {
		{ 0, 0xf3, true }, { 0, 0x10, true },    { 0, 0xff, true },    { 0, 0x0f, false },
		{ 0, 0, false },   { 999, 0xf3, false }, { ~0u, 0xf3, false },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		struct xen_hvm_evtchn_upcall_vector op = { .vcpu = rows[i].vcpu,
							   .vector = rows[i].vector };

		check_eq(hvm_op(HVMOP_set_evtchn_upcall_vector, &op) == 0, rows[i].taken,
			 "upcall vector %#x for vCPU %u is %s", rows[i].vector, rows[i].vcpu,
			 rows[i].taken ? "taken" : "refused");
	}
}

/* Events that were pending before the vector was known are not lost. */
static void on_other_vector(struct regs *regs)
{
	(void)regs;
	apic_eoi();
}

static void check_late_vector(void)
{
	struct xen_hvm_evtchn_upcall_vector op = { .vector = EVENT_VECTOR };
	struct xen_hvm_evtchn_upcall_vector other = { .vector = 0xe0 };
	uint32_t port = event_bind_ipi(0);

	irq_set_handler(other.vector, on_other_vector);
	irq_disable();
	hvm_op(HVMOP_set_evtchn_upcall_vector, &other);
	event_vcpu_info(0)->evtchn_upcall_pending = 0;
	event_unmask(port);
	event_vcpu_info(0)->evtchn_upcall_pending = 1;
	event_vcpu_info(0)->evtchn_pending_sel = ~0ULL;
	event_count[port] = 0;
	__atomic_or_fetch(&shared_info->evtchn_pending[port / 64], BIT(port % 64),
			  __ATOMIC_SEQ_CST);
	check_err(hvm_op(HVMOP_set_evtchn_upcall_vector, &op), 0, "a vector can be set anew");
	irq_enable();
	check_eq(event_count[port], 1, "what was pending is raised with the new vector");
	irq_disable();
	event_close(port);
}

void test_main(void)
{
	struct xen_hvm_pagetable_dying dying = { .domid = DOMID_SELF };

	check_params();
	check_vectors();
	check(hvm_op(HVMOP_pagetable_dying, &dying) < 0,
	      "pagetable_dying is refused: Linux then does without");
	check_err(hvm_op(99, &dying), -XEN_ENOSYS, "an unknown operation gives -ENOSYS");
	event_init(EVENT_PER_VCPU_VECTOR);
	check_late_vector();
}

/* core/hvm-op.c: parameters and upcall vectors, as a guest's kernel and the toolstack use them. */
#include "abi/hvm.h"

#include "common.h"

static struct domain *d, *service;
static struct vcpu *v;

static void setup(void)
{
	machine_setup(2);
	service = machine_domain(0, true, 1);
	d = machine_domain(1, false, 2);
	v = d->vcpu[0];
	machine_run(d->vcpu[0], 0);
	machine_run(d->vcpu[1], 1);
	fake_run_on(0);
}

static void teardown(void)
{
	fake_core_reset();
}

#define put(x) fake_guest_put(&(x), sizeof(x))

static int64_t set_param(struct vcpu *caller, domid_t domid, uint32_t index, uint64_t value)
{
	struct xen_hvm_param p = { .domid = domid, .index = index, .value = value };

	return call(do_hvm_op, caller, HVMOP_set_param, put(p).va, 0);
}

static int64_t get_param(struct vcpu *caller, domid_t domid, uint32_t index, uint64_t *ret_value)
{
	struct xen_hvm_param p = { .domid = domid, .index = index, .value = 0xdead };
	guest_ptr_t at = put(p);
	int64_t err = call(do_hvm_op, caller, HVMOP_get_param, at.va, 0);

	*ret_value = ((struct xen_hvm_param *)fake_guest_at(at))->value;
	return err;
}

static int64_t set_vector(uint32_t vcpu, uint8_t vector)
{
	struct xen_hvm_evtchn_upcall_vector op = { .vcpu = vcpu, .vector = vector };

	return call(do_hvm_op, v, HVMOP_set_evtchn_upcall_vector, put(op).va, 0);
}

START_TEST(fails_with_enosys_for_an_operation_that_does_not_exist)
{
	ck_assert_int_eq(call(do_hvm_op, v, 99, 0, 0), -XEN_ENOSYS);
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_get_mem_type, 0, 0), -XEN_ENOSYS);
}
END_TEST

START_TEST(pagetable_dying_is_refused_so_that_linux_stops_sending_it)
{
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_pagetable_dying, 0, 0), -XEN_EINVAL);
}
END_TEST

START_TEST(flush_tlbs_flushes_the_domain_and_takes_no_argument)
{
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_flush_tlbs, 8, 0), -XEN_EINVAL);
	ck_assert_uint_eq(d->arch.nr_flushes, 0);
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_flush_tlbs, 0, 0), 0);
	ck_assert_uint_eq(d->arch.nr_flushes, 1);
}
END_TEST

START_TEST(a_guest_sets_only_what_is_its_own)
{
	static const uint32_t own[] = {
		HVM_PARAM_VM86_TSS,       HVM_PARAM_ACPI_IOPORTS_LOCATION,
		HVM_PARAM_STORE_EVTCHN,   HVM_PARAM_VM_GENERATION_ID_ADDR,
		HVM_PARAM_CONSOLE_EVTCHN, HVM_PARAM_X87_FIP_WIDTH,
		HVM_PARAM_VM86_TSS_SIZED, HVM_PARAM_CALLBACK_IRQ,
	};
	unsigned nr_set = 0;

	for (uint32_t i = 0; i < HVM_NR_PARAMS; i++) {
		int64_t err = set_param(v, DOMID_SELF, i, 1);
		bool is_own = false;

		for (unsigned n = 0; n < ARRAY_SIZE(own); n++)
			is_own |= own[n] == i;
		ck_assert_int_eq(err, is_own ? 0 : -XEN_EPERM);
		nr_set += !err;
	}
	ck_assert_uint_eq(nr_set, ARRAY_SIZE(own));
}
END_TEST

START_TEST(a_guest_reads_only_what_is_meant_for_it)
{
	static const uint32_t readable[] = {
		HVM_PARAM_CALLBACK_IRQ,
		HVM_PARAM_STORE_PFN,
		HVM_PARAM_STORE_EVTCHN,
		HVM_PARAM_VM86_TSS,
		HVM_PARAM_CONSOLE_PFN,
		HVM_PARAM_CONSOLE_EVTCHN,
		HVM_PARAM_ACPI_IOPORTS_LOCATION,
		HVM_PARAM_VM_GENERATION_ID_ADDR,
		HVM_PARAM_ALTP2M,
		HVM_PARAM_X87_FIP_WIDTH,
		HVM_PARAM_VM86_TSS_SIZED,
	};

	for (uint32_t i = 0; i < HVM_NR_PARAMS; i++) {
		bool is_readable = false;
		uint64_t value;

		for (unsigned n = 0; n < ARRAY_SIZE(readable); n++)
			is_readable |= readable[n] == i;
		ck_assert_int_eq(get_param(v, DOMID_SELF, i, &value), is_readable ? 0 : -XEN_EPERM);
		ck_assert_uint_eq(value, is_readable ? 0 : 0xdead);
	}
}
END_TEST

START_TEST(the_toolstack_sets_and_reads_any_parameter_of_a_guest)
{
	uint64_t value;

	for (uint32_t i = 1; i < HVM_NR_PARAMS; i++) {
		ck_assert_int_eq(set_param(service->vcpu[0], 1, i, 1000 + i), 0);
		ck_assert_int_eq(get_param(service->vcpu[0], 1, i, &value), 0);
		ck_assert_uint_eq(value, 1000 + i);
	}
	ck_assert_uint_eq(d->refcount, 1);
}
END_TEST

START_TEST(a_guest_reads_what_the_toolstack_set)
{
	uint64_t value;

	ck_assert_int_eq(set_param(service->vcpu[0], 1, HVM_PARAM_STORE_PFN, 0xfeffc), 0);
	ck_assert_int_eq(get_param(v, DOMID_SELF, HVM_PARAM_STORE_PFN, &value), 0);
	ck_assert_uint_eq(value, 0xfeffc);
	ck_assert_int_eq(get_param(v, 1, HVM_PARAM_STORE_PFN, &value), 0);
}
END_TEST

START_TEST(a_guest_has_no_access_to_another_domain)
{
	uint64_t value;

	ck_assert_int_eq(set_param(v, 0, HVM_PARAM_STORE_EVTCHN, 1), -XEN_EPERM);
	ck_assert_int_eq(get_param(v, 0, HVM_PARAM_STORE_EVTCHN, &value), -XEN_EPERM);
	ck_assert_uint_eq(service->refcount, 1);
}
END_TEST

START_TEST(the_service_vm_has_no_more_rights_to_its_own_parameters)
{
	uint64_t value;

	ck_assert_int_eq(set_param(service->vcpu[0], DOMID_SELF, HVM_PARAM_STORE_PFN, 1),
			 -XEN_EPERM);
	ck_assert_int_eq(get_param(service->vcpu[0], 0, HVM_PARAM_IDENT_PT, &value), -XEN_EPERM);
	ck_assert_int_eq(get_param(service->vcpu[0], 0, HVM_PARAM_STORE_EVTCHN, &value), 0);
	ck_assert_uint_eq(value, 0);
	ck_assert_uint_eq(service->refcount, 1);
}
END_TEST

START_TEST(fails_with_einval_for_a_parameter_that_does_not_exist)
{
	uint64_t value;

	ck_assert_int_eq(set_param(v, DOMID_SELF, HVM_NR_PARAMS, 1), -XEN_EINVAL);
	ck_assert_int_eq(get_param(v, DOMID_SELF, UINT32_MAX, &value), -XEN_EINVAL);
}
END_TEST

START_TEST(fails_with_esrch_for_a_domain_that_does_not_exist)
{
	uint64_t value;

	ck_assert_int_eq(set_param(service->vcpu[0], 99, HVM_PARAM_STORE_PFN, 1), -XEN_ESRCH);
	ck_assert_int_eq(get_param(service->vcpu[0], 99, HVM_PARAM_STORE_PFN, &value), -XEN_ESRCH);
}
END_TEST

START_TEST(some_parameters_are_set_once)
{
	struct vcpu *toolstack = service->vcpu[0];
	uint64_t value;

	ck_assert_int_eq(set_param(toolstack, 1, HVM_PARAM_ALTP2M, 1), 0);
	ck_assert_int_eq(set_param(toolstack, 1, HVM_PARAM_ALTP2M, 2), -XEN_EEXIST);
	ck_assert_int_eq(set_param(toolstack, 1, HVM_PARAM_ALTP2M, 1), 0);
	ck_assert_int_eq(get_param(toolstack, 1, HVM_PARAM_ALTP2M, &value), 0);
	ck_assert_uint_eq(value, 1);
}
END_TEST

START_TEST(fails_when_copy_in_faults)
{
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_set_param, 8, 0), -XEN_EFAULT);
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_get_param, 8, 0), -XEN_EFAULT);
	ck_assert_int_eq(call(do_hvm_op, v, HVMOP_set_evtchn_upcall_vector, 8, 0), -XEN_EFAULT);
}
END_TEST

START_TEST(get_param_fails_when_copy_out_faults)
{
	uint64_t value;

	fake_guest_fault_writes();
	ck_assert_int_eq(get_param(v, DOMID_SELF, HVM_PARAM_STORE_PFN, &value), -XEN_EFAULT);
	ck_assert_uint_eq(d->refcount, 1);
}
END_TEST

START_TEST(the_callback_reaches_the_machine_and_is_kept)
{
	uint64_t via = 0x02000000000000f3, value;

	ck_assert_int_eq(set_param(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, via), 0);
	ck_assert_uint_eq(d->arch.callback, via);
	ck_assert_int_eq(get_param(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0);
	ck_assert_uint_eq(value, via);
}
END_TEST

START_TEST(a_callback_that_cannot_be_is_refused_and_not_kept)
{
	uint64_t value;

	ck_assert_int_eq(set_param(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, 0x0300000000000000),
			 -XEN_EINVAL);
	ck_assert_int_eq(get_param(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, &value), 0);
	ck_assert_uint_eq(value, 0);
}
END_TEST

START_TEST(a_new_callback_delivers_what_is_pending)
{
	vcpu_raise_upcall(d->vcpu[1]);
	ck_assert_int_eq(set_param(v, DOMID_SELF, HVM_PARAM_CALLBACK_IRQ, 0x02000000000000f3), 0);
	ck_assert_uint_eq(d->vcpu[0]->arch.nr_upcalls, 0);
	ck_assert_uint_eq(d->vcpu[1]->arch.nr_upcalls, 2);
}
END_TEST

START_TEST(the_callback_of_a_domain_that_is_being_destroyed_reaches_nobody)
{
	struct vcpu *gone = d->vcpu[1];

	d->vcpu[1] = NULL;
	ck_assert_int_eq(set_param(service->vcpu[0], 1, HVM_PARAM_CALLBACK_IRQ, 0x02000000000000f3),
			 0);
	d->vcpu[1] = gone;
}
END_TEST

START_TEST(upcall_vector_is_set_for_any_vcpu_of_the_domain)
{
	ck_assert_int_eq(set_vector(1, 0xf3), 0);
	ck_assert_uint_eq(d->vcpu[1]->arch.upcall_vector, 0xf3);
	ck_assert_uint_eq(d->vcpu[1]->arch.nr_upcalls, 0);
}
END_TEST

START_TEST(a_new_upcall_vector_delivers_what_is_pending)
{
	vcpu_raise_upcall(d->vcpu[1]);
	ck_assert_int_eq(set_vector(1, 0xf3), 0);
	ck_assert_uint_eq(d->vcpu[1]->arch.nr_upcalls, 2);
}
END_TEST

START_TEST(upcall_vector_must_be_0x10_or_higher)
{
	ck_assert_int_eq(set_vector(0, 0x0f), -XEN_EINVAL);
	ck_assert_int_eq(set_vector(0, 0), -XEN_EINVAL);
	ck_assert_int_eq(set_vector(0, 0x10), 0);
}
END_TEST

START_TEST(upcall_vector_fails_with_enoent_for_a_vcpu_that_does_not_exist)
{
	ck_assert_int_eq(set_vector(2, 0xf3), -XEN_ENOENT);
	ck_assert_int_eq(set_vector(UINT32_MAX, 0xf3), -XEN_ENOENT);
}
END_TEST

UNIT_MAIN("hvm-op", setup, teardown, fails_with_enosys_for_an_operation_that_does_not_exist,
	  pagetable_dying_is_refused_so_that_linux_stops_sending_it,
	  flush_tlbs_flushes_the_domain_and_takes_no_argument, a_guest_sets_only_what_is_its_own,
	  a_guest_reads_only_what_is_meant_for_it,
	  the_toolstack_sets_and_reads_any_parameter_of_a_guest,
	  a_guest_reads_what_the_toolstack_set, a_guest_has_no_access_to_another_domain,
	  the_service_vm_has_no_more_rights_to_its_own_parameters,
	  fails_with_einval_for_a_parameter_that_does_not_exist,
	  fails_with_esrch_for_a_domain_that_does_not_exist, some_parameters_are_set_once,
	  fails_when_copy_in_faults, get_param_fails_when_copy_out_faults,
	  the_callback_reaches_the_machine_and_is_kept,
	  a_callback_that_cannot_be_is_refused_and_not_kept,
	  a_new_callback_delivers_what_is_pending,
	  the_callback_of_a_domain_that_is_being_destroyed_reaches_nobody,
	  upcall_vector_is_set_for_any_vcpu_of_the_domain,
	  a_new_upcall_vector_delivers_what_is_pending, upcall_vector_must_be_0x10_or_higher,
	  upcall_vector_fails_with_enoent_for_a_vcpu_that_does_not_exist)

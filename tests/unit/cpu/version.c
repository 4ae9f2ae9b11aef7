/* core/version.c: XENVER_*, as a guest's kernel and its sysfs ask for them. */
#include "abi/version.h"

#include <string.h>

#include "abi/errno.h"
#include "fake-arch.h"
#include "lodge/hypercall.h"
#include "lodge/version.h"
#include "unit.h"

static struct domain *d, *service;

static void setup(void)
{
	fake_reset();
	service = fake_domain(0, true, 1);
	d = fake_domain(1, false, 1);
	for (unsigned i = 0; i < 16; i++)
		d->handle[i] = (uint8_t)(i * 3);
}

static void teardown(void)
{
	fake_core_reset();
}

static int64_t version(const struct domain *caller, uint64_t cmd, guest_ptr_t arg)
{
	struct hypercall_args a = { .arg = { cmd, arg.va } };

	return do_xen_version(caller->vcpu[0], &a);
}

static const char *text(const struct domain *caller, uint64_t cmd, size_t size)
{
	guest_ptr_t at = fake_guest_space(size + 1);

	((char *)fake_guest_at(at))[size] = 'X'; /* must survive */
	ck_assert_int_eq(version(caller, cmd, at), 0);
	ck_assert_int_eq(((char *)fake_guest_at(at))[size], 'X');
	ck_assert_ptr_nonnull(memchr(fake_guest_at(at), 0, size));
	return fake_guest_at(at);
}

static uint32_t features(const struct domain *caller)
{
	struct xen_feature_info info = { 0 };
	guest_ptr_t at = fake_guest_put(&info, sizeof(info));

	ck_assert_int_eq(version(caller, XENVER_get_features, at), 0);
	return ((struct xen_feature_info *)fake_guest_at(at))->submap;
}

START_TEST(claims_the_interface_of_4_17)
{
	ck_assert_int_eq(version(d, XENVER_version, GUEST_PTR(0)), 4 << 16 | 17);
}
END_TEST

START_TEST(strings_have_their_sizes_and_end)
{
	ck_assert_str_eq(text(d, XENVER_extraversion, XEN_EXTRAVERSION_LEN), ".0-lodge");
	ck_assert_ptr_nonnull(
		strstr(text(d, XENVER_capabilities, XEN_CAPABILITIES_INFO_LEN), "hvm-3.0-x86_64"));
	ck_assert_str_ne(text(d, XENVER_changeset, XEN_CHANGESET_INFO_LEN), "");
}
END_TEST

START_TEST(compile_info_names_the_compiler)
{
	guest_ptr_t at = fake_guest_space(sizeof(struct xen_compile_info));

	ck_assert_int_eq(version(d, XENVER_compile_info, at), 0);
	ck_assert_str_ne(((struct xen_compile_info *)fake_guest_at(at))->compiler, "");
}
END_TEST

START_TEST(platform_parameters_have_no_hypervisor_area)
{
	uint64_t ones = UINT64_MAX;
	guest_ptr_t at = fake_guest_put(&ones, sizeof(ones));
	struct hypercall_args a = { .arg = { XENVER_platform_parameters, at.va }, .compat = true };

	ck_assert_int_eq(do_xen_version(d->vcpu[0], &a), 0);
	ck_assert_uint_eq(*(uint64_t *)fake_guest_at(at), 0xffffffff00000000);
	ck_assert_int_eq(version(d, XENVER_platform_parameters, at), 0);
	ck_assert_uint_eq(*(uint64_t *)fake_guest_at(at), 0);
}
END_TEST

START_TEST(features_are_those_of_a_pvh_guest)
{
	fake_iommu_enable();
	ck_assert_uint_eq(features(d), 0x12305);
	ck_assert_uint_eq(features(service), 0x12b05);
}
END_TEST

START_TEST(the_service_vm_is_mapped_one_to_one_without_an_iommu)
{
	ck_assert_uint_eq(features(service), 0x22b05);
	ck_assert_uint_eq(features(d), 0x12305);
}
END_TEST

START_TEST(there_is_one_map_of_features)
{
	struct xen_feature_info info = { .submap_idx = 1 };

	ck_assert_int_eq(version(d, XENVER_get_features, fake_guest_put(&info, sizeof(info))),
			 -XEN_EINVAL);
}
END_TEST

START_TEST(a_page_has_4096_bytes)
{
	ck_assert_int_eq(version(d, XENVER_pagesize, GUEST_PTR(0)), 4096);
}
END_TEST

START_TEST(guest_handle_is_the_uuid_of_the_domain)
{
	guest_ptr_t at = fake_guest_space(16);

	ck_assert_int_eq(version(d, XENVER_guest_handle, at), 0);
	ck_assert_mem_eq(fake_guest_at(at), d->handle, 16);
}
END_TEST

START_TEST(the_command_line_is_for_the_privileged_only)
{
	version_set_command_line("dom0_mem=512M console=com1");
	ck_assert_str_eq(text(service, XENVER_commandline, XEN_COMMANDLINE_LEN),
			 "dom0_mem=512M console=com1");
	ck_assert_str_eq(text(d, XENVER_commandline, XEN_COMMANDLINE_LEN), "<denied>");
}
END_TEST

START_TEST(a_command_line_that_is_too_long_is_cut_short)
{
	char line[2 * XEN_COMMANDLINE_LEN];

	memset(line, 'a', sizeof(line));
	line[sizeof(line) - 1] = '\0';
	version_set_command_line(line);
	ck_assert_uint_eq(strlen(text(service, XENVER_commandline, XEN_COMMANDLINE_LEN)),
			  XEN_COMMANDLINE_LEN - 1);
}
END_TEST

START_TEST(there_is_no_build_id)
{
	ck_assert_int_eq(version(service, XENVER_build_id, GUEST_PTR(0)), -XEN_ENODATA);
	ck_assert_int_eq(version(d, XENVER_build_id, GUEST_PTR(0)), -XEN_EPERM);
}
END_TEST

START_TEST(fails_with_enosys_for_a_command_that_does_not_exist)
{
	ck_assert_int_eq(version(d, 11, GUEST_PTR(0)), -XEN_ENOSYS);
	ck_assert_int_eq(version(d, UINT32_MAX, GUEST_PTR(0)), -XEN_ENOSYS);
}
END_TEST

START_TEST(fails_when_a_copy_faults)
{
	static const uint32_t cmds[] = {
		XENVER_extraversion, XENVER_compile_info,        XENVER_capabilities,
		XENVER_changeset,    XENVER_platform_parameters, XENVER_get_features,
		XENVER_guest_handle, XENVER_commandline,
	};
	struct xen_feature_info info = { 0 };

	for (unsigned i = 0; i < ARRAY_SIZE(cmds); i++)
		ck_assert_int_eq(version(d, cmds[i], GUEST_PTR(8)), -XEN_EFAULT);
	fake_guest_fault_writes();
	ck_assert_int_eq(version(d, XENVER_get_features, fake_guest_put(&info, sizeof(info))),
			 -XEN_EFAULT);
}
END_TEST

UNIT_MAIN("version", setup, teardown, claims_the_interface_of_4_17,
	  strings_have_their_sizes_and_end, compile_info_names_the_compiler,
	  platform_parameters_have_no_hypervisor_area, features_are_those_of_a_pvh_guest,
	  the_service_vm_is_mapped_one_to_one_without_an_iommu, there_is_one_map_of_features,
	  a_page_has_4096_bytes, guest_handle_is_the_uuid_of_the_domain,
	  the_command_line_is_for_the_privileged_only, a_command_line_that_is_too_long_is_cut_short,
	  there_is_no_build_id, fails_with_enosys_for_a_command_that_does_not_exist,
	  fails_when_a_copy_faults)

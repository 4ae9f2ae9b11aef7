/* xen_version: numbers, strings, features. */
#include "guest/guest.h"

const char test_title[] = "xen_version tells numbers, strings and features";

#define BAD_POINTER ((void *)TEST_VA)

static char buffer[XEN_CAPABILITIES_INFO_LEN];

static const struct {
	int cmd;
	size_t size;
	const char *name;
} strings[] = {
	{ XENVER_extraversion, XEN_EXTRAVERSION_LEN, "extraversion" },
	{ XENVER_compile_info, sizeof(struct xen_compile_info), "compile_info" },
	{ XENVER_capabilities, XEN_CAPABILITIES_INFO_LEN, "capabilities" },
	{ XENVER_changeset, XEN_CHANGESET_INFO_LEN, "changeset" },
	{ XENVER_commandline, XEN_COMMANDLINE_LEN, "commandline" },
};

static void check_strings(void)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(strings); i++) {
		int64_t rc;

		memset(buffer, 0xff, sizeof(buffer));
		rc = xen_version(strings[i].cmd, buffer);
		check(rc >= 0, "%s can be read", strings[i].name);
		check(memcmp(buffer, "\xff\xff\xff\xff", 4) != 0, "%s is written", strings[i].name);
		check_err(xen_version(strings[i].cmd, BAD_POINTER), -XEN_EFAULT,
			  "%s to an unmapped address gives -EFAULT", strings[i].name);
	}
	xen_version(XENVER_capabilities, buffer);
	check(strstr(buffer, "hvm-3.0-x86_64") != NULL, "capabilities name 64-bit HVM");
}

static void check_features(void)
{
	static const uint8_t must[] = { XENFEAT_auto_translated_physmap,
					XENFEAT_hvm_callback_vector, XENFEAT_hvm_safe_pvclock,
					XENFEAT_dom0 };
	static const uint8_t must_not[] = {
		XENFEAT_writable_descriptor_tables, XENFEAT_supervisor_mode_kernel,
		XENFEAT_pae_pgdir_above_4gb,        XENFEAT_mmu_pt_update_preserve_ad,
		XENFEAT_gnttab_map_avail_bits,      XENFEAT_hvm_pirqs
	};
	struct xen_feature_info info = { .submap_idx = 0 };

	check_err(xen_version(XENVER_get_features, &info), 0, "features can be read");
	for (unsigned int i = 0; i < ARRAY_SIZE(must); i++)
		check(info.submap >> must[i] & 1, "feature %u is present", must[i]);
	for (unsigned int i = 0; i < ARRAY_SIZE(must_not); i++)
		check(!(info.submap >> must_not[i] & 1), "feature %u is absent", must_not[i]);
	check((info.submap >> XENFEAT_not_direct_mapped & 1) !=
		      (info.submap >> XENFEAT_direct_mapped & 1),
	      "exactly one of direct and not direct mapped is told");
	info.submap_idx = 1;
	check_err(xen_version(XENVER_get_features, &info), -XEN_EINVAL,
		  "a feature word that does not exist gives -EINVAL");
	check_err(xen_version(XENVER_get_features, BAD_POINTER), -XEN_EFAULT,
		  "features at an unmapped address give -EFAULT");
}

void test_main(void)
{
	int64_t rc;

	check_eq((uint64_t)xen_version(XENVER_version, NULL),
		 LODGE_CLAIMED_XEN_MAJOR << 16 | LODGE_CLAIMED_XEN_MINOR, "the version is 4.17");
	check_eq(cpuid(0x40000001).eax, LODGE_CLAIMED_XEN_MAJOR << 16 | LODGE_CLAIMED_XEN_MINOR,
		 "CPUID tells the same version");
	check_err(xen_version(XENVER_pagesize, NULL), PAGE_SIZE, "pages have 4096 bytes");
	check_err(xen_version(XENVER_guest_handle, buffer), 0, "the domain has a handle");
	check_err(xen_version(XENVER_guest_handle, BAD_POINTER), -XEN_EFAULT,
		  "the handle to an unmapped address gives -EFAULT");
	check_err(xen_version(XENVER_platform_parameters, buffer), 0,
		  "platform parameters can be read");
	rc = xen_version(XENVER_build_id, NULL);
	check(rc > 0 || rc == -XEN_ENODATA, "the build id has a length, or there is none");
	check_err(xen_version(99, buffer), -XEN_ENOSYS, "an unknown command gives -ENOSYS");
	check_err(xen_version(-1, buffer), -XEN_ENOSYS, "a negative command gives -ENOSYS");
	check_strings();
	check_features();
}

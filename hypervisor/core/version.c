/*
 * xen_version: what the hypervisor is and can do, in the words of the interface that guests know.
 */
#include "lodge/version.h"

#include "abi/errno.h"
#include "abi/version.h"
#include "lib/string.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/iommu.h"
#include "lodge/vcpu.h"

#define CAPABILITIES  "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64"
#define FEATURE(name) (1U << XENFEAT_##name)

static char command_line[XEN_COMMANDLINE_LEN];

void version_set_command_line(const char *text)
{
	(void)str_copy(command_line, text, sizeof(command_line));
}

/* The service VM without an IOMMU is mapped one to one, so that its devices' addresses are right. */
uint32_t version_features(const struct domain *d)
{
	uint32_t features = FEATURE(writable_page_tables) | FEATURE(auto_translated_physmap) |
			    FEATURE(hvm_callback_vector) | FEATURE(hvm_safe_pvclock) |
			    FEATURE(memory_op_vnode_supported);

	if (d->privileged)
		features |= FEATURE(dom0);
	if (d->privileged && !iommu_ops)
		features |= FEATURE(direct_mapped);
	else
		features |= FEATURE(not_direct_mapped);
	return features;
}

/* A string in a buffer of fixed size, zero to its end. */
static int64_t put_string(struct vcpu *v, guest_ptr_t arg, const char *text, size_t size)
{
	char buf[XEN_CAPABILITIES_INFO_LEN] = { 0 };

	(void)str_copy(buf, text, size);
	return copy_to_guest(v, arg, buf, size);
}

/* Nothing that differs from one build of the same source to the next. */
static int64_t put_compile_info(struct vcpu *v, guest_ptr_t arg)
{
	struct xen_compile_info info = { .compile_by = "lodge" };

	(void)str_copy(info.compiler, "cc " __VERSION__, sizeof(info.compiler));
	return copy_to_guest(v, arg, &info, sizeof(info));
}

static int64_t put_platform_parameters(struct vcpu *v, struct hypercall_args *a)
{
	struct xen_platform_parameters p = { 0 };

	return copy_to_guest(v, GUEST_PTR(a->arg[1]), &p,
			     a->compat ? sizeof(struct compat_xen_platform_parameters) : sizeof(p));
}

static int64_t get_features(struct vcpu *v, guest_ptr_t arg)
{
	struct xen_feature_info info;
	int err = copy_from_guest(v, &info, arg, sizeof(info));

	if (err)
		return err;
	if (info.submap_idx >= XENFEAT_NR_SUBMAPS)
		return -XEN_EINVAL;
	info.submap = version_features(v->domain);
	return copy_to_guest(v, arg, &info, sizeof(info));
}

int64_t do_xen_version(struct vcpu *v, struct hypercall_args *a)
{
	const struct domain *d = v->domain;
	guest_ptr_t arg = GUEST_PTR(a->arg[1]);

	switch ((uint32_t)a->arg[0]) {
	case XENVER_version:
		return LODGE_CLAIMED_XEN_MAJOR << 16 | LODGE_CLAIMED_XEN_MINOR;
	case XENVER_extraversion:
		return put_string(v, arg, ".0-lodge", XEN_EXTRAVERSION_LEN);
	case XENVER_compile_info:
		return put_compile_info(v, arg);
	case XENVER_capabilities:
		return put_string(v, arg, CAPABILITIES, XEN_CAPABILITIES_INFO_LEN);
	case XENVER_changeset:
		return put_string(v, arg, "lodge " LODGE_VERSION, XEN_CHANGESET_INFO_LEN);
	case XENVER_platform_parameters:
		return put_platform_parameters(v, a);
	case XENVER_get_features:
		return get_features(v, arg);
	case XENVER_pagesize:
		return PAGE_SIZE;
	case XENVER_guest_handle:
		return copy_to_guest(v, arg, d->handle, sizeof(d->handle));
	case XENVER_commandline: /* tells of the machine: not to everybody */
		return put_string(v, arg, d->privileged ? command_line : "<denied>",
				  XEN_COMMANDLINE_LEN);
	case XENVER_build_id: /* the image has none */
		return d->privileged ? -XEN_ENODATA : -XEN_EPERM;
	default:
		return -XEN_ENOSYS;
	}
}

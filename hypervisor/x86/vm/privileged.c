/*
 * physdev_op and platform_op: what the service VM tells about PCI devices, sets the clock with, and
 * asks about the physical CPUs. The caller's privilege has been checked. PCI needs no help from the
 * service VM, since its configuration space is trapped; a device that appeared after boot is taken
 * notice of.
 */
#include "abi/errno.h"
#include "abi/physdev.h"
#include "abi/platform.h"
#include "lodge/arch.h"
#include "lodge/cpu.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/vcpu.h"
#include "x86/time.h"
#include "x86/vm/vpci.h"

static int64_t pci_mmcfg_reserved(struct vcpu *v, guest_ptr_t arg)
{
	struct physdev_pci_mmcfg_reserved op;

	return copy_from_guest(v, &op, arg, sizeof(op)); /* known since boot, from MCFG */
}

static int64_t pci_device_add(struct vcpu *v, guest_ptr_t arg)
{
	struct physdev_pci_device_add op;
	int err = copy_from_guest(v, &op, arg, sizeof(op));

	if (err)
		return err;
	return vpci_add_device(v->domain, op.seg, (uint16_t)(op.bus << 8 | op.devfn));
}

static int64_t pci_device_remove(struct vcpu *v, guest_ptr_t arg)
{
	struct physdev_pci_device op;

	/* It keeps its place: if it comes back, it is the same. */
	return copy_from_guest(v, &op, arg, sizeof(op));
}

int64_t arch_physdev_op(struct vcpu *v, struct hypercall_args *a)
{
	guest_ptr_t arg = GUEST_PTR(a->arg[1]);

	switch (a->arg[0]) {
	case PHYSDEVOP_pci_mmcfg_reserved:
		return pci_mmcfg_reserved(v, arg);
	case PHYSDEVOP_pci_device_add:
		return pci_device_add(v, arg);
	case PHYSDEVOP_pci_device_remove:
		return pci_device_remove(v, arg);
	default:
		return -XEN_ENOSYS;
	}
}

static int64_t set_time(uint64_t secs, uint32_t nsecs, uint64_t system_time)
{
	uint64_t utc;

	if (nsecs >= NS_PER_SEC || secs > UINT64_MAX / NS_PER_SEC - 1)
		return -XEN_EINVAL;
	utc = secs * NS_PER_SEC + nsecs;
	if (utc < system_time)
		return -XEN_EINVAL;
	time_set_wall_clock(utc - system_time);
	domain_update_all_wallclocks();
	return 0;
}

static int64_t get_cpuinfo(struct vcpu *v, guest_ptr_t arg, struct xen_platform_op *op)
{
	struct xenpf_pcpuinfo *info = &op->u.pcpu_info;

	info->max_present = nr_cpus - 1;
	info->flags = XEN_PCPU_FLAGS_INVALID;
	if (info->xen_cpuid < nr_cpus) {
		const struct cpu *c = cpus[index_clamp(info->xen_cpuid, nr_cpus)];

		info->flags = XEN_PCPU_FLAGS_ONLINE;
		info->apic_id = c->arch.apic_id;
		info->acpi_id = c->arch.acpi_id;
	}
	return copy_to_guest(v, arg, op, offsetof(struct xen_platform_op, u) + sizeof(*info));
}

int64_t arch_platform_op(struct vcpu *v, struct hypercall_args *a)
{
	guest_ptr_t arg = GUEST_PTR(a->arg[0]);
	struct xen_platform_op op;
	int err = copy_from_guest(v, &op, arg, sizeof(op));

	if (err)
		return err;
	if (op.interface_version != XENPF_INTERFACE_VERSION)
		return -XEN_EACCES;
	switch (op.cmd) {
	case XENPF_settime64:
		if (op.u.settime64.mbz)
			return -XEN_EINVAL;
		return set_time(op.u.settime64.secs, op.u.settime64.nsecs,
				op.u.settime64.system_time);
	case XENPF_settime32:
		return set_time(op.u.settime32.secs, op.u.settime32.nsecs,
				op.u.settime32.system_time);
	case XENPF_get_cpuinfo:
		return get_cpuinfo(v, arg, &op);
	default:
		return -XEN_ENOSYS;
	}
}

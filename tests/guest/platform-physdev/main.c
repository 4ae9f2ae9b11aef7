/* platform_op and physdev_op: what the initial domain tells and asks about the machine. */
#include "guest/guest.h"

const char test_title[] = "platform_op and physdev_op serve the initial domain";

#define BAD_POINTER TEST_VA

static int64_t platform_op(struct xen_platform_op *op)
{
	return hypercall2(__HYPERVISOR_platform_op, (uintptr_t)op, 0);
}

static int64_t physdev_op(int cmd, void *arg)
{
	return hypercall2(__HYPERVISOR_physdev_op, (uint64_t)cmd, (uintptr_t)arg);
}

static void check_cpus(void)
{
	struct xen_platform_op op = { .cmd = XENPF_get_cpuinfo,
				      .interface_version = XENPF_INTERFACE_VERSION };

	check_err(platform_op(&op), 0, "physical CPU 0 can be asked for");
	check(op.u.pcpu_info.flags & XEN_PCPU_FLAGS_ONLINE, "it is on line");
	check(op.u.pcpu_info.max_present >= 1, "there are CPUs up to %u",
	      op.u.pcpu_info.max_present);
	op.u.pcpu_info.xen_cpuid = 4000;
	check(platform_op(&op) < 0 || op.u.pcpu_info.flags & XEN_PCPU_FLAGS_INVALID,
	      "CPU 4000 is not there");
	op.interface_version = 1;
	check_err(platform_op(&op), -XEN_EACCES, "a wrong interface version gives -EACCES");
	check_err(platform_op((void *)BAD_POINTER), -XEN_EFAULT,
		  "an unmapped argument gives -EFAULT");
	op = (struct xen_platform_op){ .cmd = 9999, .interface_version = XENPF_INTERFACE_VERSION };
	check_err(platform_op(&op), -XEN_ENOSYS, "an unknown command gives -ENOSYS");
}

static void check_settime(void)
{
	struct xen_platform_op op = { .cmd = XENPF_settime64,
				      .interface_version = XENPF_INTERFACE_VERSION };
	uint32_t version = shared_info->wc_version;

	op.u.settime64.secs = 2000000000;
	op.u.settime64.system_time = clock_ns();
	check_err(platform_op(&op), 0, "the wall clock can be set");
	check(shared_info->wc_version != version && !(shared_info->wc_version & 1),
	      "the guest's copy has a new, even version");
	check(shared_info->wc_sec > 1999990000 && shared_info->wc_sec <= 2000000000,
	      "and the new time at system time 0: %u", shared_info->wc_sec);
	op.u.settime64.mbz = 1;
	check_err(platform_op(&op), -XEN_EINVAL, "a reserved field that is not 0 gives -EINVAL");
	op.u.settime64.mbz = 0;
	op.u.settime64.nsecs = 2000000000;
	platform_op(&op);
	check(shared_info->wc_nsec < 1000000000, "nanoseconds stay below a second");
}

static void check_physdev(void)
{
	struct physdev_pci_device_add add = { .devfn = 0x1f << 3 | 2 };
	struct physdev_pci_mmcfg_reserved mmcfg = { .address = 0xb0000000,
						    .end_bus = 255,
						    .flags = XEN_PCI_MMCFG_RESERVED };
	uint8_t buffer[64] = { 0 };

	check_err(physdev_op(PHYSDEVOP_pci_mmcfg_reserved, &mmcfg), 0,
		  "the PCI configuration window can be reported");
	check_err(physdev_op(PHYSDEVOP_pci_device_add, &add), 0, "a device can be reported");
	check(physdev_op(PHYSDEVOP_map_pirq, buffer) < 0, "map_pirq is not for PVH");
	check(physdev_op(PHYSDEVOP_get_free_pirq, buffer) < 0, "get_free_pirq neither");
	check(physdev_op(PHYSDEVOP_set_iopl, buffer) < 0, "nor set_iopl");
	check_err(physdev_op(99, buffer), -XEN_ENOSYS, "an unknown command gives -ENOSYS");
}

void test_main(void)
{
	event_init(EVENT_PER_VCPU_VECTOR);
	check_cpus();
	check_settime();
	check_physdev();
}

/*
 * platform_op(arg): what only the service VM may ask of the machine.
 *
 * The argument is the same for 64-bit and 32-bit guests in all that is supported. Firmware calls,
 * power management, microcode and hot-plug are not part of what Lodge speaks.
 */
#ifndef LODGE_ABI_PLATFORM_H
#define LODGE_ABI_PLATFORM_H

#include "xen.h"

#define XENPF_INTERFACE_VERSION 0x03000001U

#define XENPF_settime32            17
#define XENPF_add_memtype          31
#define XENPF_del_memtype          32
#define XENPF_read_memtype         33
#define XENPF_microcode_update     35
#define XENPF_platform_quirk       39
#define XENPF_get_cpu_version      48
#define XENPF_efi_runtime_call     49
#define XENPF_firmware_info        50
#define XENPF_enter_acpi_sleep     51
#define XENPF_change_freq          52
#define XENPF_getidletime          53
#define XENPF_set_processor_pminfo 54
#define XENPF_get_cpuinfo          55
#define XENPF_cpu_online           56
#define XENPF_cpu_offline          57
#define XENPF_cpu_hotadd           58
#define XENPF_mem_hotadd           59
#define XENPF_core_parking         60
#define XENPF_resource_op          61
#define XENPF_settime64            62
#define XENPF_get_symbol           63
#define XENPF_get_dom0_console     64

/* UTC at system_time, from which every domain's wall clock follows. */
struct xenpf_settime32 {
	uint32_t secs;
	uint32_t nsecs;
	uint64_t system_time;
};

ABI_SIZE(struct xenpf_settime32, 16);
ABI_OFFSET(struct xenpf_settime32, secs, 0);
ABI_OFFSET(struct xenpf_settime32, nsecs, 4);
ABI_OFFSET(struct xenpf_settime32, system_time, 8);

struct xenpf_settime64 {
	uint64_t secs;
	uint32_t nsecs;
	uint32_t mbz;
	uint64_t system_time;
};

ABI_SIZE(struct xenpf_settime64, 24);
ABI_OFFSET(struct xenpf_settime64, secs, 0);
ABI_OFFSET(struct xenpf_settime64, nsecs, 8);
ABI_OFFSET(struct xenpf_settime64, mbz, 12);
ABI_OFFSET(struct xenpf_settime64, system_time, 16);

#define XEN_PCPU_FLAGS_ONLINE  1U
#define XEN_PCPU_FLAGS_INVALID 2U /* there is no such CPU */

/* One physical CPU. */
struct xenpf_pcpuinfo {
	uint32_t xen_cpuid;
	uint32_t max_present; /* out: highest CPU number there is */
	uint32_t flags;       /* out: XEN_PCPU_FLAGS_* */
	uint32_t apic_id;     /* out */
	uint32_t acpi_id;     /* out */
};

ABI_SIZE(struct xenpf_pcpuinfo, 20);
ABI_OFFSET(struct xenpf_pcpuinfo, xen_cpuid, 0);
ABI_OFFSET(struct xenpf_pcpuinfo, max_present, 4);
ABI_OFFSET(struct xenpf_pcpuinfo, flags, 8);
ABI_OFFSET(struct xenpf_pcpuinfo, apic_id, 12);
ABI_OFFSET(struct xenpf_pcpuinfo, acpi_id, 16);

struct xen_platform_op {
	uint32_t cmd;               /* XENPF_* */
	uint32_t interface_version; /* XENPF_INTERFACE_VERSION */
	union {
		struct xenpf_settime32 settime32;
		struct xenpf_settime64 settime64;
		struct xenpf_pcpuinfo pcpu_info;
		uint8_t pad[128];
	} u;
};

ABI_SIZE(struct xen_platform_op, 136);
ABI_OFFSET(struct xen_platform_op, cmd, 0);
ABI_OFFSET(struct xen_platform_op, interface_version, 4);
ABI_OFFSET(struct xen_platform_op, u, 8);
ABI_OFFSET(struct xen_platform_op, u.settime32, 8);
ABI_OFFSET(struct xen_platform_op, u.settime64, 8);
ABI_OFFSET(struct xen_platform_op, u.pcpu_info, 8);
ABI_OFFSET(struct xen_platform_op, u.pad, 8);

#endif /* LODGE_ABI_PLATFORM_H */

/* The tables of schema.h for a domain: what is used, what is ignored or refused and why. Longer than other
 * files because it is the whole vocabulary, and nothing else. */
#include "config/domain.h"
#include "config/rules.h"
#include "config/schema.h"

#define IGNORED(name_, why_)                                    \
	{                                                       \
		.name = (name_), .fate = IGNORED, .why = (why_) \
	}
#define REFUSED(name_, why_)                                    \
	{                                                       \
		.name = (name_), .fate = REFUSED, .why = (why_) \
	}
#define VALUE(T, member, ...)                              \
	{                                                  \
		.offset = offsetof(T, member), __VA_ARGS__ \
	}
#define UNSTORED(...)                           \
	{                                       \
		.offset = NO_FIELD, __VA_ARGS__ \
	}
#define CHOICES(table)    .choices = (table), .nr_choices = ARRAY_SIZE(table)
#define ATTRIBUTES(table) .attributes = (table), .nr_attributes = ARRAY_SIZE(table)
#define CHILDREN(table)   .children = (table), .nr_children = ARRAY_SIZE(table)
#define LIST(T, member, count) \
	.list = { sizeof(*((T *)NULL)->member), offsetof(T, member), offsetof(T, count) }
#define WHEN(T, member, table, mask_)                                                              \
	.when = {                                                                                  \
		.mask = (mask_), .kind = offsetof(T, member), .attribute = #member, CHOICES(table) \
	}

/* An attribute or child element with nothing special about it. */
#define ATTRIBUTE(name_, T, member, type_, ...)                                           \
	{                                                                                 \
		.name = (name_), .value = VALUE(T, member, .type = &(type_), __VA_ARGS__) \
	}
#define TEXT_ELEMENT(name_, T, member, type_, ...)                                       \
	{                                                                                \
		.name = (name_), .text = VALUE(T, member, .type = &(type_), __VA_ARGS__) \
	}

#define OUTPUT_ONLY "libvirt's output; it says nothing about the guest"
#define NO_MODEL    "a PVH guest has no emulated devices"
#define NO_FIRMWARE "a PVH guest has no firmware"
#define WITHOUT_KERNEL \
	"a guest without <kernel> starts from its disk by GRUB, which reads the guest's own settings"
#define ALWAYS_THERE "every guest has it"

#define DOMAIN struct domain_description

static const struct choice no_yes[] = { { .name = "no" }, { .name = "yes" } };
static const struct choice off_on[] = { { .name = "off" }, { .name = "on" } };
static const struct choice only_on[] = {
	{ .name = "on" },
	REFUSED("off", "it cannot be turned off"),
};
static const struct choice down_up[] = { { .name = "up" }, { .name = "down" } };

static const struct attribute_rule unit_attributes[] = {
	{ .name = "unit", .value = UNSTORED(.type = &value_unit) },
	IGNORED("dumpCore", "a core dump has all memory"),
};
static const struct attribute_rule state_attributes[] = {
	{ .name = "state", .value = UNSTORED(.type = &value_choice, CHOICES(only_on)) },
	IGNORED("eoi", "the hypervisor chooses"),
	IGNORED("driver", "the hypervisor chooses"),
};

/* Metadata. */

static const struct attribute_rule start_attributes[] = {
	ATTRIBUTE("auto", DOMAIN, autostart, value_flag, CHOICES(no_yes)),
	ATTRIBUTE("order", DOMAIN, start_order, value_u32, .max = 1000000),
};
static const struct element_rule start_children[] = {
	{
		.name = "lodge:after",
		.text = { .type = &value_word, .min = 1, .max = 128 },
		LIST(DOMAIN, start_after, nr_start_after),
	},
};
static const struct attribute_rule store_attributes[] = {
	ATTRIBUTE("nodes", DOMAIN, store_nodes, value_u32, .min = 1, .max = 1000000),
	ATTRIBUTE("watches", DOMAIN, store_watches, value_u32, .min = 1, .max = 1000000),
	ATTRIBUTE("transactions", DOMAIN, store_transactions, value_u32, .min = 1, .max = 10000),
};
static const struct attribute_rule seed_attributes[] = {
	ATTRIBUTE("target", DOMAIN, cloud_init.disk.target, value_target, .min = 1),
};
#define SEED_PART(name_, attributes_, part_)                                                  \
	{                                                                                     \
		.name = (name_), ATTRIBUTES(attributes_),                                     \
		.text = VALUE(DOMAIN, cloud_init.parts[part_].text, .type = &value_document), \
		.check = check_cloud_init_part,                                               \
	}
#define SEED_FILE(part_) \
	ATTRIBUTE("file", DOMAIN, cloud_init.parts[part_].file, value_path, .min = 1)
static const struct attribute_rule meta_data_attributes[] = { SEED_FILE(CLOUD_INIT_META_DATA) };
static const struct attribute_rule network_config_attributes[] = {
	SEED_FILE(CLOUD_INIT_NETWORK_CONFIG),
};
static const struct attribute_rule user_data_attributes[] = { SEED_FILE(CLOUD_INIT_USER_DATA) };
static const struct element_rule seed_children[] = {
	{
		.name = "lodge:hostname",
		.text = VALUE(DOMAIN, cloud_init.hostname, .type = &value_word, .min = 1),
		.check = check_hostname,
	},
	SEED_PART("lodge:meta-data", meta_data_attributes, CLOUD_INIT_META_DATA),
	SEED_PART("lodge:network-config", network_config_attributes, CLOUD_INIT_NETWORK_CONFIG),
	SEED_PART("lodge:user-data", user_data_attributes, CLOUD_INIT_USER_DATA),
};
static const struct element_rule metadata_children[] = {
	{
		.name = "lodge:cloud-init",
		ATTRIBUTES(seed_attributes),
		CHILDREN(seed_children),
		.text = VALUE(DOMAIN, cloud_init.is_wanted, .type = &value_presence),
		.check = check_cloud_init,
	},
	{ .name = "lodge:start", ATTRIBUTES(start_attributes), CHILDREN(start_children) },
	{ .name = "lodge:store", ATTRIBUTES(store_attributes) },
};

/* Memory and CPUs. */

#define MEMORY_ELEMENT(name_, member_)                                 \
	{                                                              \
		.name = (name_), ATTRIBUTES(unit_attributes),          \
		.text = VALUE(DOMAIN, member_, .type = &value_memory), \
	}
static const struct element_rule memtune_children[] = {
	MEMORY_ELEMENT("min_guarantee", memory_guaranteed),
	IGNORED("hard_limit", "a guest never has more than its memory"),
	IGNORED("soft_limit", "a guest never has more than its memory"),
	IGNORED("swap_hard_limit", "guests' memory is never swapped"),
};
static const struct choice vcpu_placements[] = {
	{ .name = "static" },
	REFUSED("auto", "Lodge's scheduler places vCPUs; bind them with the attribute cpuset"),
};
static const struct attribute_rule vcpu_attributes[] = {
	{
		.name = "placement",
		.value = UNSTORED(.type = &value_choice, CHOICES(vcpu_placements)),
	},
	ATTRIBUTE("cpuset", DOMAIN, affinity, value_cpu_set),
	ATTRIBUTE("current", DOMAIN, nr_vcpus_current, value_u32, .min = 1,
		  .max = DOMAIN_MAX_VCPUS),
};
static const struct attribute_rule pin_attributes[] = {
	{
		.name = "vcpu",
		.required = true,
		.value = VALUE(struct vcpu_pin, vcpu, .type = &value_u32,
			       .max = DOMAIN_MAX_VCPUS - 1, .always = true),
	},
	{
		.name = "cpuset",
		.required = true,
		.value = VALUE(struct vcpu_pin, cpus, .type = &value_cpu_set),
	},
};
#define PERIOD .min = 1000, .max = 1000000, .preset = 100000
#define QUOTA  .min = 1000, .max = 17592186044415
static const struct element_rule cputune_children[] = {
	TEXT_ELEMENT("shares", DOMAIN, weight, value_u32, .min = 1, .max = 65535, .preset = 256,
		     .always = true),
	TEXT_ELEMENT("period", DOMAIN, vcpu_time.period_us, value_u32, PERIOD),
	TEXT_ELEMENT("quota", DOMAIN, vcpu_time.quota_us, value_quota, QUOTA),
	TEXT_ELEMENT("global_period", DOMAIN, domain_time.period_us, value_u32, PERIOD),
	TEXT_ELEMENT("global_quota", DOMAIN, domain_time.quota_us, value_quota, QUOTA),
	{
		.name = "vcpupin",
		ATTRIBUTES(pin_attributes),
		LIST(DOMAIN, pins, nr_pins),
		.check = check_pin,
	},
	IGNORED("emulatorpin", "there is no emulator"),
	IGNORED("emulator_period", "there is no emulator"),
	IGNORED("emulator_quota", "there is no emulator"),
	IGNORED("emulatorsched", "there is no emulator"),
	IGNORED("iothreadpin", "backends have no I/O threads of the guest's"),
	IGNORED("iothread_period", "backends have no I/O threads of the guest's"),
	IGNORED("iothread_quota", "backends have no I/O threads of the guest's"),
	IGNORED("iothreadsched", "backends have no I/O threads of the guest's"),
	IGNORED("vcpusched", "vCPUs are scheduled by Lodge, not by a host's kernel"),
	IGNORED("cachetune", "Lodge does not divide caches"),
	IGNORED("memorytune", "Lodge does not divide memory bandwidth"),
};

static const struct choice cpu_modes[] = {
	[CPU_HOST_MODEL] = { .name = "host-model" },
	[CPU_HOST_PASSTHROUGH] = { .name = "host-passthrough" },
	[CPU_MAXIMUM] = { .name = "maximum" },
	REFUSED("custom",
		"there are no models; use \"host-model\" and name the features that differ"),
};
static const struct choice feature_policies[] = {
	[FEATURE_REQUIRE] = { .name = "require" },   [FEATURE_FORCE] = { .name = "force" },
	[FEATURE_OPTIONAL] = { .name = "optional" }, [FEATURE_DISABLE] = { .name = "disable" },
	[FEATURE_FORBID] = { .name = "forbid" },
};
static const struct attribute_rule cpu_attributes[] = {
	ATTRIBUTE("mode", DOMAIN, cpu_mode, value_choice, CHOICES(cpu_modes)),
	IGNORED("match", "the features alone are compared"),
	IGNORED("check", "features are always checked"),
	IGNORED("migratable", "the features alone decide"),
	IGNORED("deprecated_features", "the features alone decide"),
};
static const struct attribute_rule feature_attributes[] = {
	ATTRIBUTE("policy", struct feature_setting, policy, value_choice, CHOICES(feature_policies),
		  .always = true),
	{
		.name = "name",
		.required = true,
		.value = VALUE(struct feature_setting, name, .type = &value_feature, .min = 1),
	},
};
static const struct element_rule cpu_children[] = {
	{
		.name = "feature",
		ATTRIBUTES(feature_attributes),
		LIST(DOMAIN, features, nr_features),
		.check = check_feature,
	},
	IGNORED("model", "the guest sees the host's model"),
	IGNORED("vendor", "the guest sees the host's vendor"),
	IGNORED("topology", "each vCPU is a core of its own"),
	IGNORED("numa", "a guest is one NUMA node"),
	IGNORED("cache", "the guest sees the host's caches"),
	IGNORED("maxphysaddr", "the guest sees what fits its memory"),
};

/* Boot. */

static const struct choice os_types[] = {
	{ .name = "xenpvh" },
	REFUSED("hvm", "Lodge runs PVH guests only; use \"xenpvh\""),
	REFUSED("xen", "Lodge runs PVH guests only; use \"xenpvh\", for most kernels can be both"),
	REFUSED("linux",
		"Lodge runs PVH guests only; use \"xenpvh\", for most kernels can be both"),
	REFUSED("exe", "Lodge runs virtual machines, not containers"),
};
static const struct choice arches[] = {
	[DOMAIN_ARCH_X86_64] = { .name = "x86_64" },
	[DOMAIN_ARCH_I686] = { .name = "i686" },
};
static const struct choice machines[] = {
	{ .name = "xenpvh" },
	REFUSED("xenpv", "Lodge runs PVH guests only; use \"xenpvh\""),
	REFUSED("xenfv", "Lodge runs PVH guests only; use \"xenpvh\""),
};
static const struct attribute_rule os_type_attributes[] = {
	ATTRIBUTE("arch", DOMAIN, arch, value_choice, CHOICES(arches), .always = true),
	{
		.name = "machine",
		.value = UNSTORED(.type = &value_choice, CHOICES(machines), .always = true),
	},
};
static const struct choice loader_types[] = {
	{ .name = "rom" },
	REFUSED("pflash", "a loader is copied into the guest, and has no variables"),
};
static const struct attribute_rule loader_attributes[] = {
	{
		.name = "type",
		.value = UNSTORED(.type = &value_choice, CHOICES(loader_types)),
	},
	IGNORED("readonly", "a loader is copied into the guest"),
	IGNORED("stateless", "a loader is copied into the guest"),
	IGNORED("secure", NO_FIRMWARE),
};
static const struct element_rule os_children[] = {
	{
		.name = "type",
		.required = true,
		ATTRIBUTES(os_type_attributes),
		.text = UNSTORED(.type = &value_choice, CHOICES(os_types), .always = true),
	},
	{
		.name = "kernel",
		.text = VALUE(DOMAIN, kernel, .type = &value_path, .min = 1),
	},
	{
		.name = "loader",
		ATTRIBUTES(loader_attributes),
		.text = VALUE(DOMAIN, loader, .type = &value_path, .min = 1),
	},
	{
		.name = "initrd",
		.text = { .type = &value_path, .min = 1 },
		LIST(DOMAIN, initrds, nr_initrds),
	},
	TEXT_ELEMENT("cmdline", DOMAIN, cmdline, value_string, .max = 4095),
	IGNORED("boot", NO_FIRMWARE),
	IGNORED("bootmenu", NO_FIRMWARE),
	IGNORED("bios", NO_FIRMWARE),
	IGNORED("smbios", NO_FIRMWARE),
	REFUSED("nvram", NO_FIRMWARE),
	REFUSED("acpi", "a guest's ACPI tables are made by Lodge"),
	REFUSED("dtb", "x86 has no device tree"),
	REFUSED("init", "Lodge runs virtual machines, not containers"),
};

/* Features and clock. */

static const struct element_rule features_children[] = {
	{ .name = "acpi", ATTRIBUTES(state_attributes) },
	{ .name = "apic", ATTRIBUTES(state_attributes) },
	{ .name = "pae", ATTRIBUTES(state_attributes) },
	{ .name = "hap", ATTRIBUTES(state_attributes) },
	IGNORED("viridian", "Lodge shows guests Xen's interface only"),
	IGNORED("hyperv", "Lodge shows guests Xen's interface only"),
	IGNORED("kvm", "Lodge shows guests Xen's interface only"),
	IGNORED("xen", "passed-through devices are not there"),
	IGNORED("pvspinlock", ALWAYS_THERE),
	IGNORED("pmu", "guests have no performance counters"),
	IGNORED("vmport", NO_MODEL),
	IGNORED("vmcoreinfo", NO_MODEL),
	IGNORED("smm", NO_FIRMWARE),
	IGNORED("ioapic", "the hypervisor chooses"),
	IGNORED("msrs", "the hypervisor chooses"),
	IGNORED("ps2", NO_MODEL),
	IGNORED("tcg", NO_MODEL),
	IGNORED("privnet", "Lodge runs virtual machines, not containers"),
	IGNORED("capabilities", "Lodge runs virtual machines, not containers"),
};
static const struct choice clock_offsets[] = {
	[CLOCK_UTC] = { .name = "utc" },
	[CLOCK_LOCALTIME] = { .name = "localtime" },
	[CLOCK_VARIABLE] = { .name = "variable" },
	[CLOCK_TIMEZONE] = { .name = "timezone" },
	REFUSED("absolute", "use \"variable\" with an adjustment in seconds"),
};
static const struct choice clock_bases[] = {
	[CLOCK_BASIS_UTC] = { .name = "utc" },
	[CLOCK_BASIS_LOCALTIME] = { .name = "localtime" },
};
static const struct choice timer_names[] = {
	{ .name = "tsc" },
	IGNORED("platform", "guests have Xen's clock and one-shot timers"),
	IGNORED("pit", "guests have Xen's clock and one-shot timers"),
	IGNORED("rtc", "guests have Xen's clock and one-shot timers"),
	IGNORED("hpet", "guests have Xen's clock and one-shot timers"),
	IGNORED("kvmclock", "guests have Xen's clock and one-shot timers"),
	IGNORED("hypervclock", "guests have Xen's clock and one-shot timers"),
	IGNORED("armvtimer", "guests have Xen's clock and one-shot timers"),
};
static const struct choice tsc_modes[] = {
	[TSC_AUTO] = { .name = "auto" },
	[TSC_NATIVE] = { .name = "native" },
	[TSC_EMULATE] = { .name = "emulate" },
	[TSC_PARAVIRT] = { .name = "paravirt" },
	REFUSED("smpsafe", "a guest's TSC is the same on each vCPU; use \"auto\""),
};
static const struct choice tsc_present[] = {
	{ .name = "yes" },
	REFUSED("no", "a CPU always has a TSC"),
};
static const struct attribute_rule timer_attributes[] = {
	{
		.name = "name",
		.required = true,
		.value = UNSTORED(.type = &value_choice, CHOICES(timer_names), .always = true),
	},
	ATTRIBUTE("mode", DOMAIN, tsc_mode, value_choice, CHOICES(tsc_modes), .always = true),
	ATTRIBUTE("frequency", DOMAIN, tsc_hz, value_u64, .min = 1000000, .max = 100000000000),
	{ .name = "present", .value = UNSTORED(.type = &value_choice, CHOICES(tsc_present)) },
	IGNORED("tickpolicy", "a TSC has no ticks"),
	IGNORED("track", "a TSC tracks itself"),
};
static const struct attribute_rule clock_attributes[] = {
	ATTRIBUTE("offset", DOMAIN, clock, value_choice, CHOICES(clock_offsets), .always = true),
	ATTRIBUTE("adjustment", DOMAIN, clock_adjustment_s, value_seconds, .max = 4000000000),
	ATTRIBUTE("basis", DOMAIN, clock_basis, value_choice, CHOICES(clock_bases)),
	ATTRIBUTE("timezone", DOMAIN, clock_zone, value_zone, .min = 1, .max = 100),
	IGNORED("start", "goes with offset=\"absolute\""),
};
static const struct element_rule clock_children[] = {
	{ .name = "timer", ATTRIBUTES(timer_attributes) },
};
#define ACTIONS                                                                             \
	[DOMAIN_DESTROY] = { .name = "destroy" }, [DOMAIN_RESTART] = { .name = "restart" }, \
	[DOMAIN_PRESERVE] = { .name = "preserve" },                                         \
	[DOMAIN_RENAME_RESTART] = { .name = "rename-restart" }
static const struct choice actions[] = { ACTIONS };
static const struct choice crash_actions[] = {
	ACTIONS,
	[DOMAIN_COREDUMP_DESTROY] = { .name = "coredump-destroy" },
	[DOMAIN_COREDUMP_RESTART] = { .name = "coredump-restart" },
};

/* Disks. */

static const struct choice disk_types[] = {
	[DISK_FILE] = { .name = "file" },
	[DISK_BLOCK] = { .name = "block" },
	[DISK_NETWORK] = { .name = "network" },
	REFUSED("volume", "libvirt's pools are not there; name the file or the block device"),
	REFUSED("dir", "a folder is no disk"),
	REFUSED("nvme", "name the block device that the service VM has for it"),
	REFUSED("vhostuser", "guests have Xen's block devices only"),
	REFUSED("vhostvdpa", "guests have Xen's block devices only"),
};
static const struct choice disk_devices[] = {
	[DISK_DISK] = { .name = "disk" },
	[DISK_CDROM] = { .name = "cdrom" },
	REFUSED("floppy", "use \"disk\""),
	REFUSED("lun", "SCSI commands are not passed on; use \"disk\""),
};
#define DISK_WHEN(mask_) WHEN(struct disk, type, disk_types, mask_)
static const struct choice disk_formats[] = {
	[DISK_RAW] = { .name = "raw" },
	[DISK_QCOW2] = { .name = "qcow2" },
	[DISK_VMDK] = { .name = "vmdk" },
	[DISK_VPC] = { .name = "vpc" },
	[DISK_VHDX] = { .name = "vhdx" },
	[DISK_VDI] = { .name = "vdi" },
	REFUSED("vhd", "it is called \"vpc\", or \"vhdx\""),
	REFUSED("qcow", "convert it: qemu-img convert -O qcow2"),
	REFUSED("qed", "convert it: qemu-img convert -O qcow2"),
};
static const struct choice disk_caches[] = {
	[DISK_CACHE_DEFAULT] = { .name = "default" },
	[DISK_CACHE_NONE] = { .name = "none" },
	[DISK_CACHE_WRITETHROUGH] = { .name = "writethrough" },
	[DISK_CACHE_WRITEBACK] = { .name = "writeback" },
	[DISK_CACHE_DIRECTSYNC] = { .name = "directsync" },
	[DISK_CACHE_UNSAFE] = { .name = "unsafe" },
};
static const struct choice disk_discards[] = {
	[DISK_DISCARD_DEFAULT] = { .name = "default" },
	[DISK_DISCARD_UNMAP] = { .name = "unmap" },
	[DISK_DISCARD_IGNORE] = { .name = "ignore" },
};
static const struct choice disk_protocols[] = {
	[DISK_NBD] = { .name = "nbd" },
	[DISK_ISCSI] = { .name = "iscsi" },
	[DISK_RBD] = { .name = "rbd" },
	REFUSED("nfs", "mount it in the service VM and use type=\"file\""),
	REFUSED("gluster", "mount it in the service VM and use type=\"file\""),
	REFUSED("ssh", "mount it in the service VM and use type=\"file\""),
	REFUSED("http", "copy it to the service VM and use type=\"file\""),
	REFUSED("https", "copy it to the service VM and use type=\"file\""),
	REFUSED("ftp", "copy it to the service VM and use type=\"file\""),
	REFUSED("ftps", "copy it to the service VM and use type=\"file\""),
	REFUSED("tftp", "copy it to the service VM and use type=\"file\""),
};
static const struct choice transports[] = {
	[HOST_TCP] = { .name = "tcp" },
	[HOST_UNIX] = { .name = "unix" },
	REFUSED("rdma", "use \"tcp\""),
};
static const struct choice disk_buses[] = {
	{ .name = "xen" },
	REFUSED("virtio", "guests have the bus \"xen\" only"),
	REFUSED("ide", "guests have the bus \"xen\" only"),
	REFUSED("sata", "guests have the bus \"xen\" only"),
	REFUSED("scsi", "guests have the bus \"xen\" only"),
	REFUSED("usb", "guests have the bus \"xen\" only"),
	REFUSED("sd", "guests have the bus \"xen\" only"),
	REFUSED("fdc", "guests have the bus \"xen\" only"),
};
static const struct choice disk_backends[] = {
	[DISK_LODGE] = { .name = "lodge" }, [DISK_BLKBACK] = { .name = "phy" },
	[DISK_QEMU] = { .name = "qemu" },   [DISK_FILE_DRIVER] = { .name = "file" },
	[DISK_TAP] = { .name = "tap" },     [DISK_TAP2] = { .name = "tap2" },
};
static const struct attribute_rule driver_attributes[] = {
	ATTRIBUTE("name", struct disk, backend, value_choice, CHOICES(disk_backends)),
	ATTRIBUTE("type", struct disk, format, value_choice, CHOICES(disk_formats)),
	ATTRIBUTE("cache", struct disk, cache, value_choice, CHOICES(disk_caches)),
	ATTRIBUTE("discard", struct disk, discard, value_choice, CHOICES(disk_discards)),
	ATTRIBUTE("queues", struct disk, nr_queues, value_u32, .min = 1, .max = 64),
	IGNORED("io", "the backend chooses"),
	IGNORED("iothread", "the backend chooses"),
	IGNORED("detect_zeroes", "the backend does not look for zeroes"),
	IGNORED("error_policy", "errors are told to the guest"),
	IGNORED("rerror_policy", "errors are told to the guest"),
	IGNORED("copy_on_read", "the backend does not copy"),
	IGNORED("event_idx", "virtio's"),
	IGNORED("ats", "virtio's"),
	IGNORED("iommu", "virtio's"),
};
static const struct attribute_rule host_attributes[] = {
	ATTRIBUTE("transport", struct disk_host, transport, value_choice, CHOICES(transports)),
	{
		.name = "name",
		.value = VALUE(struct disk_host, name, .type = &value_word, .min = 1, .max = 255),
		WHEN(struct disk_host, transport, transports, 1u << HOST_TCP),
	},
	{
		.name = "port",
		.value = VALUE(struct disk_host, port, .type = &value_u32, .min = 1, .max = 65535),
		WHEN(struct disk_host, transport, transports, 1u << HOST_TCP),
	},
	{
		.name = "socket",
		.value = VALUE(struct disk_host, socket, .type = &value_path, .min = 1),
		WHEN(struct disk_host, transport, transports, 1u << HOST_UNIX),
	},
};
static const struct attribute_rule disk_source_attributes[] = {
	{
		.name = "file",
		.value = VALUE(struct disk, path, .type = &value_path, .min = 1),
		DISK_WHEN(1u << DISK_FILE),
	},
	{
		.name = "dev",
		.value = VALUE(struct disk, path, .type = &value_path, .min = 1),
		DISK_WHEN(1u << DISK_BLOCK),
	},
	{
		.name = "protocol",
		.required = true,
		.value = VALUE(struct disk, protocol, .type = &value_choice,
			       CHOICES(disk_protocols), .always = true),
		DISK_WHEN(1u << DISK_NETWORK),
	},
	{
		.name = "name",
		.value = VALUE(struct disk, export_name, .type = &value_string, .min = 1),
		DISK_WHEN(1u << DISK_NETWORK),
	},
	{
		.name = "tls",
		.value = VALUE(struct disk, tls, .type = &value_flag, CHOICES(no_yes)),
		DISK_WHEN(1u << DISK_NETWORK),
	},
	IGNORED("startupPolicy", "a disk that is missing is always an error"),
	IGNORED("index", OUTPUT_ONLY),
};
static const struct element_rule disk_source_children[] = {
	{
		.name = "host",
		ATTRIBUTES(host_attributes),
		LIST(struct disk, hosts, nr_hosts),
		DISK_WHEN(1u << DISK_NETWORK),
		.check = check_host,
	},
	REFUSED("encryption", "encrypt the disk in the guest, or by dm-crypt in the service VM"),
	REFUSED("auth", "put the disk's login in the service VM"),
	REFUSED("slices", "use a loop or device-mapper device of the service VM"),
	IGNORED("seclabel", "the service VM has no labels"),
	IGNORED("reservations", "SCSI commands are not passed on"),
};
static const struct attribute_rule disk_target_attributes[] = {
	{
		.name = "dev",
		.required = true,
		.value = VALUE(struct disk, target, .type = &value_target, .min = 1),
	},
	{
		.name = "bus",
		.value = UNSTORED(.type = &value_choice, CHOICES(disk_buses), .always = true),
	},
	IGNORED("removable", "the bus \"xen\" tells it by the device"),
	IGNORED("tray", "a drive's tray is shut"),
	IGNORED("rotation_rate", "guests see no rotation rate"),
};
static const struct attribute_rule blockio_attributes[] = {
	ATTRIBUTE("logical_block_size", struct disk, logical_block_size, value_u32, .min = 512,
		  .max = 32768),
	ATTRIBUTE("physical_block_size", struct disk, physical_block_size, value_u32, .min = 512,
		  .max = 1048576),
	IGNORED("discard_granularity", "as the source has it"),
};
#define RATE(name_, member)        TEXT_ELEMENT(name_, struct disk, member, value_u64)
#define RATE_LENGTH(name_, member) TEXT_ELEMENT(name_, struct disk, member, value_u32, .max = 86400)
static const struct element_rule iotune_children[] = {
	RATE("total_bytes_sec", bytes.total),
	RATE("read_bytes_sec", bytes.read),
	RATE("write_bytes_sec", bytes.write),
	RATE("total_iops_sec", operations.total),
	RATE("read_iops_sec", operations.read),
	RATE("write_iops_sec", operations.write),
	RATE("total_bytes_sec_max", bytes.total_max),
	RATE("read_bytes_sec_max", bytes.read_max),
	RATE("write_bytes_sec_max", bytes.write_max),
	RATE("total_iops_sec_max", operations.total_max),
	RATE("read_iops_sec_max", operations.read_max),
	RATE("write_iops_sec_max", operations.write_max),
	RATE_LENGTH("total_bytes_sec_max_length", bytes.total_max_length),
	RATE_LENGTH("read_bytes_sec_max_length", bytes.read_max_length),
	RATE_LENGTH("write_bytes_sec_max_length", bytes.write_max_length),
	RATE_LENGTH("total_iops_sec_max_length", operations.total_max_length),
	RATE_LENGTH("read_iops_sec_max_length", operations.read_max_length),
	RATE_LENGTH("write_iops_sec_max_length", operations.write_max_length),
	RATE("size_iops_sec", operation_size),
	IGNORED("group_name", "each disk has limits of its own"),
};
static const struct attribute_rule disk_attributes[] = {
	ATTRIBUTE("type", struct disk, type, value_choice, CHOICES(disk_types), .always = true),
	ATTRIBUTE("device", struct disk, device, value_choice, CHOICES(disk_devices),
		  .always = true),
	IGNORED("model", "virtio's"),
	IGNORED("snapshot", "a snapshot names its disks itself"),
	IGNORED("rawio", "SCSI commands are not passed on"),
	IGNORED("sgio", "SCSI commands are not passed on"),
};
static const struct element_rule disk_children[] = {
	{ .name = "driver", ATTRIBUTES(driver_attributes) },
	{
		.name = "source",
		ATTRIBUTES(disk_source_attributes),
		CHILDREN(disk_source_children),
	},
	{ .name = "target", .required = true, ATTRIBUTES(disk_target_attributes) },
	TEXT_ELEMENT("readonly", struct disk, readonly, value_presence),
	TEXT_ELEMENT("shareable", struct disk, shareable, value_presence),
	{ .name = "blockio", ATTRIBUTES(blockio_attributes) },
	TEXT_ELEMENT("serial", struct disk, serial, value_word, .max = 64),
	{ .name = "iotune", CHILDREN(iotune_children), .check = check_iotune },
	IGNORED("boot", NO_FIRMWARE),
	IGNORED("alias", OUTPUT_ONLY),
	IGNORED("address", OUTPUT_ONLY),
	IGNORED("backingStore", "an image names its backing file itself"),
	IGNORED("mirror", OUTPUT_ONLY),
	IGNORED("geometry", "guests see no geometry"),
	IGNORED("wwn", "the bus \"xen\" has none"),
	IGNORED("vendor", "the bus \"xen\" has none"),
	IGNORED("product", "the bus \"xen\" has none"),
	IGNORED("throttlefilters", "each disk has limits of its own"),
	IGNORED("acpi", OUTPUT_ONLY),
	REFUSED("transient", "Lodge would write to the disk; make an overlay: qemu-img create -b"),
	REFUSED("encryption", "encrypt the disk in the guest, or by dm-crypt in the service VM"),
	REFUSED("auth", "put the disk's login in the service VM"),
	REFUSED("backenddomain", "backends run in the service VM"),
};

/* Network cards. */

static const struct choice interface_types[] = {
	[INTERFACE_BRIDGE] = { .name = "bridge" },
	[INTERFACE_NETWORK] = { .name = "network" },
	[INTERFACE_ETHERNET] = { .name = "ethernet" },
	REFUSED("user", "needs an emulator; use \"bridge\""),
	REFUSED("direct", "use \"bridge\""),
	REFUSED("hostdev", "passed-through devices are not there; use \"bridge\""),
	REFUSED("internal", "use \"bridge\""),
	REFUSED("vhostuser", "guests have Xen's network cards only; use \"bridge\""),
	REFUSED("vdpa", "guests have Xen's network cards only; use \"bridge\""),
	REFUSED("vds", "use \"bridge\""),
	REFUSED("null", "leave the interface out"),
	REFUSED("client", "needs an emulator; use \"bridge\""),
	REFUSED("server", "needs an emulator; use \"bridge\""),
	REFUSED("mcast", "needs an emulator; use \"bridge\""),
	REFUSED("udp", "needs an emulator; use \"bridge\""),
};
static const struct choice card_models[] = {
	{ .name = "netfront" },
	REFUSED("virtio", "guests have the model \"netfront\" only"),
	REFUSED("e1000", "guests have the model \"netfront\" only"),
	REFUSED("e1000e", "guests have the model \"netfront\" only"),
	REFUSED("igb", "guests have the model \"netfront\" only"),
	REFUSED("rtl8139", "guests have the model \"netfront\" only"),
	REFUSED("ne2k_pci", "guests have the model \"netfront\" only"),
	REFUSED("pcnet", "guests have the model \"netfront\" only"),
	REFUSED("vmxnet3", "guests have the model \"netfront\" only"),
};
static const struct choice port_types[] = {
	[PORT_NONE] = { .name = "" },
	[PORT_OPENVSWITCH] = { .name = "openvswitch" },
	REFUSED("802.1Qbg", "use a bridge or Open vSwitch"),
	REFUSED("802.1Qbh", "use a bridge or Open vSwitch"),
	REFUSED("midonet", "use a bridge or Open vSwitch"),
};
static const struct attribute_rule interface_source_attributes[] = {
	{
		.name = "bridge",
		.value = VALUE(struct interface, bridge, .type = &value_word, .min = 1, .max = 15),
		WHEN(struct interface, type, interface_types, 1u << INTERFACE_BRIDGE),
	},
	{
		.name = "network",
		.value =
			VALUE(struct interface, network, .type = &value_word, .min = 1, .max = 128),
		WHEN(struct interface, type, interface_types, 1u << INTERFACE_NETWORK),
	},
	IGNORED("portgroup", "networks have no port groups"),
	IGNORED("portid", OUTPUT_ONLY),
};
static const struct attribute_rule mac_attributes[] = {
	{
		.name = "address",
		.required = true,
		.value = VALUE(struct interface, mac, .type = &value_mac),
	},
	IGNORED("type", "any address is taken"),
	IGNORED("check", "any address is taken"),
};
static const struct attribute_rule card_model_attributes[] = {
	{
		.name = "type",
		.required = true,
		.value = UNSTORED(.type = &value_choice, CHOICES(card_models)),
	},
};
static const struct attribute_rule card_target_attributes[] = {
	{
		.name = "dev",
		.required = true,
		.value = VALUE(struct interface, target, .type = &value_word, .min = 1, .max = 15),
	},
	IGNORED("managed", "the backend always makes it"),
};
static const struct attribute_rule script_attributes[] = {
	{
		.name = "path",
		.required = true,
		.value = VALUE(struct interface, script, .type = &value_string, .min = 1),
	},
};
static const struct choice card_backends[] = {
	[CARD_LODGE] = { .name = "lodge" },
	[CARD_NETBACK] = { .name = "netback" },
	[CARD_QEMU] = { .name = "qemu" },
	[CARD_VHOST] = { .name = "vhost" },
};
static const struct attribute_rule card_driver_attributes[] = {
	ATTRIBUTE("name", struct interface, backend, value_choice, CHOICES(card_backends)),
	ATTRIBUTE("queues", struct interface, nr_queues, value_u32, .min = 1, .max = 64),
	IGNORED("txmode", "virtio's"),
	IGNORED("ioeventfd", "virtio's"),
	IGNORED("event_idx", "virtio's"),
	IGNORED("rx_queue_size", "virtio's"),
	IGNORED("tx_queue_size", "virtio's"),
	IGNORED("iommu", "virtio's"),
	IGNORED("ats", "virtio's"),
};
#define KIB_RATE .max = 4294967295
static const struct attribute_rule inbound_attributes[] = {
	{
		.name = "average",
		.required = true,
		.value = VALUE(struct interface, inbound.average, .type = &value_u64, .min = 1,
			       KIB_RATE),
	},
	ATTRIBUTE("peak", struct interface, inbound.peak, value_u64, .min = 1, KIB_RATE),
	ATTRIBUTE("burst", struct interface, inbound.burst, value_u64, .min = 1, KIB_RATE),
	REFUSED("floor", "bridges guarantee no bandwidth"),
};
static const struct attribute_rule outbound_attributes[] = {
	{
		.name = "average",
		.required = true,
		.value = VALUE(struct interface, outbound.average, .type = &value_u64, .min = 1,
			       KIB_RATE),
	},
	ATTRIBUTE("peak", struct interface, outbound.peak, value_u64, .min = 1, KIB_RATE),
	ATTRIBUTE("burst", struct interface, outbound.burst, value_u64, .min = 1, KIB_RATE),
	REFUSED("floor", "bridges guarantee no bandwidth"),
};
static const struct element_rule bandwidth_children[] = {
	{ .name = "inbound", ATTRIBUTES(inbound_attributes) },
	{ .name = "outbound", ATTRIBUTES(outbound_attributes) },
};
static const struct attribute_rule mtu_attributes[] = {
	{
		.name = "size",
		.required = true,
		.value = VALUE(struct interface, mtu, .type = &value_u32, .min = 68, .max = 65535),
	},
};
static const struct attribute_rule link_attributes[] = {
	{
		.name = "state",
		.required = true,
		.value = VALUE(struct interface, link_down, .type = &value_flag, CHOICES(down_up)),
	},
};
static const struct attribute_rule tag_attributes[] = {
	{
		.name = "id",
		.required = true,
		.value = VALUE(struct vlan_tag, id, .type = &value_u32, .min = 1, .max = 4094),
	},
	REFUSED("nativeMode", "tag the native network's frames on the switch"),
};
static const struct element_rule vlan_children[] = {
	{
		.name = "tag",
		.required = true,
		ATTRIBUTES(tag_attributes),
		LIST(struct interface, vlans, nr_vlans),
	},
};
static const struct attribute_rule vlan_attributes[] = {
	ATTRIBUTE("trunk", struct interface, vlan_trunk, value_flag, CHOICES(no_yes)),
};
static const struct attribute_rule port_attributes[] = {
	{
		.name = "type",
		.required = true,
		.value = VALUE(struct interface, port, .type = &value_choice, CHOICES(port_types)),
	},
};
static const struct attribute_rule parameters_attributes[] = {
	ATTRIBUTE("interfaceid", struct interface, port_interface_id, value_uuid),
	ATTRIBUTE("profileid", struct interface, port_profile_id, value_word, .min = 1, .max = 39),
};
static const struct element_rule port_children[] = {
	{ .name = "parameters", ATTRIBUTES(parameters_attributes) },
};
static const struct attribute_rule interface_attributes[] = {
	ATTRIBUTE("type", struct interface, type, value_choice, CHOICES(interface_types),
		  .always = true),
	IGNORED("managed", "the backend always makes the device"),
	ATTRIBUTE("trustGuestRxFilters", struct interface, any_mac, value_flag, CHOICES(no_yes)),
};
static const struct choice filters[] = {
	{ .name = "clean-traffic" },
	REFUSED("clean-traffic-gateway", "use \"clean-traffic\""),
	REFUSED("no-mac-spoofing", "it is always on; see trustGuestRxFilters"),
	REFUSED("no-arp-spoofing", "use \"clean-traffic\""),
	REFUSED("no-ip-spoofing", "use \"clean-traffic\""),
};
static const struct attribute_rule filter_attributes[] = {
	{
		.name = "filter",
		.required = true,
		.value = UNSTORED(.type = &value_choice, CHOICES(filters), .always = true),
	},
};
static const struct choice filter_parameters[] = {
	{ .name = "IP" },
	REFUSED("MAC", "the filter has the card's own"),
	REFUSED("DHCPSERVER", "any server may answer"),
	REFUSED("CTRL_IP_LEARNING", "name the addresses"),
};
static const struct attribute_rule filter_parameter_attributes[] = {
	{
		.name = "name",
		.required = true,
		.value =
			UNSTORED(.type = &value_choice, CHOICES(filter_parameters), .always = true),
	},
	{
		.name = "value",
		.required = true,
		.value = VALUE(struct card_address, address, .type = &value_word, .min = 1,
			       .max = 45),
	},
};
static const struct element_rule filter_children[] = {
	{
		.name = "parameter",
		ATTRIBUTES(filter_parameter_attributes),
		LIST(struct interface, addresses, nr_addresses),
		.check = check_card_address,
	},
};
static const struct element_rule interface_children[] = {
	{ .name = "source", ATTRIBUTES(interface_source_attributes) },
	{ .name = "mac", ATTRIBUTES(mac_attributes) },
	{ .name = "model", ATTRIBUTES(card_model_attributes) },
	{ .name = "target", ATTRIBUTES(card_target_attributes) },
	{ .name = "script", ATTRIBUTES(script_attributes) },
	{ .name = "driver", ATTRIBUTES(card_driver_attributes) },
	{ .name = "bandwidth", CHILDREN(bandwidth_children) },
	{ .name = "mtu", ATTRIBUTES(mtu_attributes) },
	{ .name = "link", ATTRIBUTES(link_attributes) },
	{
		.name = "vlan",
		ATTRIBUTES(vlan_attributes),
		CHILDREN(vlan_children),
		.check = check_vlan,
	},
	{ .name = "virtualport", ATTRIBUTES(port_attributes), CHILDREN(port_children) },
	{ .name = "filterref", ATTRIBUTES(filter_attributes), CHILDREN(filter_children) },
	IGNORED("boot", NO_FIRMWARE),
	IGNORED("rom", NO_FIRMWARE),
	IGNORED("alias", OUTPUT_ONLY),
	IGNORED("address", OUTPUT_ONLY),
	IGNORED("acpi", OUTPUT_ONLY),
	IGNORED("tune", "the backend chooses"),
	IGNORED("coalesce", "the backend chooses"),
	IGNORED("guest", "the guest names its cards itself"),
	IGNORED("ip", "the guest configures its addresses itself"),
	IGNORED("route", "the guest configures its addresses itself"),
	REFUSED("port", "isolate the port on the bridge, by a script"),
	REFUSED("teaming", "passed-through devices are not there"),
	REFUSED("backenddomain", "backends run in the service VM"),
};

/* Console and the rest. */

#define ONE_CONSOLE "every console has a log, and \"lodge console\" attaches to it; use \"pty\""
static const struct choice console_types[] = {
	{ .name = "pty" },
	REFUSED("file", ONE_CONSOLE),
	REFUSED("stdio", ONE_CONSOLE),
	REFUSED("vc", ONE_CONSOLE),
	REFUSED("null", ONE_CONSOLE),
	REFUSED("dev", ONE_CONSOLE),
	REFUSED("pipe", ONE_CONSOLE),
	REFUSED("tcp", ONE_CONSOLE),
	REFUSED("udp", ONE_CONSOLE),
	REFUSED("unix", ONE_CONSOLE),
	REFUSED("spicevmc", ONE_CONSOLE),
};
static const struct choice console_targets[] = {
	{ .name = "xen" },
	REFUSED("serial", "a guest's console is \"xen\""),
	REFUSED("virtio", "a guest's console is \"xen\""),
};
static const struct attribute_rule console_attributes[] = {
	{
		.name = "type",
		.value = UNSTORED(.type = &value_choice, CHOICES(console_types), .always = true),
	},
	IGNORED("tty", OUTPUT_ONLY),
};
static const struct attribute_rule console_target_attributes[] = {
	{
		.name = "type",
		.value = UNSTORED(.type = &value_choice, CHOICES(console_targets)),
	},
	{ .name = "port", .value = UNSTORED(.type = &value_u32) },
};
static const struct attribute_rule log_attributes[] = {
	{
		.name = "file",
		.required = true,
		.value = VALUE(DOMAIN, console_log, .type = &value_path, .min = 1),
	},
	ATTRIBUTE("append", DOMAIN, console_log_append, value_flag, CHOICES(off_on)),
};
static const struct element_rule console_children[] = {
	{ .name = "target", ATTRIBUTES(console_target_attributes) },
	{ .name = "log", ATTRIBUTES(log_attributes) },
	IGNORED("source", OUTPUT_ONLY),
	IGNORED("protocol", OUTPUT_ONLY),
	IGNORED("alias", OUTPUT_ONLY),
	IGNORED("address", OUTPUT_ONLY),
};
static const struct choice controller_types[] = {
	{ .name = "xenbus" },      IGNORED("usb", NO_MODEL),           IGNORED("ide", NO_MODEL),
	IGNORED("sata", NO_MODEL), IGNORED("scsi", NO_MODEL),          IGNORED("fdc", NO_MODEL),
	IGNORED("pci", NO_MODEL),  IGNORED("ccid", NO_MODEL),          IGNORED("isa", NO_MODEL),
	IGNORED("nvme", NO_MODEL), IGNORED("virtio-serial", NO_MODEL),
};
static const struct attribute_rule controller_attributes[] = {
	{
		.name = "type",
		.required = true,
		.value = UNSTORED(.type = &value_choice, CHOICES(controller_types), .always = true),
	},
	ATTRIBUTE("maxGrantFrames", DOMAIN, max_grant_frames, value_u32, .min = 1, .max = 4096),
	ATTRIBUTE("maxEventChannels", DOMAIN, max_event_channels, value_u32, .min = 16,
		  .max = 131072),
	{ .name = "index", .value = UNSTORED(.type = &value_u32) },
	IGNORED("model", NO_MODEL),
};
static const struct element_rule controller_children[] = {
	IGNORED("alias", OUTPUT_ONLY),
	IGNORED("address", OUTPUT_ONLY),
	IGNORED("driver", NO_MODEL),
};
static const struct choice balloon_models[] = {
	{ .name = "xen" },
	IGNORED("none", ALWAYS_THERE),
	IGNORED("virtio", "guests have Xen's balloon"),
	IGNORED("virtio-transitional", "guests have Xen's balloon"),
	IGNORED("virtio-non-transitional", "guests have Xen's balloon"),
};
static const struct attribute_rule balloon_attributes[] = {
	{
		.name = "model",
		.required = true,
		.value = UNSTORED(.type = &value_choice, CHOICES(balloon_models)),
	},
	IGNORED("autodeflate", "virtio's"),
	IGNORED("freePageReporting", "virtio's"),
};
static const struct element_rule balloon_children[] = {
	IGNORED("alias", OUTPUT_ONLY),
	IGNORED("address", OUTPUT_ONLY),
	IGNORED("stats", "Lodge counts by itself"),
	IGNORED("driver", "virtio's"),
};
static const struct element_rule devices_children[] = {
	{
		.name = "disk",
		ATTRIBUTES(disk_attributes),
		CHILDREN(disk_children),
		LIST(DOMAIN, disks, nr_disks),
		.check = check_disk,
	},
	{
		.name = "interface",
		ATTRIBUTES(interface_attributes),
		CHILDREN(interface_children),
		LIST(DOMAIN, interfaces, nr_interfaces),
		.check = check_interface,
	},
	{
		.name = "console",
		ATTRIBUTES(console_attributes),
		CHILDREN(console_children),
		.text = VALUE(DOMAIN, console, .type = &value_presence),
	},
	{
		.name = "controller",
		ATTRIBUTES(controller_attributes),
		CHILDREN(controller_children),
		.check = check_controller,
	},
	{ .name = "memballoon", ATTRIBUTES(balloon_attributes), CHILDREN(balloon_children) },
	IGNORED("emulator", NO_MODEL),
	IGNORED("input", "a guest has no screen; its console is hvc0"),
	IGNORED("graphics", "a guest has no screen; its console is hvc0"),
	IGNORED("video", "a guest has no screen; its console is hvc0"),
	IGNORED("audio", NO_MODEL),
	IGNORED("sound", NO_MODEL),
	IGNORED("serial", "a guest has no serial port; its console is hvc0"),
	IGNORED("parallel", NO_MODEL),
	IGNORED("channel", "guests have one console"),
	IGNORED("hub", NO_MODEL),
	IGNORED("rng", "the CPU's RDRAND is there"),
	IGNORED("smartcard", NO_MODEL),
	IGNORED("redirdev", NO_MODEL),
	IGNORED("redirfilter", NO_MODEL),
	IGNORED("panic", "a guest's crash is always noticed"),
	IGNORED("watchdog", "guests have Xen's watchdog, /dev/watchdog of the driver xen_wdt"),
	IGNORED("iommu", NO_MODEL),
	IGNORED("crypto", NO_MODEL),
	IGNORED("pstore", NO_MODEL),
	REFUSED("hostdev", "passed-through devices are not there"),
	REFUSED("filesystem", "share files by the network"),
	REFUSED("tpm", NO_MODEL),
	REFUSED("memory",
		"memory is not plugged in; give all in <memory>, less in <currentMemory>"),
	REFUSED("nvram", NO_MODEL),
	REFUSED("shmem", "guests share no memory"),
	REFUSED("vsock", NO_MODEL),
	REFUSED("lease", "there is no lock manager"),
};

/* The domain. */

static const struct choice domain_types[] = {
	{ .name = "xen" },
	REFUSED("kvm", "Lodge shows guests Xen's interface; use \"xen\" and <type>xenpvh</type>"),
	REFUSED("qemu", "Lodge shows guests Xen's interface; use \"xen\" and <type>xenpvh</type>"),
	REFUSED("hvf", "Lodge shows guests Xen's interface; use \"xen\" and <type>xenpvh</type>"),
	REFUSED("lxc", "Lodge runs virtual machines, not containers"),
	REFUSED("vz", "Lodge runs virtual machines, not containers"),
};
static const struct attribute_rule domain_attributes[] = {
	{
		.name = "type",
		.required = true,
		.value = UNSTORED(.type = &value_choice, CHOICES(domain_types), .always = true),
	},
	IGNORED("id", OUTPUT_ONLY),
};
static const struct element_rule domain_children[] = {
	{
		.name = "name",
		.required = true,
		.text = VALUE(DOMAIN, name, .type = &value_word, .min = 1, .max = 128),
	},
	TEXT_ELEMENT("uuid", DOMAIN, uuid, value_uuid),
	TEXT_ELEMENT("title", DOMAIN, title, value_string),
	TEXT_ELEMENT("description", DOMAIN, description, value_string),
	{ .name = "metadata", .keeps_foreign = true, CHILDREN(metadata_children) },
	{
		.name = "memory",
		.required = true,
		ATTRIBUTES(unit_attributes),
		.text = VALUE(DOMAIN, memory, .type = &value_memory),
	},
	MEMORY_ELEMENT("currentMemory", memory_current),
	{ .name = "memtune", CHILDREN(memtune_children) },
	{
		.name = "vcpu",
		ATTRIBUTES(vcpu_attributes),
		.text = VALUE(DOMAIN, nr_vcpus, .type = &value_u32, .min = 1,
			      .max = DOMAIN_MAX_VCPUS, .preset = 1, .always = true),
	},
	{ .name = "cputune", CHILDREN(cputune_children) },
	{ .name = "os", .required = true, CHILDREN(os_children) },
	{ .name = "features", CHILDREN(features_children) },
	{ .name = "cpu", ATTRIBUTES(cpu_attributes), CHILDREN(cpu_children) },
	{
		.name = "clock",
		ATTRIBUTES(clock_attributes),
		CHILDREN(clock_children),
		.check = check_clock,
	},
	TEXT_ELEMENT("on_poweroff", DOMAIN, on_poweroff, value_choice, CHOICES(actions),
		     .preset = DOMAIN_DESTROY, .always = true),
	TEXT_ELEMENT("on_reboot", DOMAIN, on_reboot, value_choice, CHOICES(actions),
		     .preset = DOMAIN_RESTART, .always = true),
	TEXT_ELEMENT("on_crash", DOMAIN, on_crash, value_choice, CHOICES(crash_actions),
		     .preset = DOMAIN_DESTROY, .always = true),
	{ .name = "devices", CHILDREN(devices_children) },
	IGNORED("on_lockfailure", "there is no lock manager"),
	IGNORED("vcpus", "vCPUs have no settings of their own but <vcpupin>"),
	IGNORED("memoryBacking", "guests' memory is always there, in 2 MiB pages where it fits"),
	IGNORED("numatune", "Lodge places memory by itself"),
	IGNORED("blkiotune", "limit disks by <iotune>"),
	IGNORED("throttlegroups", "each disk has limits of its own"),
	IGNORED("resource", "a guest's limits are its own"),
	IGNORED("iothreads", "backends choose their threads"),
	IGNORED("iothreadids", "backends choose their threads"),
	IGNORED("defaultiothread", "backends choose their threads"),
	IGNORED("sysinfo", "a PVH guest has no SMBIOS tables"),
	IGNORED("genid", "guests see no generation id"),
	IGNORED("pm", "guests sleep by halting"),
	IGNORED("perf", "Lodge counts by itself"),
	IGNORED("seclabel", "the service VM has no labels"),
	IGNORED("keywrap", "x86 has none"),
	IGNORED("bootloader", WITHOUT_KERNEL),
	IGNORED("bootloader_args", WITHOUT_KERNEL),
	REFUSED("maxMemory",
		"memory is not plugged in; give all in <memory>, less in <currentMemory>"),
	REFUSED("launchSecurity", "guests' memory is not encrypted"),
	REFUSED("idmap", "Lodge runs virtual machines, not containers"),
};
static_assert(ARRAY_SIZE(domain_children) <= SCHEMA_MAX_CHILDREN, "parse.c counts them");
static_assert(ARRAY_SIZE(devices_children) <= SCHEMA_MAX_CHILDREN, "parse.c counts them");

const struct element_rule domain_rule = {
	.name = "domain",
	.required = true,
	ATTRIBUTES(domain_attributes),
	CHILDREN(domain_children),
	.check = check_domain,
};

/* A guest as its XML describes it: plain data with every default filled in, made by domain_read() or
 * domain_parse(), given back by domain_free(). Each element and attribute: docs/domain-xml.md.
 * Reads XML and nothing else: whether a kernel exists or memory suffices is for others to find out. */
#ifndef LODGE_CONFIG_DOMAIN_H
#define LODGE_CONFIG_DOMAIN_H

#include "lib/cpu-set.h"
#include "lib/err.h"

struct report;

#define DOMAIN_MAX_VCPUS       128u
#define DOMAIN_XML_MAX         (1u << 18) /* bytes of a file */
#define DOMAIN_LODGE_NAMESPACE "urn:lodge:domain:1"

enum domain_arch { DOMAIN_ARCH_X86_64, DOMAIN_ARCH_I686 };

enum domain_action {
	DOMAIN_DESTROY,
	DOMAIN_RESTART,
	DOMAIN_PRESERVE,
	DOMAIN_RENAME_RESTART,
	DOMAIN_COREDUMP_DESTROY, /* on_crash only */
	DOMAIN_COREDUMP_RESTART, /* on_crash only */
};

/* A disk and a network card each have the type of their source first. */
enum disk_type { DISK_FILE, DISK_BLOCK, DISK_NETWORK };
enum disk_device { DISK_DISK, DISK_CDROM };
enum disk_format { DISK_RAW, DISK_QCOW2, DISK_VMDK, DISK_VPC, DISK_VHDX, DISK_VDI, DISK_FORMATS };
enum disk_cache {
	DISK_CACHE_DEFAULT,
	DISK_CACHE_NONE,
	DISK_CACHE_WRITETHROUGH,
	DISK_CACHE_WRITEBACK,
	DISK_CACHE_DIRECTSYNC,
	DISK_CACHE_UNSAFE,
};
enum disk_discard { DISK_DISCARD_DEFAULT, DISK_DISCARD_UNMAP, DISK_DISCARD_IGNORE };
/* The last four are libvirt's; they mean DISK_LODGE. */
enum disk_backend {
	DISK_LODGE,
	DISK_BLKBACK,
	DISK_QEMU,
	DISK_FILE_DRIVER,
	DISK_TAP,
	DISK_TAP2,
};
enum disk_protocol { DISK_NBD, DISK_ISCSI, DISK_RBD };
enum host_transport { HOST_TCP, HOST_UNIX };

struct disk_host {
	enum host_transport transport;
	char *name;    /* tcp */
	uint32_t port; /* tcp; 0: the protocol's own */
	char *socket;  /* unix */
};

/* Per second, 0: no limit. A burst may use *_max for *_max_length seconds. */
struct disk_rate {
	uint64_t total, read, write;
	uint64_t total_max, read_max, write_max;
	uint32_t total_max_length, read_max_length, write_max_length;
};

struct disk {
	enum disk_type type;
	enum disk_backend backend;
	enum disk_device device;
	enum disk_format format;
	enum disk_cache cache;
	enum disk_discard discard;
	uint32_t nr_queues; /* 0: the backend's choice */
	char *path;         /* file and block; NULL: a CD-ROM drive without a disc */
	enum disk_protocol protocol;
	char *export_name; /* network */
	bool tls;
	struct disk_host *hosts; /* network */
	size_t nr_hosts;
	char *target; /* xvda to xvdzz */
	bool readonly;
	bool shareable;
	uint32_t logical_block_size, physical_block_size; /* 0: as the source has it */
	char *serial;
	struct disk_rate bytes, operations;
	uint64_t operation_size; /* bytes that count as one operation; 0: any number */
};

/* In the order of their names. */
enum cloud_init_part {
	CLOUD_INIT_META_DATA,
	CLOUD_INIT_NETWORK_CONFIG,
	CLOUD_INIT_USER_DATA,
	NR_CLOUD_INIT_PARTS,
};

/* Both NULL: Lodge's own, or none. */
struct cloud_init_source {
	char *text;
	char *file;
};

struct cloud_init {
	bool is_wanted;
	char *hostname; /* NULL: the guest's name */
	struct cloud_init_source parts[NR_CLOUD_INIT_PARTS];
	struct disk disk; /* that the guest sees; its image is made when the guest starts */
};

enum interface_type { INTERFACE_BRIDGE, INTERFACE_NETWORK, INTERFACE_ETHERNET };
enum virtual_port { PORT_NONE, PORT_OPENVSWITCH };

struct bandwidth {
	uint64_t average, peak; /* KiB/s, 0: no limit */
	uint64_t burst;         /* KiB at peak speed */
};

struct vlan_tag {
	uint32_t id;
};

/* The last two are libvirt's, which has no other; they mean CARD_LODGE. */
enum card_backend { CARD_LODGE, CARD_NETBACK, CARD_QEMU, CARD_VHOST };

struct card_address {
	char *address;
};

struct interface {
	enum interface_type type;
	enum card_backend backend;
	char *bridge;  /* type bridge */
	char *network; /* type network */
	uint8_t mac[6];
	char *target; /* name in the service VM; NULL: vif<domain>.<index> */
	char *script;
	uint32_t mtu;       /* 0: the bridge's */
	uint32_t nr_queues; /* 0: the backend's choice */
	bool link_down;
	bool any_mac;                   /* frames with other source addresses pass, too */
	struct card_address *addresses; /* the only ones it may use; none: any */
	size_t nr_addresses;
	struct bandwidth inbound, outbound;
	bool vlan_trunk;
	struct vlan_tag *vlans;
	size_t nr_vlans;
	enum virtual_port port;
	uint8_t port_interface_id[16]; /* 0: none */
	char *port_profile_id;
};

/* Time of a host CPU: quota of each period; quota 0: no limit. */
struct cpu_time {
	uint32_t period_us;
	uint64_t quota_us;
};

struct vcpu_pin {
	uint32_t vcpu;
	struct cpu_set cpus;
};

enum cpu_mode { CPU_HOST_MODEL, CPU_HOST_PASSTHROUGH, CPU_MAXIMUM };
enum feature_policy {
	FEATURE_REQUIRE, /* refuse to start without it */
	FEATURE_FORCE,   /* the same: what the host lacks cannot be made up */
	FEATURE_OPTIONAL,
	FEATURE_DISABLE,
	FEATURE_FORBID, /* refuse to start where the host has it */
};

struct feature_setting {
	char *name; /* one that cpu_feature_find() knows */
	enum feature_policy policy;
};

enum clock_offset { CLOCK_UTC, CLOCK_LOCALTIME, CLOCK_VARIABLE, CLOCK_TIMEZONE };
enum clock_basis { CLOCK_BASIS_UTC, CLOCK_BASIS_LOCALTIME };
enum tsc_mode { TSC_AUTO, TSC_NATIVE, TSC_EMULATE, TSC_PARAVIRT };

struct domain_description {
	char *name;
	uint8_t uuid[16];
	bool uuid_made; /* not in the XML, but random */
	char *title;
	char *description;

	/* Metadata: Lodge's own, and each other program's element as it stands. */
	bool autostart;
	uint32_t start_order; /* lower starts earlier */
	char **start_after;   /* names of guests that must run first */
	size_t nr_start_after;
	uint32_t store_nodes, store_watches,
		store_transactions; /* limits; 0: the store's default */
	struct cloud_init cloud_init;
	char **metadata;
	size_t nr_metadata;

	uint64_t memory; /* bytes, whole pages, like the next two */
	uint64_t memory_current;
	uint64_t memory_guaranteed; /* 0: none */

	uint32_t nr_vcpus;
	uint32_t nr_vcpus_current;
	struct cpu_set affinity; /* of vCPUs without a pin; empty: any */
	struct vcpu_pin *pins;
	size_t nr_pins;
	uint32_t weight;
	struct cpu_time vcpu_time;   /* for each vCPU */
	struct cpu_time domain_time; /* for all of them together */
	uint32_t cap_percent;        /* what both come to, in hundredths of a CPU; 0: none */

	enum domain_arch arch;
	char *kernel; /* NULL: what is on its disk, by the loader */
	char *loader; /* NULL: Lodge's GRUB */
	char **initrds;
	size_t nr_initrds;
	char *cmdline;

	enum cpu_mode cpu_mode;
	struct feature_setting *features;
	size_t nr_features;

	enum clock_offset clock;
	enum clock_basis clock_basis; /* of CLOCK_VARIABLE */
	char *clock_zone;             /* of CLOCK_TIMEZONE, "Europe/Paris"; else NULL */
	int64_t clock_adjustment_s;
	enum tsc_mode
		tsc_mode; /* TSC_PARAVIRT is like TSC_NATIVE: the clock that guests read is one */
	uint64_t tsc_hz;  /* 0: the host's */

	enum domain_action on_poweroff, on_reboot, on_crash;

	struct disk *disks;
	size_t nr_disks;
	struct interface *interfaces;
	size_t nr_interfaces;
	bool console; /* always true after parsing; a guest has one */
	char *console_log;
	bool console_log_append;
	uint32_t max_grant_frames;   /* 0: the hypervisor's default */
	uint32_t max_event_channels; /* 0: the hypervisor's default */
};

/* Reads length bytes of XML. host is a text that differs from host to host, such as /etc/machine-id, or
 * NULL: made MAC addresses stay the same for a host and a guest's name (its uuid, where the XML has one).
 * All mistakes and warnings go to the report. 0, -EINVAL when the report has mistakes, or -ENOMEM. */
must_check int domain_parse(const char *text, size_t length, const char *host,
			    struct domain_description **ret_domain, struct report *report);

/* The same for a file. Besides: the error of opening or reading it, which the report has in words. */
must_check int domain_read(const char *path, const char *host,
			   struct domain_description **ret_domain, struct report *report);

void domain_free(struct domain_description *d); /* NULL is fine */

/* The description as XML, to be freed, such that parsing it gives the same description; NULL without
 * memory. */
char *domain_write(const struct domain_description *d);

/* The RELAX NG schema of all this, to be freed; NULL without memory. */
char *domain_schema(void);

#endif

/*
 * control(op): how the service VM makes, feeds, watches and ends domains. Lodge's own: Xen has no
 * counterpart that any guest kernel would use.
 *
 * One argument: the linear address of a struct lodge_control. Whoever calls fills version, op, domain
 * and the op's member of the union; all else in it is zero. Errors are Linux' numbers, negative:
 *   -EPERM   the caller is not the service VM's kernel
 *   -ENOSYS  no such op, or the caller's code is 32 bits wide
 *   -EINVAL  another version than LODGE_CONTROL_VERSION (LODGE_CONTROL_version tells it to everyone),
 *            a reserved member that is not zero, or a value out of range
 *   -ESRCH   no such domain, or one that is being destroyed
 *   -EFAULT  an address that is not mapped; memory of user mode will do as long as it stays resident
 *   -ENOMEM  the machine, or the domain's limit, has no more
 * An op that takes long stops now and then for the caller's interrupts and goes on by itself: what
 * counts its progress is called `done`, is 0 in a first call, and after an error tells how much was done.
 * A buffer is an address; what it must hold is named at the op.
 */
#ifndef LODGE_ABI_CONTROL_H
#define LODGE_ABI_CONTROL_H

#include "layout.h"

#define __HYPERVISOR_lodge_control 56

#define LODGE_CONTROL_VERSION 1

#define LODGE_CONTROL_version        0  /* u.version */
#define LODGE_CONTROL_create         1  /* u.create */
#define LODGE_CONTROL_destroy        2  /* nothing */
#define LODGE_CONTROL_pause          3  /* nothing; counts */
#define LODGE_CONTROL_unpause        4  /* nothing; -EINVAL when it is not paused */
#define LODGE_CONTROL_list           5  /* u.list: buffer of struct lodge_domain_info */
#define LODGE_CONTROL_vcpu_list      6  /* u.list: buffer of struct lodge_vcpu_info */
#define LODGE_CONTROL_set_memory     7  /* u.memory: limit of what the domain may own */
#define LODGE_CONTROL_claim          8  /* u.memory */
#define LODGE_CONTROL_populate       9  /* u.populate */
#define LODGE_CONTROL_copy_in        10 /* u.copy: buffer to the domain's memory */
#define LODGE_CONTROL_copy_out       11 /* u.copy: the domain's memory to buffer */
#define LODGE_CONTROL_set_memory_map 12 /* u.list: buffer of struct xen_e820_entry */
#define LODGE_CONTROL_start_vcpu     13 /* u.vcpu: buffer of struct vcpu_hvm_context */
#define LODGE_CONTROL_seed_grant     14 /* u.seed_grant */
#define LODGE_CONTROL_set_scheduling 15 /* u.scheduling */
#define LODGE_CONTROL_get_scheduling 16 /* u.scheduling */
#define LODGE_CONTROL_set_affinity   17 /* u.vcpu: buffer of LODGE_CPU_MASK_BYTES */
#define LODGE_CONTROL_get_affinity   18 /* u.vcpu: the same */
#define LODGE_CONTROL_shutdown       19 /* u.shutdown */
#define LODGE_CONTROL_registers      20 /* u.vcpu: buffer of struct lodge_registers */
#define LODGE_CONTROL_translate      21 /* u.translate */
#define LODGE_CONTROL_host_info      22 /* u.list: buffer of one struct lodge_host_info */
#define LODGE_CONTROL_cpu_list       23 /* u.list: buffer of struct lodge_cpu_info */
#define LODGE_CONTROL_exit_names     24 /* u.list: buffer of struct lodge_exit_name */
#define LODGE_CONTROL_read_console   25 /* u.console */
#define LODGE_CONTROL_inject_nmi     26 /* u.vcpu: no buffer */
#define LODGE_CONTROL_cpuid_features 27 /* u.list: buffer of struct lodge_cpuid_features */
#define LODGE_CONTROL_set_cpuid      28 /* u.list: buffer of struct lodge_cpuid_change */
#define LODGE_CONTROL_set_clock      29 /* u.clock */
#define LODGE_CONTROL_set_tsc        30 /* u.tsc */
#define LODGE_CONTROL_NR             31

#define LODGE_DOMAIN_ANY UINT32_MAX /* create: the hypervisor chooses the id */
#define LODGE_VCPU_ALL   UINT32_MAX /* set_affinity, set_scheduling: every vCPU of the domain */

/* Works with any version, for any domain. */
struct lodge_control_version {
	uint32_t version; /* out: LODGE_CONTROL_VERSION of the hypervisor */
	uint32_t nr_ops;  /* out: LODGE_CONTROL_NR of the hypervisor */
};

/* A paused domain without memory; its id comes back in `domain`. An id that was in use is not chosen again
 * before all others were. -EEXIST: the id that was asked for is in use. */
struct lodge_control_create {
	uint8_t uuid[16];
	uint64_t max_pages; /* what it may own */
	uint32_t nr_vcpus;
	uint32_t max_grant_frames;    /* 0: default, as below */
	uint32_t max_maptrack_frames; /* what it can map of others */
	uint32_t max_ports;           /* highest event channel port */
	uint32_t reserved[2];
};

/* Records of something numbered: from number `first`, as many as fit. To go on, first = next. Where the
 * buffer is input, nr says how many it holds. */
struct lodge_control_list {
	uint64_t buffer;
	uint32_t max;   /* records that the buffer has room for */
	uint32_t nr;    /* out: how many were stored */
	uint32_t first; /* number of the first that is wanted */
	uint32_t next;  /* out: where to go on; LODGE_LIST_END: that was all */
	/* LODGE_CONTROL_list: only domains with a change after this one; 0: all there are. A domain that is
	 * gone since then has a record that says so. */
	uint64_t since;
	uint64_t change; /* out, LODGE_CONTROL_list: number of the latest change before the call */
};

#define LODGE_LIST_END UINT32_MAX

/* set_memory: what is owned already stays.
 * claim: pages that the domain will populate, beyond what it owns; replaces an earlier claim, 0 gives it
 * up. They can run out for everybody else, but not for it. -ENOMEM: not that many are free. A claim also
 * has to find room for tables: 1/256 of it and LODGE_CLAIM_RESERVE. */
struct lodge_control_memory {
	uint64_t nr_pages;
	uint64_t missing; /* out, claim with -ENOMEM: pages too few */
};

#define LODGE_CLAIM_RESERVE 64

/* Zeroed memory of the domain's at guest frames gfn … gfn + nr_pages - 1, in 2 MiB pages where frame and
 * machine allow. -EEXIST where something is mapped already. */
struct lodge_control_populate {
	uint64_t gfn;
	uint64_t nr_pages;
	uint64_t done;      /* in and out: pages */
	uint32_t node;      /* 0: any, else 1 more than the NUMA node that is preferred */
	uint32_t max_order; /* 0: as large as possible, else LODGE_ORDER_4K, LODGE_ORDER_2M */
};

#define LODGE_ORDER_4K 1u
#define LODGE_ORDER_2M 2u

/* Between a buffer of the caller's and the domain's own memory, any number of bytes from any address.
 * -EINVAL where the domain has no memory. */
struct lodge_control_copy {
	uint64_t gpa;
	uint64_t buffer;
	uint64_t bytes;
	uint64_t done; /* in and out: bytes */
};

/* One vCPU and a buffer.
 * start_vcpu: its first state; it runs once the domain is not paused. -EBUSY: it is up.
 * inject_nmi: as by a button on the machine. */
struct lodge_control_vcpu {
	uint32_t vcpu;
	uint32_t reserved;
	uint64_t buffer;
};

#define LODGE_CPU_MASK_BYTES 32 /* bit n: physical CPU n */

/* Writes an entry of the domain's grant table before it runs: `peer` may map and write gfn. -EBUSY: the
 * entry is not empty. */
struct lodge_control_seed_grant {
	uint32_t ref; /* below LODGE_SEED_GRANTS */
	uint32_t peer;
	uint64_t gfn;
};

#define LODGE_SEED_GRANTS 8 /* those that Linux leaves to the toolstack */

/* Share of CPU time. The weight is a vCPU's; the cap is the domain's: what all its vCPUs get together, whichever
 * vCPU is named. get_scheduling: of one vCPU. */
struct lodge_control_scheduling {
	uint32_t vcpu;   /* or LODGE_VCPU_ALL */
	uint32_t weight; /* 1 … 65535, 256 is normal; set_scheduling: 0 leaves it */
	uint32_t cap;    /* percent of one CPU; 0: none; set_scheduling: LODGE_CAP_SAME leaves it */
	uint32_t reserved;
};

#define LODGE_CAP_SAME UINT32_MAX

/* Ends the domain as if it had asked for it. With SHUTDOWN_crash, the log says who did. */
struct lodge_control_shutdown {
	uint32_t reason; /* SHUTDOWN_* */
	uint32_t reserved;
};

/* The domain's wall clock, against UTC as the machine has it; from now on. A time before 1970 becomes 1970. */
struct lodge_control_clock {
	int64_t offset_s; /* within LODGE_CLOCK_MAX_S, either way */
};

#define LODGE_CLOCK_MAX_S (INT64_C(1) << 36) /* two thousand years */

/* The frequency of the time stamp counter of a domain that has never run (else -EBUSY). 0: the machine's own, as it is
 * from the start; else each RDTSC is an exit. */
struct lodge_control_tsc {
	uint64_t hz; /* 0, or LODGE_TSC_MIN_HZ to LODGE_TSC_MAX_HZ */
};

#define LODGE_TSC_MIN_HZ UINT64_C(1000000)
#define LODGE_TSC_MAX_HZ UINT64_C(100000000000)

/* What a linear address means to a vCPU that is paused. -ENOENT: not mapped. */
struct lodge_control_translate {
	uint32_t vcpu;
	uint32_t reserved;
	uint64_t linear;
	uint64_t gpa; /* out */
};

/* The hypervisor's messages, oldest first. Positions count all bytes that were ever written. */
struct lodge_control_console {
	uint64_t position; /* in: where to start (0: the oldest there is); out: where to go on */
	uint64_t buffer;
	uint32_t bytes; /* room in the buffer */
	uint32_t done;  /* in and out: bytes that were stored */
	uint32_t flags; /* LODGE_CONSOLE_* */
	uint32_t reserved;
};

#define LODGE_CONSOLE_CLEAR 0x1u /* who reads from 0 later starts behind what this call returned */

struct lodge_control {
	uint32_t version; /* LODGE_CONTROL_VERSION */
	uint32_t op;      /* LODGE_CONTROL_* */
	uint32_t domain;
	uint32_t reserved;
	union {
		struct lodge_control_version version;
		struct lodge_control_create create;
		struct lodge_control_list list;
		struct lodge_control_memory memory;
		struct lodge_control_populate populate;
		struct lodge_control_copy copy;
		struct lodge_control_vcpu vcpu;
		struct lodge_control_seed_grant seed_grant;
		struct lodge_control_scheduling scheduling;
		struct lodge_control_shutdown shutdown;
		struct lodge_control_clock clock;
		struct lodge_control_tsc tsc;
		struct lodge_control_translate translate;
		struct lodge_control_console console;
		uint64_t words[8];
	} u;
};

ABI_SIZE(struct lodge_control_version, 8);
ABI_SIZE(struct lodge_control_create, 48);
ABI_OFFSET(struct lodge_control_create, uuid, 0);
ABI_OFFSET(struct lodge_control_create, max_pages, 16);
ABI_OFFSET(struct lodge_control_create, nr_vcpus, 24);
ABI_OFFSET(struct lodge_control_create, max_grant_frames, 28);
ABI_OFFSET(struct lodge_control_create, max_maptrack_frames, 32);
ABI_OFFSET(struct lodge_control_create, max_ports, 36);
ABI_OFFSET(struct lodge_control_create, reserved, 40);
ABI_SIZE(struct lodge_control_list, 40);
ABI_OFFSET(struct lodge_control_list, buffer, 0);
ABI_OFFSET(struct lodge_control_list, max, 8);
ABI_OFFSET(struct lodge_control_list, nr, 12);
ABI_OFFSET(struct lodge_control_list, first, 16);
ABI_OFFSET(struct lodge_control_list, next, 20);
ABI_OFFSET(struct lodge_control_list, since, 24);
ABI_OFFSET(struct lodge_control_list, change, 32);
ABI_SIZE(struct lodge_control_memory, 16);
ABI_OFFSET(struct lodge_control_memory, nr_pages, 0);
ABI_OFFSET(struct lodge_control_memory, missing, 8);
ABI_SIZE(struct lodge_control_populate, 32);
ABI_OFFSET(struct lodge_control_populate, gfn, 0);
ABI_OFFSET(struct lodge_control_populate, nr_pages, 8);
ABI_OFFSET(struct lodge_control_populate, done, 16);
ABI_OFFSET(struct lodge_control_populate, node, 24);
ABI_OFFSET(struct lodge_control_populate, max_order, 28);
ABI_SIZE(struct lodge_control_copy, 32);
ABI_OFFSET(struct lodge_control_copy, gpa, 0);
ABI_OFFSET(struct lodge_control_copy, buffer, 8);
ABI_OFFSET(struct lodge_control_copy, bytes, 16);
ABI_OFFSET(struct lodge_control_copy, done, 24);
ABI_SIZE(struct lodge_control_vcpu, 16);
ABI_OFFSET(struct lodge_control_vcpu, vcpu, 0);
ABI_OFFSET(struct lodge_control_vcpu, reserved, 4);
ABI_OFFSET(struct lodge_control_vcpu, buffer, 8);
ABI_SIZE(struct lodge_control_seed_grant, 16);
ABI_OFFSET(struct lodge_control_seed_grant, ref, 0);
ABI_OFFSET(struct lodge_control_seed_grant, peer, 4);
ABI_OFFSET(struct lodge_control_seed_grant, gfn, 8);
ABI_SIZE(struct lodge_control_scheduling, 16);
ABI_OFFSET(struct lodge_control_scheduling, vcpu, 0);
ABI_OFFSET(struct lodge_control_scheduling, weight, 4);
ABI_OFFSET(struct lodge_control_scheduling, cap, 8);
ABI_OFFSET(struct lodge_control_scheduling, reserved, 12);
ABI_SIZE(struct lodge_control_shutdown, 8);
ABI_OFFSET(struct lodge_control_shutdown, reason, 0);
ABI_OFFSET(struct lodge_control_shutdown, reserved, 4);
ABI_SIZE(struct lodge_control_clock, 8);
ABI_OFFSET(struct lodge_control_clock, offset_s, 0);
ABI_SIZE(struct lodge_control_tsc, 8);
ABI_OFFSET(struct lodge_control_tsc, hz, 0);
ABI_SIZE(struct lodge_control_translate, 24);
ABI_OFFSET(struct lodge_control_translate, vcpu, 0);
ABI_OFFSET(struct lodge_control_translate, reserved, 4);
ABI_OFFSET(struct lodge_control_translate, linear, 8);
ABI_OFFSET(struct lodge_control_translate, gpa, 16);
ABI_SIZE(struct lodge_control_console, 32);
ABI_OFFSET(struct lodge_control_console, position, 0);
ABI_OFFSET(struct lodge_control_console, buffer, 8);
ABI_OFFSET(struct lodge_control_console, bytes, 16);
ABI_OFFSET(struct lodge_control_console, done, 20);
ABI_OFFSET(struct lodge_control_console, flags, 24);
ABI_OFFSET(struct lodge_control_console, reserved, 28);
ABI_SIZE(struct lodge_control, 80);
ABI_OFFSET(struct lodge_control, version, 0);
ABI_OFFSET(struct lodge_control, op, 4);
ABI_OFFSET(struct lodge_control, domain, 8);
ABI_OFFSET(struct lodge_control, reserved, 12);
ABI_OFFSET(struct lodge_control, u, 16);

#define LODGE_CRASH_REASON_LEN 96

struct lodge_domain_info {
	uint32_t domain;
	uint32_t flags; /* LODGE_DOMAIN_* */
	uint8_t uuid[16];
	uint32_t shutdown_reason; /* SHUTDOWN_*, with LODGE_DOMAIN_SHUT_DOWN */
	uint32_t pause_count;
	uint32_t nr_vcpus;
	uint32_t nr_vcpus_up;
	uint64_t nr_pages; /* owned */
	uint64_t max_pages;
	uint64_t nr_claimed;  /* claimed and not populated yet */
	uint64_t nr_tables;   /* pages for its physmap */
	uint64_t highest_gfn; /* of what was ever mapped */
	uint64_t cpu_time_ns; /* of all its vCPUs */
	uint32_t nr_ports;    /* open */
	uint32_t max_ports;
	uint32_t nr_grant_frames;
	uint32_t max_grant_frames;
	uint32_t nr_maptrack_frames;
	uint32_t max_maptrack_frames;
	uint64_t overhead; /* bytes of the hypervisor's memory that serve it, nr_tables included */
	uint32_t cap;      /* percent of one CPU; 0: none */
	uint32_t reserved;
	uint64_t change;                           /* number of its last change */
	char crash_reason[LODGE_CRASH_REASON_LEN]; /* empty: it did not crash */
};

#define LODGE_DOMAIN_PRIVILEGED 0x01u /* the service VM */
#define LODGE_DOMAIN_PAUSED     0x02u
#define LODGE_DOMAIN_SHUT_DOWN  0x04u
#define LODGE_DOMAIN_DYING      0x08u /* being destroyed, or destroyed and in use by others still */
#define LODGE_DOMAIN_GONE       0x10u /* nothing but domain and change says anything */
#define LODGE_DOMAIN_RUNNING    0x20u /* one of its vCPUs runs right now */
#define LODGE_DOMAIN_WAITING    0x40u /* one of them can run, but waits for a CPU or for its cap */

ABI_SIZE(struct lodge_domain_info, 232);
ABI_OFFSET(struct lodge_domain_info, domain, 0);
ABI_OFFSET(struct lodge_domain_info, flags, 4);
ABI_OFFSET(struct lodge_domain_info, uuid, 8);
ABI_OFFSET(struct lodge_domain_info, shutdown_reason, 24);
ABI_OFFSET(struct lodge_domain_info, pause_count, 28);
ABI_OFFSET(struct lodge_domain_info, nr_vcpus, 32);
ABI_OFFSET(struct lodge_domain_info, nr_vcpus_up, 36);
ABI_OFFSET(struct lodge_domain_info, nr_pages, 40);
ABI_OFFSET(struct lodge_domain_info, max_pages, 48);
ABI_OFFSET(struct lodge_domain_info, nr_claimed, 56);
ABI_OFFSET(struct lodge_domain_info, nr_tables, 64);
ABI_OFFSET(struct lodge_domain_info, highest_gfn, 72);
ABI_OFFSET(struct lodge_domain_info, cpu_time_ns, 80);
ABI_OFFSET(struct lodge_domain_info, nr_ports, 88);
ABI_OFFSET(struct lodge_domain_info, max_ports, 92);
ABI_OFFSET(struct lodge_domain_info, nr_grant_frames, 96);
ABI_OFFSET(struct lodge_domain_info, max_grant_frames, 100);
ABI_OFFSET(struct lodge_domain_info, nr_maptrack_frames, 104);
ABI_OFFSET(struct lodge_domain_info, max_maptrack_frames, 108);
ABI_OFFSET(struct lodge_domain_info, overhead, 112);
ABI_OFFSET(struct lodge_domain_info, cap, 120);
ABI_OFFSET(struct lodge_domain_info, reserved, 124);
ABI_OFFSET(struct lodge_domain_info, change, 128);
ABI_OFFSET(struct lodge_domain_info, crash_reason, 136);

#define LODGE_EXIT_KINDS 32

struct lodge_vcpu_info {
	uint32_t vcpu;
	uint32_t flags; /* LODGE_VCPU_* */
	uint32_t cpu;   /* where it runs, or ran last */
	uint32_t weight;
	uint64_t running_ns;              /* where its time went */
	uint64_t waiting_ns;              /* could run, but others did, or its cap was used up */
	uint64_t blocked_ns;              /* had nothing to do */
	uint64_t offline_ns;              /* paused or not up */
	uint64_t capped_ns;               /* of waiting_ns: for the cap */
	uint64_t exits[LODGE_EXIT_KINDS]; /* by kind: exit_names tells their names */
};

#define LODGE_VCPU_UP      0x1u
#define LODGE_VCPU_PAUSED  0x2u
#define LODGE_VCPU_BLOCKED 0x4u /* waits for an event or interrupt */
#define LODGE_VCPU_RUNNING 0x8u
#define LODGE_VCPU_CAPPED  0x10u /* can run, but the domain's cap is used up */

ABI_SIZE(struct lodge_vcpu_info, 312);
ABI_OFFSET(struct lodge_vcpu_info, vcpu, 0);
ABI_OFFSET(struct lodge_vcpu_info, flags, 4);
ABI_OFFSET(struct lodge_vcpu_info, cpu, 8);
ABI_OFFSET(struct lodge_vcpu_info, weight, 12);
ABI_OFFSET(struct lodge_vcpu_info, running_ns, 16);
ABI_OFFSET(struct lodge_vcpu_info, waiting_ns, 24);
ABI_OFFSET(struct lodge_vcpu_info, blocked_ns, 32);
ABI_OFFSET(struct lodge_vcpu_info, offline_ns, 40);
ABI_OFFSET(struct lodge_vcpu_info, capped_ns, 48);
ABI_OFFSET(struct lodge_vcpu_info, exits, 56);

/* Those without a name do not occur. */
struct lodge_exit_name {
	char name[16];
};

ABI_SIZE(struct lodge_exit_name, 16);

/* What CPUID tells of features. EAX, EBX, ECX and EDX stand in this order. */

#define LODGE_CPUID_LEAVES 16 /* there are at most so many with features */

/* cpuid_features: what a new domain's CPUs would have. Records of zeros follow those that say something. */
struct lodge_cpuid_features {
	uint32_t leaf, subleaf;
	uint32_t shown[4];
	uint32_t fixed[4]; /* bits that cannot be hidden */
};

/* set_cpuid: changes to that, for a domain that has never run (else -EBUSY); nr of them, at most
 * LODGE_CPUID_LEAVES, which replace earlier ones. What depends on a hidden feature is hidden with it, and what
 * is hidden cannot be used where the hypervisor can prevent it: registers that go with it, XCR0, and thereby AVX.
 * -EINVAL: hides what is no feature or is fixed; -EOPNOTSUPP: needs what there would not be. */
struct lodge_cpuid_change {
	uint32_t leaf, subleaf;
	uint32_t hide[4]; /* bits that are not to be there */
	uint32_t need[4]; /* bits that have to be there after all changes */
};

ABI_SIZE(struct lodge_cpuid_features, 40);
ABI_OFFSET(struct lodge_cpuid_features, leaf, 0);
ABI_OFFSET(struct lodge_cpuid_features, subleaf, 4);
ABI_OFFSET(struct lodge_cpuid_features, shown, 8);
ABI_OFFSET(struct lodge_cpuid_features, fixed, 24);
ABI_SIZE(struct lodge_cpuid_change, 40);
ABI_OFFSET(struct lodge_cpuid_change, leaf, 0);
ABI_OFFSET(struct lodge_cpuid_change, subleaf, 4);
ABI_OFFSET(struct lodge_cpuid_change, hide, 8);
ABI_OFFSET(struct lodge_cpuid_change, need, 24);

struct lodge_segment {
	uint16_t selector;
	uint16_t attributes; /* as in struct vcpu_hvm_context */
	uint32_t limit;
	uint64_t base;
};

ABI_SIZE(struct lodge_segment, 16);
ABI_OFFSET(struct lodge_segment, selector, 0);
ABI_OFFSET(struct lodge_segment, attributes, 2);
ABI_OFFSET(struct lodge_segment, limit, 4);
ABI_OFFSET(struct lodge_segment, base, 8);

/* A vCPU as it stood when it last stopped; the op stops it for that moment. */
struct lodge_registers {
	uint64_t rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi;
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, rflags;
	uint64_t cr0, cr3, cr4, efer;
	uint64_t cr2;                    /* address of its last page fault */
	uint64_t kernel_gs_base;         /* the one that SWAPGS gets */
	struct lodge_segment segment[8]; /* ES CS SS DS FS GS LDTR TR */
};

ABI_SIZE(struct lodge_registers, 320);
ABI_OFFSET(struct lodge_registers, rax, 0);
ABI_OFFSET(struct lodge_registers, r8, 64);
ABI_OFFSET(struct lodge_registers, rip, 128);
ABI_OFFSET(struct lodge_registers, rflags, 136);
ABI_OFFSET(struct lodge_registers, cr0, 144);
ABI_OFFSET(struct lodge_registers, efer, 168);
ABI_OFFSET(struct lodge_registers, cr2, 176);
ABI_OFFSET(struct lodge_registers, kernel_gs_base, 184);
ABI_OFFSET(struct lodge_registers, segment, 192);

struct lodge_node_info {
	uint64_t nr_pages;
	uint64_t nr_free;
};

#define LODGE_MAX_NODES 16

struct lodge_host_info {
	char version[16]; /* of the hypervisor */
	char cpu_model[48];
	uint32_t nr_cpus;
	uint32_t nr_nodes;
	uint32_t features; /* LODGE_HOST_* */
	uint32_t cpu_khz;
	uint64_t uptime_ns;
	uint64_t nr_pages; /* of RAM that the hypervisor manages */
	uint64_t nr_free;
	uint64_t nr_dirty;   /* of those free: not scrubbed yet */
	uint64_t nr_claimed; /* of those free: promised to domains */
	uint32_t nr_domains;
	uint32_t max_domains;
	uint32_t max_vcpus; /* of one domain */
	uint32_t reserved;
	struct lodge_node_info node[LODGE_MAX_NODES];
};

#define LODGE_HOST_IOMMU 0x1u /* devices reach only their owner's memory */
#define LODGE_HOST_DEBUG 0x2u /* a debug build */

ABI_SIZE(struct lodge_host_info, 392);
ABI_OFFSET(struct lodge_host_info, version, 0);
ABI_OFFSET(struct lodge_host_info, cpu_model, 16);
ABI_OFFSET(struct lodge_host_info, nr_cpus, 64);
ABI_OFFSET(struct lodge_host_info, nr_nodes, 68);
ABI_OFFSET(struct lodge_host_info, features, 72);
ABI_OFFSET(struct lodge_host_info, cpu_khz, 76);
ABI_OFFSET(struct lodge_host_info, uptime_ns, 80);
ABI_OFFSET(struct lodge_host_info, nr_pages, 88);
ABI_OFFSET(struct lodge_host_info, nr_free, 96);
ABI_OFFSET(struct lodge_host_info, nr_dirty, 104);
ABI_OFFSET(struct lodge_host_info, nr_claimed, 112);
ABI_OFFSET(struct lodge_host_info, nr_domains, 120);
ABI_OFFSET(struct lodge_host_info, max_domains, 124);
ABI_OFFSET(struct lodge_host_info, max_vcpus, 128);
ABI_OFFSET(struct lodge_host_info, reserved, 132);
ABI_OFFSET(struct lodge_host_info, node, 136);

struct lodge_cpu_info {
	uint32_t cpu;
	uint32_t node;
	uint32_t domain;     /* whose vCPU runs; LODGE_DOMAIN_ANY: it idles */
	uint32_t vcpu;       /* valid unless it idles */
	uint32_t nr_waiting; /* vCPUs that wait for it */
	uint32_t apic_id;
	uint64_t load;  /* sum of the weights of those and of the one that runs */
	uint64_t exits; /* from guests, since boot */
};

ABI_SIZE(struct lodge_cpu_info, 40);
ABI_OFFSET(struct lodge_cpu_info, cpu, 0);
ABI_OFFSET(struct lodge_cpu_info, node, 4);
ABI_OFFSET(struct lodge_cpu_info, domain, 8);
ABI_OFFSET(struct lodge_cpu_info, vcpu, 12);
ABI_OFFSET(struct lodge_cpu_info, nr_waiting, 16);
ABI_OFFSET(struct lodge_cpu_info, apic_id, 20);
ABI_OFFSET(struct lodge_cpu_info, load, 24);
ABI_OFFSET(struct lodge_cpu_info, exits, 32);

#endif /* LODGE_ABI_CONTROL_H */

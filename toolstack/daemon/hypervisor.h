/*
 * All that lodged asks of the hypervisor (abi/control.h), as functions. Below them is a boundary of three,
 * struct hypervisor_ops: hypercalls by libxencall in lodged, a machine of plain memory in unit tests.
 *
 * A handle belongs to one thread. Functions return 0 or a negative errno.
 */
#ifndef LODGE_DAEMON_HYPERVISOR_H
#define LODGE_DAEMON_HYPERVISOR_H

#include "abi/control.h"
#include "lib/err.h"

struct build_plan;
struct hypervisor;

struct guest_ports {
	uint32_t store, console; /* the guest's */
};

struct hypervisor_ops {
	/* One operation. address is the member of c that shall name the buffer of so many bytes (NULL:
	 * none), at most HYPERVISOR_BUFFER; it goes there and back. */
	int (*control)(struct hypervisor *hv, struct lodge_control *c, uint64_t *address,
		       void *buffer, size_t bytes);
	int (*execute)(struct hypervisor *hv, uint32_t domain, const struct build_plan *plan,
		       struct guest_ports *ret_ports, struct err *err);
	void (*close)(struct hypervisor *hv);
};

#define HYPERVISOR_BUFFER (64u << 10)

struct hypervisor {
	const struct hypervisor_ops *ops;
};

/* By libxencall. NULL, and errno, when it cannot be opened. The argument says nothing. */
struct hypervisor *hypervisor_open_xen(void *argument);
void hypervisor_close(struct hypervisor *hv); /* NULL is fine */

must_check int hypervisor_version(struct hypervisor *hv, uint32_t *ret_version);

struct domain_limits {
	uint8_t uuid[16];
	uint64_t max_pages;
	uint32_t nr_vcpus;
	uint32_t max_grant_frames, max_ports; /* 0: the hypervisor's defaults */
};

must_check int hypervisor_create(struct hypervisor *hv, const struct domain_limits *limits,
				 uint32_t *ret_domain);
must_check int hypervisor_destroy(struct hypervisor *hv, uint32_t domain);
must_check int hypervisor_pause(struct hypervisor *hv, uint32_t domain);
must_check int hypervisor_unpause(struct hypervisor *hv, uint32_t domain);

/* Domains with a change after since, to be freed. */
must_check int hypervisor_list(struct hypervisor *hv, uint64_t since,
			       struct lodge_domain_info **ret_infos, size_t *ret_nr,
			       uint64_t *ret_change);
/* -ESRCH: no such domain. */
must_check int hypervisor_info(struct hypervisor *hv, uint32_t domain,
			       struct lodge_domain_info *ret_info);
/* As many as there is room for. */
must_check int hypervisor_vcpus(struct hypervisor *hv, uint32_t domain,
				struct lodge_vcpu_info *ret_vcpus, size_t max, size_t *ret_nr);

must_check int hypervisor_set_memory(struct hypervisor *hv, uint32_t domain, uint64_t nr_pages);
must_check int hypervisor_set_scheduling(struct hypervisor *hv, uint32_t domain, uint32_t weight,
					 uint32_t cap);
must_check int hypervisor_get_scheduling(struct hypervisor *hv, uint32_t domain,
					 uint32_t *ret_weight, uint32_t *ret_cap);
must_check int hypervisor_set_affinity(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
				       const uint8_t mask[LODGE_CPU_MASK_BYTES]);
must_check int hypervisor_get_affinity(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
				       uint8_t ret_mask[LODGE_CPU_MASK_BYTES]);

/* For a domain that has not run; -EOPNOTSUPP: it would not have all that the changes need. */
must_check int hypervisor_set_cpuid(struct hypervisor *hv, uint32_t domain,
				    const struct lodge_cpuid_change *changes, uint32_t nr);
must_check int hypervisor_set_tsc(struct hypervisor *hv, uint32_t domain, uint64_t hz);
/* At any time. */
must_check int hypervisor_set_clock(struct hypervisor *hv, uint32_t domain, int64_t offset_s);

must_check int hypervisor_registers(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
				    struct lodge_registers *ret_registers);
must_check int hypervisor_translate(struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
				    uint64_t linear, uint64_t *ret_gpa);
must_check int hypervisor_copy_out(struct hypervisor *hv, uint32_t domain, uint64_t gpa,
				   void *ret_data, size_t bytes);

must_check int hypervisor_host(struct hypervisor *hv, struct lodge_host_info *ret_info);
must_check int hypervisor_cpus(struct hypervisor *hv, struct lodge_cpu_info *ret_cpus, size_t max,
			       size_t *ret_nr);
/* What a new domain's CPUs would have. */
must_check int hypervisor_cpuid(struct hypervisor *hv,
				struct lodge_cpuid_features ret_features[LODGE_CPUID_LEAVES]);
must_check int hypervisor_exit_names(struct hypervisor *hv,
				     struct lodge_exit_name ret_names[LODGE_EXIT_KINDS]);
/* From *position on, which moves; the number of bytes. */
must_check int hypervisor_console(struct hypervisor *hv, uint64_t *position, bool clear,
				  char *ret_text, size_t max, size_t *ret_bytes);

/* Carries a plan out on a domain. */
must_check int hypervisor_execute(struct hypervisor *hv, uint32_t domain,
				  const struct build_plan *plan, struct guest_ports *ret_ports,
				  struct err *err);

#endif

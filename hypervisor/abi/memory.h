/*
 * memory_op(cmd, arg): a domain's memory reservation and its guest physical address space.
 *
 * A list operation may stop early; the number of extents it finished then comes back as the
 * result.
 */
#ifndef LODGE_ABI_MEMORY_H
#define LODGE_ABI_MEMORY_H

#include "xen.h"

#define XENMEM_increase_reservation       0
#define XENMEM_decrease_reservation       1
#define XENMEM_maximum_ram_page           2
#define XENMEM_current_reservation        3
#define XENMEM_maximum_reservation        4
#define XENMEM_machphys_mfn_list          5
#define XENMEM_populate_physmap           6
#define XENMEM_add_to_physmap             7
#define XENMEM_memory_map                 9
#define XENMEM_machine_memory_map         10
#define XENMEM_exchange                   11
#define XENMEM_machphys_mapping           12
#define XENMEM_set_memory_map             13
#define XENMEM_maximum_gpfn               14
#define XENMEM_remove_from_physmap        15
#define XENMEM_set_pod_target             16
#define XENMEM_get_pod_target             17
#define XENMEM_add_to_physmap_batch       23 /* Linux calls it add_to_physmap_range */
#define XENMEM_claim_pages                24
#define XENMEM_machphys_compat_mfn_list   25
#define XENMEM_get_vnumainfo              26
#define XENMEM_reserved_device_memory_map 27
#define XENMEM_acquire_resource           28

/* The command's low 6 bits; above them a preempted list operation keeps how far it got. */
#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK     ((1U << MEMOP_EXTENT_SHIFT) - 1)

/* mem_flags: wanted address width and node. Lodge reads the node as a preference. */
#define XENMEMF_address_bits(x)     (x)
#define XENMEMF_get_address_bits(x) ((x)&0xffU)
#define XENMEMF_node(x)             (((x) + 1) << 8)
#define XENMEMF_get_node(x)         ((((x) >> 8) - 1) & 0xffU)
#define XENMEMF_populate_on_demand  (1U << 16)
#define XENMEMF_exact_node_request  (1U << 17)
#define XENMEMF_vnode               (1U << 18)

/* increase_, decrease_reservation and populate_physmap: nr_extents blocks of 2^extent_order pages,
 * whose first gfns are in the array at extent_start. */
struct xen_memory_reservation {
	uint64_t extent_start; /* to uint64_t[nr_extents] */
	uint64_t nr_extents;
	uint32_t extent_order;
	uint32_t mem_flags; /* XENMEMF_* */
	domid_t domid;
	uint16_t pad[3];
};

ABI_SIZE(struct xen_memory_reservation, 32);
ABI_OFFSET(struct xen_memory_reservation, extent_start, 0);
ABI_OFFSET(struct xen_memory_reservation, nr_extents, 8);
ABI_OFFSET(struct xen_memory_reservation, extent_order, 16);
ABI_OFFSET(struct xen_memory_reservation, mem_flags, 20);
ABI_OFFSET(struct xen_memory_reservation, domid, 24);
ABI_OFFSET(struct xen_memory_reservation, pad, 26);

struct compat_xen_memory_reservation {
	uint32_t extent_start; /* to uint32_t[nr_extents] */
	uint32_t nr_extents;
	uint32_t extent_order;
	uint32_t mem_flags;
	domid_t domid;
	uint16_t pad;
};

ABI_SIZE(struct compat_xen_memory_reservation, 20);
ABI_OFFSET(struct compat_xen_memory_reservation, extent_start, 0);
ABI_OFFSET(struct compat_xen_memory_reservation, nr_extents, 4);
ABI_OFFSET(struct compat_xen_memory_reservation, extent_order, 8);
ABI_OFFSET(struct compat_xen_memory_reservation, mem_flags, 12);
ABI_OFFSET(struct compat_xen_memory_reservation, domid, 16);
ABI_OFFSET(struct compat_xen_memory_reservation, pad, 18);

/* current_reservation, maximum_reservation, maximum_gpfn: the answer is the result. */
struct xen_memory_domain {
	domid_t domid;
};

ABI_SIZE(struct xen_memory_domain, 2);
ABI_OFFSET(struct xen_memory_domain, domid, 0);

/* What add_to_physmap may put at a gfn. */
#define XENMAPSPACE_shared_info      0
#define XENMAPSPACE_grant_table      1 /* idx: page of the table */
#define XENMAPSPACE_gmfn             2 /* idx: another gfn, which moves */
#define XENMAPSPACE_gmfn_range       3
#define XENMAPSPACE_gmfn_foreign     4 /* idx: gfn of a foreign domain; batch only */
#define XENMAPSPACE_dev_mmio         5
#define XENMAPIDX_grant_table_status 0x80000000U

struct xen_add_to_physmap {
	domid_t domid;
	uint16_t size; /* pages, XENMAPSPACE_gmfn_range only */
	uint32_t space;
	uint64_t idx;
	uint64_t gpfn;
};

ABI_SIZE(struct xen_add_to_physmap, 24);
ABI_OFFSET(struct xen_add_to_physmap, domid, 0);
ABI_OFFSET(struct xen_add_to_physmap, size, 2);
ABI_OFFSET(struct xen_add_to_physmap, space, 4);
ABI_OFFSET(struct xen_add_to_physmap, idx, 8);
ABI_OFFSET(struct xen_add_to_physmap, gpfn, 16);

struct compat_xen_add_to_physmap {
	domid_t domid;
	uint16_t size;
	uint32_t space;
	uint32_t idx;
	uint32_t gpfn;
};

ABI_SIZE(struct compat_xen_add_to_physmap, 16);
ABI_OFFSET(struct compat_xen_add_to_physmap, domid, 0);
ABI_OFFSET(struct compat_xen_add_to_physmap, size, 2);
ABI_OFFSET(struct compat_xen_add_to_physmap, space, 4);
ABI_OFFSET(struct compat_xen_add_to_physmap, idx, 8);
ABI_OFFSET(struct compat_xen_add_to_physmap, gpfn, 12);

/* The result tells whether errs was written; each page's own result is there. */
struct xen_add_to_physmap_batch {
	domid_t domid;
	uint16_t space;
	uint16_t size; /* entries in each array */
	union {
		domid_t foreign_domid; /* XENMAPSPACE_gmfn_foreign */
		uint16_t res0;         /* all other spaces: 0 */
	} u;
	uint64_t idxs;  /* to uint64_t[size] */
	uint64_t gpfns; /* to uint64_t[size] */
	uint64_t errs;  /* to int32_t[size], out */
};

ABI_SIZE(struct xen_add_to_physmap_batch, 32);
ABI_OFFSET(struct xen_add_to_physmap_batch, domid, 0);
ABI_OFFSET(struct xen_add_to_physmap_batch, space, 2);
ABI_OFFSET(struct xen_add_to_physmap_batch, size, 4);
ABI_OFFSET(struct xen_add_to_physmap_batch, u, 6);
ABI_OFFSET(struct xen_add_to_physmap_batch, u.foreign_domid, 6);
ABI_OFFSET(struct xen_add_to_physmap_batch, u.res0, 6);
ABI_OFFSET(struct xen_add_to_physmap_batch, idxs, 8);
ABI_OFFSET(struct xen_add_to_physmap_batch, gpfns, 16);
ABI_OFFSET(struct xen_add_to_physmap_batch, errs, 24);

struct compat_xen_add_to_physmap_batch {
	domid_t domid;
	uint16_t space;
	uint16_t size;
	union {
		domid_t foreign_domid;
		uint16_t res0;
	} u;
	uint32_t idxs;  /* to uint32_t[size] */
	uint32_t gpfns; /* to uint32_t[size] */
	uint32_t errs;
};

ABI_SIZE(struct compat_xen_add_to_physmap_batch, 20);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, domid, 0);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, space, 2);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, size, 4);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, u, 6);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, u.foreign_domid, 6);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, u.res0, 6);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, idxs, 8);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, gpfns, 12);
ABI_OFFSET(struct compat_xen_add_to_physmap_batch, errs, 16);

struct xen_remove_from_physmap {
	domid_t domid;
	uint16_t pad[3];
	uint64_t gpfn;
};

ABI_SIZE(struct xen_remove_from_physmap, 16);
ABI_OFFSET(struct xen_remove_from_physmap, domid, 0);
ABI_OFFSET(struct xen_remove_from_physmap, pad, 2);
ABI_OFFSET(struct xen_remove_from_physmap, gpfn, 8);

struct compat_xen_remove_from_physmap {
	domid_t domid;
	uint16_t pad;
	uint32_t gpfn;
};

ABI_SIZE(struct compat_xen_remove_from_physmap, 8);
ABI_OFFSET(struct compat_xen_remove_from_physmap, domid, 0);
ABI_OFFSET(struct compat_xen_remove_from_physmap, pad, 2);
ABI_OFFSET(struct compat_xen_remove_from_physmap, gpfn, 4);

/* The caller's memory map (memory_map) or the machine's (machine_memory_map). */
struct xen_memory_map {
	uint32_t nr_entries; /* in: room, out: entries written */
	uint32_t pad;
	uint64_t buffer; /* to struct xen_e820_entry[nr_entries] */
};

ABI_SIZE(struct xen_memory_map, 16);
ABI_OFFSET(struct xen_memory_map, nr_entries, 0);
ABI_OFFSET(struct xen_memory_map, pad, 4);
ABI_OFFSET(struct xen_memory_map, buffer, 8);

struct compat_xen_memory_map {
	uint32_t nr_entries;
	uint32_t buffer;
};

ABI_SIZE(struct compat_xen_memory_map, 8);
ABI_OFFSET(struct compat_xen_memory_map, nr_entries, 0);
ABI_OFFSET(struct compat_xen_memory_map, buffer, 4);

/* The firmware's own record: 20 bytes, types as in start-info.h. */
struct xen_e820_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type;
} __attribute__((packed));

ABI_SIZE(struct xen_e820_entry, 20);
ABI_OFFSET(struct xen_e820_entry, addr, 0);
ABI_OFFSET(struct xen_e820_entry, size, 8);
ABI_OFFSET(struct xen_e820_entry, type, 16);

#define XENMEM_resource_ioreq_server          0
#define XENMEM_resource_grant_table           1
#define XENMEM_resource_vmtrace_buf           2
#define XENMEM_resource_grant_table_id_shared 0
#define XENMEM_resource_grant_table_id_status 1

/* Map a resource of domid into the caller, at the gfns the caller wrote into frame_list. With
 * nr_frames 0 and no list it only answers, in nr_frames, how large the resource is. */
struct xen_mem_acquire_resource {
	domid_t domid;
	uint16_t type; /* XENMEM_resource_* */
	uint32_t id;
	uint32_t nr_frames;  /* in/out */
	uint32_t pad;        /* 0 */
	uint64_t frame;      /* first page of the resource */
	uint64_t frame_list; /* to uint64_t[nr_frames] */
};

ABI_SIZE(struct xen_mem_acquire_resource, 32);
ABI_OFFSET(struct xen_mem_acquire_resource, domid, 0);
ABI_OFFSET(struct xen_mem_acquire_resource, type, 2);
ABI_OFFSET(struct xen_mem_acquire_resource, id, 4);
ABI_OFFSET(struct xen_mem_acquire_resource, nr_frames, 8);
ABI_OFFSET(struct xen_mem_acquire_resource, pad, 12);
ABI_OFFSET(struct xen_mem_acquire_resource, frame, 16);
ABI_OFFSET(struct xen_mem_acquire_resource, frame_list, 24);

struct compat_xen_mem_acquire_resource {
	domid_t domid;
	uint16_t type;
	uint32_t id;
	uint32_t nr_frames;
	uint32_t pad;
	compat_uint64_t frame;
	uint32_t frame_list; /* to uint32_t[nr_frames] */
};

ABI_SIZE(struct compat_xen_mem_acquire_resource, 28);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, domid, 0);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, type, 2);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, id, 4);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, nr_frames, 8);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, pad, 12);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, frame, 16);
ABI_OFFSET(struct compat_xen_mem_acquire_resource, frame_list, 24);

#endif /* LODGE_ABI_MEMORY_H */

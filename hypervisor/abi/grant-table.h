/*
 * Grant tables: the version 1 table and grant_table_op(cmd, array, count).
 *
 * Version 2 of the table, transfer, dump and cache_flush are not part of what Lodge speaks; only
 * their numbers are known.
 */
#ifndef LODGE_ABI_GRANT_TABLE_H
#define LODGE_ABI_GRANT_TABLE_H

#include "xen.h"

typedef uint32_t grant_ref_t;
typedef uint32_t grant_handle_t;

/* One entry of a version 1 table: 512 of them in a page, the reference is the index.
 *
 * The granter writes frame and domid, then flags; it takes a grant back by changing flags from its
 * exact old value without GTF_reading and GTF_writing, which the hypervisor sets while in use. */
struct grant_entry_v1 {
	uint16_t flags; /* GTF_* */
	domid_t domid;  /* who may use it */
	uint32_t frame; /* gfn of the granter */
};

ABI_SIZE(struct grant_entry_v1, 8);
ABI_OFFSET(struct grant_entry_v1, flags, 0);
ABI_OFFSET(struct grant_entry_v1, domid, 2);
ABI_OFFSET(struct grant_entry_v1, frame, 4);

#define GNTTAB_NR_RESERVED_ENTRIES 8
#define GNTTAB_RESERVED_CONSOLE    0
#define GNTTAB_RESERVED_XENSTORE   1

#define GTF_invalid         0U
#define GTF_permit_access   1U
#define GTF_accept_transfer 2U
#define GTF_transitive      3U
#define GTF_type_mask       3U
#define GTF_readonly        (1U << 2)
#define GTF_reading         (1U << 3)
#define GTF_writing         (1U << 4)
#define GTF_PWT             (1U << 5)
#define GTF_PCD             (1U << 6)
#define GTF_PAT             (1U << 7)
#define GTF_sub_page        (1U << 8)

#define GNTTABOP_map_grant_ref     0
#define GNTTABOP_unmap_grant_ref   1
#define GNTTABOP_setup_table       2
#define GNTTABOP_dump_table        3
#define GNTTABOP_transfer          4
#define GNTTABOP_copy              5
#define GNTTABOP_query_size        6
#define GNTTABOP_unmap_and_replace 7
#define GNTTABOP_set_version       8
#define GNTTABOP_get_status_frames 9
#define GNTTABOP_get_version       10
#define GNTTABOP_swap_grant_ref    11
#define GNTTABOP_cache_flush       12

/* Status of one operation of the array. */
#define GNTST_okay              0
#define GNTST_general_error     (-1)
#define GNTST_bad_domain        (-2)
#define GNTST_bad_gntref        (-3)
#define GNTST_bad_handle        (-4)
#define GNTST_bad_virt_addr     (-5)
#define GNTST_bad_dev_addr      (-6)
#define GNTST_no_device_space   (-7)
#define GNTST_permission_denied (-8)
#define GNTST_bad_page          (-9)
#define GNTST_bad_copy_arg      (-10) /* a part crosses its page */
#define GNTST_address_too_big   (-11)
#define GNTST_eagain            (-12) /* try again later */
#define GNTST_no_space          (-13)

#define GNTMAP_device_map      (1U << 0)
#define GNTMAP_host_map        (1U << 1)
#define GNTMAP_readonly        (1U << 2)
#define GNTMAP_application_map (1U << 3)
#define GNTMAP_contains_pte    (1U << 4)

/* Map dom's page ref at the caller's guest physical address host_addr. */
struct gnttab_map_grant_ref {
	uint64_t host_addr;
	uint32_t flags; /* GNTMAP_* */
	grant_ref_t ref;
	domid_t dom;
	int16_t status;        /* out: GNTST_* */
	grant_handle_t handle; /* out */
	uint64_t dev_bus_addr; /* out */
};

ABI_SIZE(struct gnttab_map_grant_ref, 32);
ABI_OFFSET(struct gnttab_map_grant_ref, host_addr, 0);
ABI_OFFSET(struct gnttab_map_grant_ref, flags, 8);
ABI_OFFSET(struct gnttab_map_grant_ref, ref, 12);
ABI_OFFSET(struct gnttab_map_grant_ref, dom, 16);
ABI_OFFSET(struct gnttab_map_grant_ref, status, 18);
ABI_OFFSET(struct gnttab_map_grant_ref, handle, 20);
ABI_OFFSET(struct gnttab_map_grant_ref, dev_bus_addr, 24);

/* Undo a mapping; host_addr and dev_bus_addr, where not 0, must be the ones it was made with. */
struct gnttab_unmap_grant_ref {
	uint64_t host_addr;
	uint64_t dev_bus_addr;
	grant_handle_t handle;
	int16_t status; /* out */
	uint16_t pad;
};

ABI_SIZE(struct gnttab_unmap_grant_ref, 24);
ABI_OFFSET(struct gnttab_unmap_grant_ref, host_addr, 0);
ABI_OFFSET(struct gnttab_unmap_grant_ref, dev_bus_addr, 8);
ABI_OFFSET(struct gnttab_unmap_grant_ref, handle, 16);
ABI_OFFSET(struct gnttab_unmap_grant_ref, status, 20);
ABI_OFFSET(struct gnttab_unmap_grant_ref, pad, 22);

/* Grow dom's table to at least nr_frames pages and list their frame numbers. */
struct gnttab_setup_table {
	domid_t dom;
	uint16_t pad0;
	uint32_t nr_frames;
	int16_t status; /* out */
	uint16_t pad1[3];
	uint64_t frame_list; /* to uint64_t[nr_frames] */
};

ABI_SIZE(struct gnttab_setup_table, 24);
ABI_OFFSET(struct gnttab_setup_table, dom, 0);
ABI_OFFSET(struct gnttab_setup_table, pad0, 2);
ABI_OFFSET(struct gnttab_setup_table, nr_frames, 4);
ABI_OFFSET(struct gnttab_setup_table, status, 8);
ABI_OFFSET(struct gnttab_setup_table, pad1, 10);
ABI_OFFSET(struct gnttab_setup_table, frame_list, 16);

struct compat_gnttab_setup_table {
	domid_t dom;
	uint16_t pad0;
	uint32_t nr_frames;
	int16_t status;
	uint16_t pad1;
	uint32_t frame_list; /* to uint32_t[nr_frames] */
};

ABI_SIZE(struct compat_gnttab_setup_table, 16);
ABI_OFFSET(struct compat_gnttab_setup_table, dom, 0);
ABI_OFFSET(struct compat_gnttab_setup_table, pad0, 2);
ABI_OFFSET(struct compat_gnttab_setup_table, nr_frames, 4);
ABI_OFFSET(struct compat_gnttab_setup_table, status, 8);
ABI_OFFSET(struct compat_gnttab_setup_table, pad1, 10);
ABI_OFFSET(struct compat_gnttab_setup_table, frame_list, 12);

#define GNTCOPY_source_gref (1U << 0)
#define GNTCOPY_dest_gref   (1U << 1)

/* One side of a copy: a grant of domid when flags says so, otherwise a frame of domid, which must
 * then be the caller unless it is privileged. */
struct gnttab_copy_ptr {
	union {
		grant_ref_t ref;
		xen_pfn_t gmfn;
	} u;
	domid_t domid;
	uint16_t offset;
	uint32_t pad;
};

ABI_SIZE(struct gnttab_copy_ptr, 16);
ABI_OFFSET(struct gnttab_copy_ptr, u, 0);
ABI_OFFSET(struct gnttab_copy_ptr, u.ref, 0);
ABI_OFFSET(struct gnttab_copy_ptr, u.gmfn, 0);
ABI_OFFSET(struct gnttab_copy_ptr, domid, 8);
ABI_OFFSET(struct gnttab_copy_ptr, offset, 10);
ABI_OFFSET(struct gnttab_copy_ptr, pad, 12);

/* Copy len bytes; neither side may leave its page. */
struct gnttab_copy {
	struct gnttab_copy_ptr source;
	struct gnttab_copy_ptr dest;
	uint16_t len;
	uint16_t flags; /* GNTCOPY_* */
	int16_t status; /* out */
	uint16_t pad;
};

ABI_SIZE(struct gnttab_copy, 40);
ABI_OFFSET(struct gnttab_copy, source, 0);
ABI_OFFSET(struct gnttab_copy, dest, 16);
ABI_OFFSET(struct gnttab_copy, len, 32);
ABI_OFFSET(struct gnttab_copy, flags, 34);
ABI_OFFSET(struct gnttab_copy, status, 36);
ABI_OFFSET(struct gnttab_copy, pad, 38);

struct compat_gnttab_copy_ptr {
	union {
		grant_ref_t ref;
		uint32_t gmfn;
	} u;
	domid_t domid;
	uint16_t offset;
};

ABI_SIZE(struct compat_gnttab_copy_ptr, 8);
ABI_OFFSET(struct compat_gnttab_copy_ptr, u, 0);
ABI_OFFSET(struct compat_gnttab_copy_ptr, u.ref, 0);
ABI_OFFSET(struct compat_gnttab_copy_ptr, u.gmfn, 0);
ABI_OFFSET(struct compat_gnttab_copy_ptr, domid, 4);
ABI_OFFSET(struct compat_gnttab_copy_ptr, offset, 6);

struct compat_gnttab_copy {
	struct compat_gnttab_copy_ptr source;
	struct compat_gnttab_copy_ptr dest;
	uint16_t len;
	uint16_t flags;
	int16_t status;
	uint16_t pad;
};

ABI_SIZE(struct compat_gnttab_copy, 24);
ABI_OFFSET(struct compat_gnttab_copy, source, 0);
ABI_OFFSET(struct compat_gnttab_copy, dest, 8);
ABI_OFFSET(struct compat_gnttab_copy, len, 16);
ABI_OFFSET(struct compat_gnttab_copy, flags, 18);
ABI_OFFSET(struct compat_gnttab_copy, status, 20);
ABI_OFFSET(struct compat_gnttab_copy, pad, 22);

/* How many pages dom's table has and may have. */
struct gnttab_query_size {
	domid_t dom;
	uint16_t pad0;
	uint32_t nr_frames;     /* out */
	uint32_t max_nr_frames; /* out */
	int16_t status;         /* out */
	uint16_t pad1;
};

ABI_SIZE(struct gnttab_query_size, 16);
ABI_OFFSET(struct gnttab_query_size, dom, 0);
ABI_OFFSET(struct gnttab_query_size, pad0, 2);
ABI_OFFSET(struct gnttab_query_size, nr_frames, 4);
ABI_OFFSET(struct gnttab_query_size, max_nr_frames, 8);
ABI_OFFSET(struct gnttab_query_size, status, 12);
ABI_OFFSET(struct gnttab_query_size, pad1, 14);

struct gnttab_set_version {
	uint32_t version; /* in: wanted, out: in use */
};

ABI_SIZE(struct gnttab_set_version, 4);
ABI_OFFSET(struct gnttab_set_version, version, 0);

struct gnttab_get_version {
	domid_t dom;
	uint16_t pad;
	uint32_t version; /* out */
};

ABI_SIZE(struct gnttab_get_version, 8);
ABI_OFFSET(struct gnttab_get_version, dom, 0);
ABI_OFFSET(struct gnttab_get_version, pad, 2);
ABI_OFFSET(struct gnttab_get_version, version, 4);

#endif /* LODGE_ABI_GRANT_TABLE_H */

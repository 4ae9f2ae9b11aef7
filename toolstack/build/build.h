/*
 * The domain builder: a kernel, initrds, a command line and a description become the exact contents of a
 * PVH guest's memory.
 *
 * First the plan: everything is read and checked, and nothing is touched yet. It lists the memory to
 * populate, what to copy where, and the state of vCPU 0. Then the plan is carried out on a target: a domain
 * (target-lodge.h), or an image in memory in a test. See docs/building-guests.md.
 */
#ifndef LODGE_TOOLSTACK_BUILD_H
#define LODGE_TOOLSTACK_BUILD_H

#include "abi/hvm-vcpu.h"
#include "abi/start-info.h"
#include "build/kernel-cache.h"
#include "build/source.h"
#include "lib/err.h"

#define BUILD_MAX_VCPUS   128u
#define BUILD_MAX_INITRDS 16u
#define BUILD_CMDLINE_MAX 2047u /* what Linux takes without cutting it off */

#define BUILD_PAGE_SHIFT 12
#define BUILD_PAGE       (UINT64_C(1) << BUILD_PAGE_SHIFT)
#define BUILD_ORDER_2M   9u

/* Fixed places in a guest. RAM starts at 0, leaves out what is from BUILD_LOW_RAM_END to 4 GiB, and goes on
 * above. */
#define BUILD_LOW_RAM_END  UINT64_C(0xf0000000)
#define BUILD_HIGH_RAM     UINT64_C(0x100000000)
#define BUILD_ACPI         UINT64_C(0xfc000000) /* one page */
#define BUILD_STORE_PAGE   UINT64_C(0xfeffc000)
#define BUILD_CONSOLE_PAGE UINT64_C(0xfefff000)
#define BUILD_SPECIAL      UINT64_C(0xfeff8000) /* to BUILD_SPECIAL_END: reserved */
#define BUILD_SPECIAL_END  UINT64_C(0xff000000)

struct build_description {
	const char *kernel; /* path of an ELF image or a bzImage */
	const char *initrd[BUILD_MAX_INITRDS];
	unsigned nr_initrds;   /* the guest sees them as one, in this order */
	const char *cmdline;   /* may be NULL */
	uint64_t memory_bytes; /* whole pages */
	uint32_t nr_vcpus;
	struct kernel_cache cache;
};

/* nr_blocks blocks of 2^order pages. All of it is zero before anything is copied. */
struct build_extent {
	uint64_t gfn;
	uint64_t nr_blocks;
	unsigned order; /* 0 or BUILD_ORDER_2M */
};

/* Bytes of a source, from offset on, that belong at gpa. */
struct build_piece {
	uint64_t gpa;
	const struct source *source;
	uint64_t offset, bytes;
};

#define BUILD_MAX_EXTENTS 8u
#define BUILD_MAX_MEMMAP  8u

struct build_plan {
	uint64_t nr_pages; /* of all extents: what to claim */
	struct build_extent extent[BUILD_MAX_EXTENTS];
	unsigned nr_extents;
	struct build_piece *piece; /* they do not overlap, and lie inside of the extents */
	size_t nr_pieces;
	struct hvm_memmap_table_entry memmap[BUILD_MAX_MEMMAP];
	unsigned nr_memmap;
	uint64_t store_gfn, console_gfn; /* populated, zero */
	struct vcpu_hvm_context entry;   /* of vCPU 0 */
	bool is_64_bit;                  /* the kernel's ELF class */
	uint32_t nr_vcpus;
	struct err cache_problem; /* why the kernel could not be kept; empty: no problem */

	/* What pieces refer to. */
	struct source kernel;
	struct source initrd[BUILD_MAX_INITRDS];
	unsigned nr_initrds;
	struct source info; /* start info, module list, memory map, command line */
	struct source acpi;
};

/* Reads and checks everything. On failure nothing is left. The description's strings have to stay while
 * the plan does. */
must_check int build_plan_create(const struct build_description *d, struct build_plan **ret_plan,
				 struct err *err);
void build_plan_destroy(struct build_plan *plan); /* accepts NULL */

/* Where a plan is carried out. Each function gets the target itself, returns 0 or a negative errno with a
 * text. None is asked to undo: on failure the caller ends the domain. */
struct build_target {
	const struct build_target_ops *ops;
	void *buffer; /* what is copied comes from here */
	size_t buffer_bytes;
};

struct build_target_ops {
	/* Puts nr_pages aside, or fails at once and says how many are missing. */
	int (*claim)(struct build_target *t, uint64_t nr_pages, struct err *err);
	/* Zeroed memory. */
	int (*populate)(struct build_target *t, const struct build_extent *e, struct err *err);
	/* The first bytes of the buffer go to gpa. */
	int (*copy)(struct build_target *t, uint64_t gpa, size_t bytes, struct err *err);
	/* Everything that is not memory: store, console, memory map, the first vCPU's state. */
	int (*finish)(struct build_target *t, const struct build_plan *plan, struct err *err);
};

must_check int build_plan_execute(const struct build_plan *plan, struct build_target *target,
				  struct err *err);

#endif

/*
 * A target that is an image in memory, and what a guest would read from it. The reading shares nothing with
 * the builder: offsets are those of the public ABI and of ACPI, spelled out once more.
 */
#ifndef LODGE_TESTS_BUILD_GUEST_MEMORY_H
#define LODGE_TESTS_BUILD_GUEST_MEMORY_H

#include "build/build.h"

#define GUEST_SPACE (UINT64_C(10) << 30) /* of guest physical addresses */

struct guest_memory {
	struct build_target target;
	uint8_t *bytes;  /* reserved, and backed only where something was written */
	uint8_t *copied; /* for each page: 1 populated, 2 and written to */
	uint64_t nr_claimed, nr_populated, nr_large, nr_copied_bytes;
	const struct build_plan *finished; /* the plan that finish() got */
	unsigned nr_calls, fail_at;        /* the n-th call fails; 0: none */
};

void guest_memory_init(struct guest_memory *g);
void guest_memory_fini(struct guest_memory *g);

/* Memory that must have been populated. */
const uint8_t *guest_bytes(const struct guest_memory *g, uint64_t gpa, uint64_t bytes);
uint64_t guest_number(const struct guest_memory *g, uint64_t gpa, unsigned bytes);

/* What the start info at EBX tells. */
struct guest_view {
	uint64_t nr_modules, module, module_bytes;
	const char *cmdline;
	unsigned nr_map;
	struct {
		uint64_t start, bytes;
		uint32_t type;
	} map[16];
	uint64_t rsdp;
};

struct guest_view guest_read_start_info(const struct guest_memory *g, uint32_t ebx);

/* RAM that the map tells of is there, sorted and apart; nothing else is told to be RAM. Returns its size. */
uint64_t guest_check_map(const struct guest_memory *g, const struct guest_view *v);

/* The address of a table, by its signature, from the RSDP on; every checksum on the way holds. */
uint64_t guest_find_table(const struct guest_memory *g, const struct guest_view *v,
			  const char *signature);

#endif

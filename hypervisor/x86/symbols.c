/* See symbols.h. The tables come from symbols.awk; in the first of the two links they are empty. */
#include "x86/symbols.h"
#include "lib/string.h"
#include "x86/paging.h"

extern const uint32_t symbol_offsets[], symbol_count;
extern const char symbol_names[];

bool symbol_is_text(uint64_t a)
{
	return a >= (uintptr_t)image_start && a < (uintptr_t)image_text_end;
}

const char *symbol_find(uint64_t a, uint64_t *ret_offset)
{
	const char *name = symbol_names;
	uint64_t offset = a - (uintptr_t)image_start;
	uint32_t best = 0;

	if (!symbol_is_text(a) || symbol_count == 0)
		return NULL;
	while (best + 1 < symbol_count && symbol_offsets[best + 1] <= offset)
		best++;
	for (uint32_t i = 0; i < best; i++)
		name += strlen(name) + 1;
	*ret_offset = offset - symbol_offsets[best];
	return name;
}

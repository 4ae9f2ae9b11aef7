/*
 * Kernels that were unpacked once, in a folder: the next guest with the same bzImage starts from there.
 *
 * An entry holds the packed kernel beside the unpacked one. It is used only for a payload that equals it,
 * byte for byte: no hash has to be trusted, and comparing costs less than a good hash. Entries appear by a
 * rename, complete and written back, and never change. Any number of processes may use the folder;
 * who adds an entry holds a lock on it, so that several that start at once unpack once.
 */
#ifndef LODGE_TOOLSTACK_KERNEL_CACHE_H
#define LODGE_TOOLSTACK_KERNEL_CACHE_H

#include "build/source.h"

struct kernel_cache {
	const char *
		folder; /* made when it is missing; only its owner may write there; NULL: keep nothing */
	uint64_t max_bytes; /* on disk. Those that were not used for longest go first */
};

/* The unpacked payload, from the cache or into it. When the cache is of no use (disk full, no permission),
 * the kernel is unpacked in memory all the same, and *ret_problem tells; else that text is empty. */
int kernel_cache_unpack(const struct kernel_cache *cache, const struct source *payload,
			uint64_t unpacked_bytes, struct source *ret_kernel, struct err *ret_problem,
			struct err *err);

#endif

/* Pages of the guest that stay mapped side by side: a frontend that lets grants last takes them from the top of a heap
 * and puts them back there, so that requests of a size use the same sequences of grants again and again, forwards and
 * backwards. Such a sequence is mapped a second time, in its order; then the kernel is given one piece of memory and
 * finds its pages together, not each by itself. What is not seen again is not mapped; the least recently used goes. */
#ifndef LODGE_BLOCK_RUNS_H
#define LODGE_BLOCK_RUNS_H

#include "abi/blkif.h"
#include "lib/util.h"

struct platform;
struct run;
struct runs;

must_check int runs_create(struct platform *p, struct runs **ret_runs);
void runs_destroy(struct runs *runs); /* nobody uses any; NULL is fine */

/* The pages of all segments, of which there are at most REQUEST_SEGMENTS_MAX, in use until run_put(). NULL: they are
 * not mapped so, or not yet. */
struct run *run_get(struct runs *runs, const struct blkif_request_segment *segments, uint32_t nr);
void run_put(struct run *run);
void *run_memory(const struct run *run);

#endif

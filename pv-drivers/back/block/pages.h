/* The guest's pages that stay mapped from one request to the next (persistent grants): a frontend that negotiates them
 * uses the same grants again and again. The least recently used one that no request uses goes when there are too
 * many. */
#ifndef LODGE_BLOCK_PAGES_H
#define LODGE_BLOCK_PAGES_H

#include "lib/util.h"

struct pages;
struct platform;

must_check int pages_create(struct platform *p, uint32_t max, struct pages **ret_pages);
void pages_destroy(struct pages *pages); /* nobody uses any; NULL is fine */

/* The page granted by ref, which is in use until pages_put(). NULL: it cannot be mapped for writing, or there are too
 * many in use; a copy may still be possible. */
void *pages_get(struct pages *pages, uint32_t ref);
void pages_put(struct pages *pages, uint32_t ref);

#endif

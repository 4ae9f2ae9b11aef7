#include "back/block/pages.h"

#include <errno.h>
#include <stdlib.h>

#include "back/lib/platform.h"
#include "lib/list.h"

struct page {
	struct list_node lru; /* all that are mapped; the least recently used first */
	struct page *next;    /* of the same bucket */
	void *memory;
	uint32_t ref;
	uint32_t nr_users;
};

struct pages {
	struct platform *platform;
	struct list lru, unused;
	uint32_t nr_buckets; /* a power of two */
	struct page **buckets;
	struct page page[];
};

int pages_create(struct platform *p, uint32_t max, struct pages **ret_pages)
{
	struct pages *pages = calloc(1, sizeof(*pages) + max * sizeof(pages->page[0]));

	if (!pages)
		return -ENOMEM;
	pages->nr_buckets = 1U << (log2_floor(max) + 1);
	pages->buckets = calloc(pages->nr_buckets, sizeof(struct page *));
	if (!pages->buckets) {
		free(pages);
		return -ENOMEM;
	}
	pages->platform = p;
	list_init(&pages->lru);
	list_init(&pages->unused);
	for (uint32_t i = 0; i < max; i++)
		list_push_back(&pages->unused, &pages->page[i].lru);
	*ret_pages = pages;
	return 0;
}

static struct page **find(struct pages *pages, uint32_t ref)
{
	struct page **p = &pages->buckets[(ref * 0x9e3779b1U) & (pages->nr_buckets - 1)];

	while (*p && (*p)->ref != ref)
		p = &(*p)->next;
	return p;
}

static void drop(struct pages *pages, struct page *page)
{
	struct page **p = find(pages, page->ref);

	*p = page->next;
	platform_unmap(pages->platform, page->memory, 1);
	list_remove(&page->lru);
	list_push_back(&pages->unused, &page->lru);
}

void pages_destroy(struct pages *pages)
{
	struct page *page;

	if (!pages)
		return;
	list_for_each_entry_safe(page, &pages->lru, lru)
		drop(pages, page);
	free(pages->buckets);
	free(pages);
}

/* A free place, if need be that of a page that nobody uses; NULL: there is none. */
static struct page *get_unused(struct pages *pages)
{
	struct page *page;

	if (list_is_empty(&pages->unused)) {
		list_for_each_entry(page, &pages->lru, lru) {
			if (page->nr_users)
				continue;
			drop(pages, page);
			return page;
		}
		return NULL;
	}
	return container_of(list_first(&pages->unused), struct page, lru);
}

void *pages_get(struct pages *pages, uint32_t ref)
{
	struct page **p = find(pages, ref);
	struct page *page = *p;

	if (!page) {
		page = get_unused(pages);
		if (!page || platform_map(pages->platform, &ref, 1, false, &page->memory))
			return NULL;
		page->ref = ref;
		page->nr_users = 0;
		p = find(pages, ref); /* making room may have changed the bucket */
		page->next = NULL;
		*p = page;
	}
	list_remove(&page->lru);
	list_push_back(&pages->lru, &page->lru);
	page->nr_users++;
	return page->memory;
}

void pages_put(struct pages *pages, uint32_t ref)
{
	struct page *page = *find(pages, ref);

	if (page)
		page->nr_users--;
}

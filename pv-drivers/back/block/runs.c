#include "back/block/runs.h"

#include <errno.h>
#include <stdlib.h>

#include "back/block/request.h"
#include "back/lib/platform.h"

#define RUNS_MAX    32u
#define USES_NEEDED 2u /* of the same sequence before it is worth a mapping */

struct run {
	uint32_t nr; /* pages; 0: none is known here */
	uint32_t hash;
	uint32_t nr_uses; /* before it was mapped */
	uint32_t nr_users;
	uint64_t last_use;
	void *memory; /* NULL: not mapped */
	uint32_t refs[REQUEST_SEGMENTS_MAX];
};

struct runs {
	struct platform *platform;
	uint64_t clock;
	struct run run[RUNS_MAX];
};

int runs_create(struct platform *p, struct runs **ret_runs)
{
	struct runs *runs = calloc(1, sizeof(*runs));

	if (!runs)
		return -ENOMEM;
	runs->platform = p;
	*ret_runs = runs;
	return 0;
}

static void forget(struct runs *runs, struct run *run)
{
	if (run->memory)
		platform_unmap(runs->platform, run->memory, run->nr);
	run->memory = NULL;
	run->nr = 0;
}

void runs_destroy(struct runs *runs)
{
	if (!runs)
		return;
	for (uint32_t i = 0; i < RUNS_MAX; i++)
		forget(runs, &runs->run[i]);
	free(runs);
}

static uint32_t hash_of(const struct blkif_request_segment *segments, uint32_t nr)
{
	uint32_t hash = nr;

	for (uint32_t i = 0; i < nr; i++)
		hash = (hash ^ segments[i].gref) * 0x9e3779b1U;
	return hash;
}

static bool is_same(const struct run *run, const struct blkif_request_segment *segments,
		    uint32_t nr)
{
	if (run->nr != nr)
		return false;
	for (uint32_t i = 0; i < nr; i++)
		if (run->refs[i] != segments[i].gref)
			return false;
	return true;
}

static struct run *find(struct runs *runs, uint32_t hash,
			const struct blkif_request_segment *segments, uint32_t nr)
{
	for (uint32_t i = 0; i < RUNS_MAX; i++)
		if (runs->run[i].hash == hash && is_same(&runs->run[i], segments, nr))
			return &runs->run[i];
	return NULL;
}

/* In the place of the least recently used one. */
static void remember(struct runs *runs, uint32_t hash, const struct blkif_request_segment *segments,
		     uint32_t nr)
{
	struct run *oldest = NULL;

	for (uint32_t i = 0; i < RUNS_MAX; i++) {
		struct run *run = &runs->run[i];

		if (!run->nr_users && (!oldest || run->last_use < oldest->last_use))
			oldest = run;
	}
	if (!oldest)
		return;
	forget(runs, oldest);
	oldest->nr = nr;
	oldest->hash = hash;
	oldest->nr_uses = 1;
	oldest->last_use = ++runs->clock;
	for (uint32_t i = 0; i < nr; i++)
		oldest->refs[i] = segments[i].gref;
}

/* One that cannot be mapped is not tried again while it is known. */
static void use(struct runs *runs, struct run *run)
{
	run->last_use = ++runs->clock;
	if (run->memory || run->nr_uses > USES_NEEDED || run->nr_uses++ < USES_NEEDED)
		return;
	if (platform_map(runs->platform, run->refs, run->nr, false, &run->memory))
		run->memory = NULL;
}

struct run *run_get(struct runs *runs, const struct blkif_request_segment *segments, uint32_t nr)
{
	uint32_t hash = hash_of(segments, nr);
	struct run *run = find(runs, hash, segments, nr);

	if (!run) {
		remember(runs, hash, segments, nr);
		return NULL;
	}
	use(runs, run);
	if (!run->memory)
		return NULL;
	run->nr_users++;
	return run;
}

void run_put(struct run *run)
{
	run->nr_users--;
}

void *run_memory(const struct run *run)
{
	return run->memory;
}

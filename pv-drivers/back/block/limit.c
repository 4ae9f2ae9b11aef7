#include "back/block/limit.h"

#include <errno.h>
#include <string.h>

#include "lib/size.h"

#define NS          1e9
#define SLICE_S     0.1 /* what a bucket without a burst holds */
#define WAIT_MIN_NS 100000u
#define WAIT_MAX_NS 1000000000u

static const char *const unit_names[] = { "bytes", "operations" };
static const char *const scope_names[] = { "total", "read", "write" };

/* Goes past the word and a hyphen, when the text begins with it. */
static bool skip_word(const char **text, const char *word)
{
	size_t length = strlen(word);

	if (strncmp(*text, word, length) != 0 || (*text)[length] != '-')
		return false;
	*text += length + 1;
	return true;
}

/* Of "read", "read-max" and "read-max-length": which; NULL: none. */
static uint64_t *find_scope(struct limit limit[LIMIT_SCOPES], const char *name, size_t length)
{
	for (int scope = 0; scope < LIMIT_SCOPES; scope++) {
		size_t start = strlen(scope_names[scope]);

		if (length < start || strncmp(name, scope_names[scope], start) != 0)
			continue;
		if (length == start)
			return &limit[scope].rate;
		if (length == start + 4 && !strncmp(name + start, "-max", 4))
			return &limit[scope].max;
		if (length == start + 11 && !strncmp(name + start, "-max-length", 11))
			return &limit[scope].max_length;
	}
	return NULL;
}

int limits_set(struct limits *l, const char *text, struct err *err)
{
	const char *value = strchr(text, '=');
	const char *name = text;
	uint64_t *setting = NULL;

	if (value && !strncmp(text, "operation-size=", (size_t)(value + 1 - text)))
		setting = &l->operation_size;
	for (int unit = 0; value && !setting && unit < LIMIT_UNITS; unit++)
		if (skip_word(&name, unit_names[unit]))
			setting = find_scope(l->limit[unit], name, (size_t)(value - name));
	if (!setting)
		return err_set(err, -EINVAL, "there is no limit called \"%s\"", text);
	return number_parse(value + 1, setting, err) ? err_wrap(err, -EINVAL, "%s", text) : 0;
}

static void fill(struct bucket *b, double rate, double capacity)
{
	b->rate = rate;
	b->capacity = capacity;
	b->level = capacity;
}

void limits_start(struct limits *l, uint64_t now_ns)
{
	for (int i = 0; i < LIMIT_UNITS * LIMIT_SCOPES; i++) {
		struct limit *limit = &l->limit[i / LIMIT_SCOPES][i % LIMIT_SCOPES];
		double rate = (double)limit->rate, max = (double)limit->max;
		double seconds = limit->max_length ? (double)limit->max_length : 1;

		l->is_any |= limit->rate || limit->max;
		fill(&limit->average, rate, MAX(rate * SLICE_S, (max - rate) * seconds));
		fill(&limit->burst, limit->rate ? max : 0, max * SLICE_S);
	}
	l->last_ns = now_ns;
}

static void refill(struct bucket *b, double seconds)
{
	b->level = MIN(b->capacity, b->level + b->rate * seconds);
}

static double wait_of(const struct bucket *b)
{
	return b->rate > 0 && b->level <= 0 ? (1 - b->level) / b->rate : 0;
}

static void refill_all(struct limits *l, uint64_t now_ns)
{
	double seconds = (double)(now_ns - l->last_ns) / NS;

	for (int i = 0; i < LIMIT_UNITS * LIMIT_SCOPES; i++) {
		struct limit *limit = &l->limit[i / LIMIT_SCOPES][i % LIMIT_SCOPES];

		refill(&limit->average, seconds);
		refill(&limit->burst, seconds);
	}
	l->last_ns = now_ns;
}

uint64_t limits_ask(struct limits *l, bool is_write, uint64_t bytes, uint64_t now_ns)
{
	const int scopes[] = { LIMIT_TOTAL, is_write ? LIMIT_WRITE : LIMIT_READ };
	double amount[LIMIT_UNITS] = { [LIMIT_BYTES] = (double)bytes, [LIMIT_OPERATIONS] = 1 };
	double wait = 0;

	if (l->operation_size)
		amount[LIMIT_OPERATIONS] = (double)MAX(1, div_round_up(bytes, l->operation_size));
	refill_all(l, now_ns);
	for (int i = 0; i < LIMIT_UNITS * 2; i++) {
		const struct limit *limit = &l->limit[i / 2][scopes[i % 2]];

		wait = MAX(wait, MAX(wait_of(&limit->average), wait_of(&limit->burst)));
	}
	if (wait > 0)
		return MAX(WAIT_MIN_NS, (uint64_t)MIN(wait * NS, (double)WAIT_MAX_NS));
	for (int i = 0; i < LIMIT_UNITS * 2; i++) {
		struct limit *limit = &l->limit[i / 2][scopes[i % 2]];

		limit->average.level -= amount[i / 2];
		limit->burst.level -= amount[i / 2];
	}
	return 0;
}

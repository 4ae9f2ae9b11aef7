#include "guest-memory.h"

#include <check.h>
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#define PAGES        (GUEST_SPACE >> 12)
#define BUFFER_BYTES (100u << 10) /* no power of two: pieces end anywhere in it */

static struct guest_memory *of(struct build_target *t)
{
	return container_of(t, struct guest_memory, target);
}

static int count_call(struct guest_memory *g, struct err *err)
{
	return ++g->nr_calls == g->fail_at ? err_set(err, -EIO, "call %u", g->nr_calls) : 0;
}

static int claim(struct build_target *t, uint64_t nr_pages, struct err *err)
{
	ck_assert_uint_eq(of(t)->nr_calls, 0);
	of(t)->nr_claimed = nr_pages;
	return count_call(of(t), err);
}

static int populate(struct build_target *t, const struct build_extent *e, struct err *err)
{
	struct guest_memory *g = of(t);
	uint64_t nr_pages = e->nr_blocks << e->order;

	ck_assert_uint_eq(e->gfn % (1u << e->order), 0);
	ck_assert_uint_le(e->gfn + nr_pages, PAGES);
	for (uint64_t gfn = e->gfn; gfn < e->gfn + nr_pages; gfn++) {
		if (g->copied[gfn]) /* an assertion for each page takes too long */
			ck_abort_msg("frame %#lx is populated twice", gfn);
		g->copied[gfn] = 1;
	}
	g->nr_populated += nr_pages;
	g->nr_large += e->order == 9 ? e->nr_blocks : 0;
	ck_assert_uint_le(g->nr_populated, g->nr_claimed);
	return count_call(g, err);
}

static int copy(struct build_target *t, uint64_t gpa, size_t bytes, struct err *err)
{
	struct guest_memory *g = of(t);

	ck_assert_uint_eq(g->nr_populated, g->nr_claimed);
	ck_assert_uint_le(bytes, t->buffer_bytes);
	for (uint64_t gfn = gpa >> 12; bytes && gfn <= (gpa + bytes - 1) >> 12; gfn++) {
		ck_assert_msg(g->copied[gfn], "no memory at frame %#lx", gfn);
		g->copied[gfn] = 2;
	}
	memcpy(g->bytes + gpa, t->buffer, bytes);
	g->nr_copied_bytes += bytes;
	return count_call(g, err);
}

static int finish(struct build_target *t, const struct build_plan *plan, struct err *err)
{
	of(t)->finished = plan;
	return count_call(of(t), err);
}

static const struct build_target_ops ops = { claim, populate, copy, finish };

static uint8_t *reserve(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	ck_assert(p != MAP_FAILED);
	return p;
}

void guest_memory_init(struct guest_memory *g)
{
	*g = (struct guest_memory){ .target = { .ops = &ops, .buffer_bytes = BUFFER_BYTES } };
	g->target.buffer = reserve(BUFFER_BYTES);
	g->bytes = reserve(GUEST_SPACE);
	g->copied = reserve(PAGES);
}

void guest_memory_fini(struct guest_memory *g)
{
	munmap(g->target.buffer, BUFFER_BYTES);
	munmap(g->bytes, GUEST_SPACE);
	munmap(g->copied, PAGES);
}

const uint8_t *guest_bytes(const struct guest_memory *g, uint64_t gpa, uint64_t bytes)
{
	for (uint64_t gfn = gpa >> 12; bytes && gfn <= (gpa + bytes - 1) >> 12; gfn++)
		if (gfn >= PAGES || !g->copied[gfn])
			ck_abort_msg("no memory at frame %#lx", gfn);
	return g->bytes + gpa;
}

uint64_t guest_number(const struct guest_memory *g, uint64_t gpa, unsigned bytes)
{
	uint64_t number = 0;

	memcpy(&number, guest_bytes(g, gpa, bytes), bytes);
	return number;
}

struct guest_view guest_read_start_info(const struct guest_memory *g, uint32_t ebx)
{
	struct guest_view v = { .nr_modules = guest_number(g, ebx + 12, 4) };
	uint64_t modules = guest_number(g, ebx + 16, 8), map = guest_number(g, ebx + 40, 8);

	ck_assert_uint_eq(guest_number(g, ebx, 4), 0x336ec578);
	ck_assert_uint_eq(guest_number(g, ebx + 4, 4), 1);
	ck_assert_uint_eq(guest_number(g, ebx + 8, 4), 0);
	ck_assert_uint_eq(guest_number(g, ebx + 52, 4), 0);
	if (v.nr_modules) {
		v.module = guest_number(g, modules, 8);
		v.module_bytes = guest_number(g, modules + 8, 8);
		ck_assert_uint_eq(guest_number(g, modules + 16, 8), 0);
		ck_assert_uint_eq(guest_number(g, modules + 24, 8), 0);
	}
	v.cmdline = (const char *)guest_bytes(g, guest_number(g, ebx + 24, 8), 1);
	v.rsdp = guest_number(g, ebx + 32, 8);
	v.nr_map = (unsigned)guest_number(g, ebx + 48, 4);
	ck_assert_uint_le(v.nr_map, ARRAY_SIZE(v.map));
	for (unsigned i = 0; i < v.nr_map; i++) {
		v.map[i].start = guest_number(g, map + i * 24, 8);
		v.map[i].bytes = guest_number(g, map + i * 24 + 8, 8);
		v.map[i].type = (uint32_t)guest_number(g, map + i * 24 + 16, 4);
		ck_assert_uint_eq(guest_number(g, map + i * 24 + 20, 4), 0);
	}
	return v;
}

uint64_t guest_check_map(const struct guest_memory *g, const struct guest_view *v)
{
	uint64_t ram = 0;

	for (unsigned i = 0; i < v->nr_map; i++) {
		if (i)
			ck_assert_uint_ge(v->map[i].start,
					  v->map[i - 1].start + v->map[i - 1].bytes);
		ck_assert_uint_gt(v->map[i].bytes, 0);
		ck_assert_uint_eq((v->map[i].start | v->map[i].bytes) & 0xfff, 0);
		if (v->map[i].type == 1) {
			guest_bytes(g, v->map[i].start, v->map[i].bytes);
			ram += v->map[i].bytes;
		}
	}
	return ram;
}

static void check_sum(const struct guest_memory *g, uint64_t gpa, uint64_t bytes)
{
	const uint8_t *p = guest_bytes(g, gpa, bytes);
	uint8_t sum = 0;

	while (bytes--)
		sum = (uint8_t)(sum + *p++);
	ck_assert_uint_eq(sum, 0);
}

static bool has_signature(const struct guest_memory *g, uint64_t gpa, const char *signature)
{
	check_sum(g, gpa, guest_number(g, gpa + 4, 4));
	return !memcmp(guest_bytes(g, gpa, 36), signature, 4);
}

uint64_t guest_find_table(const struct guest_memory *g, const struct guest_view *v,
			  const char *signature)
{
	uint64_t xsdt = guest_number(g, v->rsdp + 24, 8), nr;

	ck_assert_int_eq(memcmp(guest_bytes(g, v->rsdp, 36), "RSD PTR ", 8), 0);
	check_sum(g, v->rsdp, 20);
	check_sum(g, v->rsdp, 36);
	ck_assert_uint_eq(guest_number(g, v->rsdp + 15, 1), 2);
	ck_assert_uint_eq(guest_number(g, v->rsdp + 20, 4), 36);
	ck_assert(has_signature(g, xsdt, "XSDT"));
	nr = (guest_number(g, xsdt + 4, 4) - 36) / 8;
	for (uint64_t i = 0; i < nr; i++) {
		uint64_t table = guest_number(g, xsdt + 36 + i * 8, 8);

		if (has_signature(g, table, signature))
			return table;
	}
	ck_abort_msg("no table %s", signature);
}

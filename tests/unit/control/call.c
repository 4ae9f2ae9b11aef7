#include "call.h"

#include "lodge/console.h"

struct lodge_control op;

static guest_ptr_t place;

/* A log of 600 letters. */
static uint64_t log_cleared;

size_t console_read_ring(uint64_t *pos, char *buf, size_t bytes)
{
	size_t n = 0;

	if (*pos < log_cleared)
		*pos = log_cleared;
	for (; n < bytes && *pos < 600; (*pos)++)
		buf[n++] = (char)('a' + *pos % 26);
	return n;
}

void console_clear_ring(uint64_t pos)
{
	log_cleared = pos;
}

void control_setup(void)
{
	world_setup();
	log_cleared = 0;
	memset(&op, 0, sizeof(op));
	place = fake_guest_space(sizeof(op));
}

int64_t control(uint32_t what, uint32_t domain)
{
	struct hypercall_args a = { .arg = { place.va } };
	int64_t result;

	op.version = LODGE_CONTROL_VERSION;
	op.op = what;
	op.domain = domain;
	memcpy(fake_guest_at(place), &op, sizeof(op));
	result = do_control(service->vcpu[0], &a);
	ck_assert_uint_eq(a.arg[0], place.va);
	memcpy(&op, fake_guest_at(place), sizeof(op));
	return result;
}

int64_t control_plain(uint32_t what, uint32_t domain)
{
	memset(&op, 0, sizeof(op));
	return control(what, domain);
}

int64_t control_to_end(uint32_t what, uint32_t domain, unsigned *ret_restarts)
{
	int64_t result;

	for (*ret_restarts = 0;; (*ret_restarts)++) {
		result = control(what, domain);
		if (result != HYPERCALL_RESTART)
			return result;
		ck_assert_uint_lt(*ret_restarts, 10000);
	}
}

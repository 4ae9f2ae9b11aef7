/* Carries out a plan: claim, populate, copy, finish, in this order. */
#include "build/build.h"

static int copy_piece(const struct build_piece *p, struct build_target *t, struct err *err)
{
	uint64_t bytes;

	for (uint64_t at = 0; at < p->bytes; at += bytes) {
		int ret;

		bytes = MIN(p->bytes - at, t->buffer_bytes);
		ret = source_read(p->source, p->offset + at, t->buffer, bytes, err);
		if (!ret)
			ret = t->ops->copy(t, p->gpa + at, bytes, err);
		if (ret)
			return ret;
	}
	return 0;
}

int build_plan_execute(const struct build_plan *plan, struct build_target *target, struct err *err)
{
	int ret = target->ops->claim(target, plan->nr_pages, err);

	for (unsigned i = 0; !ret && i < plan->nr_extents; i++)
		ret = target->ops->populate(target, &plan->extent[i], err);
	for (size_t i = 0; !ret && i < plan->nr_pieces; i++)
		ret = copy_piece(&plan->piece[i], target, err);
	if (!ret)
		ret = target->ops->finish(target, plan, err);
	return ret;
}

/* What Lodge's headers say. */
#include "table.h"

#include "ours-headers.h"

#define SIZE(type, public)           ROW("size of " #public, sizeof(struct type))
#define OFFSET(type, public, member) ROW(#public "." #member, offsetof(struct type, member))
#define VALUE(name)                  ROW(#name, name)

const struct row ours_64[] = {
#include "layout-64.h"
	{ "", 0 },
};

const struct row ours_32[] = {
#include "layout-32.h"
	{ "", 0 },
};

/* A new lodged takes over what an earlier one has left: running guests are found again by domain and uuid,
 * half-built ones are destroyed, stale nodes removed. */
#ifndef LODGE_DAEMON_ADOPT_H
#define LODGE_DAEMON_ADOPT_H

#include <cjson/cJSON.h>

#include "lib/err.h"

struct guest;
struct lodged;

/* For each record that was read; had_domain: it says that there was one. The guest's fields say what the
 * record says. */
void adopt_guest(struct guest *g, const cJSON *record, bool had_domain);

/* After all records were read. */
must_check int adopt_rest(struct lodged *l, struct err *err);

#endif

/* A lodged in the test's own process, with a fake hypervisor and a store. Its folders are the test's. */
#ifndef LODGE_TESTS_DAEMON_WORLD_H
#define LODGE_TESTS_DAEMON_WORLD_H

#include <cjson/cJSON.h>

#include "daemon/lodged.h"
#include "fake-hypervisor.h"

extern struct lodged lodged;

/* Kernels in the folder, the store, and a lodged. */
void world_setup(void);
void world_teardown(void);

/* lodged is killed, and another starts. What is in memory is lost; the hypervisor and the store stay. */
void world_restart(void);
/* Only the first, or the second half of it. */
void world_stop(void);
void world_start(void);

/* The store alone; it keeps nothing from one life to the next. One that hangs accepts connections, and does not
 * answer. */
void world_kill_store(void);
void world_start_store(void);
void world_hang_store(bool is_hanging);

const char *world_path(const char *name); /* in the test's folder; until the next call */

/* The loop, until a condition holds; the test fails when that takes seconds. */
#define world_until(condition)                         \
	do {                                           \
		for (int i_ = 0; !(condition); i_++) { \
			ck_assert_int_lt(i_, 500);     \
			world_turn();                  \
		}                                      \
	} while (0)
void world_turn(void);

/* Sends a request, in which ' stands for ", and waits for its last line; to be deleted. */
cJSON *world_call(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* The same for a request that has to succeed; its result, until the next call of this kind. */
const cJSON *world_ok(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* The code with which a request fails, "ok" if it does not. */
const char *world_code(const char *format, ...) __attribute__((__format__(__printf__, 1, 2)));

/* <domain> of that name; more: elements of it, with " for attributes. In a request as 'xml': '%s'. */
const char *world_xml(const char *name, const char *more);

const char *text_of(const cJSON *object, const char *name); /* "" when there is none */
int number_of(const cJSON *object, const char *name);       /* -1 when there is none */

/* A node's value, until the next call; "" when there is none. */
const char *node(const char *path);

#endif

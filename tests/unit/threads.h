/* Several CPUs at once: one thread for each, with the real locks between them. For tests that throw random
 * operations at core, and look afterwards whether anything was lost or held. */
#ifndef LODGE_TESTS_THREADS_H
#define LODGE_TESTS_THREADS_H

#include <check.h>
#include <pthread.h>

#include "fake-arch.h"

#define MAX_THREADS 4u

struct thread_cpu {
	unsigned cpu;
	void (*fn)(unsigned cpu);
};

static void *run_thread_cpu(void *arg)
{
	const struct thread_cpu *t = arg;

	fake_run_on(t->cpu);
	t->fn(t->cpu);
	return NULL;
}

/* Runs fn[i] on CPU i and waits for all. */
static inline void run_threads(unsigned nr, void (*const *fn)(unsigned cpu))
{
	struct thread_cpu t[MAX_THREADS];
	pthread_t thread[MAX_THREADS];

	fake_threads = true;
	for (unsigned i = 0; i < nr; i++) {
		t[i] = (struct thread_cpu){ i, fn[i] };
		ck_assert_int_eq(pthread_create(&thread[i], NULL, run_thread_cpu, &t[i]), 0);
	}
	for (unsigned i = 0; i < nr; i++)
		pthread_join(thread[i], NULL);
	fake_threads = false;
}

/* Each thread has a seed of its own. */
static inline uint32_t random_below(uint32_t *seed, uint32_t bound)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (*seed ^ *seed >> 15) % bound;
}

#endif

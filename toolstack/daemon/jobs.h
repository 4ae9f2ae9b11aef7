/*
 * Work that takes long: building a guest, emptying one, dumping one. A few threads do it, each with a
 * handle of its own to the hypervisor; everything else in lodged belongs to the loop's thread.
 */
#ifndef LODGE_DAEMON_JOBS_H
#define LODGE_DAEMON_JOBS_H

#include "lib/err.h"
#include "lib/list.h"

struct hypervisor;
struct loop;
struct jobs;

/* Memory of the caller's, which stays until done() is called. */
struct job {
	struct list_node node;
	void (*work)(struct job *j, struct hypervisor *hv); /* in some thread */
	void (*done)(struct job *j);                        /* in the loop's thread */
};

typedef struct hypervisor *(*hypervisor_open_fn)(void *argument);

must_check int jobs_create(struct loop *l, unsigned int max_threads, hypervisor_open_fn open,
			   void *argument, struct jobs **ret_jobs);
/* Ends what was submitted first, done() included. NULL is fine. */
void jobs_destroy(struct jobs *jobs);

void jobs_submit(struct jobs *jobs, struct job *j);

#endif

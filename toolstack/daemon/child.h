/*
 * A process that lodged keeps running, such as a device's backend. One that ends is started again: at once
 * when it ran for a while, else after a delay that doubles (0.1 s to 1 s: a guest waits for it).
 *
 * It gets descriptors 3, 4, … as asked for, /dev/null as its input, lodged's log as its output, no
 * signals blocked, and a process group of its own. It outlives lodged: the next lodged takes it over by
 * its process id and start time, which belong into the guest's record.
 */
#ifndef LODGE_DAEMON_CHILD_H
#define LODGE_DAEMON_CHILD_H

#include <sys/types.h>

#include "lib/err.h"

struct loop;
struct child;

#define CHILD_MAX_FDS       24u
#define CHILD_MAX_ARGUMENTS 64u

struct child_spec {
	const char *arguments[CHILD_MAX_ARGUMENTS]; /* the first is the program's path; then NULL */
	int fds[CHILD_MAX_FDS]; /* the caller's; the child keeps duplicates for the next start */
	size_t nr_fds;
	/* It ended by itself; how: "exit status 1", "killed by signal 11". It is started again later,
	 * unless this function stops it. May be NULL. */
	void (*ended)(void *argument, const char *how);
	/* It was started, the first time and each further time, with its process id. May be NULL. */
	void (*started)(void *argument);
	void *argument;
};

/* Everything in the spec is copied. It does not run yet. */
must_check int child_create(struct loop *l, const struct child_spec *spec, struct child **ret_child,
			    struct err *err);

/* The first start. After a failure it can be tried again, or given up by child_stop(). */
must_check int child_start(struct child *c, struct err *err);

/* In place of child_start(): goes on with a process that an earlier lodged has started, or starts a new one
 * when that is not there any more. */
must_check int child_adopt(struct child *c, pid_t pid, uint64_t start_time, struct err *err);

/* Its next start is as the spec says. On failure all stays as it was. */
must_check int child_change(struct child *c, const struct child_spec *spec, struct err *err);

/* The process that runs is asked to end (SIGTERM, after 2 seconds SIGKILL), and the next one is started at once; ended() is
 * not called for that. */
void child_restart(struct child *c);

/* Asks it to end (SIGTERM), kills it after 2 seconds, and reaps it. stopped (may be NULL) is called when it is
 * gone, which may be at once; the child itself is no longer the caller's when this returns. */
void child_stop(struct child *c, void (*stopped)(void *argument), void *argument);

/* Lets go of it without ending it: lodged leaves. NULL is fine. */
void child_forget(struct child *c);

/* Whether a process is the one that was started then. Who wants it to stay so holds a pidfd before asking. */
bool process_is(pid_t pid, uint64_t start_time);

pid_t child_pid(const struct child *c);              /* 0: it waits to be started again */
uint64_t child_start_time(const struct child *c);    /* in the kernel's unit, for child_adopt() */
bool child_is_steady(const struct child *c);         /* it runs, and has for a while */
unsigned int child_nr_starts(const struct child *c); /* an adopted process is one */

#endif

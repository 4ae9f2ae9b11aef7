/*
 * A guest: a name, a definition (or none), and a domain (or none). What happens to one goes through here, so
 * that its record on disk, its events and those who wait for it agree.
 *
 *	OFF → BUILDING → RUNNING → DYING → OFF, and RUNNING → ENDED (preserved) → DYING
 *
 * A transient guest (without a definition) is forgotten when it is OFF.
 */
#ifndef LODGE_DAEMON_GUEST_H
#define LODGE_DAEMON_GUEST_H

#include <cjson/cJSON.h>

#include "abi/control.h"
#include "daemon/config-ref.h"
#include "daemon/lodged.h"
#include "daemon/policy.h"

enum guest_state {
	GUEST_OFF,
	GUEST_BUILDING,
	GUEST_RUNNING, /* the domain is there; it may be paused */
	GUEST_ENDED,   /* the domain is there, shut down, and kept */
	GUEST_DYING,   /* the domain and its devices are going away */
};

#define NO_DOMAIN LODGE_DOMAIN_ANY

/* Of guest-end.c. A part of each guest: who has no memory left can still end one. */
struct guest_end {
	struct job job;
	uint32_t domain;
	int ret;
	unsigned int nr_pending; /* the domain, the backends */
	uint64_t ran_ms;
	void (*then)(void *argument); /* of a start that failed; else NULL */
	void *argument;
};

struct guest {
	struct list_node node; /* lodged->guests */
	struct lodged *lodged;
	char *name;
	uint8_t uuid[16];
	struct config *defined; /* NULL: transient */
	struct config *active;  /* what its domain was made from; NULL: there is none */

	enum guest_state state;
	uint32_t domain; /* NO_DOMAIN: none; guest_set_domain() */
	uint8_t domain_uuid
		[16];   /* as the hypervisor knows it: differs for one that was set aside */
	bool is_paused; /* by an administrator */
	bool has_crashed;
	const char *requested; /* "poweroff" or "reboot": it was asked to; NULL: it was not */
	int64_t started;       /* seconds since 1970 */
	uint64_t started_ns;   /* loop_now_ns() */
	uint64_t log_file;     /* its console's log then, by number, and how long that was: */
	uint64_t log_bytes;    /* what stands before is of earlier runs */
	struct list devices;   /* struct device */

	struct guest_start *start; /* while BUILDING */
	struct guest_end end;      /* while DYING */
	struct console_sync *sync; /* its last lines are on their way to its log */
	struct loop_timer restart; /* it waits for its next start */
	struct restart_history restarts;
	bool is_restarting; /* it is to start again, as its record says */

	cJSON *why;          /* how it ended last; NULL: never */
	struct list waiters; /* struct guest_waiter */
};

/* Called after every change; when the guest is forgotten, for the last time and with g NULL. Memory of the
 * caller's. */
struct guest_waiter {
	struct list_node node;
	void (*changed)(struct guest_waiter *w, struct guest *g);
};

/* --- finding, making, forgetting (guest.c) --- */

struct guest *guest_find(struct lodged *l, const char *name); /* a name, a uuid or a domain's id */
struct guest *guest_by_name(struct lodged *l, const char *name);
struct guest *guest_by_uuid(struct lodged *l, const uint8_t uuid[16]);
struct guest *guest_by_domain(struct lodged *l, uint32_t domain);

void guests_init(struct lodged *l);
void guest_set_domain(struct guest *g, uint32_t domain);

/* A guest that is OFF and has no definition. -EEXIST when name or uuid is in use. */
must_check int guest_create(struct lodged *l, const char *name, const uint8_t uuid[16],
			    struct guest **ret_guest, struct err *err);
/* It is OFF. Its record goes, too. */
void guest_forget(struct guest *g);
/* Memory only: lodged leaves. */
void guest_free(struct guest *g);

/* What a name may be: no "/", no control characters, not only digits, not a uuid. */
must_check int guest_check_name(const char *name, struct err *err);
/* It is OFF, or a guest that was set aside. On failure it keeps its name. */
must_check int guest_rename(struct guest *g, const char *name, struct err *err);

/* Makes it the definition, and writes it; takes a reference. What runs stays as it is, and its record says so. */
must_check int guest_define(struct guest *g, struct config *c, struct err *err);
must_check int guest_undefine(struct guest *g, struct err *err);
/* What runs is about to change without the definition, or the other way round: g->active is g's own from here on,
 * and says what it is by its structure, not by a text that somebody once wrote. */
must_check int guest_own_active(struct guest *g, struct err *err);

const char *guest_state_name(const struct guest *g); /* as `list` shows it */
bool guest_has_domain(const struct guest *g);
void guest_uuid_text(const uint8_t uuid[16], char ret_text[37]);
/* Where its console is kept, to be freed; NULL without memory. */
char *guest_console_log(const struct guest *g);

/* Tells waiters and, with an event, listeners. */
void guest_changed(struct guest *g, const char *event);
void guest_wait(struct guest *g, struct guest_waiter *w);
void guest_unwait(struct guest_waiter *w); /* fine when it does not wait */

/* --- from OFF to RUNNING (guest-start.c) --- */

/* g is NULL with an error. */
typedef void (*guest_started_fn)(void *argument, struct guest *g, int ret, const struct err *err);
typedef void (*guest_progress_fn)(void *argument, const char *text, unsigned int percent);

struct start_request {
	struct config *config;
	bool is_paused;
	bool is_again; /* it ran before: when this start fails, it is tried again some times */
	guest_started_fn done;      /* may be NULL */
	guest_progress_fn progress; /* may be NULL */
	void *argument;
};

/* On failure the guest is OFF, or forgotten if it is transient, and done is not called; else done is called
 * later, when the guest runs, or is OFF or forgotten again. */
must_check int guest_start(struct guest *g, const struct start_request *request, struct err *err);
/* A backend has another state: perhaps the start waits for it. */
void guest_start_look(struct guest *g);
/* It is BUILDING: the start fails as soon as it can. */
void guest_start_cancel(struct guest *g);

/* --- from RUNNING to OFF (guest-end.c) --- */

/* Ends its domain, whatever state it is in, because of `reason` ("destroyed"); GUEST_OFF comes later. */
void guest_destroy(struct guest *g, const char *reason, const char *text);
/* Its domain has ended by itself, or is gone: does what the description says. */
void guest_domain_ended(struct guest *g, const struct lodge_domain_info *info);
/* A start has failed: what there is of a domain goes, then `then` is called. */
void guest_abort(struct guest *g, void (*then)(void *argument), void *argument);
/* Looks at all domains that have changed. */
void guests_look(struct lodged *l);

/* --- xenstore (guest-nodes.c) --- */

struct guest_rings {
	uint64_t store_gfn, console_gfn;
	uint32_t store_port, console_port;
};

/* Everything that a new domain needs, devices included, and introduces it. */
must_check int guest_nodes_write(struct guest *g, const struct guest_rings *rings, struct err *err);
void guest_nodes_remove(const struct guest *g, struct batch *b);
/* What a domain has left that lodged does not know. */
void nodes_remove_domain(struct batch *b, uint32_t domain);

#endif

/* What the store keeps: the tree, the domains it knows, their limits, watches and connections.
 *
 * One thread does everything; a request is handled from its first byte to its last effect before the next
 * one is looked at. What survives a restart goes to the journal (journal.h) as it changes. */
#ifndef LODGE_STORE_STORE_H
#define LODGE_STORE_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/list.h"
#include "tree.h"
#include "watch.h"

#define NR_DOMIDS   0x7ff0u /* higher ones are no domains */
#define DOMID_NONE  0xffffu /* also: the defaults, where quotas are set */
#define MAX_SOCKETS 512u

enum quota {
	QUOTA_NODES,        /* that a domain owns */
	QUOTA_WATCHES,      /* that it has set */
	QUOTA_TRANSACTIONS, /* that it has open */
	QUOTA_OUTSTANDING,  /* answers it has not fetched; more requests wait in its ring */
	QUOTA_NODE_SIZE,    /* bytes of a value */
	QUOTA_PATH_LENGTH,
	QUOTA_PERMS,    /* entries of one node */
	QUOTA_ACCESSES, /* nodes touched by one transaction */
	QUOTA_MEMORY,   /* bytes of its transactions, its watches and of what waits to be fetched */
	QUOTA_NR,
};

struct conn;
struct journal;
struct platform;

struct domain {
	uint16_t id;
	uint16_t target; /* acts for that one too, or DOMID_NONE */
	bool is_introduced;
	bool is_shut_down;  /* @releaseDomain told so */
	uint32_t port;      /* its own end */
	uint64_t gfn;       /* as introduced; the ring is reached by its grant */
	uint64_t first_gen; /* permissions given before named an earlier domain of this id */
	uint32_t nr_nodes;
	uint32_t quota[QUOTA_NR]; /* 0: the default */
	int64_t hit_s[QUOTA_NR];  /* when hitting it was last logged */
	int64_t failed_s;         /* when its disconnection was */
	struct conn *conn;        /* while introduced */
};

struct store {
	struct node *root;
	struct content *special[2]; /* who may watch @introduceDomain, @releaseDomain */
	uint64_t gen;               /* the newest generation: see tree.h */
	uint32_t quota[QUOTA_NR];
	struct domain *domains[NR_DOMIDS]; /* those ever named */
	struct watch_index watches;
	struct list conns; /* struct conn.node; sockets are in front of rings */
	struct list ready; /* struct conn.ready_node: look at them */
	uint32_t nr_sockets;
	struct conn **ports; /* by local port: whose ring it belongs to */
	uint32_t nr_ports;
	struct journal *journal;   /* NULL: nothing survives */
	struct platform *platform; /* NULL: no rings */
	bool is_tracing;           /* log every request */
	bool wants_handover;       /* execute the program anew */
	bool has_looked_at_all;    /* domains that ended while no store was there are released */
};

extern const char *const quota_names[QUOTA_NR];

struct store *store_create(struct platform *platform); /* NULL: out of memory */
void store_destroy(struct store *s);

/* The domain's record, made if need be; NULL: out of memory or no domain id. */
struct domain *store_domain(struct store *s, uint32_t domid);

uint32_t quota_of(const struct store *s, const struct domain *d, enum quota q);

/* What a domain makes the store say is said once a minute: whether it is time again. *last_s: 0 at first. */
bool store_may_log(int64_t *last_s);

/* Says that d was refused something. */
void quota_log_hit(const struct store *s, struct domain *d, enum quota q);

/* The permissions that count for special path, or NULL. */
struct content **store_special(struct store *s, const char *path);

/* Index into special[], and the name, of the events about domains. */
enum { EVENT_INTRODUCE, EVENT_RELEASE };
void store_fire_domain_event(struct store *s, unsigned int event, uint16_t domid);

/* Events of that local port are for conn from now on; NULL: for nobody. */
must_check int store_set_port(struct store *s, uint32_t local_port, struct conn *conn);

/* Begins, or begins anew, to serve a domain's ring. With fresh, indices start at what the ring says, and
 * watches and transactions are gone. On failure nothing is served and the domain is not introduced. */
must_check int store_introduce(struct store *s, struct domain *d, uint64_t gfn, uint32_t port);
void store_release(struct store *s, struct domain *d);

/* The platform says that something has happened to domains: those that have ended are released. */
void store_domains_changed(struct store *s);

#endif

/* What all of lodged shares: where things are, and its parts. Belongs to the loop's thread. */
#ifndef LODGE_DAEMON_LODGED_H
#define LODGE_DAEMON_LODGED_H

#include "daemon/events.h"
#include "daemon/index.h"
#include "daemon/jobs.h"
#include "daemon/loop.h"
#include "daemon/nodes.h"
#include "lib/err.h"
#include "lib/log.h"

struct hypervisor;
struct device_class;

#define LODGED_VERSION "0.1"

struct options {
	const char *run_dir;     /* /run/lodge: sockets */
	const char *state_dir;   /* /var/lib/lodge: definitions, records, kernels, dumps */
	const char *log_dir;     /* /var/log/lodge: consoles */
	const char *libexec_dir; /* /usr/libexec/lodge: programs of devices */
	const char *grub;        /* what starts guests from their disks */
	const char *store_socket;
	uint32_t user_base; /* who serves domain N's devices is user user_base + N */
	uint32_t stop_s;    /* that guests have to shut down when the host does */
	bool no_autostart;
};

struct lodged {
	struct options options;
	struct loop loop;
	struct nodes *nodes;
	struct hypervisor *hv; /* the loop's thread's own */
	struct jobs *jobs;
	uint32_t nr_cpus; /* of the host */
	int lock_fd;      /* of state_dir: there is one lodged */
	char *host;       /* what makes MAC addresses this host's; may be NULL */
	char boot_id[40]; /* records of another boot are of guests that are gone */

	struct list guests;                       /* struct guest, in the order of their names */
	struct index by_name, by_uuid, by_domain; /* the same; by_domain those that have one */
	struct list gone; /* struct memory: why guests that are forgotten ended, latest first */
	uint64_t change;  /* of domains, seen so far */
	struct nodes_watch domains_watch;

	struct events events;
	struct list clients;
	struct loop_fd listener;
	struct host_stop *stop; /* the host shuts down, and nothing is started; NULL: it does not */
	struct autostart *autostart; /* going on; NULL: done */
};

/* With options set, and everything else zero. Takes over what an earlier one has left, and starts what is to
 * start with the host. On failure nothing is left. */
must_check int lodged_open(struct lodged *l, hypervisor_open_fn open_hv, void *argument,
			   struct err *err);
/* Guests and their backends stay. */
void lodged_close(struct lodged *l);

/* The kinds of devices that guests can have, and how many. */
extern const struct device_class *const device_classes[];
extern const size_t nr_device_classes;

#endif

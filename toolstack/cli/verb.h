/* The verbs of lodge: one row each. From the rows follow what is accepted, usage errors, `lodge help`, bash
 * completion (which asks `lodge help --table`), and the synopses of the manual page, which a test compares. */
#ifndef LODGE_CLI_VERB_H
#define LODGE_CLI_VERB_H

#include "lib/rpc.h"
#include "lib/util.h"

struct call;

enum verb_option {
	/* accepted by every verb, and before it */
	OPT_HOST,
	OPT_SOCKET,
	OPT_JSON,
	OPT_QUIET,
	OPT_HELP,
	OPT_VERSION, /* only before a verb */

	OPT_ALL,
	OPT_BRIDGE,
	OPT_CAP,
	OPT_CLEAR,
	OPT_CONFIG,
	OPT_CONSOLE,
	OPT_DISABLE,
	OPT_ESCAPE,
	OPT_FOLLOW,
	OPT_FOR,
	OPT_FORCE,
	OPT_FORMAT,
	OPT_HOW,
	OPT_INACTIVE,
	OPT_LINES,
	OPT_LIVE,
	OPT_MAC,
	OPT_MODE,
	OPT_NAMES,
	OPT_NO_HEADER,
	OPT_PAUSED,
	OPT_QUIET_FOR,
	OPT_READ_ONLY,
	OPT_SOURCE,
	OPT_TABLE,
	OPT_TARGET,
	OPT_TIMEOUT,
	OPT_WAIT,
	OPT_WEIGHT,
	OPT_NR
};

#define OPTIONS_OF_ALL \
	(BIT64(OPT_HOST) | BIT64(OPT_SOCKET) | BIT64(OPT_JSON) | BIT64(OPT_QUIET) | BIT64(OPT_HELP))

struct option_row {
	const char *name;
	char letter;       /* 0: none */
	const char *value; /* NULL: has none. "a|b" are the words that it may be, "NAME" anything */
	const char *help;
};

extern const struct option_row option_rows[OPT_NR];

struct verb {
	const char *name;
	const char *args; /* words: "GUEST FILE... [PATH]"; "on|off" are the words that it may be */
	uint64_t options; /* bits of enum verb_option */
	const char *help; /* one line */
	enum rpc_code (*run)(struct call *c);
	const char *more;  /* NULL, or more lines of help */
	const char *group; /* not NULL: a heading of `lodge help` begins here */
};

extern const struct verb verbs[];
extern const size_t nr_verbs;

/* By its name or by another one, which xl or virsh have. NULL: none; *ret_near is then the nearest name, or
 * NULL. */
const struct verb *verb_find(const char *name, const char **ret_near);

/* How many arguments a verb takes. */
void verb_count_args(const struct verb *v, size_t *ret_min, size_t *ret_max);

/* "create [--paused] [-c|--console] FILE...", to be freed; never NULL. */
char *verb_synopsis(const struct verb *v);

enum rpc_code run_apply(struct call *c);
enum rpc_code run_autostart(struct call *c);
enum rpc_code run_console(struct call *c);
enum rpc_code run_create(struct call *c);
enum rpc_code run_define(struct call *c);
enum rpc_code run_destroy(struct call *c);
enum rpc_code run_disk_attach(struct call *c);
enum rpc_code run_disk_clone(struct call *c);
enum rpc_code run_disk_detach(struct call *c);
enum rpc_code run_disk_list(struct call *c);
enum rpc_code run_disk_resize(struct call *c);
enum rpc_code run_dmesg(struct call *c);
enum rpc_code run_doctor(struct call *c);
enum rpc_code run_dump_core(struct call *c);
enum rpc_code run_dumpxml(struct call *c);
enum rpc_code run_edit(struct call *c);
enum rpc_code run_events(struct call *c);
enum rpc_code run_help(struct call *c);
enum rpc_code run_host(struct call *c);
enum rpc_code run_host_stop(struct call *c);
enum rpc_code run_info(struct call *c);
enum rpc_code run_list(struct call *c);
enum rpc_code run_log(struct call *c);
enum rpc_code run_nic_attach(struct call *c);
enum rpc_code run_nic_detach(struct call *c);
enum rpc_code run_nic_link(struct call *c);
enum rpc_code run_nic_list(struct call *c);
enum rpc_code run_pause(struct call *c);
enum rpc_code run_pin(struct call *c);
enum rpc_code run_plan(struct call *c);
enum rpc_code run_proxy(struct call *c);
enum rpc_code run_reboot(struct call *c);
enum rpc_code run_rename(struct call *c);
enum rpc_code run_resume(struct call *c);
enum rpc_code run_sched(struct call *c);
enum rpc_code run_set_memory(struct call *c);
enum rpc_code run_set_vcpus(struct call *c);
enum rpc_code run_shutdown(struct call *c);
enum rpc_code run_start(struct call *c);
enum rpc_code run_sysrq(struct call *c);
enum rpc_code run_undefine(struct call *c);
enum rpc_code run_validate(struct call *c);
enum rpc_code run_vcpu_list(struct call *c);
enum rpc_code run_version(struct call *c);
enum rpc_code run_wait(struct call *c);
enum rpc_code run_why(struct call *c);

#endif

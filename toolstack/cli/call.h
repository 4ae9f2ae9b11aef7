/* One run of a verb: what was asked for, and the connection to whom it is passed on. */
#ifndef LODGE_CLI_CALL_H
#define LODGE_CLI_CALL_H

#include "cli/args.h"
#include "cli/client.h"
#include "cli/say.h"

struct call {
	const struct verb *verb;
	struct args args;
	struct client client;
};

/* A request, to be deleted; guest may be NULL. These never return without: without memory, the program
 * ends. */
cJSON *call_request(const char *verb, const char *guest);
void call_put_text(cJSON *request, const char *key, const char *value);
void call_put_number(cJSON *request, const char *key, uint64_t value);
void call_put_true(cJSON *request, const char *key);

/* Sends a request, deletes it, tells of failures and warnings. With RPC_OK *ret_result is the result, to be
 * deleted: an object, empty where lodged sent none. */
must_check enum rpc_code call_ask(struct call *c, cJSON *request, cJSON **ret_result);

/* The same; then prints the result, with --json as it is, else by show. */
typedef void (*call_show_fn)(struct call *c, const cJSON *result);
enum rpc_code call_show(struct call *c, cJSON *request, call_show_fn show);

/* A usage error: "lodge: VERB: text". */
enum rpc_code call_usage(const struct call *c, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/* The value of an option that is a number, or a time in seconds, or `otherwise` where it was not given. */
must_check enum rpc_code call_number(const struct call *c, enum verb_option option, uint64_t min,
				     uint64_t max, uint64_t otherwise, uint64_t *ret_number);
must_check enum rpc_code call_seconds(const struct call *c, enum verb_option option,
				      uint64_t otherwise, uint64_t *ret_seconds);

/* run for each word; goes on after a failure, unless there is nobody to ask, and returns the first. */
enum rpc_code call_each(struct call *c, enum rpc_code (*run)(struct call *c, const char *word));

/* A path as lodged has to be told it: from the root on, unless lodged is on another host. To be freed. */
char *call_path(const struct call *c, const char *path);

/* Attaches to a guest's console until the user leaves or the guest ends; for --console. */
enum rpc_code console_attach(struct call *c, const char *guest);

/* Members of what lodged sends; NULL, 0, false where they are missing or of another type. */
const char *json_text(const cJSON *object, const char *key);
double json_number(const cJSON *object, const char *key);
bool json_true(const cJSON *object, const char *key);

#endif

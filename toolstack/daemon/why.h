/* How a guest ended, in a form that people and programs read: the why object of docs/lodged.md. */
#ifndef LODGE_DAEMON_WHY_H
#define LODGE_DAEMON_WHY_H

#include <cjson/cJSON.h>
#include <sys/types.h>

#include "abi/control.h"
#include "daemon/policy.h"

struct guest;
struct lodged;

/* Time, reason and a line of text. NULL without memory. */
cJSON *why_create(enum end_reason reason, const char *text);
/* For a domain that crashed: its vCPUs' registers and back traces. */
void why_add_vcpus(cJSON *why, struct lodged *l, const struct lodge_domain_info *info);
/* The last lines of the guest's console, of those since why_note_log(). */
void why_add_console(cJSON *why, const struct guest *g);
void why_note_log(struct guest *g); /* it is about to start */
void why_set_action(cJSON *why, const char *action);
const char *why_text(const cJSON *why); /* "" when there is none */
/* Without console and vCPUs: for lists, which would become too long. */
cJSON *why_in_short(const cJSON *why);

/* Guests that are forgotten: the last ones are remembered by name. */
struct memory;
void why_remember(struct lodged *l, const struct guest *g);
const cJSON *why_remembered(const struct lodged *l, const char *name); /* NULL: nothing */
void why_forget_all(struct lodged *l);

/* The last lines of a file, an array of strings; fewer where they would not fit into an answer. */
cJSON *last_lines(const char *path, size_t max_lines);
/* The same, of what is behind so many bytes. */
cJSON *last_lines_behind(const char *path, off_t bytes, size_t max_lines);

#endif

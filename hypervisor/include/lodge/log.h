/* Messages, panics and assertions. Every message goes to the console ring and, by log level, to the
 * serial line; nothing here allocates or sleeps, and all of it may be called with any lock held. */
#ifndef LODGE_LOG_H
#define LODGE_LOG_H

#include "lib/format.h"
#include "lodge/types.h"

struct domain;

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* Prints "lodge: " and the message; the caller writes the newline. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_err(...)   log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

/* A message that a guest can cause: rate-limited for each domain and for all guests, prefixed with its id. */
void guest_log(struct domain *d, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Stops all CPUs and tells everything: registers, back trace, last trace records. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* One line for the administrator, then halt: for machines and inputs that Lodge cannot work with. */
_Noreturn void boot_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define BUG() panic("bug at %s:%d", __FILE__, __LINE__)
#define BUG_ON(cond)                                                          \
	do {                                                                  \
		if (unlikely(cond))                                           \
			panic("bug at %s:%d: %s", __FILE__, __LINE__, #cond); \
	} while (0)

#if LODGE_DEBUG
#define ASSERT(cond) BUG_ON(!(cond))
#else
#define ASSERT(cond)             \
	do {                     \
		if (0 && (cond)) \
			(void)0; \
	} while (0)
#endif

#endif

/* How much a disk may do: bytes and operations a second, read, written and together, each with a burst. A limit is a
 * token bucket that refills at the rate and holds what the burst is beyond the rate; where there is a burst, a second
 * bucket holds it to its own rate. A request is let through when no bucket concerned is empty, and may leave a debt:
 * so one that is larger than a bucket does not wait for ever. */
#ifndef LODGE_BLOCK_LIMIT_H
#define LODGE_BLOCK_LIMIT_H

#include "lib/err.h"

enum limit_unit { LIMIT_BYTES, LIMIT_OPERATIONS, LIMIT_UNITS };
enum limit_scope { LIMIT_TOTAL, LIMIT_READ, LIMIT_WRITE, LIMIT_SCOPES };

struct bucket {
	double rate; /* a second; 0: no limit */
	double capacity;
	double level;
};

struct limit {
	uint64_t rate, max, max_length; /* as set; max_length in seconds */
	struct bucket average, burst;
};

struct limits {
	struct limit limit[LIMIT_UNITS][LIMIT_SCOPES];
	uint64_t operation_size; /* bytes that count as an operation; 0: any number */
	uint64_t last_ns;
	bool is_any; /* else there is nothing to ask */
};

/* Takes one setting, such as "bytes-read=1000000", "operations-total-max=500", "bytes-write-max-length=10" or
 * "operation-size=4096". -EINVAL. */
must_check int limits_set(struct limits *l, const char *text, struct err *err);

/* After the settings: full buckets. */
void limits_start(struct limits *l, uint64_t now_ns);

/* 0: the request may go, and is counted. Else: the nanoseconds until it is worth asking again. */
uint64_t limits_ask(struct limits *l, bool is_write, uint64_t bytes, uint64_t now_ns);

#endif

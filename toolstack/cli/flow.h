/* Bytes on their way from one descriptor to another, through a buffer that is filled when it is empty. */
#ifndef LODGE_CLI_FLOW_H
#define LODGE_CLI_FLOW_H

#include <poll.h>

#include "lib/util.h"

#define FLOW_BYTES 4096u /* no more than poll() promises to take at once */

struct flow {
	int from, to;
	bool is_to_socket; /* whose peer may go away without a signal to us */
	char bytes[FLOW_BYTES];
	size_t at, nr;   /* the part of the buffer that is to be written */
	bool has_ended;  /* nothing more comes; what is in the buffer remains to be written */
	bool has_failed; /* nothing more can be written */
};

/* What to poll() for. */
void flow_prepare(const struct flow *f, struct pollfd polls[2]);

/* After poll(): true when bytes have come, which are all that is in the buffer. */
bool flow_read(struct flow *f, const struct pollfd polls[2]);
void flow_write(struct flow *f, const struct pollfd polls[2]);

#endif

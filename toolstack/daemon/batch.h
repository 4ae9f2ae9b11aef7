/* Inside of a batch (nodes.h): what the connection needs to send it and to sort the answers in. */
#ifndef LODGE_DAEMON_BATCH_H
#define LODGE_DAEMON_BATCH_H

#include "abi/xs-wire.h"
#include "daemon/nodes.h"

enum batch_mercy { MERCY_NONE, MERCY_MISSING, MERCY_ANY }; /* which error is none */

struct batch_answer {
	size_t offset; /* of the request in bytes */
	enum batch_mercy mercy;
	char *data; /* with a zero byte behind; NULL: none came, or it was an error */
	size_t bytes;
	int err;
};

void batch_forget_answers(struct batch *b);

/* An answer to one of its requests. Takes over data. */
void batch_take_answer(struct batch *b, const struct xsd_sockmsg *header, char *data);

/* The first failure, in words. */
must_check int batch_result(const struct batch *b, struct err *err);

int batch_error_code(const char *name); /* "ENOENT" */

#endif

/* lodged-call REQUEST...: sends each request (JSON) to lodged, prints each line that comes back, and ends with the
 * status of the last one. */
#include <stdio.h>
#include <stdlib.h>

#include "lib/rpc.h"

static int print_line(void *argument, const cJSON *line)
{
	char *text = cJSON_PrintUnformatted(line);

	(void)argument;
	puts(text ? text : "no memory");
	fflush(stdout);
	cJSON_free(text);
	return 0;
}

static int call(struct rpc_stream *s, const char *text)
{
	cJSON *request = cJSON_Parse(text), *reply;
	struct err err;
	int status = RPC_NO_DAEMON;

	if (!request) {
		fprintf(stderr, "lodged-call: not JSON: %s\n", text);
		return RPC_USAGE;
	}
	if (rpc_call(s, request, print_line, NULL, &reply, &err)) {
		fprintf(stderr, "lodged-call: %s\n", err.text);
	} else {
		print_line(NULL, reply);
		status = (int)rpc_reply_code(reply);
		cJSON_Delete(reply);
	}
	cJSON_Delete(request);
	return status;
}

int main(int argc, char **argv)
{
	const char *path = getenv("LODGED_SOCKET");
	struct rpc_stream s;
	struct err err;
	int status = RPC_OK;

	if (rpc_connect(path ? path : RPC_SOCKET, &s, &err)) {
		fprintf(stderr, "lodged-call: %s\n", err.text);
		return RPC_NO_DAEMON;
	}
	for (int i = 1; i < argc && status != RPC_NO_DAEMON; i++)
		status = call(&s, argv[i]);
	rpc_stream_fini(&s);
	return status;
}

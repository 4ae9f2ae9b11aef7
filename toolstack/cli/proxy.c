/* proxy: the far end of `lodge -H`. Carries a socket until either side ends. */
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "cli/call.h"
#include "cli/flow.h"

/* Who waits at the other end reads replies of lodged's. */
static enum rpc_code refuse(int code, const struct err *err)
{
	enum rpc_code status = code == -EACCES ? RPC_DENIED : RPC_NO_DAEMON;
	cJSON *reply = say_memory(cJSON_CreateObject());

	say_memory(cJSON_AddFalseToObject(reply, "ok"));
	call_put_text(reply, "code", rpc_code_name(status));
	call_put_text(reply, "error", err->text);
	say_json(reply);
	cJSON_Delete(reply);
	return status;
}

enum rpc_code run_proxy(struct call *c)
{
	const char *path = c->args.nr_words ? c->args.words[0] : c->client.socket;
	struct err err;
	int fd = client_open(&c->client, path, &err);
	struct flow in = { .from = STDIN_FILENO, .to = fd, .is_to_socket = true };
	struct flow out = { .from = fd, .to = STDOUT_FILENO };
	struct pollfd polls[4];

	if (fd < 0)
		return refuse(fd, &err);
	while (!(out.has_ended && !out.nr) && !out.has_failed && !in.has_ended && !in.has_failed) {
		flow_prepare(&in, polls);
		flow_prepare(&out, polls + 2);
		if (poll(polls, ARRAY_SIZE(polls), -1) < 0)
			continue;
		flow_read(&in, polls);
		flow_write(&in, polls);
		flow_read(&out, polls + 2);
		flow_write(&out, polls + 2);
	}
	close(fd);
	return RPC_OK;
}

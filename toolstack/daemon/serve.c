/* See serve.h. */
#include "daemon/serve.h"

#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/guest.h"

#define GROUP    "lodge"
#define BACKLOG  64
#define OUT_MAX  (8u << 20) /* who does not fetch its answers is sent away */
#define STORE_MS 10000u     /* that a verb waits for xenstore */

struct client {
	struct list_node node; /* lodged->clients */
	struct lodged *lodged;
	struct loop_fd fd;
	struct rpc_stream stream;
	struct request *request; /* being worked on; NULL: none */
	struct loop_task next;   /* look for one that has come already */
	bool is_ended;           /* it will not send more; what it is owed is sent */
};

static void request_free(struct request *r)
{
	cJSON_Delete(r->message);
	cJSON_Delete(r->warnings);
	free(r->private);
	free(r);
}

static void client_free(struct client *c)
{
	struct request *r = c->request;

	list_remove(&c->node);
	loop_remove(&c->fd);
	loop_task_cancel(&c->next);
	rpc_stream_fini(&c->stream);
	free(c);
	if (!r)
		return;
	r->client = NULL;
	if (r->gone)
		r->gone(r);
}

/* Sends what it can, the rest when there is room. False: the client is beyond help. */
static bool flush(struct client *c)
{
	int ret = rpc_stream_send(&c->stream);
	bool has_more = ret == -EAGAIN && c->stream.nr_out - c->stream.sent < OUT_MAX;
	uint32_t events = c->is_ended ? 0 : EPOLLIN;

	loop_change(&c->fd, has_more ? events | EPOLLOUT : events);
	return !ret || has_more;
}

static cJSON *failure(enum rpc_code code, const char *text)
{
	cJSON *line = cJSON_CreateObject();

	cJSON_AddFalseToObject(line, "ok");
	cJSON_AddStringToObject(line, "code", rpc_code_name(code));
	cJSON_AddStringToObject(line, "error", text);
	return line;
}

/* In place of the last line, if that is one. */
static int put_too_long(struct client *c, const cJSON *line)
{
	cJSON *instead;
	int ret;

	if (!cJSON_HasObjectItem(line, "ok"))
		return -EMSGSIZE;
	instead = failure(RPC_FAILED, "the answer is longer than an answer may be");
	ret = rpc_stream_put(&c->stream, instead);
	cJSON_Delete(instead);
	return ret;
}

static void say(struct request *r, const cJSON *line)
{
	struct client *c = r->client;
	int ret;

	if (!c)
		return;
	ret = rpc_stream_put(&c->stream, line);
	if (ret == -EMSGSIZE)
		ret = put_too_long(c, line);
	if (ret) {
		log_line("an answer is lost: too long, or no memory");
		shutdown(c->fd.fd, SHUT_RDWR); /* the loop then sees its end */
		return;
	}
	if (!flush(c))
		shutdown(c->fd.fd, SHUT_RDWR);
}

/* --- answers --- */

/* The last line of a request, which is gone then. */
static void finish(struct request *r, cJSON *line)
{
	struct client *c = r->client;

	if (r->warnings) {
		cJSON_AddItemToObject(line, "warnings", r->warnings);
		r->warnings = NULL;
	}
	if (c)
		c->request = NULL;
	say(r, line);
	if (c)
		loop_soon(&c->lodged->loop, &c->next);
	cJSON_Delete(line);
	request_free(r);
}

void request_ok(struct request *r, cJSON *result)
{
	cJSON *line = cJSON_CreateObject();

	cJSON_AddTrueToObject(line, "ok");
	cJSON_AddItemToObject(line, "result", result ? result : cJSON_CreateObject());
	finish(r, line);
}

void request_fail_details(struct request *r, enum rpc_code code, const char *text, cJSON *details)
{
	cJSON *line = failure(code, text);

	if (details)
		cJSON_AddItemToObject(line, "details", details);
	finish(r, line);
}

void request_fail(struct request *r, enum rpc_code code, const char *format, ...)
{
	struct err text;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text.text, sizeof(text.text), format, arguments);
	va_end(arguments);
	request_fail_details(r, code, text.text, NULL);
}

void request_error(struct request *r, int ret, const struct err *err)
{
	request_fail_details(r, rpc_code_of_errno(ret), err->text, NULL);
}

void request_warn(struct request *r, const char *text)
{
	if (!r->warnings)
		r->warnings = cJSON_CreateArray();
	cJSON_AddItemToArray(r->warnings, cJSON_CreateString(text));
}

void request_progress(struct request *r, const char *text, unsigned int percent)
{
	cJSON *line = cJSON_CreateObject();

	cJSON_AddStringToObject(line, "progress", text);
	if (percent)
		cJSON_AddNumberToObject(line, "percent", percent);
	say(r, line);
	cJSON_Delete(line);
}

void request_event(struct request *r, const cJSON *event)
{
	cJSON *line = cJSON_CreateObject();

	cJSON_AddItemToObject(line, "event", cJSON_Duplicate(event, true));
	say(r, line);
	cJSON_Delete(line);
}

/* --- what was asked --- */

const char *request_text(const struct request *r, const char *name)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(r->message, name));
}

bool request_flag(const struct request *r, const char *name)
{
	return cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r->message, name));
}

/* A whole number from 0 to max? Numbers in JSON are doubles. */
static bool is_whole(const cJSON *item, uint64_t max, uint64_t *ret_number)
{
	double number = cJSON_IsNumber(item) ? item->valuedouble : -1;

	if (!(number >= 0 && number < 0x1p64) || (double)(uint64_t)number != number ||
	    (uint64_t)number > max)
		return false;
	*ret_number = (uint64_t)number;
	return true;
}

bool request_number(struct request *r, const char *name, uint64_t missing, uint64_t max,
		    uint64_t *ret_number)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(r->message, name);

	if (!item || cJSON_IsNull(item)) {
		*ret_number = missing;
		return true;
	}
	if (is_whole(item, max, ret_number))
		return true;
	request_fail(r, RPC_INVALID, "\"%s\" is a whole number up to %llu", name,
		     (unsigned long long)max);
	return false;
}

const char *request_need(struct request *r, const char *name)
{
	const char *text = request_text(r, name);

	if (!text)
		request_fail(r, RPC_INVALID, "the request has no \"%s\"", name);
	return text;
}

struct guest *request_guest(struct request *r)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(r->message, "guest");
	char number[16];
	const char *name = cJSON_GetStringValue(item);
	struct guest *g;
	uint64_t id;

	if (is_whole(item, UINT32_MAX, &id)) {
		snprintf(number, sizeof(number), "%" PRIu64, id);
		name = number;
	}
	if (!name) {
		request_fail(r, RPC_INVALID,
			     item ? "\"guest\" is neither a name nor a domain's id"
				  : "the request has no \"guest\"");
		return NULL;
	}
	g = guest_find(r->lodged, name);
	if (!g)
		request_fail(r, RPC_NOT_FOUND, "no guest is called \"%.128s\"", name);
	return g;
}

void *request_private(struct request *r, size_t bytes)
{
	r->private = calloc(1, bytes);
	if (!r->private)
		request_fail(r, RPC_NO_MEMORY, "no memory");
	return r->private;
}

/* --- connections --- */

static void store_answers(struct nodes_waiter *w, int ret)
{
	struct request *r = container_of(w, struct request, store);

	r->gone = NULL;
	if (ret)
		request_fail(r, RPC_FAILED, "xenstore does not answer: see lodge-store's log");
	else
		r->verb->run(r->lodged, r);
}

static void stop_waiting(struct request *r)
{
	nodes_unwait(&r->store);
	request_fail(r, RPC_FAILED, "nobody waits");
}

static void run_verb(struct request *r)
{
	struct nodes *n = r->lodged->nodes;

	if (!r->verb->needs_store || nodes_is_up(n)) {
		r->verb->run(r->lodged, r);
		return;
	}
	r->gone = stop_waiting;
	r->store.done = store_answers;
	nodes_wait(n, &r->store, STORE_MS);
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < nr_verbs; i++) {
		if (!strcmp(verbs[i].name, name))
			return &verbs[i];
	}
	return NULL;
}

/* Takes over message; NULL: the line was none. */
static void run_request(struct client *c, cJSON *message)
{
	struct request *r = calloc(1, sizeof(*r));
	const char *name;

	if (!r) {
		cJSON_Delete(message);
		shutdown(c->fd.fd, SHUT_RDWR);
		return;
	}
	r->lodged = c->lodged;
	r->client = c;
	r->message = message;
	c->request = r;
	name = request_text(r, "verb");
	r->verb = name ? find_verb(name) : NULL;
	if (!message)
		request_fail(r, RPC_USAGE, "a line that is no JSON object");
	else if (!name)
		request_fail(r, RPC_USAGE, "the request has no \"verb\"");
	else if (!r->verb)
		request_fail(r, RPC_USAGE, "there is no verb \"%.64s\"", name);
	else
		run_verb(r);
}

static void next_request(struct client *c)
{
	cJSON *message = NULL;
	int ret;

	if (c->request)
		return;
	ret = rpc_stream_take(&c->stream, &message);
	if (ret)
		run_request(c, ret > 0 ? message : NULL);
	else if (c->is_ended && !c->stream.nr_out)
		client_free(c);
}

static void look_again(struct loop_task *t)
{
	next_request(container_of(t, struct client, next));
}

/* A client may close its half and still want its answer; one that closed both does not. */
static void client_ready(struct loop_fd *f, uint32_t events)
{
	struct client *c = container_of(f, struct client, fd);
	bool is_gone = events & (EPOLLHUP | EPOLLERR);
	int ret;

	if (events & EPOLLOUT && !flush(c)) {
		client_free(c);
		return;
	}
	ret = c->is_ended ? 0 : rpc_stream_receive(&c->stream);
	if (ret == 0 && !is_gone && !c->is_ended) {
		c->is_ended = true;
		loop_change(&c->fd, c->stream.nr_out ? EPOLLOUT : 0);
	}
	if (ret < 0 ? ret != -EAGAIN || is_gone : ret == 0 && is_gone)
		client_free(c);
	else
		next_request(c);
}

static void accept_client(struct loop_fd *f, uint32_t events)
{
	struct lodged *l = container_of(f, struct lodged, listener);
	int fd = accept4(f->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct client *c = fd < 0 ? NULL : calloc(1, sizeof(*c));

	(void)events;
	if (!c) {
		if (fd >= 0)
			close(fd);
		return;
	}
	c->lodged = l;
	c->next.run = look_again;
	rpc_stream_init(&c->stream, fd);
	c->fd = (struct loop_fd){ .fd = fd, .ready = client_ready };
	list_push_back(&l->clients, &c->node);
	if (loop_add(&l->loop, &c->fd, EPOLLIN))
		client_free(c);
}

/* The group may use it, where there is such a group. */
static int set_access(const char *path)
{
	const struct group *group = getgrnam(GROUP);

	if (!group)
		return chmod(path, 0600) ? -errno : 0;
	return chown(path, 0, group->gr_gid) || chmod(path, 0660) ? -errno : 0;
}

int serve_open(struct lodged *l, struct err *err)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, ret = 0;

	if ((size_t)snprintf(address.sun_path, sizeof(address.sun_path), "%s/lodged",
			     l->options.run_dir) >= sizeof(address.sun_path))
		return err_errno(err, -ENAMETOOLONG, "%s", l->options.run_dir);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_errno(err, -errno, "socket");
	unlink(address.sun_path);
	umask(0177);
	if (bind(fd, (const struct sockaddr *)&address, sizeof(address)))
		ret = -errno;
	umask(022);
	if (!ret)
		ret = set_access(address.sun_path);
	if (!ret && listen(fd, BACKLOG))
		ret = -errno;
	l->listener = (struct loop_fd){ .fd = fd, .ready = accept_client };
	if (!ret)
		ret = loop_add(&l->loop, &l->listener, EPOLLIN);
	if (ret) {
		close(fd);
		l->listener.fd = -1;
		return err_errno(err, ret, "%s", address.sun_path);
	}
	return 0;
}

void serve_close(struct lodged *l)
{
	struct client *c;

	list_for_each_entry_safe(c, &l->clients, node) {
		client_free(c);
	}
	loop_remove(&l->listener);
	if (l->listener.fd >= 0)
		close(l->listener.fd);
	l->listener.fd = -1;
}

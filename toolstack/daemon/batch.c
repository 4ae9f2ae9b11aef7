/* Batches of xenstore requests: see nodes.h. */
#include "daemon/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH_BYTES 512u

void batch_init(struct batch *b)
{
	*b = (struct batch){ .err = 0 };
}

void batch_forget_answers(struct batch *b)
{
	for (size_t i = 0; i < b->nr_requests; i++) {
		free(b->answers[i].data);
		b->answers[i].data = NULL;
		b->answers[i].bytes = 0;
		b->answers[i].err = 0;
	}
}

void batch_fini(struct batch *b)
{
	batch_forget_answers(b);
	free(b->answers);
	free(b->bytes);
	batch_init(b);
}

void batch_at(struct batch *b, const char *format, ...)
{
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(b->folder, sizeof(b->folder), format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(b->folder))
		b->err = -ENAMETOOLONG;
}

static int reserve(struct batch *b, size_t bytes)
{
	if (b->nr_bytes + bytes > b->max_bytes) {
		size_t max = MAX(2 * b->max_bytes, b->nr_bytes + bytes + 2048);
		char *grown = realloc(b->bytes, max);

		if (!grown)
			return -ENOMEM;
		b->bytes = grown;
		b->max_bytes = max;
	}
	if (b->nr_requests == b->max_requests) {
		size_t max = b->max_requests ? 2 * b->max_requests : 32;
		struct batch_answer *grown = reallocarray(b->answers, max, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		b->answers = grown;
		b->max_requests = max;
	}
	return 0;
}

/* A message; its number. */
static size_t add(struct batch *b, uint32_t type, enum batch_mercy mercy, const void *data,
		  size_t bytes)
{
	struct xsd_sockmsg header = { .type = type, .len = (uint32_t)bytes };

	if (!b->err && bytes > XENSTORE_PAYLOAD_MAX)
		b->err = -E2BIG;
	if (!b->err)
		b->err = reserve(b, sizeof(header) + bytes);
	if (b->err)
		return SIZE_MAX;
	header.req_id = (uint32_t)b->nr_requests;
	memcpy(b->bytes + b->nr_bytes, &header, sizeof(header));
	memcpy(b->bytes + b->nr_bytes + sizeof(header), data, bytes);
	b->answers[b->nr_requests] = (struct batch_answer){ .offset = b->nr_bytes, .mercy = mercy };
	b->nr_bytes += sizeof(header) + bytes;
	return b->nr_requests++;
}

/* folder/name and its zero byte; the number of bytes. */
static size_t put_path(struct batch *b, char *ret_path, const char *name)
{
	int length = snprintf(ret_path, PATH_BYTES, "%s%s%s", b->folder,
			      b->folder[0] && name[0] ? "/" : "", name);

	if (length < 0 || (size_t)length >= PATH_BYTES) {
		b->err = -ENAMETOOLONG;
		length = 0;
	}
	return (size_t)length + 1;
}

void batch_write(struct batch *b, const char *name, const char *format, ...)
{
	char data[PATH_BYTES + 2048];
	size_t at = put_path(b, data, name);
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(data + at, sizeof(data) - at, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(data) - at)
		b->err = -E2BIG;
	else
		add(b, XS_WRITE, MERCY_NONE, data, at + (size_t)length);
}

static size_t add_path(struct batch *b, uint32_t type, enum batch_mercy mercy, const char *name)
{
	char path[PATH_BYTES];
	size_t bytes = put_path(b, path, name);

	return add(b, type, mercy, path, bytes);
}

void batch_mkdir(struct batch *b, const char *name)
{
	add_path(b, XS_MKDIR, MERCY_NONE, name);
}

void batch_remove(struct batch *b, const char *name)
{
	add_path(b, XS_RM, MERCY_MISSING, name);
}

size_t batch_read(struct batch *b, const char *name)
{
	return add_path(b, XS_READ, MERCY_MISSING, name);
}

size_t batch_list(struct batch *b, const char *name)
{
	return add_path(b, XS_DIRECTORY, MERCY_MISSING, name);
}

void batch_permit(struct batch *b, const char *name, const char *format, ...)
{
	char data[PATH_BYTES + 128];
	size_t at = put_path(b, data, name);
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(data + at, sizeof(data) - at, format, arguments);
	va_end(arguments);
	if (length < 0 || (size_t)length >= sizeof(data) - at) {
		b->err = -E2BIG;
		return;
	}
	for (char *c = data + at; *c; c++) {
		if (*c == ' ')
			*c = '\0';
	}
	add(b, XS_SET_PERMS, MERCY_NONE, data, at + (size_t)length + 1);
}

void batch_introduce(struct batch *b, uint32_t domain, uint64_t gfn, uint32_t port)
{
	char data[64];
	int length = snprintf(data, sizeof(data), "%" PRIu32 "%c%" PRIu64 "%c%" PRIu32, domain, 0,
			      gfn, 0, port);

	add(b, XS_INTRODUCE, MERCY_NONE, data, (size_t)length + 1);
}

void batch_release(struct batch *b, uint32_t domain)
{
	char data[16];
	int length = snprintf(data, sizeof(data), "%" PRIu32, domain);

	add(b, XS_RELEASE, MERCY_ANY, data, (size_t)length + 1);
}

void batch_quota(struct batch *b, const char *quota, uint32_t value, uint32_t domain)
{
	char data[128];
	int length = snprintf(data, sizeof(data), "quota%cset%c%s%c%" PRIu32 "%c%" PRIu32, 0, 0,
			      quota, 0, value, 0, domain);

	add(b, XS_CONTROL, MERCY_NONE, data, (size_t)length + 1);
}

const char *batch_answer(const struct batch *b, size_t request, size_t *ret_bytes)
{
	const struct batch_answer *a = request < b->nr_requests ? &b->answers[request] : NULL;

	if (!a || a->err || !a->data)
		return NULL;
	if (ret_bytes)
		*ret_bytes = a->bytes;
	return a->data;
}

static const struct {
	const char *name;
	int code;
} error_names[] = {
	{ "EINVAL", -EINVAL }, { "EACCES", -EACCES }, { "EEXIST", -EEXIST }, { "EISDIR", -EISDIR },
	{ "ENOENT", -ENOENT }, { "ENOMEM", -ENOMEM }, { "ENOSPC", -ENOSPC }, { "EROFS", -EROFS },
	{ "EBUSY", -EBUSY },   { "EAGAIN", -EAGAIN }, { "E2BIG", -E2BIG },   { "EPERM", -EPERM },
};

int batch_error_code(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_names); i++) {
		if (!strcmp(error_names[i].name, name))
			return error_names[i].code;
	}
	return -EIO;
}

/* Takes over data. Errors that are no errors are dropped here. */
void batch_take_answer(struct batch *b, const struct xsd_sockmsg *header, char *data)
{
	struct batch_answer *a = &b->answers[header->req_id];

	if (header->type != XS_ERROR) {
		a->data = data;
		a->bytes = header->len;
		return;
	}
	a->err = batch_error_code(data);
	free(data);
	if (a->mercy == MERCY_ANY || (a->mercy == MERCY_MISSING && a->err == -ENOENT))
		a->err = 0;
}

int batch_result(const struct batch *b, struct err *err)
{
	for (size_t i = 0; i < b->nr_requests; i++) {
		const struct batch_answer *a = &b->answers[i];

		if (a->err) /* each message starts with a path, a domain or a word */
			return err_errno(err, a->err, "xenstore: %s",
					 b->bytes + a->offset + sizeof(struct xsd_sockmsg));
	}
	return 0;
}

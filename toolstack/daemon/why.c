/* See why.h. A back trace is made here from registers, page tables and stack as they were; naming its
 * addresses is left to who has the guest's symbols. */
#include "daemon/why.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "daemon/guest.h"
#include "daemon/hypervisor.h"
#include "lib/cleanup.h"

#define CONSOLE_LINES  20u
#define TAIL_BYTES     8192u
#define TAIL_MAX       (384u << 10) /* which is below RPC_LINE_MAX whatever stands in it */
#define TRACE_MAX      16u
#define VCPUS_MAX      8u /* whose registers are kept */
#define MEMORY_MAX     64u
#define CANONICAL_HIGH UINT64_C(0xffff800000000000)

cJSON *why_create(enum end_reason reason, const char *text)
{
	cJSON *why = cJSON_CreateObject();
	char now[TIME_TEXT_BYTES];

	time_text(time(NULL), now);
	cJSON_AddStringToObject(why, "time", now);
	cJSON_AddStringToObject(why, "reason", end_reason_name(reason));
	cJSON_AddStringToObject(why, "text", text);
	return why;
}

void why_set_action(cJSON *why, const char *action)
{
	cJSON_DeleteItemFromObjectCaseSensitive(why, "action");
	cJSON_AddStringToObject(why, "action", action);
}

const char *why_text(const cJSON *why)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(why, "text"));

	return text ? text : "";
}

cJSON *why_in_short(const cJSON *why)
{
	cJSON *copy = cJSON_CreateObject();
	const cJSON *item;

	cJSON_ArrayForEach(item, why)
	{
		if (cJSON_IsString(item))
			cJSON_AddItemToObject(copy, item->string, cJSON_Duplicate(item, false));
	}
	return copy;
}

/* --- vCPUs --- */

static void add_hex(cJSON *object, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%#" PRIx64, value);
	if (name)
		cJSON_AddStringToObject(object, name, text);
	else
		cJSON_AddItemToArray(object, cJSON_CreateString(text));
}

static bool read_word(struct hypervisor *hv, uint32_t domain, uint32_t vcpu, uint64_t linear,
		      uint64_t *ret_word)
{
	uint64_t gpa;

	return is_aligned(linear, sizeof(*ret_word)) &&
	       !hypervisor_translate(hv, domain, vcpu, linear, &gpa) &&
	       !hypervisor_copy_out(hv, domain, gpa, ret_word, sizeof(*ret_word));
}

static bool is_kernel_code(uint64_t address)
{
	return address >= CANONICAL_HIGH;
}

/* Frame pointers as far as they lead; where there are none, what on the stack looks like kernel code. */
static void add_back_trace(cJSON *trace, struct hypervisor *hv, uint32_t domain, uint32_t vcpu,
			   const struct lodge_registers *r)
{
	uint64_t frame = r->rbp, address, next;
	unsigned int nr = 0;

	while (nr < TRACE_MAX && read_word(hv, domain, vcpu, frame, &next) &&
	       read_word(hv, domain, vcpu, frame + 8, &address) && address) {
		add_hex(trace, NULL, address);
		nr++;
		if (next <= frame)
			break;
		frame = next;
	}
	for (unsigned int i = 0; !nr && i < 512 && cJSON_GetArraySize(trace) < (int)TRACE_MAX;
	     i++) {
		if (!read_word(hv, domain, vcpu, align_down(r->rsp, 8) + UINT64_C(8) * i, &address))
			break;
		if (is_kernel_code(address) && address < UINT64_C(0xfffffffffff00000) &&
		    address >= UINT64_C(0xffffffff80000000))
			add_hex(trace, NULL, address);
	}
}

void why_add_vcpus(cJSON *why, struct lodged *l, const struct lodge_domain_info *info)
{
	cJSON *vcpus = cJSON_AddArrayToObject(why, "vcpus");

	for (uint32_t v = 0; v < MIN(info->nr_vcpus, VCPUS_MAX); v++) {
		struct lodge_registers r;
		cJSON *one;

		if (hypervisor_registers(l->hv, info->domain, v, &r) || (!r.rip && !r.rsp))
			continue;
		one = cJSON_CreateObject();
		cJSON_AddItemToArray(vcpus, one);
		cJSON_AddNumberToObject(one, "vcpu", v);
		add_hex(one, "rip", r.rip);
		add_hex(one, "rsp", r.rsp);
		add_hex(one, "cr2", r.cr2);
		add_hex(one, "rflags", r.rflags);
		add_hex(one, "cr0", r.cr0);
		add_hex(one, "cr3", r.cr3);
		add_hex(one, "cr4", r.cr4);
		add_hex(one, "rax", r.rax);
		add_hex(one, "rdi", r.rdi);
		add_hex(one, "rsi", r.rsi);
		add_back_trace(cJSON_AddArrayToObject(one, "backtrace"), l->hv, info->domain, v,
			       &r);
	}
}

/* --- console --- */

/* UTF-8 is what JSON has; a console's bytes may be anything. */
static void make_printable(char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c != '\n' && c != '\t' && (c < ' ' || c > '~'))
			text[i] = c == '\r' ? '\n' : '?';
	}
}

/* The end of a file, behind so many bytes, to be freed; NULL: there is none such. */
static char *read_end(const char *path, off_t behind, size_t max)
{
	cleanup_close int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat st;
	ssize_t got;
	char *text;

	if (fd < 0 || fstat(fd, &st) || !S_ISREG(st.st_mode))
		return NULL;
	text = malloc(max + 1);
	if (!text)
		return NULL;
	got = pread(fd, text, max, MAX(st.st_size - (off_t)max, behind));
	if (got < 0)
		got = 0;
	make_printable(text, (size_t)got);
	text[got] = '\0';
	return text;
}

/* Where the last lines begin; empty ones do not count. */
static char *find_lines(char *text, size_t max_lines)
{
	char *at = text + strlen(text);

	for (; max_lines && at > text; max_lines--) {
		while (at > text && at[-1] == '\n')
			at--;
		while (at > text && at[-1] != '\n')
			at--;
	}
	return at;
}

cJSON *last_lines_behind(const char *path, off_t bytes, size_t max_lines)
{
	cJSON *lines = cJSON_CreateArray();
	size_t max = MIN(MAX(max_lines * 160, TAIL_BYTES), TAIL_MAX);
	char *text = read_end(path, bytes, max), *line, *rest;

	if (!text)
		return lines;
	line = strtok_r(find_lines(text, max_lines), "\n", &rest);
	for (; line; line = strtok_r(NULL, "\n", &rest))
		cJSON_AddItemToArray(lines, cJSON_CreateString(line));
	free(text);
	return lines;
}

cJSON *last_lines(const char *path, size_t max_lines)
{
	return last_lines_behind(path, 0, max_lines);
}

void why_note_log(struct guest *g)
{
	char *path = guest_console_log(g);
	struct stat st;
	bool is_there = path && !stat(path, &st);

	g->log_file = is_there ? st.st_ino : 0;
	g->log_bytes = is_there ? (uint64_t)st.st_size : 0;
	free(path);
}

void why_add_console(cJSON *why, const struct guest *g)
{
	char *path = guest_console_log(g);
	struct stat st;
	bool is_same = path && !stat(path, &st) && st.st_ino == g->log_file &&
		       (uint64_t)st.st_size >= g->log_bytes;
	off_t behind = is_same ? (off_t)g->log_bytes : 0; /* another file has begun since */

	cJSON_DeleteItemFromObjectCaseSensitive(why, "console");
	if (path)
		cJSON_AddItemToObject(why, "console",
				      last_lines_behind(path, behind, CONSOLE_LINES));
	free(path);
}

/* --- guests that are forgotten --- */

struct memory {
	struct list_node node; /* lodged->gone */
	char *name;
	cJSON *why;
};

static void memory_free(struct memory *m)
{
	list_remove(&m->node);
	free(m->name);
	cJSON_Delete(m->why);
	free(m);
}

static struct memory *memory_find(const struct lodged *l, const char *name)
{
	struct memory *m;

	list_for_each_entry(m, &l->gone, node) {
		if (!strcmp(m->name, name))
			return m;
	}
	return NULL;
}

void why_remember(struct lodged *l, const struct guest *g)
{
	struct memory *m = memory_find(l, g->name), *other;
	size_t nr = 0;

	if (m)
		memory_free(m);
	m = g->why ? calloc(1, sizeof(*m)) : NULL;
	if (!m)
		return;
	list_push_front(&l->gone, &m->node);
	m->name = strdup(g->name);
	m->why = cJSON_Duplicate(g->why, true);
	if (!m->name || !m->why) {
		memory_free(m);
		return;
	}
	list_for_each_entry_safe(other, &l->gone, node) {
		if (++nr > MEMORY_MAX)
			memory_free(other);
	}
}

const cJSON *why_remembered(const struct lodged *l, const char *name)
{
	const struct memory *m = memory_find(l, name);

	return m ? m->why : NULL;
}

void why_forget_all(struct lodged *l)
{
	struct memory *m;

	list_for_each_entry_safe(m, &l->gone, node) {
		memory_free(m);
	}
}

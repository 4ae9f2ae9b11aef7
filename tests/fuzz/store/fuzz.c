/* Fuzz target: bytes in a domain's ring, as they are; the first says how large the pieces are in which they
 * come, and whether the domain is the privileged one. Whatever they are, another domain is served, and a
 * store that reads the journal afterwards has the same nodes. With 255 first, the bytes are records that
 * somebody has appended to the journal: the store refuses them, or serves. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "fake-platform.h"
#include "journal.h"
#include "serve.h"
#include "state.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char journal_path[] = "/dev/shm/lodge-fuzz-journal";
static struct platform *platform;

static void must(bool is_so)
{
	if (!is_so)
		abort();
}

static struct store *start(struct journal *j)
{
	struct store *s = store_create(platform);

	must(s);
	s->journal = j;
	must(!state_load(s));
	for (uint16_t i = 0; i < 3; i++) {
		struct domain *d = store_domain(s, i);

		if (!d->is_introduced)
			must(!store_introduce(s, d, 0, 1));
	}
	journal_commit(j);
	return s;
}

static void serve(struct store *s)
{
	do
		serve_ready(s);
	while (!list_is_empty(&s->ready));
}

static void drain(struct store *s, uint16_t domid)
{
	struct xenstore_domain_interface *page = &machine->pages[domid].interface;

	while (page->rsp_cons != page->rsp_prod && !page->error) {
		page->rsp_cons = page->rsp_prod;
		conn_make_ready(s->domains[domid]->conn);
		serve(s);
	}
}

static void feed(struct store *s, uint16_t domid, const uint8_t *data, size_t size, size_t piece)
{
	struct xenstore_domain_interface *page = &machine->pages[domid].interface;

	for (size_t i = 0; i < size && s->domains[domid]->conn; i++) {
		page->req[MASK_XENSTORE_IDX(page->req_prod++)] = (char)data[i];
		if ((i + 1) % piece && i + 1 < size)
			continue;
		conn_make_ready(s->domains[domid]->conn);
		serve(s);
		for (uint16_t d = 0; d < 3; d++) {
			if (s->domains[d]->conn)
				drain(s, d);
		}
	}
}

static int sum_node(struct node *n, void *arg)
{
	uint64_t *sum = arg;
	const char *value = content_value(n->content);

	for (size_t i = 0; i < n->name_len; i++)
		*sum = *sum * 31 + (uint8_t)n->name[i];
	for (size_t i = 0; i < n->content->value_len; i++)
		*sum = *sum * 31 + (uint8_t)value[i];
	*sum = *sum * 31 + n->content->perms[0].domid;
	return node_for_each_child(n, sum_node, arg);
}

static void ask_other_domain(struct store *s)
{
	static const char request[] = "2";
	struct xsd_sockmsg header = { XS_GET_DOMAIN_PATH, 1, 0, sizeof(request) };
	struct xenstore_domain_interface *page = &machine->pages[2].interface;
	uint32_t before = page->rsp_prod;

	if (!s->domains[2]->is_introduced)
		return; /* domain 0 may have released it */
	feed(s, 2, (const uint8_t *)&header, sizeof(header), sizeof(header));
	feed(s, 2, (const uint8_t *)request, sizeof(request), sizeof(request));
	must(page->rsp_prod != before);
}

/* A type, a domain, a length and as many bytes, again and again. */
static void append(struct journal *j, const uint8_t *data, size_t size)
{
	while (size >= 3) {
		struct iovec part = { (void *)(uintptr_t)(data + 3), MIN(data[2], size - 3) };

		journal_put(j, data[0] % (RECORD_OUT + 2), data[1] % 4, &part, 1);
		data += 3 + part.iov_len;
		size -= 3 + part.iov_len;
	}
	journal_commit(j);
}

static void read_rubbish(struct journal *j, const uint8_t *data, size_t size)
{
	struct store *s = start(j);

	s->journal = NULL;
	store_destroy(s);
	append(j, data, size);
	s = store_create(platform);
	must(s);
	s->journal = j;
	if (!state_load(s)) {
		serve(s);
		for (uint16_t d = 0; d < 3; d++) {
			if (s->domains[d] && s->domains[d]->conn)
				drain(s, d);
		}
	}
	s->journal = NULL;
	store_destroy(s);
	journal_close(j);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct journal *j;
	uint64_t before = 0, after = 0;
	struct store *s;

	if (!size)
		return 0;
	if (!machine) {
		fake_machine_init();
		must(!platform_open(&platform));
	}
	memset(machine->pages, 0, 3 * sizeof(machine->pages[0]));
	unlink(journal_path);
	must(!journal_open(journal_path, &j));
	if (data[0] == 255) {
		read_rubbish(j, data + 1, size - 1);
		return 0;
	}
	s = start(j);
	feed(s, data[0] & 1, data + 1, size - 1, (data[0] >> 1) + 1u);
	ask_other_domain(s);
	sum_node(s->root, &before);
	s->journal = NULL;
	store_destroy(s);
	s = start(j);
	sum_node(s->root, &after);
	must(before == after);
	s->journal = NULL;
	store_destroy(s);
	journal_close(j);
	return 0;
}

/* libxenstore as a client of the program that $XENSTORED_PATH names: what the command line tools do not do.
 * Ends with the number of the line that did not hold. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xenstore.h>

#include "back/lib/store-link.h"

#define EXPECT(condition)                                                                         \
	do {                                                                                      \
		if (!(condition)) {                                                               \
			fprintf(stderr, "interop.c:%d: does not hold: %s (errno %d)\n", __LINE__, \
				#condition, errno);                                               \
			exit(EXIT_FAILURE);                                                       \
		}                                                                                 \
	} while (0)

static bool reads(struct xs_handle *h, xs_transaction_t t, const char *path, const char *value)
{
	unsigned int len;
	char *data = xs_read(h, t, path, &len);
	bool is_equal = data && len == strlen(value) && !memcmp(data, value, len);

	free(data);
	return is_equal;
}

static void check_transactions(struct xs_handle *h, struct xs_handle *other)
{
	xs_transaction_t t = xs_transaction_start(h);

	EXPECT(t != XBT_NULL);
	EXPECT(xs_write(h, t, "/interop/a", "1", 1));
	EXPECT(!xs_read(other, XBT_NULL, "/interop/a", NULL) && errno == ENOENT);
	EXPECT(xs_transaction_end(h, t, false));
	EXPECT(reads(other, XBT_NULL, "/interop/a", "1"));
	t = xs_transaction_start(h);
	EXPECT(reads(h, t, "/interop/a", "1"));
	EXPECT(xs_write(other, XBT_NULL, "/interop/a", "2", 1));
	EXPECT(xs_write(h, t, "/interop/b", "1", 1));
	EXPECT(!xs_transaction_end(h, t, false) && errno == EAGAIN);
}

static void check_watches(struct xs_handle *h, struct xs_handle *other)
{
	unsigned int nr;
	char **event;

	EXPECT(xs_watch(h, "/interop", "token"));
	event = xs_read_watch(h, &nr);
	EXPECT(event && nr == 2 && !strcmp(event[XS_WATCH_PATH], "/interop"));
	free(event);
	EXPECT(xs_write(other, XBT_NULL, "/interop/c", "", 0));
	event = xs_read_watch(h, &nr);
	EXPECT(event && !strcmp(event[XS_WATCH_PATH], "/interop/c"));
	EXPECT(!strcmp(event[XS_WATCH_TOKEN], "token"));
	free(event);
	EXPECT(xs_unwatch(h, "/interop", "token"));
}

static void check_permissions(struct xs_handle *h)
{
	struct xs_permissions perms[] = { { 3, XS_PERM_NONE }, { 4, XS_PERM_READ } }, *got;
	unsigned int nr;

	EXPECT(xs_set_permissions(h, XBT_NULL, "/interop/a", perms, 2));
	got = xs_get_permissions(h, XBT_NULL, "/interop/a", &nr);
	EXPECT(got && nr == 2 && got[0].id == 3 && got[1].id == 4);
	EXPECT(got[1].perms == XS_PERM_READ);
	free(got);
}

/* As a device's process does it. */
static void check_confinement(struct xs_handle *h)
{
	static const char arguments[] = "5\0/interop/home";
	struct store_link l;
	bool is_lost;

	EXPECT(xs_write(h, XBT_NULL, "/interop/home/x", "1", 1));
	EXPECT(!store_link_open(&l));
	store_link_confine(&l, arguments, sizeof(arguments));
	EXPECT(!store_link_news(&l, &is_lost) && !is_lost);
	EXPECT(xs_write(l.store, XBT_NULL, "/interop/home/state", "4", 1));
	EXPECT(reads(h, XBT_NULL, "/interop/home/state", "4"));
	EXPECT(!xs_write(l.store, XBT_NULL, "/interop/homes", "", 0) && errno == EACCES);
	EXPECT(!xs_read(l.store, XBT_NULL, "/interop/b", NULL) && errno == EACCES);
	EXPECT(!xs_release_domain(l.store, 6) && errno == EACCES);
	store_link_close(&l);
	EXPECT(!store_link_open(&l));
	store_link_confine(&l, NULL, 0);
	EXPECT(reads(l.store, XBT_NULL, "/interop/b", ""));
	EXPECT(!xs_write(l.store, XBT_NULL, "/interop/b", "", 0) && errno == EROFS);
	store_link_close(&l);
}

int main(void)
{
	struct xs_handle *h = xs_open(0), *other = xs_open(0);
	char *text;

	EXPECT(h && other);
	check_transactions(h, other);
	check_watches(h, other);
	check_permissions(h);
	EXPECT(xs_write(h, XBT_NULL, "/interop/b", "", 0));
	check_confinement(h);
	text = xs_get_domain_path(h, 5);
	EXPECT(text && !strcmp(text, "/local/domain/5"));
	free(text);
	EXPECT(!xs_is_domain_introduced(h, 5));
	EXPECT(!xs_introduce_domain(h, 5, 1, 1)); /* there is no hypervisor here */
	text = xs_control_command(h, "quota", NULL, 0);
	EXPECT(text && strstr(text, "transactions"));
	free(text);
	EXPECT(xs_rm(h, XBT_NULL, "/interop"));
	xs_close(h);
	xs_close(other);
	return EXIT_SUCCESS;
}

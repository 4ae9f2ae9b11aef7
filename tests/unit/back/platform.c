/* The part of pv-drivers/back/lib/platform-xen.c that needs no hypervisor: the store, of which only a socket is there.
 * Event channels and grants are stand-ins that do nothing. */
#include "back/lib/platform.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "unit.h"

static struct err err;
static char folder[] = "/tmp/lodge-unit-XXXXXX";
static pid_t store;

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger, (void)flags;
	return (xenevtchn_handle *)&err;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
	(void)handle;
	return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
	(void)handle;
	return STDIN_FILENO;
}

int xenevtchn_restrict(xenevtchn_handle *handle, domid_t domid)
{
	(void)handle, (void)domid;
	return 0;
}

xenevtchn_port_or_error_t xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
						     evtchn_port_t port)
{
	(void)handle, (void)domid, (void)port;
	return -1;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle, (void)port;
	return -1;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle, (void)port;
	return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
	(void)handle, (void)port;
	return -1;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
	(void)handle;
	return -1;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger, unsigned int flags)
{
	(void)logger, (void)flags;
	return (xengnttab_handle *)&err;
}

int xengnttab_close(xengnttab_handle *handle)
{
	(void)handle;
	return 0;
}

void *xengnttab_map_domain_grant_refs(xengnttab_handle *handle, uint32_t nr, uint32_t domid,
				      uint32_t *refs, int protection)
{
	(void)handle, (void)nr, (void)domid, (void)refs, (void)protection;
	return NULL;
}

int xengnttab_unmap(xengnttab_handle *handle, void *start, uint32_t nr)
{
	(void)handle, (void)start, (void)nr;
	return -1;
}

int xengnttab_grant_copy(xengnttab_handle *handle, uint32_t nr,
			 xengnttab_grant_copy_segment_t *segments)
{
	(void)handle, (void)nr, (void)segments;
	return -1;
}

/* A store that takes connections, never says anything, and can be killed. */
static void setup(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int listener = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(folder, "/tmp/lodge-unit-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	snprintf(address.sun_path, sizeof(address.sun_path), "%s/socket", folder);
	ck_assert_int_eq(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(listener, 4), 0);
	ck_assert_int_eq(setenv("XENSTORED_PATH", address.sun_path, 1), 0);
	store = fork();
	if (!store)
		while (accept(listener, NULL, NULL) >= 0)
			;
	close(listener);
}

static void end_store(void)
{
	if (store <= 0)
		return;
	kill(store, SIGKILL);
	(void)waitpid(store, NULL, 0);
	store = 0;
}

static void teardown(void)
{
	char path[64];

	end_store();
	snprintf(path, sizeof(path), "%s/socket", folder);
	unlink(path);
	rmdir(folder);
}

START_TEST(the_end_of_the_store_wakes_who_waits_for_it)
{
	struct pollfd polled = { .events = POLLIN };
	struct platform *p;
	char path[16];

	ck_assert_int_eq(platform_open(7, &p, &err), 0);
	polled.fd = platform_store_fd(p);
	ck_assert_int_eq(poll(&polled, 1, 10), 0);
	ck_assert_int_eq(platform_changed(p, path, sizeof(path)), 0);
	end_store();
	ck_assert_int_eq(poll(&polled, 1, 5000), 1);
	ck_assert_int_eq(platform_changed(p, path, sizeof(path)), -EIO);
	platform_close(p);
}
END_TEST

UNIT_MAIN("back platform", setup, teardown, the_end_of_the_store_wakes_who_waits_for_it)

/* See domains.h. */
#include "domains.h"

#include <errno.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <xencall.h>

/* Its request needs the types of the first. */
#include <xen/xen.h>

#include <xen/sys/privcmd.h>

#include "back/lib/sandbox.h"
#include "lib/log.h"

#define FD 3

struct question {
	uint32_t first, max;
	uint64_t since;
};

/* --- the process ------------------------------------------------------------------------------- */

struct hypercall {
	xencall_handle *calls;
	struct lodge_control *op; /* memory that the hypervisor reads and writes */
	struct lodge_domain_info *info;
};

static bool hypercall_open(struct hypercall *h)
{
	h->calls = xencall_open(NULL, 0);
	if (!h->calls)
		return false;
	h->op = xencall_alloc_buffer(h->calls, sizeof(*h->op));
	h->info = xencall_alloc_buffer(h->calls, DOMAINS_AT_ONCE * sizeof(*h->info));
	return h->op && h->info;
}

static void look(const struct hypercall *h, const struct question *q, struct domains_answer *a)
{
	memset(a, 0, sizeof(*a));
	a->next = LODGE_LIST_END;
	memset(h->op, 0, sizeof(*h->op));
	h->op->version = LODGE_CONTROL_VERSION;
	h->op->op = LODGE_CONTROL_list;
	h->op->u.list.buffer = (uint64_t)(uintptr_t)h->info;
	h->op->u.list.max = MIN(q->max, DOMAINS_AT_ONCE);
	h->op->u.list.first = q->first;
	h->op->u.list.since = q->since;
	if (xencall1(h->calls, __HYPERVISOR_lodge_control, (uint64_t)(uintptr_t)h->op) < 0)
		return;
	a->nr = MIN(h->op->u.list.nr, DOMAINS_AT_ONCE);
	a->next = h->op->u.list.next;
	a->change = h->op->u.list.change;
	memcpy(a->info, h->info, a->nr * sizeof(a->info[0]));
}

/* The first message says that it is there. The store's end is the end of the socket. */
static _Noreturn void answer_all(void)
{
	static const struct sandbox_rule rules[] = {
		{ .call = SCMP_SYS(ioctl), true, 1, IOCTL_PRIVCMD_HYPERCALL },
	};
	static struct domains_answer a;
	struct hypercall h = { .calls = NULL };
	struct question q;
	struct err err;

	prctl(PR_SET_NAME, "store-domains");
	if (!hypercall_open(&h)) {
		log_line("no access to hypercalls: %s", strerror(errno));
		_exit(EXIT_FAILURE);
	}
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    sandbox_enter(rules, ARRAY_SIZE(rules), &err)) {
		log_line("the process that asks for domains: %s", strerror(errno));
		_exit(EXIT_FAILURE);
	}
	do {
		if (send(FD, &a, sizeof(a), MSG_NOSIGNAL) != (ssize_t)sizeof(a) ||
		    recv(FD, &q, sizeof(q), 0) != (ssize_t)sizeof(q))
			break;
		look(&h, &q, &a);
	} while (true);
	_exit(EXIT_SUCCESS);
}

static _Noreturn void become_process(int fd)
{
	if (dup2(fd, FD) < 0 || close_range(FD + 1, ~0U, 0)) {
		log_line("the process that asks for domains: %s", strerror(errno));
		_exit(EXIT_FAILURE);
	}
	answer_all();
}

/* --- and who asks it --------------------------------------------------------------------------- */

int domains_open(struct domains *d)
{
	struct domains_answer hello;
	int ends[2], err;
	pid_t pid;

	d->fd = -1;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return -errno;
	pid = fork();
	if (!pid)
		become_process(ends[1]);
	err = pid < 0 ? -errno : 0;
	close(ends[1]);
	if (!err && recv(ends[0], &hello, sizeof(hello), 0) != (ssize_t)sizeof(hello))
		err = -EIO;
	if (err) {
		log_line("there is no process to ask for domains: %s", strerror(-err));
		close(ends[0]);
		return err;
	}
	d->fd = ends[0];
	return 0;
}

void domains_close(struct domains *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

void domains_ask(const struct domains *d, uint32_t first, uint32_t max, uint64_t since,
		 struct domains_answer *ret_answer)
{
	const struct question q = { first, max, since };

	if (send(d->fd, &q, sizeof(q), MSG_NOSIGNAL) == (ssize_t)sizeof(q) &&
	    recv(d->fd, ret_answer, sizeof(*ret_answer), 0) == (ssize_t)sizeof(*ret_answer))
		return;
	log_line("the process that asks for domains has gone");
	exit(EXIT_FAILURE);
}

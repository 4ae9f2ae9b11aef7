/* By libseccomp. */
#include "back/lib/sandbox.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <xen/xen.h>

#include <xen/grant_table.h>

/* These two need the types of those two. */
#include <xen/evtchn.h>
#include <xen/gntdev.h>

#include "lib/size.h"

#define CALL(name)                     \
	{                              \
		.call = SCMP_SYS(name) \
	}
#define REQUEST(name)                                                                         \
	{                                                                                     \
		.call = SCMP_SYS(ioctl), .has_argument = true, .argument = 1, .value = (name) \
	}

static const struct sandbox_rule common[] = {
	CALL(read),
	CALL(write),
	CALL(readv),
	CALL(writev),
	CALL(recvmsg),
	CALL(sendmsg),
	CALL(recvfrom),
	CALL(sendto),
	CALL(close),
	CALL(fcntl),
	CALL(poll),
	CALL(ppoll),
	CALL(epoll_wait),
	CALL(epoll_pwait),
	CALL(timerfd_settime),
	CALL(clock_gettime),
	CALL(gettimeofday),
	CALL(clock_nanosleep),
	CALL(nanosleep),
	/* No code but what is there. */
	{ .call = SCMP_SYS(mmap), .has_argument = true, .argument = 2, .mask = PROT_EXEC },
	CALL(munmap),
	CALL(mremap),
	/* Heaps of threads grow by it: libxenstore's has one. */
	{ .call = SCMP_SYS(mprotect),
	  .has_argument = true,
	  .argument = 2,
	  .value = PROT_READ | PROT_WRITE },
	CALL(madvise),
	CALL(brk),
	CALL(futex),
	CALL(sched_yield),
	CALL(getpid),
	CALL(gettid),
	CALL(getrandom),
	CALL(rt_sigaction),
	CALL(rt_sigprocmask),
	CALL(rt_sigreturn),
	CALL(restart_syscall),
	CALL(exit),
	CALL(exit_group),
	CALL(rseq),
	CALL(set_robust_list),
	REQUEST(IOCTL_EVTCHN_BIND_INTERDOMAIN),
	REQUEST(IOCTL_EVTCHN_UNBIND),
	REQUEST(IOCTL_EVTCHN_NOTIFY),
	REQUEST(IOCTL_GNTDEV_MAP_GRANT_REF),
	REQUEST(IOCTL_GNTDEV_UNMAP_GRANT_REF),
	REQUEST(IOCTL_GNTDEV_GET_OFFSET_FOR_VADDR),
	REQUEST(IOCTL_GNTDEV_GRANT_COPY),
};

static int find_user(const char *name, uid_t *ret_uid, gid_t *ret_gid, struct err *err)
{
	const struct passwd *user;
	uint64_t number;

	if (!number_parse(name, &number, err)) {
		*ret_uid = (uid_t)number;
		*ret_gid = (gid_t)number;
		return 0;
	}
	user = getpwnam(name);
	if (!user)
		return err_set(err, -ENOENT, "there is no user %s", name);
	*ret_uid = user->pw_uid;
	*ret_gid = user->pw_gid;
	return 0;
}

int sandbox_leave_root(const char *user, struct err *err)
{
	uid_t uid = 0;
	gid_t gid = 0;
	int code;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return err_errno(err, -errno, "no_new_privs");
	if (geteuid())
		return 0;
	code = find_user(user, &uid, &gid, err);
	if (code)
		return code;
	if (!uid)
		return err_set(err, -EINVAL, "user %s is root", user);
	if (setgroups(0, NULL) || setresgid(gid, gid, gid) || setresuid(uid, uid, uid))
		return err_errno(err, -errno, "becoming user %s", user);
	return 0;
}

static int allow(scmp_filter_ctx filter, const struct sandbox_rule *rules, size_t nr)
{
	int code = 0;

	for (size_t i = 0; i < nr && !code; i++) {
		const struct sandbox_rule *r = &rules[i];

		if (r->has_argument)
			code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, r->call, 1,
						SCMP_CMP64(r->argument, SCMP_CMP_MASKED_EQ,
							   r->mask ? r->mask : UINT64_MAX,
							   r->value));
		else
			code = seccomp_rule_add(filter, SCMP_ACT_ALLOW, r->call, 0);
	}
	return code;
}

int sandbox_enter(const struct sandbox_rule *rules, size_t nr, struct err *err)
{
	/* For abort(), and the end of libxenstore's thread; others have the same user. */
	const struct sandbox_rule signal_self = { .call = SCMP_SYS(tgkill),
						  .has_argument = true,
						  .value = (uint64_t)getpid() };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	int code = filter ? 0 : -ENOMEM;

	if (!code)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC,
					1); /* libxenstore's thread */
	if (!code)
		code = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE,
					2); /* a tree: the kernel goes through it at each ioctl() */
	if (!code)
		code = allow(filter, common, ARRAY_SIZE(common));
	if (!code)
		code = allow(filter, &signal_self, 1);
	if (!code)
		code = allow(filter, rules, nr);
	if (!code)
		code = seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return code ? err_errno(err, code, "seccomp") : 0;
}

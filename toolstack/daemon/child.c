/* See child.h. A pidfd tells of the end, also for a process that an earlier lodged has started. */
#include "daemon/child.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/loop.h"

#define FIRST_FD         3
#define FIRST_DELAY_MS   100u
#define LONGEST_DELAY_MS 1000u
#define LONG_ENOUGH_MS   2000u /* who ran for so long did not fail at its start */
#define PATIENCE_MS      2000u /* between SIGTERM and SIGKILL */
#define NS_PER_MS        UINT64_C(1000000)

struct child {
	struct loop *loop;
	struct child_spec spec; /* its texts and descriptors are owned */
	pid_t pid;              /* 0: none runs */
	bool is_ours;           /* to be reaped */
	struct loop_fd pidfd;
	struct loop_timer timer; /* the next start; or the end of patience */
	uint64_t started_ns;
	uint64_t delay_ms;
	unsigned int nr_starts;
	bool is_restarting; /* it is to end, and the next one to start */
	bool is_stopping;
	void (*stopped)(void *argument);
	void *stopped_argument;
};

/* The 22nd field of /proc/PID/stat; 0: there is no such process. */
static uint64_t start_time_of(pid_t pid)
{
	char path[32], line[512], *at;
	uint64_t time = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	at = fgets(line, sizeof(line), f) ? strrchr(line, ')')
					  : NULL; /* the name may have blanks */
	for (int field = 2; at && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at)
		time = strtoull(at, NULL, 10);
	fclose(f);
	return time;
}

bool process_is(pid_t pid, uint64_t start_time)
{
	return start_time_of(pid) == start_time;
}

/* Of copy_spec(). */
static void free_spec(const struct child_spec *spec)
{
	for (size_t i = 0; i < spec->nr_fds; i++)
		close(spec->fds[i]);
	for (size_t i = 0; spec->arguments[i]; i++)
		free((void *)(uintptr_t)spec->arguments[i]);
}

static void child_free(struct child *c)
{
	loop_remove(&c->pidfd);
	if (c->pidfd.fd >= 0)
		close(c->pidfd.fd);
	loop_timer_stop(&c->timer);
	free_spec(&c->spec);
	free(c);
}

/* In the new process: only calls that are safe after fork() in a program with threads. */
static void become(const struct child *c, int null_fd)
{
	sigset_t none;
	int low = FIRST_FD + (int)c->spec.nr_fds;

	setpgid(0, 0);
	for (int i = 1; i < NSIG; i++) /* before any of them can come */
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(null_fd, STDIN_FILENO);
	for (size_t i = 0; i < c->spec.nr_fds; i++) { /* child_start() put them above all targets */
		if (dup2(c->spec.fds[i], FIRST_FD + (int)i) < 0)
			_exit(127);
	}
	close_range((unsigned int)low, ~0U, 0);
	execv(c->spec.arguments[0], (char *const *)(uintptr_t)c->spec.arguments);
	_exit(127);
}

static int watch_pid(struct child *c, pid_t pid)
{
	int fd = pidfd_open(pid, 0), ret;

	if (fd < 0)
		return -errno;
	c->pidfd.fd = fd;
	ret = loop_add(c->loop, &c->pidfd, EPOLLIN);
	if (ret) {
		close(fd);
		c->pidfd.fd = -1;
		return ret;
	}
	c->pid = pid;
	c->started_ns = loop_now_ns();
	return 0;
}

static void unwatch_pid(struct child *c)
{
	loop_remove(&c->pidfd);
	close(c->pidfd.fd);
	c->pidfd.fd = -1;
	c->pid = 0;
}

static int launch(struct child *c)
{
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC), ret;
	sigset_t all, before;
	pid_t pid;

	if (null_fd < 0)
		return -errno;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid = fork();
	if (!pid)
		become(c, null_fd);
	ret = pid < 0 ? -errno : 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(null_fd);
	if (ret)
		return ret;
	c->is_ours = true;
	c->nr_starts++;
	ret = watch_pid(c, pid);
	if (ret) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	return ret;
}

static bool ran_long(const struct child *c)
{
	return loop_now_ns() - c->started_ns >= LONG_ENOUGH_MS * NS_PER_MS;
}

static void launch_later(struct child *c)
{
	if (ran_long(c))
		c->delay_ms = 0;
	loop_timer_start(c->loop, &c->timer, c->delay_ms);
	c->delay_ms = c->delay_ms ? MIN(2 * c->delay_ms, LONGEST_DELAY_MS) : FIRST_DELAY_MS;
}

/* By its handle: the number of one that is not ours may be another's as soon as it has ended. */
static void tell(const struct child *c, int number)
{
	(void)!pidfd_send_signal(c->pidfd.fd, number, NULL, 0);
}

static void timer_fired(struct loop_timer *t)
{
	struct child *c = container_of(t, struct child, timer);

	if (c->is_stopping || c->is_restarting)
		tell(c, SIGKILL);
	else if (launch(c))
		launch_later(c);
	else if (c->spec.started)
		c->spec.started(c->spec.argument);
}

static void describe_end(const struct child *c, char *ret_how, size_t bytes)
{
	int status;

	if (!c->is_ours)
		snprintf(ret_how, bytes, "it has ended");
	else if (waitpid(c->pid, &status, 0) != c->pid)
		snprintf(ret_how, bytes, "%s", strerror(errno));
	else if (WIFSIGNALED(status))
		snprintf(ret_how, bytes, "killed by signal %d", WTERMSIG(status));
	else
		snprintf(ret_how, bytes, "exit status %d", WEXITSTATUS(status));
}

static void finish_stop(struct child *c)
{
	void (*stopped)(void *argument) = c->stopped;
	void *argument = c->stopped_argument;

	child_free(c);
	if (stopped)
		stopped(argument);
}

static void ended(struct loop_fd *f, uint32_t events)
{
	struct child *c = container_of(f, struct child, pidfd);
	char how[64];

	(void)events;
	describe_end(c, how, sizeof(how));
	unwatch_pid(c);
	if (c->is_stopping) {
		finish_stop(c);
		return;
	}
	if (c->is_restarting) {
		c->is_restarting = false;
		loop_timer_start(c->loop, &c->timer, 0);
		return;
	}
	launch_later(c);
	if (c->spec.ended)
		c->spec.ended(c->spec.argument, how); /* may stop it, and then c is gone */
}

/* Texts and descriptors of its own; the latter above all numbers that the process will have. */
static int copy_spec(struct child_spec *ret_copy, const struct child_spec *spec)
{
	*ret_copy = *spec;
	memset(ret_copy->arguments, 0, sizeof(ret_copy->arguments));
	ret_copy->nr_fds = 0;
	for (size_t i = 0; i < CHILD_MAX_ARGUMENTS - 1 && spec->arguments[i]; i++) {
		ret_copy->arguments[i] = strdup(spec->arguments[i]);
		if (!ret_copy->arguments[i])
			return -ENOMEM;
	}
	for (size_t i = 0; i < MIN(spec->nr_fds, CHILD_MAX_FDS); i++) {
		int fd = fcntl(spec->fds[i], F_DUPFD_CLOEXEC, FIRST_FD + (int)CHILD_MAX_FDS);

		if (fd < 0)
			return -errno;
		ret_copy->fds[ret_copy->nr_fds++] = fd;
	}
	return 0;
}

int child_create(struct loop *l, const struct child_spec *spec, struct child **ret_child,
		 struct err *err)
{
	struct child *c = calloc(1, sizeof(*c));
	int ret;

	if (!c)
		return err_set(err, -ENOMEM, "no memory");
	c->loop = l;
	c->pidfd = (struct loop_fd){ .fd = -1, .ready = ended };
	c->timer.fire = timer_fired;
	ret = access(spec->arguments[0], X_OK) ? -errno : copy_spec(&c->spec, spec);
	if (ret) {
		child_free(c);
		return err_errno(err, ret, "%s", spec->arguments[0]);
	}
	*ret_child = c;
	return 0;
}

int child_start(struct child *c, struct err *err)
{
	int ret = launch(c);

	if (ret)
		return err_errno(err, ret, "%s: starting it", c->spec.arguments[0]);
	if (c->spec.started)
		c->spec.started(c->spec.argument);
	return 0;
}

int child_adopt(struct child *c, pid_t pid, uint64_t start_time, struct err *err)
{
	/* First the handle, then the time: what the handle names cannot become another process. */
	if (pid <= 0 || watch_pid(c, pid))
		return child_start(c, err);
	if (process_is(pid, start_time)) {
		c->nr_starts++;
		return 0;
	}
	unwatch_pid(c);
	return child_start(c, err);
}

int child_change(struct child *c, const struct child_spec *spec, struct err *err)
{
	struct child_spec copy;
	int ret = copy_spec(&copy, spec);

	if (ret) {
		free_spec(&copy);
		return err_errno(err, ret, "%s", spec->arguments[0]);
	}
	free_spec(&c->spec);
	c->spec = copy;
	return 0;
}

void child_restart(struct child *c)
{
	c->delay_ms = 0;
	c->is_restarting = c->pid != 0;
	if (c->pid)
		tell(c, SIGTERM);
	loop_timer_start(c->loop, &c->timer, c->pid ? PATIENCE_MS : 0);
}

void child_stop(struct child *c, void (*stopped)(void *argument), void *argument)
{
	c->is_stopping = true;
	c->stopped = stopped;
	c->stopped_argument = argument;
	loop_timer_stop(&c->timer);
	if (!c->pid) {
		finish_stop(c);
		return;
	}
	tell(c, SIGTERM);
	loop_timer_start(c->loop, &c->timer, PATIENCE_MS);
}

void child_forget(struct child *c)
{
	if (c)
		child_free(c);
}

pid_t child_pid(const struct child *c)
{
	return c->pid;
}

uint64_t child_start_time(const struct child *c)
{
	return c->pid ? start_time_of(c->pid) : 0;
}

unsigned int child_nr_starts(const struct child *c)
{
	return c->nr_starts;
}

bool child_is_steady(const struct child *c)
{
	return c->pid && ran_long(c);
}

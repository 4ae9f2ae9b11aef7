/* lodge-console: see lodge-console.8. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "back/lib/sandbox.h"
#include "console.h"
#include "lib/log.h"
#include "lib/size.h"
#include "platform.h"

#define SOCKET_GROUP "lodge"
#define MAX_FILES    8192 /* each guest's log is one */

struct options {
	struct console_options console;
	const char *run_dir;
	const char *user;
};

static const char usage[] =
	"usage: lodge-console [--run-dir FOLDER] [--log-dir FOLDER] [--log-size KIB]\n"
	"                     [--rate KIB] [--user NAME]\n"
	"Serves the guests' consoles; see lodge-console(8).\n";

static int parse_number(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
	struct err err;

	if (!number_parse(text, ret_number, &err) && *ret_number >= least && *ret_number <= most)
		return 0;
	fprintf(stderr, "lodge-console: \"%s\" is not a number from %llu to %llu\n", text,
		(unsigned long long)least, (unsigned long long)most);
	return -EINVAL;
}

static int set_option(struct options *o, int c)
{
	uint64_t number = 0;
	int err = 0;

	switch (c) {
	case 'd':
		o->run_dir = optarg;
		break;
	case 'l':
		o->console.log_dir = optarg;
		break;
	case 's':
		err = parse_number(optarg, 4, 1 << 20, &number);
		o->console.log_size = (off_t)number << 10;
		break;
	case 'r':
		err = parse_number(optarg, 1, 1 << 20, &number);
		o->console.rate_kib = (unsigned int)number;
		break;
	case 'u':
		o->user = optarg;
		break;
	default:
		return -EINVAL;
	}
	return err;
}

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "run-dir", required_argument, NULL, 'd' },
		{ "log-dir", required_argument, NULL, 'l' },
		{ "log-size", required_argument, NULL, 's' },
		{ "rate", required_argument, NULL, 'r' },
		{ "user", required_argument, NULL, 'u' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c, err = 0;

	while (!err && (c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (c == 'h') {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		err = set_option(o, c);
	}
	if (!err && optind < argc)
		err = -EINVAL;
	if (err)
		fputs(usage, stderr);
	return err;
}

static int fail(const char *what)
{
	int err = -errno;

	log_line("%s: %s", what, strerror(-err));
	return err;
}

/* Two of us would serve the same rings. The lock goes with the process. */
static int lock_folder(const char *folder)
{
	char path[128];
	int fd;

	if (mkdir(folder, 0755) && errno != EEXIST)
		return fail(folder);
	if ((size_t)snprintf(path, sizeof(path), "%s/console.lock", folder) >= sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return fail(errno == EWOULDBLOCK ? "another lodge-console is running" : path);
	return 0;
}

/* For root and, where there is one, group lodge. */
static int listen_at(const char *folder)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct group *group = getgrnam(SOCKET_GROUP);
	size_t size = sizeof(address.sun_path);
	int fd;

	if ((size_t)snprintf(address.sun_path, size, "%s/console", folder) >= size) {
		errno = ENAMETOOLONG;
		return fail(folder);
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return fail(address.sun_path);
	unlink(address.sun_path);
	umask(0177);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) ||
	    (group && !chown(address.sun_path, (uid_t)-1, group->gr_gid) &&
	     chmod(address.sun_path, 0660)) ||
	    listen(fd, 64))
		return fail(address.sun_path);
	umask(0);
	return fd;
}

static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void allow_files(void)
{
	struct rlimit limit = { MAX_FILES, MAX_FILES };

	if (setrlimit(RLIMIT_NOFILE, &limit))
		(void)!fail("the number of open files");
}

/* Logs are opened, moved and read; clients come. */
static int shut_in(const struct options *o)
{
	static const struct sandbox_rule rules[] = {
		{ .call = SCMP_SYS(openat) },     { .call = SCMP_SYS(fstat) },
		{ .call = SCMP_SYS(newfstatat) }, { .call = SCMP_SYS(pread64) },
		{ .call = SCMP_SYS(rename) },     { .call = SCMP_SYS(accept4) },
	};
	struct err err;

	if (!sandbox_leave_root(o->user, &err) && !sandbox_enter(rules, ARRAY_SIZE(rules), &err))
		return 0;
	log_line("%s", err.text);
	return -EPERM;
}

static int run(struct platform *platform, const struct options *o, int listen_fd, int stop_fd)
{
	struct console *c;
	int result = console_create(platform, &o->console, listen_fd, stop_fd, &c);

	if (result) {
		log_line("no memory");
		return result;
	}
	log_line("ready");
	while (!result)
		result = console_turn(c, -1);
	if (result < 0)
		log_line("cannot go on: %s", strerror(-result));
	console_destroy(c);
	return result < 0 ? result : 0;
}

int main(int argc, char **argv)
{
	struct options o = {
		.console = { .log_dir = "/var/log/lodge",
			     .log_size = 1 << 20,
			     .rate_kib = 256,
			     .burst_kib = 128 },
		.run_dir = "/run/lodge",
		.user = "lodge-console",
	};
	struct platform *platform;
	int listen_fd, stop_fd;

	if (parse_options(argc, argv, &o))
		return 2;
	allow_files();
	if (lock_folder(o.run_dir) || platform_open(&platform))
		return EXIT_FAILURE;
	stop_fd = open_signals();
	listen_fd = listen_at(o.run_dir);
	if (listen_fd < 0 || shut_in(&o))
		return EXIT_FAILURE;
	return run(platform, &o, listen_fd, stop_fd) ? EXIT_FAILURE : EXIT_SUCCESS;
}

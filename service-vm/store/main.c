/* lodge-store: see lodge-store.8. */
#include <errno.h>
#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include "back/lib/sandbox.h"
#include "conn.h"
#include "journal.h"
#include "lib/log.h"
#include "platform.h"
#include "serve.h"
#include "socket.h"
#include "state.h"
#include "store.h"

struct options {
	const char *folder;
	const char *user;
	bool is_forgetful; /* keeps nothing */
};

static const char usage[] = "usage: lodge-store [--dir FOLDER] [--user NAME] [--no-journal]\n"
			    "Serves xenstore; see lodge-store(8).\n";

static int parse_options(int argc, char **argv, struct options *o)
{
	static const struct option names[] = {
		{ "dir", required_argument, NULL, 'd' },
		{ "user", required_argument, NULL, 'u' },
		{ "no-journal", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (c) {
		case 'd':
			o->folder = optarg;
			break;
		case 'u':
			o->user = optarg;
			break;
		case 'n':
			o->is_forgetful = true;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		default:
			fputs(usage, stderr);
			return -EINVAL;
		}
	}
	if (optind == argc)
		return 0;
	fputs(usage, stderr);
	return -EINVAL;
}

static int fail(const char *what)
{
	int err = -errno;

	log_line("%s: %s", what, strerror(-err));
	return err;
}

/* Two stores would serve the same rings. The lock goes with the process. */
static int lock_folder(const char *folder)
{
	int fd;

	if (mkdir(folder, 0755) && errno != EEXIST)
		return fail(folder);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB))
		return fail(errno == EWOULDBLOCK ? "another store is running" : folder);
	return fd;
}

static int listen_at(const char *folder, const char *name, unsigned int mode)
{
	char path[128];
	int fd = -ENAMETOOLONG;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path))
		fd = socket_listen(path, mode);
	if (fd < 0)
		log_line("%s/%s: %s", folder, name, strerror(-fd));
	return fd;
}

/* The service VM's own kernel is introduced without asking, unless the journal has done so. */
static int introduce_local(struct store *s)
{
	uint32_t port = 0;
	int err;

	if (!s->platform || s->domains[0]->is_introduced)
		return 0;
	err = platform_local(s->platform, &port);
	if (!err)
		err = store_introduce(s, s->domains[0], 0, port);
	if (err)
		log_line("the service VM's own kernel cannot be served: %s", strerror(-err));
	journal_commit(s->journal);
	return err;
}

static int give_up_root(const struct options *o, int folder_fd)
{
	const struct passwd *user;

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fail("no_new_privs");
	if (!o->user)
		return 0;
	errno = ENOENT;
	user = getpwnam(o->user);
	if (!user || fchown(folder_fd, user->pw_uid, user->pw_gid) || setgroups(0, NULL) ||
	    setgid(user->pw_gid) || setuid(user->pw_uid))
		return fail(o->user);
	return 0;
}

/* Who gives up root, gives up all system calls but those of its work. A live update would need others. */
static int shut_in(const struct options *o)
{
	static const struct sandbox_rule rules[] = {
		{ .call = SCMP_SYS(openat) },     { .call = SCMP_SYS(fstat) },
		{ .call = SCMP_SYS(newfstatat) }, { .call = SCMP_SYS(fallocate) },
		{ .call = SCMP_SYS(rename) },     { .call = SCMP_SYS(unlink) },
		{ .call = SCMP_SYS(accept4) },
	};
	struct err err;

	if (!o->user || !sandbox_enter(rules, ARRAY_SIZE(rules), &err))
		return 0;
	log_line("%s", err.text);
	return -EPERM;
}

static int open_state(struct store *s, const struct options *o)
{
	char path[128];

	if (o->is_forgetful)
		return 0;
	if ((size_t)snprintf(path, sizeof(path), "%s/journal", o->folder) >= sizeof(path))
		return -ENAMETOOLONG;
	return journal_open(path, &s->journal);
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

/* The program anew, with the same arguments; it finds everything in the journal. */
static int hand_over(struct store *s, const struct options *o, char **argv)
{
	struct conn *conn;
	sigset_t none;

	s->wants_handover = false;
	if (o->user) { /* the next one could not open what this one has open */
		log_line("live-update: not possible with --user");
		return 0;
	}
	list_for_each_entry(conn, &s->conns, node) { /* last answers */
		if (conn->fd >= 0)
			(void)conn_serve(conn);
	}
	journal_checkpoint(s->journal, s, true);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv("/proc/self/exe", argv);
	return fail("handing over");
}

static int run(struct store *s, const struct options *o, const struct listener *l, int signal_fd,
	       char **argv)
{
	int result = 0;

	while (!result) {
		result = serve_turn(s, l, signal_fd, -1);
		if (!result && s->wants_handover)
			result = hand_over(s, o, argv);
	}
	return result < 0 ? result : 0;
}

/* They shape the tree and are no secret. Waiting for better numbers takes a machine without RDRAND a second. */
static void seed_priorities(void)
{
	long seed = 0;

	(void)!getrandom(&seed, sizeof(seed), GRND_INSECURE);
	srand48(seed);
}

int main(int argc, char **argv)
{
	struct options o = { .folder = "/run/xenstored" };
	struct listener l;
	struct platform *platform;
	struct store *s;
	int folder_fd, signal_fd, err = parse_options(argc, argv, &o);

	if (err)
		return 2;
	seed_priorities();
	folder_fd = lock_folder(o.folder);
	if (folder_fd < 0 || platform_open(&platform))
		return EXIT_FAILURE;
	s = store_create(platform);
	if (!s)
		return EXIT_FAILURE;
	signal_fd = open_signals();
	err = open_state(s, &o);
	if (!err)
		err = state_load(s);
	if (!err)
		err = introduce_local(s);
	if (!err) {
		l.fd = listen_at(o.folder, "socket", 0600);
		l.read_only_fd = listen_at(o.folder, "socket_ro", 0660);
		err = l.fd < 0 || l.read_only_fd < 0 ? -EIO : give_up_root(&o, folder_fd);
	}
	if (!err)
		err = shut_in(&o);
	if (!err) {
		log_line("ready");
		err = run(s, &o, &l, signal_fd, argv);
	}
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

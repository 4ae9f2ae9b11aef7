/* lodge-block: see lodge-block.8. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include <linux/fs.h>
#include <seccomp.h>

#include "back/block/block.h"
#include "back/lib/platform.h"
#include "back/lib/sandbox.h"
#include "lib/size.h"

#define IO_END_TIMEOUT_MS 30000 /* for the I/O of a process that was killed */

struct options {
	const char *user;
	struct nbd_image image; /* name NULL: none */
	uint64_t domain, disk_fd, journal_fd, nr_queues, logical, physical;
	bool may_discard, has_disk, has_journal, is_open;
	struct err grown; /* what came of nr_wanted; empty: the disk is as large */
};

struct server {
	struct block block;
	struct loop *loop;
	struct loop_watch events, store, end;
};

static int end_fd; /* an eventfd: the process is to end */

static const char usage[] =
	"usage: lodge-block --domain N --frontend PATH --backend PATH --journal-fd N\n"
	"                   (--disk-fd N | --image NAME --format FORMAT) [option...]\n"
	"Serves one disk of one guest; lodged starts it. See lodge-block(8).\n";

enum option_code {
	OPTION_DOMAIN = 256,
	OPTION_FRONTEND,
	OPTION_BACKEND,
	OPTION_DISK,
	OPTION_IMAGE,
	OPTION_FORMAT,
	OPTION_CACHE,
	OPTION_QEMU_NBD,
	OPTION_QEMU_IMG,
	OPTION_GROW,
	OPTION_JOURNAL,
	OPTION_USER,
	OPTION_QUEUES,
	OPTION_LOGICAL,
	OPTION_PHYSICAL,
	OPTION_LIMIT,
	OPTION_READ_ONLY,
	OPTION_DISCARD,
	OPTION_NO_SANDBOX,
	OPTION_HELP,
};

static const struct option names[] = {
	{ "domain", required_argument, NULL, OPTION_DOMAIN },
	{ "frontend", required_argument, NULL, OPTION_FRONTEND },
	{ "backend", required_argument, NULL, OPTION_BACKEND },
	{ "disk-fd", required_argument, NULL, OPTION_DISK },
	{ "image", required_argument, NULL, OPTION_IMAGE },
	{ "format", required_argument, NULL, OPTION_FORMAT },
	{ "cache", required_argument, NULL, OPTION_CACHE },
	{ "qemu-nbd", required_argument, NULL, OPTION_QEMU_NBD },
	{ "qemu-img", required_argument, NULL, OPTION_QEMU_IMG },
	{ "grow", required_argument, NULL, OPTION_GROW },
	{ "journal-fd", required_argument, NULL, OPTION_JOURNAL },
	{ "user", required_argument, NULL, OPTION_USER },
	{ "queues", required_argument, NULL, OPTION_QUEUES },
	{ "logical-sector", required_argument, NULL, OPTION_LOGICAL },
	{ "physical-sector", required_argument, NULL, OPTION_PHYSICAL },
	{ "limit", required_argument, NULL, OPTION_LIMIT },
	{ "read-only", no_argument, NULL, OPTION_READ_ONLY },
	{ "discard", no_argument, NULL, OPTION_DISCARD },
	{ "no-sandbox", no_argument, NULL, OPTION_NO_SANDBOX },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ 0 },
};

static int parse_number(const char *text, uint64_t max, uint64_t *ret_number, struct err *err)
{
	int code = number_parse(text, ret_number, err);

	if (!code && *ret_number > max)
		return err_set(err, -ERANGE, "%s is too much", text);
	return code;
}

static int parse_sector_size(const char *text, uint64_t max, uint64_t *ret_size, struct err *err)
{
	int code = parse_number(text, max, ret_size, err);

	if (!code && (*ret_size < SECTOR || !is_power_of_2(*ret_size)))
		return err_set(err, -EINVAL, "%s is no size of a sector", text);
	return code;
}

static int take_number(int option, struct options *o, struct err *err)
{
	switch (option) {
	case OPTION_DOMAIN:
		return parse_number(optarg, UINT16_MAX, &o->domain, err);
	case OPTION_DISK:
		o->has_disk = true;
		return parse_number(optarg, INT32_MAX, &o->disk_fd, err);
	case OPTION_JOURNAL:
		o->has_journal = true;
		return parse_number(optarg, INT32_MAX, &o->journal_fd, err);
	case OPTION_GROW:
		return parse_number(optarg, INT64_MAX, &o->image.nr_wanted, err);
	case OPTION_QUEUES:
		return parse_number(optarg, BLOCK_QUEUES_MAX, &o->nr_queues, err);
	case OPTION_LOGICAL:
		return parse_sector_size(optarg, 4096, &o->logical, err);
	case OPTION_PHYSICAL:
		return parse_sector_size(optarg, 1U << 20, &o->physical, err);
	default:
		return err_set(err, -EINVAL, "no such option");
	}
}

/* Those that name things. */
static bool take_text(int option, struct options *o, struct block *b)
{
	const struct {
		int option;
		const char **text;
	} texts[] = {
		{ OPTION_FRONTEND, &b->xenbus.front },
		{ OPTION_BACKEND, &b->xenbus.back },
		{ OPTION_USER, &o->user },
		{ OPTION_IMAGE, &o->image.name },
		{ OPTION_FORMAT, &o->image.format },
		{ OPTION_CACHE, &o->image.cache },
		{ OPTION_QEMU_NBD, &o->image.program },
		{ OPTION_QEMU_IMG, &o->image.grower },
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		if (texts[i].option != option)
			continue;
		*texts[i].text = optarg;
		return true;
	}
	return false;
}

static int take_option(int option, struct options *o, struct block *b, struct err *err)
{
	switch (option) {
	case OPTION_LIMIT:
		return limits_set(&b->limits, optarg, err);
	case OPTION_READ_ONLY:
		b->is_read_only = true;
		return 0;
	case OPTION_DISCARD:
		o->may_discard = true;
		return 0;
	case OPTION_NO_SANDBOX:
		o->is_open = true;
		return 0;
	default:
		return take_text(option, o, b) ? 0 : take_number(option, o, err);
	}
}

static int parse_options(int argc, char **argv, struct options *o, struct block *b, struct err *err)
{
	int option, code;

	while ((option = getopt_long(argc, argv, "", names, NULL)) != -1) {
		if (option == OPTION_HELP) {
			fputs(usage, stdout);
			exit(EXIT_SUCCESS);
		}
		code = take_option(option, o, b, err);
		if (code)
			return code;
	}
	if (optind != argc || !b->xenbus.front || !b->xenbus.back || !o->domain ||
	    !o->has_journal || o->has_disk == (o->image.name != NULL) ||
	    (o->image.name && !o->image.format) || !o->nr_queues)
		return err_set(err, -EINVAL, "an option is missing, or too much");
	b->nr_queues_max = (uint32_t)o->nr_queues;
	b->logical = (uint32_t)o->logical;
	b->physical = (uint32_t)o->physical;
	return 0;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000U + (uint64_t)t.tv_nsec;
}

/* Wherever the process sleeps: in the loop or in platform_sleep(). */
static void on_signal(int number)
{
	int saved = errno;

	(void)number;
	(void)eventfd_write(end_fd, 1);
	errno = saved;
	platform_disturb();
}

static int open_signals(void)
{
	const struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };

	end_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	signal(SIGPIPE, SIG_IGN);
	return end_fd < 0 || sigaction(SIGTERM, &action, NULL) || sigaction(SIGINT, &action, NULL)
		       ? -errno
		       : end_fd;
}

static int watch(struct server *s, struct loop_watch *w, int fd, struct err *err)
{
	w->file = fd < 0 ? fd : loop_register(s->loop, fd, err);
	return MIN(w->file, 0);
}

/* What cannot grow is served as it is: the guest is there. */
static void grow(struct options *o, const struct nbd_image *image, int lock)
{
	if (!nbd_image_grow(image, lock, &o->grown))
		o->grown.text[0] = 0;
	else
		fprintf(stderr, "lodge-block: growing: %s\n", o->grown.text);
}

static int open_backing(struct server *s, struct options *o, int lock, struct err *err)
{
	struct nbd_image image = o->image;
	int fd;

	if (o->has_disk)
		return backing_open_file(s->loop, (int)o->disk_fd, o->may_discard,
					 &s->block.backing, err);
	image.is_read_only = s->block.is_read_only;
	image.may_discard = o->may_discard;
	image.user = o->user;
	if (image.nr_wanted)
		grow(o, &image, lock);
	fd = nbd_server_start(&image, lock, err);
	if (fd < 0)
		return fd;
	return backing_open_nbd(s->loop, fd, lock, JOURNAL_BYTES, o->may_discard, &s->block.backing,
				err);
}

/* Everything that has a name is opened here. */
static int open_all(struct server *s, struct options *o, struct err *err)
{
	struct block *b = &s->block;
	int lock = -1, code = loop_create(2 * BLOCK_IOS, &s->loop, err);

	if (!code)
		code = journal_open((int)o->journal_fd, IO_END_TIMEOUT_MS, &b->journal, &lock, err);
	if (!code)
		code = platform_open((uint16_t)o->domain, &b->platform, err);
	if (!code)
		code = open_backing(s, o, lock, err);
	if (code)
		return code;
	b->now_ns = now_ns;
	limits_start(&b->limits, now_ns());
	if (block_init(b))
		return err_set(err, -ENOMEM, "no memory");
	/* The lock of the journal is held by the loop: until its last operation has ended. */
	code = MIN(loop_register(s->loop, lock, err), 0);
	if (!code)
		code = xenbus_watch(&b->xenbus, err);
	if (!code)
		code = watch(s, &s->events, platform_event_fd(b->platform), err);
	if (!code)
		code = watch(s, &s->store, platform_store_fd(b->platform), err);
	if (!code)
		code = watch(s, &s->end, open_signals(), err);
	if (!code && b->backing->is_quiet && platform_may_sleep(b->platform))
		code = err_set(err, -EIO, "no signals from the store");
	return code ? code : loop_start(s->loop, err);
}

static int shut_in(const struct options *o, struct err *err)
{
	static const struct sandbox_rule rules[] = {
		{ .call = SCMP_SYS(io_uring_enter) },
		{ .call = SCMP_SYS(fstat) },
		{ .call = SCMP_SYS(newfstatat) },
		{ .call = SCMP_SYS(ioctl), true, 1, BLKGETSIZE64 },
		{ .call = SCMP_SYS(ioctl), true, 1, BLKDISCARD },
		{ .call = SCMP_SYS(ioctl), true, 1, BLKSECDISCARD },
	};
	int code = sandbox_leave_root(o->user, err);

	return code || o->is_open ? code : sandbox_enter(rules, ARRAY_SIZE(rules), err);
}

static void on_change(struct xenbus *x, const char *name)
{
	if (!strcmp(name, "resize"))
		block_resized(container_of(x, struct block, xenbus));
}

/* After each sleep: what has happened. */
static int react(struct server *s, struct err *err)
{
	struct block *b = &s->block;
	int code = 0;

	if (s->events.is_ready) {
		block_events(b);
		s->events.is_ready = false;
	}
	if (s->store.is_ready) {
		code = xenbus_step(&b->xenbus, on_change, err);
		loop_watch(s->loop, &s->store, POLLIN);
	}
	if (b->is_broken && b->xenbus.is_connected) {
		fprintf(stderr, "lodge-block: the device is stopped: %s\n", b->why.text);
		xenbus_fail(&b->xenbus, &b->why);
	}
	if (!code && b->backing->is_lost)
		code = err_set(err, -ENOTCONN, "the server of the disk has gone");
	return code;
}

/* What came of it, for lodged. */
static int tell_grown(struct block *b, struct options *o, struct err *err)
{
	int code;

	if (!*o->grown.text && b->backing->nr_bytes < o->image.nr_wanted)
		err_set(&o->grown, 0, "its server has %llu bytes of it",
			(unsigned long long)b->backing->nr_bytes);
	code = xenbus_tell(&b->xenbus, "grown", "%s", *o->grown.text ? o->grown.text : "ok");
	return code ? err_errno(err, code, "xenstore") : 0;
}

/* Begins what is new, and sleeps where there is nothing to do. */
static int rest(struct server *s, bool has_more)
{
	struct block *b = &s->block;

	/* Some disks do at once what is begun. */
	if (has_more || b->is_broken || loop_has_new(s->loop))
		return loop_turn(s->loop, 0);
	if (block_is_idle(b))
		return platform_sleep(b->platform) ? 0 : loop_turn(s->loop, 0);
	loop_watch(s->loop, &s->events, POLLIN);
	return loop_turn(s->loop, block_timeout_ns(b));
}

static int serve(struct server *s, struct options *o, struct err *err)
{
	struct block *b = &s->block;
	int code = xenbus_start(&b->xenbus, err);

	if (!code)
		code = block_announce_size(b, err);
	if (!code && o->image.nr_wanted)
		code = tell_grown(b, o, err);
	loop_watch(s->loop, &s->store, POLLIN);
	loop_watch(s->loop, &s->end, POLLIN);
	while (!code && !b->xenbus.is_over && !s->end.is_ready) {
		code = rest(s, block_turn(b));
		if (code)
			return err_errno(err, code, "io_uring");
		code = react(s, err);
	}
	return code;
}

int main(int argc, char **argv)
{
	struct server s = { 0 };
	struct options o = { .user = "65534" /* nobody */,
			     .image = { .program = "qemu-nbd", .grower = "qemu-img" },
			     .nr_queues = 4 };
	struct err err;
	int code;

	setvbuf(stderr, NULL, _IOLBF, 0);
	if (parse_options(argc, argv, &o, &s.block, &err)) {
		fprintf(stderr, "lodge-block: %s\n%s", err.text, usage);
		return EX_USAGE;
	}
	code = open_all(&s, &o, &err);
	if (!code)
		code = shut_in(&o, &err);
	if (!code)
		code = serve(&s, &o, &err);
	if (s.block.xenbus.is_connected && (!code || code == -EIO))
		block_drain(&s.block); /* the next process finds less to do */
	if (!code)
		return EXIT_SUCCESS;
	fprintf(stderr, "lodge-block: %s\n", err.text);
	/* The store or the server has gone, the guest has not: another process can go on. */
	return code == -EIO || code == -ENOTCONN ? EX_TEMPFAIL : EXIT_FAILURE;
}

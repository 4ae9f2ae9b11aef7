/* Where the bytes are: files by io_uring, and qcow2 by qemu-nbd; and the journal's lock, which outlives a process for as
 * long as its I/O does. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "back/block/backing.h"
#include "back/block/journal.h"
#include "back/block/nbd-log.h"
#include "lib/qcow2.h"
#include "unit.h"

#define BYTES (1U << 20)
#define CHUNK 8192U

static struct err err;
static struct loop *loop;
static struct backing *backing;
static char path[] = "/var/tmp/lodge-unit-XXXXXX";
static int fd, result, nr_done;
static _Alignas(4096) unsigned char out[CHUNK], in[CHUNK];

static void setup(void)
{
	int code;

	strcpy(path, "/var/tmp/lodge-unit-XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, BYTES), 0);
	code = loop_create(64, &loop, &err);
	if (code == -EPERM || code == -ENOSYS) {
		puts("no io_uring here: nothing to test");
		exit(EXIT_SUCCESS);
	}
	ck_assert_int_eq(code, 0);
	for (size_t i = 0; i < CHUNK; i++)
		out[i] = (unsigned char)(i * 7 + i / 251);
	nr_done = 0;
}

static void teardown(void)
{
	if (backing)
		backing->ops->close(backing);
	loop_destroy(loop);
	unlink(path);
}

static void on_done(struct transfer *t, int r)
{
	(void)t;
	result = r;
	nr_done++;
}

/* One transfer, in two parts that are no neighbours unless one is wanted. */
static int transfer(enum transfer_kind kind, uint64_t offset, unsigned char *memory)
{
	struct iovec iov[2] = { { memory, CHUNK / 2 }, { memory + CHUNK / 2, CHUNK / 2 } };
	struct transfer t = { .kind = kind,
			      .offset = offset,
			      .length = CHUNK,
			      .iov = iov,
			      .nr_iov = 2,
			      .done = on_done };

	if (backing->wants_one_buffer) {
		iov[0].iov_len = CHUNK;
		t.nr_iov = 1;
	}
	nr_done = 0;
	backing->ops->start(backing, &t);
	while (!nr_done)
		backing->ops->wait(backing);
	return result;
}

static void write_read_flush_discard(void)
{
	static const unsigned char zeroes[CHUNK];

	ck_assert_int_eq(transfer(TRANSFER_WRITE, 4 * CHUNK, out), 0);
	ck_assert_int_eq(transfer(TRANSFER_FLUSH, 0, NULL), 0);
	ck_assert_int_eq(transfer(TRANSFER_READ, 4 * CHUNK, in), 0);
	ck_assert_mem_eq(in, out, CHUNK);
	ck_assert(backing->can_discard);
	ck_assert_int_eq(transfer(TRANSFER_DISCARD, 4 * CHUNK, NULL), 0);
	ck_assert_int_eq(transfer(TRANSFER_READ, 4 * CHUNK, in), 0);
	if (backing->discard_granularity <= CHUNK) /* less than that may stay */
		ck_assert_mem_eq(in, zeroes, CHUNK);
}

static void open_file(int flags)
{
	int disk = open(path, flags | O_CLOEXEC);

	if (disk < 0 && flags & O_DIRECT)
		disk = open(path, (flags & ~O_DIRECT) | O_CLOEXEC);
	ck_assert_int_ge(disk, 0);
	ck_assert_int_eq(backing_open_file(loop, disk, true, &backing, &err), 0);
	ck_assert_int_eq(loop_start(loop, &err), 0);
}

START_TEST(a_file_is_written_read_flushed_and_discarded_past_the_cache)
{
	open_file(O_RDWR | O_DIRECT);
	ck_assert_uint_eq(backing->nr_bytes, BYTES);
	write_read_flush_discard();
}
END_TEST

START_TEST(a_file_is_written_read_flushed_and_discarded_through_the_cache)
{
	open_file(O_RDWR);
	ck_assert_uint_eq(backing->logical, 512);
	write_read_flush_discard();
}
END_TEST

START_TEST(a_file_that_has_grown_is_as_long_as_it_is)
{
	open_file(O_RDWR);
	ck_assert_int_eq(ftruncate(fd, 2 * BYTES + 100), 0);
	ck_assert_int_eq(backing->ops->resize(backing), 0);
	ck_assert_uint_eq(backing->nr_bytes, 2 * BYTES);
	ck_assert_int_eq(transfer(TRANSFER_WRITE, 2 * BYTES - CHUNK, out), 0);
}
END_TEST

START_TEST(a_file_that_is_shorter_than_it_was_gives_an_error)
{
	open_file(O_RDWR);
	ck_assert_int_eq(ftruncate(fd, CHUNK / 2), 0);
	ck_assert_int_eq(transfer(TRANSFER_READ, 0, in), -EIO);
}
END_TEST

START_TEST(a_file_open_for_reading_is_read_only_and_cannot_be_discarded)
{
	open_file(O_RDONLY);
	ck_assert(backing->is_read_only && !backing->can_discard);
	ck_assert_int_eq(transfer(TRANSFER_WRITE, 0, out), -EBADF);
}
END_TEST

/* A device that is the file; its name. Ends the test where that is not possible. */
static void make_device(char ret_name[32])
{
	char command[128];
	FILE *output;

	snprintf(command, sizeof(command), "losetup -f --show %s 2>/dev/null", path);
	output = popen(command, "r"); /* NOLINT(cert-env33-c): a name of our own making */
	ck_assert_ptr_nonnull(output);
	if (fscanf(output, "%31s", ret_name) != 1) {
		puts("no loop devices here: nothing to test");
		exit(EXIT_SUCCESS);
	}
	pclose(output);
}

/* The device goes with the last descriptor of it. */
static void forget_device(const char *name)
{
	int device = open(name, O_RDONLY | O_CLOEXEC);

	if (device < 0)
		return;
	(void)!ioctl(device, LOOP_CLR_FD, 0);
	close(device);
}

START_TEST(a_block_device_is_written_read_flushed_and_discarded)
{
	char name[32];
	int disk;

	make_device(name);
	disk = open(name, O_RDWR | O_DIRECT | O_CLOEXEC);
	forget_device(name);
	ck_assert_int_ge(disk, 0);
	ck_assert_int_eq(backing_open_file(loop, disk, true, &backing, &err), 0);
	ck_assert_int_eq(loop_start(loop, &err), 0);
	ck_assert_uint_eq(backing->nr_bytes, BYTES);
	write_read_flush_discard();
}
END_TEST

START_TEST(nothing_but_files_and_block_devices_is_a_disk)
{
	int folder = open("/", O_RDONLY | O_CLOEXEC);

	ck_assert_int_eq(backing_open_file(loop, folder, true, &backing, &err), -EINVAL);
	close(folder);
}
END_TEST

static void make_qcow2(const char *size)
{
	char command[128];

	snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 %s %s >/dev/null 2>&1",
		 path, size);
	if (system(command) == 0) /* NOLINT(cert-env33-c): a name of our own making */
		return;
	puts("no qemu-img here: nothing to test");
	exit(EXIT_SUCCESS);
}

START_TEST(a_qcow2_image_is_served_by_a_server_of_its_own_that_ends_with_the_last_request)
{
	const struct nbd_image image = { .program = "qemu-nbd",
					 .name = path,
					 .format = "qcow2",
					 .user = "65534",
					 .may_discard = true };
	int lock = memfd_create("lock", MFD_CLOEXEC);
	struct journal *journal;
	int client, ours;

	make_qcow2("1M");
	ck_assert_int_eq(journal_open(lock, 0, &journal, &ours, &err), 0);
	client = nbd_server_start(&image, ours, &err);
	ck_assert_int_ge(client, 0);
	close(ours);
	ck_assert_int_eq(backing_open_nbd(loop, client, lock, JOURNAL_BYTES, true, &backing, &err),
			 0);
	ck_assert_int_eq(loop_start(loop, &err), 0);
	ck_assert_uint_eq(backing->nr_bytes, BYTES);
	write_read_flush_discard();
	journal_close(journal);
	ck_assert_int_eq(journal_open(lock, 20, &journal, &ours, &err), -ETIMEDOUT);
	backing->ops->close(backing);
	backing = NULL;
	loop_destroy(loop); /* it holds the socket, too */
	loop = NULL;
	ck_assert_int_eq(journal_open(lock, 10000, &journal, &ours, &err), 0);
	journal_close(journal);
}
END_TEST

START_TEST(a_qcow2_image_grows_before_it_is_served_and_never_shrinks)
{
	struct nbd_image image = { .program = "qemu-nbd",
				   .name = path,
				   .format = "qcow2",
				   .user = "65534",
				   .grower = "qemu-img",
				   .nr_wanted = 3U << 20 };
	int lock = memfd_create("lock", MFD_CLOEXEC);
	struct qcow2 now;

	make_qcow2("1M");
	ck_assert_int_eq(nbd_image_grow(&image, lock, &err), 0);
	ck_assert_int_eq(qcow2_read(path, &now, &err), 0);
	ck_assert_uint_eq(now.nr_bytes, 3U << 20);
	image.nr_wanted = 2U << 20;
	image.grower = "/nowhere"; /* there is nothing to do */
	ck_assert_int_eq(nbd_image_grow(&image, lock, &err), 0);
	image.nr_wanted = 4U << 20;
	ck_assert_int_ne(nbd_image_grow(&image, lock, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "No such file or directory"));
	image.grower = "qemu-img";
	image.nr_wanted = UINT64_C(1) << 62; /* more than the format has tables for */
	ck_assert_int_ne(nbd_image_grow(&image, lock, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "qemu-img"));
	ck_assert_int_eq(qcow2_read(path, &now, &err), 0);
	ck_assert_uint_eq(now.nr_bytes, 3U << 20);
	close(lock);
}
END_TEST

/* The process that holds the lock, as qemu-nbd does. */
static pid_t server_of(const char *word)
{
	char command[128];
	FILE *p;
	int pid = 0;

	snprintf(command, sizeof(command), "pgrep -n -f 'qemu-nb[d].*%s'", word);
	p = popen(command, "re"); /* NOLINT(cert-env33-c): a name of our own making */
	ck_assert_ptr_nonnull(p);
	ck_assert_int_eq(fscanf(p, "%d", &pid), 1); /* NOLINT(cert-err34-c): it is a number */
	pclose(p);
	return pid;
}

static void start_anew(int lock)
{
	const struct nbd_image image = { .program = "qemu-nbd",
					 .name = path,
					 .format = "qcow2",
					 .user = "65534",
					 .may_discard = true };
	struct journal *journal;
	int client, ours;

	if (backing)
		backing->ops->close(backing);
	loop_destroy(loop);
	ck_assert_int_eq(loop_create(64, &loop, &err), 0);
	ck_assert_int_eq(journal_open(lock, 10000, &journal, &ours, &err), 0);
	journal_close(journal);
	client = nbd_server_start(&image, ours, &err);
	ck_assert_int_ge(client, 0);
	if (backing_open_nbd(loop, client, lock, JOURNAL_BYTES, true, &backing, &err))
		ck_abort_msg("%s", err.text);
	close(ours);
	ck_assert_int_eq(loop_start(loop, &err), 0);
}

START_TEST(what_a_killed_server_had_in_its_memory_is_written_again)
{
	int lock = memfd_create("lock", MFD_CLOEXEC);

	make_qcow2("1M");
	start_anew(lock);
	for (uint64_t i = 0; i < 16; i++)
		ck_assert_int_eq(transfer(TRANSFER_WRITE, i * 65536, out), 0);
	ck_assert_int_eq(kill(server_of(path), SIGKILL), 0);
	while (!backing->is_lost)
		ck_assert_int_eq(loop_turn(loop, 10000000), 0);
	start_anew(lock);
	for (uint64_t i = 0; i < 16; i++) {
		ck_assert_int_eq(transfer(TRANSFER_READ, i * 65536, in), 0);
		ck_assert_mem_eq(in, out, CHUNK);
	}
}
END_TEST

START_TEST(more_is_written_than_the_log_has_room_for)
{
	int lock = memfd_create("lock", MFD_CLOEXEC);

	make_qcow2("32M");
	start_anew(lock);
	for (uint64_t i = 0; i < 4 * NBD_LOG_BYTES / CHUNK; i++)
		ck_assert_int_eq(transfer(TRANSFER_WRITE, i * CHUNK, out), 0);
	start_anew(lock); /* and what is in it is written again */
	ck_assert_int_eq(transfer(TRANSFER_READ, NBD_LOG_BYTES, in), 0);
	ck_assert_mem_eq(in, out, CHUNK);
}
END_TEST

/* In a folder that others may not enter, in files that others may not read: only root could open them. */
/* What the server, or the process before, may have written into the file. */
static int next_of_log_with(uint64_t start, uint64_t end, uint32_t length)
{
	static unsigned char data[NBD_LOG_WRITE_MAX];
	const uint64_t ends[] = { start, end };
	const struct {
		uint64_t offset;
		uint32_t length, unused;
	} entry = { .length = length };
	uint64_t position = 0, offset;
	struct nbd_log *log;
	int more;

	ck_assert_int_eq(nbd_log_open(fd, 0, &log, &err), 0);
	ck_assert_int_eq(pwrite(fd, &entry, sizeof(entry), 4096), sizeof(entry));
	ck_assert_int_eq(pwrite(fd, ends, sizeof(ends), 0), sizeof(ends));
	more = nbd_log_next(log, &position, &offset, data, &length);
	nbd_log_close(log);
	return more;
}

START_TEST(a_log_that_nobody_has_put_in_is_refused)
{
	ck_assert_int_eq(next_of_log_with(0, 0, 0), 0);
	ck_assert_int_eq(next_of_log_with(0, 16 + 4096, 4096), 1);
	ck_assert_int_eq(next_of_log_with(0, 16 + 4096, 4097), -EBADMSG);
	ck_assert_int_eq(next_of_log_with(0, NBD_LOG_BYTES, NBD_LOG_WRITE_MAX + 1), -EBADMSG);
	ck_assert_int_eq(next_of_log_with(0, NBD_LOG_BYTES, UINT32_MAX), -EBADMSG);
	ck_assert_int_eq(next_of_log_with(0, NBD_LOG_BYTES + 1, 512), -EBADMSG);
	ck_assert_int_eq(next_of_log_with(0, 1, 0), -EBADMSG);
	ck_assert_int_eq(next_of_log_with(2, 1, 0), 0);
}
END_TEST

START_TEST(a_server_is_another_user_and_sees_its_images_only)
{
	static const char script[] =
		"set -e; d=$(mktemp -d /dev/shm/lodge-unit-XXXXXX); echo $d; cd $d; "
		"head -c 1048576 /dev/urandom >base; chmod 600 base; "
		"qemu-img create -q -f qcow2 -b base -F raw top; chmod 600 top; : >secret";
	char folder[64] = "", top[80], status[64], line[256], inside[300];
	FILE *p = popen(script, "re"), *f; /* NOLINT(cert-env33-c): a text of our own */
	struct nbd_image image = {
		.program = "qemu-nbd", .name = top, .format = "qcow2", .user = "65533"
	};
	int client, lock = memfd_create("lock", MFD_CLOEXEC);
	bool is_other = false;
	pid_t server;

	ck_assert(fgets(folder, sizeof(folder), p));
	if (pclose(p) || geteuid()) {
		puts("no qemu-img here, or not root: nothing to test");
		return;
	}
	folder[strcspn(folder, "\n")] = 0;
	snprintf(top, sizeof(top), "%s/top", folder);
	client = nbd_server_start(&image, lock, &err);
	ck_assert_int_ge(client, 0);
	if (backing_open_nbd(loop, client, lock, JOURNAL_BYTES, true, &backing, &err))
		ck_abort_msg("%s", err.text);
	ck_assert_int_eq(loop_start(loop, &err), 0);
	ck_assert_int_eq(transfer(TRANSFER_WRITE, 0, out), 0);
	ck_assert_int_eq(transfer(TRANSFER_READ, CHUNK, in), 0);
	server = server_of(folder);
	snprintf(status, sizeof(status), "/proc/%d/status", (int)server);
	f = fopen(status, "re");
	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		is_other |= strstr(line, "Uid:\t65533\t65533\t65533\t65533") != NULL;
	fclose(f);
	ck_assert(is_other);
	snprintf(inside, sizeof(inside), "/proc/%d/root%s/base", (int)server, folder);
	ck_assert_int_eq(access(inside, F_OK), 0);
	snprintf(inside, sizeof(inside), "/proc/%d/root%s/secret", (int)server, folder);
	ck_assert_int_ne(access(inside, F_OK), 0);
	snprintf(inside, sizeof(inside), "/proc/%d/root/etc/passwd", (int)server);
	ck_assert_int_ne(access(inside, F_OK), 0);
	snprintf(line, sizeof(line), "rm -r %s", folder);
	(void)!system(line); /* NOLINT(cert-env33-c): a name of our own making */
}
END_TEST

/* Its socket. */
static int open_qcow2(const char *size)
{
	const struct nbd_image image = { .program = "qemu-nbd",
					 .name = path,
					 .format = "qcow2",
					 .user = "65534",
					 .may_discard = true };
	int lock = memfd_create("lock", MFD_CLOEXEC), client;

	make_qcow2(size);
	client = nbd_server_start(&image, lock, &err);
	ck_assert_int_ge(client, 0);
	ck_assert_int_eq(backing_open_nbd(loop, client, lock, JOURNAL_BYTES, true, &backing, &err),
			 0);
	ck_assert_int_eq(loop_start(loop, &err), 0);
	return client;
}

START_TEST(a_server_that_goes_while_nothing_is_asked_of_it_is_lost)
{
	int client = open_qcow2("1M");

	ck_assert_int_eq(transfer(TRANSFER_READ, 0, in), 0);
	ck_assert_int_eq(shutdown(client, SHUT_RDWR), 0);
	for (int i = 0; i < 100 && !backing->is_lost; i++)
		ck_assert_int_eq(loop_turn(loop, 10000000), 0);
	ck_assert(backing->is_lost);
	ck_assert_int_ne(transfer(TRANSFER_READ, 0, in), 0);
}
END_TEST

START_TEST(more_is_discarded_at_once_than_a_server_takes)
{
	struct transfer t = { .kind = TRANSFER_DISCARD,
			      .length = UINT64_C(5) << 30,
			      .done = on_done };

	(void)open_qcow2("5G");
	ck_assert_uint_eq(backing->nr_bytes, t.length);
	ck_assert_int_eq(transfer(TRANSFER_WRITE, t.length - CHUNK, out), 0);
	nr_done = 0;
	backing->ops->start(backing, &t);
	while (!nr_done)
		backing->ops->wait(backing);
	ck_assert_int_eq(result, 0);
	ck_assert_int_eq(nr_done, 1);
}
END_TEST

START_TEST(what_happened_is_seen_without_waiting)
{
	struct loop_watch w = { 0 };
	int ends[2];

	ck_assert_int_eq(pipe(ends), 0);
	w.file = loop_register(loop, ends[0], &err);
	ck_assert_int_eq(loop_start(loop, &err), 0);
	loop_watch(loop, &w, POLLIN);
	ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert(!w.is_ready);
	ck_assert_int_eq(write(ends[1], "x", 1), 1);
	for (int i = 0; i < 1000 && !w.is_ready; i++)
		ck_assert_int_eq(loop_turn(loop, 0), 0);
	ck_assert(w.is_ready);
}
END_TEST

START_TEST(a_killed_process_holds_the_lock_no_longer_than_its_io)
{
	int file = memfd_create("journal", MFD_CLOEXEC), ours, ready[2], status;
	struct journal *journal;
	char byte;
	pid_t pid;

	ck_assert_int_eq(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		if (journal_open(file, 0, &journal, &ours, &err) ||
		    loop_register(loop, ours, &err) < 0 || loop_start(loop, &err))
			_exit(1);
		journal->req_cons[0] = 42;
		(void)!write(ready[1], "x", 1);
		pause();
	}
	loop_destroy(loop); /* the child has it still: the same ring */
	loop = NULL;
	ck_assert_int_eq(read(ready[0], &byte, 1), 1);
	ck_assert_int_eq(journal_open(file, 10, &journal, &ours, &err), -ETIMEDOUT);
	kill(pid, SIGKILL);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(journal_open(file, 10000, &journal, &ours, &err), 0);
	ck_assert_uint_eq(journal->req_cons[0], 42);
	journal_close(journal);
}
END_TEST

UNIT_MAIN("block backing", setup, teardown,
	  a_file_is_written_read_flushed_and_discarded_past_the_cache,
	  a_file_is_written_read_flushed_and_discarded_through_the_cache,
	  a_file_that_has_grown_is_as_long_as_it_is,
	  a_file_that_is_shorter_than_it_was_gives_an_error,
	  a_file_open_for_reading_is_read_only_and_cannot_be_discarded,
	  a_block_device_is_written_read_flushed_and_discarded,
	  nothing_but_files_and_block_devices_is_a_disk,
	  a_qcow2_image_is_served_by_a_server_of_its_own_that_ends_with_the_last_request,
	  a_qcow2_image_grows_before_it_is_served_and_never_shrinks,
	  what_a_killed_server_had_in_its_memory_is_written_again,
	  more_is_written_than_the_log_has_room_for, a_log_that_nobody_has_put_in_is_refused,
	  a_server_is_another_user_and_sees_its_images_only,
	  a_server_that_goes_while_nothing_is_asked_of_it_is_lost,
	  more_is_discarded_at_once_than_a_server_takes, what_happened_is_seen_without_waiting,
	  a_killed_process_holds_the_lock_no_longer_than_its_io)

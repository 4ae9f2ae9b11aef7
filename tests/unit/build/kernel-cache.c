/* The folder of unpacked kernels: used when it is right, of no harm when it is wrong. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "build/kernel-cache.h"
#include "build/unpack.h"
#include "images.h"

#define KERNEL_BYTES (300u << 10)
#define CODE_AT      0x8000u /* where tests look for what makes a kernel different */

static struct kernel_cache cache;
static struct source kernel;
static struct err err, problem;

static void setup(void)
{
	folder_make();
	cache = (struct kernel_cache){ folder_path("cache"), 1u << 30 };
}

static void teardown(void)
{
	source_close(&kernel);
	folder_remove();
}

/* A bzImage whose kernel is zero but for some code. */
static struct image bzimage(uint8_t code)
{
	struct image k = { .data = test_alloc(KERNEL_BYTES), .bytes = KERNEL_BYTES };

	memset(k.data + CODE_AT, code, 5000);
	k.data[KERNEL_BYTES - 1] = code;
	return make_bzimage(&k, GZIP);
}

static int try_unpack(const struct image *bz)
{
	struct source s = { .name = "vmlinuz", .fd = -1, .data = bz->data, .bytes = bz->bytes };
	struct source payload;
	uint64_t bytes;

	source_close(&kernel);
	ck_assert_int_eq(bzimage_find_payload(&s, &payload, &bytes, &err), 0);
	return kernel_cache_unpack(&cache, &payload, bytes, &kernel, &problem, &err);
}

/* Unpacks it and returns the code found in it. */
static uint8_t unpack(const struct image *bz)
{
	uint8_t byte, last;

	ck_assert_msg(!try_unpack(bz), "%s", err.text);
	ck_assert_str_eq(kernel.name, "vmlinuz");
	ck_assert_uint_eq(kernel.bytes, KERNEL_BYTES);
	ck_assert_int_eq(source_read(&kernel, 0, &byte, 1, &err), 0);
	ck_assert_uint_eq(byte, 0);
	ck_assert_int_eq(source_read(&kernel, KERNEL_BYTES - 1, &last, 1, &err), 0);
	ck_assert_int_eq(source_read(&kernel, CODE_AT + 4999, &byte, 1, &err), 0);
	ck_assert_uint_eq(byte, last);
	return byte;
}

/* Entries, and their total size on disk; a path of one. Other files than "lock" fail. */
static unsigned count_entries(uint64_t *ret_bytes, char *ret_path)
{
	DIR *dir = opendir(cache.folder);
	unsigned nr = 0;
	struct dirent *e;

	*ret_bytes = 0;
	while (dir && (e = readdir(dir))) {
		char path[512];
		struct stat st;

		if (e->d_name[0] == '.' || !strcmp(e->d_name, "lock"))
			continue;
		ck_assert_msg(!strncmp(e->d_name, "kernel-", 7), "%s was left", e->d_name);
		snprintf(path, sizeof(path), "%s/%s", cache.folder, e->d_name);
		ck_assert_int_eq(stat(path, &st), 0);
		*ret_bytes += (uint64_t)st.st_blocks * 512;
		strcpy(ret_path, path);
		nr++;
	}
	if (dir)
		closedir(dir);
	return nr;
}

static void expect_entries(unsigned nr)
{
	uint64_t bytes;
	char path[512];

	ck_assert_uint_eq(count_entries(&bytes, path), nr);
}

static bool is_kept(const struct image *bz)
{
	uint32_t bytes;
	char name[96];

	memcpy(&bytes, bz->data + 0x24c, 4);
	snprintf(name, sizeof(name), "cache/kernel-%08lx-%x",
		 crc32(0, bz->data + BZ_PAYLOAD, bytes), bytes);
	return !access(folder_path(name), F_OK);
}

/* Writes to the only entry, so that whoever reads the kernel from there is found out. */
static void mark_entry(off_t from_end, uint8_t value)
{
	char path[512];
	uint64_t bytes;
	struct stat st;
	int fd;

	ck_assert_uint_eq(count_entries(&bytes, path), 1);
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert_int_eq(pwrite(fd, &value, 1, st.st_size - from_end), 1);
	close(fd);
}

/* The last byte of what the cache gives; mark_entry() changes it. */
static uint8_t unpack_last(const struct image *bz)
{
	uint8_t last;

	ck_assert_int_eq(try_unpack(bz), 0);
	ck_assert_int_eq(source_read(&kernel, KERNEL_BYTES - 1, &last, 1, &err), 0);
	return last;
}

START_TEST(a_kernel_is_unpacked_once)
{
	struct image bz = bzimage(7);

	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_str_eq(problem.text, "");
	ck_assert_int_ge(kernel.fd, 0);
	expect_entries(1);
	mark_entry(1, 99);
	ck_assert_uint_eq(unpack_last(&bz), 99);
	expect_entries(1);
}
END_TEST

START_TEST(pages_of_zeroes_become_holes)
{
	struct image bz = bzimage(7);
	uint64_t at = 0, end;

	unpack(&bz);
	ck_assert(source_next_data(&kernel, &at, KERNEL_BYTES, &end));
	if (at == 0 && end == KERNEL_BYTES)
		return; /* a file system without holes */
	ck_assert_uint_eq(at, CODE_AT);
	ck_assert_uint_eq(end, CODE_AT + 2 * 4096);
	at = end;
	ck_assert(source_next_data(&kernel, &at, KERNEL_BYTES, &end));
	ck_assert_uint_eq(at, KERNEL_BYTES - 4096);
	ck_assert_uint_eq(end, KERNEL_BYTES);
	at = end;
	ck_assert(!source_next_data(&kernel, &at, KERNEL_BYTES, &end));
}
END_TEST

START_TEST(another_kernel_is_another_entry)
{
	struct image a = bzimage(1), b = bzimage(2);

	ck_assert_uint_eq(unpack(&a), 1);
	ck_assert_uint_eq(unpack(&b), 2);
	ck_assert_uint_eq(unpack(&a), 1);
	expect_entries(2);
}
END_TEST

START_TEST(an_entry_of_another_payload_is_not_used)
{
	struct image bz = bzimage(7);
	char path[512];
	uint64_t bytes;
	uint8_t changed = 0x33;
	int fd;

	unpack(&bz);
	ck_assert_uint_eq(count_entries(&bytes, path), 1);
	fd = open(path, O_WRONLY);
	ck_assert_int_eq(pwrite(fd, &changed, 1, 4096 + 20), 1); /* in the packed kernel */
	close(fd);
	mark_entry(1, 99);
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_uint_eq(unpack(&bz), 7); /* it was replaced */
	expect_entries(1);
}
END_TEST

START_TEST(an_entry_that_is_cut_short_or_odd_is_replaced)
{
	struct image bz = bzimage(7);
	char path[512];
	uint64_t bytes;

	unpack(&bz);
	ck_assert_uint_eq(count_entries(&bytes, path), 1);
	ck_assert_int_eq(truncate(path, 10000), 0);
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_int_eq(truncate(path, 0), 0);
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_int_eq(unlink(path), 0);
	ck_assert_int_eq(symlink("/dev/zero", path), 0);
	ck_assert_uint_eq(unpack(&bz), 7);
	expect_entries(1);
}
END_TEST

START_TEST(the_least_recently_used_go_when_the_limit_is_reached)
{
	struct image bz[4] = { bzimage(0x11), bzimage(0x22), bzimage(0x33), bzimage(0x44) };
	char path[512];
	uint64_t bytes;

	unpack(&bz[0]);
	ck_assert_uint_eq(count_entries(&bytes, path), 1);
	cache.max_bytes = bytes * 3 + bytes / 2;
	for (unsigned i = 1; i < 3; i++) {
		usleep(20000); /* time stamps of files are that coarse */
		unpack(&bz[i]);
	}
	expect_entries(3);
	usleep(20000);
	unpack(&bz[0]); /* used again: 1 is the oldest now */
	usleep(20000);
	unpack(&bz[3]);
	ck_assert_uint_eq(count_entries(&bytes, path), 3);
	ck_assert_uint_le(bytes, cache.max_bytes);
	ck_assert(is_kept(&bz[0]) && !is_kept(&bz[1]) && is_kept(&bz[2]) && is_kept(&bz[3]));
}
END_TEST

START_TEST(a_kernel_larger_than_the_limit_is_used_and_not_kept)
{
	struct image bz = bzimage(7);

	cache.max_bytes = 4096;
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_str_eq(problem.text, "");
	expect_entries(0);
}
END_TEST

START_TEST(a_file_that_nobody_finished_is_replaced)
{
	struct image bz = bzimage(7), rubbish = make_elf(true);

	ck_assert_int_eq(mkdir(cache.folder, 0700), 0);
	folder_write("cache/new", &rubbish);
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_str_eq(problem.text, "");
	expect_entries(1);
}
END_TEST

START_TEST(without_a_folder_nothing_is_kept)
{
	struct image bz = bzimage(7);

	cache.folder = NULL;
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert_int_eq(kernel.fd, -1);
	ck_assert_str_eq(problem.text, "");
}
END_TEST

START_TEST(an_unusable_folder_is_told_and_does_no_harm)
{
	struct image bz = bzimage(7), file = make_elf(true);

	cache.folder = folder_path("none/cache");
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert(strstr(problem.text, "none/cache: cannot be made: No such file"));
	cache.folder = folder_write("file", &file);
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert(strstr(problem.text, "file: cannot be opened: Not a directory"));
}
END_TEST

START_TEST(a_folder_that_others_may_write_to_is_not_used)
{
	struct image bz = bzimage(7);

	unpack(&bz);
	mark_entry(1, 99);
	ck_assert_int_eq(chmod(cache.folder, 0770), 0);
	ck_assert_uint_eq(unpack(&bz), 7);
	ck_assert(strstr(problem.text, "cache: others may write there"));
}
END_TEST

START_TEST(a_damaged_payload_leaves_nothing)
{
	struct image bz = bzimage(7);

	memset(bz.data + BZ_PAYLOAD + 30, 0xff, 100);
	ck_assert_int_ne(try_unpack(&bz), 0);
	ck_assert(strstr(err.text, "vmlinuz: the kernel inside (gzip)"));
	expect_entries(0);
}
END_TEST

START_TEST(a_full_disk_is_told_and_leaves_nothing)
{
	struct image bz = bzimage(7);
	pid_t child;
	int status;

	/* a limit on the size of files is what a full disk looks like */
	child = fork();
	if (!child) {
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(9);
		signal(SIGXFSZ, SIG_IGN);
		setrlimit(RLIMIT_FSIZE, &(struct rlimit){ 8192, 8192 });
		_exit(try_unpack(&bz) || kernel.fd != -1 ||
		      !strstr(problem.text, "File too large"));
	}
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	expect_entries(0);
}
END_TEST

START_TEST(several_processes_share_a_folder)
{
	struct image bz[3] = { bzimage(1), bzimage(2), bzimage(3) };
	pid_t child[6];
	int status;

	for (unsigned i = 0; i < ARRAY_SIZE(child); i++) {
		child[i] = fork();
		if (child[i])
			continue;
		for (unsigned n = 0; n < 30; n++)
			if (unpack(&bz[(n + i) % 3]) != 1 + (n + i) % 3 || problem.text[0])
				_exit(1);
		_exit(0);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(child); i++) {
		ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
		ck_assert_int_eq(status, 0);
	}
	expect_entries(3);
}
END_TEST

START_TEST(who_waited_for_the_lock_uses_what_was_added_meanwhile)
{
	struct image bz = bzimage(7);
	const char *aside = folder_path("aside");
	char path[512];
	int lock, status;
	uint64_t bytes;
	pid_t child;

	unpack(&bz);
	mark_entry(1, 99);
	count_entries(&bytes, path);
	ck_assert_int_eq(rename(path, aside), 0);
	lock = open(folder_path("cache/lock"), O_RDWR);
	ck_assert_int_eq(flock(lock, LOCK_EX), 0);
	child = fork();
	if (!child) {
		close(lock);
		_exit(unpack_last(&bz) != 99);
	}
	usleep(200000); /* a child that is slower finds the entry at once: no failure */
	ck_assert_int_eq(rename(aside, path), 0);
	close(lock);
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_kernel_in_use_survives_its_removal)
{
	struct image a = bzimage(1), b = bzimage(2);
	uint8_t byte;
	struct source first;

	unpack(&a);
	first = kernel;
	kernel = (struct source){ .fd = -1 };
	cache.max_bytes = 4096;
	unpack(&b);
	expect_entries(0);
	ck_assert_int_eq(source_read(&first, CODE_AT, &byte, 1, &err), 0);
	ck_assert_uint_eq(byte, 1);
	source_close(&first);
}
END_TEST

UNIT_MAIN("build-kernel-cache", setup, teardown, a_kernel_is_unpacked_once,
	  pages_of_zeroes_become_holes, another_kernel_is_another_entry,
	  an_entry_of_another_payload_is_not_used, an_entry_that_is_cut_short_or_odd_is_replaced,
	  the_least_recently_used_go_when_the_limit_is_reached,
	  a_kernel_larger_than_the_limit_is_used_and_not_kept,
	  a_file_that_nobody_finished_is_replaced, without_a_folder_nothing_is_kept,
	  an_unusable_folder_is_told_and_does_no_harm,
	  a_folder_that_others_may_write_to_is_not_used, a_damaged_payload_leaves_nothing,
	  a_full_disk_is_told_and_leaves_nothing, several_processes_share_a_folder,
	  who_waited_for_the_lock_uses_what_was_added_meanwhile,
	  a_kernel_in_use_survives_its_removal)

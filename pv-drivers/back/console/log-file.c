/* A guest's log: see log-file.h. */
#include "log-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/log.h"

#define NAME_MAX_LENGTH (sizeof(((struct log_file *)0)->path) + sizeof(".4294967295"))

/* A link or a device that somebody has put there is not written to; O_NONBLOCK does not wait for a pipe's reader. */
static int open_regular(const char *path, int flags)
{
	struct stat info;
	int err, fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0640);

	if (fd < 0)
		return -errno;
	err = fstat(fd, &info) ? -errno : 0;
	if (!err && !S_ISREG(info.st_mode))
		err = -EINVAL;
	if (!err)
		return fd;
	close(fd);
	return err;
}

static void fail(struct log_file *f, const char *what, int err)
{
	if (!f->is_failing)
		log_line("%s: %s: %s; output is lost until this works again", f->path, what,
			 strerror(-err));
	f->is_failing = true;
}

static int open_newest(struct log_file *f, int flags)
{
	struct stat info;
	int fd = open_regular(f->path, O_RDWR | O_APPEND | O_CREAT | flags);

	if (fd < 0) {
		fail(f, "it cannot be opened", fd);
		return fd;
	}
	f->fd = fd;
	f->size = fstat(fd, &info) ? 0 : info.st_size;
	return 0;
}

void log_file_open(struct log_file *f, const char *path, off_t max_size)
{
	memset(f, 0, sizeof(*f));
	f->fd = -1;
	f->max_size = max_size;
	snprintf(f->path, sizeof(f->path), "%s", path);
	(void)!open_newest(f, 0);
}

void log_file_close(struct log_file *f)
{
	if (f->fd >= 0)
		close(f->fd);
	f->fd = -1;
}

static void older_name(const struct log_file *f, unsigned int n, char *ret_name)
{
	if (n)
		snprintf(ret_name, NAME_MAX_LENGTH, "%s.%u", f->path, n);
	else
		snprintf(ret_name, NAME_MAX_LENGTH, "%s", f->path);
}

/* Each takes the place of the next older one. Where the newest cannot be moved, it is emptied: the log stays
 * bounded whatever happens. */
static int rotate(struct log_file *f)
{
	char from[NAME_MAX_LENGTH], to[NAME_MAX_LENGTH];
	int err = 0;

	for (unsigned int n = LOG_FILE_KEPT - 1; n; n--) {
		older_name(f, n - 1, from);
		older_name(f, n, to);
		err = rename(from, to) ? -errno : 0;
	}
	log_file_close(f);
	if (err)
		log_line("%s: it cannot be rotated: %s; it is emptied", f->path, strerror(-err));
	return open_newest(f, err ? O_TRUNC : 0);
}

static int write_all(struct log_file *f, const char *data, size_t size, size_t *ret_written)
{
	size_t done = 0;
	int err = 0;

	while (done < size && !err) {
		ssize_t n = write(f->fd, data + done, size - done);

		if (n > 0)
			done += (size_t)n;
		else if (!n || errno != EINTR)
			err = n ? -errno : -EIO;
	}
	f->size += (off_t)done;
	*ret_written = done;
	return err;
}

void log_file_append(struct log_file *f, const char *data, size_t size)
{
	size_t written = 0;
	int err = 0;

	if (f->fd < 0)
		err = open_newest(f, 0);
	else if (f->size && f->size + (off_t)size > f->max_size)
		err = rotate(f);
	if (!err) {
		err = write_all(f, data, size, &written);
		if (err)
			fail(f, "it cannot be written", err);
	}
	f->written += written;
	f->lost += size - written;
	if (!err && f->is_failing) {
		log_line("%s: it can be written again; %llu bytes were lost", f->path,
			 (unsigned long long)f->lost);
		f->is_failing = false;
		f->lost = 0;
	}
}

/* The end of a file, as far as it fits. Its size. */
static size_t read_end(int fd, char *buffer, size_t size)
{
	struct stat info;
	ssize_t n;

	if (fstat(fd, &info))
		return 0;
	size = MIN(size, (size_t)info.st_size);
	n = pread(fd, buffer, size, info.st_size - (off_t)size);
	return n > 0 ? (size_t)n : 0;
}

/* Where the last lines start. */
static size_t find_lines(const char *text, size_t size, unsigned int lines)
{
	size_t at = size;

	if (!lines)
		return size;
	if (at && text[at - 1] == '\n')
		at--;
	while (at) {
		if (text[at - 1] == '\n' && !--lines)
			break;
		at--;
	}
	return at;
}

size_t log_file_tail(const struct log_file *f, unsigned int lines, char *buffer, size_t size)
{
	char older[NAME_MAX_LENGTH];
	size_t newest, total, start;
	int fd;

	if (f->fd < 0)
		return 0;
	newest = read_end(f->fd, buffer, size);
	total = newest;
	older_name(f, 1, older);
	fd = newest < size ? open_regular(older, O_RDONLY) : -1;
	if (fd >= 0) {
		memmove(buffer + size - newest, buffer, newest);
		total += read_end(fd, buffer, size - newest);
		memmove(buffer + total - newest, buffer + size - newest, newest);
		close(fd);
	}
	start = find_lines(buffer, total, lines);
	memmove(buffer, buffer + start, total - start);
	return total - start;
}

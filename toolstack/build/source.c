/* Files, parts of files and memory, read alike. */
#include "build/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int source_open(struct source *ret_source, const char *path, struct err *err)
{
	struct stat st;
	/* O_NONBLOCK: a FIFO answers at once, and is refused below */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &st)) {
		int cause = errno;

		if (fd >= 0)
			close(fd);
		return err_errno(err, -cause, "%s", path);
	}
	if (!S_ISREG(st.st_mode)) {
		close(fd);
		return err_set(err, -EINVAL, "%s: not a regular file", path);
	}
	*ret_source = (struct source){
		.name = path, .fd = fd, .bytes = (uint64_t)st.st_size, .is_owner = true
	};
	return 0;
}

void source_close(struct source *s)
{
	if (s->is_owner && s->fd >= 0)
		close(s->fd);
	else if (s->is_owner)
		free((void *)(uintptr_t)s->data);
	*s = (struct source){ .fd = -1 };
}

struct source source_part(const struct source *s, uint64_t offset, uint64_t bytes)
{
	struct source part = *s;

	part.is_owner = false;
	part.bytes = bytes;
	if (s->fd >= 0)
		part.base += offset;
	else
		part.data += offset;
	return part;
}

bool source_has(const struct source *s, uint64_t offset, uint64_t bytes)
{
	return offset <= s->bytes && bytes <= s->bytes - offset;
}

int source_read(const struct source *s, uint64_t offset, void *ret_data, size_t bytes,
		struct err *err)
{
	uint8_t *to = ret_data;

	if (s->fd < 0) {
		if (bytes) /* an empty source may have no data at all */
			memcpy(to, s->data + offset, bytes);
		return 0;
	}
	while (bytes) {
		ssize_t got = pread(s->fd, to, bytes, (off_t)(s->base + offset));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_errno(err, -errno, "%s", s->name);
		if (!got)
			return err_set(err, -EIO, "%s: became shorter while it was read", s->name);
		to += got;
		offset += (uint64_t)got;
		bytes -= (size_t)got;
	}
	return 0;
}

bool source_next_data(const struct source *s, uint64_t *offset, uint64_t end, uint64_t *ret_end)
{
	off_t data, hole;

	*ret_end = end;
	if (*offset >= end || s->fd < 0)
		return *offset < end;
	data = lseek(s->fd, (off_t)(s->base + *offset), SEEK_DATA);
	if (data < 0)
		return errno !=
		       ENXIO; /* ENXIO: all that follows is a hole. Else: not known, read it */
	hole = lseek(s->fd, data, SEEK_HOLE);
	if ((uint64_t)data - s->base >= end)
		return false;
	*offset = (uint64_t)data - s->base;
	if (hole > data && (uint64_t)hole - s->base < end)
		*ret_end = (uint64_t)hole - s->base;
	return true;
}

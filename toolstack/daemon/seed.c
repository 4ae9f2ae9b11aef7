/* See seed.h. */
#include "daemon/seed.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <uuid/uuid.h>

#include "config/cloud-init.h"
#include "lib/cleanup.h"
#include "lib/iso.h"

#define FILE_MAX (1u << 20)

static int read_stream(FILE *stream, char *text, const char *path, struct err *err)
{
	size_t length = fread(text, 1, FILE_MAX + 1, stream);

	if (ferror(stream))
		return err_errno(err, -EIO, "%s", path);
	if (length > FILE_MAX)
		return err_set(err, -EFBIG, "%s has more than 1 MiB", path);
	if (memchr(text, 0, length))
		return err_set(err, -EINVAL, "%s is no text: it has a byte 0", path);
	text[length] = '\0';
	return 0;
}

/* Of a file only: a pipe would wait for somebody who writes to it. */
static int open_stream(const char *path, FILE **ret_stream, struct err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat s;

	if (fd < 0)
		return err_errno(err, -errno, "%s", path);
	if (fstat(fd, &s) || !S_ISREG(s.st_mode)) {
		close(fd);
		return err_set(err, -EINVAL, "%s is not a file", path);
	}
	*ret_stream = fdopen(fd, "r");
	if (*ret_stream)
		return 0;
	close(fd);
	return err_set(err, -ENOMEM, "no memory");
}

/* Its text, to be freed. */
static int read_file(const char *path, char **ret_text, struct err *err)
{
	char *text = malloc(FILE_MAX + 1);
	FILE *stream cleanup_fclose = NULL;
	int code;

	if (!text)
		return err_set(err, -ENOMEM, "no memory");
	code = open_stream(path, &stream, err);
	if (!code)
		code = read_stream(stream, text, path, err);
	if (code)
		free(text);
	else
		*ret_text = text;
	return code;
}

/* What the description does not say. NULL: nothing needs to be said, or there is no memory. */
static char *default_text(const struct domain_description *d, enum cloud_init_part part)
{
	const char *host = d->cloud_init.hostname ? d->cloud_init.hostname : d->name;
	bool is_host = cloud_init_is_hostname(host);
	char uuid[37], *text;

	if (part == CLOUD_INIT_USER_DATA)
		return strdup("#cloud-config\n");
	if (part != CLOUD_INIT_META_DATA)
		return NULL;
	uuid_unparse_lower(d->uuid, uuid);
	return asprintf(&text, "instance-id: %s\n%s%s%s", uuid, is_host ? "local-hostname: " : "",
			is_host ? host : "", is_host ? "\n" : "") < 0
		       ? NULL
		       : text;
}

static int part_text(const struct domain_description *d, enum cloud_init_part part, char **ret_text,
		     struct err *err)
{
	const struct cloud_init_source *source = &d->cloud_init.parts[part];
	int code;

	*ret_text = NULL;
	if (source->text) {
		if (asprintf(ret_text, "%s\n", source->text) >= 0)
			return 0;
		*ret_text = NULL;
		return err_set(err, -ENOMEM, "no memory");
	}
	if (!source->file) {
		*ret_text = default_text(d, part);
		return *ret_text || part == CLOUD_INIT_NETWORK_CONFIG
			       ? 0
			       : err_set(err, -ENOMEM, "no memory");
	}
	code = read_file(source->file, ret_text, err);
	if (code)
		return code;
	code = cloud_init_check(part, *ret_text, err);
	return code ? err_wrap(err, code, "%s", source->file) : 0;
}

static int write_all(int fd, const char *data, size_t bytes, struct err *err)
{
	while (bytes) {
		ssize_t done = write(fd, data, bytes);

		if (done < 0)
			return err_errno(err, -errno, "a seed disk");
		data += done;
		bytes -= (size_t)done;
	}
	return 0;
}

static int put_image(const char *image, size_t bytes, int *ret_fd, struct err *err)
{
	int fd = memfd_create("seed", MFD_CLOEXEC | MFD_ALLOW_SEALING), code;

	if (fd < 0)
		return err_errno(err, -errno, "a seed disk");
	code = write_all(fd, image, bytes, err);
	if (!code &&
	    fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL))
		code = err_errno(err, -errno, "a seed disk");
	if (code)
		close(fd);
	else
		*ret_fd = fd;
	return code;
}

int seed_create(const struct domain_description *d, int *ret_fd, struct err *err)
{
	char *texts[NR_CLOUD_INIT_PARTS] = { NULL };
	struct iso_file files[NR_CLOUD_INIT_PARTS];
	cleanup_free char *image = NULL;
	size_t nr = 0, bytes = 0;
	int code = 0;

	for (enum cloud_init_part part = 0; !code && part < NR_CLOUD_INIT_PARTS; part++) {
		code = part_text(d, part, &texts[part], err);
		if (!code && texts[part])
			files[nr++] = (struct iso_file){ cloud_init_part_name(part), texts[part],
							 strlen(texts[part]) };
	}
	if (!code) {
		image = iso_create("CIDATA", files, nr, &bytes);
		code = image ? put_image(image, bytes, ret_fd, err)
			     : err_set(err, -ENOMEM, "no memory");
	}
	for (size_t i = 0; i < NR_CLOUD_INIT_PARTS; i++)
		free(texts[i]);
	return code;
}

/* A small ISO 9660 file system: a label and a few files in its root. With Joliet, so that names are what they are, in
 * small letters and with hyphens; every system that reads CDs reads that. Equal files give equal bytes. */
#ifndef LODGE_TOOLSTACK_ISO_H
#define LODGE_TOOLSTACK_ISO_H

#include "lib/err.h"

#define ISO_MAX_FILES 12u

struct iso_file {
	const char *name; /* ASCII, up to 64 bytes; the first 8 letters and digits of each differ */
	const char *data;
	size_t bytes;
};

/* The files are in the order of their names. The image is to be freed; NULL: no memory, or too many files. */
char *iso_create(const char *label, const struct iso_file *files, size_t nr, size_t *ret_bytes);

#endif

/* See iso.h. ECMA-119 gives the layout, the Joliet specification that of its second volume descriptor: the same tree
 * once more, with names in UCS-2. Numbers are stored in both byte orders, one behind the other. */
#include "lib/iso.h"

#include <ctype.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define SECTOR       2048u
#define RECORD_BYTES 33u /* of a directory record, without its name */
#define NAME_MAX     64u

/* Where things are, in sectors. The system area before is empty. */
enum place {
	PRIMARY = 16,
	JOLIET,
	END_OF_DESCRIPTORS,
	PRIMARY_PATHS,
	PRIMARY_PATHS_BIG_ENDIAN,
	JOLIET_PATHS,
	JOLIET_PATHS_BIG_ENDIAN,
	PRIMARY_ROOT,
	JOLIET_ROOT,
	FIRST_FILE,
};

static_assert(ISO_MAX_FILES * (RECORD_BYTES + 1 + 2 * NAME_MAX) + 2 * (RECORD_BYTES + 1) <= SECTOR,
	      "see put_directory()");

static void put_le(char *at, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[i] = (char)(value >> 8 * i);
}

static void put_be(char *at, uint32_t value, unsigned int bytes)
{
	for (unsigned int i = 0; i < bytes; i++)
		at[bytes - 1 - i] = (char)(value >> 8 * i);
}

static void put_both(char *at, uint32_t value, unsigned int bytes)
{
	put_le(at, value, bytes);
	put_be(at + bytes, value, bytes);
}

/* Fields of text are filled with spaces. */
static void put_text(char *at, size_t bytes, const char *text, bool is_wide)
{
	size_t length = strlen(text), i = 0;

	for (; is_wide && i + 1 < bytes; i += 2) {
		at[i] = 0;
		at[i + 1] = i / 2 < length ? text[i / 2] : ' ';
	}
	for (; !is_wide && i < bytes; i++)
		at[i] = i < length ? text[i] : ' ';
}

/* Returns where the next one goes. */
static char *put_record(char *at, uint32_t sector, uint32_t bytes, bool is_directory,
			const char *name, size_t length)
{
	size_t record = align_up(RECORD_BYTES + length, 2);

	at[0] = (char)record;
	put_both(at + 2, sector, 4);
	put_both(at + 10, bytes, 4);
	at[18] = 70; /* 1970-01-01 */
	at[19] = 1;
	at[20] = 1;
	at[25] = is_directory ? 2 : 0;
	put_both(at + 28, 1, 2); /* volume */
	at[32] = (char)length;
	memcpy(at + RECORD_BYTES, name, length);
	return at + record;
}

/* "user-data" becomes "USERDATA.;1", which readers without Joliet see. */
static size_t primary_name(const char *name, char ret_name[NAME_MAX * 2])
{
	size_t length = 0;

	for (; *name && length < 8; name++)
		if (isalnum((unsigned char)*name))
			ret_name[length++] = (char)toupper((unsigned char)*name);
	put_text(ret_name + length, 3, ".;1", false);
	return length + 3;
}

static size_t joliet_name(const char *name, char ret_name[NAME_MAX * 2])
{
	size_t length = 0;

	for (; *name && length < NAME_MAX; name++, length++) {
		ret_name[2 * length] = 0;
		ret_name[2 * length + 1] = *name;
	}
	return 2 * length;
}

static uint32_t sectors_of(size_t bytes)
{
	return (uint32_t)div_round_up(bytes, SECTOR);
}

/* The root, in one sector. */
static void put_directory(char *image, enum place place, const struct iso_file *files, size_t nr)
{
	char *at = image + (size_t)place * SECTOR;
	uint32_t sector = FIRST_FILE;
	char name[NAME_MAX * 2];

	at = put_record(at, place, SECTOR, true, "\0", 1); /* itself */
	at = put_record(at, place, SECTOR, true, "\1", 1); /* what is above it: itself */
	for (size_t i = 0; i < nr; i++) {
		size_t length = place == JOLIET_ROOT ? joliet_name(files[i].name, name)
						     : primary_name(files[i].name, name);

		at = put_record(at, sector, (uint32_t)files[i].bytes, false, name, length);
		sector += sectors_of(files[i].bytes);
	}
}

/* The table of directories, of which there is the root; returns its length. */
static uint32_t put_paths(char *image, enum place place, enum place root)
{
	char *little = image + (size_t)place * SECTOR, *big = little + SECTOR;

	little[0] = big[0] = 1; /* its name's length */
	put_le(little + 2, root, 4);
	put_be(big + 2, root, 4);
	put_le(little + 6, 1, 2); /* above it is the first, itself */
	put_be(big + 6, 1, 2);
	return 10;
}

static void put_descriptor(char *image, enum place place, const char *label, uint32_t nr_sectors)
{
	bool is_joliet = place == JOLIET;
	enum place root = is_joliet ? JOLIET_ROOT : PRIMARY_ROOT;
	enum place paths = is_joliet ? JOLIET_PATHS : PRIMARY_PATHS;
	char *at = image + (size_t)place * SECTOR;

	at[0] = is_joliet ? 2 : 1;
	put_text(at + 1, 6, "CD001\1", false);
	put_text(at + 8, 32, "", is_joliet);     /* system */
	put_text(at + 40, 32, label, is_joliet); /* volume */
	put_both(at + 80, nr_sectors, 4);
	if (is_joliet)
		put_text(at + 88, 3, "%/E", false); /* UCS-2, level 3 */
	put_both(at + 120, 1, 2);                   /* volumes there are */
	put_both(at + 124, 1, 2);                   /* this one */
	put_both(at + 128, SECTOR, 2);
	put_both(at + 132, put_paths(image, paths, root), 4);
	put_le(at + 140, paths, 4);
	put_be(at + 148, (uint32_t)paths + 1, 4);
	put_record(at + 156, root, SECTOR, true, "\0", 1);
	put_text(at + 190, 813 - 190, "", is_joliet); /* whose it is, and files that say more */
	for (size_t i = 0; i < 4; i++) /* made, changed, expires, effective: not said */
		memset(at + 813 + i * 17, '0', 16);
	at[881] = 1;
}

char *iso_create(const char *label, const struct iso_file *files, size_t nr, size_t *ret_bytes)
{
	uint32_t nr_sectors = FIRST_FILE, sector = FIRST_FILE;
	char *image, *end;

	if (nr > ISO_MAX_FILES)
		return NULL;
	for (size_t i = 0; i < nr; i++)
		nr_sectors += sectors_of(files[i].bytes);
	image = calloc(nr_sectors, SECTOR);
	if (!image)
		return NULL;
	put_descriptor(image, PRIMARY, label, nr_sectors);
	put_descriptor(image, JOLIET, label, nr_sectors);
	end = image + (size_t)END_OF_DESCRIPTORS * SECTOR;
	put_text(end, 7, "\377CD001\1", false);
	put_directory(image, PRIMARY_ROOT, files, nr);
	put_directory(image, JOLIET_ROOT, files, nr);
	for (size_t i = 0; i < nr; i++) {
		memcpy(image + (size_t)sector * SECTOR, files[i].data, files[i].bytes);
		sector += sectors_of(files[i].bytes);
	}
	*ret_bytes = (size_t)nr_sectors * SECTOR;
	return image;
}

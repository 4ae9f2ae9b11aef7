/*
 * Stands for Debian's libicudata in the image. libxml2 is linked with ICU, and ICU with its tables: 31 MB of
 * which the service VM needs nothing, because libxml2 reads UTF-8, UTF-16, ISO-8859-1 and ASCII by itself and
 * asks ICU for other encodings only. This is ICU's data file with an empty list of tables: what is asked for
 * is not there, and libxml2 says that it does not know the encoding. Layout: ICU's udata.h and ucmndata.h.
 */
#include <stdint.h>

struct icu_data {
	uint16_t header_size;
	uint8_t magic[2];
	/* struct UDataInfo */
	uint16_t info_size;
	uint16_t reserved;
	uint8_t is_big_endian;
	uint8_t charset_family; /* 0: ASCII */
	uint8_t char_size;      /* of ICU's UTF-16 */
	uint8_t reserved_byte;
	uint8_t format[4];
	uint8_t format_version[4];
	uint8_t data_version[4];
	uint8_t padding[8]; /* of the header, to a multiple of 16 */
	uint32_t nr_tables;
	uint32_t end[3];
};

#define NAME_(version) icudt##version##_dat
#define NAME(version)  NAME_(version)

extern const struct icu_data NAME(ICU_VERSION);
const struct icu_data NAME(ICU_VERSION) __attribute__((aligned(16), visibility("default"))) = {
	.header_size = 32,
	.magic = { 0xda, 0x27 },
	.info_size = 20,
	.char_size = 2,
	.format = { 'C', 'm', 'n', 'D' },
	.format_version = { 1 },
};

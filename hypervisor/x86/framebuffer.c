/* See framebuffer.h. Nothing ever reads the frame buffer and nothing scrolls, because both take long on
 * memory that is not cached: below the last line writing goes on at the top, one empty line ahead. */
#include "x86/framebuffer.h"
#include "arch-inline.h"
#include "x86/boot-info.h"
#include "x86/font.h"
#include "x86/paging.h"

#define CELL_WIDTH     (FONT_COLUMNS + 1)
#define CELL_HEIGHT    (FONT_ROWS + 1)
#define WIDTH_OF_SCALE 1280u /* each so many pixels make dots one pixel larger */
#define BOOT_MAP_END   (1ull << 32)

static volatile uint8_t *pixels; /* NULL: not reachable now */
static uint32_t pixel_bytes, scale, nr_columns, nr_rows;
static uint32_t column, row;

static uint64_t size(void)
{
	return (uint64_t)boot_info.framebuffer.pitch * boot_info.framebuffer.height;
}

static void put_pixel(uint32_t x, uint32_t y, bool lit)
{
	volatile uint8_t *p = pixels + (uint64_t)y * boot_info.framebuffer.pitch + x * pixel_bytes;

	if (pixel_bytes == 4) {
		*(volatile uint32_t *)p = lit ? UINT32_MAX : 0;
		return;
	}
	for (uint32_t i = 0; i < pixel_bytes; i++)
		p[i] = lit ? 0xff : 0;
}

static void draw(uint32_t at_column, uint32_t at_row, char c)
{
	uint32_t x0 = at_column * CELL_WIDTH * scale, y0 = at_row * CELL_HEIGHT * scale;
	const uint8_t *glyph =
		font[(uint8_t)(c < FONT_FIRST || c > FONT_LAST ? '?' : c) - FONT_FIRST];

	for (uint32_t y = 0; y < CELL_HEIGHT * scale; y++) {
		uint32_t dots = y / scale < FONT_ROWS ? (uint32_t)glyph[y / scale] << 1 : 0;

		for (uint32_t x = 0; x < CELL_WIDTH * scale; x++)
			put_pixel(x0 + x, y0 + y, dots >> (CELL_WIDTH - 1 - x / scale) & 1);
	}
}

static void clear_row(uint32_t at_row)
{
	for (uint32_t i = 0; i < nr_columns; i++)
		draw(i, at_row, ' ');
}

static void new_line(void)
{
	column = 0;
	row = (row + 1) % nr_rows;
	clear_row((row + 1) % nr_rows);
}

bool framebuffer_init(void)
{
	const struct boot_framebuffer *fb = &boot_info.framebuffer;

	if (fb->bpp == 0 || fb->base.a + size() > BOOT_MAP_END)
		return false;
	pixel_bytes = fb->bpp / 8;
	scale = 1 + fb->width / WIDTH_OF_SCALE;
	nr_columns = fb->width / (CELL_WIDTH * scale);
	nr_rows = fb->height / (CELL_HEIGHT * scale);
	if (nr_columns == 0 || nr_rows < 2)
		return false;
	pixels = mpa_to_ptr(fb->base);
	for (uint32_t i = 0; i < nr_rows; i++)
		clear_row(i);
	return true;
}

void framebuffer_map(void)
{
	pixels = map_mmio(boot_info.framebuffer.base, size());
}

void framebuffer_put(char c)
{
	if (!pixels)
		return;
	if (c == '\n' || column == nr_columns)
		new_line();
	if ((uint8_t)c >= FONT_FIRST)
		draw(column++, row, c);
}

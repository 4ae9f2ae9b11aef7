/* See screen.h. VGA's text mode 3 where the firmware is a BIOS, because it is there without asking; the
 * loader's frame buffer elsewhere. */
#include "x86/screen.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "x86/boot-info.h"
#include "x86/cmdline.h"
#include "x86/framebuffer.h"

#define VGA_TEXT   0xb8000u
#define NR_COLUMNS 80u
#define NR_ROWS    25u
#define ATTRIBUTE  0x0700u

static void (*put)(char c); /* NULL: there is no screen */
static bool is_ours;
static bool keeps;
static unsigned column;

static bool parse_vga(const char *s)
{
	keeps = strcmp(s, "keep") == 0;
	return keeps || strncmp(s, "text", 4) == 0;
}
OPTION_PARSE("vga", parse_vga);

static volatile uint16_t *vga_row(unsigned r)
{
	return (volatile uint16_t *)mpa_to_ptr(MPA(VGA_TEXT)) + r * NR_COLUMNS;
}

static void vga_scroll(void)
{
	for (unsigned i = 0; i < (NR_ROWS - 1) * NR_COLUMNS; i++)
		vga_row(0)[i] = vga_row(1)[i];
	for (unsigned i = 0; i < NR_COLUMNS; i++)
		vga_row(NR_ROWS - 1)[i] = ATTRIBUTE | ' ';
	column = 0;
}

static void vga_put(char c)
{
	if (c == '\n' || column == NR_COLUMNS)
		vga_scroll();
	if ((uint8_t)c >= ' ')
		vga_row(NR_ROWS - 1)[column++] = ATTRIBUTE | (uint8_t)c;
}

void screen_init(void)
{
	if (framebuffer_init())
		put = framebuffer_put;
	else if (!boot_info.efi && boot_info.framebuffer.bpp == 0)
		put = vga_put;
	is_ours = put;
}

void screen_map(void)
{
	if (put == framebuffer_put)
		framebuffer_map();
}

void screen_write(const char *text, size_t bytes)
{
	for (size_t i = 0; is_ours && i < bytes; i++)
		put(text[i]);
}

void screen_release(void)
{
	is_ours = put && keeps;
}

void screen_reclaim(void)
{
	is_ours = put;
}

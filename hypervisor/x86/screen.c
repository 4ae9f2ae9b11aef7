/* See screen.h. Only VGA's text mode 3, and only where the firmware is a BIOS: it is there without
 * asking. */
#include "x86/screen.h"
#include "arch-inline.h"
#include "lib/string.h"
#include "x86/boot-info.h"
#include "x86/cmdline.h"

#define VGA_TEXT   0xb8000u
#define NR_COLUMNS 80u
#define NR_ROWS    25u
#define ATTRIBUTE  0x0700u

static bool is_there, is_ours;
static bool keeps;
static unsigned column;

static bool parse_vga(const char *s)
{
	keeps = strcmp(s, "keep") == 0;
	return keeps || strncmp(s, "text", 4) == 0;
}
OPTION_PARSE("vga", parse_vga);

static volatile uint16_t *row(unsigned r)
{
	return (volatile uint16_t *)mpa_to_ptr(MPA(VGA_TEXT)) + r * NR_COLUMNS;
}

void screen_init(void)
{
	is_there = !boot_info.efi && boot_info.framebuffer.bpp == 0;
	is_ours = is_there;
}

static void scroll(void)
{
	for (unsigned i = 0; i < (NR_ROWS - 1) * NR_COLUMNS; i++)
		row(0)[i] = row(1)[i];
	for (unsigned i = 0; i < NR_COLUMNS; i++)
		row(NR_ROWS - 1)[i] = ATTRIBUTE | ' ';
	column = 0;
}

void screen_write(const char *text, size_t bytes)
{
	if (!is_ours)
		return;
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\n' || column == NR_COLUMNS)
			scroll();
		if (text[i] >= ' ')
			row(NR_ROWS - 1)[column++] = ATTRIBUTE | (uint8_t)text[i];
	}
}

void screen_release(void)
{
	is_ours = is_there && keeps;
}

void screen_reclaim(void)
{
	is_ours = is_there;
}

/* A small font for the frame buffer: printable ASCII, 5 by 9 dots, of which the lowest two rows are for
 * descenders. */
#ifndef LODGE_FONT_H
#define LODGE_FONT_H

#include "lodge/types.h"

#define FONT_FIRST   0x20
#define FONT_LAST    0x7e
#define FONT_ROWS    9u
#define FONT_COLUMNS 5u

extern const uint8_t font[FONT_LAST - FONT_FIRST + 1][FONT_ROWS];

#endif

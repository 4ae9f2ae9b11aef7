/* Names of our functions, from the table that the second link embeds (symbols.awk). */
#ifndef LODGE_SYMBOLS_H
#define LODGE_SYMBOLS_H

#include "lodge/types.h"

/* The function that holds address `a`, and how far into it; NULL when none does. */
const char *symbol_find(uint64_t a, uint64_t *ret_offset);
bool symbol_is_text(uint64_t a);

#endif

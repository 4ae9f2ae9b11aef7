/* The few functions of the C library that compilers call by themselves and everybody expects. For the
 * hypervisor only: the host has its own; unit tests compile this file with other names.
 *
 * Copying and filling use the string instructions by quad words: a page is one instruction repeated 512
 * times. What is left over is done by one quad word that overlaps what is done already. The direction
 * flag is clear, as the calling convention has it. */
#include "lib/string.h"

/* Otherwise the loops here are recognised as the functions they are in, and become calls to them. */
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

typedef uint64_t __attribute__((may_alias, aligned(1))) any_u64;
typedef uint32_t __attribute__((may_alias, aligned(1))) any_u32;
typedef uint16_t __attribute__((may_alias, aligned(1))) any_u16;

/* Fewer than 8 bytes. All is read before anything is written: memmove may use it too. */
static void copy_small(unsigned char *to, const unsigned char *from, size_t size)
{
	if (size >= 4) {
		uint32_t head = *(const any_u32 *)from;
		uint32_t tail = *(const any_u32 *)(from + size - 4);

		*(any_u32 *)to = head;
		*(any_u32 *)(to + size - 4) = tail;
	} else if (size >= 2) {
		uint16_t head = *(const any_u16 *)from;
		uint16_t tail = *(const any_u16 *)(from + size - 2);

		*(any_u16 *)to = head;
		*(any_u16 *)(to + size - 2) = tail;
	} else if (size) {
		*to = *from;
	}
}

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;
	size_t words = size / 8;

	if (size < 8) {
		copy_small(t, f, size);
		return to;
	}
	if (size % 8)
		*(any_u64 *)(t + size - 8) = *(const any_u64 *)(f + size - 8);
	asm volatile("rep movsq" : "+D"(t), "+S"(f), "+c"(words) : : "memory");
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	unsigned char *t = to;
	const unsigned char *f = from;

	if (size < 8) {
		copy_small(t, f, size);
	} else if ((uintptr_t)t - (uintptr_t)f >= size) {
		/* Forward never overwrites what is still to be read, but the tail must be read first. */
		size_t words = size / 8;
		uint64_t tail = *(const any_u64 *)(f + size - 8);

		asm volatile("rep movsq" : "+D"(t), "+S"(f), "+c"(words) : : "memory");
		*(any_u64 *)((unsigned char *)to + size - 8) = tail;
	} else {
		uint64_t head = *(const any_u64 *)f;

		for (; size >= 8; size -= 8)
			*(any_u64 *)(t + size - 8) = *(const any_u64 *)(f + size - 8);
		*(any_u64 *)t = head;
	}
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	unsigned char *t = to;
	uint64_t pattern = UINT64_C(0x0101010101010101) * (uint64_t)(unsigned char)byte;
	size_t words = size / 8;

	if (size < 8) {
		while (size--)
			t[size] = (unsigned char)byte;
		return to;
	}
	*(any_u64 *)(t + size - 8) = pattern;
	asm volatile("rep stosq" : "+D"(t), "+c"(words) : "a"(pattern) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (; size >= 8; size -= 8, x += 8, y += 8) {
		if (*(const any_u64 *)x != *(const any_u64 *)y)
			break;
	}
	for (; size; size--, x++, y++) {
		if (*x != *y)
			return *x < *y ? -1 : 1;
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t len = 0;

	while (s[len])
		len++;
	return len;
}

int strncmp(const char *a, const char *b, size_t size)
{
	for (; size; size--, a++, b++) {
		unsigned char x = (unsigned char)*a, y = (unsigned char)*b;

		if (x != y)
			return x < y ? -1 : 1;
		if (!x)
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, SIZE_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (!*s)
			return NULL;
	}
}

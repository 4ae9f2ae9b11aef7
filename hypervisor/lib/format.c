/* printf for a buffer: one pass over the format, one conversion at a time. */
#include "lib/format.h"

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): it cannot follow a va_list into a structure */

struct out {
	char *buf;
	size_t size;
	size_t len;   /* of the whole text, even where it no longer fits */
	va_list args; /* what is still to be printed */
};

struct spec {
	bool left, zero, plus, space, alt;
	bool has_precision;
	size_t width;
	size_t precision;
	unsigned int int_bits; /* 8, 16, 32 or 64 */
	char conversion;
};

#define DIGITS_MAX 20 /* of 2^64 - 1 in base 10 */

static void out_char(struct out *o, char c)
{
	if (o->len + 1 < o->size)
		o->buf[o->len] = c;
	o->len++;
}

static void out_bytes(struct out *o, const char *s, size_t len)
{
	while (len--)
		out_char(o, *s++);
}

static void out_fill(struct out *o, char c, size_t count)
{
	while (count--)
		out_char(o, c);
}

static size_t prefix_length(const char *prefix)
{
	return prefix[0] ? (prefix[1] ? 2 : 1) : 0;
}

/* Pads prefix + zeros + body to the width: left or right with blanks. */
static void out_padded(struct out *o, const struct spec *sp, const char *prefix, size_t zeros,
		       const char *body, size_t len)
{
	size_t used = prefix_length(prefix) + zeros + len;
	size_t blanks = sp->width > used ? sp->width - used : 0;

	if (!sp->left)
		out_fill(o, ' ', blanks);
	out_bytes(o, prefix, prefix_length(prefix));
	out_fill(o, '0', zeros);
	out_bytes(o, body, len);
	if (sp->left)
		out_fill(o, ' ', blanks);
}

static void out_number(struct out *o, const struct spec *sp, uint64_t value, unsigned int base,
		       const char *prefix)
{
	const char *digits = sp->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
	char body[DIGITS_MAX];
	size_t len = 0, zeros = 0, least = sp->has_precision ? sp->precision : 1;

	for (; value; value /= base)
		body[DIGITS_MAX - ++len] = digits[value % base];
	if (!sp->has_precision && sp->zero && !sp->left) {
		size_t used = prefix_length(prefix);

		least = sp->width > used + 1 ? sp->width - used : 1;
	}
	if (least > len)
		zeros = least - len;
	out_padded(o, sp, prefix, zeros, body + DIGITS_MAX - len, len);
}

/* An integer argument, cut to its length: sign-extended or zero-extended from there. */
static uint64_t take_integer(struct out *o, const struct spec *sp, bool is_signed)
{
	unsigned int unused = 64 - sp->int_bits;
	uint64_t value =
		sp->int_bits == 64 ? va_arg(o->args, uint64_t) : va_arg(o->args, unsigned int);

	value <<= unused;
	return is_signed ? (uint64_t)((int64_t)value >> unused) : value >> unused;
}

static void out_signed(struct out *o, const struct spec *sp)
{
	int64_t value = (int64_t)take_integer(o, sp, true);

	if (value < 0)
		out_number(o, sp, -(uint64_t)value, 10, "-");
	else
		out_number(o, sp, (uint64_t)value, 10, sp->plus ? "+" : sp->space ? " " : "");
}

static void out_unsigned(struct out *o, const struct spec *sp)
{
	uint64_t value = take_integer(o, sp, false);
	const char *prefix = "";

	if (sp->alt && value && sp->conversion != 'u')
		prefix = sp->conversion == 'X' ? "0X" : "0x";
	out_number(o, sp, value, sp->conversion == 'u' ? 10 : 16, prefix);
}

static void out_string(struct out *o, const struct spec *sp, const char *s)
{
	size_t len = 0;

	if (!s)
		s = "(null)";
	while ((!sp->has_precision || len < sp->precision) && s[len])
		len++;
	out_padded(o, sp, "", 0, s, len);
}

static const char *parse_flags(const char *p, struct spec *sp)
{
	for (;; p++) {
		switch (*p) {
		case '-':
			sp->left = true;
			break;
		case '0':
			sp->zero = true;
			break;
		case '+':
			sp->plus = true;
			break;
		case ' ':
			sp->space = true;
			break;
		case '#':
			sp->alt = true;
			break;
		default:
			return p;
		}
	}
}

/* A number of the format itself, or the next argument for '*'. */
static const char *parse_count(const char *p, struct out *o, int64_t *ret_count)
{
	int64_t count = 0;

	if (*p == '*') {
		*ret_count = va_arg(o->args, int);
		return p + 1;
	}
	for (; *p >= '0' && *p <= '9'; p++)
		count = MIN(count * 10 + (*p - '0'), INT32_MAX);
	*ret_count = count;
	return p;
}

static const char *parse_size(const char *p, struct out *o, struct spec *sp)
{
	int64_t count;

	p = parse_count(p, o, &count);
	if (count < 0)
		sp->left = true;
	sp->width = (size_t)(count < 0 ? -count : count);
	if (*p == '.') {
		p = parse_count(p + 1, o, &count);
		sp->has_precision = count >= 0; /* a negative one counts as none */
		sp->precision = sp->has_precision ? (size_t)count : 0;
	}
	return p;
}

static const char *parse_length(const char *p, struct spec *sp)
{
	sp->int_bits = 32;
	switch (*p) {
	case 'h':
		sp->int_bits = p[1] == 'h' ? 8 : 16;
		return p + (p[1] == 'h' ? 2 : 1);
	case 'l':
		sp->int_bits = 64;
		return p + (p[1] == 'l' ? 2 : 1);
	case 'j':
	case 't':
	case 'z':
		sp->int_bits = 64;
		return p + 1;
	default:
		return p;
	}
}

/* Prints one argument; false if the conversion is unknown, and then nothing was taken. */
static bool out_argument(struct out *o, struct spec *sp)
{
	char c;

	switch (sp->conversion) {
	case 'd':
	case 'i':
		out_signed(o, sp);
		return true;
	case 'u':
	case 'x':
	case 'X':
		out_unsigned(o, sp);
		return true;
	case 'p':
		sp->alt = true;
		out_number(o, sp, (uintptr_t)va_arg(o->args, void *), 16, "0x");
		return true;
	case 's':
		out_string(o, sp, va_arg(o->args, const char *));
		return true;
	case 'c':
		c = (char)va_arg(o->args, int);
		out_padded(o, sp, "", 0, &c, 1);
		return true;
	case '%':
		out_char(o, '%');
		return true;
	default:
		return false;
	}
}

/* p is just behind the '%'; the result is just behind the conversion. */
static const char *out_conversion(struct out *o, const char *p)
{
	const char *begin = p;
	struct spec sp = { 0 };

	p = parse_flags(p, &sp);
	p = parse_size(p, o, &sp);
	p = parse_length(p, &sp);
	sp.conversion = *p;
	if (!out_argument(o, &sp)) {
		out_char(o, '%');
		return begin;
	}
	return p + 1;
}

size_t vformat(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = { .buf = buf, .size = size };

	va_copy(o.args, args);
	while (*fmt) {
		char c = *fmt++;

		if (c == '%')
			fmt = out_conversion(&o, fmt);
		else
			out_char(&o, c);
	}
	va_end(o.args);
	if (size)
		buf[MIN(o.len, size - 1)] = '\0';
	return o.len;
}

size_t format(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = vformat(buf, size, fmt, args);
	va_end(args);
	return len;
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

/* Formatting and output. One line is formatted on the stack and written by one hypercall. */
#include "guest/console.h"

#include "guest/cpu.h"
#include "guest/hypercall.h"
#include "guest/start.h"
#include "ring/stream.h"

#define LINE_MAX   512
#define ROOM_TRIES 10000000 /* many seconds; then the backend counts as gone */

static void write_by_hypervisor(const char *text, size_t size)
{
	if (console_io(CONSOLEIO_write, (uint32_t)size, text) >= 0)
		return;
	__asm__ volatile("rep outsb" : "+S"(text), "+c"(size) : "d"((uint16_t)0xe9) : "memory");
}

/* The ring, while nothing else is set up: who writes there waits by giving the CPU away. */
static struct stream ring;
static uint32_t ring_port;

static bool ring_wait(void)
{
	static bool is_gone;

	for (unsigned int i = 0; i < ROOM_TRIES && !is_gone; i++) {
		if (stream_room(&ring))
			return true;
		sched_op(SCHEDOP_yield, NULL);
	}
	is_gone = true;
	return false;
}

static void write_to_ring(const char *text, size_t size)
{
	struct evtchn_send op = { .port = ring_port };

	while (size && ring_wait()) {
		int32_t count = stream_write(&ring, text, (uint32_t)size);

		if (count < 0)
			return;
		event_channel_op(EVTCHNOP_send, &op);
		text += count;
		size -= (size_t)count;
	}
}

static uint64_t own_param(uint32_t index)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };

	return hvm_op(HVMOP_get_param, &param) ? 0 : param.value;
}

static void (*console_write)(const char *text, size_t size) = write_by_hypervisor;

void console_start(void)
{
	uint64_t gfn = is_initial_domain() ? 0 : own_param(HVM_PARAM_CONSOLE_PFN);
	struct xencons_interface *page = (struct xencons_interface *)(gfn << 12);

	ring_port = gfn ? (uint32_t)own_param(HVM_PARAM_CONSOLE_EVTCHN) : 0;
	if (!ring_port)
		return;
	stream_attach(&ring, page->out, sizeof(page->out), &page->out_prod, &page->out_cons);
	console_write = write_to_ring;
}

void console_set_output(void (*write)(const char *text, size_t size))
{
	console_write = write;
}

struct out {
	char *at, *end;
	size_t length; /* what would have been written, were there room */
};

static void put(struct out *o, char c)
{
	if (o->at < o->end)
		*o->at++ = c;
	o->length++;
}

struct spec {
	bool left, zero, alternate;
	int width, precision, longs;
	char conversion;
};

static void put_padded(struct out *o, const struct spec *s, const char *text, int length)
{
	char fill = s->zero && !s->left ? '0' : ' ';

	for (int i = length; i < s->width && !s->left; i++)
		put(o, fill);
	for (int i = 0; i < length; i++)
		put(o, text[i]);
	for (int i = length; i < s->width && s->left; i++)
		put(o, ' ');
}

static void put_number(struct out *o, const struct spec *s, uint64_t value, bool negative)
{
	char digits[24];
	unsigned int base = s->conversion == 'x' || s->conversion == 'p' ? 16 : 10;
	int at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	if (base == 16 && s->alternate) {
		digits[--at] = 'x';
		digits[--at] = '0';
	}
	if (negative)
		digits[--at] = '-';
	put_padded(o, s, digits + at, (int)sizeof(digits) - at);
}

static const char *parse_spec(const char *f, struct spec *s, va_list *args)
{
	*s = (struct spec){ .precision = -1 };
	for (;; f++) {
		if (*f == '-')
			s->left = true;
		else if (*f == '0')
			s->zero = true;
		else if (*f == '#')
			s->alternate = true;
		else
			break;
	}
	if (*f == '*') {
		s->width = va_arg(*args, int);
		f++;
	}
	while (*f >= '0' && *f <= '9')
		s->width = s->width * 10 + (*f++ - '0');
	if (*f == '.') {
		f++;
		s->precision = 0;
		if (*f == '*') {
			s->precision = va_arg(*args, int);
			f++;
		}
		while (*f >= '0' && *f <= '9')
			s->precision = s->precision * 10 + (*f++ - '0');
	}
	for (; *f == 'l' || *f == 'h' || *f == 'z'; f++)
		s->longs += *f != 'h';
	s->conversion = *f;
	return *f ? f + 1 : f;
}

static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
	put_number(o, s, value < 0 ? -(uint64_t)value : (uint64_t)value, value < 0);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	int length = 0;

	while ((s->precision < 0 || length < s->precision) && text[length])
		length++;
	put_padded(o, s, text, length);
}

int vsnprintf(char *out, size_t size, const char *f, va_list original)
{
	struct out o = { out, out + (size ? size - 1 : 0), 0 };
	va_list args;

	va_copy(args, original);
	while (*f) {
		struct spec s;

		if (*f != '%') {
			put(&o, *f++);
			continue;
		}
		f = parse_spec(f + 1, &s, &args);
		switch (s.conversion) {
		case 'd':
		case 'i':
			put_signed(&o, &s, s.longs ? va_arg(args, int64_t) : va_arg(args, int));
			break;
		case 'u':
		case 'x':
			put_number(&o, &s,
				   s.longs ? va_arg(args, uint64_t) : va_arg(args, uint32_t),
				   false);
			break;
		case 'p':
			s.alternate = true;
			put_number(&o, &s, va_arg(args, uint64_t), false);
			break;
		case 's':
			put_string(&o, &s, va_arg(args, const char *));
			break;
		case 'c':
			put(&o, (char)va_arg(args, int));
			break;
		default:
			put(&o, s.conversion);
		}
	}
	va_end(args);
	if (size)
		*o.at = '\0';
	return (int)o.length;
}

int snprintf(char *out, size_t size, const char *format, ...)
{
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(out, size, format, args);
	va_end(args);
	return length;
}

void vprintf(const char *format, va_list args)
{
	char line[LINE_MAX];
	int length = vsnprintf(line, sizeof(line), format, args);

	console_write(line, length < LINE_MAX ? (size_t)length : LINE_MAX - 1);
}

void printf(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

void *memcpy(void *to, const void *from, size_t size)
{
	void *at = to;

	__asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(size)::"memory");
	return to;
}

void *memmove(void *to, const void *from, size_t size)
{
	char *t = to;
	const char *f = from;

	if (t <= f || t >= f + size)
		return memcpy(to, from, size);
	while (size--)
		t[size] = f[size];
	return to;
}

void *memset(void *to, int value, size_t size)
{
	void *at = to;

	__asm__ volatile("rep stosb" : "+D"(at), "+c"(size) : "a"(value) : "memory");
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *x = a, *y = b;

	for (size_t i = 0; i < size; i++) {
		if (x[i] != y[i])
			return x[i] - y[i];
	}
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (unsigned char)*a - (unsigned char)*b;
}

const char *strstr(const char *text, const char *part)
{
	size_t length = strlen(part);

	for (; *text; text++) {
		if (!memcmp(text, part, length))
			return text;
	}
	return NULL;
}

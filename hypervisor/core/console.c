/*
 * The console: a ring that keeps the last 64 KiB of all that was printed, the serial line, and the
 * service VM's share in both.
 *
 * Everything static: messages come before there is memory. console_lock guards all of it; it is a leaf,
 * so any code may print. After a panic it is forced open, and the only CPU that is left prints.
 */
#include "lodge/console.h"

#include "abi/console.h"
#include "abi/errno.h"
#include "arch-inline.h"
#include "lib/format.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/guest.h"
#include "lodge/hypercall.h"
#include "lodge/spinlock.h"
#include "lodge/vcpu.h"

#define RING_BYTES  65536u /* powers of two */
#define INPUT_BYTES 256u
#define LINE_BYTES  512u
#define CHUNK_BYTES 128u /* of the service VM's text, between two looks whether to go on */

#define SWITCH_KEY    0x01 /* Ctrl-A */
#define SWITCH_TIMES  3u
#define GUEST_LOG_MAX 16u /* messages of one domain in a window */
#define GUEST_LOG_NS  (5 * NS_PER_SEC)
/* Of all guests: the serial line takes more than that in a window, so that no CPU waits for it. */
#define ALL_GUESTS_LOG_MAX 128u

enum log_level console_level = LOG_INFO;

static struct spinlock console_lock = SPINLOCK(LOCK_RANK_CONSOLE);

static struct {
	char text[RING_BYTES];
	uint64_t end;      /* bytes ever written */
	uint64_t cleared;  /* of those, never to be read again */
	bool line_is_open; /* the last of them was no newline */
} ring;

static struct {
	char text[INPUT_BYTES];
	uint32_t start, end; /* running counts */
	unsigned nr_switch_keys;
	bool is_ours; /* keys go to debug_key() */
} input;

/* Output ---------------------------------------------------------------------------------------- */

static void ring_put(const char *text, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		ring.text[ring.end++ & (RING_BYTES - 1)] = text[i];
	if (bytes)
		ring.line_is_open = text[bytes - 1] != '\n';
}

void console_write(const char *text, size_t bytes)
{
	spin_lock(&console_lock);
	ring_put(text, bytes);
	arch_serial_write(text, bytes);
	spin_unlock(&console_lock);
}

size_t console_read_ring(uint64_t *pos, char *buf, size_t bytes)
{
	size_t n = 0;

	spin_lock(&console_lock);
	if (*pos > ring.end) /* nonsense */
		*pos = 0;
	*pos = MAX(*pos, ring.cleared);
	if (ring.end - *pos > RING_BYTES) /* overwritten meanwhile */
		*pos = ring.end - RING_BYTES;
	while (n < bytes && *pos < ring.end)
		buf[n++] = ring.text[(*pos)++ & (RING_BYTES - 1)];
	spin_unlock(&console_lock);
	return n;
}

void console_clear_ring(uint64_t pos)
{
	spin_lock(&console_lock);
	ring.cleared = MAX(ring.cleared, MIN(pos, ring.end));
	spin_unlock(&console_lock);
}

void console_force_unlock(void)
{
	spinlock_init(&console_lock, LOCK_RANK_CONSOLE);
}

/* The lock is held. A message starts on a line of its own, whatever somebody else was writing. */
static void print_line(enum log_level level, const char *line, size_t bytes)
{
	bool to_serial = level <= console_level;

	if (ring.line_is_open) {
		ring_put("\n", 1);
		if (to_serial)
			arch_serial_write("\n", 1);
	}
	ring_put(line, bytes);
	if (to_serial)
		arch_serial_write(line, bytes);
}

/* "[    1.234567] lodge: " or, for a domain, "[    1.234567] lodge: dom1: ". */
static size_t format_prefix(char *line, const struct domain *d)
{
	uint64_t us = arch_now_ns() / NS_PER_US;
	size_t n = format(line, LINE_BYTES, "[%5" PRIu64 ".%06" PRIu64 "] lodge: ", us / 1000000,
			  us % 1000000);

	return d ? n + format(line + n, LINE_BYTES - n, "dom%u: ", d->id) : n;
}

/* Returns the length of what is in the line; a text too long ends in a newline all the same. */
static size_t __attribute__((format(printf, 3, 0)))
format_line(char *line, const struct domain *d, const char *fmt, va_list args)
{
	size_t n = format_prefix(line, d);

	n += vformat(line + n, LINE_BYTES - n, fmt, args);
	if (n < LINE_BYTES)
		return n;
	line[LINE_BYTES - 2] = '\n';
	return LINE_BYTES - 1;
}

void log_at(enum log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	size_t bytes;
	va_list args;

	va_start(args, fmt);
	bytes = format_line(line, NULL, fmt, args);
	va_end(args);
	spin_lock(&console_lock);
	print_line(level, line, bytes);
	spin_unlock(&console_lock);
}

/* Whether the guests may print one more, together. The lock is held. */
static bool guests_may_log(uint64_t now_ns)
{
	static uint64_t window_ns;
	static uint32_t count;

	if (now_ns - window_ns >= GUEST_LOG_NS) {
		window_ns = now_ns;
		count = 0;
	}
	return count < ALL_GUESTS_LOG_MAX && ++count;
}

/* Whether d may print now. The lock is held. */
static bool guest_may_log(struct domain *d)
{
	uint64_t now_ns = arch_now_ns();

	if (now_ns - d->log_window_ns >= GUEST_LOG_NS || !d->log_window_ns) {
		char line[LINE_BYTES];
		size_t n = format_prefix(line, d);

		if (d->log_lost) {
			n += format(line + n, LINE_BYTES - n, "%u messages not shown\n",
				    d->log_lost);
			print_line(LOG_INFO, line, n);
		}
		d->log_window_ns = now_ns;
		d->log_count = 0;
		d->log_lost = 0;
	}
	if (d->log_count < GUEST_LOG_MAX && (d->privileged || guests_may_log(now_ns))) {
		d->log_count++;
		return true;
	}
	d->log_lost++;
	return false;
}

void guest_log(struct domain *d, const char *fmt, ...)
{
	char line[LINE_BYTES];
	size_t bytes;
	va_list args;

	va_start(args, fmt);
	bytes = format_line(line, d, fmt, args);
	va_end(args);
	spin_lock(&console_lock);
	if (guest_may_log(d))
		print_line(LOG_INFO, line, bytes);
	spin_unlock(&console_lock);
}

/* Input ----------------------------------------------------------------------------------------- */

/* The lock is held. What does not fit is lost, as on any serial line. */
static void input_put(char c)
{
	if (input.end - input.start < INPUT_BYTES)
		input.text[input.end++ & (INPUT_BYTES - 1)] = c;
}

enum input_action { INPUT_NOTHING, INPUT_FOR_GUEST, INPUT_FOR_US, INPUT_SWITCHED };

/* The lock is held. Switch keys are kept back until it is clear that they are not three. */
static enum input_action sort_input(char c)
{
	if (c == SWITCH_KEY) {
		if (++input.nr_switch_keys < SWITCH_TIMES)
			return INPUT_NOTHING;
		input.nr_switch_keys = 0;
		input.is_ours = !input.is_ours;
		return INPUT_SWITCHED;
	}
	if (input.is_ours) {
		input.nr_switch_keys = 0;
		return INPUT_FOR_US;
	}
	for (; input.nr_switch_keys; input.nr_switch_keys--)
		input_put(SWITCH_KEY);
	input_put(c);
	return INPUT_FOR_GUEST;
}

void console_input(char c)
{
	enum input_action action;
	bool is_ours;

	spin_lock(&console_lock);
	action = sort_input(c);
	is_ours = input.is_ours;
	spin_unlock(&console_lock);
	if (action == INPUT_FOR_GUEST && service_vm)
		evtchn_send_global_virq(service_vm, VIRQ_CONSOLE);
	else if (action == INPUT_FOR_US)
		debug_key(c);
	else if (action == INPUT_SWITCHED)
		log_info("keys go to the %s now (three times Ctrl-A switches)\n",
			 is_ours ? "hypervisor, h for help," : "service VM");
}

/* console_io ------------------------------------------------------------------------------------ */

/* arg: command, bytes, text. In pieces, between which it can be started again with the rest. */
static int64_t consoleio_write(struct vcpu *v, struct hypercall_args *a)
{
	char chunk[CHUNK_BYTES];
	uint32_t left = (uint32_t)a->arg[1];

	while (left) {
		uint32_t bytes = MIN(left, CHUNK_BYTES);

		if (copy_from_guest(v, chunk, GUEST_PTR(a->arg[2]), bytes))
			return -XEN_EFAULT;
		console_write(chunk, bytes);
		left -= bytes;
		a->arg[1] = left;
		a->arg[2] += bytes;
		if (left && hypercall_should_stop())
			return HYPERCALL_RESTART;
	}
	return 0;
}

/* Takes nothing out of the ring that the guest did not get. */
static int64_t consoleio_read(struct vcpu *v, guest_ptr_t to, uint32_t max_bytes)
{
	char chunk[INPUT_BYTES];
	uint32_t start, n = 0;

	spin_lock(&console_lock);
	start = input.start;
	while (n < max_bytes && start + n != input.end) {
		chunk[n] = input.text[(start + n) & (INPUT_BYTES - 1)];
		n++;
	}
	spin_unlock(&console_lock);
	if (n && copy_to_guest(v, to, chunk, n))
		return -XEN_EFAULT;
	spin_lock(&console_lock);
	if (input.start == start)
		input.start += n;
	else
		n = 0; /* another vCPU has read the same */
	spin_unlock(&console_lock);
	return n;
}

int64_t do_console_io(struct vcpu *v, struct hypercall_args *a)
{
	if (!v->domain->privileged)
		return -XEN_EPERM;
	switch ((uint32_t)a->arg[0]) {
	case CONSOLEIO_write:
		return consoleio_write(v, a);
	case CONSOLEIO_read:
		return consoleio_read(v, GUEST_PTR(a->arg[2]), (uint32_t)a->arg[1]);
	default:
		return -XEN_ENOSYS;
	}
}

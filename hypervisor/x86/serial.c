/* The first serial line, 16550-compatible, and who else hears the console (console=com1,vga).
 *
 * Output goes through a ring once serial_irq_init() has run: the writer is whoever holds the
 * console's lock, the reader whoever gets `pumping`, on any CPU. Until then, and after a panic,
 * writing waits for the line. Input comes by interrupt, or from a timer where there is none. */
#include "x86/serial.h"
#include "lib/string.h"
#include "lodge/arch.h"
#include "lodge/console.h"
#include "lodge/cpu.h"
#include "lodge/log.h"
#include "lodge/timer.h"
#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/cmdline.h"
#include "x86/cpu.h"
#include "x86/ioapic.h"
#include "x86/screen.h"
#include "x86/trap.h"

#define UART_DATA          0u /* divisor low while the latch is open */
#define UART_INTR_ENABLE   1u /* divisor high */
#define UART_INTR_ID       2u /* FIFO control when written */
#define UART_LINE_CONTROL  3u
#define UART_MODEM_CONTROL 4u
#define UART_LINE_STATUS   5u
#define UART_SCRATCH       7u

#define INTR_RECEIVE  0x01u
#define INTR_TRANSMIT 0x02u
#define LINE_LATCH    0x80u
#define STATUS_INPUT  0x01u
#define STATUS_ROOM   0x20u /* the whole FIFO is free */
#define MODEM_ON      0x0bu /* DTR, RTS, OUT2 (interrupts reach the bus) */

#define UART_CLOCK     115200u
#define FIFO_BYTES     16u
#define RING_BYTES     16384u
#define POLL_NS        (50 * NS_PER_MS)
#define WAIT_SPINS     1000000u /* a line that takes longer is dead */
#define SERIAL_ISA_IRQ 4u

uint16_t serial_port;
uint32_t serial_gsi = UINT32_MAX;

static const char *opt_console = "com1,vga";
static uint16_t com1_port = 0x3f8;
static uint32_t com1_baud = 115200;
static uint8_t com1_line = 0x03; /* 8n1 */

static bool is_initialised, is_buffered, is_dead;
static uint8_t ring[RING_BYTES];
static uint32_t ring_in, ring_out; /* running counts; in: writer, out: who is pumping */
static uint32_t pumping;           /* atomic flag */
static struct timer poll_timer;

/* com1=<baud>[,<data bits><parity><stop bits>[,<port>]] */
static bool parse_com1(const char *s)
{
	static const char parities[] = "noems"; /* none, odd, even, mark, space */
	uint64_t baud, port = com1_port;
	uint8_t line_control = 0x03;

	if (!parse_uint(&s, &baud) || baud == 0 || baud > UART_CLOCK)
		return false;
	if (*s == ',' && s[1] >= '5' && s[1] <= '8' && s[2] && s[3]) {
		const char *parity = strchr(parities, s[2]);

		if (!parity || (s[3] != '1' && s[3] != '2'))
			return false;
		line_control = (uint8_t)(s[1] - '5');
		if (s[3] == '2')
			line_control |= 0x04;
		if (parity != parities)
			line_control |= (uint8_t)((2 * (parity - parities) - 1) << 3);
		s += 4;
	}
	if (*s == ',') {
		s++;
		if (!parse_uint(&s, &port) || port == 0 || port > 0xfff8)
			return false;
	}
	if (*s != '\0')
		return false;
	com1_baud = (uint32_t)baud;
	com1_line = line_control;
	com1_port = (uint16_t)port;
	return true;
}
OPTION_PARSE("com1", parse_com1);
OPTION_STRING("console", opt_console);

static bool console_has(const char *name)
{
	const char *s = opt_console;

	while (*s) {
		if (parse_word(&s, name))
			return true;
		while (*s && *s != ',')
			s++;
		if (*s == ',')
			s++;
	}
	return false;
}

static void uart_write(unsigned reg, uint8_t value)
{
	outb((uint16_t)(serial_port + reg), value);
}

static uint8_t uart_read(unsigned reg)
{
	return inb((uint16_t)(serial_port + reg));
}

void serial_init(void)
{
	uint32_t divisor = UART_CLOCK / com1_baud;

	if (is_initialised)
		return;
	is_initialised = true;
	if (console_has("vga"))
		screen_init();
	if (!console_has("com1"))
		return;
	serial_port = com1_port;
	uart_write(UART_SCRATCH, 0x5a);
	if (uart_read(UART_SCRATCH) != 0x5a) {
		serial_port = 0;
		return;
	}
	uart_write(UART_INTR_ENABLE, 0);
	uart_write(UART_LINE_CONTROL, com1_line | LINE_LATCH);
	uart_write(UART_DATA, (uint8_t)divisor);
	uart_write(UART_INTR_ENABLE, (uint8_t)(divisor >> 8));
	uart_write(UART_LINE_CONTROL, com1_line);
	uart_write(UART_INTR_ID, 0x07); /* FIFOs on and empty */
	uart_write(UART_MODEM_CONTROL, MODEM_ON);
}

static void put_now(char c)
{
	uint32_t spins = 0;

	while (!is_dead && !(uart_read(UART_LINE_STATUS) & STATUS_ROOM)) {
		cpu_relax();
		is_dead = ++spins == WAIT_SPINS;
	}
	uart_write(UART_DATA, (uint8_t)c);
}

/* An NMI's dump empties the ring although another may be pumping: out may get past in, and stays there until
 * as much has been written. */
static bool ring_has_text(void)
{
	return (int32_t)(READ_ONCE(ring_in) - READ_ONCE(ring_out)) > 0;
}

/* Moves what fits from the ring to the UART; only who holds `pumping`. */
static void fill_fifo(void)
{
	while (ring_has_text() && (uart_read(UART_LINE_STATUS) & STATUS_ROOM)) {
		for (unsigned i = 0; i < FIFO_BYTES && ring_has_text(); i++) {
			uart_write(UART_DATA, ring[ring_out % RING_BYTES]);
			WRITE_ONCE(ring_out, ring_out + 1);
		}
	}
}

/* Whoever adds to the ring pumps afterwards; if another pumps just then, it looks again after it has
 * let go, so nothing is left behind without the transmit interrupt being on. */
static void pump(void)
{
	bool is_empty;

	do {
		if (__atomic_exchange_n(&pumping, 1, __ATOMIC_ACQUIRE))
			return;
		fill_fifo();
		is_empty = !ring_has_text();
		uart_write(UART_INTR_ENABLE,
			   is_empty ? INTR_RECEIVE : INTR_RECEIVE | INTR_TRANSMIT);
		__atomic_store_n(&pumping, 0, __ATOMIC_SEQ_CST);
	} while (is_empty && ring_has_text());
}

static void put_buffered(char c)
{
	uint32_t spins = 0;

	while (ring_in - READ_ONCE(ring_out) == RING_BYTES) {
		pump();
		cpu_relax();
		if (++spins == WAIT_SPINS)
			return;
	}
	ring[ring_in % RING_BYTES] = (uint8_t)c;
	smp_wmb();
	WRITE_ONCE(ring_in, ring_in + 1);
}

void serial_write_now(const char *text, size_t bytes)
{
	if (!serial_port)
		return;
	while (ring_has_text())
		put_now((char)ring[ring_out++ % RING_BYTES]);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\n')
			put_now('\r');
		put_now(text[i]);
	}
}

void arch_serial_write(const char *text, size_t bytes)
{
	screen_write(text, bytes);
	if (!serial_port)
		return;
	if (!is_buffered) {
		serial_write_now(text, bytes);
		return;
	}
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\n')
			put_buffered('\r');
		put_buffered(text[i]);
	}
	pump();
}

void serial_poll(void)
{
	if (!serial_port)
		return;
	while (uart_read(UART_LINE_STATUS) & STATUS_INPUT)
		console_input((char)uart_read(UART_DATA));
	if (is_buffered)
		pump();
}

static void serial_interrupt(uint8_t vector)
{
	(void)vector;
	(void)uart_read(UART_INTR_ID); /* acknowledges the transmit interrupt */
	serial_poll();
	apic_eoi();
}

static void poll_expired(struct timer *t)
{
	serial_poll();
	timer_set(t, arch_now_ns() + POLL_NS);
}

void serial_irq_init(void)
{
	struct acpi_override route = acpi_isa_irq(SERIAL_ISA_IRQ);

	if (!serial_port)
		return;
	if (serial_port != 0x3f8 || !ioapic_has_gsi(route.gsi) || cpus[0]->arch.apic_id > 0xff) {
		timer_init(&poll_timer, poll_expired);
		timer_set(&poll_timer, arch_now_ns() + POLL_NS);
		return;
	}
	serial_gsi = route.gsi;
	irq_set_handler(VECTOR_SERIAL, serial_interrupt);
	ioapic_write_rte(serial_gsi, (uint64_t)cpus[0]->arch.apic_id << 56 | VECTOR_SERIAL |
					     ((route.flags & 3) == 3 ? IOAPIC_RTE_LOW : 0) |
					     ((route.flags >> 2 & 3) == 3 ? IOAPIC_RTE_LEVEL : 0));
	is_buffered = true;
	uart_write(UART_INTR_ENABLE, INTR_RECEIVE);
	serial_poll();
}

void serial_set_synchronous(void)
{
	is_buffered = false;
	screen_reclaim();
}

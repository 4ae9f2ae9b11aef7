/* See machine.h. Each way of resetting is tried for a while before the next; the last one, an
 * exception without a handler, always works. */
#include "x86/machine.h"
#include "lodge/arch.h"
#include "lodge/log.h"
#include "x86/acpi.h"
#include "x86/cpu.h"
#include "x86/panic.h"
#include "x86/paging.h"
#include "x86/serial.h"
#include "x86/time.h"

#define PM1_SCI_ENABLE   0x0001u
#define PM1_SLEEP_TYPE   10u /* bits 10-12 */
#define PM1_SLEEP_MASK   0x3c00u
#define PM1_SLEEP_ENABLE 0x2000u
#define RESET_PORT       0xcf9u
#define KEYBOARD_PORT    0x64u
#define KEYBOARD_RESET   0xfeu
#define RESET_WAIT_US    50000u
#define ENABLE_WAIT_MS   300u

enum { RESET_IN_MEMORY = 0, RESET_IN_IO = 1, RESET_IN_PCI = 2 };

static volatile uint8_t *reset_memory; /* mapped in advance: no allocation on the way down */

void machine_init(void)
{
	const struct acpi_fadt *f = &acpi_fadt;

	if (f->reset_space == RESET_IN_MEMORY && f->reset_address)
		reset_memory = map_mmio(MPA(f->reset_address), 1);
	if (!f->pm1a_control || !f->smi_command || !f->acpi_enable ||
	    (inw(f->pm1a_control) & PM1_SCI_ENABLE))
		return;
	/* Now, rather than by the service VM: an SMI in guest mode is nothing to rely on. */
	outb(f->smi_command, f->acpi_enable);
	for (unsigned ms = 0; ms < ENABLE_WAIT_MS; ms++) {
		if (inw(f->pm1a_control) & PM1_SCI_ENABLE)
			return;
		delay_us(1000);
	}
	log_warn("the firmware does not hand over ACPI's hardware\n");
}

static void reset_by_acpi(void)
{
	const struct acpi_fadt *f = &acpi_fadt;

	if (f->reset_space == RESET_IN_IO && f->reset_address)
		outb((uint16_t)f->reset_address, f->reset_value);
	else if (reset_memory)
		*reset_memory = f->reset_value;
	else if (f->reset_space == RESET_IN_PCI) {
		/* device in bits 32-47, function 16-31, register 0-15, all on bus 0 */
		uint32_t reg = (uint32_t)f->reset_address & 0xff;

		outl(0xcf8, 0x80000000u | (uint32_t)(f->reset_address >> 32 & 0x1f) << 11 |
				    (uint32_t)(f->reset_address >> 16 & 7) << 8 | (reg & ~3u));
		outb((uint16_t)(0xcfc + (reg & 3)), f->reset_value);
	}
}

void arch_machine_restart(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((packed)) no_idt;

	irq_disable();
	panic_stop_others();
	serial_write_now(NULL, 0); /* what is still buffered */
	reset_by_acpi();
	delay_us(RESET_WAIT_US);
	outb(RESET_PORT, 0x02); /* hard reset, then its rising edge */
	outb(RESET_PORT, 0x06);
	delay_us(RESET_WAIT_US);
	outb(KEYBOARD_PORT, KEYBOARD_RESET);
	delay_us(RESET_WAIT_US);
	for (;;)
		__asm__ volatile("lidt %0; int3" : : "m"(no_idt));
}

static void enter_s5(uint16_t port, uint8_t type)
{
	uint32_t value = inw(port) & ~(PM1_SLEEP_MASK);

	value |= (type & 7u) << PM1_SLEEP_TYPE;
	outw(port, (uint16_t)value);
	outw(port, (uint16_t)(value | PM1_SLEEP_ENABLE));
}

void arch_machine_power_off(void)
{
	const struct acpi_fadt *f = &acpi_fadt;

	irq_disable();
	panic_stop_others();
	serial_write_now(NULL, 0); /* what is still buffered */
	if (f->has_s5 && f->pm1a_control) {
		enter_s5(f->pm1a_control, f->s5_type_a);
		if (f->pm1b_control)
			enter_s5(f->pm1b_control, f->s5_type_b);
		delay_us(RESET_WAIT_US);
	}
	log_err("the machine cannot switch itself off: it is safe to do so now\n");
	halt_forever();
}

/*
 * The service VM's I/O ports. It drives the machine's devices, so nearly all pass through without an
 * exit. What does not: the interrupt controllers and the timer chip, which belong to the hypervisor
 * (they read as absent), PCI configuration (vpci.c), the hypervisor's serial line, the port that starts
 * a system management interrupt, which the hypervisor writes on the guest's behalf so that no SMI arrives
 * inside of the guest, and ACPI's sleep registers: off is off, but no other sleep would find the
 * hypervisor again.
 */
#include "x86/vm/service-vm-internal.h"

#include "lodge/arch.h"
#include "lodge/log.h"
#include "lodge/vcpu.h"
#include "x86/acpi.h"
#include "x86/cpu.h"
#include "x86/serial.h"
#include "x86/vm/vm.h"

struct port_range {
	uint16_t first, last;
};

/* Kept from the service VM. Sorted. */
static const struct port_range kept_ports[] = {
	{ 0x20, 0x21 },   /* first 8259 */
	{ 0x40, 0x43 },   /* 8254 */
	{ 0x61, 0x61 },   /* gate of its channel 2 */
	{ 0xa0, 0xa1 },   /* second 8259 */
	{ 0x4d0, 0x4d1 }, /* edge or level of the 8259s' pins */
	{ 0xcf8, 0xcff }, /* PCI configuration, reset */
};

static int allow_but(struct domain *d, uint32_t first, uint32_t last, uint16_t keep, unsigned nr)
{
	int err = 0;

	if (!nr || keep > last || keep + nr - 1 < first)
		return port_allow(d, (uint16_t)first, (uint16_t)last);
	if (keep > first)
		err = port_allow(d, (uint16_t)first, (uint16_t)(keep - 1));
	if (!err && keep + nr - 1 < last)
		err = port_allow(d, (uint16_t)(keep + nr), (uint16_t)last);
	return err;
}

static uint32_t smi_read(struct vcpu *v, void *ctx, uint16_t port, unsigned size)
{
	(void)v;
	(void)ctx;
	return size == 1 ? inb(port) : UINT32_MAX;
}

static void smi_write(struct vcpu *v, void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	(void)v;
	(void)ctx;
	if (size == 1)
		outb(port, (uint8_t)value);
}

static const struct port_ops smi_ops = { smi_read, smi_write };

/* PM1 status and PM1 control, 16 bits each (ACPI 6.4, 4.8.3). The upper byte of control has type and
 * enable bit of a sleep. After a sleep that was refused, status says that the machine is awake again:
 * Linux waits for that, with interrupts off, and goes on. */
#define PM1_BYTES             2u
#define PM1_STATUS_AWAKE      0x8000u
#define PM1_SLEEP_ENABLE      0x2000u
#define PM1_SLEEP_TYPE(value) ((value) >> 10 & 7)

static bool is_awake_again; /* any vCPU of the service VM */

static uint32_t status_read(struct vcpu *v, void *ctx, uint16_t port, unsigned size)
{
	unsigned shift = (unsigned)(port - acpi_fadt.pm1a_event) * 8;

	(void)v;
	(void)ctx;
	return io_in(port, size) | (READ_ONCE(is_awake_again) ? PM1_STATUS_AWAKE >> shift : 0);
}

static void status_write(struct vcpu *v, void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	(void)v;
	(void)ctx;
	if (value << (port - acpi_fadt.pm1a_event) * 8 & PM1_STATUS_AWAKE) /* ones clear */
		WRITE_ONCE(is_awake_again, false);
	io_out(port, size, value);
}

static const struct port_ops status_ops = { status_read, status_write };

static uint32_t control_read(struct vcpu *v, void *ctx, uint16_t port, unsigned size)
{
	(void)v;
	(void)ctx;
	return io_in(port, size);
}

static void control_write(struct vcpu *v, void *ctx, uint16_t port, unsigned size, uint32_t value)
{
	uint32_t control = value << (port - acpi_fadt.pm1a_control) * 8;

	(void)ctx;
	if (!(control & PM1_SLEEP_ENABLE)) {
		io_out(port, size, value);
		return;
	}
	if (PM1_SLEEP_TYPE(control) == acpi_fadt.s5_type_a)
		arch_machine_power_off();
	guest_log(v->domain, "sleep of type %u refused\n", PM1_SLEEP_TYPE(control));
	WRITE_ONCE(is_awake_again, true);
}

static const struct port_ops control_ops = { control_read, control_write };

/* Where we do not know how to switch off, the service VM may try. */
static int keep_sleep_registers(struct domain *d)
{
	int err;

	if (!acpi_fadt.has_s5 || !acpi_fadt.pm1a_control || !acpi_fadt.pm1a_event)
		return 0;
	err = port_register(d, acpi_fadt.pm1a_control, PM1_BYTES, &control_ops, NULL);
	return err ? err : port_register(d, acpi_fadt.pm1a_event, PM1_BYTES, &status_ops, NULL);
}

int service_vm_allow_ports(struct domain *d)
{
	uint32_t next = 0;
	int err = 0;

	for (unsigned i = 0; i <= ARRAY_SIZE(kept_ports) && !err; i++) {
		uint32_t end = i < ARRAY_SIZE(kept_ports) ? kept_ports[i].first : 0x10000;

		err = allow_but(d, next, end - 1, serial_port,
				serial_port ? SERIAL_MODEM_PORTS : 0);
		next = i < ARRAY_SIZE(kept_ports) ? kept_ports[i].last + 1u : end;
	}
	if (!err && acpi_fadt.smi_command)
		err = port_register(d, acpi_fadt.smi_command, 1, &smi_ops, NULL);
	if (!err)
		err = keep_sleep_registers(d);
	return err;
}

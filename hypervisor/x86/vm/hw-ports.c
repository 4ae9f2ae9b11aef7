/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The service VM's I/O ports. It drives the machine's devices, so nearly all pass through without an
 * exit. What does not: the interrupt controllers and the timer chip, which belong to the hypervisor
 * (they read as absent), PCI configuration (vpci.c), the hypervisor's serial line, and the port that
 * starts a system management interrupt, which the hypervisor writes on the guest's behalf so that no
 * SMI arrives inside of the guest.
 */
#include "x86/vm/service-vm-internal.h"

#include "lodge/arch.h"
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
	return err;
}

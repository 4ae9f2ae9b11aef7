/*
 * The ACPI tables of a guest: RSDP, XSDT, FADT, MADT, DSDT, in one page.
 *
 * They tell how many vCPUs there are, and that there is no other hardware. vCPU n has processor uid n,
 * because Linux uses that number in hypercalls, and local APIC id n, as the hypervisor gives it.
 */
#ifndef LODGE_TOOLSTACK_ACPI_TABLES_H
#define LODGE_TOOLSTACK_ACPI_TABLES_H

#include "lib/util.h"

#define ACPI_TABLES_BYTES     4096u
#define ACPI_TABLES_MAX_VCPUS 128u

/* Fills page with the tables as they are to lie at the guest physical address `at`, below 4 GiB. The RSDP
 * is at its start. */
void acpi_tables_write(uint8_t *page, uint32_t at, uint32_t nr_vcpus);

#endif

/*
 * The service VM's IO-APICs: one for each of the machine's, at the same address, with the same id and
 * pins. A pin that the guest unmasks opens the machine's pin; its interrupts are posted to the vLAPICs
 * that the guest's entry names. A level interrupt stays masked at the machine until the guest's EOI.
 */
#ifndef LODGE_X86_VM_VIOAPIC_H
#define LODGE_X86_VM_VIOAPIC_H

#include "lodge/types.h"

struct domain;

must_check int vioapic_create(struct domain *d); /* -ENOMEM */
/* A vCPU of d has ended a level interrupt: called by vlapic.c. */
void vioapic_eoi(struct domain *d, uint8_t vector);

#endif

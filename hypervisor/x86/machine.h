/* The machine as a whole: its power and its reset (arch_machine_* of lodge/arch.h). */
#ifndef LODGE_MACHINE_H
#define LODGE_MACHINE_H

void machine_init(void); /* takes ACPI's fixed hardware over from the firmware */

#endif

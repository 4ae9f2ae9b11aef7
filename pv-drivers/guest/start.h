/* What the guest was started with. */
#ifndef GUEST_START_H
#define GUEST_START_H

#include <stdbool.h>
#include <stdint.h>

#include "abi/start-info.h"

/* The CPU at the PVH entry point, filled by the first instructions. */
struct entry_state {
	uint32_t eax, ebx, ecx, edx, esi, edi, ebp, esp;
	uint32_t eflags, cr0, cr3, cr4, efer;
	uint16_t cs, ds, es, ss, tr, reserved;
};
extern struct entry_state entry_state;
extern const struct hvm_start_info *start_info;

bool is_initial_domain(void);
const char *command_line(void);                /* never NULL */
const void *acpi_table(const char *signature); /* first of that name, or NULL */

void guest_start(const struct hvm_start_info *info);

/* What the image does; given by the test library or by the program itself. */
void guest_main(void);

#endif

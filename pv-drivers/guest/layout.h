/* What the guest kit's assembly and C share: selectors, offsets in struct cpu, fixed addresses. */
#ifndef GUEST_LAYOUT_H
#define GUEST_LAYOUT_H

#define SEL_CODE64      0x08
#define SEL_DATA        0x10
#define SEL_CODE32      0x18
#define SEL_CODE16      0x20
#define SEL_USER_DATA   0x2b
#define SEL_USER_CODE64 0x33
#define SEL_USER_CODE32 0x3b
#define SEL_TSS         0x40
#define GDT_ENTRIES     10

#define CPU_SELF        0
#define CPU_USER_RESUME 8
#define CPU_RSP0        20 /* struct cpu.tss.rsp[0] */

#define VECTOR_USER_EXIT 0x80

/* The page below 1 MiB that application processors start in. */
#define TRAMPOLINE 0x8000

#define STACK_SIZE 16384

#endif

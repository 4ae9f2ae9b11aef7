/* The order in which everything is initialised. */
#ifndef LODGE_START_H
#define LODGE_START_H

#include "lodge/types.h"

/* From boot.S, on the boot tables: the loader's magic number and where its information is. */
_Noreturn void start_hypervisor(uint32_t magic, uint32_t info);
/* From smp.c, on each other CPU, once the boot CPU is through. */
_Noreturn void start_cpu_ready(void);

#endif

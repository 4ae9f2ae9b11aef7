/* Machine addresses whose registers are the hypervisor's: no guest gets them mapped, whatever its
 * e820 map or a BAR says. Filled on the boot CPU, constant once the service VM runs. */
#ifndef LODGE_X86_PRIVATE_MMIO_H
#define LODGE_X86_PRIVATE_MMIO_H

#include "lodge/types.h"

void private_mmio_add(mpa_t start, uint64_t bytes);
bool private_mmio_overlaps(mpa_t start, uint64_t bytes);
/* The first address behind the private range that `a` is in; `a` itself when it is in none. */
mpa_t private_mmio_skip(mpa_t a);

#endif

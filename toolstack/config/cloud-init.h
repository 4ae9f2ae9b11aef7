/* The parts of a cloud-init seed (https://cloudinit.readthedocs.io, data source NoCloud), and what can be wrong with
 * them before any guest has seen them. */
#ifndef LODGE_CONFIG_CLOUD_INIT_H
#define LODGE_CONFIG_CLOUD_INIT_H

#include "config/domain.h"

/* "user-data", as its element and its file on the seed disk are called. */
const char *cloud_init_part_name(enum cloud_init_part part);
/* NR_CLOUD_INIT_PARTS: none is called so. */
enum cloud_init_part cloud_init_part_find(const char *name);

/* Whether cloud-init will understand that text as that part: user data say in their first line what they are; what is
 * YAML is right, and has names and values outermost. -EINVAL with a text, or -ENOMEM. */
must_check int cloud_init_check(enum cloud_init_part part, const char *text, struct err *err);

/* Letters, digits, hyphens and dots, as hostname(7) has it. */
bool cloud_init_is_hostname(const char *name);

#endif

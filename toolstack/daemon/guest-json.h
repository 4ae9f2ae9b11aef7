/* A guest as clients see it: the guest record of docs/lodged.md. */
#ifndef LODGE_DAEMON_GUEST_JSON_H
#define LODGE_DAEMON_GUEST_JSON_H

#include <cjson/cJSON.h>

#include "abi/control.h"

struct guest;

/* info: of its domain; NULL asks the hypervisor. */
cJSON *guest_record(struct guest *g, const struct lodge_domain_info *info);
/* With everything that there is to know. */
cJSON *guest_full_record(struct guest *g);
cJSON *guest_vcpus(struct guest *g);

#endif

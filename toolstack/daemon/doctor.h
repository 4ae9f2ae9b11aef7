/* Whether the host has what guests need. */
#ifndef LODGE_DAEMON_DOCTOR_H
#define LODGE_DAEMON_DOCTOR_H

#include <cjson/cJSON.h>

struct lodged;

/* An array of {"name", "ok", "text", "fix"}; fix is empty where nothing is to be done. */
cJSON *doctor_check(struct lodged *l);

#endif

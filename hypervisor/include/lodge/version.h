/* What Lodge says about itself: XENVER_* and the banner. */
#ifndef LODGE_VERSION_H
#define LODGE_VERSION_H

#include "lodge/types.h"

#define LODGE_VERSION "0.1"

struct domain;

/* Kept for XENVER_commandline; cut short to what the interface can return. */
void version_set_command_line(const char *text);
/* XENVER_get_features, submap 0. */
uint32_t version_features(const struct domain *d);

#endif

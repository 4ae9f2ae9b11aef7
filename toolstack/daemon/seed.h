/* The seed disk of a guest whose description has <lodge:cloud-init>: a small file system called CIDATA, from which
 * cloud-init (data source NoCloud) takes what makes the guest out of an image that others share. */
#ifndef LODGE_DAEMON_SEED_H
#define LODGE_DAEMON_SEED_H

#include "config/domain.h"

/* Made anew for each start of the guest, in memory that goes with the last descriptor: what it says, which may be
 * passwords, is on no disk of the service VM, and nothing is left behind. Equal descriptions and files give equal
 * bytes. Files are read, and refused if cloud-init would not understand them. */
must_check int seed_create(const struct domain_description *d, int *ret_fd, struct err *err);

#endif

/* What the verbs about disks and about network interfaces share. Who gets NULL need not answer any more. */
#ifndef LODGE_DAEMON_VERB_DEVICE_H
#define LODGE_DAEMON_VERB_DEVICE_H

#include "daemon/config-ref.h"
#include "daemon/device.h"
#include "daemon/serve.h"

/* The guest, if it runs. */
struct guest *request_running_guest(struct request *r);

/* The member "xml": one element of that class, in as much of a domain, called name, as the reader wants. */
struct config *request_device_xml(struct request *r, const struct device_class *class,
				  const char *name);

/* A device_done_fn: the request is answered by how it went. */
void request_answer(void *request, int ret, const struct err *err);

/* Answers with what `info` says of all devices of a class. */
void request_list(struct request *r, const struct device_class *class);

#endif

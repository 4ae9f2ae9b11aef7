/* A domain as the target of a plan, by Lodge's control interface and libxencall. */
#ifndef LODGE_TOOLSTACK_TARGET_LODGE_H
#define LODGE_TOOLSTACK_TARGET_LODGE_H

#include "build/build.h"

typedef struct xencall_handle xencall_handle;
struct lodge_control;

struct lodge_target {
	struct build_target target;
	xencall_handle *calls; /* the caller's */
	uint32_t domain;
	uint32_t store_port, console_port; /* the guest's; set when the plan was carried out */

	/* In memory that hypercalls may use. */
	struct lodge_control *control;
	void *argument; /* a page for what `control` or another hypercall points to */
};

/* For a domain that was created, is paused, and has no memory yet. */
must_check int lodge_target_init(struct lodge_target *t, xencall_handle *calls, uint32_t domain,
				 struct err *err);
void lodge_target_fini(struct lodge_target *t); /* the domain stays */

#endif

/* Between sched.c and sched-cap.c. The caller holds the lock of v's CPU, and v->sched.capped is set. */
#ifndef LODGE_CORE_SCHED_INTERNAL_H
#define LODGE_CORE_SCHED_INTERNAL_H

#include "lodge/sched.h"

struct domain;

/* A share of the domain's time for v to run on: v->sched.share_ns from now_ns on. False: there is none, and v
 * is parked until there is. v holds no share. */
must_check bool sched_cap_take(struct vcpu *v, uint64_t now_ns);
/* What is left of v's share; less than nothing when it ran too long. */
void sched_cap_give_back(struct vcpu *v);

/* A new pool, and nobody is parked. No lock is held; one caller at a time. */
void sched_cap_set(struct domain *d, uint32_t percent);

#endif

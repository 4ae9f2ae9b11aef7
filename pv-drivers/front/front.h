/* Everything of the frontends, and how a program on them begins. */
#ifndef FRONT_FRONT_H
#define FRONT_FRONT_H

#include "front/console.h"
#include "front/store.h"
#include "front/xenbus.h"
#include "guest/guest.h"

/* Events, the timer, grants, the console and the store, in this order. What is missing ends the guest with
 * ERROR. */
void front_init(void);

#endif

/* Everything of the guest kit. */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include "guest/apic.h"
#include "guest/console.h"
#include "guest/cpu.h"
#include "guest/event.h"
#include "guest/grant.h"
#include "guest/hypercall.h"
#include "guest/paging.h"
#include "guest/smp.h"
#include "guest/start.h"
#include "guest/test.h"
#include "guest/time.h"
#include "guest/trap.h"

#endif

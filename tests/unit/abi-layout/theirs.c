/* What the public headers say. Compiled twice: as it is, and for 32-bit guests. */
#include <stddef.h>
#include <stdint.h>

#include "table.h"

#define __XEN_TOOLS__ 1 /* some names are shown to toolstacks only */
#include <xen/xen-compat.h>
#undef __XEN_INTERFACE_VERSION__
#define __XEN_INTERFACE_VERSION__ __XEN_LATEST_INTERFACE_VERSION__
#include <xen/xen.h>

#include <xen/arch-x86/cpuid.h>
#include <xen/arch-x86/hvm/start_info.h>
#include <xen/elfnote.h>
#include <xen/errno.h>
#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/hvm/hvm_op.h>
#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/params.h>
#include <xen/io/blkif.h>
#include <xen/io/console.h>
#include <xen/io/netif.h>
#include <xen/io/xenbus.h>
#include <xen/io/xs_wire.h>
#include <xen/memory.h>
#include <xen/physdev.h>
#include <xen/platform.h>
#include <xen/sched.h>
#include <xen/vcpu.h>
#include <xen/version.h>

#define SIZE(type, public)           ROW("size of " #public, sizeof(struct public))
#define OFFSET(type, public, member) ROW(#public "." #member, offsetof(struct public, member))
#define VALUE(name)                  ROW(#name, name)

#ifdef __x86_64__
const struct row theirs_64[] = {
#include "layout-64.h"
	{ "", 0 },
};
#else
const struct row theirs_32[] = {
#include "layout-32.h"
	{ "", 0 },
};
#endif

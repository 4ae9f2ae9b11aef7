/* Ticket spin locks. The hypervisor runs with interrupts off except where it idles and right after
 * a VM exit, so a lock never has to save the interrupt flag. Every lock has a rank; a debug build
 * stops the machine when a CPU takes a lock whose rank is not above those it holds. The order and
 * its reasons are in docs/locking.md. */
#ifndef LODGE_SPINLOCK_H
#define LODGE_SPINLOCK_H

#include "lodge/types.h"

enum lock_rank {
	LOCK_RANK_DOMAIN,  /* life cycle of one domain; ranks are taken in this order, top first */
	LOCK_RANK_DEVICE,  /* virtual PCI, virtual IO-APIC: may bind interrupts and map BARs */
	LOCK_RANK_GRANT,   /* grant table of one domain; two: grant_lock_pair() */
	LOCK_RANK_P2M,     /* physmap of one domain */
	LOCK_RANK_EVTCHN,  /* event channels of one domain; two: evtchn_lock_pair() */
	LOCK_RANK_FIFO,    /* the FIFO event queues of one domain */
	LOCK_RANK_REGIONS, /* which ports and pages of a domain are emulated, and by whom */
	LOCK_RANK_IRQ,     /* host interrupt descriptors */
	LOCK_RANK_IOAPIC,  /* index and data registers: an IO-APIC, PCI configuration */
	LOCK_RANK_IOMMU,   /* command queue of one IOMMU: interrupts are remapped under IRQ */
	LOCK_RANK_VLAPIC,  /* timer and mode of one local APIC */
	LOCK_RANK_SCHED,   /* run queue of one CPU */
	LOCK_RANK_CAP,     /* CPU time of a domain with a cap */
	LOCK_RANK_TIMER,   /* timer queue of one CPU */
	LOCK_RANK_CLOCK,   /* wall clock records of all domains */
	LOCK_RANK_DOMAIN_LIST, /* the table of domains: lookups are possible nearly everywhere */
	LOCK_RANK_PAGING,      /* the hypervisor's own mappings of devices */
	LOCK_RANK_HEAP,        /* page allocator */
	LOCK_RANK_CONSOLE,     /* leaf: any code may print */
};

struct spinlock {
	union {
		struct {
			uint16_t next, serving; /* tickets */
		};
		uint32_t word; /* both at once, for spin_trylock() */
	};
#if LODGE_DEBUG
	uint8_t rank;
	uint32_t holder; /* CPU number + 1 */
#endif
};

#if LODGE_DEBUG
#define SPINLOCK(lock_rank)         \
	{                           \
		.rank = (lock_rank) \
	}
#else
#define SPINLOCK(lock_rank) \
	{                   \
		.word = 0   \
	}
#endif

void spinlock_init(struct spinlock *l, enum lock_rank rank);
void spin_lock(struct spinlock *l);
/* Second lock of the same rank; the caller guarantees the order that the rank's comment names. */
void spin_lock_nested(struct spinlock *l);
must_check bool spin_trylock(struct spinlock *l);
void spin_unlock(struct spinlock *l);
bool spin_is_locked(const struct spinlock *l); /* by anyone: for assertions */
void spinlock_stop_checks(void);               /* a panic: what is held no longer says anything */

#endif

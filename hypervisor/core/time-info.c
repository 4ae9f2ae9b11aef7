/*
 * The wall clock in shared info: UTC at system time 0, from which a guest computes the time of day, and what
 * its domain's clock differs from that.
 */
#include "abi/xen.h"
#include "arch-inline.h"
#include "lodge/arch.h"
#include "lodge/domain.h"

static struct spinlock clock_lock = SPINLOCK(LOCK_RANK_CLOCK); /* writers of any domain's record */

struct wallclock { /* where its parts are in a shared info page */
	uint32_t *version, *sec, *nsec, *sec_hi;
};

static struct wallclock find_wallclock(struct domain *d)
{
	struct shared_info *s = d->shared_info;
	struct compat_shared_info *c = (struct compat_shared_info *)(void *)s;

	if (d->compat)
		return (struct wallclock){ &c->wc_version, &c->wc_sec, &c->wc_nsec,
					   &c->arch.wc_sec_hi };
	return (struct wallclock){ &s->wc_version, &s->wc_sec, &s->wc_nsec, &s->wc_sec_hi };
}

void domain_update_wallclock(struct domain *d)
{
	struct wallclock w = find_wallclock(d);
	uint64_t ns;
	int64_t sec;
	uint32_t version;

	spin_lock(&clock_lock);
	ns = arch_wall_clock_ns();
	sec = MAX((int64_t)(ns / NS_PER_SEC) + d->clock_offset_s, 0);
	version = (READ_ONCE(*w.version) + 1) | 1;
	WRITE_ONCE(*w.version, version);
	smp_wmb(); /* with the reader's barriers: odd version, contents, even version */
	WRITE_ONCE(*w.sec, (uint32_t)sec);
	WRITE_ONCE(*w.nsec, (uint32_t)(ns % NS_PER_SEC));
	WRITE_ONCE(*w.sec_hi, (uint32_t)((uint64_t)sec >> 32));
	smp_wmb();
	WRITE_ONCE(*w.version, version + 1);
	spin_unlock(&clock_lock);
}

void domain_set_clock(struct domain *d, int64_t offset_s)
{
	spin_lock(&clock_lock);
	d->clock_offset_s = offset_s;
	spin_unlock(&clock_lock);
	domain_update_wallclock(d);
}

void domain_update_all_wallclocks(void)
{
	for (unsigned id = 0; id < MAX_DOMAINS; id++) {
		struct domain *d = domain_lookup((domid_t)id);

		if (!d)
			continue;
		if (d->shared_info)
			domain_update_wallclock(d);
		domain_put(d);
	}
}

/* See guest-clock.h. */
#include "daemon/guest-clock.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define ZONES "/usr/share/zoneinfo"
#define TOLERANCE \
	10000u /* two counters are alike when they differ by less than 1 part in so many */
#define HOST_S_ZONE ":/etc/localtime" /* what the C library takes without TZ */

static int64_t local_offset(time_t now)
{
	struct tm local;

	tzset();
	return localtime_r(&now, &local) ? local.tm_gmtoff : 0;
}

/* TZ stays set, because taking it out of the environment would move other variables under a thread that
 * reads them. */
static int zone_offset(const char *zone, time_t now, int64_t *ret_offset_s, struct err *err)
{
	const char *own = getenv("TZ");
	char path[PATH_MAX], before[PATH_MAX], tz[PATH_MAX + 1];
	int ret = 0;

	snprintf(path, sizeof(path), ZONES "/%s", zone);
	if (access(path, R_OK))
		return err_set(err, -EINVAL,
			       "<clock timezone=\"%s\">: no such zone in " ZONES " on this host",
			       zone);
	snprintf(before, sizeof(before), "%s", own ? own : HOST_S_ZONE);
	snprintf(tz, sizeof(tz), ":%s", path);
	if (setenv("TZ", tz, 1))
		return err_set(err, -ENOMEM, "no memory");
	*ret_offset_s = local_offset(now);
	if (setenv("TZ", before, 1))
		ret = err_set(err, -ENOMEM, "no memory");
	tzset();
	return ret;
}

int guest_clock_offset(const struct domain_description *d, time_t now, int64_t *ret_offset_s,
		       struct err *err)
{
	bool is_local = d->clock == CLOCK_LOCALTIME ||
			(d->clock == CLOCK_VARIABLE && d->clock_basis == CLOCK_BASIS_LOCALTIME);

	if (d->clock == CLOCK_TIMEZONE)
		return zone_offset(d->clock_zone, now, ret_offset_s, err);
	*ret_offset_s = d->clock_adjustment_s + (is_local ? local_offset(now) : 0);
	return 0;
}

int guest_clock_tsc(const struct domain_description *d, uint64_t host_hz, uint64_t *ret_hz,
		    struct err *err)
{
	uint64_t hz = d->tsc_hz ? d->tsc_hz : host_hz;
	uint64_t difference = hz > host_hz ? hz - host_hz : host_hz - hz;
	bool is_same = difference < host_hz / TOLERANCE || hz == host_hz;

	if (d->tsc_mode == TSC_EMULATE) {
		*ret_hz = hz;
		return 0;
	}
	if (d->tsc_mode != TSC_AUTO && !is_same)
		return err_set(err, -EINVAL,
			       "<timer name=\"tsc\" frequency=\"%" PRIu64
			       "\">: the host's runs at %" PRIu64
			       " Hz, and the mode is not \"auto\" or \"emulate\"",
			       d->tsc_hz, host_hz);
	*ret_hz = is_same ? 0 : hz;
	return 0;
}

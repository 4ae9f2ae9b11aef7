/* See time.h. The TSC is measured once, on the boot CPU, against the HPET or the ACPI PM timer; with it
 * the local APIC's timer. The wall clock is read once from the RTC. */
#include "x86/time.h"
#include "lodge/arch.h"
#include "lodge/log.h"
#include "x86/acpi.h"
#include "x86/apic.h"
#include "x86/cpu.h"
#include "x86/paging.h"

#define FS_PER_NS       1000000ull
#define HPET_MAX_PERIOD 100000000u /* fs; HPET 1.0a, 2.3.4 */
#define HPET_BYTES      1024u
#define HPET_PERIOD     (0x04 / 4)
#define HPET_CONFIG     (0x10 / 4)
#define HPET_COUNTER    (0xf0 / 4)
#define PM_TIMER_HZ     3579545u

#define HPET_WINDOW_NS     (4 * NS_PER_MS)
#define PM_TIMER_WINDOW_NS (8 * NS_PER_MS)
#define SAMPLES            8u
#define GUESSED_TSC_KHZ    4000000u /* for delay_us() before the TSC is measured: rather too long */

struct tsc_scale tsc_scale;
uint64_t tsc_at_zero, tsc_khz;

static uint64_t wall_clock_at_zero_ns;

static struct reference {
	const char *name;
	uint32_t (*read)(void);
	uint64_t period_fs;
	uint32_t mask;
	uint64_t window_ns;
} reference;

static volatile uint32_t *hpet;

static uint32_t read_hpet(void)
{
	return hpet[HPET_COUNTER];
}

static uint32_t read_pm_timer(void)
{
	return inl(acpi_fadt.pm_timer);
}

static bool find_hpet(void)
{
	uint32_t period;

	if (acpi_hpet.a == 0)
		return false;
	hpet = map_mmio(acpi_hpet, HPET_BYTES);
	period = hpet[HPET_PERIOD];
	if (period == 0 || period > HPET_MAX_PERIOD)
		return false;
	hpet[HPET_CONFIG] |= 1; /* count */
	reference = (struct reference){ "HPET", read_hpet, period, UINT32_MAX, HPET_WINDOW_NS };
	return true;
}

static void find_reference(void)
{
	if (find_hpet())
		return;
	if (!acpi_fadt.pm_timer)
		boot_fail("neither HPET nor ACPI PM timer: enable one in the machine's firmware\n");
	reference =
		(struct reference){ "PM timer", read_pm_timer, FS_PER_NS * NS_PER_SEC / PM_TIMER_HZ,
				    acpi_fadt.timer_is_32bit ? UINT32_MAX : 0xffffff,
				    PM_TIMER_WINDOW_NS };
}

struct sample {
	uint64_t tsc;
	uint32_t reference, apic;
};

/* Both clocks at one moment: the reading that was disturbed least of a few. */
static struct sample take_sample(void)
{
	struct sample best = { 0 };
	uint64_t best_took = UINT64_MAX;

	for (unsigned i = 0; i < SAMPLES; i++) {
		uint64_t before = rdtsc();
		uint32_t count = reference.read();
		uint64_t took = rdtsc() - before;

		if (took < best_took) {
			best_took = took;
			best = (struct sample){ before + took / 2, count, apic_timer_count() };
		}
	}
	return best;
}

static uint64_t reference_ns(uint32_t from, uint32_t to)
{
	return ((to - from) & reference.mask) * reference.period_fs / FS_PER_NS;
}

/* Returns the TSC's frequency in Hz. */
static uint64_t measure(void)
{
	struct sample start, end;
	uint64_t ns;

	apic_timer_start_count(UINT32_MAX);
	start = take_sample();
	while (reference_ns(start.reference, reference.read()) < reference.window_ns)
		cpu_relax();
	end = take_sample();
	apic_timer_start_count(0);
	ns = reference_ns(start.reference, end.reference);
	apic_timer_set_speed((start.apic - end.apic) * 1000000ull / ns);
	return (end.tsc - start.tsc) * NS_PER_SEC / ns;
}

uint64_t tsc_to_ns(uint64_t tsc)
{
	return ticks_to_ns(&tsc_scale, tsc);
}

uint64_t ns_to_tsc(uint64_t ns)
{
	if (ns >> 60) /* 36 years: guests set timers for never by such numbers */
		return UINT64_MAX;
	return ns_to_ticks_after(&tsc_scale, ns);
}

uint64_t tsc_at(uint64_t system_time_ns)
{
	uint64_t tsc = ns_to_tsc(system_time_ns);

	/* Past the end of time, not around it: a deadline in the past would fire for ever. */
	return tsc > UINT64_MAX - tsc_at_zero ? UINT64_MAX : tsc_at_zero + tsc;
}

uint64_t arch_now_ns(void)
{
	return tsc_to_ns(rdtsc() - tsc_at_zero);
}

void delay_us(unsigned us)
{
	uint64_t start = rdtsc(), khz = tsc_khz ? tsc_khz : GUESSED_TSC_KHZ;

	while (rdtsc() - start < us * khz / 1000)
		cpu_relax();
}

/* ---- Wall clock ---- */

#define RTC_INDEX      0x70u
#define RTC_DATA       0x71u
#define RTC_STATUS_A   0x0au
#define RTC_STATUS_B   0x0bu
#define RTC_UPDATING   0x80u
#define RTC_B_BINARY   0x04u
#define RTC_B_24H      0x02u
#define RTC_PM         0x80u
#define RTC_WAIT_SPINS 100000u

enum { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR, NR_RTC_FIELDS };

static uint8_t read_rtc_register(uint8_t reg)
{
	outb(RTC_INDEX, reg);
	return inb(RTC_DATA);
}

static void read_rtc(uint8_t value[NR_RTC_FIELDS])
{
	static const uint8_t reg[NR_RTC_FIELDS] = { 0, 2, 4, 7, 8, 9 };
	uint32_t spins = 0;

	while ((read_rtc_register(RTC_STATUS_A) & RTC_UPDATING) && ++spins < RTC_WAIT_SPINS)
		cpu_relax();
	for (unsigned i = 0; i < NR_RTC_FIELDS; i++)
		value[i] = read_rtc_register(reg[i]);
}

/* Days from 1970-01-01 to the given day of the Gregorian calendar; years counted from March, so that
 * the leap day is a year's last. */
static uint64_t days_since_1970(uint64_t year, uint64_t month, uint64_t day)
{
	uint64_t y = month > 2 ? year : year - 1;
	uint64_t m = month > 2 ? month - 3 : month + 9;

	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static uint64_t rtc_seconds(const uint8_t raw[NR_RTC_FIELDS])
{
	uint8_t status = read_rtc_register(RTC_STATUS_B);
	uint64_t v[NR_RTC_FIELDS];

	for (unsigned i = 0; i < NR_RTC_FIELDS; i++) {
		uint8_t r = i == HOUR ? (uint8_t)(raw[i] & ~RTC_PM) : raw[i];

		v[i] = status & RTC_B_BINARY ? r : (r >> 4) * 10u + (r & 15u);
	}
	if (!(status & RTC_B_24H))
		v[HOUR] = v[HOUR] % 12 + (raw[HOUR] & RTC_PM ? 12 : 0);
	v[YEAR] += v[YEAR] < 70 ? 2000 : 1900;
	return ((days_since_1970(v[YEAR], v[MONTH], v[DAY]) * 24 + v[HOUR]) * 60 + v[MINUTE]) * 60 +
	       v[SECOND];
}

static void read_wall_clock(void)
{
	uint8_t a[NR_RTC_FIELDS], b[NR_RTC_FIELDS];
	bool same;

	do { /* until no update came between two readings */
		read_rtc(a);
		read_rtc(b);
		same = true;
		for (unsigned i = 0; i < NR_RTC_FIELDS; i++)
			same = same && a[i] == b[i];
	} while (!same);
	wall_clock_at_zero_ns = rtc_seconds(a) * NS_PER_SEC - arch_now_ns();
}

void time_set_wall_clock(uint64_t utc_ns_at_zero)
{
	WRITE_ONCE(wall_clock_at_zero_ns, utc_ns_at_zero);
}

uint64_t arch_wall_clock_ns(void)
{
	return READ_ONCE(wall_clock_at_zero_ns);
}

void time_init(void)
{
	uint64_t hz;

	find_reference();
	hz = measure();
	tsc_khz = (hz + 500) / 1000;
	tsc_scale = tsc_scale_for(hz);
	tsc_at_zero = rdtsc();
	read_wall_clock();
	log_info("TSC runs at %u.%03u MHz by the %s%s\n", (unsigned)(tsc_khz / 1000),
		 (unsigned)(tsc_khz % 1000), reference.name,
		 cpu_has(CPU_INVARIANT_TSC) ? "" : "; it is not said to be invariant");
}

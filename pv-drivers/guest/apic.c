/* Local APIC access. See apic.h. */
#include "guest/apic.h"

bool apic_is_x2apic(void)
{
	return rdmsr(MSR_APIC_BASE) & APIC_BASE_X2APIC;
}

void apic_init_cpu(void)
{
	this_cpu()->x2apic = apic_is_x2apic();
}

void apic_enable(bool x2apic)
{
	uint64_t base = rdmsr(MSR_APIC_BASE) & ~(APIC_BASE_ENABLE | APIC_BASE_X2APIC);

	if (apic_is_x2apic() && x2apic)
		return; /* from x2APIC the only way is off */
	if (apic_is_x2apic())
		wrmsr(MSR_APIC_BASE, base);
	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE);
	if (x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ENABLE | APIC_BASE_X2APIC);
	apic_init_cpu();
}

uint32_t apic_read(unsigned int reg)
{
	if (this_cpu()->x2apic)
		return (uint32_t)rdmsr(0x800 + reg);
	return mmio_read32(APIC_MMIO + 16 * reg);
}

void apic_write(unsigned int reg, uint32_t value)
{
	if (this_cpu()->x2apic)
		wrmsr(0x800 + reg, value);
	else
		mmio_write32(APIC_MMIO + 16 * reg, value);
}

void apic_send(uint32_t dest, uint32_t icr)
{
	if (this_cpu()->x2apic) {
		wrmsr(0x800 + APIC_ICR, (uint64_t)dest << 32 | icr);
		return;
	}
	mmio_write32(APIC_MMIO + 16 * APIC_ICR_HIGH, dest << 24);
	mmio_write32(APIC_MMIO + 16 * APIC_ICR, icr);
}

void apic_eoi(void)
{
	apic_write(APIC_EOI, 0);
}

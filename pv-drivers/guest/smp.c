/* vCPU discovery and start. See smp.h. */
#include "guest/smp.h"

#include "guest/apic.h"
#include "guest/console.h"
#include "guest/paging.h"
#include "guest/start.h"
#include "guest/test.h"
#include "guest/time.h"
#include "guest/trap.h"

#define MADT_LAPIC   0
#define MADT_X2APIC  9
#define MADT_ENABLED 1

struct acpi_header {
	char signature[4];
	uint32_t length;
	uint8_t unused[28];
} __attribute__((packed));

struct madt_entry {
	uint8_t type, length;
	union {
		struct {
			uint8_t acpi_id, apic_id;
			uint32_t flags;
		} __attribute__((packed)) lapic;
		struct {
			uint16_t reserved;
			uint32_t apic_id, flags, acpi_id;
		} __attribute__((packed)) x2apic;
	};
} __attribute__((packed));

struct cpu cpus[MAX_CPUS];
unsigned int nr_cpus;
struct ap_entry ap_entry;

/* Read by the trampoline of the one vCPU that is being started. */
uint32_t ap_stack;
struct cpu *ap_cpu;
void cpu_start_ap(struct cpu *cpu);

extern const char trampoline[], trampoline_end[];
static uint8_t ap_stacks[MAX_CPUS][STACK_SIZE] __attribute__((aligned(16)));

static void add_cpu(uint32_t vcpu_id, uint32_t apic_id, uint32_t flags)
{
	if (!(flags & MADT_ENABLED) || vcpu_id >= MAX_CPUS)
		return;
	cpus[vcpu_id].vcpu_id = vcpu_id;
	cpus[vcpu_id].apic_id = apic_id;
	if (vcpu_id >= nr_cpus)
		nr_cpus = vcpu_id + 1;
}

static void read_madt(const struct acpi_header *madt)
{
	const char *at = (const char *)madt + sizeof(*madt) + 8;
	const char *end = (const char *)madt + madt->length;

	while (at + 2 <= end) {
		const struct madt_entry *e = (const void *)at;

		if (e->type == MADT_LAPIC)
			add_cpu(e->lapic.acpi_id, e->lapic.apic_id, e->lapic.flags);
		else if (e->type == MADT_X2APIC)
			add_cpu(e->x2apic.acpi_id, e->x2apic.apic_id, e->x2apic.flags);
		if (!e->length)
			return;
		at += e->length;
	}
}

const void *acpi_table(const char *signature)
{
	const char *rsdp = (const void *)start_info->rsdp_paddr;
	const struct acpi_header *xsdt;
	uint64_t address;

	if (!rsdp)
		return NULL;
	memcpy(&address, rsdp + 24, sizeof(address));
	xsdt = (const void *)address;
	for (uint32_t at = sizeof(*xsdt); at + 8 <= xsdt->length; at += 8) {
		const struct acpi_header *table;

		memcpy(&address, (const char *)xsdt + at, sizeof(address));
		table = (const void *)address;
		if (address && !memcmp(table->signature, signature, 4))
			return table;
	}
	return NULL;
}

void smp_init(void)
{
	const struct acpi_header *madt = acpi_table("APIC");

	nr_cpus = 1;
	if (madt)
		read_madt(madt);
	cpus[0].running = true;
}

void cpu_start_ap(struct cpu *cpu)
{
	trap_init_cpu(cpu);
	apic_init_cpu();
	__atomic_add_fetch(&cpu->starts, 1, __ATOMIC_RELEASE);
	cpu->fn(cpu->arg);
	__atomic_store_n(&cpu->running, false, __ATOMIC_RELEASE);
	for (;;)
		__asm__ volatile("cli; hlt");
}

void cpu_start(unsigned int vcpu_id, void (*fn)(void *arg), void *arg)
{
	struct cpu *cpu = &cpus[vcpu_id];
	uint32_t before = cpu->starts;

	cpu->running = true;
	cpu->fn = fn;
	cpu->arg = arg;
	ap_cpu = cpu;
	ap_stack = (uint32_t)(uintptr_t)ap_stacks[vcpu_id + 1];
	memcpy((void *)(uintptr_t)TRAMPOLINE, trampoline, (size_t)(trampoline_end - trampoline));
	apic_send(cpu->apic_id, APIC_ICR_INIT | APIC_ICR_ASSERT | APIC_ICR_LEVEL);
	apic_send(cpu->apic_id, APIC_ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
	apic_send(cpu->apic_id, APIC_ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
	if (!WAIT_UNTIL(__atomic_load_n(&cpu->starts, __ATOMIC_ACQUIRE) != before, 5000 * MS))
		test_fail("vCPU %u (APIC id %u) does not start", vcpu_id, cpu->apic_id);
}

void cpu_wait_down(unsigned int vcpu_id)
{
	if (!WAIT_UNTIL(!__atomic_load_n(&cpus[vcpu_id].running, __ATOMIC_ACQUIRE), 20000 * MS))
		test_fail("vCPU %u does not finish", vcpu_id);
}

/*
 * A device's interrupts, by line through the virtual IO-APIC and by message. Whatever the guest writes into
 * the device's message registers, what the device sends is an interrupt of the guest.
 */
#include "guest/guest.h"
#include "edu.h"

const char test_title[] = "a device's interrupts arrive in the guest's local APIC and nowhere else";

#define IOAPIC          0xfec00000UL
#define IOAPIC_RTE(pin) (0x10u + 2 * (pin))
#define RTE_MASKED      0x10000u
#define RTE_LEVEL       0x8000u
#define FIRST_PIN       16u
#define NR_PINS         8u
#define LINE_VECTOR     0x40u /* one for each pin */
#define MSI_VECTOR      0x61u
#define SOON            (2000 * MS)

static struct edu edu;
static uint32_t msi; /* offset of the capability */
static volatile uint32_t taken[256], on_vcpu[256];

static void on_interrupt(struct regs *regs)
{
	taken[regs->vector]++;
	on_vcpu[regs->vector] = this_cpu()->vcpu_id;
	mmio_write32(edu.registers + EDU_IRQ_ACK, ~0u);
	apic_eoi();
}

static uint32_t ioapic_read(uint32_t reg)
{
	mmio_write32(IOAPIC, reg);
	return mmio_read32(IOAPIC + 0x10);
}

static void ioapic_write(uint32_t reg, uint32_t value)
{
	mmio_write32(IOAPIC, reg);
	mmio_write32(IOAPIC + 0x10, value);
}

static void raise(void)
{
	mmio_write32(edu.registers + EDU_IRQ_RAISE, 1);
}

/* Which pin the device's line is wired to is told by AML only: listen to all that it can be. */
static void check_line(void)
{
	uint32_t pin = NR_PINS;

	check((ioapic_read(1) >> 16 & 0xff) == 23, "the IO-APIC has 24 pins");
	for (uint32_t i = 0; i < NR_PINS; i++) {
		irq_set_handler(LINE_VECTOR + i, on_interrupt);
		ioapic_write(IOAPIC_RTE(FIRST_PIN + i) + 1, cpus[0].apic_id << 24);
		ioapic_write(IOAPIC_RTE(FIRST_PIN + i), RTE_LEVEL | (LINE_VECTOR + i));
		check_eq(ioapic_read(IOAPIC_RTE(FIRST_PIN + i)) & 0x180ff,
			 RTE_LEVEL | (LINE_VECTOR + i), "pin %u keeps what is written",
			 FIRST_PIN + i);
	}
	raise();
	for (uint64_t end = clock_ns() + SOON; pin == NR_PINS && clock_ns() < end;) {
		for (uint32_t i = 0; i < NR_PINS; i++) {
			if (taken[LINE_VECTOR + i])
				pin = i;
		}
	}
	if (!check(pin < NR_PINS, "the line's interrupt arrives"))
		return;
	note("by pin %u", FIRST_PIN + pin);
	for (uint32_t i = 2; i <= 10; i++) {
		raise();
		WAIT_UNTIL(taken[LINE_VECTOR + pin] == i, SOON);
	}
	check_eq(taken[LINE_VECTOR + pin], 10,
		 "10 interrupts, acknowledged one by one, arrive as 10");
	ioapic_write(IOAPIC_RTE(FIRST_PIN + pin), RTE_MASKED | RTE_LEVEL | (LINE_VECTOR + pin));
	raise();
	delay_ns(20 * MS);
	check_eq(taken[LINE_VECTOR + pin], 10, "a masked pin is silent");
	ioapic_write(IOAPIC_RTE(FIRST_PIN + pin), RTE_LEVEL | (LINE_VECTOR + pin));
	check(WAIT_UNTIL(taken[LINE_VECTOR + pin] == 11, SOON),
	      "a line that is still raised interrupts when unmasked");
	for (uint32_t i = 0; i < NR_PINS; i++)
		ioapic_write(IOAPIC_RTE(FIRST_PIN + i), RTE_MASKED);
}

static uint32_t find_msi(void)
{
	uint32_t at = pci_read(edu.devfn, PCI_CAPABILITIES) & 0xff;

	for (unsigned int i = 0; at && i < 48; i++) {
		uint32_t header = pci_read(edu.devfn, at);

		if ((header & 0xff) == PCI_CAP_MSI)
			return at;
		at = header >> 8 & 0xff;
	}
	test_error("the device has no MSI capability");
}

/* Writes the message with the capability off, then turns it on. */
static void set_message(uint32_t address, uint32_t data)
{
	uint32_t control = pci_read(edu.devfn, msi);
	bool wide = control >> 23 & 1;

	pci_write(edu.devfn, msi, control & ~0x10000u);
	pci_write(edu.devfn, msi + 4, address);
	if (wide)
		pci_write(edu.devfn, msi + 8, 0);
	pci_write(edu.devfn, msi + (wide ? 12 : 8), data);
	pci_write(edu.devfn, msi, control | 0x10000);
}

static uint32_t message_to(uint32_t vcpu)
{
	return 0xfee00000 | cpus[vcpu].apic_id << 12;
}

static volatile bool leave;

static void listen(void *arg)
{
	(void)arg;
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	irq_enable();
	while (!leave)
		pause();
	irq_disable();
}

static void check_message(void)
{
	irq_set_handler(MSI_VECTOR, on_interrupt);
	set_message(message_to(0), MSI_VECTOR);
	check_eq(pci_read(edu.devfn, msi + 4), message_to(0), "the message's address reads back");
	raise();
	check(WAIT_UNTIL(taken[MSI_VECTOR] == 1, SOON), "a message arrives as its vector");
	if (nr_cpus > 1) {
		cpu_start(1, listen, NULL);
		set_message(message_to(1), MSI_VECTOR);
		raise();
		check(WAIT_UNTIL(taken[MSI_VECTOR] == 2, SOON), "and at another vCPU");
		check_eq(on_vcpu[MSI_VECTOR], 1, "which is the one it names");
		leave = true;
		cpu_wait_down(1);
	}
	pci_write(edu.devfn, msi, pci_read(edu.devfn, msi) & ~0x10000u);
	raise();
	mmio_write32(edu.registers + EDU_IRQ_ACK, ~0u);
	delay_ns(10 * MS);
	check_eq(taken[MSI_VECTOR], nr_cpus > 1 ? 2 : 1, "none comes when messages are off");
}

/* Vectors the hypervisor uses for itself, and kinds of messages that stop or start a CPU: these may do so
 * to the guest's own vCPU 1, which does not run. */
static void check_hostile_messages(void)
{
	static const struct {
		uint32_t vcpu, data;
		const char *name;
	} rows[] = {
		{ 0, 0x00f0, "vector f0" },
		{ 0, 0x00f1, "vector f1" },
		{ 0, 0x00f2, "vector f2" },
		{ 0, 0xc0f1, "level, vector f1" },
		{ 0, 0x0003, "vector 3" },
		{ 1, 0x0200, "SMI" },
		{ 1, 0x0700, "ExtINT" },
		{ 1, 0x0500, "INIT" },
		{ 1, 0x0600 | TRAMPOLINE >> PAGE_SHIFT, "start-up" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t vector = rows[i].data & 0xff;

		irq_set_handler(vector, vector >= 32 ? on_interrupt : NULL);
		set_message(message_to(rows[i].vcpu), rows[i].data);
		raise();
		delay_ns(5 * MS);
		mmio_write32(edu.registers + EDU_IRQ_ACK, ~0u);
		check(cpuid(0x40000000).ebx == 0x566e6558,
		      "after a message of %s the machine goes on", rows[i].name);
	}
	set_message(0xfeeff000, MSI_VECTOR);
	raise();
	check(true, "and after one to a CPU that is not there");
	set_message(message_to(0), MSI_VECTOR);
	raise();
	check(WAIT_UNTIL(taken[MSI_VECTOR] > 2, SOON), "a right message arrives as before");
	pci_write(edu.devfn, msi, pci_read(edu.devfn, msi) & ~0x10000u);
}

/* A copy into the window of messages would be one, were it let through. */
static void check_message_by_dma(void)
{
	uint32_t *page = page_alloc();

	for (unsigned int i = 0; i < EDU_LENGTH / 4; i++)
		page[i] = 0x00f1;
	edu_reads(&edu, (uintptr_t)page);
	edu_writes(&edu, message_to(0));
	for (unsigned int i = 0; i < EDU_LENGTH / 4; i++)
		page[i] = 0x0500;
	edu_reads(&edu, (uintptr_t)page);
	edu_writes(&edu, message_to(0));
	check(true, "DMA into the window of messages stops nobody");
}

void test_main(void)
{
	event_init(EVENT_CALLBACK_VECTOR); /* for the clock */
	apic_write(APIC_SPIV, APIC_SPIV_ENABLE | 0xff);
	edu = edu_find();
	msi = find_msi();
	irq_enable();
	check_line();
	check_message();
	check_hostile_messages();
	check_message_by_dma();
}

/*
 * Virtual IO-APICs, version 0x11 with the machine's number of pins. The guest's entry (RTE) is kept as
 * written; the machine's entry is ours: while the guest's is unmasked, its pin is open as a host
 * interrupt with the guest's trigger mode and polarity.
 *
 * A level interrupt: it arrives, the machine's pin is masked and the guest's vector posted, with
 * remote IRR set; at the guest's EOI remote IRR is cleared and the pin unmasked, whereupon it comes
 * again if the line is still asserted.
 *
 * Locking: vioapic.lock for registers and pins. The arrival of an interrupt may come while the lock is
 * held by this CPU only if interrupts were on, which they are not in handlers of exits; so it may take
 * the lock. Pins that the hypervisor uses itself (the serial line) stay closed to the guest.
 */
#include "x86/vm/vioapic.h"

#include "abi/errno.h"
#include "lodge/alloc.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "x86/ioapic.h"
#include "x86/irq.h"
#include "x86/serial.h"
#include "x86/vm/vlapic.h"
#include "x86/vm/vm.h"

#define REG_SELECT 0x00u
#define REG_WINDOW 0x10u
#define REG_EOI    0x40u /* version 0x20 and later: not here */
#define INDEX_ID   0x00u
#define INDEX_VER  0x01u
#define INDEX_ARB  0x02u
#define INDEX_RTE  0x10u
#define VERSION    0x11u
#define MAX_PINS   240u

/* Bits of an entry that the guest can write: all but delivery status and remote IRR. */
#define RTE_WRITABLE  (0xff00000000010000ull | 0xaffful)
#define RTE_MODE(rte) ((uint8_t)((rte) >> 8 & 7))
#define RTE_LOGICAL   (1ull << 11)
#define RTE_VECTOR    0xffull

struct vpin {
	struct irq irq;
	struct vioapic *owner;
	uint32_t gsi;
	uint64_t rte; /* lock */
	bool is_ours; /* the hypervisor's: constant */
};

struct vioapic {
	struct spinlock lock;
	struct domain *domain;
	uint32_t id_register; /* lock, as select */
	uint8_t select;
	uint32_t nr_pins;
	struct vpin pin[];
};

static size_t vioapic_bytes(uint32_t nr_pins)
{
	return sizeof(struct vioapic) + nr_pins * sizeof(struct vpin);
}

static bool is_level(const struct vpin *p)
{
	return p->rte & IOAPIC_RTE_LEVEL;
}

static struct vlapic_msg message(uint64_t rte)
{
	return (struct vlapic_msg){ .dest = (uint32_t)(rte >> 56),
				    .vector = (uint8_t)(rte & RTE_VECTOR),
				    .mode = RTE_MODE(rte),
				    .logical = rte & RTE_LOGICAL,
				    .level = rte & IOAPIC_RTE_LEVEL };
}

/* Irq lock held, and the vioapic's: writes the machine's entry. */
static void pin_route(struct irq *irq)
{
	struct vpin *p = container_of(irq, struct vpin, irq);
	uint64_t rte = p->rte & (IOAPIC_RTE_LEVEL | IOAPIC_RTE_LOW);

	if ((p->rte & IOAPIC_RTE_MASKED) || (is_level(p) && (p->rte & IOAPIC_RTE_REMOTE_IRR)))
		rte |= IOAPIC_RTE_MASKED;
	ioapic_write_rte(p->gsi, irq_remap_gsi(p->gsi, irq, rte));
}

/* Its lock is held. */
static void pin_deliver(struct vpin *p)
{
	struct vlapic_msg msg = message(p->rte);
	struct vcpu *v;

	if (is_level(p))
		p->rte |= IOAPIC_RTE_REMOTE_IRR;
	v = vlapic_deliver(p->owner->domain, &msg);
	if (v && v->cpu != this_cpu()->id)
		irq_move(&p->irq, v->cpu);
}

static void pin_arrived(struct irq *irq)
{
	struct vpin *p = container_of(irq, struct vpin, irq);

	spin_lock(&p->owner->lock);
	if (is_level(p)) {
		ioapic_mask(p->gsi);
		if (irq_remap)
			ioapic_eoi(p->gsi);
	}
	if (!(p->rte & IOAPIC_RTE_MASKED))
		pin_deliver(p);
	spin_unlock(&p->owner->lock);
}

static const struct irq_ops pin_ops = { pin_route, pin_arrived };

static uint32_t target_cpu(const struct vpin *p)
{
	struct vlapic_msg msg = message(p->rte);
	const struct vcpu *v = vlapic_find_target(p->owner->domain, &msg);

	return v ? v->cpu : 0;
}

/* The guest's entry has changed from `old`: makes the machine's follow. Lock held. */
static void pin_update(struct vpin *p, uint64_t old)
{
	const uint64_t shape = IOAPIC_RTE_LEVEL | IOAPIC_RTE_LOW;

	if (p->is_ours)
		return;
	if (p->rte & IOAPIC_RTE_MASKED) {
		if (p->irq.vector)
			ioapic_mask(p->gsi);
		return;
	}
	if (!p->irq.vector) {
		if (irq_open(&p->irq, &pin_ops, target_cpu(p)))
			guest_log(p->owner->domain, "no vector left for interrupt %u\n", p->gsi);
		return;
	}
	if ((old ^ p->rte) & (shape | IOAPIC_RTE_MASKED | IOAPIC_RTE_REMOTE_IRR))
		irq_reroute(&p->irq);
	irq_move(&p->irq, target_cpu(p));
}

static void write_rte(struct vpin *p, unsigned high, uint32_t value)
{
	uint64_t old = p->rte;

	if (high)
		p->rte = (old & UINT32_MAX) | ((uint64_t)value << 32 & RTE_WRITABLE);
	else
		p->rte = (old & ~(RTE_WRITABLE & UINT32_MAX)) | (value & RTE_WRITABLE);
	/* How remote IRR is cleared without an EOI (no EOI register in this version): as edge. */
	if (!is_level(p))
		p->rte &= ~IOAPIC_RTE_REMOTE_IRR;
	pin_update(p, old);
}

static uint32_t read_register(const struct vioapic *io)
{
	unsigned index = io->select, pin = (index - INDEX_RTE) / 2;

	if (index == INDEX_ID || index == INDEX_ARB)
		return io->id_register;
	if (index == INDEX_VER)
		return (io->nr_pins - 1) << 16 | VERSION;
	if (index < INDEX_RTE || pin >= io->nr_pins)
		return UINT32_MAX;
	return (uint32_t)(io->pin[pin].rte >> (index % 2 * 32));
}

static void write_register(struct vioapic *io, uint32_t value)
{
	unsigned index = io->select, pin = (index - INDEX_RTE) / 2;

	if (index == INDEX_ID)
		io->id_register = value & 0x0f000000;
	else if (index >= INDEX_RTE && pin < io->nr_pins)
		write_rte(&io->pin[pin], index % 2, value);
}

static uint64_t mmio_read(struct vcpu *v, void *ctx, uint64_t offset, unsigned size)
{
	struct vioapic *io = ctx;
	uint64_t value = UINT64_MAX;

	(void)v;
	(void)size;
	spin_lock(&io->lock);
	if (offset == REG_SELECT)
		value = io->select;
	else if (offset == REG_WINDOW)
		value = read_register(io);
	spin_unlock(&io->lock);
	return value;
}

static void mmio_write(struct vcpu *v, void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vioapic *io = ctx;

	(void)v;
	(void)size;
	spin_lock(&io->lock);
	if (offset == REG_SELECT)
		io->select = (uint8_t)value;
	else if (offset == REG_WINDOW)
		write_register(io, (uint32_t)value);
	spin_unlock(&io->lock);
}

static const struct mmio_ops vioapic_ops = { mmio_read, mmio_write };

static void pin_eoi(struct vpin *p)
{
	p->rte &= ~IOAPIC_RTE_REMOTE_IRR;
	if (!(p->rte & IOAPIC_RTE_MASKED) && p->irq.vector)
		ioapic_unmask(p->gsi);
}

void vioapic_eoi(struct domain *d, uint8_t vector)
{
	for (uint32_t i = 0; i < d->arch.nr_vioapics; i++) {
		struct vioapic *io = d->arch.vioapic[i];

		spin_lock(&io->lock);
		for (uint32_t pin = 0; pin < io->nr_pins; pin++) {
			struct vpin *p = &io->pin[pin];

			if ((p->rte & RTE_VECTOR) == vector && is_level(p) &&
			    (p->rte & IOAPIC_RTE_REMOTE_IRR))
				pin_eoi(p);
		}
		spin_unlock(&io->lock);
	}
}

static int create_one(struct domain *d, const struct ioapic_info *info, struct vioapic **ret_io)
{
	struct vioapic *io = mem_alloc(vioapic_bytes(info->nr_pins));

	if (!io || info->nr_pins > MAX_PINS)
		return -XEN_ENOMEM;
	spinlock_init(&io->lock, LOCK_RANK_DEVICE);
	io->domain = d;
	io->id_register = (uint32_t)info->id << 24;
	io->nr_pins = info->nr_pins;
	for (uint32_t i = 0; i < io->nr_pins; i++) {
		struct vpin *p = &io->pin[i];

		p->owner = io;
		p->gsi = info->gsi_base + i;
		p->rte = IOAPIC_RTE_MASKED;
		p->is_ours = p->gsi == serial_gsi;
	}
	*ret_io = io;
	return mmio_register(d, GPA(info->base.a), PAGE_SIZE, &vioapic_ops, io);
}

/* Only for the service VM, which lasts as long as the machine: nothing here is ever taken apart. */
int vioapic_create(struct domain *d)
{
	int err = 0;

	d->arch.vioapic = mem_alloc(MAX(nr_ioapics, 1u) * sizeof(d->arch.vioapic[0]));
	if (!d->arch.vioapic)
		return -XEN_ENOMEM;
	for (unsigned i = 0; i < nr_ioapics && !err; i++) {
		err = create_one(d, ioapic_info(i), &d->arch.vioapic[i]);
		if (!err)
			d->arch.nr_vioapics++;
	}
	return err;
}

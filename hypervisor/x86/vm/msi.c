/*
 * Message interrupts of the service VM's devices. The guest writes the message that it wants to receive
 * (a vector at one of its local APICs); the device gets a message of ours, which reaches a host vector;
 * when that arrives, the guest's message is delivered to the guest's local APIC. With interrupt
 * remapping, ours is an index that never changes; without, it is the CPU and vector.
 *
 * MSI: the capability is emulated but for mask and pending bits, which are the device's own. MSI-X: the
 * pages with the table are trapped; registers of the device that share them pass through.
 *
 * Locking: vpci_lock, except for arrival, which only reads the guest's message: one word.
 */
#include "x86/vm/vpci-internal.h"

#include "abi/errno.h"
#include "lodge/alloc.h"
#include "lodge/arch.h"
#include "lodge/domain.h"
#include "lodge/log.h"
#include "x86/irq.h"
#include "x86/paging.h"
#include "x86/vm/service-vm.h"
#include "x86/vm/vlapic.h"
#include "x86/vm/vm.h"

/* MSI capability: control is the upper half of its first double word (PCI 3.0, 6.8.1). */
#define MSI_ENABLE     (1u << 16)
#define MSI_MMC_SHIFT  17
#define MSI_MME_SHIFT  20
#define MSI_COUNT_MASK 7u
#define MSI_64BIT      (1u << 23)
#define MSI_WRITABLE   (MSI_ENABLE | MSI_COUNT_MASK << MSI_MME_SHIFT)
#define MSI_MAX_LOG2   5u

/* MSI-X (6.8.2). */
#define MSIX_ENABLE       (1u << 31)
#define MSIX_MASK_ALL     (1u << 30)
#define MSIX_WRITABLE     (MSIX_ENABLE | MSIX_MASK_ALL)
#define MSIX_SIZE(dword)  (((dword) >> 16 & 0x7ff) + 1)
#define MSIX_ENTRY_BYTES  16u
#define MSIX_ENTRY_MASKED 1u

#define MESSAGE_DEST(m)   ((uint32_t)((m) >> 12 & 0xff) | ((uint32_t)((m) >> 5 & 0x7f) << 8))
#define MESSAGE_LOGICAL   (1u << 2)
#define MESSAGE_VECTOR(m) ((uint8_t)((m) >> 32))
#define MESSAGE_MODE(m)   ((uint8_t)((m) >> 40 & 7))

/* One vector of a device. */
struct msi_source {
	struct irq irq;
	struct vpci_device *dev;
	uint16_t index;
	bool is_msix;
	uint64_t message; /* the guest's: data << 32 | low half of the address */
};

struct vmsi {
	unsigned cap;
	unsigned max_log2; /* of the number of vectors that it can use */
	bool is_64bit;
	uint32_t control;                     /* first double word as the guest sees it */
	uint32_t address, address_high, data; /* the guest's */
	unsigned nr_open;
	struct msi_source *source; /* 1 << max_log2 of them */
};

struct msix_entry {
	struct msi_source source;
	uint32_t word[4]; /* as the guest wrote it */
};

struct vmsix {
	unsigned cap;
	unsigned bar;
	uint64_t offset; /* of the table in it */
	unsigned nr;
	uint32_t control;        /* as written to the device, too */
	uint64_t trapped;        /* where its pages are registered; 0: nowhere */
	uint64_t in_page;        /* of the table in the first of them */
	volatile uint8_t *pages; /* our mapping of them */
	struct vpci_device *dev;
	struct msix_entry *entry; /* nr of them */
};

static struct vlapic_msg parse_message(uint64_t m)
{
	return (struct vlapic_msg){ .dest = MESSAGE_DEST(m),
				    .vector = MESSAGE_VECTOR(m),
				    .mode = MESSAGE_MODE(m),
				    .logical = m & MESSAGE_LOGICAL };
}

static uint64_t make_message(uint32_t address, uint32_t data)
{
	return (uint64_t)data << 32 | address;
}

/* Sources. */

static unsigned remap_index(const struct msi_source *s)
{
	return s->dev->first_index + s->index;
}

/* What the device is to send. */
static uint32_t host_address(const struct msi_source *s)
{
	return irq_remap ? MSI_ADDRESS_BASE : irq_msi_address(&s->irq);
}

static uint32_t host_data(const struct msi_source *s)
{
	return irq_remap ? remap_index(s) : irq_msi_data(&s->irq);
}

static volatile uint32_t *table_entry(const struct vmsix *x, unsigned index)
{
	uint64_t at = x->in_page + index * MSIX_ENTRY_BYTES;

	return (volatile uint32_t *)(uintptr_t)(x->pages + at);
}

static void program_msi(const struct msi_source *s)
{
	const struct vpci_device *dev = s->dev;
	const struct vmsi *m = dev->msi;
	unsigned data = m->cap + (m->is_64bit ? 12 : 8);

	if (s->index)
		return; /* the device makes its message out of the first one's */
	pci_write(dev->segment, dev->bdf, m->cap + 4, 4, host_address(s));
	if (m->is_64bit)
		pci_write(dev->segment, dev->bdf, m->cap + 8, 4, 0);
	pci_write(dev->segment, dev->bdf, data, 2, host_data(s));
}

static void program_msix(const struct msi_source *s)
{
	volatile uint32_t *hw = table_entry(s->dev->msix, s->index);

	hw[0] = host_address(s);
	hw[1] = 0;
	hw[2] = host_data(s);
}

/* Irq lock held. Without remapping, only the address of an open source changes: one write. */
static void source_route(struct irq *irq)
{
	const struct msi_source *s = container_of(irq, struct msi_source, irq);

	if (irq_remap)
		irq_remap->set(s->dev->segment, s->dev->bdf, remap_index(s), irq);
	if (s->is_msix)
		program_msix(s);
	else
		program_msi(s);
}

static void source_arrived(struct irq *irq)
{
	struct msi_source *s = container_of(irq, struct msi_source, irq);
	struct vlapic_msg msg = parse_message(READ_ONCE(s->message));
	struct vcpu *v = vlapic_deliver(s->dev->domain, &msg);

	if (v && v->cpu != this_cpu()->id)
		irq_move(irq, v->cpu);
}

static const struct irq_ops source_ops = { source_route, source_arrived };

static uint32_t source_cpu(const struct msi_source *s)
{
	struct vlapic_msg msg = parse_message(s->message);
	const struct vcpu *v = vlapic_find_target(s->dev->domain, &msg);

	return v ? v->cpu : 0;
}

static int source_open(struct msi_source *s, uint64_t message)
{
	int err = 0;

	WRITE_ONCE(s->message, message);
	if (s->irq.vector)
		irq_move(&s->irq, source_cpu(s));
	else
		err = irq_open(&s->irq, &source_ops, source_cpu(s));
	if (err)
		guest_log(s->dev->domain, "no vector left for device %02x:%02x.%x\n",
			  s->dev->bdf >> 8, s->dev->bdf >> 3 & 31, s->dev->bdf & 7u);
	return err;
}

static void source_close(struct msi_source *s)
{
	irq_close(&s->irq);
	if (irq_remap)
		irq_remap->set(s->dev->segment, s->dev->bdf, remap_index(s), NULL);
}

static void source_init(struct msi_source *s, struct vpci_device *dev, unsigned index, bool is_msix)
{
	s->dev = dev;
	s->index = (uint16_t)index;
	s->is_msix = is_msix;
}

/* MSI. */

static void msi_close(struct vmsi *m)
{
	while (m->nr_open)
		source_close(&m->source[--m->nr_open]);
}

/* Opens the vectors that are enabled, or tells open ones their new message. */
static int msi_open(struct vmsi *m)
{
	unsigned log2 = m->control >> MSI_MME_SHIFT & MSI_COUNT_MASK;
	unsigned nr = 1u << MIN(log2, m->max_log2);
	int err = 0;

	for (unsigned i = 0; i < nr && !err; i++) {
		/* The device puts the vector's number into the low bits of the data. */
		uint32_t data = (m->data & ~(nr - 1)) | ((m->data + i) & (nr - 1));

		err = source_open(&m->source[i], make_message(m->address, data));
		if (!err)
			m->nr_open = MAX(m->nr_open, i + 1);
	}
	if (err)
		msi_close(m);
	return err;
}

static void msi_set_device(const struct vpci_device *dev, bool enable)
{
	const struct vmsi *m = dev->msi;
	uint32_t control = enable ? m->control : m->control & ~MSI_ENABLE;

	pci_write(dev->segment, dev->bdf, m->cap + 2, 2, control >> 16);
}

static void msi_write_control(struct vpci_device *dev, uint32_t value)
{
	struct vmsi *m = dev->msi;
	uint32_t old = m->control;

	m->control = (old & ~MSI_WRITABLE) | (value & MSI_WRITABLE);
	if ((old ^ m->control) & old & MSI_ENABLE)
		msi_set_device(dev, false);
	if ((old ^ m->control) & MSI_WRITABLE)
		msi_close(m);
	if ((m->control & MSI_ENABLE) && !m->nr_open && !msi_open(m))
		msi_set_device(dev, true);
}

static uint32_t msi_read_word(const struct vmsi *m, unsigned offset)
{
	if (offset == 0)
		return m->control;
	if (offset == 4)
		return m->address;
	return offset == 8 && m->is_64bit ? m->address_high : m->data;
}

static void msi_write_word(struct vpci_device *dev, unsigned offset, uint32_t value)
{
	struct vmsi *m = dev->msi;

	if (offset == 0) {
		msi_write_control(dev, value);
		return;
	}
	if (offset == 4)
		m->address = value & ~3u;
	else if (offset == 8 && m->is_64bit)
		m->address_high = value;
	else
		m->data = value & 0xffff;
	if (m->nr_open && msi_open(m))
		msi_set_device(dev, false);
}

static int create_msi(struct vpci_device *dev)
{
	unsigned cap = pci_find_capability(dev->segment, dev->bdf, PCI_CAP_MSI);
	struct vmsi *m;

	if (!cap)
		return 0;
	m = mem_alloc(sizeof(*m));
	if (!m)
		return -XEN_ENOMEM;
	m->cap = cap;
	m->control = pci_read(dev->segment, dev->bdf, cap, 4) & ~MSI_WRITABLE;
	m->is_64bit = m->control & MSI_64BIT;
	m->max_log2 = MIN(m->control >> MSI_MMC_SHIFT & MSI_COUNT_MASK, MSI_MAX_LOG2);
	if (!irq_remap) { /* several vectors in one message would have to be neighbours */
		m->max_log2 = 0;
		m->control &= ~(MSI_COUNT_MASK << MSI_MMC_SHIFT);
	}
	m->source = mem_alloc((1u << m->max_log2) * sizeof(*m->source));
	if (!m->source)
		return -XEN_ENOMEM;
	for (unsigned i = 0; i < 1u << m->max_log2; i++)
		source_init(&m->source[i], dev, i, false);
	dev->msi = m;
	msi_set_device(dev, false);
	return 0;
}

/* MSI-X. */

static bool entry_is_on(const struct vmsix *x, const struct msix_entry *e)
{
	return (x->control & MSIX_ENABLE) && x->pages && !(e->word[3] & MSIX_ENTRY_MASKED);
}

/* Makes the device's entry follow the guest's. */
static void entry_update(struct vmsix *x, struct msix_entry *e)
{
	bool on = entry_is_on(x, e);

	if (!x->pages)
		return;
	if (on)
		on = !source_open(&e->source, make_message(e->word[0], e->word[2]));
	table_entry(x, e->source.index)[3] = on ? 0 : MSIX_ENTRY_MASKED;
}

static void msix_write_control(struct vpci_device *dev, uint32_t value)
{
	struct vmsix *x = dev->msix;
	uint32_t old = x->control;

	x->control = (old & ~MSIX_WRITABLE) | (value & MSIX_WRITABLE);
	if (!(x->control & MSIX_ENABLE))
		pci_write(dev->segment, dev->bdf, x->cap + 2, 2, x->control >> 16);
	if ((old ^ x->control) & MSIX_ENABLE)
		for (unsigned i = 0; i < x->nr; i++) {
			struct msix_entry *e = &x->entry[i];

			if (x->control & MSIX_ENABLE)
				entry_update(x, e);
			else if (e->source.irq.vector)
				source_close(&e->source);
		}
	if (x->control & MSIX_ENABLE)
		pci_write(dev->segment, dev->bdf, x->cap + 2, 2, x->control >> 16);
}

static uint32_t hw_read(const struct vmsix *x, uint64_t offset, unsigned size)
{
	volatile uint8_t *at = x->pages + offset;

	if (size == 1)
		return *at;
	return size == 2 ? *(volatile uint16_t *)at : *(volatile uint32_t *)at;
}

static void hw_write(const struct vmsix *x, uint64_t offset, unsigned size, uint32_t value)
{
	volatile uint8_t *at = x->pages + offset;

	if (size == 1)
		*at = (uint8_t)value;
	else if (size == 2)
		*(volatile uint16_t *)at = (uint16_t)value;
	else
		*(volatile uint32_t *)at = value;
}

/* The table's word at an offset into the trapped pages; NULL: something else is there. */
static uint32_t *table_word(struct vmsix *x, uint64_t offset, struct msix_entry **ret_e)
{
	uint64_t start = x->in_page;

	if (offset < start || offset - start >= (uint64_t)x->nr * MSIX_ENTRY_BYTES)
		return NULL;
	*ret_e = &x->entry[(offset - start) / MSIX_ENTRY_BYTES];
	return &(*ret_e)->word[(offset - start) / 4 % 4]; /* it is aligned to 8 only */
}

/* One access of up to four bytes; the table takes aligned double words only (6.8.2). */
static uint32_t page_read(struct vmsix *x, uint64_t offset, unsigned size)
{
	struct msix_entry *e;
	const uint32_t *word = table_word(x, offset, &e);

	if (word)
		return *word >> (offset % 4 * 8);
	return is_aligned(offset, size) ? hw_read(x, offset, size) : UINT32_MAX;
}

static void page_write(struct vmsix *x, uint64_t offset, unsigned size, uint32_t value)
{
	struct msix_entry *e;
	uint32_t *word = table_word(x, offset, &e);

	if (!word) {
		if (is_aligned(offset, size))
			hw_write(x, offset, size, value);
	} else if (size == 4 && is_aligned(offset, 4)) {
		*word = value;
		entry_update(x, e);
	}
}

static uint64_t table_mmio_read(struct vcpu *v, void *ctx, uint64_t offset, unsigned size)
{
	struct vmsix *x = ctx;
	uint64_t value;

	(void)v;
	spin_lock(&vpci_lock);
	value = page_read(x, offset, MIN(size, 4u));
	if (size == 8)
		value |= (uint64_t)page_read(x, offset + 4, 4) << 32;
	spin_unlock(&vpci_lock);
	return value;
}

static void table_mmio_write(struct vcpu *v, void *ctx, uint64_t offset, unsigned size,
			     uint64_t value)
{
	struct vmsix *x = ctx;

	(void)v;
	spin_lock(&vpci_lock);
	page_write(x, offset, MIN(size, 4u), (uint32_t)value);
	if (size == 8)
		page_write(x, offset + 4, 4, (uint32_t)(value >> 32));
	spin_unlock(&vpci_lock);
}

static const struct mmio_ops table_ops = { table_mmio_read, table_mmio_write };

bool msix_table_pages(const struct vpci_device *dev, unsigned bar, uint64_t address,
		      uint64_t *ret_start, uint64_t *ret_end)
{
	const struct vmsix *x = dev->msix;

	if (!x || x->bar != bar)
		return false;
	*ret_start = align_down(address + x->offset, PAGE_SIZE);
	*ret_end = align_up(address + x->offset + (uint64_t)x->nr * MSIX_ENTRY_BYTES, PAGE_SIZE);
	return true;
}

int msix_table_moved(struct vpci_device *dev, uint64_t address)
{
	struct vmsix *x = dev->msix;
	uint64_t start, end;

	if (x->trapped)
		mmio_unregister(dev->domain, GPA(x->trapped));
	x->trapped = 0;
	x->pages = NULL;
	if (!address || !msix_table_pages(dev, x->bar, address, &start, &end))
		return 0;
	/* We access these pages for the guest: they must be none that it cannot have. */
	if (!service_vm_may_be_device(start, end - start))
		return 0;
	x->in_page = (address + x->offset) % PAGE_SIZE;
	x->pages = map_mmio(MPA(start), end - start);
	if (!x->pages)
		return -XEN_ENOMEM;
	x->trapped = start;
	for (unsigned i = 0; i < x->nr; i++)
		entry_update(x, &x->entry[i]);
	return mmio_register(dev->domain, GPA(start), end - start, &table_ops, x);
}

static int create_msix(struct vpci_device *dev)
{
	unsigned cap = pci_find_capability(dev->segment, dev->bdf, PCI_CAP_MSIX);
	uint32_t table;
	struct vmsix *x;

	if (!cap)
		return 0;
	x = mem_alloc(sizeof(*x));
	if (!x)
		return -XEN_ENOMEM;
	table = pci_read(dev->segment, dev->bdf, cap + 4, 4);
	x->cap = cap;
	x->dev = dev;
	x->bar = table & 7;
	x->offset = table & ~7u;
	x->control = pci_read(dev->segment, dev->bdf, cap, 4) & ~MSIX_WRITABLE;
	x->nr = MSIX_SIZE(x->control);
	x->entry = mem_alloc(x->nr * sizeof(*x->entry));
	if (!x->entry)
		return -XEN_ENOMEM;
	for (unsigned i = 0; i < x->nr; i++) {
		source_init(&x->entry[i].source, dev, i, true);
		x->entry[i].word[3] = MSIX_ENTRY_MASKED;
	}
	dev->msix = x;
	pci_write(dev->segment, dev->bdf, cap + 2, 2, x->control >> 16);
	return 0;
}

/* Both. */

int msi_create(struct vpci_device *dev)
{
	int err = create_msi(dev);
	unsigned nr = 0;

	if (!err)
		err = create_msix(dev);
	if (dev->msi)
		nr = 1u << dev->msi->max_log2;
	if (dev->msix)
		nr = MAX(nr, dev->msix->nr);
	if (!err && nr && irq_remap)
		err = irq_remap->prepare(dev->segment, dev->bdf, nr, &dev->first_index);
	return err;
}

static unsigned msi_words_end(const struct vmsi *m)
{
	return m->cap + (m->is_64bit ? 16 : 12);
}

bool msi_owns(const struct vpci_device *dev, unsigned reg)
{
	if (dev->msi && reg >= dev->msi->cap && reg < msi_words_end(dev->msi))
		return true;
	return dev->msix && reg == dev->msix->cap;
}

uint32_t msi_read(struct vpci_device *dev, unsigned reg)
{
	if (dev->msix && reg == dev->msix->cap)
		return dev->msix->control;
	return msi_read_word(dev->msi, reg - dev->msi->cap);
}

void msi_write(struct vpci_device *dev, unsigned reg, uint32_t value)
{
	if (dev->msix && reg == dev->msix->cap)
		msix_write_control(dev, value);
	else
		msi_write_word(dev, reg - dev->msi->cap, value);
}

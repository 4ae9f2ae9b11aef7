/* The calling convention of hypercalls: registers, privilege, numbers, pointers, 32-bit callers. */
#include "guest/guest.h"

const char test_title[] = "hypercalls keep their calling convention";

/* All general registers around one hypercall. The assembly below knows this order. */
struct all_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags;
};

static void call_with(struct all_regs *r)
{
	__asm__ volatile("push %%rbp; push %%rbx; push %0\n"
			 "mov 8(%0), %%rbx; mov 16(%0), %%rcx; mov 24(%0), %%rdx\n"
			 "mov 32(%0), %%rsi; mov 48(%0), %%rbp; mov 56(%0), %%r8\n"
			 "mov 64(%0), %%r9; mov 72(%0), %%r10; mov 80(%0), %%r11\n"
			 "mov 88(%0), %%r12; mov 96(%0), %%r13; mov 104(%0), %%r14\n"
			 "mov 112(%0), %%r15; push 120(%0); popfq\n"
			 "push 0(%0); mov 40(%0), %%rdi; pop %%rax\n" HYPERCALL_INSN
			 "pushfq; push %%rdi; mov 16(%%rsp), %%rdi\n"
			 "mov %%rax, 0(%%rdi); mov %%rbx, 8(%%rdi); mov %%rcx, 16(%%rdi)\n"
			 "mov %%rdx, 24(%%rdi); mov %%rsi, 32(%%rdi); popq 40(%%rdi)\n"
			 "mov %%rbp, 48(%%rdi); mov %%r8, 56(%%rdi); mov %%r9, 64(%%rdi)\n"
			 "mov %%r10, 72(%%rdi); mov %%r11, 80(%%rdi); mov %%r12, 88(%%rdi)\n"
			 "mov %%r13, 96(%%rdi); mov %%r14, 104(%%rdi); mov %%r15, 112(%%rdi)\n"
			 "popq 120(%%rdi); pop %0; pop %%rbx; pop %%rbp\n"
			 : "+D"(r)
			 :
			 : "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10", "r11", "r12", "r13",
			   "r14", "r15", "memory", "cc");
}

static void check_registers(void)
{
	static const struct {
		uint64_t nr, rdi;
		const char *name;
	} calls[] = {
		{ __HYPERVISOR_xen_version, XENVER_version, "xen_version" },
		{ __HYPERVISOR_sched_op, SCHEDOP_yield, "sched_op(yield)" },
		{ 63, 0, "an unknown hypercall" },
	};

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++) {
		struct all_regs r = {
			calls[i].nr, 0x0b, 0x0c, 0,    0,    calls[i].rdi, 0xbb, 0x08,
			0x09,        0x10, 0x11, 0x12, 0x13, 0x14,         0x15, 0x8d7
		};

		call_with(&r);
		check(r.rbx == 0x0b && r.rcx == 0x0c && r.rbp == 0xbb && r.r9 == 0x09 &&
			      r.r11 == 0x11 && r.r12 == 0x12 && r.r13 == 0x13 && r.r14 == 0x14 &&
			      r.r15 == 0x15,
		      "%s keeps RBX, RCX, RBP, R9, R11 to R15", calls[i].name);
		check_eq(r.rflags & 0xcd5, 0x8d7 & 0xcd5, "%s keeps the flags", calls[i].name);
	}
}

static void check_numbers(void)
{
	static const uint16_t unknown[] = { 0,  1,  2,  3,  4,  5,  8,  9,  10, 11, 14,
					    22, 23, 25, 28, 30, 43, 47, 57, 63, 64, 255 };
	bool all = true;

	for (unsigned int i = 0; i < ARRAY_SIZE(unknown); i++) {
		int64_t rc = hypercall3(unknown[i], 0, 0, 0);

		if (rc != -XEN_ENOSYS) {
			note("hypercall %u gives %ld", unknown[i], rc);
			all = false;
		}
	}
	check(all, "%lu hypercalls that are not for PVH guests give -ENOSYS", ARRAY_SIZE(unknown));
	check_err(hypercall2(1ULL << 32 | 1000, 0, 0), -XEN_ENOSYS,
		  "a number beyond the table gives -ENOSYS");
	check_err(hypercall2(~0ULL, 0, 0), -XEN_ENOSYS, "the number -1 gives -ENOSYS");
}

static uint64_t version_at_cpl3(uint64_t arg)
{
	(void)arg;
	return (uint64_t)xen_version(XENVER_version, NULL);
}

/* One pointer of each hypercall that takes one. */
static const struct {
	uint64_t nr, rdi, rdx;
	const char *name;
} pointer_calls[] = {
	{ __HYPERVISOR_memory_op, XENMEM_add_to_physmap, 0, "memory_op(add_to_physmap)" },
	{ __HYPERVISOR_memory_op, XENMEM_remove_from_physmap, 0, "memory_op(remove_from_physmap)" },
	{ __HYPERVISOR_xen_version, XENVER_get_features, 0, "xen_version(get_features)" },
	{ __HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, 0,
	  "event_channel_op(alloc_unbound)" },
	{ __HYPERVISOR_event_channel_op, EVTCHNOP_send, 0, "event_channel_op(send)" },
	{ __HYPERVISOR_event_channel_op, EVTCHNOP_status, 0, "event_channel_op(status)" },
	{ __HYPERVISOR_hvm_op, HVMOP_get_param, 0, "hvm_op(get_param)" },
	{ __HYPERVISOR_sched_op, SCHEDOP_poll, 0, "sched_op(poll)" },
	{ __HYPERVISOR_sched_op, SCHEDOP_shutdown, 0, "sched_op(shutdown)" },
	{ __HYPERVISOR_grant_table_op, GNTTABOP_query_size, 1, "grant_table_op(query_size)" },
	{ __HYPERVISOR_grant_table_op, GNTTABOP_copy, 1, "grant_table_op(copy)" },
	{ __HYPERVISOR_physdev_op, PHYSDEVOP_pci_device_add, 0, "physdev_op(pci_device_add)" },
};

static void check_pointers(void)
{
	static const uint64_t bad[] = { TEST_VA, 0x0000800000000000, 0xffffffffffffff80 };

	for (unsigned int i = 0; i < ARRAY_SIZE(pointer_calls); i++) {
		bool all = true;

		for (unsigned int j = 0; j < ARRAY_SIZE(bad); j++) {
			int64_t rc = hypercall3(pointer_calls[i].nr, pointer_calls[i].rdi, bad[j],
						pointer_calls[i].rdx);

			if (rc != -XEN_EFAULT) {
				note("%#lx gives %ld", bad[j], rc);
				all = false;
			}
		}
		check(all, "%s with unmapped, non-canonical and wrapping pointers gives -EFAULT",
		      pointer_calls[i].name);
	}
}

/* An argument may lie in two pages that are not neighbours, and end where memory ends. */
static void check_page_crossing(void)
{
	uint8_t *first = page_alloc(), *second = page_alloc();
	struct xen_feature_info *info = (void *)(TEST_VA + PAGE_SIZE - 4);
	struct xen_feature_info *last = (void *)(TEST_VA + 2 * PAGE_SIZE - sizeof(*last));

	map_page(TEST_VA, (uintptr_t)second | PTE_P | PTE_W);
	map_page(TEST_VA + PAGE_SIZE, (uintptr_t)first | PTE_P | PTE_W);
	info->submap_idx = 0;
	check_err(xen_version(XENVER_get_features, info), 0,
		  "an argument across two scattered pages is read");
	check(info->submap & BIT(XENFEAT_hvm_safe_pvclock), "and written");
	last->submap_idx = 0;
	check_err(xen_version(XENVER_get_features, last), 0,
		  "an argument may end right before an unmapped page");
	map_page(TEST_VA + PAGE_SIZE, 0);
	info->submap_idx = 0;
	check_err(xen_version(XENVER_get_features, info), -XEN_EFAULT,
		  "an argument whose second page is unmapped gives -EFAULT");
	*(uint32_t *)first = 0;
	map_page(TEST_VA, (uintptr_t)first | PTE_P);
	check_err(xen_version(XENVER_get_features, (void *)TEST_VA), -XEN_EFAULT,
		  "a result into a read-only page gives -EFAULT");
	unmap_page(TEST_VA);
}

/* Accessed and dirty bits are set as by an access of the guest's own. */
static void check_accessed_dirty(void)
{
	uint8_t *page = page_alloc();

	map_page(TEST_VA, (uintptr_t)page | PTE_P | PTE_W);
	check_err(xen_version(XENVER_get_features, (void *)TEST_VA), 0, "a fresh mapping works");
	check((*pte_of(TEST_VA) & (PTE_A | PTE_D)) == (PTE_A | PTE_D),
	      "a result sets the accessed and the dirty bit");
	unmap_page(TEST_VA);
}

static const struct mode {
	uint32_t cr0, cr4;
	uint32_t (*page_tables)(void);
	const char *name;
} modes[] = {
	{ 0, 0, NULL, "compatibility mode" },
	{ 0x31, 0, NULL, "protected mode without paging" },
	{ 0x80010031, 0x10, page_tables_32, "32-bit paging" },
	{ 0x80010031, 0x20, page_tables_pae, "PAE paging" },
};

static int32_t call_in(const struct mode *mode, uint32_t nr, uint32_t a1, uint32_t a2)
{
	struct call32 c = { .eax = nr,
			    .ebx = a1,
			    .ecx = a2,
			    .edx = 0xd,
			    .esi = 0x51,
			    .edi = 0xd1,
			    .cr0 = mode->cr0,
			    .cr4 = mode->cr4 };

	if (mode->page_tables)
		c.cr3 = mode->page_tables();
	call32(&c);
	return (int32_t)c.eax;
}

static void check_32bit(const struct mode *mode)
{
	static struct xen_feature_info info;
	static struct compat_xen_memory_reservation op;
	uint8_t *page = page_alloc();
	uint32_t gfn = (uint32_t)gfn_of(page);
	static char text[] = "  note  printed from 32-bit code\n";
	struct call32 c = { .eax = __HYPERVISOR_console_io,
			    .ebx = CONSOLEIO_write,
			    .ecx = sizeof(text) - 1,
			    .edx = (uint32_t)(uintptr_t)text,
			    .cr0 = mode->cr0,
			    .cr4 = mode->cr4 };

	info = (struct xen_feature_info){ 0 };
	op = (struct compat_xen_memory_reservation){ .extent_start = (uint32_t)(uintptr_t)&gfn,
						     .nr_extents = 1,
						     .domid = DOMID_SELF };
	if (mode->page_tables)
		c.cr3 = mode->page_tables();
	check_err(call_in(mode, __HYPERVISOR_xen_version, XENVER_version, 0), 4 << 16 | 17,
		  "%s: a hypercall gives its result", mode->name);
	check_err(call_in(mode, __HYPERVISOR_xen_version, XENVER_get_features,
			  (uint32_t)(uintptr_t)&info),
		  0, "%s: a pointer is a 32-bit address", mode->name);
	check(info.submap & BIT(XENFEAT_hvm_safe_pvclock), "%s: its target is written", mode->name);
	check_err(call_in(mode, __HYPERVISOR_memory_op, XENMEM_decrease_reservation,
			  (uint32_t)(uintptr_t)&op),
		  1, "%s: a structure has its 32-bit layout", mode->name);
	check_eq(mmio_read32((uintptr_t)page), ~0u, "%s: and its nested pointer is followed",
		 mode->name);
	check_err(call_in(mode, 63, 0, 0), -XEN_ENOSYS, "%s: unknown numbers give -ENOSYS",
		  mode->name);
	call32(&c);
	check((int32_t)c.eax >= 0, "%s: the third argument is EDX", mode->name);
}

void test_main(void)
{
	check_registers();
	check_numbers();
	check_err((int64_t)user_call(version_at_cpl3, 0), -XEN_EPERM,
		  "a hypercall at CPL 3 gives -EPERM");
	check_pointers();
	check_page_crossing();
	check_accessed_dirty();
	for (unsigned int i = 0; i < ARRAY_SIZE(modes); i++)
		check_32bit(&modes[i]);
}

/*
 * What a PVH kernel finds when it starts: EBX holds the guest physical address of hvm_start_info.
 *
 * Also the notes by which its ELF image says that it can start this way. The same for 64-bit and
 * 32-bit kernels: entry is always in 32-bit protected mode without paging.
 */
#ifndef LODGE_ABI_START_INFO_H
#define LODGE_ABI_START_INFO_H

#include "layout.h"

#define XEN_HVM_START_MAGIC_VALUE 0x336ec578U
#define XEN_HVM_START_VERSION     1 /* the version that has a memory map */

#define XEN_HVM_MEMMAP_TYPE_RAM      1
#define XEN_HVM_MEMMAP_TYPE_RESERVED 2
#define XEN_HVM_MEMMAP_TYPE_ACPI     3
#define XEN_HVM_MEMMAP_TYPE_NVS      4
#define XEN_HVM_MEMMAP_TYPE_UNUSABLE 5
#define XEN_HVM_MEMMAP_TYPE_DISABLED 6
#define XEN_HVM_MEMMAP_TYPE_PMEM     7

/* Linux copies the map without a bound into a table of 128 entries and adds one of its own. */
#define XEN_HVM_MEMMAP_LINUX_MAX 127

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags; /* SIF_* */
	uint32_t nr_modules;
	uint64_t modlist_paddr; /* struct hvm_modlist_entry[nr_modules] */
	uint64_t cmdline_paddr; /* NUL-terminated */
	uint64_t rsdp_paddr;
	uint64_t memmap_paddr; /* struct hvm_memmap_table_entry[memmap_entries], version 1 */
	uint32_t memmap_entries;
	uint32_t reserved;
};

ABI_SIZE(struct hvm_start_info, 56);
ABI_OFFSET(struct hvm_start_info, magic, 0);
ABI_OFFSET(struct hvm_start_info, version, 4);
ABI_OFFSET(struct hvm_start_info, flags, 8);
ABI_OFFSET(struct hvm_start_info, nr_modules, 12);
ABI_OFFSET(struct hvm_start_info, modlist_paddr, 16);
ABI_OFFSET(struct hvm_start_info, cmdline_paddr, 24);
ABI_OFFSET(struct hvm_start_info, rsdp_paddr, 32);
ABI_OFFSET(struct hvm_start_info, memmap_paddr, 40);
ABI_OFFSET(struct hvm_start_info, memmap_entries, 48);
ABI_OFFSET(struct hvm_start_info, reserved, 52);

/* Module 0 is the initial ramdisk. */
struct hvm_modlist_entry {
	uint64_t paddr;
	uint64_t size;
	uint64_t cmdline_paddr;
	uint64_t reserved;
};

ABI_SIZE(struct hvm_modlist_entry, 32);
ABI_OFFSET(struct hvm_modlist_entry, paddr, 0);
ABI_OFFSET(struct hvm_modlist_entry, size, 8);
ABI_OFFSET(struct hvm_modlist_entry, cmdline_paddr, 16);
ABI_OFFSET(struct hvm_modlist_entry, reserved, 24);

struct hvm_memmap_table_entry {
	uint64_t addr;
	uint64_t size;
	uint32_t type; /* XEN_HVM_MEMMAP_TYPE_* */
	uint32_t reserved;
};

ABI_SIZE(struct hvm_memmap_table_entry, 24);
ABI_OFFSET(struct hvm_memmap_table_entry, addr, 0);
ABI_OFFSET(struct hvm_memmap_table_entry, size, 8);
ABI_OFFSET(struct hvm_memmap_table_entry, type, 16);
ABI_OFFSET(struct hvm_memmap_table_entry, reserved, 20);

/* ELF notes, owner "Xen". */
#define XEN_ELFNOTE_NAME               "Xen"
#define XEN_ELFNOTE_ENTRY              1
#define XEN_ELFNOTE_HYPERCALL_PAGE     2
#define XEN_ELFNOTE_GUEST_OS           6
#define XEN_ELFNOTE_GUEST_VERSION      7
#define XEN_ELFNOTE_LOADER             8
#define XEN_ELFNOTE_SUPPORTED_FEATURES 17
#define XEN_ELFNOTE_PHYS32_ENTRY       18 /* 4 or 8 bytes: the address to jump to */

#endif /* LODGE_ABI_START_INFO_H */

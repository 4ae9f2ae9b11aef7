/* Plans carried out on an image in memory, and read from there as the guest would. */
#include "unit.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "guest-memory.h"
#include "images.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static struct build_description d;
static struct build_plan *plan;
static struct guest_memory guest;
static struct guest_view view;
static struct err err;

static void setup(void)
{
	struct image kernel = make_elf(true);

	folder_make();
	d = (struct build_description){ .kernel = folder_write("vmlinux", &kernel),
					.memory_bytes = 64 * MIB,
					.nr_vcpus = 1 };
	guest_memory_init(&guest);
}

static void teardown(void)
{
	build_plan_destroy(plan);
	guest_memory_fini(&guest);
	folder_remove();
}

static void build(void)
{
	ck_assert_msg(!build_plan_create(&d, &plan, &err), "%s", err.text);
	ck_assert_msg(!build_plan_execute(plan, &guest.target, &err), "%s", err.text);
	ck_assert_ptr_eq(guest.finished, plan);
	view = guest_read_start_info(&guest, plan->entry.cpu_regs.x86_32.ebx);
}

static void expect_refused(int code, const char *part)
{
	ck_assert_int_eq(build_plan_create(&d, &plan, &err), code);
	ck_assert_msg(strstr(err.text, part), "\"%s\" is not about \"%s\"", err.text, part);
	ck_assert_ptr_null(plan);
}

static const char *file_of(const char *name, size_t bytes, uint8_t fill)
{
	struct image file = { .data = test_alloc(bytes + 1), .bytes = bytes };

	memset(file.data, fill, bytes);
	return folder_write(name, &file);
}

START_TEST(segments_lie_where_they_say_and_the_rest_is_zero)
{
	struct image kernel = make_elf(true);
	const uint8_t *a, *b;

	build();
	a = guest_bytes(&guest, SEGMENT_A, SEGMENT_A_MEM);
	b = guest_bytes(&guest, SEGMENT_B, SEGMENT_B_FILE);
	ck_assert_int_eq(memcmp(a, kernel.data + IMAGE_CODE, SEGMENT_A_FILE), 0);
	for (unsigned i = SEGMENT_A_FILE; i < SEGMENT_A_MEM; i++)
		ck_assert_uint_eq(a[i], 0);
	ck_assert_int_eq(memcmp(b, kernel.data + IMAGE_CODE + SEGMENT_A_FILE, SEGMENT_B_FILE), 0);
	ck_assert_uint_lt(guest.nr_copied_bytes, 3 * 4096 + SEGMENT_A_FILE + SEGMENT_B_FILE);
	ck_assert(plan->is_64_bit);
}
END_TEST

START_TEST(the_entry_is_flat_protected_mode_in_both_classes)
{
	struct image narrow = make_elf(false);
	const struct vcpu_hvm_x86_32 *r;

	d.kernel = folder_write("vmlinux-32", &narrow);
	build();
	r = &plan->entry.cpu_regs.x86_32;
	ck_assert(!plan->is_64_bit);
	ck_assert_uint_eq(plan->entry.mode, VCPU_HVM_MODE_32B);
	ck_assert_uint_eq(r->eip, IMAGE_ENTRY);
	ck_assert_uint_eq(r->eflags, 2);
	ck_assert_uint_eq(r->cr0, 1);
	ck_assert_uint_eq(r->cr3 | r->cr4 | r->efer, 0);
	ck_assert_uint_eq(r->cs_base | r->ds_base | r->es_base | r->ss_base, 0);
	ck_assert_uint_eq(r->cs_limit & r->ds_limit & r->es_limit & r->ss_limit, UINT32_MAX);
	ck_assert_uint_eq(r->cs_ar, 0xc9b);
	ck_assert(r->ds_ar == 0xc93 && r->es_ar == 0xc93 && r->ss_ar == 0xc93);
	ck_assert(r->tr_ar == 0x8b && r->tr_limit == 0x67);
}
END_TEST

START_TEST(start_info_lies_right_behind_the_kernel_with_the_command_line)
{
	d.cmdline = "console=hvc0 root=/dev/xvda1 quiet";
	build();
	ck_assert_uint_eq(plan->entry.cpu_regs.x86_32.ebx, SEGMENT_B + 0x1000);
	ck_assert_str_eq(view.cmdline, d.cmdline);
	ck_assert_uint_eq(view.nr_modules, 0);
	ck_assert_uint_eq(view.rsdp, BUILD_ACPI);
}
END_TEST

START_TEST(no_command_line_is_an_empty_one)
{
	build();
	ck_assert_str_eq(view.cmdline, "");
}
END_TEST

START_TEST(several_initrds_become_one_module_each_aligned_to_4)
{
	const uint8_t *m;

	d.initrd[0] = file_of("a", 5, 'a');
	d.initrd[1] = file_of("empty", 0, 0);
	d.initrd[2] = file_of("b", 300001, 'b');
	d.initrd[3] = file_of("c", 7, 'c');
	d.nr_initrds = 4;
	build();
	ck_assert_uint_eq(view.nr_modules, 1);
	ck_assert_uint_eq(view.module_bytes, 8 + 300004 + 7);
	ck_assert_uint_eq(view.module % 4096, 0);
	m = guest_bytes(&guest, view.module, view.module_bytes);
	ck_assert(m[0] == 'a' && m[4] == 'a' && !m[5] && !m[7]);
	ck_assert(m[8] == 'b' && m[8 + 300000] == 'b' && !m[8 + 300001]);
	ck_assert(m[8 + 300004] == 'c' && m[8 + 300004 + 6] == 'c');
}
END_TEST

START_TEST(an_initrd_with_holes_is_copied_without_them)
{
	int fd;

	d.initrd[0] = file_of("holes", 10, 'a');
	fd = open(d.initrd[0], O_WRONLY);
	ck_assert_int_eq(ftruncate(fd, 8 << 20), 0);
	ck_assert_int_eq(pwrite(fd, "end", 3, (6 << 20) + 5), 3);
	close(fd);
	d.nr_initrds = 1;
	build();
	ck_assert_uint_eq(view.module_bytes, 8 << 20);
	ck_assert_int_eq(memcmp(guest_bytes(&guest, view.module + (6 << 20) + 5, 3), "end", 3), 0);
	ck_assert_uint_eq(guest_number(&guest, view.module + (6 << 20) + 8, 8), 0);
	if (plan->nr_pieces > 5) /* the file system knows holes */
		ck_assert_uint_lt(guest.nr_copied_bytes, 1 << 20);
}
END_TEST

START_TEST(an_initrd_without_room_above_the_kernel_lies_below_it)
{
	d.memory_bytes = 20 * MIB;
	d.initrd[0] = file_of("initrd", 10 << 20, 'i');
	d.nr_initrds = 1;
	build();
	ck_assert_uint_eq(view.module, MIB);
	ck_assert_uint_eq(guest_number(&guest, 11 * MIB - 1, 1), 'i');
}
END_TEST

START_TEST(below_the_kernel_start_info_and_initrd_lie_apart)
{
	d.memory_bytes = SEGMENT_B + 4096; /* ends where the kernel does */
	d.initrd[0] = file_of("initrd", 5000, 'i');
	d.nr_initrds = 1;
	build();
	ck_assert_uint_eq(plan->entry.cpu_regs.x86_32.ebx, MIB);
	ck_assert_uint_eq(view.module, MIB + 4096);
	ck_assert_uint_eq(view.module_bytes, 5000);
}
END_TEST

/* All RAM but 0xa0000 to 0xfffff is told of, and that is there too. */
static void expect_memory(uint64_t low)
{
	uint64_t ram = guest_check_map(&guest, &view), high = d.memory_bytes - low;

	ck_assert_uint_eq(ram, d.memory_bytes - 0x60000);
	ck_assert_uint_eq(view.map[0].start, 0);
	ck_assert_uint_eq(view.map[0].bytes, 0xa0000);
	ck_assert_uint_eq(view.map[1].type, 2);
	guest_bytes(&guest, 0, low);
	guest_bytes(&guest, 4 * GIB, high);
	ck_assert_uint_eq(guest.nr_populated, d.memory_bytes / 4096 + 3);
	ck_assert_uint_eq(guest.nr_claimed, plan->nr_pages);
	ck_assert_uint_eq(guest.nr_large, low / (2 * MIB) + high / (2 * MIB));
}

START_TEST(a_small_guest_has_all_its_memory_low)
{
	build();
	expect_memory(64 * MIB);
	ck_assert_uint_eq(view.nr_map, 5);
}
END_TEST

START_TEST(memory_that_is_no_multiple_of_2_MiB_ends_with_small_pages)
{
	d.memory_bytes = 65 * MIB + 4096;
	build();
	expect_memory(65 * MIB + 4096);
}
END_TEST

START_TEST(memory_up_to_the_hole_stays_low)
{
	d.memory_bytes = BUILD_LOW_RAM_END;
	build();
	expect_memory(BUILD_LOW_RAM_END);
	ck_assert_uint_eq(view.nr_map, 5);
}
END_TEST

START_TEST(more_memory_goes_on_above_4_GiB)
{
	d.memory_bytes = 5 * GIB + 12288;
	build();
	expect_memory(BUILD_LOW_RAM_END);
	ck_assert_uint_eq(view.nr_map, 6);
	ck_assert_uint_eq(view.map[5].start, 4 * GIB);
}
END_TEST

START_TEST(store_and_console_pages_are_there_zero_and_reserved)
{
	uint64_t rings[2];

	build();
	rings[0] = plan->store_gfn;
	rings[1] = plan->console_gfn;
	for (int i = 0; i < 2; i++) {
		const uint8_t *ring = guest_bytes(&guest, rings[i] << 12, 4096);
		bool is_reserved = false;

		for (unsigned n = 0; n < 4096; n++)
			ck_assert_uint_eq(ring[n], 0);
		for (unsigned n = 0; n < view.nr_map; n++)
			is_reserved |= view.map[n].type == 2 &&
				       rings[i] << 12 >= view.map[n].start &&
				       rings[i] << 12 < view.map[n].start + view.map[n].bytes;
		ck_assert(is_reserved);
	}
	ck_assert_uint_ne(rings[0], rings[1]);
}
END_TEST

START_TEST(the_MADT_has_a_local_APIC_for_each_vCPU)
{
	static const uint32_t counts[] = { 1, 2, 3, 127, 128 };

	for (unsigned n = 0; n < ARRAY_SIZE(counts); n++) {
		uint64_t madt;

		guest_memory_fini(&guest);
		guest_memory_init(&guest);
		build_plan_destroy(plan);
		d.nr_vcpus = counts[n];
		build();
		madt = guest_find_table(&guest, &view, "APIC");
		ck_assert_uint_eq(guest_number(&guest, madt + 4, 4), 44 + 8 * counts[n]);
		ck_assert_uint_eq(guest_number(&guest, madt + 36, 4), 0xfee00000);
		ck_assert_uint_eq(guest_number(&guest, madt + 40, 4), 0); /* no 8259 */
		for (uint32_t i = 0; i < counts[n]; i++) {
			ck_assert_uint_eq(guest_number(&guest, madt + 44 + 8 * i, 2), 0x0800);
			ck_assert_uint_eq(guest_number(&guest, madt + 46 + 8 * i, 1), i);
			ck_assert_uint_eq(guest_number(&guest, madt + 47 + 8 * i, 1), i);
			ck_assert_uint_eq(guest_number(&guest, madt + 48 + 8 * i, 4), 1);
		}
	}
}
END_TEST

START_TEST(the_FADT_is_hardware_reduced_and_leads_to_a_DSDT)
{
	uint64_t fadt, dsdt;

	build();
	fadt = guest_find_table(&guest, &view, "FACP");
	ck_assert_uint_ge(guest_number(&guest, fadt + 8, 1), 5);
	ck_assert_uint_eq(guest_number(&guest, fadt + 109, 2), 0x24);
	ck_assert_uint_eq(guest_number(&guest, fadt + 112, 4) >> 20 & 1, 1);
	ck_assert_uint_eq(guest_number(&guest, fadt + 91, 1), 0); /* no PM timer */
	dsdt = guest_number(&guest, fadt + 140, 8);
	ck_assert_uint_eq(guest_number(&guest, fadt + 40, 4), dsdt);
	ck_assert_int_eq(memcmp(guest_bytes(&guest, dsdt, 36), "DSDT", 4), 0);
}
END_TEST

/* ACPICA's disassembler reads the table without a complaint. Returns whether there is one. */
static bool disassemble(const char *signature, uint64_t at)
{
	struct image table = { .data = guest.bytes + at, .bytes = guest_number(&guest, at + 4, 4) };
	char command[256];

	if (system("iasl -v >/dev/null 2>&1"))
		return false;
	snprintf(command, sizeof(command),
		 "iasl -d %s >%s/log 2>&1 && ! grep -iE 'error|warning|invalid|checksum' %s/log",
		 folder_write(signature, &table), folder, folder);
	ck_assert_int_eq(system(command), 0);
	snprintf(command, sizeof(command),
		 "! grep -E '^(Error|Warning)|Invalid|incorrect|should be' %s/%s.dsl", folder,
		 signature);
	ck_assert_int_eq(system(command), 0);
	return true;
}

START_TEST(the_tables_are_disassembled_without_complaint)
{
	uint64_t fadt;

	d.nr_vcpus = 128;
	build();
	fadt = guest_find_table(&guest, &view, "FACP");
	if (disassemble("FACP", fadt)) {
		disassemble("APIC", guest_find_table(&guest, &view, "APIC"));
		disassemble("DSDT", guest_number(&guest, fadt + 140, 8));
		disassemble("XSDT", guest_number(&guest, view.rsdp + 24, 8));
	}
}
END_TEST

START_TEST(bad_descriptions_are_refused_with_numbers)
{
	char cmdline[2050] = "";

	d.memory_bytes = 64 * MIB + 5;
	expect_refused(-EINVAL, "67108869 bytes is not whole pages");
	d.memory_bytes = MIB;
	expect_refused(-EINVAL, "memory of 1024 KiB: it must be from 2 MiB");
	d.memory_bytes = 64 * MIB;
	d.nr_vcpus = 0;
	expect_refused(-EINVAL, "0 vCPUs: there must be from 1 to 128");
	d.nr_vcpus = 129;
	expect_refused(-EINVAL, "129 vCPUs");
	d.nr_vcpus = 1;
	d.nr_initrds = BUILD_MAX_INITRDS + 1;
	expect_refused(-EINVAL, "17 initrds: there may be up to 16");
	d.nr_initrds = 0;
	memset(cmdline, 'x', 2048);
	d.cmdline = cmdline;
	expect_refused(-EINVAL, "the command line has 2048 characters; a kernel takes up to 2047");
	cmdline[2047] = '\0';
	build();
	ck_assert_str_eq(view.cmdline, cmdline);
}
END_TEST

START_TEST(missing_files_are_refused_by_name)
{
	d.initrd[0] = d.kernel;
	d.initrd[1] = folder_path("no-initrd");
	d.nr_initrds = 2;
	expect_refused(-ENOENT, "no-initrd: No such file or directory");
	d.kernel = folder_path("no-kernel");
	expect_refused(-ENOENT, "no-kernel: No such file or directory");
	d.kernel = folder;
	expect_refused(-EINVAL, "not a regular file");
}
END_TEST

START_TEST(a_kernel_that_needs_more_memory_is_refused_with_both_sizes)
{
	d.memory_bytes = 18 * MIB;
	expect_refused(-E2BIG, "needs memory up to 18433 KiB; the guest has 18432 KiB");
}
END_TEST

START_TEST(a_kernel_in_the_hole_below_1_MiB_is_refused)
{
	struct image kernel = make_elf(true);

	image_put_phdr(&kernel, 1, P_PADDR, 0x9ffff);
	d.kernel = folder_write("low", &kernel);
	expect_refused(-EINVAL, "the segment at 0x9ffff reaches into 0xa0000");
	image_put_phdr(&kernel, 1, P_PADDR, 0x9f000);
	d.kernel = folder_write("low", &kernel);
	build();
}
END_TEST

START_TEST(an_initrd_that_does_not_fit_is_refused_with_both_sizes)
{
	d.memory_bytes = 32 * MIB;
	d.initrd[0] = file_of("initrd", 16 << 20, 'i');
	d.nr_initrds = 1;
	expect_refused(-E2BIG, "initrd: 16384 KiB do not fit: beside the kernel ");
	ck_assert(strstr(err.text, "15360 KiB of the guest's memory are free in one piece"));
	d.initrd[1] = d.initrd[0];
	d.nr_initrds = 2;
	expect_refused(-E2BIG, "initrds: 32768 KiB do not fit");
}
END_TEST

START_TEST(a_bzimage_whose_kernel_is_larger_than_memory_is_not_unpacked)
{
	struct image kernel = make_elf(true),
		     large = { .data = test_alloc(5 << 20), .bytes = 5 << 20 }, bz;

	memcpy(large.data, kernel.data, kernel.bytes);
	bz = make_bzimage(&large, XZ);
	d.kernel = folder_write("vmlinuz", &bz);
	d.memory_bytes = 4 * MIB;
	expect_refused(-E2BIG, "the kernel inside has 5120 KiB, the guest's memory 4096 KiB");
}
END_TEST

START_TEST(a_bzimage_without_a_PVH_entry_is_refused)
{
	struct image kernel = make_elf(true), bz;

	image_put_note(&kernel, 17, 8, 0);
	bz = make_bzimage(&kernel, LZ4);
	d.kernel = folder_write("vmlinuz", &bz);
	expect_refused(-EINVAL, "vmlinuz: this kernel has no PVH entry");
}
END_TEST

START_TEST(a_target_that_fails_ends_the_build_there)
{
	unsigned nr_calls;

	d.initrd[0] = file_of("initrd", 1 << 20, 'i');
	d.nr_initrds = 1;
	build();
	nr_calls = guest.nr_calls;
	for (unsigned n = 1; n <= nr_calls; n++) {
		char text[32];

		guest_memory_fini(&guest);
		guest_memory_init(&guest);
		guest.fail_at = n;
		ck_assert_int_eq(build_plan_execute(plan, &guest.target, &err), -EIO);
		ck_assert_uint_eq(guest.nr_calls, n);
		snprintf(text, sizeof(text), "call %u", n);
		ck_assert_str_eq(err.text, text);
	}
}
END_TEST

START_TEST(an_initrd_that_becomes_shorter_ends_the_build)
{
	d.initrd[0] = file_of("initrd", 1 << 20, 'i');
	d.nr_initrds = 1;
	ck_assert_int_eq(build_plan_create(&d, &plan, &err), 0);
	ck_assert_int_eq(truncate(d.initrd[0], 1000), 0);
	ck_assert_int_eq(build_plan_execute(plan, &guest.target, &err), -EIO);
	ck_assert(strstr(err.text, "initrd: became shorter while it was read"));
}
END_TEST

/* Holds the image in memory against the unpacked kernel's file, segment by segment. */
static void expect_kernel(const char *path)
{
	int fd = open(path, O_RDONLY);
	struct stat st;
	const uint8_t *file;
	const Elf64_Ehdr *h;

	ck_assert_int_eq(fstat(fd, &st), 0);
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	ck_assert(file != MAP_FAILED);
	h = (const Elf64_Ehdr *)file;
	for (unsigned i = 0; i < h->e_phnum; i++) {
		const Elf64_Phdr *p = (const Elf64_Phdr *)(file + h->e_phoff) + i;

		if (p->p_type == PT_LOAD)
			ck_assert_int_eq(memcmp(guest_bytes(&guest, p->p_paddr, p->p_memsz),
						file + p->p_offset, p->p_filesz),
					 0);
	}
	close(fd);
}

START_TEST(the_kernel_of_the_service_VM_is_built_from_its_package)
{
	d.kernel = LODGE_KERNEL_FOLDER "/vmlinuz";
	d.memory_bytes = 256 * MIB;
	d.nr_vcpus = 4;
	d.cache = (struct kernel_cache){ folder_path("cache"), GIB };
	if (access(d.kernel, R_OK) || access(LODGE_KERNEL_FOLDER "/vmlinux", R_OK))
		return; /* the image is not part of this build */
	build();
	ck_assert_str_eq(plan->cache_problem.text, "");
	expect_kernel(LODGE_KERNEL_FOLDER "/vmlinux");
	ck_assert_uint_eq(view.nr_map, 5);
}
END_TEST

UNIT_MAIN("build-plan", setup, teardown, segments_lie_where_they_say_and_the_rest_is_zero,
	  the_entry_is_flat_protected_mode_in_both_classes,
	  start_info_lies_right_behind_the_kernel_with_the_command_line,
	  no_command_line_is_an_empty_one, several_initrds_become_one_module_each_aligned_to_4,
	  an_initrd_with_holes_is_copied_without_them,
	  an_initrd_without_room_above_the_kernel_lies_below_it,
	  below_the_kernel_start_info_and_initrd_lie_apart, a_small_guest_has_all_its_memory_low,
	  memory_that_is_no_multiple_of_2_MiB_ends_with_small_pages,
	  memory_up_to_the_hole_stays_low, more_memory_goes_on_above_4_GiB,
	  store_and_console_pages_are_there_zero_and_reserved,
	  the_MADT_has_a_local_APIC_for_each_vCPU, the_FADT_is_hardware_reduced_and_leads_to_a_DSDT,
	  the_tables_are_disassembled_without_complaint, bad_descriptions_are_refused_with_numbers,
	  missing_files_are_refused_by_name,
	  a_kernel_that_needs_more_memory_is_refused_with_both_sizes,
	  a_kernel_in_the_hole_below_1_MiB_is_refused,
	  an_initrd_that_does_not_fit_is_refused_with_both_sizes,
	  a_bzimage_whose_kernel_is_larger_than_memory_is_not_unpacked,
	  a_bzimage_without_a_PVH_entry_is_refused, a_target_that_fails_ends_the_build_there,
	  an_initrd_that_becomes_shorter_ends_the_build,
	  the_kernel_of_the_service_VM_is_built_from_its_package)

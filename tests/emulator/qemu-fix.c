/*
 * Preloaded into QEMU by tests/machine: takes a race out of its emulated CPUs.
 *
 * QEMU (7.2) calls cpu_clear_ignne() whenever a CPU loads the x87 unit's state. It clears a flag of the
 * *first* CPU, from whatever thread, by an instruction that is not atomic. The flags of SVM are in the same
 * word, so a change of them by the first CPU at that moment is lost: it enters a guest without nested
 * paging, or leaves one with it (docs/testing.md, "The emulator").
 *
 * The function becomes a plain return. The flag (IGNNE#, for MS-DOS) is only ever set by a write to port
 * 0xf0, which no test does. Where QEMU does not export the function, this says so and changes nothing.
 */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define RET 0xc3u

__attribute__((constructor)) static void take_out_race(void)
{
	uint8_t *code = dlsym(RTLD_DEFAULT, "cpu_clear_ignne");
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *page = code ? code - (uintptr_t)code % size : NULL;

	if (!page || mprotect(page, size, PROT_READ | PROT_WRITE | PROT_EXEC)) {
		fputs("qemu-fix: this QEMU cannot be corrected; see tests/emulator/qemu-fix.c\n",
		      stderr);
		return;
	}
	*code = RET;
	mprotect(page, size, PROT_READ | PROT_EXEC);
}

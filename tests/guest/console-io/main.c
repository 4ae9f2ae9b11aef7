/* console_io: the initial domain's way to the machine's console. */
#include "guest/guest.h"

const char test_title[] = "console_io writes, reads and refuses";

void test_main(void)
{
	char *last = (char *)TEST_VA + PAGE_SIZE - 8;
	char buffer[16];
	uint32_t port;

	check(console_io(CONSOLEIO_write, 0, "x") >= 0, "nothing can be written");
	check(console_io(CONSOLEIO_write, 29, "  note  written by the guest.\n") >= 0,
	      "a line can be written");
	check_err(console_io(CONSOLEIO_write, 5, (char *)TEST_VA), -XEN_EFAULT,
		  "unmapped text gives -EFAULT");
	map_page(TEST_VA, (uintptr_t)page_alloc() | PTE_P | PTE_W);
	memcpy(last, "  note  ", 8);
	check(console_io(CONSOLEIO_write, 8, last) >= 0, "text may end at the end of memory");
	printf("\n");
	check_err(console_io(CONSOLEIO_write, 16, last), -XEN_EFAULT,
		  "text that goes on in an unmapped page gives -EFAULT");
	check_err(console_io(CONSOLEIO_write, ~0u, last), -XEN_EFAULT,
		  "4 GiB of text give -EFAULT");
	check_err(console_io(CONSOLEIO_read, sizeof(buffer), buffer), 0,
		  "nothing was typed: 0 bytes are read");
	check_err(console_io(99, 1, buffer), -XEN_ENOSYS, "an unknown command gives -ENOSYS");
	event_init(EVENT_PER_VCPU_VECTOR);
	port = event_bind_virq(VIRQ_CONSOLE, 0);
	check(port != 0, "VIRQ_CONSOLE can be bound");
}

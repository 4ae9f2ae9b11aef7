/*
 * A guest that does what its command line says, for tests of the toolstack:
 *   then=poweroff|reboot|crash|fault|suspend right after its first line; without it, it waits to be asked to
 *                                       shut down by xenstore
 *   deaf                                it does not do what it is asked
 */
#include "front/front.h"

static void shut_down(unsigned int reason)
{
	struct sched_shutdown op = { .reason = reason };

	printf("life: ends\n");
	sched_op(SCHEDOP_shutdown, &op);
}

static bool is_told(const char *word)
{
	return strstr(command_line(), word) != NULL;
}

static void obey(void)
{
	char request[16];

	if (store_read(STORE_NO_TX, "control/shutdown", request, sizeof(request)) <= 0)
		return;
	printf("life: asked to %s\n", request);
	if (is_told("deaf"))
		return;
	store_write(STORE_NO_TX, "control/shutdown", "%s", "");
	shut_down(strcmp(request, "reboot") ? SHUTDOWN_poweroff : SHUTDOWN_reboot);
}

static void live(void)
{
	struct store_event event;

	store_watch("control/shutdown", "shutdown");
	for (;;) {
		HALT_UNTIL(store_has_event(), FOREVER);
		while (store_next_event(&event))
			obey();
	}
}

void guest_main(void)
{
	static const struct {
		uint16_t limit;
		uint64_t base;
	} __attribute__((__packed__)) no_table;

	front_init();
	printf("life: begins\n");
	if (is_told("then=poweroff"))
		shut_down(SHUTDOWN_poweroff);
	if (is_told("then=reboot"))
		shut_down(SHUTDOWN_reboot);
	if (is_told("then=suspend"))
		shut_down(SHUTDOWN_suspend);
	if (is_told("then=crash"))
		shut_down(SHUTDOWN_crash);
	if (is_told("then=fault")) /* that cannot be delivered, nor the one after it */
		__asm__ volatile("lidt %0\n\tud2" : : "m"(no_table));
	live();
}

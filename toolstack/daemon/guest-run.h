/* What can be done to a guest that runs; else each fails with -ESTALE. The description of what runs and the record
 * follow, so that the guest stays so when it restarts; the definition does not. */
#ifndef LODGE_DAEMON_GUEST_RUN_H
#define LODGE_DAEMON_GUEST_RUN_H

#include "lib/cpu-set.h"
#include "lib/err.h"

struct guest;

must_check int guest_check_running(const struct guest *g, struct err *err);

must_check int guest_pause(struct guest *g, struct err *err);
must_check int guest_resume(struct guest *g, struct err *err);
/* Asks it, by its node control/shutdown; mode "poweroff" or "reboot". */
must_check int guest_ask(struct guest *g, const char *mode, struct err *err);
must_check int guest_sysrq(struct guest *g, char key, struct err *err);

/* To its balloon and to the hypervisor. */
must_check int guest_set_memory(struct guest *g, uint64_t kib, struct err *err);
must_check int guest_set_vcpus(struct guest *g, uint32_t count, struct err *err);
/* vcpu: or LODGE_VCPU_ALL. */
must_check int guest_pin(struct guest *g, uint32_t vcpu, const struct cpu_set *cpus,
			 struct err *err);
/* weight 1 to 65535; cap in hundredths of a CPU, 0: none. */
must_check int guest_set_scheduling(struct guest *g, uint32_t weight, uint32_t cap,
				    struct err *err);

#endif

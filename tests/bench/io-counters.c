/*
 * io-counters: what Lodge counts of all domains, one figure a line: COUNT domain exits|hypercalls|running_ns number.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hypervisor.h"
#include "lib/cleanup.h"

#define MAX_VCPUS 64

static int tell(struct hypervisor *hv, uint32_t domain,
		const struct lodge_exit_name names[LODGE_EXIT_KINDS])
{
	struct lodge_vcpu_info vcpus[MAX_VCPUS];
	uint64_t exits = 0, hypercalls = 0, running_ns = 0;
	size_t nr;
	int err = hypervisor_vcpus(hv, domain, vcpus, MAX_VCPUS, &nr);

	for (size_t i = 0; i < nr && !err; i++) {
		running_ns += vcpus[i].running_ns;
		for (size_t kind = 0; kind < LODGE_EXIT_KINDS; kind++) {
			exits += vcpus[i].exits[kind];
			if (!strncmp(names[kind].name, "hypercall", sizeof(names[kind].name)))
				hypercalls += vcpus[i].exits[kind];
		}
	}
	if (!err)
		printf("COUNT %" PRIu32 " exits %" PRIu64 "\nCOUNT %" PRIu32 " hypercalls %" PRIu64
		       "\nCOUNT %" PRIu32 " running_ns %" PRIu64 "\n",
		       domain, exits, domain, hypercalls, domain, running_ns);
	return err;
}

int main(void)
{
	struct hypervisor *hv = hypervisor_open_xen(NULL);
	struct lodge_exit_name names[LODGE_EXIT_KINDS];
	struct lodge_domain_info *domains cleanup_free = NULL;
	uint64_t change;
	size_t nr = 0;
	int err = hv ? hypervisor_exit_names(hv, names) : -1;

	if (!err)
		err = hypervisor_list(hv, 0, &domains, &nr, &change);
	for (size_t i = 0; i < nr && !err; i++)
		err = tell(hv, domains[i].domain, names);
	if (err)
		fprintf(stderr, "io-counters: error %d\n", err);
	hypervisor_close(hv);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

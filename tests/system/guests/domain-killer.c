/* domain-killer MICROSECONDS: waits for a domain beside the service VM and destroys it, so long after it has come. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "daemon/hypervisor.h"

#define PATIENCE 200000u /* looks */

/* The first that there is; 0: none. */
static uint32_t find(struct hypervisor *hv)
{
	struct lodge_domain_info *infos;
	uint64_t change;
	uint32_t found = 0;
	size_t nr;

	if (hypervisor_list(hv, 0, &infos, &nr, &change))
		return 0;
	for (size_t i = 0; i < nr; i++) {
		if (infos[i].domain && !(infos[i].flags & (LODGE_DOMAIN_DYING | LODGE_DOMAIN_GONE)))
			found = infos[i].domain;
	}
	free(infos);
	return found;
}

int main(int argc, char **argv)
{
	struct hypervisor *hv = argc == 2 ? hypervisor_open_xen(NULL) : NULL;
	uint32_t domain = 0;
	int ret;

	if (!hv)
		return 2;
	for (unsigned int i = 0; !domain && i < PATIENCE; i++)
		domain = find(hv);
	usleep((useconds_t)strtoul(argv[1], NULL, 10));
	ret = domain ? hypervisor_destroy(hv, domain) : -ESRCH;
	hypervisor_close(hv);
	return ret && ret != -ESRCH ? EXIT_FAILURE : EXIT_SUCCESS;
}

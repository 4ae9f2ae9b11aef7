/* multicall: several hypercalls in one. */
#include "guest/guest.h"

const char test_title[] = "multicall runs each of its calls, in order";

static int64_t multicall(struct multicall_entry *entries, uint32_t count)
{
	return hypercall2(__HYPERVISOR_multicall, (uintptr_t)entries, count);
}

static void check_results(void)
{
	static struct xen_feature_info info;
	struct multicall_entry calls[] = {
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_version, 0 } },
		{ .op = 63 },
		{ .op = __HYPERVISOR_xen_version,
		  .args = { XENVER_get_features, (uintptr_t)&info } },
		{ .op = __HYPERVISOR_xen_version, .args = { XENVER_get_features, TEST_VA } },
		{ .op = __HYPERVISOR_sched_op, .args = { SCHEDOP_yield, 0 } },
		{ .op = ~0UL },
	};

	check_err(multicall(calls, ARRAY_SIZE(calls)), 0, "6 calls in one succeed as a whole");
	check_eq(calls[0].result, 4 << 16 | 17, "the first has its result");
	check_err((int64_t)calls[1].result, -XEN_ENOSYS, "an unknown number fails alone");
	check_err((int64_t)calls[2].result, 0, "the next is run all the same");
	check(info.submap != 0, "and its argument is written");
	check_err((int64_t)calls[3].result, -XEN_EFAULT, "a bad pointer fails alone");
	check_err((int64_t)calls[4].result, 0, "so is the one after");
	check_err((int64_t)calls[5].result, -XEN_ENOSYS, "number -1 gives -ENOSYS");
}

static void check_many(void)
{
	static struct multicall_entry calls[500];
	unsigned int right = 0;

	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version,
						     .args = { XENVER_pagesize } };
	check_err(multicall(calls, ARRAY_SIZE(calls)), 0, "500 calls in one succeed");
	for (unsigned int i = 0; i < ARRAY_SIZE(calls); i++)
		right += calls[i].result == PAGE_SIZE;
	check_eq(right, ARRAY_SIZE(calls), "every one has run");
}

static void check_hostile(void)
{
	struct multicall_entry *last = (void *)(TEST_VA + PAGE_SIZE - sizeof(*last));
	struct multicall_entry nested = { .op = __HYPERVISOR_multicall, .args = { 0, 0 } };

	nested.args[0] = (uintptr_t)&nested;
	nested.args[1] = 1;
	check_err(multicall((void *)TEST_VA, 1), -XEN_EFAULT, "an unmapped list gives -EFAULT");
	check_err(multicall((void *)TEST_VA, 0), 0, "an empty list is not looked at");
	map_page(TEST_VA, (uintptr_t)page_alloc() | PTE_P | PTE_W);
	*last = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
	check_err(multicall(last, 2), -XEN_EFAULT,
		  "a list that ends in an unmapped page gives -EFAULT");
	check_eq(last->result, 4 << 16 | 17, "what comes before was run");
	check_err(multicall(last, ~0u), -XEN_EFAULT, "2^32 - 1 calls give -EFAULT");
	map_page(TEST_VA, (uintptr_t)page_alloc() | PTE_P);
	check_err(multicall((void *)TEST_VA, 1), -XEN_EFAULT, "a read-only list gives -EFAULT");
	check(multicall(&nested, 1) < 0 || (int64_t)nested.result < 0,
	      "a multicall within a multicall is refused");
}

void test_main(void)
{
	check_results();
	check_many();
	check_hostile();
}

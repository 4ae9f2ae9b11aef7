/* The control ring: a frontend says how packets are to be spread over its queues. */
#include <errno.h>
#include <string.h>

#include "net.h"

#define CTRL_BATCH 32u

/* Copies length bytes of the guest's page. False: it is not there. */
static bool fetch_page(struct net *n, grant_ref_t ref, void *ret_data, size_t length)
{
	const struct platform_copy c = {
		.local = ret_data,
		.ref = ref,
		.length = (uint16_t)length,
	};

	return !platform_copy(n->platform, &c, 1);
}

static uint32_t set_key(struct net *n, const uint32_t *data)
{
	uint8_t key[HASH_KEY_MAX] = { 0 };

	if (data[1] > sizeof(key))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (data[1] && !fetch_page(n, data[0], key, data[1]))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	memcpy(n->hash.key, key, sizeof(key));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping_size(struct net *n, uint32_t size)
{
	if (size > HASH_MAPPING_MAX)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	n->hash.nr_mapping = size;
	memset(n->hash.mapping, 0, sizeof(n->hash.mapping));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_mapping(struct net *n, const uint32_t *data)
{
	uint32_t mapping[HASH_MAPPING_MAX], nr = data[1], first = data[2];

	if (first > n->hash.nr_mapping || nr > n->hash.nr_mapping - first)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	if (nr && !fetch_page(n, data[0], mapping, nr * sizeof(mapping[0])))
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	for (uint32_t i = 0; i < nr; i++) {
		if (mapping[i] >= n->nr_queues)
			return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	}
	memcpy(&n->hash.mapping[first], mapping, nr * sizeof(mapping[0]));
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_algorithm(struct net *n, uint32_t algorithm)
{
	if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
	    algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	n->hash.algorithm = algorithm;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t set_types(struct net *n, uint32_t types)
{
	if (types & ~HASH_TYPES || n->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
		return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
	n->hash.types = types;
	return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static uint32_t apply(struct net *n, const struct xen_netif_ctrl_request *request,
		      uint32_t *ret_data)
{
	switch (request->type) {
	case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
		if (n->hash.algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE)
			return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
		*ret_data = HASH_TYPES;
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
		return set_types(n, request->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
		return set_key(n, request->data);
	case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
		*ret_data = HASH_MAPPING_MAX;
		return XEN_NETIF_CTRL_STATUS_SUCCESS;
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
		return set_mapping_size(n, request->data[0]);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
		return set_mapping(n, request->data);
	case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
		return set_algorithm(n, request->data[0]);
	default:
		return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
	}
}

int net_set_control(struct net *n, void *page, uint32_t port)
{
	ring_back_attach(&n->ctrl, page, NET_PAGE, sizeof(struct xen_netif_ctrl_request));
	if (ring_back_look(&n->ctrl) == RING_BROKEN)
		return net_broken(n, "the control ring is not as a frontend makes it");
	n->ctrl_port = port;
	n->ctrl_is_due = true;
	return 0;
}

int ctrl_serve(struct net *n)
{
	struct xen_netif_ctrl_request request;
	enum ring_status status = RING_TAKEN;

	for (unsigned int i = 0; i < CTRL_BATCH; i++) {
		struct xen_netif_ctrl_response response = { 0 };

		status = ring_back_take(&n->ctrl, &request, sizeof(request));
		if (status != RING_TAKEN)
			break;
		response.id = request.id;
		response.type = request.type;
		response.status = apply(n, &request, &response.data);
		ring_back_put(&n->ctrl, &response, sizeof(response));
	}
	if (ring_back_push(&n->ctrl))
		platform_notify(n->platform, n->ctrl_port);
	if (status == RING_EMPTY)
		status = ring_back_rearm(&n->ctrl);
	if (status == RING_BROKEN)
		return net_broken(n, "the control requests are more than their ring holds");
	n->ctrl_is_due = status == RING_TAKEN;
	return n->ctrl_is_due;
}

/*
 * Rings of requests and responses in pages that a frontend shares with its backend. The structure
 * here is what each of them begins with; entries of a size of the protocol's own follow at once,
 * as many as fit, rounded down to a power of two.
 *
 * All four indices run freely and are masked by the number of entries. The frontend writes req_prod
 * and rsp_event, the backend rsp_prod and req_event. An event is what a side asks for: it wants to
 * be notified once the other's producer index goes past the value before.
 */
#ifndef LODGE_ABI_RING_H
#define LODGE_ABI_RING_H

#include "layout.h"

typedef uint32_t RING_IDX;

struct ring_header {
	RING_IDX req_prod;
	RING_IDX req_event;
	RING_IDX rsp_prod;
	RING_IDX rsp_event;
	uint8_t pad[48];
};

ABI_SIZE(struct ring_header, 64);
ABI_OFFSET(struct ring_header, req_prod, 0);
ABI_OFFSET(struct ring_header, req_event, 4);
ABI_OFFSET(struct ring_header, rsp_prod, 8);
ABI_OFFSET(struct ring_header, rsp_event, 12);
ABI_OFFSET(struct ring_header, pad, 16);

#endif /* LODGE_ABI_RING_H */

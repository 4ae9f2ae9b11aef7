/*
 * A network card: the frontend of netif. One vCPU uses a queue at a time.
 *
 * Frames are copied into and out of pages that stay granted, so nothing is granted or taken back per packet.
 * Unless options ask for more, a frame comes and goes in one piece with its checksums done. Who wants other
 * requests than net_send() makes puts them on the ring (struct netif_tx_request, extra slots) and pushes.
 */
#ifndef FRONT_NET_H
#define FRONT_NET_H

#include "abi/netif.h"
#include "front/xenbus.h"
#include "ring/ring.h"

#define NET_MAX_QUEUES  4
#define NET_RING_SIZE   256
#define NET_RX_BUFFERS  64
#define NET_FRAME_MAX   65535
#define NET_HEADER_SIZE 14
#define NET_IN_USE      0xffff

struct net_options {
	unsigned int nr_queues; /* at most so many; 0 is 1 */
	bool use_one_channel;   /* one event channel for both rings of a queue */
	bool take_blank_sums;   /* frames may come without their checksum */
	bool take_segments;     /* frames longer than the MTU may come, of TCP on IPv4 */
	bool choose_groups;     /* of multicast frames, only those come that net_join() asks for */
};

union net_tx_entry {
	struct netif_tx_request request;
	struct netif_tx_response response;
	struct netif_extra_info extra;
};

union net_rx_entry {
	struct netif_rx_request request;
	struct netif_rx_response response;
	struct netif_extra_info extra;
};

struct net_buffer {
	void *page; /* NULL: not needed so far */
	uint32_t grant;
	uint16_t next_free; /* tx; NET_IN_USE while an answer is to come */
};

struct net_queue {
	struct net *net;
	struct ring_front tx, rx;
	uint32_t tx_port, rx_port; /* the same with use_one_channel */
	uint32_t tx_grant, rx_grant;
	struct net_buffer tx_buffer[NET_RING_SIZE]; /* the index is a request's id */
	struct net_buffer rx_buffer[NET_RING_SIZE]; /* the index is a request's place and id */
	uint16_t tx_free;                           /* NET_RING_SIZE: none */
	uint64_t nr_sent, nr_refused;               /* by the answers */
	bool is_broken; /* the backend's index or answer is impossible */
};

struct net {
	struct xenbus_device bus;
	struct net_options options; /* as agreed on */
	uint8_t mac[6];
	bool can_scatter; /* the backend takes frames of several parts */
	struct net_queue queue[NET_MAX_QUEUES];
	unsigned int nr_queues;
	unsigned int nr_kept_grants; /* that the backend did not let go of in time */
};

/* The card with that place in the order of xenstore; options may be NULL. 0 or a negative error. */
int net_open(struct net *n, unsigned int index, const struct net_options *options);
/* Closes both ends. False: the backend did not follow. */
bool net_close(struct net *n);

/* Without waiting. False: no room, or too long for this backend. */
bool net_send(struct net_queue *q, const void *frame, size_t size);

/* Asks for a group's frames, by its MAC address. False: no room. */
bool net_join(struct net_queue *q, const uint8_t group[6]);

/* The next frame's length, cut to size, and its NETRXF_* flags where they are asked for. 0: there is none.
 * Also takes the answers to what was sent. */
size_t net_receive(struct net_queue *q, void *ret_frame, size_t size, uint16_t *ret_flags);

/* Takes the answers to what was sent. */
void net_poll(struct net_queue *q);

/* Sleeps until a frame, or an answer, is there for any queue. */
bool net_wait(struct net *n, uint64_t timeout_ns);

#endif

/* One network interface of a guest: the rings of its queues on one side, a tap device with as many queues on
 * the other. What a frontend may get wrong ends here: plain bad packets are answered with an error, and
 * what only a broken frontend does (-EPROTO, with a reason in why) ends the connection.
 *
 * One thread serves all queues in turn, a bounded batch of each at a time. */
#ifndef LODGE_NET_NET_H
#define LODGE_NET_NET_H

#include <linux/virtio_net.h>

#include "abi/netif.h"
#include "back/lib/platform.h"
#include "filter.h"
#include "hash.h"
#include "rate.h"
#include "ring/ring.h"
#include "snoop.h"

#define NET_PAGE        4096u
#define NET_QUEUES_MAX  16u
#define NET_NEVER       UINT64_MAX
#define TX_BATCH        128u /* pages of packets */
#define TX_PARTS_MAX    (TX_BATCH + NET_PAGE / sizeof(struct netif_tx_request))
#define RX_BATCH        32u /* packets */
#define RX_PAGES        17u /* of a packet: 64 KiB and the Ethernet header */
#define RX_SEGMENTS_MAX (RX_BATCH * RX_PAGES)
#define RX_EXTRAS_MAX   2u /* segmentation, hash */

struct net;

/* One slot of the tx ring that was taken: a request, or extra information. */
struct tx_part {
	grant_ref_t gref;
	uint16_t offset;
	uint16_t size;
	uint16_t id;
	bool is_extra;
};

struct tx_packet {
	uint16_t first_part, nr_parts;
	uint16_t first_segment, nr_segments;
	uint16_t size;
	uint16_t flags; /* NETTXF_* */
	uint16_t gso_size;
	uint8_t gso_type;
	int16_t status; /* of all its responses but the extra ones */
	bool is_for_us; /* tells of multicast groups, and goes nowhere */
};

/* What is being sent: requests of one queue, copied by one call. */
struct tx_batch {
	uint8_t *pages; /* a page for each segment */
	unsigned int nr_parts, nr_packets, nr_segments;
	struct tx_part parts[TX_PARTS_MAX];
	struct tx_packet packets[TX_BATCH];
	struct platform_copy segments[TX_BATCH];
};

struct rx_packet {
	uint8_t *data; /* RX_PAGES pages */
	uint32_t length;
	uint16_t nr_slots; /* pages and extra information */
	uint16_t first_segment;
	uint16_t flags; /* NETRXF_* */
	struct queue *to;
	bool has_failed; /* not all could be copied */
	unsigned int nr_extras;
	struct netif_extra_info extras[RX_EXTRAS_MAX];
};

/* What is being received: packets of any queue, copied by one call. */
struct rx_batch {
	unsigned int nr_packets, nr_segments, nr_ids;
	struct rx_packet packets[RX_BATCH];
	uint16_t ids[RX_BATCH * (RX_PAGES + RX_EXTRAS_MAX)];
	struct platform_copy segments[RX_SEGMENTS_MAX];
};

struct queue {
	struct net *net;
	unsigned int index;
	struct ring_back tx, rx;
	uint32_t tx_port, rx_port; /* the same without split event channels */
	bool tx_is_due;            /* there may be something to take */
	bool rx_is_due;            /* the guest has notified: its index wants a look */
	bool owes_tx_event;        /* answers are published, and the guest wants to know */
	uint32_t nr_tx_lost;       /* slots that a process took which is no more */
	int tap_fd;
	bool tap_is_ready;      /* a read may give something */
	struct rx_packet held;  /* read, but without room in the ring; data NULL: none */
	uint64_t held_since_ns; /* 0: there was room */
	bool is_stalled;        /* the guest has posted nothing for long */
};

struct net_counters {
	uint64_t tx_packets, tx_bytes, tx_errors, tx_dropped, tx_spoofed;
	uint64_t rx_packets, rx_bytes, rx_errors, rx_dropped;
};

/* What the frontend takes. */
struct net_features {
	bool sg, gso_v4, gso_v6, csum_v4, csum_v6, rx_notify;
};

struct net {
	struct platform *platform;
	uint16_t domid;
	struct net_features features;
	struct filter filter;
	struct snoop snoop;
	struct hash hash;
	struct rate to_guest, from_guest;
	bool is_link_down;
	unsigned int nr_stalled;
	struct queue queues[NET_QUEUES_MAX];
	unsigned int nr_queues; /* connected */
	struct tx_batch tx;
	struct rx_batch rx;
	uint8_t *rx_spare[RX_BATCH + NET_QUEUES_MAX]; /* buffers of received packets */
	unsigned int nr_rx_spare;
	unsigned int rx_turn; /* which queue comes first */
	void *memory;         /* what the buffers are parts of */
	bool wants_plain_tap; /* the tap device is to leave nothing to the guest: see rx.c */
	struct ring_back ctrl;
	uint32_t ctrl_port; /* 0: there is no control ring */
	bool ctrl_is_due;
	struct net_counters counters;
	char why[160]; /* why -EPROTO */
};

/* -ENOMEM. */
must_check int net_init(struct net *n, struct platform *platform, uint16_t domid);
void net_fini(struct net *n);

/* The pages of one queue's rings, and where it goes. */
struct queue_ends {
	void *tx_page, *rx_page;
	uint32_t tx_port, rx_port;
	int tap_fd;
	bool is_inherited; /* an earlier process has served the rings: it may have left things half done */
};

/* The queue is the next one. -EPROTO: the rings are impossible. */
must_check int net_add_queue(struct net *n, const struct queue_ends *ends);
void net_remove_queues(struct net *n);

/* Serves what is due, a batch of each queue. When it returns 0, nothing is to be done before *ret_wake_ns
 * (NET_NEVER: at all) unless an event comes; 1: call again. */
must_check int net_serve(struct net *n, uint64_t now_ns, uint64_t *ret_wake_ns);

/* Something has happened at this port or tap device. */
void net_port_event(struct net *n, uint32_t port);

/* One queue's directions; for net_serve(). As it, but the time comes as *wake_ns only when it is earlier. */
must_check int tx_serve(struct queue *q, uint64_t now_ns, uint64_t *wake_ns);
must_check int rx_serve(struct net *n, uint64_t now_ns, uint64_t *wake_ns);

/* Of a ring that was inherited: answers what the earlier process had begun to answer. */
must_check int rx_recover(struct queue *q);

/* The control ring; NULL: the frontend has none. */
must_check int net_set_control(struct net *n, void *page, uint32_t port);
must_check int ctrl_serve(struct net *n);

/* -EPROTO, with the reason. */
int net_broken(struct net *n, const char *format, ...)
	__attribute__((__format__(__printf__, 2, 3)));

#endif

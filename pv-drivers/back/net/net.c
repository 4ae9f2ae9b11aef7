#include "net.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

int net_broken(struct net *n, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	/* The analyzer takes va_start() for nothing here. NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized) */
	vsnprintf(n->why, sizeof(n->why), format, args);
	va_end(args);
	return -EPROTO;
}

int net_init(struct net *n, struct platform *platform, uint16_t domid)
{
	size_t tx = (size_t)TX_BATCH * NET_PAGE, one = (size_t)RX_PAGES * NET_PAGE;
	uint8_t *memory = mmap(NULL, tx + ARRAY_SIZE(n->rx_spare) * one, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -ENOMEM;
	memset(n, 0, sizeof(*n));
	n->platform = platform;
	n->domid = domid;
	n->snoop.mac = n->filter.mac;
	n->memory = memory;
	n->tx.pages = memory;
	for (size_t i = 0; i < ARRAY_SIZE(n->rx_spare); i++)
		n->rx_spare[n->nr_rx_spare++] = memory + tx + i * one;
	return 0;
}

void net_fini(struct net *n)
{
	munmap(n->memory,
	       (size_t)TX_BATCH * NET_PAGE + ARRAY_SIZE(n->rx_spare) * (size_t)RX_PAGES * NET_PAGE);
}

int net_add_queue(struct net *n, const struct queue_ends *ends)
{
	struct queue *q = &n->queues[n->nr_queues];

	*q = (struct queue){
		.net = n,
		.index = n->nr_queues,
		.tx_port = ends->tx_port,
		.rx_port = ends->rx_port,
		.tap_fd = ends->tap_fd,
		.tap_is_ready = true,
		.tx_is_due = true,
	};
	ring_back_attach(&q->tx, ends->tx_page, NET_PAGE, sizeof(struct netif_tx_request));
	ring_back_attach(&q->rx, ends->rx_page, NET_PAGE, sizeof(struct netif_rx_request));
	if (ring_back_look(&q->tx) == RING_BROKEN || ring_back_look(&q->rx) == RING_BROKEN)
		return net_broken(n, "the rings of queue %u are not as a frontend makes them",
				  q->index);
	n->nr_queues++;
	if (!ends->is_inherited)
		return 0;
	q->nr_tx_lost = ring_back_waiting(&q->tx);
	return rx_recover(q);
}

void net_remove_queues(struct net *n)
{
	for (unsigned int i = 0; i < n->nr_queues; i++) {
		struct queue *q = &n->queues[i];

		if (q->held.data)
			n->rx_spare[n->nr_rx_spare++] = q->held.data;
		q->held.data = NULL;
	}
	for (unsigned int i = 0; i < n->rx.nr_packets; i++) /* of a batch that went wrong */
		n->rx_spare[n->nr_rx_spare++] = n->rx.packets[i].data;
	n->rx.nr_packets = 0;
	n->nr_queues = 0;
	n->nr_stalled = 0;
	n->ctrl_port = 0;
	n->ctrl_is_due = false;
	memset(&n->hash, 0, sizeof(n->hash));
}

void net_port_event(struct net *n, uint32_t port)
{
	for (unsigned int i = 0; i < n->nr_queues; i++) {
		n->queues[i].tx_is_due |= n->queues[i].tx_port == port;
		n->queues[i].rx_is_due |= n->queues[i].rx_port == port;
	}
	n->ctrl_is_due |= n->ctrl_port == port;
}

/* That packets were taken is told one round late: by then there often is an answer to them, and the guest wakes
 * once for both. There is a next round whenever a packet was taken. */
static void tell_taken(struct net *n)
{
	for (unsigned int i = 0; i < n->nr_queues; i++) {
		struct queue *q = &n->queues[i];

		if (q->owes_tx_event)
			platform_notify(n->platform, q->tx_port);
		q->owes_tx_event = false;
	}
}

int net_serve(struct net *n, uint64_t now_ns, uint64_t *ret_wake_ns)
{
	uint64_t wake_ns = NET_NEVER;
	int again, err;

	again = n->ctrl_is_due ? ctrl_serve(n) : 0;
	if (again >= 0) {
		err = rx_serve(n, now_ns, &wake_ns);
		again = err < 0 ? err : again | err;
		tell_taken(n);
	}
	for (unsigned int i = 0; i < n->nr_queues && again >= 0; i++) {
		err = tx_serve(&n->queues[i], now_ns, &wake_ns);
		again = err < 0 ? err : again | err;
	}
	*ret_wake_ns = wake_ns;
	return again;
}

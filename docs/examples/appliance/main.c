/*
 * An appliance: serves its disk over the network. A datagram to port 3260 with a sector's number, eight bytes in
 * network order, is answered by that sector; anything else by an empty one. ip= on the kernel's command line is
 * its address.
 */
#include "front/block.h"
#include "front/front.h"
#include "front/udp.h"

#define PORT 3260

static struct block disk;
static struct net card;
static struct udp_host host = { .net = &card };

static void serve(const struct udp_datagram *d, uint8_t *sector)
{
	uint64_t number = 0;
	size_t size = 0;

	for (size_t i = 0; i < d->size && i < 8; i++)
		number = number << 8 | d->data[i];
	if (d->size == 8 && number < disk.nr_sectors &&
	    !block_transfer(&disk, BLKIF_OP_READ, number, 1, sector))
		size = SECTOR_SIZE;
	udp_send(&host, &d->from, PORT, sector, size);
}

void guest_main(void)
{
	const char *address = strstr(command_line(), "ip=");
	struct udp_datagram request;
	uint8_t *sector;

	front_init();
	if (!address || !udp_parse_address(address + 3, &host.address)) {
		printf("appliance: ip=ADDRESS is missing\n");
		return;
	}
	if (block_open(&disk, 0, NULL) || net_open(&card, 0, NULL)) {
		printf("appliance: no disk, or no network card\n");
		return;
	}
	printf("appliance: %lu sectors on port %u\n", disk.nr_sectors, PORT);
	sector = page_alloc();
	for (;;) {
		if (udp_receive(&host, &request, FOREVER) && request.to_port == PORT)
			serve(&request, sector);
	}
}

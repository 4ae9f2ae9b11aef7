/* See link.h. */
#include "daemon/link.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if_bridge.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/domain.h"
#include "lib/cleanup.h"

#define DEFAULT_VLAN 1u /* of every port of a bridge that filters */
#define SYS_NET      "/sys/class/net/"

static void name_request(struct ifreq *request, const char *name)
{
	memset(request, 0, sizeof(*request));
	snprintf(request->ifr_name, sizeof(request->ifr_name), "%s", name);
}

/* --- tap devices --- */

static int open_queue(const char *name, struct err *err)
{
	int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC), code;
	struct ifreq request;

	if (fd < 0)
		return err_errno(err, -errno, "/dev/net/tun");
	name_request(&request, name);
	request.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR | IFF_MULTI_QUEUE;
	if (!ioctl(fd, TUNSETIFF, &request))
		return fd;
	code = err_errno(err, -errno, "tap device %s", name);
	close(fd);
	return code;
}

int link_open_tap(const char *name, unsigned int nr_queues, int *ret_fds, struct err *err)
{
	for (unsigned int i = 0; i < nr_queues; i++) {
		ret_fds[i] = open_queue(name, err);
		if (ret_fds[i] >= 0)
			continue;
		for (unsigned int k = 0; k < i; k++)
			close(ret_fds[k]);
		return ret_fds[i];
	}
	return 0;
}

int link_park_queues(const int *fds, unsigned int nr, struct err *err)
{
	struct ifreq request = { .ifr_flags = IFF_DETACH_QUEUE };

	for (unsigned int i = 0; i < nr; i++) {
		if (ioctl(fds[i], TUNSETQUEUE, &request))
			return err_errno(err, -errno, "setting a queue of a tap device aside");
	}
	return 0;
}

/* --- what there is --- */

bool link_exists(const char *name)
{
	return if_nametoindex(name) != 0;
}

bool link_is_bridge(const char *name)
{
	char path[96];

	snprintf(path, sizeof(path), SYS_NET "%s/bridge", name);
	return !access(path, F_OK);
}

static uint32_t read_number(const char *name, const char *file)
{
	char path[96], line[32] = "";
	FILE *f cleanup_fclose = NULL;

	snprintf(path, sizeof(path), SYS_NET "%s/%s", name, file);
	f = fopen(path, "re");
	return f && fgets(line, sizeof(line), f) ? (uint32_t)strtoul(line, NULL, 10) : 0;
}

bool link_has_vlan_filter(const char *bridge)
{
	return read_number(bridge, "bridge/vlan_filtering");
}

uint32_t link_mtu(const char *name)
{
	return read_number(name, "mtu");
}

/* --- changing it --- */

static int call(const char *name, unsigned long what, struct ifreq *request, const char *doing,
		struct err *err)
{
	int fd cleanup_close = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, what, request))
		return err_errno(err, -errno, "%s: %s", name, doing);
	return 0;
}

int link_rename(const char *name, const char *to, struct err *err)
{
	struct ifreq request;

	name_request(&request, name);
	snprintf(request.ifr_newname, sizeof(request.ifr_newname), "%s", to);
	return call(name, SIOCSIFNAME, &request, "renaming it", err);
}

/* The service VM itself says nothing on a guest's device. May fail where there is no IPv6. */
static void silence(const char *name)
{
	char path[96];
	int fd cleanup_close = -1;

	snprintf(path, sizeof(path), "/proc/sys/net/ipv6/conf/%s/disable_ipv6", name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd >= 0)
		(void)!write(fd, "1", 1);
}

int link_configure(const char *name, uint32_t mtu, struct err *err)
{
	static const unsigned char high[] = { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff };
	struct ifreq request;
	int code;

	silence(name);
	name_request(&request, name);
	request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(request.ifr_hwaddr.sa_data, high, sizeof(high));
	code = call(name, SIOCSIFHWADDR, &request, "setting its hardware address", err);
	name_request(&request, name);
	request.ifr_mtu = (int)mtu;
	if (!code && mtu)
		code = call(name, SIOCSIFMTU, &request, "setting its MTU", err);
	name_request(&request, name);
	if (!code)
		code = call(name, SIOCGIFFLAGS, &request, "reading its flags", err);
	request.ifr_flags |= IFF_UP;
	if (!code)
		code = call(name, SIOCSIFFLAGS, &request, "bringing it up", err);
	return code;
}

static bool is_port_of(const char *bridge, const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), SYS_NET "%s/brif/%s", bridge, name);
	return !access(path, F_OK);
}

int link_join(const char *bridge, const char *name, struct err *err)
{
	struct ifreq request;

	if (is_port_of(bridge, name))
		return 0;
	name_request(&request, bridge);
	request.ifr_ifindex = (int)if_nametoindex(name);
	return call(bridge, SIOCBRADDIF, &request, "adding a port", err);
}

/* --- VLANs: netlink --- */

struct vlan_request {
	struct nlmsghdr header;
	struct ifinfomsg link;
	struct rtattr spec;
	struct rtattr info;
	struct bridge_vlan_info vlan;
};

static int receive_answer(int fd)
{
	union {
		char bytes[512];
		struct nlmsghdr header;
	} answer;
	const struct nlmsgerr *e = NLMSG_DATA(&answer.header);
	ssize_t got = recv(fd, &answer, sizeof(answer), 0);

	if (got < 0)
		return -errno;
	if ((size_t)got < NLMSG_LENGTH(sizeof(*e)) || answer.header.nlmsg_type != NLMSG_ERROR)
		return -EIO;
	return e->error;
}

static int change_vlan(int fd, uint16_t type, const char *name, uint16_t flags, uint32_t vlan)
{
	struct vlan_request r = {
		.header = { sizeof(r), type, NLM_F_REQUEST | NLM_F_ACK, 1, 0 },
		.link = { .ifi_family = AF_BRIDGE, .ifi_index = (int)if_nametoindex(name) },
		.spec = { sizeof(r.spec) + sizeof(r.info) + sizeof(r.vlan), IFLA_AF_SPEC },
		.info = { sizeof(r.info) + sizeof(r.vlan), IFLA_BRIDGE_VLAN_INFO },
		.vlan = { flags, (uint16_t)vlan },
	};

	if (send(fd, &r, sizeof(r), 0) != (ssize_t)sizeof(r))
		return -errno;
	return receive_answer(fd);
}

int link_set_vlans(const char *name, const struct vlan_tag *tags, size_t nr, bool is_trunk,
		   struct err *err)
{
	uint16_t flags = is_trunk ? 0 : BRIDGE_VLAN_INFO_PVID | BRIDGE_VLAN_INFO_UNTAGGED;
	int fd cleanup_close = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
	bool has_default = false;
	int code = 0;

	if (fd < 0)
		return err_errno(err, -errno, "netlink");
	for (size_t i = 0; i < nr && !code; i++) {
		code = change_vlan(fd, RTM_SETLINK, name, flags, tags[i].id);
		if (code)
			err_errno(err, code, "%s: VLAN %u", name, tags[i].id);
	}
	for (size_t i = 0; i < nr && !code; i++)
		has_default |= tags[i].id == DEFAULT_VLAN;
	if (!code && !has_default) /* a bridge may have been told to have no default */
		(void)!change_vlan(fd, RTM_DELLINK, name, 0, DEFAULT_VLAN);
	return code;
}

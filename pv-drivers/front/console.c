/* The console's ring. See console.h. Only one vCPU may use it. */
#include "front/console.h"

#include "guest/console.h"
#include "guest/event.h"
#include "guest/hypercall.h"
#include "ring/stream.h"

#define READER_TIMEOUT (5 * SEC)

struct xencons_interface *console_ring;
uint32_t console_port;

static struct stream in, out;
static bool reader_is_gone; /* it made no room in time: do not wait for it again */

uint64_t domain_param(uint32_t index)
{
	struct xen_hvm_param param = { .domid = DOMID_SELF, .index = index };

	return hvm_op(HVMOP_get_param, &param) ? 0 : param.value;
}

static bool wait_for_room(void)
{
	bool is_there = HALT_UNTIL(stream_room(&out) != 0, reader_is_gone ? 0 : READER_TIMEOUT);

	reader_is_gone = !is_there;
	return is_there;
}

void console_write(const char *text, size_t size)
{
	while (size) {
		int32_t count = stream_write(&out, text, (uint32_t)size);

		if (count < 0 || (!count && !wait_for_room()))
			return;
		if (!count)
			continue;
		event_send(console_port);
		text += count;
		size -= (size_t)count;
	}
}

/* Lines end as a terminal wants them to. */
static void write_text(const char *text, size_t size)
{
	size_t from = 0;

	for (size_t i = 0; i < size; i++) {
		if (text[i] != '\n')
			continue;
		console_write(text + from, i - from);
		console_write("\r\n", 2);
		from = i + 1;
	}
	console_write(text + from, size - from);
}

size_t console_read(char *text, size_t size)
{
	int32_t count = stream_read(&in, text, (uint32_t)size);

	if (count <= 0)
		return 0;
	event_send(console_port);
	return (size_t)count;
}

bool console_init(void)
{
	uint64_t gfn = domain_param(HVM_PARAM_CONSOLE_PFN);

	console_port = (uint32_t)domain_param(HVM_PARAM_CONSOLE_EVTCHN);
	if (!gfn || !console_port)
		return false;
	console_ring = (struct xencons_interface *)(gfn << PAGE_SHIFT);
	stream_attach(&in, console_ring->in, sizeof(console_ring->in), &console_ring->in_cons,
		      &console_ring->in_prod);
	stream_attach(&out, console_ring->out, sizeof(console_ring->out), &console_ring->out_prod,
		      &console_ring->out_cons);
	event_unmask(console_port);
	console_set_output(write_text);
	return true;
}

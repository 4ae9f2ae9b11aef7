#include "cli/flow.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

void flow_prepare(const struct flow *f, struct pollfd polls[2])
{
	bool is_empty = !f->nr;

	polls[0] = (struct pollfd){ is_empty && !f->has_ended ? f->from : -1, POLLIN, 0 };
	polls[1] = (struct pollfd){ !is_empty && !f->has_failed ? f->to : -1, POLLOUT, 0 };
}

bool flow_read(struct flow *f, const struct pollfd polls[2])
{
	ssize_t got;

	if (!polls[0].revents)
		return false;
	got = read(f->from, f->bytes, sizeof(f->bytes));
	if (got < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	f->at = 0;
	f->nr = got > 0 ? (size_t)got : 0;
	f->has_ended = !f->nr;
	return f->nr;
}

void flow_write(struct flow *f, const struct pollfd polls[2])
{
	ssize_t done;

	if (!polls[1].revents)
		return;
	done = f->is_to_socket ? send(f->to, f->bytes + f->at, f->nr, MSG_NOSIGNAL)
			       : write(f->to, f->bytes + f->at, f->nr);
	if (done < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	f->has_failed = done < 0;
	f->at += (size_t)MAX(done, 0);
	f->nr -= (size_t)MAX(done, 0);
}

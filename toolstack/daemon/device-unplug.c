/*
 * Taking a device out of a running guest: the backend is told to close and that it stays offline; when both
 * ends have closed, its process ends, and everything goes. A guest that does not let go within the time keeps
 * its device until it does.
 *
 * A frontend that is about to connect is given the time for that first. Linux' would otherwise lose its nodes in the
 * middle of it, and its kernel fails when the next disk of that name appears (BUG in negotiate_mq()).
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/device-life.h"
#include "daemon/guest.h"
#include "daemon/record.h"

#define STATE_WAITING   2u
#define STATE_CONNECTED 4u
#define STATE_CLOSING   5u
#define STATE_CLOSED    6u
#define CONNECT_MS      2000u /* a guest without a driver for it never does */

struct device_unplug {
	struct device *device;   /* NULL: it has gone otherwise */
	struct loop_timer timer; /* the end of patience; then, the next look whether it is gone */
	unsigned int timeout_ms;
	bool is_stopping;        /* the process calls back */
	struct loop_task finish; /* not from inside of a watch of the device */
	device_done_fn done;
	void *argument;
};

static void end(struct device *d, int ret, const struct err *err)
{
	struct device_unplug *u = d->unplug;

	d->unplug = NULL;
	loop_timer_stop(&u->timer);
	loop_task_cancel(&u->finish);
	u->device = NULL;
	if (u->done)
		u->done(u->argument, ret, err);
	if (!u->is_stopping)
		free(u);
}

static void discard(struct device_unplug *u)
{
	struct device *d = u->device;
	struct guest *g = d->guest;
	device_done_fn done = u->done;
	void *argument = u->argument;
	struct err err;
	int ret;

	u->done = NULL;
	end(d, 0, NULL);
	device_discard(d);
	ret = record_save(g, &err);
	if (done)
		done(argument, ret, &err);
}

static void look_whether_gone(struct loop_timer *t)
{
	struct device_unplug *u = container_of(t, struct device_unplug, timer);

	if (device_is_gone(u->device))
		discard(u);
	else
		loop_timer_start(&u->device->guest->lodged->loop, t, DEVICE_LOOK_MS);
}

static void process_gone(void *argument)
{
	struct device_unplug *u = argument;

	u->is_stopping = false;
	if (u->device)
		look_whether_gone(&u->timer);
	else
		free(u);
}

static void give_up(struct loop_timer *t)
{
	struct device_unplug *u = container_of(t, struct device_unplug, timer);
	struct device *d = u->device;
	struct err err;

	device_done_fn done = u->done;

	err_set(&err, -ETIMEDOUT, "the guest does not let go of %s %s", d->class->name, d->label);
	u->done = NULL;
	if (done)
		done(u->argument, -ETIMEDOUT, &err);
}

static void finish(struct loop_task *t)
{
	struct device_unplug *u = container_of(t, struct device_unplug, finish);
	struct child *process = u->device->process;

	loop_timer_stop(&u->timer);
	u->timer.fire = look_whether_gone;
	if (!process) {
		look_whether_gone(&u->timer);
		return;
	}
	u->is_stopping = true;
	u->device->process = NULL;
	child_stop(process, process_gone, u);
}

void device_unplug_abort(struct device *d)
{
	struct err err;

	if (!d->unplug)
		return;
	err_set(&err, -ESRCH, "the guest ended first");
	end(d, -ESRCH, &err);
}

/* The last of what can fail. A backend that has not even announced the device has nothing to close, and may never have;
 * one may have closed already. */
static void ask_to_close(struct loop_timer *t)
{
	struct device_unplug *u = container_of(t, struct device_unplug, timer);
	struct device *d = u->device;
	struct batch b;
	struct err err;
	int ret;

	u->timer.fire = give_up;
	if (d->backend_state < STATE_WAITING || d->backend_state == STATE_CLOSED) {
		loop_soon(&d->guest->lodged->loop, &u->finish);
		return;
	}
	batch_init(&b);
	batch_at(&b, "%s", d->backend_path);
	batch_write(&b, "online", "0");
	batch_write(&b, "state", "%u", STATE_CLOSING);
	ret = nodes_run(d->guest->lodged->nodes, &b, true, &err);
	batch_fini(&b);
	if (ret)
		end(d, ret, &err);
	else
		loop_timer_start(&d->guest->lodged->loop, t, u->timeout_ms);
}

void device_unplug_look(struct device *d)
{
	struct device_unplug *u = d->unplug;

	if (u->timer.fire == ask_to_close && d->backend_state >= STATE_CONNECTED) {
		loop_timer_stop(&u->timer);
		ask_to_close(&u->timer);
	} else if (u->timer.fire == give_up &&
		   (d->backend_state == STATE_CLOSED || d->backend_state == 0)) {
		loop_soon(&d->guest->lodged->loop, &u->finish);
	}
}

/* Who has asked first has been told that it takes too long: it goes on for this one. */
static int ask_again(struct device *d, unsigned int timeout_ms, device_done_fn done, void *argument,
		     struct err *err)
{
	struct device_unplug *u = d->unplug;

	if (u->done)
		return err_set(err, -EBUSY, "%s %s is being detached already", d->class->name,
			       d->label);
	u->done = done;
	u->argument = argument;
	if (u->timer.fire == give_up)
		loop_timer_start(&d->guest->lodged->loop, &u->timer, timeout_ms);
	return 0;
}

static int begin(struct device *d, unsigned int timeout_ms, device_done_fn done, void *argument,
		 struct err *err)
{
	struct device_unplug *u = calloc(1, sizeof(*u));

	if (!u)
		return err_set(err, -ENOMEM, "no memory");
	*u = (struct device_unplug){
		.device = d, .timeout_ms = timeout_ms, .done = done, .argument = argument
	};
	u->timer.fire = ask_to_close;
	u->finish.run = finish;
	d->unplug = u;
	loop_timer_start(&d->guest->lodged->loop, &u->timer,
			 d->backend_state >= STATE_CONNECTED ? 0 : CONNECT_MS);
	return 0;
}

void device_detach(struct device *d, unsigned int timeout_ms, device_done_fn done, void *argument)
{
	struct err err;
	int ret = d->unplug ? ask_again(d, timeout_ms, done, argument, &err)
			    : begin(d, timeout_ms, done, argument, &err);

	if (ret && done)
		done(argument, ret, &err);
}

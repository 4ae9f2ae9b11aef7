/*
 * Taking a device out of a running guest: the backend is told to close and that it stays offline; when both
 * ends have closed, its process ends, and everything goes. A guest that does not let go within the time keeps
 * its device.
 */
#include <errno.h>
#include <stdlib.h>

#include "daemon/device-life.h"
#include "daemon/guest.h"
#include "daemon/record.h"

#define STATE_CLOSING 5u
#define STATE_CLOSED  6u

struct device_unplug {
	struct device *device;   /* NULL: it has gone otherwise */
	struct loop_timer timer; /* the end of patience; then, the next look whether it is gone */
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

	err_set(&err, -ETIMEDOUT, "the guest does not let go of %s %s", d->class->name, d->label);
	end(d, -ETIMEDOUT, &err);
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

void device_unplug_look(struct device *d)
{
	if (d->unplug->timer.fire != give_up) /* it is on its way already */
		return;
	if (d->backend_state == STATE_CLOSED || d->backend_state == 0)
		loop_soon(&d->guest->lodged->loop, &d->unplug->finish);
}

void device_unplug_abort(struct device *d)
{
	struct err err;

	if (!d->unplug)
		return;
	err_set(&err, -ESRCH, "the guest ended first");
	end(d, -ESRCH, &err);
}

void device_detach(struct device *d, unsigned int timeout_ms, device_done_fn done, void *argument)
{
	struct device_unplug *u;
	struct batch b;
	struct err err;
	int ret;

	if (d->unplug) {
		err_set(&err, -EBUSY, "%s %s is being detached already", d->class->name, d->label);
		done(argument, -EBUSY, &err);
		return;
	}
	u = calloc(1, sizeof(*u));
	if (!u) {
		err_set(&err, -ENOMEM, "no memory");
		done(argument, -ENOMEM, &err);
		return;
	}
	*u = (struct device_unplug){ .device = d, .done = done, .argument = argument };
	u->timer.fire = give_up;
	u->finish.run = finish;
	d->unplug = u;
	batch_init(&b);
	batch_at(&b, "%s", d->backend_path);
	batch_write(&b, "online", "0");
	batch_write(&b, "state", "%u", STATE_CLOSING);
	ret = nodes_run(d->guest->lodged->nodes, &b, true, &err);
	batch_fini(&b);
	if (ret)
		end(d, ret, &err);
	else
		loop_timer_start(&d->guest->lodged->loop, &u->timer, timeout_ms);
}

/* Starts guests when the host has booted: those that want it, each after those that it names. */
#ifndef LODGE_DAEMON_AUTOSTART_H
#define LODGE_DAEMON_AUTOSTART_H

struct lodged;

/* Once for each boot: a lodged that was killed meanwhile goes on where it was, one that is merely restarted
 * later starts nobody. */
void autostart_begin(struct lodged *l);

/* No more; lodged leaves. */
void autostart_end(struct lodged *l);

#endif

/* All verbs, and what several of them need. Each answers its request; docs/lodged.md says how. */
#ifndef LODGE_DAEMON_VERBS_H
#define LODGE_DAEMON_VERBS_H

#include "daemon/config-ref.h"
#include "daemon/serve.h"

/* The member "xml", read; its warnings go into the answer. keep_text: the text stays with it. NULL: it is
 * wrong, and the request is answered. */
struct config *request_config(struct request *r, bool keep_text);

/* The same for a text that is made from what the request says. */
struct config *request_config_text(struct request *r, const char *text, bool keep_text);

/* verb-life.c */
void verb_create(struct lodged *l, struct request *r);
void verb_start(struct lodged *l, struct request *r);
void verb_define(struct lodged *l, struct request *r);
void verb_undefine(struct lodged *l, struct request *r);
void verb_rename(struct lodged *l, struct request *r);
void verb_autostart(struct lodged *l, struct request *r);
void verb_pause(struct lodged *l, struct request *r);
void verb_resume(struct lodged *l, struct request *r);
void verb_destroy(struct lodged *l, struct request *r);
void verb_shutdown(struct lodged *l, struct request *r);
void verb_reboot(struct lodged *l, struct request *r);

/* verb-show.c */
void verb_list(struct lodged *l, struct request *r);
void verb_info(struct lodged *l, struct request *r);
void verb_vcpu_list(struct lodged *l, struct request *r);
void verb_dumpxml(struct lodged *l, struct request *r);
void verb_validate(struct lodged *l, struct request *r);
void verb_why(struct lodged *l, struct request *r);
void verb_log(struct lodged *l, struct request *r);
void verb_console(struct lodged *l, struct request *r);

/* verb-disk.c */
void verb_disk_attach(struct lodged *l, struct request *r);
void verb_disk_detach(struct lodged *l, struct request *r);
void verb_disk_list(struct lodged *l, struct request *r);
void verb_disk_resize(struct lodged *l, struct request *r);
void verb_disk_clone(struct lodged *l, struct request *r);

/* verb-nic.c */
void verb_nic_attach(struct lodged *l, struct request *r);
void verb_nic_detach(struct lodged *l, struct request *r);
void verb_nic_list(struct lodged *l, struct request *r);
void verb_nic_link(struct lodged *l, struct request *r);

/* verb-tune.c */
void verb_set_memory(struct lodged *l, struct request *r);
void verb_set_vcpus(struct lodged *l, struct request *r);
void verb_pin(struct lodged *l, struct request *r);
void verb_sched(struct lodged *l, struct request *r);
void verb_sysrq(struct lodged *l, struct request *r);

/* verb-wait.c */
void verb_wait(struct lodged *l, struct request *r);
void verb_events(struct lodged *l, struct request *r);

/* verb-plan.c */
void verb_plan(struct lodged *l, struct request *r);
void verb_apply(struct lodged *l, struct request *r);

/* verb-host.c */
void verb_host(struct lodged *l, struct request *r);
void verb_dmesg(struct lodged *l, struct request *r);
void verb_doctor(struct lodged *l, struct request *r);
void verb_version(struct lodged *l, struct request *r);
void verb_dump_core(struct lodged *l, struct request *r);
void verb_host_stop(struct lodged *l, struct request *r);

#endif

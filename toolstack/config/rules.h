/* What holds between values of a domain: the check functions of its rules. Each also fills in the defaults
 * that depend on other values, and works on an object that mistakes have left half filled. */
#ifndef LODGE_CONFIG_RULES_H
#define LODGE_CONFIG_RULES_H

#include <libxml/tree.h>

struct walk;

void check_domain(struct walk *w, const xmlNode *node, void *object);
void check_cloud_init(struct walk *w, const xmlNode *node, void *object);
void check_cloud_init_part(struct walk *w, const xmlNode *node, void *object);
void check_hostname(struct walk *w, const xmlNode *node, void *object);
void check_pin(struct walk *w, const xmlNode *node, void *object);
void check_feature(struct walk *w, const xmlNode *node, void *object);
void check_clock(struct walk *w, const xmlNode *node, void *object);
void check_disk(struct walk *w, const xmlNode *node, void *object);
void check_host(struct walk *w, const xmlNode *node, void *object);
void check_iotune(struct walk *w, const xmlNode *node, void *object);
void check_interface(struct walk *w, const xmlNode *node, void *object);
void check_vlan(struct walk *w, const xmlNode *node, void *object);
void check_card_address(struct walk *w, const xmlNode *node, void *object);
void check_controller(struct walk *w, const xmlNode *node, void *object);

#endif

/* A guest's description, shared by what was defined and what runs; never changed once it is shared. */
#ifndef LODGE_DAEMON_CONFIG_REF_H
#define LODGE_DAEMON_CONFIG_REF_H

#include "config/domain.h"

struct config {
	unsigned int nr_refs;
	struct domain_description *d;
	char *text; /* the XML that it was read from; NULL: not kept */
};

/* Takes over d, also on failure; text (may be NULL) is copied. NULL without memory. */
struct config *config_create(struct domain_description *d, const char *text);
struct config *config_get(struct config *c); /* NULL gives NULL */
void config_put(struct config *c);           /* NULL is fine */

/* As XML, to be freed; NULL without memory. Reading it gives the same, but for a uuid that was made. */
char *config_text(const struct config *c);

/* Of XML that is known to be right; NULL without memory, or when it is not. */
struct config *config_parse(const char *text, const char *host);

/* One that nobody shares, to be changed; NULL without memory. */
struct config *config_copy(const struct config *c);

#endif

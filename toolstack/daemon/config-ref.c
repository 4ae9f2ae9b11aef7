/* See config-ref.h. */
#include "daemon/config-ref.h"

#include <stdlib.h>
#include <string.h>

#include "config/report.h"

struct config *config_create(struct domain_description *d, const char *text)
{
	struct config *c = malloc(sizeof(*c));
	char *copy = text ? strdup(text) : NULL;

	if (!c || (text && !copy)) {
		domain_free(d);
		free(c);
		free(copy);
		return NULL;
	}
	*c = (struct config){ .nr_refs = 1, .d = d, .text = copy };
	return c;
}

char *config_text(const struct config *c)
{
	return c->text ? strdup(c->text) : domain_write(c->d);
}

struct config *config_get(struct config *c)
{
	if (c)
		c->nr_refs++;
	return c;
}

void config_put(struct config *c)
{
	if (!c || --c->nr_refs)
		return;
	domain_free(c->d);
	free(c->text);
	free(c);
}

struct config *config_parse(const char *text, const char *host)
{
	struct domain_description *d = NULL;
	struct report report;
	int err;

	report_init(&report, "XML");
	err = domain_parse(text, strlen(text), host, &d, &report);
	report_fini(&report);
	return err ? NULL : config_create(d, NULL);
}

struct config *config_copy(const struct config *c)
{
	char *text = domain_write(c->d);
	struct config *copy = text ? config_parse(text, NULL) : NULL;

	free(text);
	return copy;
}

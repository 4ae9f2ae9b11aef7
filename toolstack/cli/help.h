/* What `lodge help` prints, from the table of verbs. */
#ifndef LODGE_CLI_HELP_H
#define LODGE_CLI_HELP_H

#include "cli/verb.h"

enum rpc_code help_all(void);
enum rpc_code help_verb(const struct verb *v);
enum rpc_code help_version(void);

#endif

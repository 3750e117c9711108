/* zstore config check, apart from its siblings. */
#ifndef ZS_CLI_CONFIG_CHECK_H
#define ZS_CLI_CONFIG_CHECK_H

#include "cli.h"
#include "config.h"

/* s->conf has been read, errors included.  The exit code, or -1. */
int config_check(struct session *s, struct zs_err *err);

#endif

/* extract --sql and --ldif: what a server's source stored, as one script or LDIF. */
#ifndef ZS_CLI_DUMP_H
#define ZS_CLI_DUMP_H

#include "cli.h"

int dump_is_asked(const struct session *s);
/* Operands: SNAPSHOT[:PATH] and what of it, in either order.  The exit code, or -1. */
int dump_run(struct session *s, int argc, char **argv, struct zs_err *err);

#endif

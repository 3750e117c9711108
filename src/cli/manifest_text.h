/* A snapshot's manifest for people. */
#ifndef ZS_CLI_MANIFEST_TEXT_H
#define ZS_CLI_MANIFEST_TEXT_H

#include "cli.h"

void manifest_print(struct session *s, const struct zs_snapshot *snap); /* indented lines on stdout; nothing if there is none */

#endif

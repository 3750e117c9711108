/* Commands around a backup, as the profile says. */
#ifndef ZS_CLI_HOOKS_H
#define ZS_CLI_HOOKS_H

#include "cli.h"

enum hook { HOOK_BEFORE, HOOK_AFTER, HOOK_FAILED, HOOK_FINALLY };
struct hook_facts { /* for its environment; NULL: not known (yet) */
	const char *repo, *status, *snapshot, *error;
	int exit_code; /* with a status */
};
/*
 * All commands of that hook, one after the other; of those before, the first that fails ends it.  -1: the first failure, of a signal
 * ZS_STOPPED; the others are said.
 */
int hooks_run(struct session *s, enum hook which, const struct hook_facts *f, struct zs_err *err) ZS_MUST_USE;

#endif

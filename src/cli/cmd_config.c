#include "cli.h"
int cmd_config(struct session *s, int argc, char **argv, struct zs_err *err)
{
	(void)s; (void)argc; (void)argv;
	return zs_fail(err, ZS_INTERNAL, "not yet");
}

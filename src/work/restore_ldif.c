/*
 * What a ldif source stored, as one stream.
 */
#include "zstore/work.h"

int zs_restore_ldif(struct zs_store *st, const struct zs_ldif_restore *s, int fd, struct zs_err *err)
{
	(void)st;
	(void)s;
	(void)fd;
	return zs_fail(err, ZS_INTERNAL, "restoring ldif: to come");
}

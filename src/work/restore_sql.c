/*
 * What a sql source stored, as one stream.
 */
#include "zstore/work.h"

int zs_restore_sql(struct zs_store *st, const struct zs_sql_restore *s, int fd, struct zs_err *err)
{
	(void)st;
	(void)s;
	(void)fd;
	return zs_fail(err, ZS_INTERNAL, "restoring sql: to come");
}

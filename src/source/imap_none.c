/*
 * Instead of the IMAP source where libcurl is not there.
 */
#include "zstore/source.h"

int zs_source_imap_new(const struct zs_server_settings *server, const struct zs_source_settings *s, struct zs_source **out,
    struct zs_err *err)
{
	(void)server;
	(void)s;
	(void)out;
	return zs_fail(err, ZS_USAGE, "this program was built without IMAP");
}

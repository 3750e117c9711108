/*
 * Built without what the Zimbra source needs.
 */
#include "zstore/source.h"

int zs_source_zimbra_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out, struct zs_err *err)
{
	(void)settings;
	(void)out;
	return zs_fail(err, ZS_USAGE, "%s: this zstore was built without support for Zimbra (libmariadb, libldap, expat, zlib, libcrypto)", server->url->label);
}

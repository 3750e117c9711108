/* Any localconfig.xml: it is refused with a cause and a text, or its keys can be asked for, within their limits. */
#include "../../../src/source/zimbra_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const keys[] = {"zimbra_home", "mysql_socket", "zimbra_ldap_password", "a", "b", "c", ""};
	struct zimbra_config *c = NULL;
	struct zs_err err = {0};

	if (zimbra_config_parse(zs_span(data, size), &c, &err) < 0) {
		if ((err.cause != ZS_SOURCE && err.cause != ZS_NOMEM) || !*err.text || c)
			abort();
		return 0;
	}
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (strlen(zimbra_config_get(c, keys[i])) > 65536)
			abort();
	if (*zimbra_config_get(c, "") || size > 4u << 20)
		abort();
	zimbra_config_free(c);
	return 0;
}

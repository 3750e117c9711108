/*
 * What a zimbra: URL says: where localconfig.xml is, and which accounts are wanted.
 */
#include "zimbra_private.h"

#include <fnmatch.h>
#include <string.h>

#define USUAL_CONFIG "/opt/zimbra/conf/localconfig.xml"

static const char *const known[] = {"account", "exclude-account", "domain", "cos", "ca-file", NULL};

static int take_all(const struct zs_url *u, const char *key, struct zs_strings *out, struct zs_err *err)
{
	for (size_t i = 0; i < u->keys.n; i++) {
		if (strcmp(u->keys.v[i], key) != 0)
			continue;
		if (u->values.v[i][0] == 0)
			return zs_fail(err, ZS_USAGE, "%s: %s is empty", u->label, key);
		if (zs_strings_add(out, zs_span_str(u->values.v[i]), err) < 0)
			return -1;
	}
	return 0;
}

int zimbra_options_parse(const struct zs_server_settings *server, struct zimbra_options *out, struct zs_err *err)
{
	const struct zs_url *u = server->url;

	*out = (struct zimbra_options){.label = u->label, .config_path = u->path[0] ? u->path : USUAL_CONFIG,
	    .ca_file = zs_url_get(u, "ca-file", NULL)};
	if (zs_url_check_keys(u, known, err) < 0 || take_all(u, "account", &out->accounts, err) < 0 ||
	    take_all(u, "exclude-account", &out->excludes, err) < 0 || take_all(u, "domain", &out->domains, err) < 0 ||
	    take_all(u, "cos", &out->classes, err) < 0) {
		zimbra_options_fini(out);
		return -1;
	}
	return 0;
}

void zimbra_options_fini(struct zimbra_options *o)
{
	zs_strings_fini(&o->accounts);
	zs_strings_fini(&o->excludes);
	zs_strings_fini(&o->domains);
	zs_strings_fini(&o->classes);
}

int zimbra_options_match(const struct zs_strings *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->n; i++)
		if (fnmatch(patterns->v[i], text, FNM_CASEFOLD) == 0)
			return 1;
	return 0;
}

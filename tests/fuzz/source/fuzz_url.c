/* A URL of a server: what is parsed is bounded by what was written, and no password gets in. */
#include "zstore/source.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct zs_url u, shown;
	struct zs_err err = {0};
	int flag;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = 0;
	if (zs_url_parse(text, &u, &err) < 0) {
		if (err.cause != ZS_USAGE || !*err.text || u.scheme || u.label || u.keys.n)
			abort();
		goto out;
	}
	if (!zs_url_is(text) || u.port > 65535 || u.keys.n != u.values.n)
		abort();
	if (strlen(u.user) + strlen(u.host) + strlen(u.path) > strlen(text) || strlen(u.label) > strlen(text))
		abort();
	for (size_t i = 0; i < u.keys.n; i++) {
		if (strcmp(u.keys.v[i], "password") == 0 || !zs_url_get(&u, u.keys.v[i], NULL))
			abort();
		if (zs_url_flag(&u, u.keys.v[i], 1, &flag, &err) == 0 && flag != 0 && flag != 1)
			abort();
	}
	if (zs_url_parse(u.label, &shown, &err) == 0) { /* what is shown has no secret in it */
		if (zs_url_get(&shown, "password-command", NULL) || zs_url_get(&shown, "password-file", NULL))
			abort();
		zs_url_fini(&shown);
	}
	zs_url_fini(&u);
out:
	free(text);
	return 0;
}

/* A manifest or summary: either it is JSON and every value has a key, or it is refused with a reason. */
#include "zstore/source.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_value(void *ctx, const char *key, struct zs_span value)
{
	size_t *sum = ctx;

	*sum += strlen(key);
	for (size_t i = 0; i < value.n; i++)
		*sum += value.p[i];
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_err err = {0};
	size_t sum = 0;
	int rc = zs_manifest_walk(zs_span(data, size), on_value, &sum, &err);

	if (rc < 0 && (err.cause != ZS_CORRUPT || !err.text[0]))
		abort();
	if (rc == 0 && zs_manifest_valid(zs_span(data, size)) != 1 && sum != 0 && size > 0 && data[0] == '{')
		abort();
	return 0;
}

/* A key, then a newline and a value: whatever they hold, a script gets whole lines of comments, without control characters. */
#include "zstore/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
	struct zs_span value = cut ? zs_span(cut + 1, size - (size_t)(cut + 1 - data)) : zs_span(NULL, 0);
	char *key = calloc(1, size + 1);
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	int at_begin = 1;

	if (!key)
		abort();
	if (size)
		memcpy(key, data, cut ? (size_t)(cut - data) : size);
	if (zs_sql_script_fact(key, value, &out, &err) < 0)
		abort();
	for (size_t i = 0; i < out.n; i++) {
		if (at_begin && (out.n - i < 3 || memcmp(out.p + i, "-- ", 3) != 0))
			abort();
		if ((out.p[i] < 0x20 && out.p[i] != '\n') || out.p[i] == 0x7f)
			abort();
		at_begin = out.p[i] == '\n';
	}
	if (out.n && !at_begin)
		abort();
	zs_buf_fini(&out);
	free(key);
	return 0;
}

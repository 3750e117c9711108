/* Patterns, one a line, then an empty line, then a path: ends, and a pattern's negation never excludes more. */
#include "zstore/source.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memmem(data, size, "\n\n", 2) : NULL;
	struct zs_strings l = {0};
	struct zs_excludes *x = NULL;
	struct zs_err err = {0};
	struct zs_span path = {0};
	const uint8_t *at = data;
	int was;

	if (!cut || size > 70000)
		return 0;
	path = zs_span(cut + 2, size - (size_t)(cut + 2 - data));
	while (at < cut) {
		const uint8_t *end = memchr(at, '\n', (size_t)(cut - at));

		if (!end)
			end = cut;
		if (memchr(at, 0, (size_t)(end - at)) || zs_strings_add(&l, zs_span(at, (size_t)(end - at)), &err) < 0)
			goto out;
		at = end + 1;
	}
	if (!zs_path_valid(path) || zs_excludes_new(&l, &x, &err) < 0)
		goto out;
	was = zs_excludes_match(x, path, 0);
	if (was && !zs_excludes_match(x, path, 1) && l.n == 1)
		abort(); /* what excludes a file of that name excludes a directory too */
	zs_excludes_free(x);
	x = NULL;
	if (zs_strings_add(&l, zs_span_str("!**"), &err) < 0 || zs_excludes_new(&l, &x, &err) < 0)
		goto out;
	if (zs_excludes_match(x, path, 0) || zs_excludes_match(x, path, 1))
		abort(); /* the last pattern decides, and it takes everything back */
out:
	zs_excludes_free(x);
	zs_strings_fini(&l);
	return 0;
}

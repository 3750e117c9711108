/* A folder's name, of any bytes: its path is valid, and no two names have one path (a pair, cut at the first newline). */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "../../../src/source/imap_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	const uint8_t *cut = memchr(p, '\n', n);
	struct zs_span a = zs_span(p, cut ? (size_t)(cut - p) : n), b = zs_span(p + a.n, n - a.n);
	struct zs_buf x = ZS_BUF_INIT, y = ZS_BUF_INIT, utf8 = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (b.n > 0) {
		b.p++;
		b.n--;
	}
	if (n > 4000)
		return 0;
	if (imap_names_path(a, '/', &x, &err) < 0 || imap_names_path(b, '/', &y, &err) < 0)
		abort();
	assert(zs_path_valid(zs_buf_span(&x)) && zs_path_valid(zs_buf_span(&y)));
	if (zs_span_eq(zs_buf_span(&x), zs_buf_span(&y)))
		assert(zs_span_eq(a, b));
	for (size_t at = 0, len; at < x.n; at += len)
		if (!(len = zs_utf8_length(x.p + at, x.n - at)) || x.p[at] < 0x20)
			abort();
	if (utf7_decode(a, &utf8, &err) == 1)
		for (size_t at = 0, len; at < utf8.n; at += len)
			if (!(len = zs_utf8_length(utf8.p + at, utf8.n - at)))
				abort();
	if (imap_names_differ(&x, a, &err) < 0)
		abort();
	assert(zs_path_valid(zs_buf_span(&x)));
	zs_buf_fini(&x);
	zs_buf_fini(&y);
	zs_buf_fini(&utf8);
	return 0;
}

/*
 * LDIF of an LDAP source: the first byte says how it is fed and what is wanted, then the stream, and behind two NULs the second
 * one.  Any slicing gives the same result; everything wanted is handed on when there is no second stream and no filter.
 */
#include "zstore/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct ends { struct zs_span side; struct zs_buf out; size_t piece; };

static int pull(void *ctx, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct ends *e = ctx;

	(void)err;
	n = n < e->piece ? n : e->piece;
	*out_n = n < e->side.n ? n : e->side.n;
	if (*out_n)
		memcpy(p, e->side.p, *out_n);
	e->side = zs_span(e->side.p + *out_n, e->side.n - *out_n);
	return 0;
}

static int put(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	return zs_buf_add_span(&((struct ends *)ctx)->out, bytes, err);
}

static int run(struct zs_span in, struct zs_span side, size_t piece, uint8_t how, struct ends *e, uint64_t *entries)
{
	const struct zs_ldif_settings s = {zs_span_str(how & 2 ? "dc=org" : ""), how & 4, side.p ? pull : NULL, put, e};
	struct zs_ldif *f = NULL;
	struct zs_err err = {0};
	int rc;

	*e = (struct ends){.side = side, .piece = piece};
	if (zs_ldif_new(&s, &f, &err) < 0)
		abort();
	rc = 0;
	for (size_t at = 0, n; rc == 0 && at < in.n; at += n) {
		n = in.n - at < piece ? in.n - at : piece;
		rc = zs_ldif_feed(f, zs_span(in.p + at, n), &err);
	}
	if (rc == 0)
		rc = zs_ldif_end(f, entries, &err);
	if (rc < 0 && err.cause != ZS_CORRUPT)
		abort();
	zs_ldif_free(f);
	return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memmem(data + 1, size - 1, "\0\0", 2) : NULL;
	struct zs_span in, side = {NULL, 0};
	struct ends a, b;
	uint64_t n = 0, m = 0;
	int x, y;

	if (size < 2 || size > 20000)
		return 0;
	in = zs_span(data + 1, cut ? (size_t)(cut - data) - 1 : size - 1);
	if (cut)
		side = zs_span(cut + 2, size - (size_t)(cut + 2 - data));
	x = run(in, side, SIZE_MAX, data[0], &a, &n);
	y = run(in, side, (data[0] >> 3) + 1u, data[0], &b, &m);
	if (x != y || (x == 0 && (n != m || !zs_span_eq(zs_buf_span(&a.out), zs_buf_span(&b.out)))))
		abort();
	zs_buf_fini(&a.out);
	zs_buf_fini(&b.out);
	return 0;
}

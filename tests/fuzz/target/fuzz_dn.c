/* A name, a newline, another one: what is below is below after letters change their case, and keys agree with it. */
#include "zstore/base.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
	struct zs_buf upper = ZS_BUF_INIT, a = ZS_BUF_INIT, b = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_span dn, base;

	if (!cut || size > 4000)
		return 0;
	dn = zs_span(data, (size_t)(cut - data));
	base = zs_span(cut + 1, size - dn.n - 1);
	(void)zs_dn_is_below(dn, base);
	if (!zs_dn_is_below(dn, dn) || !zs_dn_is_below(dn, zs_span(NULL, 0)))
		abort();
	for (size_t i = 0; i < dn.n; i++)
		if (zs_buf_add_u8(&upper, (uint8_t)(dn.p[i] < 0x80 ? toupper(dn.p[i]) : dn.p[i]), &err) < 0)
			abort();
	if (!zs_dn_is_below(zs_buf_span(&upper), dn))
		abort();
	if (zs_dn_key(dn, 0, &a, &err) < 0 || zs_dn_key(zs_buf_span(&upper), 0, &b, &err) < 0 || !zs_span_eq(zs_buf_span(&a), zs_buf_span(&b)))
		abort();
	zs_buf_fini(&upper);
	zs_buf_fini(&a);
	zs_buf_fini(&b);
	return 0;
}

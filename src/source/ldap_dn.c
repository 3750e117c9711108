/*
 * A distinguished name as one component of a path.
 */
#include "ldap_private.h"

int ldap_dn_component(struct zs_span dn, struct zs_buf *out, struct zs_err *err)
{
	static const char hex[] = "0123456789ABCDEF";
	size_t start = out->n;

	if (zs_buf_reserve(out, 3 * dn.n + 24, err) < 0)
		return -1;
	for (size_t i = 0; i < dn.n; i++) {
		uint8_t c = dn.p[i];

		if (c != '/' && c != '%' && c >= 0x20 && c != 0x7f) {
			out->p[out->n++] = c;
			continue;
		}
		out->p[out->n++] = '%';
		out->p[out->n++] = (uint8_t)hex[c >> 4];
		out->p[out->n++] = (uint8_t)hex[c & 15];
	}
	if (out->n == start) /* the empty suffix */
		out->p[out->n++] = '%';
	if (out->n - start > ZS_COMPONENT_MAX) { /* its beginning, and a hash of all of it */
		out->n = start + 200;
		return zs_buf_printf(out, err, "%%%016llx", (unsigned long long)zs_hash64(0, dn));
	}
	return 0;
}

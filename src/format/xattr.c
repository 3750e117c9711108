/*
 * Lists of extended attributes, as entries hold them: (name length, name, value length, value)*, names ascending.
 * What a name means is the system's.
 */
#include "format_private.h"

static int xattr_take(struct row *r, struct zs_span *out_name, struct zs_span *out_value)
{
	*out_name = row_span(r, "name");
	*out_value = row_bytes(r, row_varint(r, "value"), "value");
	if (r->bad || out_name->n > FORMAT_XATTR_NAME_MAX || out_value->n > ZS_NODE_MAX)
		return -1;
	return memchr(out_name->p, 0, out_name->n) ? -1 : 0;
}

static int name_cmp(struct zs_span a, struct zs_span b)
{
	int c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);

	return c ? c : (a.n > b.n) - (a.n < b.n);
}

int zs_format_xattr_next(struct zs_span *rest, struct zs_span *out_name, struct zs_span *out_value, struct zs_err *err)
{
	struct row r = row_open(*rest);
	struct zs_span name, value, next;

	if (!rest->n)
		return 0;
	if (xattr_take(&r, &name, &value) < 0)
		return zs_fail(err, ZS_CORRUPT, "extended attributes: are damaged");
	*rest = row_rest(&r);
	if (rest->n) { /* the next name must be greater; the rest of it is looked at when its turn comes */
		next = row_span(&r, "name");
		if (r.bad || name_cmp(name, next) >= 0)
			return zs_fail(err, ZS_CORRUPT, "extended attributes: are damaged or out of order");
	}
	*out_name = name;
	*out_value = value;
	return 1;
}

int zs_format_xattr_add(struct zs_buf *list, struct zs_span name, struct zs_span value, struct zs_err *err)
{
	struct zs_span rest = zs_buf_span(list), last = {NULL, 0}, ignored;
	uint8_t *p;
	int more;

	while ((more = zs_format_xattr_next(&rest, &last, &ignored, err)) > 0)
		;
	if (more < 0)
		return -1;
	if (!name.n || name.n > FORMAT_XATTR_NAME_MAX || memchr(name.p, 0, name.n) || value.n > ZS_NODE_MAX)
		return zs_fail(err, ZS_LIMIT, "extended attributes: length of a name or value is out of range");
	if (last.n && name_cmp(last, name) >= 0)
		return zs_fail(err, ZS_INTERNAL, "extended attributes: names do not ascend");
	if (zs_buf_reserve(list, 2 * VARINT_MAX + name.n + value.n, err) < 0)
		return -1;
	p = row_put_span(list->p + list->n, name);
	p = row_put_span(p, value);
	list->n = (size_t)(p - list->p);
	return 0;
}

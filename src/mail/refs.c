/*
 * Every chunk that an entry refers to, those that hold its recipe included: for marking, checking, copying.
 */
#include "mail_private.h"

int zs_mail_refs(const struct zs_entry *e,
    int (*chunk)(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err), zs_mail_refs_fn *fn, void *ctx, struct zs_err *err)
{
	struct reader r;
	struct zs_op op;
	int rc = reader_inline(e, err);

	if (rc)
		return rc < 0 ? -1 : 0;
	if (reader_init(&r, e, chunk, ctx, err) < 0)
		return -1;
	r.ref = fn;
	r.ref_ctx = ctx;
	while ((rc = reader_next(&r, &op, err)) > 0)
		if ((op.type == ZS_OP_SKELETON || op.type == ZS_OP_RAW) &&
		    fn(ctx, &op.id, (uint32_t)op.bytes, err) < 0) {
			rc = -1;
			break;
		}
	reader_fini(&r);
	return rc;
}

/*
 * Metadata objects by their record: objects.c and the format's codec in one step.  One function a type and direction;
 * nothing here knows when or why they are read.
 */
#include "store_private.h"

/* After a decoder's failure: which object it was. */
static int records_blame(enum zs_object type, const struct zs_name *name, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	return zs_context(err, "%s object %s", zs_object_name(type), zs_name_hex(name, hex));
}

int records_get_index(struct zs_store *st, const struct zs_name *name, struct zs_index_object *out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc;

	rc = objects_get(st, ZS_OBJ_INDEX, name, &plain, err);
	if (rc == 0 && (rc = zs_format_index_decode(zs_buf_span(&plain), out, err)) < 0)
		records_blame(ZS_OBJ_INDEX, name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_get_snapshot(struct zs_store *st, const struct zs_name *name, struct zs_snapshot **out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc;

	rc = objects_get(st, ZS_OBJ_SNAPSHOT, name, &plain, err);
	if (rc == 0 && (rc = zs_format_snapshot_decode(zs_buf_span(&plain), out, err)) < 0)
		records_blame(ZS_OBJ_SNAPSHOT, name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_get_session(struct zs_store *st, const struct zs_name *name, struct zs_session *out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc;

	rc = objects_get(st, ZS_OBJ_SESSION, name, &plain, err);
	if (rc == 0 && (rc = zs_format_session_decode(zs_buf_span(&plain), out, err)) < 0)
		records_blame(ZS_OBJ_SESSION, name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_get_condemned(
    struct zs_store *st, const struct zs_name *name, struct zs_condemned *out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc;

	rc = objects_get(st, ZS_OBJ_CONDEMNED, name, &plain, err);
	if (rc == 0 && (rc = zs_format_condemned_decode(zs_buf_span(&plain), out, err)) < 0)
		records_blame(ZS_OBJ_CONDEMNED, name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_get_removal(struct zs_store *st, const struct zs_name *name, struct zs_removal *out, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc;

	rc = objects_get(st, ZS_OBJ_REMOVAL, name, &plain, err);
	if (rc == 0 && (rc = zs_format_removal_decode(zs_buf_span(&plain), out, err)) < 0)
		records_blame(ZS_OBJ_REMOVAL, name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_put_index(
    struct zs_store *st, const struct zs_index_object *o, struct zs_name *out_name, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_index_encode(o, &plain, err) == 0)
		rc = objects_put(st, ZS_OBJ_INDEX, zs_buf_span(&plain), out_name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_put_snapshot(
    struct zs_store *st, const struct zs_snapshot *s, struct zs_name *out_name, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_snapshot_encode(s, &plain, err) == 0)
		rc = objects_put(st, ZS_OBJ_SNAPSHOT, zs_buf_span(&plain), out_name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_put_session(struct zs_store *st, const struct zs_session *s, struct zs_name *out_name, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_session_encode(s, &plain, err) == 0)
		rc = objects_put(st, ZS_OBJ_SESSION, zs_buf_span(&plain), out_name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_put_condemned(
    struct zs_store *st, const struct zs_condemned *c, struct zs_name *out_name, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_condemned_encode(c, &plain, err) == 0)
		rc = objects_put(st, ZS_OBJ_CONDEMNED, zs_buf_span(&plain), out_name, err);
	zs_buf_fini(&plain);
	return rc;
}

int records_put_removal(struct zs_store *st, const struct zs_removal *r, struct zs_name *out_name, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_removal_encode(r, &plain, err) == 0)
		rc = objects_put(st, ZS_OBJ_REMOVAL, zs_buf_span(&plain), out_name, err);
	zs_buf_fini(&plain);
	return rc;
}

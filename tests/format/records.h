/*
 * Every record of format behind one shape: decode, write down, encode again.  Used
 * by unit tests (sweeps), fuzz targets and the vectors.
 */
#ifndef ZSTORE_TEST_RECORDS_H
#define ZSTORE_TEST_RECORDS_H

#include "dump.h"

/*
 * Decode s; if that goes well, write its fields to j (unless NULL) and encode it again, appended to *again.
 * 0, or -1 with the decoder's error or ZS_NOMEM.  An encoder that refuses what its decoder took is a bug: abort.
 */
typedef int record_fn(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err);

struct record {
	const char *name;
	record_fn *run;
	int skips; /* unknown optional fields are dropped */
};

static inline void record_must(int rc)
{
	if (rc < 0)
		abort();
}

/* An encoder must take what its decoder gave, unless there is no memory. */
static inline int record_encoded(int rc, const struct zs_err *err)
{
	if (rc < 0 && err->cause != ZS_NOMEM)
		abort();
	return rc;
}

static inline int record_config(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_config c;

	if (zs_format_config_decode(s, &c, err) < 0)
		return -1;
	if (j)
		dump_config(j, &c);
	return record_encoded(zs_format_config_encode(&c, again, err), err);
}

static inline int record_config_object(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_name id;
	struct zs_span box;

	if (zs_format_config_object_decode(s, &id, &box, err) < 0)
		return -1;
	if (j) {
		json_hex(j, "repo_id", id.b, ZS_NAME_BYTES);
		json_bytes(j, "box", box);
	}
	return record_encoded(zs_format_config_object_encode(&id, box, again, err), err);
}

static inline int record_slot(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_slot slot;
	struct zs_span head;

	if (zs_format_slot_decode(s, &slot, &head, err) < 0)
		return -1;
	if (head.p != s.p || head.n + slot.box.n != s.n)
		abort();
	if (j)
		dump_slot(j, &slot);
	return record_encoded(zs_format_slot_encode(&slot, again, err), err);
}

static inline int record_slot_keys(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_slot_keys keys;

	if (zs_format_slot_keys_decode(s, &keys, err) < 0)
		return -1;
	if (j)
		dump_slot_keys(j, &keys);
	return record_encoded(zs_format_slot_keys_encode(&keys, again, err), err);
}

static inline int record_block_head(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	uint8_t algo;
	uint32_t plain;
	struct zs_span payload;

	if (zs_format_block_head_decode(s, &algo, &plain, &payload, err) < 0)
		return -1;
	if (j) {
		json_u64(j, "algo", algo);
		json_u64(j, "plain_bytes", plain);
		json_bytes(j, "payload", payload);
	}
	if (record_encoded(zs_format_block_head_encode(algo, plain, again, err), err) < 0)
		return -1;
	return record_encoded(zs_buf_add_span(again, payload, err), err);
}

static inline int record_pack_dir(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_pack_dir d;
	int rc;

	if (zs_format_pack_dir_decode(s, &d, err) < 0)
		return -1;
	if (j)
		dump_pack_dir(j, &d);
	rc = record_encoded(zs_format_pack_dir_encode(&d, again, err), err);
	zs_pack_dir_fini(&d);
	return rc;
}

static inline int record_pack_trailer(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_pack_trailer t;
	uint8_t b[ZS_PACK_TRAILER_PLAIN];

	if (zs_format_pack_trailer_decode(s, &t, err) < 0)
		return -1;
	if (j)
		dump_pack_trailer(j, &t);
	zs_format_pack_trailer_encode(&t, b);
	return record_encoded(zs_buf_add(again, b, sizeof b, err), err);
}

static inline int record_index(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_index_object o;
	int rc;

	if (zs_format_index_decode(s, &o, err) < 0)
		return -1;
	if (j)
		dump_index(j, &o);
	rc = record_encoded(zs_format_index_encode(&o, again, err), err);
	zs_index_object_fini(&o);
	return rc;
}

static inline int record_snapshot(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_snapshot *snap;
	int rc;

	if (zs_format_snapshot_decode(s, &snap, err) < 0)
		return -1;
	if (j)
		dump_snapshot(j, snap);
	rc = record_encoded(zs_format_snapshot_encode(snap, again, err), err);
	zs_format_snapshot_free(snap);
	return rc;
}

static inline int record_session(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_session session;
	int rc;

	if (zs_format_session_decode(s, &session, err) < 0)
		return -1;
	if (j)
		dump_session(j, &session);
	rc = record_encoded(zs_format_session_encode(&session, again, err), err);
	zs_format_session_fini(&session);
	return rc;
}

static inline int record_condemned(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_condemned c;
	int rc;

	if (zs_format_condemned_decode(s, &c, err) < 0)
		return -1;
	if (j)
		dump_condemned(j, &c);
	rc = record_encoded(zs_format_condemned_encode(&c, again, err), err);
	zs_format_condemned_fini(&c);
	return rc;
}

static inline int record_removal(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_removal r;
	int rc;

	if (zs_format_removal_decode(s, &r, err) < 0)
		return -1;
	if (j)
		dump_removal(j, &r);
	rc = record_encoded(zs_format_removal_encode(&r, again, err), err);
	zs_format_removal_fini(&r);
	return rc;
}

static inline int record_entry(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_entry e;

	if (zs_format_entry_decode(s, &e, err) < 0)
		return -1;
	if (j)
		dump_entry(j, &e);
	return record_encoded(zs_format_entry_encode(&e, again, err), err);
}

static inline int record_xattrs(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_span name, value;
	int more;

	if (j)
		json_open(j, "xattrs", "[");
	while ((more = zs_format_xattr_next(&s, &name, &value, err)) > 0) {
		if (record_encoded(zs_format_xattr_add(again, name, value, err), err) < 0)
			return -1;
		if (!j)
			continue;
		json_open(j, NULL, "{");
		json_bytes(j, "name", name);
		json_bytes(j, "value", value);
		json_close(j, "}");
	}
	if (j)
		json_close(j, "]");
	return more;
}

static inline int record_recipe(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_op op;
	int more;

	if (j)
		json_open(j, "ops", "[");
	while ((more = zs_format_op_next(&s, &op, err)) > 0) {
		if (record_encoded(zs_format_op_encode(&op, again, err), err) < 0)
			return -1;
		if (j)
			dump_op(j, &op);
	}
	if (j)
		json_close(j, "]");
	return more;
}

static inline int record_node(struct zs_span s, struct json *j, struct zs_buf *again, struct zs_err *err)
{
	struct zs_node_reader r;
	struct zs_node_writer w;
	struct zs_node_row row;
	int more;

	if (zs_node_reader_init(&r, s, err) < 0)
		return -1;
	zs_node_writer_init(&w, r.level);
	if (j) {
		json_u64(j, "level", r.level);
		json_open(j, "rows", "[");
	}
	while ((more = zs_node_reader_next(&r, &row, err)) > 0) {
		if (record_encoded(zs_node_writer_add(&w, &row, err), err) < 0) {
			more = -1;
			break;
		}
		if (j)
			dump_row(j, r.level, &row);
	}
	if (j)
		json_close(j, "]");
	if (!more)
		more = record_encoded(zs_node_writer_finish(&w, again, err), err);
	zs_node_writer_fini(&w);
	zs_node_reader_fini(&r);
	return more;
}

#define RECORDS 16
static const struct record records[RECORDS] = {
    {"config", record_config, 1},
    {"config_object", record_config_object, 0},
    {"slot", record_slot, 1},
    {"slot_keys", record_slot_keys, 1},
    {"block_head", record_block_head, 0},
    {"pack_dir", record_pack_dir, 1},
    {"pack_trailer", record_pack_trailer, 0},
    {"index", record_index, 1},
    {"snapshot", record_snapshot, 1},
    {"session", record_session, 1},
    {"condemned", record_condemned, 1},
    {"removal", record_removal, 1},
    {"entry", record_entry, 0},
    {"xattrs", record_xattrs, 0},
    {"recipe", record_recipe, 0},
    {"node", record_node, 0},
};

static inline const struct record *record_find(const char *name)
{
	for (size_t i = 0; i < RECORDS; i++)
		if (strcmp(records[i].name, name) == 0)
			return &records[i];
	return NULL;
}

/*
 * The property of every decoder: what it takes is exactly what its encoder makes of it.  Where optional fields are
 * dropped the result is shorter, and stays as it is from then on.
 */
static inline void record_property(const struct record *rec, struct zs_span s)
{
	struct zs_buf once = ZS_BUF_INIT, twice = ZS_BUF_INIT;
	struct zs_err err = {.cause = ZS_OK};

	if (rec->run(s, NULL, &once, &err) < 0) {
		if (err.cause != ZS_CORRUPT && err.cause != ZS_VERSION)
			abort();
	} else if (!zs_span_eq(s, zs_buf_span(&once))) {
		if (!rec->skips || once.n >= s.n)
			abort();
		if (rec->run(zs_buf_span(&once), NULL, &twice, &err) < 0 ||
		    !zs_span_eq(zs_buf_span(&once), zs_buf_span(&twice)))
			abort();
	}
	zs_buf_fini(&once);
	zs_buf_fini(&twice);
}

#endif

/*
 * Checking objects without reading packs: does every metadata object parse and is it authentic, does every pack that is
 * named exist in its size.  Packs in full are check_pack.c's; snapshots' trees are the work layer's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

struct check {
	struct zs_store *st;
	zs_finding_fn *fn;
	void *ctx;
};

static int finding(const struct check *k, struct zs_err *err, const char *text)
{
	if (k->fn(k->ctx, text) == 0)
		return 0;
	return zs_fail(err, ZS_STOPPED, "the check was stopped");
}

/* What is wrong with an object is a finding; what keeps us from telling is an error; what has just gone is neither. */
static int judge(const struct check *k, int rc, struct zs_err *err)
{
	char text[sizeof(err->text)];

	if (rc == 0)
		return 0;
	if (err->cause != ZS_CORRUPT && err->cause != ZS_VERSION && err->cause != ZS_NOTFOUND)
		return -1;
	if (err->cause == ZS_NOTFOUND) {
		zs_err_clear(err);
		return 0;
	}
	memcpy(text, err->text, sizeof(text));
	zs_err_clear(err);
	return finding(k, err, text);
}

/* ------------------------------------------------------------ objects by type */

static int check_index(struct zs_store *st, const struct zs_name *name, struct zs_err *err)
{
	struct zs_index_object o = {0};
	int rc = records_get_index(st, name, &o, err);

	zs_index_object_fini(&o);
	return rc;
}

static int check_snapshot(struct zs_store *st, const struct zs_name *name, struct zs_err *err)
{
	struct zs_snapshot *s = NULL;
	int rc = records_get_snapshot(st, name, &s, err);

	zs_format_snapshot_free(s);
	return rc;
}

static int check_session(struct zs_store *st, const struct zs_name *name, struct zs_err *err)
{
	struct zs_session s = {0};
	int rc = records_get_session(st, name, &s, err);

	zs_format_session_fini(&s);
	return rc;
}

static int check_condemned(struct zs_store *st, const struct zs_name *name, struct zs_err *err)
{
	struct zs_condemned c = {0};
	int rc = records_get_condemned(st, name, &c, err);

	zs_format_condemned_fini(&c);
	return rc;
}

static int check_removal(struct zs_store *st, const struct zs_name *name, struct zs_err *err)
{
	struct zs_removal r = {0};
	int rc = records_get_removal(st, name, &r, err);

	zs_format_removal_fini(&r);
	return rc;
}

/* The secret part opens only with its own passphrase: shape and bounds are all that can be told of others' slots. */
static int check_key(struct zs_store *st, const struct zs_name *name, struct zs_err *err)
{
	struct zs_buf stored = ZS_BUF_INIT;
	struct zs_slot slot;
	struct zs_span head;
	char hex[ZS_NAME_HEX];
	int rc = zs_backend_get_all(st->be, ZS_OBJ_KEY, name, 64u << 10, &stored, err);

	if (rc == 0)
		rc = zs_format_slot_decode(zs_buf_span(&stored), &slot, &head, err);
	if (rc < 0)
		zs_context(err, "key object %s", zs_name_hex(name, hex));
	zs_buf_fini(&stored);
	return rc;
}

static int check_type(const struct check *k, enum zs_object type,
    int (*one)(struct zs_store *, const struct zs_name *, struct zs_err *), struct zs_err *err)
{
	struct zs_names names = {0};
	int rc = 0;

	if (objects_list(k->st->be, type, &names, err) < 0)
		return -1;
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = judge(k, one(k->st, &names.v[i], err), err);
	zs_names_fini(&names);
	return rc;
}

/* --------------------------------------------------------------------- packs */

static int check_named_pack(const struct check *k, const struct zs_collector *c, uint32_t ordinal, struct zs_err *err)
{
	const struct collect_pack *p = &c->packs[ordinal];
	const struct collect_object *o = collect_look_listed(c, &p->name);
	int missing = o ? 0 : sync_is_missing(k->st, ordinal, err);
	char hex[ZS_NAME_HEX], text[200];

	zs_name_hex(&p->name, hex);
	if (missing < 0)
		return -1;
	if (o ? o->bytes == p->stored_bytes : !missing)
		return 0;
	if (o)
		snprintf(text, sizeof(text), "pack %s has %llu bytes, not %llu", hex, (unsigned long long)o->bytes,
		    (unsigned long long)p->stored_bytes);
	else
		snprintf(text, sizeof(text), "pack %s is missing, but an index object names it", hex);
	return finding(k, err, text);
}

/* A pack may have been published or deleted since it was listed: listed and synced again, what stays wrong is wrong. */
static int look_at_packs(struct zs_collector *c, struct zs_err *err)
{
	if (zs_store_sync(c->st, err) < 0 || collect_look_grow(c, err) < 0 || collect_look_packs(c, err) < 0)
		return -1;
	return zs_store_sync(c->st, err) < 0 ? -1 : collect_look_grow(c, err);
}

static int check_packs(const struct check *k, uint64_t *out_unreferenced, struct zs_err *err)
{
	static const struct zs_collect_settings none;
	struct zs_collector c = {.st = k->st, .settings = &none};
	uint64_t known = 0;
	int rc = look_at_packs(&c, err);

	for (uint32_t i = 0; i < c.pack_count && rc == 0; i++) {
		const struct collect_pack *p = &c.packs[i];

		if (p->is_dead)
			continue;
		known += collect_look_listed(&c, &p->name) != NULL;
		rc = check_named_pack(k, &c, i, err);
	}
	if (rc == 0)
		*out_unreferenced = c.listing_count > known ? c.listing_count - known : 0;
	free(c.packs);
	free(c.live);
	free(c.avoid);
	free(c.listing);
	return rc;
}

int zs_store_check_objects(struct zs_store *st, zs_finding_fn *fn, void *ctx, uint64_t *out_unreferenced,
    struct zs_err *err)
{
	struct check k = {st, fn, ctx};

	if (check_type(&k, ZS_OBJ_KEY, check_key, err) < 0 || check_type(&k, ZS_OBJ_INDEX, check_index, err) < 0)
		return -1;
	if (check_type(&k, ZS_OBJ_SNAPSHOT, check_snapshot, err) < 0 ||
	    check_type(&k, ZS_OBJ_SESSION, check_session, err) < 0)
		return -1;
	if (check_type(&k, ZS_OBJ_CONDEMNED, check_condemned, err) < 0 ||
	    check_type(&k, ZS_OBJ_REMOVAL, check_removal, err) < 0)
		return -1;
	return check_packs(&k, out_unreferenced, err);
}

/* --------------------------------------------------------------------- sizes */

struct sizes_sum { struct zs_store_sizes *out; enum zs_object type; };

static int add_size(void *ctx, const struct zs_name *name, uint64_t bytes, struct zs_err *err)
{
	struct sizes_sum *s = ctx;

	(void)name;
	(void)err;
	s->out->objects[s->type]++;
	s->out->bytes[s->type] += bytes;
	return 0;
}

static int add_chunks(struct zs_store *st, const struct zs_name *name, struct zs_store_sizes *out, struct zs_err *err)
{
	struct zs_index_object o = {0};
	struct zs_names names = {0};
	int rc = records_get_index(st, name, &o, err);

	for (uint32_t i = 0; i < o.pack_count && rc == 0; i++) {
		names.n = 0;
		rc = zs_index_objects_of_pack(st->index, &o.packs[i].name, &names, err);
		zs_names_sort(&names);
		/* A pack that several index objects name counts with the first. */
		if (rc < 0 || (names.n > 0 && zs_name_cmp(&names.v[0], name) != 0))
			continue;
		out->chunks += o.packs[i].dir.chunk_count;
		for (uint32_t b = 0; b < o.packs[i].dir.block_count; b++)
			out->plain_bytes += o.packs[i].dir.blocks[b].plain_bytes;
	}
	if (rc < 0 && err->cause == ZS_NOTFOUND) {
		zs_err_clear(err);
		rc = 0;
	}
	zs_names_fini(&names);
	zs_index_object_fini(&o);
	return rc;
}

int zs_store_sizes(struct zs_store *st, struct zs_store_sizes *out, struct zs_err *err)
{
	struct zs_store_sizes sum = {.chunks = 0};
	struct zs_names names = {0};
	uint64_t bytes;
	int rc;

	for (int type = ZS_OBJ_KEY; type < ZS_OBJECTS; type++) {
		struct sizes_sum s = {&sum, (enum zs_object)type};

		if (zs_backend_list(st->be, s.type, add_size, &s, err) < 0)
			return -1;
	}
	rc = zs_backend_stat(st->be, ZS_OBJ_CONFIG, &zs_name_zero, &bytes, err);
	if (rc < 0)
		return -1;
	sum.objects[ZS_OBJ_CONFIG] = (uint64_t)rc;
	sum.bytes[ZS_OBJ_CONFIG] = rc ? bytes : 0;
	if (zs_store_sync(st, err) < 0 || objects_list(st->be, ZS_OBJ_INDEX, &names, err) < 0)
		return -1;
	rc = 0;
	for (size_t i = 0; i < names.n && rc == 0; i++)
		rc = add_chunks(st, &names.v[i], &sum, err);
	zs_names_fini(&names);
	if (rc == 0)
		*out = sum;
	return rc;
}

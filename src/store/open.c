/*
 * Making, opening and closing a repository, and what a store knows of itself.  Key slots are in slots.c; the local
 * index is opened by the first sync.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

#define OPEN_CONFIG_MAX (64u << 10)

void zs_store_config_default(struct zs_config *out)
{
	static const struct zs_config_sizes large = {16u << 10, 64u << 10, 256u << 10};
	static const struct zs_config_sizes small = {4u << 10, 16u << 10, 64u << 10};

	memset(out, 0, sizeof(*out));
	out->sizes[ZS_KIND_TEXT] = large;
	out->sizes[ZS_KIND_ATTACHMENT] = large;
	out->sizes[ZS_KIND_FILE] = large;
	out->sizes[ZS_KIND_SQL] = small;
	out->sizes[ZS_KIND_LDIF] = small;
	out->block_bytes = 2u << 20;
	out->pack_bytes = 32u << 20;
	out->level = 3;
	out->created_ns = (uint64_t)zs_now_ns();
}

/* -------------------------------------------------------------------- making */

/* ZS_EXISTS unless the backend is empty. */
static int open_must_be_empty(struct zs_backend *be, struct zs_err *err)
{
	const char *where = zs_backend_describe(be);
	uint64_t bytes;
	int got;

	got = zs_backend_stat(be, ZS_OBJ_CONFIG, &zs_name_zero, &bytes, err);
	if (got < 0)
		return -1;
	if (got)
		return zs_fail(err, ZS_EXISTS, "%s is a repository already", where);
	for (int type = ZS_OBJ_KEY; type < ZS_OBJECTS; type++) {
		got = objects_any(be, (enum zs_object)type, err);
		if (got < 0)
			return -1;
		if (got)
			return zs_fail(err, ZS_EXISTS, "%s is not empty: it holds %s objects", where,
			    zs_object_name((enum zs_object)type));
	}
	return 0;
}

static int open_put_config(struct zs_backend *be, const struct zs_name *repo_id, const struct zs_keyring *kr,
    const struct zs_config *config, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT, context = ZS_BUF_INIT, box = ZS_BUF_INIT, object = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_config_encode(config, &plain, err) < 0)
		goto out;
	if (objects_context(repo_id, ZS_OBJ_CONFIG, NULL, &context, err) < 0)
		goto out;
	if (zs_box_seal(&kr->meta, objects_magic(ZS_OBJ_CONFIG), ZS_FORMAT_VERSION, zs_buf_span(&context),
		zs_buf_span(&plain), &box, err) < 0)
		goto out;
	if (zs_format_config_object_encode(repo_id, zs_buf_span(&box), &object, err) < 0)
		goto out;
	rc = zs_backend_put(be, ZS_OBJ_CONFIG, &zs_name_zero, zs_buf_span(&object), err);
out:
	zs_buf_fini(&plain);
	zs_buf_fini(&context);
	zs_buf_fini(&box);
	zs_buf_fini(&object);
	return rc;
}

/* The recovery slot; its code goes to *out. */
static int open_put_recovery(struct zs_backend *be, const struct zs_name *repo_id, const struct zs_keyring *kr,
    struct zs_buf *out, struct zs_name *out_slot, struct zs_err *err)
{
	struct zs_secret secret = {.type = ZS_SECRET_RECOVERY};
	struct zs_buf code = ZS_BUF_INIT;
	int rc = -1;

	if (zs_store_recovery_code(&code, err) < 0)
		goto out;
	secret.bytes = zs_buf_span(&code);
	if (zs_buf_reserve(out, code.n, err) < 0)
		goto out;
	if (slots_create(be, repo_id, kr, &secret, "recovery code", out_slot, err) < 0)
		goto out;
	rc = zs_buf_add_span(out, secret.bytes, err);
out:
	zs_buf_wipe(&code);
	return rc;
}

int zs_store_init(struct zs_backend *be, const struct zs_config *config, const struct zs_secret *secret,
    const char *label, struct zs_buf *out_recovery, struct zs_err *err)
{
	size_t had = out_recovery ? out_recovery->n : 0;
	struct zs_keyring *kr = NULL;
	struct zs_name repo_id, slots[2];
	int n = 0, rc = -1;

	if (zs_codec_init(err) < 0 || open_must_be_empty(be, err) < 0)
		return -1;
	kr = zs_keyring_new(err);
	if (!kr)
		return -1;
	zs_keyring_generate(kr);
	zs_random(repo_id.b, sizeof(repo_id.b));
	if (slots_create(be, &repo_id, kr, secret, label, &slots[0], err) < 0)
		goto out;
	n = 1;
	if (out_recovery && open_put_recovery(be, &repo_id, kr, out_recovery, &slots[1], err) < 0)
		goto out;
	n += out_recovery != NULL;
	rc = open_put_config(be, &repo_id, kr, config, err);
out:
	/* Leave nothing that would keep the next init from working. */
	for (int i = 0; rc < 0 && i < n; i++)
		objects_discard(be, ZS_OBJ_KEY, &slots[i]);
	if (rc < 0 && out_recovery && out_recovery->n > had) {
		zs_wipe(out_recovery->p + had, out_recovery->n - had);
		out_recovery->n = had;
	}
	zs_keyring_free(kr);
	return rc;
}

/* ------------------------------------------------------------------- opening */

/* No config object: is this nothing at all, or half a repository? */
static int open_blame_missing(struct zs_backend *be, struct zs_err *err)
{
	static const enum zs_object types[] = {ZS_OBJ_KEY, ZS_OBJ_PACK, ZS_OBJ_INDEX, ZS_OBJ_SNAPSHOT};
	const char *where = zs_backend_describe(be);

	zs_err_clear(err);
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		int got = objects_any(be, types[i], err);

		if (got < 0 && err->sys != ENOENT)
			return -1;
		if (got > 0)
			return zs_fail(err, ZS_CORRUPT,
			    "%s has %s objects but no config object: half copied, or an init that was interrupted",
			    where, zs_object_name(types[i]));
		zs_err_clear(err); /* not even its directory is there */
	}
	return zs_fail(err, ZS_NOTFOUND, "%s is no repository (it has no config object)", where);
}

static int open_config(struct zs_store *st, struct zs_span box, struct zs_err *err)
{
	struct zs_buf context = ZS_BUF_INIT, plain = ZS_BUF_INIT;
	uint16_t version;
	int rc = -1;

	if (objects_context(&st->repo_id, ZS_OBJ_CONFIG, NULL, &context, err) < 0)
		goto out;
	if (zs_box_open(&st->kr->meta, objects_magic(ZS_OBJ_CONFIG), ZS_FORMAT_VERSION, zs_buf_span(&context), box,
		&plain, &version, err) < 0) {
		if (err->cause == ZS_KEY)
			zs_fail(err, ZS_CORRUPT, "damaged, or of another repository than the key slots");
		goto out;
	}
	rc = zs_format_config_decode(zs_buf_span(&plain), &st->config, err);
out:
	if (rc < 0)
		zs_context(err, "config object of %s", zs_backend_describe(st->be));
	zs_buf_fini(&context);
	zs_buf_fini(&plain);
	return rc;
}

static int open_unlock(struct zs_store *st, const struct zs_secret *secret, struct zs_err *err)
{
	struct zs_buf object = ZS_BUF_INIT;
	struct zs_span box;
	int rc = -1;

	if (zs_backend_get_all(st->be, ZS_OBJ_CONFIG, &zs_name_zero, OPEN_CONFIG_MAX, &object, err) < 0) {
		if (err->cause == ZS_NOTFOUND)
			open_blame_missing(st->be, err);
		goto out;
	}
	if (zs_format_config_object_decode(zs_buf_span(&object), &st->repo_id, &box, err) < 0) {
		zs_context(err, "%s", zs_backend_describe(st->be));
		goto out;
	}
	if (slots_unlock(st->be, &st->repo_id, secret, st->kr, &st->slot, err) < 0)
		goto out;
	rc = open_config(st, box, err);
out:
	zs_buf_fini(&object);
	return rc;
}

static int open_copy_settings(struct zs_store *st, const struct zs_store_settings *settings, struct zs_err *err)
{
	st->warn = settings->warn;
	st->warn_ctx = settings->warn_ctx;
	if (settings->cache_dir && !(st->cache_dir = strdup(settings->cache_dir)))
		return zs_fail_nomem(err);
	st->tmp_dir = strdup(settings->tmp_dir ? settings->tmp_dir : "/tmp");
	return st->tmp_dir ? 0 : zs_fail_nomem(err);
}

int zs_store_open(struct zs_backend *be, const struct zs_secret *secret, const struct zs_store_settings *settings,
    struct zs_store **out, struct zs_err *err)
{
	struct zs_store *st;

	if (zs_codec_init(err) < 0)
		return -1;
	st = calloc(1, sizeof(*st));
	if (!st)
		return zs_fail_nomem(err);
	st->be = be;
	pthread_mutex_init(&st->sync_lock, NULL);
	st->kr = zs_keyring_new(err);
	if (!st->kr || open_copy_settings(st, settings, err) < 0 || open_unlock(st, secret, err) < 0) {
		zs_store_free(st);
		return -1;
	}
	*out = st;
	return 0;
}

void zs_store_free(struct zs_store *st)
{
	if (!st)
		return;
	zs_index_close(st->index);
	zs_keyring_free(st->kr);
	zs_names_fini(&st->warned);
	pthread_mutex_destroy(&st->sync_lock);
	free(st->cache_dir);
	free(st->tmp_dir);
	free(st);
}

/* --------------------------------------------------------------- what it knows */

const struct zs_config *zs_store_config(const struct zs_store *st)
{
	return &st->config;
}

const struct zs_keyring *zs_store_keyring(const struct zs_store *st)
{
	return st->kr;
}

const struct zs_name *zs_store_repo_id(const struct zs_store *st)
{
	return &st->repo_id;
}

struct zs_backend *zs_store_backend(struct zs_store *st)
{
	return st->be;
}

const char *zs_store_tmp_dir(const struct zs_store *st)
{
	return st->tmp_dir;
}

struct zs_index *zs_store_index(struct zs_store *st)
{
	return st->index;
}

void open_warn(const struct zs_store *st, const char *fmt, ...)
{
	char text[640];
	va_list ap;

	if (!st->warn)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	st->warn(st->warn_ctx, text);
}

int open_cache_path(const struct zs_store *st, const char *leaf, struct zs_buf *out, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	if (!st->cache_dir)
		return zs_fail(err, ZS_SYSTEM, "no cache directory is set; name one with --cache-dir");
	if (zs_buf_printf(out, err, "%s/%s", st->cache_dir, zs_name_hex(&st->repo_id, hex)) < 0)
		return -1;
	if (zs_buf_add_u8(out, 0, err) < 0)
		return -1;
	if (zs_make_dirs((const char *)out->p, 0700, err) < 0)
		return zs_context(err, "the cache directory cannot be used (name another one with --cache-dir)");
	out->n--;
	if (zs_buf_printf(out, err, "/%s", leaf) < 0 || zs_buf_add_u8(out, 0, err) < 0)
		return -1;
	out->n--;
	return 0;
}

/* Repositories in memory, cheap keys, chunks that a number stands for: shared by the tests of the store. */
#ifndef STORE_HELP_H
#define STORE_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../../src/store/store_private.h"

#define HELP_UNUSED __attribute__((unused))
#define HELP_PACK (48u << 10) /* small packs: the tests want many */

struct help_warnings { unsigned count; char last[640]; };

static struct zs_err err;
static char help_root[32];
static unsigned help_dirs;
static struct help_warnings help_warned;

static HELP_UNUSED void help_warn(void *ctx, const char *text)
{
	struct help_warnings *w = ctx;

	w->count++;
	snprintf(w->last, sizeof(w->last), "%s", text);
}

static HELP_UNUSED int help_setup(void **state)
{
	int memory = access("/dev/shm", W_OK) == 0;

	(void)state;
	/* In memory where there is such a place: the index syncs its files, hundreds of times here. */
	snprintf(help_root, sizeof(help_root), "%s/zs-store-XXXXXX", memory ? "/dev/shm" : "/tmp");
	return zs_codec_init(&err) < 0 || !mkdtemp(help_root) ? -1 : 0;
}

static HELP_UNUSED int help_teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf '%s'", help_root);
	return system(command);
}

static HELP_UNUSED void help_fresh_dir(char out[static 64])
{
	snprintf(out, 64, "%s/%u", help_root, help_dirs++);
}

static HELP_UNUSED struct zs_secret help_secret(const char *passphrase)
{
	return (struct zs_secret){
	    .type = ZS_SECRET_PASSPHRASE, .bytes = zs_span_str(passphrase), .ops = 1, .mem_kib = 8};
}

static HELP_UNUSED void help_config(struct zs_config *c)
{
	zs_store_config_default(c);
	c->block_bytes = 64u << 10;
	c->pack_bytes = 1u << 20;
	c->level = 1;
}

static HELP_UNUSED int help_try_init(struct zs_backend *be, struct zs_err *e)
{
	struct zs_secret secret = help_secret("sesame");
	struct zs_config config;

	help_config(&config);
	return zs_store_init(be, &config, &secret, "first", NULL, e);
}

static HELP_UNUSED struct zs_backend *help_repo(void)
{
	struct zs_backend *be = zs_backend_mem_new();

	assert_non_null(be);
	assert_int_equal(help_try_init(be, &err), 0);
	return be;
}

static HELP_UNUSED int help_try_open(struct zs_backend *be, const char *cache, struct zs_store **out, struct zs_err *e)
{
	struct zs_store_settings settings = {
	    .cache_dir = cache, .tmp_dir = help_root, .warn = help_warn, .warn_ctx = &help_warned};
	struct zs_secret secret = help_secret("sesame");

	if (zs_store_open(be, &secret, &settings, out, e) < 0)
		return -1;
	(*out)->config.pack_bytes = HELP_PACK;
	return 0;
}

/* cache: NULL for a directory of its own. */
static HELP_UNUSED struct zs_store *help_open(struct zs_backend *be, const char *cache)
{
	struct zs_store *st;
	char fresh[64];

	help_fresh_dir(fresh);
	if (help_try_open(be, cache ? cache : fresh, &st, &err) < 0)
		fail_msg("%s", err.text);
	return st;
}

/* ------------------------------------------------------------------- chunks */

static HELP_UNUSED uint64_t help_next(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	*x ^= *x << 17;
	return *x;
}

#define HELP_CHUNK_MAX 6000

/* Chunk i: 100 .. 5999 bytes that depend on i alone; every third one compresses well. */
static HELP_UNUSED struct zs_span help_chunk(uint32_t i, uint8_t out[static HELP_CHUNK_MAX])
{
	uint64_t x = 0x9E3779B97F4A7C15u * (i + 1);
	size_t n = 100 + help_next(&x) % 5900;

	for (size_t k = 0; k < n; k++) {
		if (k % 8 == 0)
			help_next(&x);
		out[k] = i % 3 == 0 ? (uint8_t)("abcdefgh"[x & 7]) : (uint8_t)(x >> (k % 8 * 8));
	}
	zs_put_u32(out, i);
	return zs_span(out, n);
}

static HELP_UNUSED enum zs_kind help_kind(uint32_t i)
{
	return (enum zs_kind)(1 + i % (ZS_KINDS - 1));
}

static HELP_UNUSED struct zs_id help_id(struct zs_store *st, uint32_t i)
{
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_id id;

	zs_codec_chunk_id(&zs_store_keyring(st)->chunk_id, help_chunk(i, bytes), &id);
	return id;
}

static HELP_UNUSED int help_ship(struct zs_txn *txn, struct zs_press *press, struct zs_block *b, struct zs_err *e)
{
	if (zs_store_block_press(b, press, -1, e) < 0) {
		zs_store_block_free(txn, b);
		return -1;
	}
	return zs_store_append(txn, &b, e);
}

/* Chunks from .. from+n-1, all in one thread; *out_added counts those that were new. */
static HELP_UNUSED int help_try_put(struct zs_txn *txn, uint32_t from, uint32_t n, unsigned *out_added,
    struct zs_err *e)
{
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_press *press = NULL;
	struct zs_block *full;
	uint32_t added;
	int rc = -1, got;

	*out_added = 0;
	if (zs_press_new(&press, e) < 0)
		return -1;
	for (uint32_t i = from; i < from + n; i++) {
		struct zs_id id = help_id(txn->st, i);

		if (zs_store_put(txn, help_kind(i), &id, help_chunk(i, bytes), &added, &full, e) < 0)
			goto out;
		*out_added += added > 0;
		if (full && help_ship(txn, press, full, e) < 0)
			goto out;
	}
	while ((got = zs_store_flush(txn, &full, e)) > 0) {
		if (help_ship(txn, press, full, e) < 0)
			goto out;
	}
	rc = got;
out:
	zs_press_free(press);
	return rc;
}

static HELP_UNUSED unsigned help_put(struct zs_txn *txn, uint32_t from, uint32_t n)
{
	unsigned added;

	if (help_try_put(txn, from, n, &added, &err) < 0)
		fail_msg("%s", err.text);
	return added;
}

static HELP_UNUSED struct zs_snapshot *help_snapshot(const char *host, const struct zs_id *root)
{
	struct zs_snapshot *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	s->root = *root;
	s->time_ns = 1700000000000000000;
	s->host = strdup(host);
	s->user = strdup("root");
	s->program = strdup("zstore test");
	return s;
}

static HELP_UNUSED int help_try_snapshot(struct zs_txn *txn, const char *host, uint32_t root, zs_store_prove_fn *prove,
    void *ctx, struct zs_name *out, struct zs_err *e)
{
	struct zs_id id = help_id(txn->st, root);
	struct zs_snapshot *s = help_snapshot(host, &id);
	int rc = zs_store_snapshot_put(txn, s, prove, ctx, out, e);

	zs_format_snapshot_free(s);
	return rc;
}

/* A whole run: begin, chunks, snapshot, commit. */
static HELP_UNUSED int help_try_backup(struct zs_store *st, const char *host, uint32_t from, uint32_t n,
    struct zs_name *out, struct zs_err *e)
{
	struct zs_txn *txn;
	unsigned added;

	if (zs_store_begin(st, ZS_SESSION_WRITER, &txn, e) < 0)
		return -1;
	if (help_try_put(txn, from, n, &added, e) < 0 || help_try_snapshot(txn, host, from, NULL, NULL, out, e) < 0) {
		zs_store_abort(&txn);
		return -1;
	}
	return zs_store_commit(&txn, e);
}

static HELP_UNUSED struct zs_name help_backup(struct zs_store *st, const char *host, uint32_t from, uint32_t n)
{
	struct zs_name name;

	if (help_try_backup(st, host, from, n, &name, &err) < 0)
		fail_msg("%s", err.text);
	return name;
}

static HELP_UNUSED int help_read_one(struct zs_store_reader *r, uint32_t i, struct zs_err *e)
{
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_id id = help_id(reader_store(r), i);
	struct zs_span got;

	if (zs_store_read(r, &id, &got, e) < 0)
		return -1;
	/* Whatever happened to the store: never other bytes. */
	assert_true(zs_span_eq(got, help_chunk(i, bytes)));
	return 0;
}

static HELP_UNUSED void help_read_all(struct zs_store *st, uint32_t from, uint32_t n)
{
	struct zs_store_reader *r;

	if (zs_store_reader_new(st, 256u << 10, &r, &err) < 0)
		fail_msg("%s", err.text);
	for (uint32_t i = from; i < from + n; i++) {
		if (help_read_one(r, i, &err) < 0)
			fail_msg("%s", err.text);
	}
	zs_store_reader_free(r);
}

/* ------------------------------------------------------------------ objects */

static HELP_UNUSED struct zs_names help_list(struct zs_backend *be, enum zs_object type)
{
	struct zs_names names = {0};

	assert_int_equal(objects_list(be, type, &names, &err), 0);
	return names;
}

static HELP_UNUSED size_t help_count(struct zs_backend *be, enum zs_object type)
{
	struct zs_names names = help_list(be, type);
	size_t n = names.n;

	zs_names_fini(&names);
	return n;
}

static HELP_UNUSED struct zs_buf help_get(struct zs_backend *be, enum zs_object type, const struct zs_name *name)
{
	struct zs_buf b = ZS_BUF_INIT;

	assert_int_equal(zs_backend_get_all(be, type, name, SIZE_MAX / 2, &b, &err), 0);
	return b;
}

/* Whatever stood there is replaced. */
static HELP_UNUSED void help_replace(struct zs_backend *be, enum zs_object type, const struct zs_name *name,
    struct zs_span s)
{
	assert_int_equal(zs_backend_delete(be, type, name, &err), 0);
	assert_int_equal(zs_backend_put(be, type, name, s, &err), 0);
}

static HELP_UNUSED void help_swap(struct zs_backend *be, enum zs_object type, const struct zs_name *a,
    const struct zs_name *b)
{
	struct zs_buf of_a = help_get(be, type, a), of_b = help_get(be, type, b);

	help_replace(be, type, a, zs_buf_span(&of_b));
	help_replace(be, type, b, zs_buf_span(&of_a));
	zs_buf_fini(&of_a);
	zs_buf_fini(&of_b);
}

static HELP_UNUSED size_t help_snapshots(struct zs_store *st, size_t *out_damaged)
{
	struct zs_snapshot_list l;
	struct zs_names damaged = {0};
	size_t n;

	if (zs_store_snapshots(st, &l, &damaged, &err) < 0)
		fail_msg("%s", err.text);
	n = l.n;
	if (out_damaged)
		*out_damaged = damaged.n;
	zs_snapshot_list_fini(&l);
	zs_names_fini(&damaged);
	return n;
}

#endif

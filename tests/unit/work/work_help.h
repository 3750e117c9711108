/* Repositories in memory and snapshots made by hand: shared by tests of work. */
#ifndef WORK_HELP_H
#define WORK_HELP_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "zstore/mail.h"
#include "zstore/work.h"

#define HELP __attribute__((unused)) static

static char help_root[] = "/tmp/zs-work-XXXXXX";
static unsigned help_dirs;
static char help_tmp[] = "/tmp";

HELP int help_setup(void **state)
{
	struct zs_err err;

	(void)state;
	return zs_codec_init(&err) < 0 || !mkdtemp(help_root) ? -1 : 0;
}

HELP int help_teardown(void **state)
{
	char command[128];

	(void)state;
	(void)snprintf(command, sizeof(command), "rm -rf '%s'", help_root);
	return system(command);
}

HELP struct zs_secret help_secret(void)
{
	return (struct zs_secret){.type = ZS_SECRET_PASSPHRASE, .bytes = zs_span_str("sesame"), .ops = 1, .mem_kib = 8};
}

HELP struct zs_backend *help_repo(void)
{
	struct zs_backend *be = zs_backend_mem_new();
	struct zs_secret secret = help_secret();
	struct zs_config config;
	struct zs_err err = {0};

	assert_non_null(be);
	zs_store_config_default(&config);
	config.block_bytes = 64u << 10;
	config.pack_bytes = 1u << 20;
	config.level = 1;
	if (zs_store_init(be, &config, &secret, "test", NULL, &err) < 0)
		fail_msg("%s", err.text);
	return be;
}

/* With a cache of its own. */
HELP struct zs_store *help_open(struct zs_backend *be)
{
	char cache[96];
	struct zs_store_settings settings = {.cache_dir = cache, .tmp_dir = help_tmp};
	struct zs_secret secret = help_secret();
	struct zs_store *st = NULL;
	struct zs_err err = {0};

	(void)snprintf(cache, sizeof(cache), "%s/%u", help_root, help_dirs++);
	if (zs_store_open(be, &secret, &settings, &st, &err) < 0)
		fail_msg("%s", err.text);
	return st;
}

/* --------------------------------------------------------------- snapshots */

struct help_file { /* in path order; no seed: a directory */
	const char *path;
	uint32_t seed, bytes; /* content: bytes that depend on seed only; up to ZS_INLINE_MAX: inline */
	const char *message_id;
	/* lies: what the entry says that is not so */
	int wrong_sum, wrong_length, no_chunk;
};

struct help_writer {
	struct zs_store *st;
	struct zs_txn *txn;
	struct zs_press *press;
	uint64_t wrong_totals; /* a lie of the snapshot */
};

HELP int help_ship(struct help_writer *w, struct zs_block *b, struct zs_err *err)
{
	if (!b)
		return 0;
	if (zs_store_block_press(b, w->press, -1, err) < 0) {
		zs_store_block_free(w->txn, b);
		return -1;
	}
	return zs_store_append(w->txn, &b, err);
}

HELP int help_put(struct help_writer *w, enum zs_kind kind, struct zs_span plain, struct zs_id *out, struct zs_err *err)
{
	struct zs_block *full = NULL;
	uint32_t added;

	zs_codec_chunk_id(&zs_store_keyring(w->st)->chunk_id, plain, out);
	if (zs_store_put(w->txn, kind, out, plain, &added, &full, err) < 0)
		return -1;
	return help_ship(w, full, err);
}

HELP int help_put_node(void *ctx, struct zs_span node, struct zs_id *out_id, struct zs_err *err)
{
	return help_put(ctx, ZS_KIND_TREE, node, out_id, err);
}

HELP void help_fill(uint8_t *p, size_t n, uint32_t seed)
{
	uint64_t x = 0x9E3779B97F4A7C15u * (seed + 1);

	for (size_t i = 0; i < n; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		p[i] = (uint8_t)x;
	}
}

#define HELP_CHUNK 20000

/* Content in chunks, and the recipe that puts it together. */
HELP void help_content(struct help_writer *w, const struct help_file *f, struct zs_span content, struct zs_buf *recipe)
{
	struct zs_op op = {.type = ZS_OP_RAW};
	struct zs_err err = {0};

	for (size_t at = 0; at < content.n; at += op.bytes) {
		op.bytes = content.n - at < HELP_CHUNK ? content.n - at : HELP_CHUNK;
		if (f->no_chunk && at == 0)
			memset(op.id.b, 0x5a, sizeof(op.id.b));
		else if (help_put(w, ZS_KIND_FILE, zs_span(content.p + at, op.bytes), &op.id, &err) < 0)
			fail_msg("%s", err.text);
		if (f->wrong_length && at == 0) {
			struct zs_op lie = op;

			lie.bytes--;
			assert_int_equal(zs_format_op_encode(&lie, recipe, &err), 0);
		} else {
			assert_int_equal(zs_format_op_encode(&op, recipe, &err), 0);
		}
	}
}

HELP void help_entry(struct help_writer *w, const struct help_file *f, struct zs_buf *out)
{
	struct zs_entry e = {
	    .kind = f->seed ? ZS_ENTRY_FILE : ZS_ENTRY_DIR, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	struct zs_buf recipe = ZS_BUF_INIT;
	uint8_t *content = malloc(f->bytes + 1);
	struct zs_err err = {0};

	assert_non_null(content);
	if (f->seed) {
		help_fill(content, f->bytes, f->seed);
		e.size = f->bytes;
		e.sum = zs_hash64(0, zs_span(content, f->bytes)) + (uint64_t)f->wrong_sum;
		if (f->message_id) {
			e.flags = ZS_ENTRY_MESSAGE;
			e.message_id = zs_span_str(f->message_id);
		}
		if (f->bytes <= ZS_INLINE_MAX)
			e.inline_data = zs_span(content, f->bytes);
		else
			help_content(w, f, zs_span(content, f->bytes), &recipe);
		e.recipe = zs_buf_span(&recipe);
	}
	zs_buf_clear(out);
	if (zs_format_entry_encode(&e, out, &err) < 0)
		fail_msg("%s", err.text);
	zs_buf_fini(&recipe);
	free(content);
}

HELP struct zs_id help_tree(struct help_writer *w, const struct help_file *files, size_t n)
{
	const struct zs_tree_io io = {.ctx = w, .put = help_put_node};
	struct zs_buf entry = ZS_BUF_INIT;
	struct zs_tree_builder *b;
	struct zs_totals totals;
	struct zs_id root;
	struct zs_err err = {0};

	assert_int_equal(zs_tree_builder_new(&io, 1, &b, &err), 0);
	for (size_t i = 0; i < n; i++) {
		help_entry(w, &files[i], &entry);
		if (zs_tree_builder_add(b, zs_span_str(files[i].path), zs_buf_span(&entry), &err) < 0)
			fail_msg("%s", err.text);
	}
	if (zs_tree_builder_finish(b, &root, &totals, &err) < 0)
		fail_msg("%s", err.text);
	zs_tree_builder_free(b);
	zs_buf_fini(&entry);
	return root;
}

/* What the root says of all below; zeros if it cannot be read. */
HELP struct zs_totals help_totals(struct help_writer *w, const struct zs_id *root)
{
	struct zs_store_reader *r = NULL;
	struct zs_totals t = {0};
	struct zs_tree_io io;
	struct zs_err err = {0};

	assert_int_equal(zs_store_publish(w->txn, &err), 0);
	assert_int_equal(zs_store_reader_new(w->st, 1 << 20, &r, &err), 0);
	io = zs_reader_tree_io(r);
	if (zs_tree_totals(&io, root, zs_span(NULL, 0), &t, &err) < 0)
		memset(&t, 0, sizeof(t));
	zs_store_reader_free(r);
	return t;
}

/* A snapshot of a tree that is in the transaction; ends it. */
HELP struct zs_name help_finish(struct help_writer *w, const char *host, const struct zs_id *root)
{
	struct zs_snapshot *s = calloc(1, sizeof(*s));
	struct zs_name name;
	struct zs_block *b;
	struct zs_err err = {0};
	int got;

	assert_non_null(s);
	while ((got = zs_store_flush(w->txn, &b, &err)) > 0)
		if (help_ship(w, b, &err) < 0)
			fail_msg("%s", err.text);
	assert_int_equal(got, 0);
	s->root = *root;
	s->totals = help_totals(w, root);
	s->totals.bytes += w->wrong_totals;
	s->time_ns = INT64_C(1764000000000000000) + (int64_t)help_dirs++;
	s->host = strdup(host);
	s->user = strdup("root");
	s->program = strdup("zstore test");
	if (zs_store_snapshot_put(w->txn, s, NULL, NULL, &name, &err) < 0)
		fail_msg("%s", err.text);
	zs_format_snapshot_free(s);
	if (zs_store_commit(&w->txn, &err) < 0)
		fail_msg("%s", err.text);
	zs_press_free(w->press);
	return name;
}

HELP struct help_writer help_begin(struct zs_store *st)
{
	struct help_writer w = {.st = st};
	struct zs_err err = {0};

	assert_int_equal(zs_press_new(&w.press, &err), 0);
	if (zs_store_begin(st, ZS_SESSION_WRITER, &w.txn, &err) < 0)
		fail_msg("%s", err.text);
	return w;
}

HELP struct zs_name help_backup(struct zs_store *st, const char *host, const struct help_file *files, size_t n)
{
	struct help_writer w = help_begin(st);
	struct zs_id root = help_tree(&w, files, n);

	return help_finish(&w, host, &root);
}

#endif

/* Transactions and readers: what is put is read back, stored once, in packs of the promised shape. */
#include "store_help.h"

#define MANY 600

static void test_round_trip(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_txn *txn;
	struct zs_name name;

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 1);
	assert_int_equal(help_put(txn, 0, MANY), MANY);
	assert_int_equal(help_put(txn, 0, MANY), 0);
	assert_int_equal(help_try_snapshot(txn, "mail", 1, NULL, NULL, &name, &err), 0);
	assert_true(zs_store_txn_stored_bytes(txn) > 8 * HELP_PACK);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	assert_null(txn);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	assert_true(help_count(be, ZS_OBJ_PACK) > STORE_INDEX_PACKS);
	assert_true(help_count(be, ZS_OBJ_INDEX) >= help_count(be, ZS_OBJ_PACK) / STORE_INDEX_PACKS);
	help_read_all(st, 0, MANY);
	/* A second run, and another client that has never seen any of it. */
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_put(txn, 10, MANY), 10);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	zs_store_free(st);
	st = help_open(be, NULL);
	help_read_all(st, 0, MANY + 10);
	assert_int_equal(help_snapshots(st, NULL), 1);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Every pack has a Padme size, a name that is its hash, and a directory that says where all is. */
static void test_packs(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_names packs;
	uint64_t chunks = 0;

	(void)state;
	help_backup(st, "mail", 0, MANY);
	packs = help_list(be, ZS_OBJ_PACK);
	for (size_t i = 0; i < packs.n; i++) {
		struct zs_buf b = help_get(be, ZS_OBJ_PACK, &packs.v[i]);
		struct zs_pack_dir dir, again;
		struct zs_pack_trailer trailer;
		struct zs_pack_seal *seal;
		struct zs_pack_tag tag;
		struct zs_name name;

		zs_codec_name(zs_buf_span(&b), &name);
		assert_int_equal(zs_name_cmp(&name, &packs.v[i]), 0);
		assert_int_equal(zs_padme(b.n), b.n);
		assert_int_equal(packs_load_dir(st, &packs.v[i], b.n, &dir, &tag, &trailer, &err), 0);
		assert_int_equal(packs_open_seal(st, &packs.v[i], tag.b, NULL, &seal, &err), 0);
		assert_int_equal(packs_check_padding(st, &packs.v[i], &trailer, &err), 0);
		trailer.padding_offset++;
		assert_int_equal(packs_check_padding(st, &packs.v[i], &trailer, &err), -1);
		for (uint32_t k = 0; k < dir.block_count; k++)
			assert_true(dir.blocks[k].plain_bytes <= 64 << 10);
		chunks += dir.chunk_count;
		tag.b[0] ^= 1;
		zs_pack_seal_free(seal);
		assert_int_equal(packs_open_seal(st, &packs.v[i], tag.b, NULL, &seal, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		for (uint64_t n = 0; n < 400; n += 13)
			assert_int_equal(packs_load_dir(st, &packs.v[i], n, &again, NULL, NULL, &err), -1);
		zs_pack_dir_fini(&dir);
		zs_buf_fini(&b);
	}
	assert_int_equal(chunks, MANY);
	zs_names_fini(&packs);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Padding that is properly sealed but holds something is refused: nobody hides data in packs. */
static void test_padding_is_zeros(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);

	(void)state;
	for (uint8_t fill = 0; fill < 2; fill++) {
		struct zs_pack_trailer t = {.padding_offset = ZS_PACK_HEADER, .padding_stored_bytes = 100 + ZS_SEAL_TAG};
		uint8_t header[ZS_PACK_HEADER], plain[100] = {0};
		struct zs_name name = {{fill, 7}};
		struct zs_buf b = ZS_BUF_INIT;
		struct zs_pack_seal *seal;
		struct zs_pack_tag tag;

		plain[99] = fill;
		assert_int_equal(zs_pack_seal_new(st->kr, &st->repo_id, header, &tag, &seal, &err), 0);
		assert_int_equal(zs_buf_add(&b, header, sizeof(header), &err), 0);
		assert_int_equal(
		    zs_pack_seal_part(seal, ZS_PART_PADDING, STORE_PART_PADDING, zs_span(plain, 100), &b, &err), 0);
		assert_int_equal(zs_backend_put(be, ZS_OBJ_PACK, &name, zs_buf_span(&b), &err), 0);
		assert_int_equal(packs_check_padding(st, &name, &t, &err), fill ? -1 : 0);
		zs_pack_seal_free(seal);
		zs_buf_fini(&b);
	}
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_non_null(strstr(err.text, "padding"));
	zs_store_free(st);
	zs_backend_free(be);
}

/* What an aborted run had stored is found by the next one. */
static void test_abort_keeps(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_txn *txn = NULL;

	(void)state;
	zs_store_abort(&txn);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_put(txn, 0, 50), 50);
	zs_store_abort(&txn);
	assert_null(txn);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_put(txn, 0, 50), 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Chunks in open blocks and unfinished packs are known, but only what is published is there for others. */
static void test_known_before_it_is_published(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL), *other = help_open(be, NULL);
	struct zs_store_reader *r;
	struct zs_txn *txn;
	struct zs_id id = help_id(st, 7);
	uint8_t bytes[HELP_CHUNK_MAX];
	struct zs_location at;
	struct zs_block *full;
	struct zs_span got;
	uint32_t added;

	(void)state;
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(zs_store_reader_new(other, 1 << 20, &r, &err), 0);
	assert_int_equal(zs_store_has(txn, &id, &err), 0);
	assert_int_equal(zs_store_put(txn, help_kind(7), &id, help_chunk(7, bytes), &added, &full, &err), 0);
	assert_true(added > 0 && !full);
	assert_int_equal(zs_store_has(txn, &id, &err), 1);
	assert_int_equal(zs_store_put(txn, help_kind(7), &id, help_chunk(7, bytes), &added, &full, &err), 0);
	assert_int_equal(added, 0);
	assert_int_equal(zs_store_read(r, &id, &got, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(zs_store_locate(r, &id, &at, &err), 0);
	help_put(txn, 0, 0); /* flushes */
	assert_int_equal(zs_store_has(txn, &id, &err), 1);
	assert_int_equal(zs_store_locate(r, &id, &at, &err), 0);
	assert_int_equal(zs_store_publish(txn, &err), 0);
	assert_int_equal(txn->pending.n, 0);
	assert_int_equal(zs_store_has(txn, &id, &err), 1);
	/* The other client's index is behind: it catches up by itself. */
	assert_int_equal(zs_store_read(r, &id, &got, &err), 0);
	assert_int_equal(zs_store_locate(r, &id, &at, &err), 1);
	assert_int_equal(at.kind, help_kind(7));
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	zs_store_reader_free(r);
	zs_store_free(st);
	zs_store_free(other);
	zs_backend_free(be);
}

static void test_limits(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	uint8_t *big = malloc(STORE_CHUNK_MAX + 1);
	struct zs_press *press;
	struct zs_store_reader *r;
	struct zs_block *full;
	struct zs_txn *txn;
	struct zs_span got;
	struct zs_id id;
	uint32_t added;

	(void)state;
	assert_non_null(big);
	for (size_t i = 0; i <= STORE_CHUNK_MAX; i++)
		big[i] = (uint8_t)(i * i >> 7);
	assert_int_equal(zs_press_new(&press, &err), 0);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	zs_codec_chunk_id(&st->kr->chunk_id, zs_span(big, STORE_CHUNK_MAX), &id);
	assert_int_equal(zs_store_put(txn, ZS_KIND_FILE, &id, zs_span(big, 0), &added, &full, &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(zs_store_put(txn, ZS_KIND_FILE, &id, zs_span(big, STORE_CHUNK_MAX + 1), &added, &full, &err),
	    -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(zs_store_put(txn, (enum zs_kind)0, &id, zs_span(big, 1), &added, &full, &err), -1);
	assert_int_equal(zs_store_put(txn, (enum zs_kind)ZS_KINDS, &id, zs_span(big, 1), &added, &full, &err), -1);
	/* The largest chunk does not fit a block of this repository and gets one of its own. */
	assert_int_equal(help_put(txn, 0, 30), 30);
	assert_int_equal(zs_store_put(txn, ZS_KIND_FILE, &id, zs_span(big, STORE_CHUNK_MAX), &added, &full, &err), 0);
	assert_null(full);
	assert_int_equal(added, STORE_CHUNK_MAX);
	assert_int_equal(zs_store_flush(txn, &full, &err), 1);
	assert_true(zs_store_block_weight(full) >= STORE_CHUNK_MAX);
	assert_int_equal(full->chunk_count, 1);
	assert_int_equal(help_ship(txn, press, full, &err), 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	assert_int_equal(zs_store_reader_new(st, 0, &r, &err), 0); /* one block at least is kept */
	assert_int_equal(zs_store_read(r, &id, &got, &err), 0);
	assert_true(zs_span_eq(got, zs_span(big, STORE_CHUNK_MAX)));
	zs_store_reader_free(r);
	help_read_all(st, 0, 30);
	zs_press_free(press);
	free(big);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Many tiny chunks: no block and no pack grows beyond its number of chunks. */
static void test_tiny_chunks(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_press *press;
	struct zs_block *full;
	struct zs_txn *txn;
	unsigned blocks = 0;
	uint32_t added;

	(void)state;
	st->config.block_bytes = 1 << 20;
	assert_int_equal(zs_press_new(&press, &err), 0);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	for (uint32_t i = 0; i < 2 * STORE_BLOCK_CHUNKS + 10; i++) {
		struct zs_id id = {{0}};
		uint8_t b[4];

		zs_put_u32(b, i);
		zs_put_u64(id.b, (i + 1) * UINT64_C(0x9E3779B97F4A7C15)); /* as random as a hash */
		assert_int_equal(zs_store_put(txn, ZS_KIND_TREE, &id, zs_span(b, 4), &added, &full, &err), 0);
		if (full) {
			blocks++;
			assert_int_equal(full->chunk_count, STORE_BLOCK_CHUNKS);
			assert_int_equal(help_ship(txn, press, full, &err), 0);
		}
	}
	assert_int_equal(blocks, 2);
	zs_press_free(press);
	zs_store_abort(&txn);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Chunks in condemned packs count as absent and are stored again. */
static void test_condemned(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_condemned c = {0};
	struct zs_names packs;
	struct zs_name name;
	struct zs_txn *txn;

	(void)state;
	help_backup(st, "mail", 0, 60);
	packs = help_list(be, ZS_OBJ_PACK);
	assert_true(packs.n >= 2);
	for (size_t i = 0; i < packs.n; i++)
		assert_int_equal(zs_names_add(&c.packs, &packs.v[i], &err), 0);
	assert_int_equal(records_put_condemned(st, &c, &name, &err), 0);
	help_backup(st, "mail", 100, 5); /* elsewhere: not condemned */
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), 0);
	assert_int_equal(help_put(txn, 100, 5), 0);
	assert_int_equal(help_put(txn, 0, 60), 60);
	assert_int_equal(zs_store_publish(txn, &err), 0);
	assert_int_equal(help_put(txn, 0, 60), 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	/* Now they may go. */
	for (size_t i = 0; i < packs.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
	help_read_all(st, 0, 60);
	/* A list that cannot be read may condemn anything: no backup. */
	help_replace(be, ZS_OBJ_CONDEMNED, &name, zs_span_str("rubbish"));
	assert_int_equal(zs_store_begin(st, ZS_SESSION_WRITER, &txn, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(help_count(be, ZS_OBJ_SESSION), 0);
	zs_names_fini(&packs);
	zs_format_condemned_fini(&c);
	zs_store_free(st);
	zs_backend_free(be);
}

/* The bitmap of one's own: a pack to be repacked, its blocks copied as they are. */
static void test_copy_blocks(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_store_reader *r;
	struct zs_names packs;
	struct zs_txn *txn;

	(void)state;
	help_backup(st, "mail", 0, 60);
	packs = help_list(be, ZS_OBJ_PACK);
	assert_int_equal(zs_store_begin(st, ZS_SESSION_PRUNE, &txn, &err), 0);
	assert_int_equal(zs_store_reader_new(st, 1 << 20, &r, &err), 0);
	for (size_t i = 0; i < packs.n; i++) {
		uint64_t offset = ZS_PACK_HEADER, bytes;
		struct zs_pack_dir dir;
		uint32_t ordinal;

		assert_int_equal(zs_index_pack_find(st->index, &packs.v[i], &ordinal, &err), 1);
		assert_int_equal(txn_avoid(txn, ordinal, &err), 0);
		assert_int_equal(zs_backend_stat(be, ZS_OBJ_PACK, &packs.v[i], &bytes, &err), 1);
		assert_int_equal(packs_load_dir(st, &packs.v[i], bytes, &dir, NULL, NULL, &err), 0);
		for (uint32_t k = 0; k < dir.block_count; k++) {
			const struct zs_pack_block *row = &dir.blocks[k];
			struct zs_location at = {.pack = ordinal, .block = k, .block_offset = offset,
			    .block_stored = row->stored_bytes};
			struct zs_buf opened = ZS_BUF_INIT;
			struct zs_block *b;

			assert_int_equal(zs_store_has(txn, &dir.chunks[row->first_chunk].id, &err), 0);
			assert_int_equal(reader_open_block(r, &at, &opened, &err), 0);
			assert_int_equal(block_from_pressed(txn, (enum zs_kind)row->kind, dir.chunks + row->first_chunk,
					     row->chunk_count, zs_buf_span(&opened), &b, &err), 0);
			assert_int_equal(zs_store_append(txn, &b, &err), 0);
			zs_buf_fini(&opened);
			offset += row->stored_bytes;
		}
		zs_pack_dir_fini(&dir);
	}
	assert_int_equal(zs_store_publish(txn, &err), 0);
	assert_int_equal(help_put(txn, 0, 60), 0);
	assert_int_equal(zs_store_commit(&txn, &err), 0);
	for (size_t i = 0; i < packs.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
	zs_store_reader_free(r);
	help_read_all(st, 0, 60);
	zs_names_fini(&packs);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Two clients at once, each with an index of its own: both complete, and know each other's chunks once they look. */
static void test_two_at_once(void **state)
{
	struct zs_backend *be = help_repo(), *share = zs_backend_mem_share(be);
	struct zs_store *a = help_open(be, NULL), *b = help_open(share, NULL);
	struct zs_txn *ta, *tb;
	struct zs_name name;

	(void)state;
	assert_int_equal(zs_store_begin(a, ZS_SESSION_WRITER, &ta, &err), 0);
	assert_int_equal(zs_store_begin(b, ZS_SESSION_WRITER, &tb, &err), 0);
	for (uint32_t i = 0; i < 10; i++) {
		help_put(ta, i * 20, 20);
		help_put(tb, i * 20 + 10, 20);
	}
	assert_int_equal(help_try_snapshot(ta, "a", 0, NULL, NULL, &name, &err), 0);
	assert_int_equal(help_try_snapshot(tb, "b", 11, NULL, NULL, &name, &err), 0);
	assert_int_equal(zs_store_commit(&ta, &err), 0);
	assert_int_equal(zs_store_commit(&tb, &err), 0);
	assert_int_equal(zs_store_begin(a, ZS_SESSION_WRITER, &ta, &err), 0);
	assert_int_equal(help_put(ta, 0, 210), 0);
	assert_int_equal(zs_store_commit(&ta, &err), 0);
	help_read_all(a, 0, 210);
	help_read_all(b, 0, 210);
	assert_int_equal(help_snapshots(a, NULL), 2);
	zs_store_free(a);
	zs_store_free(b);
	zs_backend_free(share);
	zs_backend_free(be);
}

/* Whole blocks, as restore reads them. */
static void test_read_block(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_buf block = ZS_BUF_INIT;
	struct zs_store_reader *r;
	struct zs_location at;
	struct zs_names packs;
	struct zs_id id;

	(void)state;
	help_backup(st, "mail", 0, 20);
	id = help_id(st, 13);
	assert_int_equal(zs_store_reader_new(st, 1 << 20, &r, &err), 0);
	assert_int_equal(zs_store_locate(r, &id, &at, &err), 1);
	assert_int_equal(zs_store_read_block(r, &at, &block, &err), 0);
	assert_true(at.chunk_offset + at.chunk_bytes <= block.n);
	assert_int_equal(zs_store_prove(st, &id, zs_span(block.p + at.chunk_offset, at.chunk_bytes), &err), 0);
	assert_int_equal(zs_store_prove(st, &id, zs_span(block.p + at.chunk_offset, at.chunk_bytes - 1), &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	/* A damaged index: lengths and places that cannot be. */
	at.block++;
	assert_int_equal(zs_store_read_block(r, &at, &block, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	at.block_stored = UINT32_MAX;
	assert_int_equal(zs_store_read_block(r, &at, &block, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	at.block_stored = 100;
	at.block_offset = UINT64_MAX - 3;
	assert_int_equal(zs_store_read_block(r, &at, &block, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	/* Its pack is gone: for a reader that has not opened it. */
	zs_store_reader_free(r);
	assert_int_equal(zs_store_reader_new(st, 1 << 20, &r, &err), 0);
	assert_int_equal(zs_store_locate(r, &id, &at, &err), 1);
	packs = help_list(be, ZS_OBJ_PACK);
	for (size_t i = 0; i < packs.n; i++)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &packs.v[i], &err), 0);
	assert_int_equal(zs_store_read_block(r, &at, &block, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_int_equal(help_read_one(r, 13, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	zs_buf_fini(&block);
	zs_names_fini(&packs);
	zs_store_reader_free(r);
	zs_store_free(st);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_packs),
	    cmocka_unit_test(test_padding_is_zeros),
	    cmocka_unit_test(test_abort_keeps),
	    cmocka_unit_test(test_known_before_it_is_published),
	    cmocka_unit_test(test_limits),
	    cmocka_unit_test(test_tiny_chunks),
	    cmocka_unit_test(test_condemned),
	    cmocka_unit_test(test_copy_blocks),
	    cmocka_unit_test(test_two_at_once),
	    cmocka_unit_test(test_read_block),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}

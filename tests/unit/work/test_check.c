/* Check: silent where all is well; damage of every kind is named, for every snapshot that has it. */
#include "work_help.h"

#define FILES 120

struct found {
	char text[4000][480];
	size_t n;
	size_t stop_after; /* 0: never */
};

static struct found found, again;
static struct zs_check_report report;
static struct help_file files[FILES];
static char paths[FILES][40];

static int on_finding(void *ctx, const char *text)
{
	struct found *f = ctx;

	assert_true(f->n < 4000);
	(void)snprintf(f->text[f->n++], sizeof(f->text[0]), "%s", text);
	return f->n == f->stop_after ? -1 : 0;
}

static int check_into(struct zs_store *st, int read_data, unsigned threads, struct found *f, struct zs_err *err)
{
	const struct zs_check_settings s = {
	    .read_data = read_data, .threads = threads, .finding = on_finding, .ctx = f};
	int rc;

	f->n = 0;
	rc = zs_check(st, &s, &report, err);
	if (rc == 0)
		assert_int_equal(report.findings, f->n);
	return rc;
}

static void check(struct zs_store *st, int read_data, unsigned threads)
{
	struct zs_err err = {0};

	if (check_into(st, read_data, threads, &found, &err) < 0)
		fail_msg("%s", err.text);
}

static size_t count(const char *a, const char *b)
{
	size_t n = 0;

	for (size_t i = 0; i < found.n; i++)
		n += strstr(found.text[i], a) && strstr(found.text[i], b);
	return n;
}

static void expect(const char *a, const char *b, size_t want)
{
	if (count(a, b) == want)
		return;
	for (size_t i = 0; i < found.n && i < 50; i++)
		print_message("  %s\n", found.text[i]);
	fail_msg("%zu findings with '%s' and '%s' instead of %zu", count(a, b), a, b, want);
}

static const char *label(const struct zs_name *snapshot, char out[32])
{
	char hex[ZS_NAME_HEX];

	(void)snprintf(out, 32, "snapshot %.12s: ", zs_name_hex(snapshot, hex)); /* not "damaged as in snapshot ..." */
	return out;
}

/* Every third file has a chunk of its own or several; the others are inline. */
static void make_files(void)
{
	memset(files, 0, sizeof(files));
	for (unsigned i = 0; i < FILES; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "mail/%03u.msg", i);
		files[i].path = paths[i];
		files[i].seed = i + 1;
		files[i].bytes = i % 3 == 0 ? 30000 + i * 500 : 20 + i;
	}
}

static struct zs_id first_chunk(struct zs_store *st, unsigned i)
{
	uint8_t *p = malloc(files[i].bytes);
	struct zs_id id;

	assert_non_null(p);
	help_fill(p, files[i].bytes, files[i].seed);
	zs_codec_chunk_id(&zs_store_keyring(st)->chunk_id, zs_span(p, HELP_CHUNK), &id);
	free(p);
	return id;
}

static struct zs_name pack_of(struct zs_store *st, const struct zs_id *id, struct zs_location *at)
{
	struct zs_index_pack_info info;
	struct zs_store_reader *r;
	struct zs_err err;

	assert_int_equal(zs_store_reader_new(st, 1 << 20, &r, &err), 0);
	assert_int_equal(zs_store_locate(r, id, at, &err), 1);
	assert_int_equal(zs_index_pack_info(zs_store_index(st), at->pack, &info, &err), 0);
	zs_store_reader_free(r);
	return info.name;
}

static void replace(struct zs_backend *be, enum zs_object type, const struct zs_name *name, uint64_t at)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err;

	assert_int_equal(zs_backend_get_all(be, type, name, 1u << 30, &b, &err), 0);
	assert_true(at < b.n);
	b.p[at] ^= 0x10;
	assert_int_equal(zs_backend_delete(be, type, name, &err), 0);
	assert_int_equal(zs_backend_put(be, type, name, zs_buf_span(&b), &err), 0);
	zs_buf_fini(&b);
}

/* ------------------------------------------------------------------------- tests */

static void test_sound(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	uint64_t nodes;

	(void)state;
	check(st, 1, 1);
	assert_int_equal(found.n, 0);
	assert_int_equal(report.snapshots, 0);
	make_files();
	(void)help_backup(st, "mail", files, FILES);
	check(st, 0, 1);
	assert_int_equal(found.n, 0);
	assert_int_equal(report.entries, FILES);
	assert_in_range(report.nodes, 4, 30);
	nodes = report.nodes;
	(void)help_backup(st, "mail", files, FILES);
	files[50].seed = 999;
	(void)help_backup(st, "mail", files, FILES);
	for (unsigned threads = 1; threads < 4; threads++) {
		check(st, threads > 1, threads);
		assert_int_equal(found.n, 0);
		assert_int_equal(report.snapshots, 3);
		assert_int_equal(report.unreferenced_packs, 0);
		assert_in_range(report.nodes, nodes + 2, nodes + 4);
		assert_in_range(report.entries, FILES + 1, FILES + 100);
		assert_true(report.packs >= 2);
		assert_int_equal(report.bytes > 1000000, threads > 1);
	}
	zs_store_free(st);
	zs_backend_free(be);
}

/* A pack that is not there: no data need be read to know whose files are gone. */
static void test_missing_pack(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_name one, two, pack;
	struct zs_location at;
	struct zs_id id;
	struct zs_err err;
	char s1[32], s2[32], hex[ZS_NAME_HEX];
	size_t n;

	(void)state;
	make_files();
	one = help_backup(st, "mail", files, FILES);
	files[119].seed = 999;
	files[118].seed = 0;
	two = help_backup(st, "mail", files, FILES);
	id = first_chunk(st, 9);
	pack = pack_of(st, &id, &at);
	assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &pack, &err), 0);
	for (int read_data = 0; read_data < 2; read_data++) {
		check(st, read_data, 2);
		assert_true(count("pack", zs_name_hex(&pack, hex)) >= 1);
		expect(label(&one, s1), "mail/009.msg: ", 1);
		expect(label(&two, s2), "mail/009.msg: ", 1);
		expect(s2, "damaged as in snapshot", count(s2, ""));
		n = count(s1, "");
		assert_true(n > 5);
		assert_int_equal(count(s2, ""), n);
	}
	zs_store_free(st);
	zs_backend_free(be);
}

/* A bit flipped within a pack: seen when data are read, the same for any number of threads. */
static void test_damaged_pack(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_name one, two, pack;
	struct zs_location at;
	struct zs_id id;
	struct zs_err err = {0};
	char s1[32], s2[32], hex[ZS_NAME_HEX];

	(void)state;
	make_files();
	one = help_backup(st, "mail", files, FILES);
	files[119].seed = 999;
	two = help_backup(st, "web", files, FILES);
	id = first_chunk(st, 30);
	pack = pack_of(st, &id, &at);
	replace(be, ZS_OBJ_PACK, &pack, at.block_offset + 100);
	check(st, 0, 1);
	assert_int_equal(found.n, 0);
	check(st, 1, 1);
	assert_true(count("pack", zs_name_hex(&pack, hex)) >= 1);
	expect(label(&one, s1), "mail/030.msg: ", 1);
	expect(label(&two, s2), "mail/030.msg: damaged as in snapshot", 1);
	assert_int_equal(count(s1, ""), count(s2, ""));
	expect(s1, "mail/060.msg", 0);
	for (unsigned threads = 2; threads < 5; threads++) {
		assert_int_equal(check_into(st, 1, threads, &again, &err), 0);
		assert_int_equal(again.n, found.n);
		for (size_t i = 0; i < found.n; i++)
			assert_string_equal(again.text[i], found.text[i]);
	}
	zs_store_free(st);
	zs_backend_free(be);
}

/* Tree nodes that are gone or damaged: the rest of each tree is checked all the same. */
static void bad_nodes(int gone)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_name one, two, three, pack;
	struct zs_location at;
	struct help_writer w;
	struct zs_id root;
	struct zs_err err;
	char s1[32], s2[32], s3[32];

	make_files();
	for (unsigned i = 0; i < FILES; i++)
		files[i].bytes = 20 + i; /* nothing but trees */
	w = help_begin(st);
	root = help_tree(&w, files, FILES);
	one = help_finish(&w, "mail", &root);
	files[100].seed = 999;
	two = help_backup(st, "mail", files, FILES);
	files[101].seed = 998;
	files[101].wrong_sum = 1;
	three = help_backup(st, "mail", files, FILES);
	check(st, 0, 1);
	assert_int_equal(found.n, 1);
	expect(label(&three, s3), "mail/101.msg: ", 1);
	pack = pack_of(st, &root, &at);
	if (gone)
		assert_int_equal(zs_backend_delete(be, ZS_OBJ_PACK, &pack, &err), 0);
	else
		replace(be, ZS_OBJ_PACK, &pack, at.block_offset + 100);
	check(st, 0, 1);
	expect(label(&one, s1), "tree node", 1);
	assert_true(count(label(&two, s2), "tree node") >= 1);
	assert_int_equal(count(s2, "tree node"), count(s3, "tree node"));
	assert_int_equal(count(s3, "damaged as in"), gone ? 0 : count(s2, "tree node"));
	expect(s3, "mail/101.msg: ", 1);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_bad_nodes(void **state)
{
	(void)state;
	bad_nodes(0);
	bad_nodes(1);
}

/* More files than are put together at a time; one of the last is wrong. */
static void test_many_files(void **state)
{
	enum { MANY = 16000 };
	struct help_file *many = calloc(MANY, sizeof(*many));
	char(*names)[24] = calloc(MANY, sizeof(*names));
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_name one;
	char s[32];

	(void)state;
	assert_true(many && names);
	for (unsigned i = 0; i < MANY; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "m/%05u", i);
		many[i] = (struct help_file){.path = names[i], .seed = 1 + i % 700, .bytes = 1100};
	}
	many[MANY - 3].wrong_sum = 1;
	one = help_backup(st, "mail", many, MANY);
	check(st, 1, 2);
	assert_int_equal(report.entries, MANY);
	assert_int_equal(found.n, 1);
	expect(label(&one, s), "m/15997", 1);
	zs_store_free(st);
	zs_backend_free(be);
	free(many);
	free(names);
}

static void test_lies(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_name name;
	char s[32];

	(void)state;
	make_files();
	files[3].wrong_sum = 1;
	files[4].wrong_sum = 1; /* inline */
	files[6].wrong_length = 1;
	files[9].no_chunk = 1;
	name = help_backup(st, "mail", files, FILES);
	check(st, 0, 1);
	(void)label(&name, s);
	expect(s, "mail/004.msg: its content and its checksum", 1);
	expect(s, "mail/006.msg: ", 1);
	expect(s, "mail/009.msg: 1 of its chunks are nowhere", 1);
	assert_int_equal(found.n, 3);
	check(st, 1, 2);
	expect(s, "mail/003.msg: ", 1);
	assert_int_equal(found.n, 4);
	zs_store_free(st);
	zs_backend_free(be);
}

/* A tree that no writer of ours makes: something below a file, and a snapshot that miscounts. */
static void test_impossible_trees(void **state)
{
	static const struct help_file odd[] = {{.path = "a", .seed = 1, .bytes = 10}, {.path = "a/b", .seed = 2, .bytes = 10},
	    {.path = "c"}, {.path = "c/d", .seed = 3, .bytes = 10}};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct help_writer w = help_begin(st);
	struct zs_id root = help_tree(&w, odd, 4);
	struct zs_name name;
	char s[32];

	(void)state;
	w.wrong_totals = 1;
	name = help_finish(&w, "mail", &root);
	check(st, 0, 1);
	(void)label(&name, s);
	expect(s, "a/b: it stands below something that is no directory", 1);
	expect(s, "its totals are not those of its tree", 1);
	assert_int_equal(found.n, 2);
	zs_store_free(st);
	zs_backend_free(be);
}

/* Whole nodes that lie, under their right ids. */
static void test_lying_node(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct help_writer w = help_begin(st);
	struct zs_node_row row = {0};
	struct zs_node_writer nw;
	struct zs_buf node = ZS_BUF_INIT;
	struct zs_name one, two;
	struct zs_id root;
	struct zs_err err;
	char s[32];

	(void)state;
	make_files();
	zs_node_writer_init(&nw, 1);
	for (unsigned i = 0; i < 2; i++) {
		row.child = help_tree(&w, files + i, 1);
		row.path = zs_span_str(files[i].path);
		row.totals = (struct zs_totals){1, 1, 0, files[i].bytes + i};
		assert_int_equal(zs_node_writer_add(&nw, &row, &err), 0);
	}
	assert_int_equal(zs_node_writer_finish(&nw, &node, &err), 0);
	assert_int_equal(help_put(&w, ZS_KIND_TREE, zs_buf_span(&node), &root, &err), 0);
	one = help_finish(&w, "mail", &root);
	w = help_begin(st);
	two = help_finish(&w, "mail", &root); /* and once more: it must not pass because it was seen */
	check(st, 1, 2);
	expect(label(&one, s), "could not be checked to the end", 1);
	expect(label(&two, s), "totals", 1);
	assert_int_equal(found.n, 2);
	zs_node_writer_fini(&nw);
	zs_buf_fini(&node);
	zs_store_free(st);
	zs_backend_free(be);
}

static void test_damaged_snapshot(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_name one, two;
	char s[32];

	(void)state;
	make_files();
	one = help_backup(st, "mail", files, 3);
	two = help_backup(st, "mail", files, 4);
	replace(be, ZS_OBJ_SNAPSHOT, &one, 40);
	check(st, 1, 1);
	assert_true(count(label(&one, s), "") >= 1);
	expect(label(&two, s), "", 0);
	assert_int_equal(report.snapshots, 1);
	assert_int_equal(report.entries, 4);
	zs_store_free(st);
	zs_backend_free(be);
}

static int always(void *ctx)
{
	(void)ctx;
	return 1;
}

static void test_stops(void **state)
{
	const struct zs_observer observer = {.stop = always};
	struct zs_check_settings s = {.observer = &observer};
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	struct zs_err err;

	(void)state;
	make_files();
	for (unsigned i = 0; i < FILES; i++)
		files[i].wrong_sum = 1;
	(void)help_backup(st, "mail", files, FILES);
	assert_int_equal(zs_check(st, &s, &report, &err), -1);
	assert_int_equal(err.cause, ZS_STOPPED);
	s.observer = NULL; /* nobody listens */
	assert_int_equal(zs_check(st, &s, &report, &err), 0);
	assert_int_equal(report.findings, FILES * 2 / 3);
	for (int read_data = 0; read_data < 2; read_data++) {
		found.stop_after = 5;
		assert_int_equal(check_into(st, read_data, 2, &found, &err), -1);
		assert_int_equal(err.cause, ZS_STOPPED);
		assert_int_equal(found.n, 5);
	}
	found.stop_after = 0;
	zs_store_free(st);
	zs_backend_free(be);
}

/* Storage that is lost in the middle: an error or findings, never a clean bill. */
static void test_storage_fails(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be);
	int fired = 1;

	(void)state;
	make_files();
	(void)help_backup(st, "mail", files, FILES);
	zs_store_free(st);
	for (uint64_t n = 0; fired; n += 1 + n / 16) {
		struct zs_backend *bad = zs_backend_faulty_new(be, n, ZS_FAULT_LOST, ZS_IO);
		struct zs_store_settings settings = {.cache_dir = help_root, .tmp_dir = help_tmp};
		struct zs_secret secret = help_secret();
		struct zs_err err = {0};

		assert_non_null(bad);
		st = NULL;
		if (zs_store_open(bad, &secret, &settings, &st, &err) == 0) {
			int rc = check_into(st, 1, 2, &found, &err);

			fired = zs_backend_faulty_fired(bad);
			assert_true(!fired || rc < 0 || found.n > 0);
			assert_true(fired || (rc == 0 && found.n == 0));
			zs_store_free(st);
		}
		zs_backend_free(bad);
	}
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sound),
	    cmocka_unit_test(test_missing_pack),
	    cmocka_unit_test(test_damaged_pack),
	    cmocka_unit_test(test_bad_nodes),
	    cmocka_unit_test(test_many_files),
	    cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_impossible_trees),
	    cmocka_unit_test(test_lying_node),
	    cmocka_unit_test(test_damaged_snapshot),
	    cmocka_unit_test(test_stops),
	    cmocka_unit_test(test_storage_fails),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}

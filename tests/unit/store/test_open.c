/* Making and opening a repository, key slots, recovery codes, and what half a repository is called. */
#include "store_help.h"

static struct zs_store_settings no_settings = {.cache_dir = NULL};

static int open_with(struct zs_backend *be, const struct zs_secret *secret)
{
	struct zs_store *st = NULL;
	int rc = zs_store_open(be, secret, &no_settings, &st, &err);

	zs_store_free(st);
	return rc;
}

static void test_init_and_open(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_secret right = help_secret("sesame"), wrong = help_secret("Sesame"), empty = help_secret("");
	struct zs_secret none = {.type = ZS_SECRET_KEYFILE,
	    .bytes = zs_span_str("0123456789012345678901234567890123456789")};
	struct zs_config config;
	struct zs_store *st;

	(void)state;
	assert_int_equal(zs_store_open(be, &right, &no_settings, &st, &err), 0);
	help_config(&config);
	assert_int_equal(zs_store_config(st)->block_bytes, config.block_bytes);
	assert_int_equal(zs_store_config(st)->sizes[ZS_KIND_SQL].max_bytes, 64 << 10);
	assert_int_equal(zs_store_keyring(st)->can_read, 1);
	assert_ptr_equal(zs_store_backend(st), be);
	assert_null(zs_store_index(st));
	/* Without a cache directory whatever needs the index says how to name one. */
	assert_int_equal(zs_store_sync(st, &err), -1);
	assert_int_equal(err.cause, ZS_SYSTEM);
	assert_non_null(strstr(err.text, "--cache-dir"));
	assert_int_equal(help_snapshots(st, NULL), 0);
	zs_store_free(st);

	assert_int_equal(open_with(be, &wrong), -1);
	assert_int_equal(err.cause, ZS_KEY);
	assert_non_null(strstr(err.text, "wrong passphrase"));
	assert_int_equal(open_with(be, &empty), -1);
	assert_int_equal(err.cause, ZS_KEY);
	assert_int_equal(open_with(be, &none), -1);
	assert_int_equal(err.cause, ZS_KEY);
	assert_non_null(strstr(err.text, "takes a key file"));

	assert_int_equal(help_try_init(be, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	zs_backend_free(be);
}

static void test_half_copied(void **state)
{
	struct zs_backend *be = zs_backend_mem_new(), *whole = help_repo();
	struct zs_secret secret = help_secret("sesame");
	struct zs_names keys = help_list(whole, ZS_OBJ_KEY);
	struct zs_buf key = help_get(whole, ZS_OBJ_KEY, &keys.v[0]);

	(void)state;
	assert_int_equal(open_with(be, &secret), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	/* Only key slots. */
	assert_int_equal(zs_backend_put(be, ZS_OBJ_KEY, &keys.v[0], zs_buf_span(&key), &err), 0);
	assert_int_equal(open_with(be, &secret), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(help_try_init(be, &err), -1);
	assert_int_equal(err.cause, ZS_EXISTS);
	/* Only the config object. */
	assert_int_equal(zs_backend_delete(whole, ZS_OBJ_KEY, &keys.v[0], &err), 0);
	assert_int_equal(open_with(whole, &secret), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_non_null(strstr(err.text, "no key slots"));
	zs_names_fini(&keys);
	zs_buf_fini(&key);
	zs_backend_free(be);
	zs_backend_free(whole);
}

/* Keys of one repository with the config of another: both ours, but not together. */
static void test_mixed(void **state)
{
	struct zs_backend *a = help_repo(), *b = help_repo();
	struct zs_secret secret = help_secret("sesame");
	struct zs_buf config = help_get(b, ZS_OBJ_CONFIG, &zs_name_zero);

	(void)state;
	help_replace(a, ZS_OBJ_CONFIG, &zs_name_zero, zs_buf_span(&config));
	assert_int_equal(open_with(a, &secret), -1);
	assert_true(err.cause == ZS_KEY || err.cause == ZS_CORRUPT);
	zs_buf_fini(&config);
	zs_backend_free(a);
	zs_backend_free(b);
}

static void test_every_byte_of_a_slot(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_secret secret = help_secret("sesame");
	struct zs_names keys = help_list(be, ZS_OBJ_KEY);
	struct zs_buf key = help_get(be, ZS_OBJ_KEY, &keys.v[0]);

	(void)state;
	for (size_t i = 0; i < key.n; i++) {
		key.p[i] ^= (uint8_t)(1u << i % 8);
		help_replace(be, ZS_OBJ_KEY, &keys.v[0], zs_buf_span(&key));
		assert_int_equal(open_with(be, &secret), -1);
		assert_true(err.cause == ZS_KEY || err.cause == ZS_CORRUPT || err.cause == ZS_VERSION);
		key.p[i] ^= (uint8_t)(1u << i % 8);
	}
	for (size_t n = 0; n < key.n; n += 7) {
		help_replace(be, ZS_OBJ_KEY, &keys.v[0], zs_span(key.p, n));
		assert_int_equal(open_with(be, &secret), -1);
	}
	help_replace(be, ZS_OBJ_KEY, &keys.v[0], zs_buf_span(&key));
	assert_int_equal(open_with(be, &secret), 0);
	zs_names_fini(&keys);
	zs_buf_fini(&key);
	zs_backend_free(be);
}

static void test_every_byte_of_the_config(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_secret secret = help_secret("sesame");
	struct zs_buf config = help_get(be, ZS_OBJ_CONFIG, &zs_name_zero);

	(void)state;
	for (size_t i = 0; i < config.n; i++) {
		config.p[i] ^= 0x10;
		help_replace(be, ZS_OBJ_CONFIG, &zs_name_zero, zs_buf_span(&config));
		assert_int_equal(open_with(be, &secret), -1);
		assert_true(err.cause == ZS_KEY || err.cause == ZS_CORRUPT || err.cause == ZS_VERSION);
		config.p[i] ^= 0x10;
	}
	zs_buf_fini(&config);
	zs_backend_free(be);
}

static void test_slots(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_secret second = help_secret("second"), first = help_secret("sesame"), third = help_secret("third");
	uint8_t content[40] = {1, 2, 3};
	struct zs_secret file = {.type = ZS_SECRET_KEYFILE, .bytes = {content, 40}}, few = file;
	struct zs_name name, file_name, changed;
	struct zs_slot_list l;
	char label[65];

	(void)state;
	few.bytes.n = 31;
	assert_int_equal(zs_store_slot_add(st, &second, "backup", &name, &err), 0);
	assert_int_equal(zs_store_slot_add(st, &file, "file", &file_name, &err), 0);
	assert_int_equal(zs_store_slot_add(st, &few, "few", &changed, &err), -1);
	assert_int_equal(err.cause, ZS_KEY);
	memset(label, 'x', 64);
	label[64] = 0;
	assert_int_equal(zs_store_slot_add(st, &third, label, &changed, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_int_equal(open_with(be, &second), 0);
	assert_int_equal(open_with(be, &file), 0);
	assert_int_equal(zs_store_slots(st, &l, &err), 0);
	assert_int_equal(l.n, 3);
	for (size_t i = 0; i < l.n; i++) {
		assert_int_equal(l.v[i].role, ZS_ROLE_FULL);
		assert_int_equal(l.v[i].current, strcmp(l.v[i].label, "first") == 0);
	}
	zs_slot_list_fini(&l);
	assert_int_equal(zs_store_slot_passwd(st, &third, &changed, &err), 0);
	assert_int_equal(open_with(be, &first), -1);
	assert_int_equal(open_with(be, &third), 0);
	assert_int_equal(zs_store_slot_remove(st, &name, &err), 0);
	assert_int_equal(zs_store_slot_remove(st, &name, &err), -1);
	assert_int_equal(err.cause, ZS_NOTFOUND);
	assert_int_equal(open_with(be, &second), -1);
	assert_int_equal(zs_store_slot_remove(st, &file_name, &err), 0);
	assert_int_equal(zs_store_slot_remove(st, &changed, &err), -1);
	assert_int_equal(err.cause, ZS_USAGE);
	assert_int_equal(open_with(be, &third), 0);
	zs_store_free(st);
	zs_backend_free(be);
}

/* A slot that cannot be read does not keep the others from opening; if none fits it is the one that is named. */
static void test_damaged_slot_beside_others(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_secret right = help_secret("sesame"), wrong = help_secret("wrong");
	struct zs_name name;
	char hex[ZS_NAME_HEX];

	(void)state;
	for (int i = 0; i < 3; i++) { /* before and after the good one, whatever its name */
		memset(name.b, i * 0x7f, sizeof(name.b));
		assert_int_equal(zs_backend_put(be, ZS_OBJ_KEY, &name, zs_span_str("rubbish"), &err), 0);
	}
	assert_int_equal(open_with(be, &right), 0);
	assert_int_equal(open_with(be, &wrong), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	memset(name.b, 0, sizeof(name.b));
	assert_non_null(strstr(err.text, zs_name_hex(&name, hex)));
	zs_backend_free(be);
}

static void test_slot_limit(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_secret secret = help_secret("more");
	struct zs_name name;

	(void)state;
	for (int i = 1; i < STORE_SLOTS; i++)
		assert_int_equal(zs_store_slot_add(st, &secret, "more", &name, &err), 0);
	assert_int_equal(zs_store_slot_add(st, &secret, "more", &name, &err), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	assert_int_equal(open_with(be, &secret), 0);
	memset(name.b, 7, sizeof(name.b));
	assert_int_equal(zs_backend_put(be, ZS_OBJ_KEY, &name, zs_span_str("rubbish"), &err), 0);
	assert_int_equal(open_with(be, &secret), -1);
	assert_int_equal(err.cause, ZS_LIMIT);
	zs_store_free(st);
	zs_backend_free(be);
}

/* What anybody may write there must not cost more memory than we allow, nor keep the owner out. */
static void test_greedy_slot(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_secret secret = help_secret("sesame");
	struct zs_slot slot = {.label = "greedy", .secret = ZS_SECRET_PASSPHRASE, .role = ZS_ROLE_FULL, .ops = 3,
	    .mem_kib = (1u << 20) + 1, .created_ns = 1, .salt = {1}};
	struct zs_buf object = ZS_BUF_INIT;
	struct zs_name name = {{0}};

	(void)state;
	slot.box = zs_span_str("it does not matter what stands here, since nobody should get as far as trying it");
	if (zs_format_slot_encode(&slot, &object, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(zs_backend_put(be, ZS_OBJ_KEY, &name, zs_buf_span(&object), &err), 0);
	assert_int_equal(open_with(be, &secret), 0);
	zs_buf_fini(&object);
	zs_backend_free(be);
}

static void test_recovery(void **state)
{
	struct zs_backend *be = zs_backend_mem_new();
	struct zs_secret secret = help_secret("sesame"), recovery = {.type = ZS_SECRET_RECOVERY};
	struct zs_buf code = ZS_BUF_INIT;
	struct zs_config config;
	char typed[64];

	(void)state;
	help_config(&config);
	assert_int_equal(zs_store_init(be, &config, &secret, "first", &code, &err), 0);
	assert_int_equal(code.n, 35);
	recovery.bytes = zs_buf_span(&code);
	assert_int_equal(open_with(be, &recovery), 0);
	for (size_t i = 0; i < code.n; i++) { /* as people type */
		char c = (char)code.p[i];

		typed[i] = c == '-' ? ' ' : c == '0' ? 'o' : c == '1' ? 'l' : (char)(c >= 'A' ? c + 32 : c);
	}
	recovery.bytes = zs_span(typed, code.n);
	assert_int_equal(open_with(be, &recovery), 0);
	/* A wrong digit, two that changed places, one too few. */
	for (size_t i = 0; i < code.n; i++) {
		if (typed[i] == ' ')
			continue;
		typed[i] = typed[i] == '7' ? '8' : '7';
		assert_int_equal(open_with(be, &recovery), -1);
		assert_int_equal(err.cause, ZS_KEY);
		assert_non_null(strstr(err.text, "mistyped"));
		typed[i] = (char)code.p[i];
	}
	for (size_t i = 0; i + 1 < code.n; i++) {
		char c = typed[i];

		if (c == '-' || c == ' ' || typed[i + 1] == '-' || typed[i + 1] == ' ' || c == typed[i + 1])
			continue;
		typed[i] = typed[i + 1];
		typed[i + 1] = c;
		assert_int_equal(open_with(be, &recovery), -1);
		typed[i + 1] = typed[i];
		typed[i] = c;
	}
	recovery.bytes.n--;
	assert_int_equal(open_with(be, &recovery), -1);
	recovery.bytes = zs_span_str("U");
	assert_int_equal(open_with(be, &recovery), -1);
	zs_buf_wipe(&code);
	/* Another repository's code is well formed and wrong. */
	assert_int_equal(zs_store_recovery_code(&code, &err), 0);
	recovery.bytes = zs_buf_span(&code);
	assert_int_equal(open_with(be, &recovery), -1);
	assert_int_equal(err.cause, ZS_KEY);
	assert_non_null(strstr(err.text, "wrong recovery code"));
	zs_buf_wipe(&code);
	zs_backend_free(be);
}

/* The right repository, opened from a place that takes no writing: everything but begin works. */
static void test_read_only(void **state)
{
	struct zs_backend *be = help_repo();
	struct zs_store *st = help_open(be, NULL);
	struct zs_backend *rec = zs_backend_record_new(be);

	(void)state;
	help_backup(st, "mail", 0, 30);
	zs_store_free(st);
	st = help_open(rec, NULL);
	help_read_all(st, 0, 30);
	assert_int_equal(help_snapshots(st, NULL), 1);
	assert_int_equal(zs_backend_record_count(rec), 0);
	zs_store_free(st);
	zs_backend_free(rec);
	zs_backend_free(be);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_init_and_open),
	    cmocka_unit_test(test_half_copied),
	    cmocka_unit_test(test_mixed),
	    cmocka_unit_test(test_every_byte_of_a_slot),
	    cmocka_unit_test(test_every_byte_of_the_config),
	    cmocka_unit_test(test_slots),
	    cmocka_unit_test(test_damaged_slot_beside_others),
	    cmocka_unit_test(test_slot_limit),
	    cmocka_unit_test(test_greedy_slot),
	    cmocka_unit_test(test_recovery),
	    cmocka_unit_test(test_read_only),
	};

	return cmocka_run_group_tests(tests, help_setup, help_teardown);
}

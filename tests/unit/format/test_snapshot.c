/* Snapshots: round trips, limits at their edges. */
#include "common.h"

static char *random_text(unsigned max)
{
	unsigned n = below(max);
	char *t = malloc(n + 1);

	assert_non_null(t);
	for (unsigned i = 0; i < n; i++)
		t[i] = (char)(1 + below(255));
	t[n] = '\0';
	return t;
}

static void random_texts(struct zs_strings *l)
{
	for (unsigned n = below(5); n; n--) {
		char *t = random_text(20);
		struct zs_err err;

		assert_int_equal(zs_strings_add(l, zs_span_str(t), &err), 0);
		free(t);
	}
}

static struct zs_snapshot *random_snapshot(void)
{
	struct zs_snapshot *s = calloc(1, sizeof *s);
	uint8_t json[50];
	struct zs_err err;

	assert_non_null(s);
	random_bytes(&s->root, sizeof s->root);
	s->time_ns = (int64_t)number();
	s->host = random_text(20);
	s->user = below(2) ? random_text(20) : NULL;
	s->program = random_text(20);
	random_texts(&s->tags);
	random_texts(&s->paths);
	random_texts(&s->reasons);
	s->flags = below(2);
	s->skipped = number();
	s->totals.entries = number();
	s->totals.files = s->totals.entries >> below(3);
	s->totals.messages = s->totals.files >> below(3);
	s->totals.bytes = below(2) ? number() : 0;
	s->added_bytes = number();
	if (below(2))
		random_bytes(&s->previous, sizeof s->previous);
	if (below(2))
		random_bytes(&s->newest_seen, sizeof s->newest_seen);
	random_bytes(&s->writer, sizeof s->writer);
	s->sequence = number();
	random_bytes(json, sizeof json);
	assert_int_equal(zs_buf_add(&s->manifest, json, below(sizeof json), &err), 0);
	return s;
}

static void random_round_trips(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct zs_buf bytes = ZS_BUF_INIT, text = ZS_BUF_INIT;
		struct json j = {.out = &text, .depth = 1, .first = 1};
		struct zs_snapshot *s = random_snapshot();
		struct zs_err err;

		assert_int_equal(zs_format_snapshot_encode(s, &bytes, &err), 0);
		dump_snapshot(&j, s);
		assert_round_trip("snapshot", &bytes, &text);
		zs_format_snapshot_free(s);
		zs_buf_fini(&bytes);
		zs_buf_fini(&text);
	}
}

static void absent_texts_are_empty(void **state)
{
	struct zs_snapshot s = {.root = {{1}}}, *back;
	struct zs_buf bytes = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_format_snapshot_encode(&s, &bytes, &err), 0);
	assert_int_equal(bytes.n, 2 + ZS_ID_BYTES);
	assert_int_equal(zs_format_snapshot_decode(zs_buf_span(&bytes), &back, &err), 0);
	assert_string_equal(back->host, "");
	assert_string_equal(back->user, "");
	assert_string_equal(back->program, "");
	zs_format_snapshot_free(back);
	zs_format_snapshot_free(NULL);
	zs_buf_fini(&bytes);
}

static void what_cannot_be_is_refused(void **state)
{
	struct zs_snapshot s = {.root = {{1}}};
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	s.flags = 2;
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_INTERNAL);
	s.flags = 0;
	s.totals = (struct zs_totals){1, 2, 0, 0};
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_INTERNAL);
	s.totals = (struct zs_totals){2, 1, 2, 0};
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_INTERNAL);
	s.totals = (struct zs_totals){0};
	s.root = (struct zs_id){{0}};
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_INTERNAL);
	zs_buf_fini(&out);
}

/* The encoder takes n and not n + 1; the decoder then does not take an n + 1 either. */
static void numbers_of_texts(void **state)
{
	struct zs_snapshot s = {.root = {{1}}};
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	while (s.reasons.n < 100)
		assert_int_equal(zs_strings_add(&s.reasons, zs_span_str("why"), &err), 0);
	assert_int_equal(zs_format_snapshot_encode(&s, &out, &err), 0);
	assert_int_equal(zs_buf_add(&out, "\x0e\x03why", 5, &err), 0);
	assert_undecodable("snapshot", zs_buf_span(&out), ZS_CORRUPT);
	assert_int_equal(zs_strings_add(&s.reasons, zs_span_str("why"), &err), 0);
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_LIMIT);
	zs_strings_fini(&s.reasons);
	zs_buf_clear(&out);
	while (s.tags.n < 65536)
		assert_int_equal(zs_strings_add(&s.tags, zs_span_str(""), &err), 0);
	assert_int_equal(zs_format_snapshot_encode(&s, &out, &err), 0);
	assert_int_equal(zs_buf_add(&out, "\x0a\x00", 2, &err), 0);
	assert_undecodable("snapshot", zs_buf_span(&out), ZS_CORRUPT);
	assert_int_equal(zs_strings_add(&s.tags, zs_span_str(""), &err), 0);
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_LIMIT);
	zs_strings_fini(&s.tags);
	zs_buf_fini(&out);
}

static void lengths(void **state)
{
	struct zs_snapshot s = {.root = {{1}}}, *back;
	char *text = malloc(65537);
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	assert_non_null(text);
	memset(text, 't', 65536);
	text[65536] = '\0';
	s.host = text;
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_LIMIT);
	text[65535] = '\0';
	assert_int_equal(zs_format_snapshot_encode(&s, &out, &err), 0);
	assert_int_equal(zs_format_snapshot_decode(zs_buf_span(&out), &back, &err), 0);
	assert_int_equal(strlen(back->host), 65535);
	zs_format_snapshot_free(back);
	free(text);
	zs_buf_clear(&out);
	s.host = NULL;
	assert_int_equal(zs_buf_reserve(&s.manifest, (16 << 20) + 1, &err), 0);
	memset(s.manifest.p, 'm', (16 << 20) + 1);
	s.manifest.n = (16 << 20) + 1;
	assert_refused(zs_format_snapshot_encode(&s, &out, &err_), &out, ZS_LIMIT);
	s.manifest.n--;
	assert_int_equal(zs_format_snapshot_encode(&s, &out, &err), 0);
	assert_int_equal(zs_format_snapshot_decode(zs_buf_span(&out), &back, &err), 0);
	assert_int_equal(back->manifest.n, 16 << 20);
	zs_format_snapshot_free(back);
	zs_buf_fini(&s.manifest);
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(random_round_trips),
	    cmocka_unit_test(absent_texts_are_empty),
	    cmocka_unit_test(what_cannot_be_is_refused),
	    cmocka_unit_test(numbers_of_texts),
	    cmocka_unit_test(lengths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

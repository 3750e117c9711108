/* LDIF on its way out: joining the two streams, the filter, the live profile, and what is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/target.h"

struct ends { const char *side; struct zs_buf out; int fail_write; };

static int pull(void *ctx, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct ends *e = ctx;
	size_t left = strlen(e->side);

	(void)err;
	n = n < 7 ? n : 7;
	*out_n = n < left ? n : left;
	memcpy(p, e->side, *out_n);
	e->side += *out_n;
	return 0;
}

static int put(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct ends *e = ctx;

	return e->fail_write ? zs_fail(err, ZS_TARGET, "full") : zs_buf_add_span(&e->out, bytes, err);
}

struct how { const char *base, *side; int is_live, fail_write; };

static int filter(const char *in, const struct how *how, struct zs_buf *out, uint64_t *entries, struct zs_err *err)
{
	struct ends e = {.side = how->side, .fail_write = how->fail_write};
	const struct zs_ldif_settings s = {zs_span_str(how->base ? how->base : ""), how->is_live, how->side ? pull : NULL, put, &e};
	struct zs_ldif *f = NULL;
	int rc = 0;

	assert_int_equal(zs_ldif_new(&s, &f, err), 0);
	for (; rc == 0 && *in; in++)
		rc = zs_ldif_feed(f, zs_span(in, 1), err);
	if (rc == 0)
		rc = zs_ldif_end(f, entries, err);
	zs_ldif_free(f);
	*out = e.out;
	return rc;
}

static void check(const char *in, const struct how *how, const char *want, uint64_t want_entries)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint64_t entries = 0;

	if (filter(in, how, &out, &entries, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(entries, want_entries);
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(want)))
		fail_msg("got '%.*s'", (int)out.n, (const char *)out.p);
	zs_buf_fini(&out);
}

static const char two[] = "dn: dc=org\ndc: org\n\ndn:: dWlkPcOkLGRjPW9yZw==\nuid:: w6Q=\nmemberOf: cn=x\nstructuralObjectClass: a\nmemberOfX: kept\n\n";

static void everything(void **state)
{
	(void)state;
	check(two, &(struct how){0}, two, 2);
	check("", &(struct how){0}, "", 0);
	check("dn:\nobjectClass: top\n\n", &(struct how){0}, "dn:\nobjectClass: top\n\n", 1);
}

static void parts(void **state)
{
	(void)state;
	check(two, &(struct how){.base = "DC=org"}, two, 2);
	check(two, &(struct how){.base = "uid=\xc3\xa4,dc=org"}, two + 20, 1);
	check(two, &(struct how){.base = "dc=com"}, "", 0);
	check("dn: uid=folded,\n dc=org\na: b\n c\n\n", &(struct how){.base = "uid=folded,dc=org"}, "dn: uid=folded,\n dc=org\na: b\n c\n\n", 1);
}

static void live(void **state)
{
	(void)state;
	check(two, &(struct how){.is_live = 1}, "dn: dc=org\ndc: org\n\ndn:: dWlkPcOkLGRjPW9yZw==\nuid:: w6Q=\nmemberOfX: kept\n\n", 2);
	check("dn: a=b\nmemberOf;x: folded\n away\nentrycsn: 1\na: b\n\n", &(struct how){.is_live = 1}, "dn: a=b\na: b\n\n", 1);
}

static void second_stream(void **state)
{
	(void)state;
	check("dn: a=1\nx: 1\n\ndn: a=2\nx: 2\n\ndn: a=3\nx: 3\n\n", &(struct how){.side = "dn: a=1\nentryCSN: c1\n\ndn: a=3\nentryCSN: c3\nt: 3\n\n"},
	    "dn: a=1\nx: 1\nentryCSN: c1\n\ndn: a=2\nx: 2\n\ndn: a=3\nx: 3\nentryCSN: c3\nt: 3\n\n", 3);
	check("dn: a=1\nx: 1\n\n", &(struct how){.side = ""}, "dn: a=1\nx: 1\n\n", 1);
	/* of entries that are not wanted too */
	check("dn: a=1\nx: 1\n\ndn: a=2\nx: 2\n\n", &(struct how){.base = "a=2", .side = "dn: a=1\ny: 1\n\ndn: a=2\ny: 2\n\n"}, "dn: a=2\nx: 2\ny: 2\n\n", 1);
	check("dn: a=1\nx: 1\n\n", &(struct how){.side = "dn: a=1\nentryCSN: c1\nt: 1\n\n", .is_live = 1}, "dn: a=1\nx: 1\nt: 1\n\n", 1);
}

static void damaged(void **state)
{
	static const struct { const char *in, *side; } cases[] = {
	    {"dn: a=1\nx: 1\n", NULL}, {"x: 1\n\n", NULL}, {"dn:: ***\nx: 1\n\n", NULL}, {"dn: a=1\nx: 1\n\n", "dn: a=2\ny: 1\n\n"}, {"dn: a=1\nx: 1\n\n", "dn: a=1\ny"},
	    {"", "dn: a=1\ny: 1\n\n"}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct zs_buf out = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint64_t entries;

		if (filter(cases[i].in, &(struct how){.side = cases[i].side}, &out, &entries, &err) == 0)
			fail_msg("case %zu was taken", i);
		assert_int_equal(err.cause, ZS_CORRUPT);
		zs_buf_fini(&out);
	}
}

static void nobody_takes_it(void **state)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint64_t entries;

	(void)state;
	assert_int_equal(filter(two, &(struct how){.fail_write = 1}, &out, &entries, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything),
		cmocka_unit_test(parts),
		cmocka_unit_test(live),
		cmocka_unit_test(second_stream),
		cmocka_unit_test(damaged),
		cmocka_unit_test(nobody_takes_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

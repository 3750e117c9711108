/* Where messages begin and end in an mbox, what their headers say, and how quoting is undone. */
#include "util.h"

#include "../../../src/source/mbox_private.h"

static struct zs_err err;

/* ------------------------------------------------------------------------- a parse */

struct got { /* messages as "at+bytes/header", issues as letters with their places */
	struct zs_buf text, issues;
	const struct zs_buf *file;
	struct mbox_message last;
	unsigned n, reads, fail_at;
};

static int mem_read(void *ctx, uint64_t from, void *p, size_t n, size_t *out_n, struct zs_err *e)
{
	struct got *g = ctx;

	if (g->fail_at && ++g->reads == g->fail_at)
		return zs_fail(e, ZS_SOURCE, "broken");
	*out_n = from >= g->file->n ? 0 : g->file->n - from < n ? g->file->n - (size_t)from : n;
	if (*out_n)
		memcpy(p, g->file->p + from, *out_n);
	return 0;
}

static int on_message(void *ctx, const struct mbox_message *m, struct zs_err *e)
{
	struct got *g = ctx;

	g->last = *m;
	g->n++;
	assert_true(m->at + m->bytes <= g->file->n && m->header_bytes <= m->bytes && m->bytes > 0);
	assert_true(m->sum == zs_hash64(0, zs_span(g->file->p + m->at, m->bytes)));
	return zs_buf_printf(&g->text, e, "%llu+%llu/%llu ", (unsigned long long)m->at, (unsigned long long)m->bytes,
	    (unsigned long long)m->header_bytes);
}

static void on_issue(void *ctx, enum mbox_issue what, uint64_t where)
{
	struct got *g = ctx;

	assert_int_equal(zs_buf_printf(&g->issues, &err, "%c%llu ", "FBCL"[what], (unsigned long long)where), 0);
}

static int parse(const struct zs_buf *file, enum mbox_format format, struct got *g)
{
	const struct mbox_input in = {g, mem_read, 0};
	const struct mbox_sink sink = {.ctx = g, .message = on_message, .issue = on_issue};

	g->file = file;
	return mbox_parse(&in, format, &sink, &err);
}

static void got_fini(struct got *g)
{
	zs_buf_fini(&g->text);
	zs_buf_fini(&g->issues);
	*g = (struct got){.n = 0};
}

static void check(const char *file, enum mbox_format format, const char *messages, const char *issues)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct got g = {.n = 0};

	assert_int_equal(zs_buf_add_span(&b, zs_span_str(file), &err), 0);
	assert_int_equal(parse(&b, format, &g), 1);
	if (!zs_span_eq(zs_buf_span(&g.text), zs_span_str(messages)) || !zs_span_eq(zs_buf_span(&g.issues), zs_span_str(issues)))
		fail_msg("%s\n--- %.*s| %.*s", file, (int)g.text.n, (const char *)g.text.p, (int)g.issues.n, (const char *)g.issues.p);
	got_fini(&g);
	zs_buf_fini(&b);
}

#define F "From a Thu Jan  1 10:00:00 2026\n" /* 32 bytes */

static void test_plain(void **state)
{
	(void)state;
	check("", MBOX_AUTO, "", "");
	check(F "S: 1\n\nbody\n\n", MBOX_AUTO, "32+11/6 ", "");
	check(F "S: 1\n\nbody\n", MBOX_AUTO, "32+11/6 ", "");
	check(F "S: 1\n\nbody\n\n" F "S: 2\n\nx\n\n", MBOX_AUTO, "32+11/6 76+8/6 ", "");
	check("\n\n" F "S: 1\n\nbody\n\n", MBOX_AUTO, "34+11/6 ", "");
	check(F "S: 1\r\n\r\nbody\r\n\r\n" F "S: 2\r\n\r\nx\r\n", MBOX_AUTO, "32+14/8 80+11/8 ", "");
	/* an empty body; and one of empty lines, of which one is the mbox's */
	check(F "S: 1\n\n" F "S: 2\n\n\n\n\n", MBOX_AUTO, "32+6/6 70+8/6 ", "");
	/* lines in a body that are none between messages */
	check(F "S: 1\n\nFrom me to you\n\nFrom here 10:00 2026\nplain\n\nFrom then on: yes\n", MBOX_AUTO, "32+68/6 ", "");
	check(F ">From b somewhere\nS: 1\n\nbody\n", MBOX_AUTO, "32+29/24 ", "");
	check(F "S: 1\n folded\n\tmore\n\nbody\n", MBOX_AUTO, "32+25/20 ", "");
	check(F "S: 1\nno field\nbody\n", MBOX_AUTO, "32+19/5 ", ""); /* a body without an empty line before it */
}

static void test_bad(void **state)
{
	(void)state;
	/* cut off: the last one, without a line end; within a header; before a From_ line */
	check(F "S: 1\n\nbody", MBOX_AUTO, "32+10/6 ", "C42 ");
	check(F "S: 1", MBOX_AUTO, "32+4/4 ", "C36 ");
	check(F "S: 1\n" F "S: 2\n\nx\n", MBOX_AUTO, "32+5/5 69+8/6 ", "C37 ");
	check(F "S: 1\n\nbody\n" F "S: 2\n\nx\n", MBOX_AUTO, "32+11/6 75+8/6 ", "B43 ");
	/* From_ lines without a date: taken as such if a header that mail has follows an empty line */
	check(F "S: 1\n\nbody\n\nFrom nobody\nSubject: 2\n\nx\n", MBOX_AUTO, "32+11/6 56+14/12 ", "F44 ");
	check("From nobody\nReceived: 2\n\nx\n", MBOX_AUTO, "12+15/13 ", "F0 ");
	check(F "S: 1\n\nbody\nFrom nobody\nSubject: 2\n\nx\n", MBOX_AUTO, "32+37/6 ", "");
	/* two From_ lines one after the other: the first is no more than a line of the message before */
	check(F "S: 1\n\nbody\n\n" F F "S: 2\n\nx\n", MBOX_AUTO, "32+44/6 108+8/6 ", "B76 ");
}

static void test_none(void **state)
{
	static const char *const none[] = {"x", "\n", "From", "From ", "From here to there\n", F, "\x89PNG", "Subject: a\nFrom: b\n\nx\n",
	    "From x\nsome text\n", "// From x 10:00 2026\nS: 1\n",
	    F F "S: 2\n\nx\n"};
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
		struct got g = {.n = 0};

		zs_buf_clear(&b);
		assert_int_equal(zs_buf_add_span(&b, zs_span_str(none[i]), &err), 0);
		assert_int_equal(parse(&b, MBOX_AUTO, &g), 0);
		assert_int_equal(g.n, 0);
		got_fini(&g);
	}
	zs_buf_fini(&b);
}

static void test_counted(void **state)
{
	static const char good[] = F "Content-Length: 42\n\n" F "S: in it\n\n\n" F "Content-Length: 2\n\nx\n";
	static const char bad[] = F "Content-Length: 7\n\nbody\n\n" F "S: 2\n\nx\n";
	static const char forged[] = F "Content-Length: 99999999999999999999\nS: 1\n\nx\n\n" F "Content-Length: 18446744073709551615\n\ny\n";

	(void)state;
	check(good, MBOX_AUTO, "32+62/20 127+21/19 ", "");
	check(good, MBOX_CL, "32+62/20 127+21/19 ", "");
	check(good, MBOX_RD, "32+20/20 84+10/10 127+21/19 ", ""); /* what is not asked for is not looked at */
	check(bad, MBOX_AUTO, "32+24/19 89+8/6 ", "");
	check(bad, MBOX_CL2, "32+24/19 89+8/6 ", "L32 L89 ");
	check(forged, MBOX_AUTO, "32+45/43 110+40/38 ", "");
	check(forged, MBOX_CL, "32+45/43 110+40/38 ", "L32 L110 ");
	check(F "Content-Length: 2\n\nx\n", MBOX_AUTO, "32+21/19 ", "");
	check(F "Content-Length: 0\n\n" F "S: 2\n\n", MBOX_AUTO, "32+19/19 83+6/6 ", ""); /* the second one has none: not counted */
	check(F "Content-Length: 9\n\nx\n", MBOX_CL, "32+21/19 ", "L32 "); /* more than there is */
}

/* Everything again with what is before it moved through the edges of the window. */
static void test_windows(void **state)
{
	static const char tail[] = "S: 1\n\nbody\n\n" F "Status: RO\nS: 2\n\nx\n>From y\n\n" F "S: 3\n\nlast\n";
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	for (size_t pad = (256u << 10) - 260; pad < (256u << 10) + 10; pad++) {
		struct got g = {.n = 0};

		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, F "X-Pad: %0*d\n", (int)pad, 7), 0);
		assert_int_equal(zs_buf_add_span(&b, zs_span_str(tail), &err), 0);
		assert_int_equal(parse(&b, MBOX_AUTO, &g), 1);
		assert_int_equal(g.n, 3);
		assert_int_equal(g.issues.n, 0);
		assert_int_equal(g.last.at + g.last.bytes, b.n);
		assert_int_equal(g.last.bytes, 11);
		got_fini(&g);
	}
	for (size_t pad = (256u << 10) - 120; pad < (256u << 10) + 10; pad++) { /* in a body */
		struct got g = {.n = 0};

		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, F "S: 0\n\n%0*d\n\n" F, (int)pad, 7), 0);
		assert_int_equal(zs_buf_add_span(&b, zs_span_str(tail), &err), 0);
		assert_int_equal(parse(&b, MBOX_AUTO, &g), 1);
		assert_int_equal(g.n, 4);
		assert_int_equal(g.issues.n, 0);
		assert_int_equal(g.last.bytes, 11);
		got_fini(&g);
	}
	zs_buf_fini(&b);
}

/* ">From " in a body is seen wherever the window cuts it. */
static void test_quoted_is_seen(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	for (size_t pad = (256u << 10) - 80; pad < (256u << 10) + 4; pad++) {
		struct got g = {.n = 0};

		zs_buf_clear(&b);
		assert_int_equal(zs_buf_printf(&b, &err, F "S: 0\n\n%0*d\n>From x\n%0*d\n", (int)pad, 7, (int)pad, 7), 0);
		assert_int_equal(parse(&b, MBOX_AUTO, &g), 1);
		assert_int_equal(g.n, 1);
		assert_true(g.last.may_be_quoted);
		got_fini(&g);
	}
	zs_buf_fini(&b);
}

/* Flags change the bytes of a message, not what it is called. */
static void test_stable(void **state)
{
	static const char *const same[] = {F "S: 1\nStatus: RO\n\nx\n", F "Status: O\nX-Status: A\nS: 1\n\nx\n",
	    F "S: 1\nX-Keywords: a\n  b c\nX-UID: 9\n\nx\n", F "S: 1\n\nx\n"};
	uint64_t stable = 0, sum = 0;

	(void)state;
	for (size_t i = 0; i < 5; i++) {
		struct zs_buf b = ZS_BUF_INIT;
		struct got g = {.n = 0};

		assert_int_equal(zs_buf_add_span(&b, zs_span_str(i < 4 ? same[i] : F "S: 2\n\nx\n"), &err), 0);
		assert_int_equal(parse(&b, MBOX_AUTO, &g), 1);
		if (i > 0 && i < 4)
			assert_true(g.last.stable == stable && g.last.sum != sum);
		if (i == 4)
			assert_false(g.last.stable == stable);
		stable = g.last.stable;
		sum = g.last.sum;
		got_fini(&g);
		zs_buf_fini(&b);
	}
}

static void test_errors(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	assert_int_equal(zs_buf_printf(&b, &err, F "S: 0\n\n%0*d\n\n" F "S: 1\n\n%0*d\n", 600000, 7, 600000, 7), 0);
	for (unsigned n = 1;; n++) {
		struct got g = {.fail_at = n};
		int rc = parse(&b, MBOX_AUTO, &g);

		got_fini(&g);
		if (rc > 0) {
			assert_true(n > 4);
			break;
		}
		assert_int_equal(rc, -1);
		assert_int_equal(err.cause, ZS_SOURCE);
		zs_err_clear(&err);
	}
	zs_buf_fini(&b);
}

/* ---------------------------------------------------------------------------- lines */

static void check_date(const char *line, const char *want)
{
	char iso[32] = "none";
	int64_t ns = mbox_line_date(zs_span_str(line));

	if (ns != INT64_MIN)
		(void)zs_time_iso(ns, iso);
	assert_string_equal(iso, want);
}

static void test_dates(void **state)
{
	(void)state;
	check_date("From a@x Thu Jan  1 10:02:03 2026\n", "2026-01-01T10:02:03Z");
	check_date("From a@x Thu Jan  1 10:02:03 2026\r\n", "2026-01-01T10:02:03Z");
	check_date("From \"Jan Dec\" Fri Feb 13 23:31:30 2009", "2009-02-13T23:31:30Z");
	check_date("From a Fri Feb 13 23:31 2009", "2009-02-13T23:31:00Z");
	check_date("From a Fri Feb 13 23:31:30 +0100 2009", "2009-02-13T22:31:30Z");
	check_date("From a Fri Feb 13 23:31:30 2009 -0730", "2009-02-14T07:01:30Z");
	check_date("From a Fri Feb 13 23:31:30 MET 2009", "2009-02-13T23:31:30Z");
	check_date("From a Fri, 13 Feb 2009 23:31:30 +0000", "2009-02-13T23:31:30Z");
	check_date("From 0123456789abcdef Mon Sep 17 00:00:00 2001", "2001-09-17T00:00:00Z");
	check_date("From a Sat Dec 31 23:59:60 2016", "2016-12-31T23:59:59Z");
	check_date("From - Thu Jan 01 00:00:00 1970", "1970-01-01T00:00:00Z");
	check_date("From a Fri Feb 13 2009", "none");
	check_date("From a Fri Feb 31 10:00:00 2009", "none");
	check_date("From a Fri Foo 13 10:00:00 2009", "none");
	check_date("From a Fri Feb 13 25:00:00 2009", "none");
	check_date("From a Fri Feb 13 10:00:00:00 2009", "none");
	check_date("From a Fri Feb 13 10:00:00 1969", "none");
	check_date("From a Fri Feb 13 10:00:00 9999", "none");
	check_date("From ", "none");
	check_date("From", "none");
}

static void test_fields(void **state)
{
	(void)state;
	assert_int_equal(mbox_line_field(zs_span_str("Subject: x")), 7);
	assert_int_equal(mbox_line_field(zs_span_str("Subject \t: x")), 7);
	assert_int_equal(mbox_line_field(zs_span_str(": x")), 0);
	assert_int_equal(mbox_line_field(zs_span_str("no field")), 0);
	assert_int_equal(mbox_line_field(zs_span_str("")), 0);
	assert_true(mbox_line_is_known(zs_span_str("rECEIVED: x")));
	assert_false(mbox_line_is_known(zs_span_str("Receiver: x")));
	assert_true(mbox_line_is_volatile(zs_span_str("x-status: A")));
	assert_false(mbox_line_is_volatile(zs_span_str("x-stat: A")));
}

/* --------------------------------------------------------------------------- quoting */

static void check_unquote(const char *text, enum mbox_format format, const char *want)
{
	size_t n = strlen(text);

	for (size_t piece = 1; piece <= n; piece++) {
		struct zs_buf out = ZS_BUF_INIT;
		struct mbox_unquote u;

		mbox_unquote_init(&u, format);
		for (size_t i = 0; i < n; i += piece)
			assert_int_equal(mbox_unquote_feed(&u, zs_span(text + i, n - i < piece ? n - i : piece), &out, &err), 0);
		assert_int_equal(mbox_unquote_end(&u, &out, &err), 0);
		assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
		assert_string_equal((char *)out.p, want);
		zs_buf_fini(&out);
	}
}

static void test_unquote(void **state)
{
	char *marks = malloc(10001 + 8);

	(void)state;
	check_unquote(">From a\n>>From b\n> From c\nx >From d\n>From", MBOX_RD, "From a\n>From b\n> From c\nx >From d\n>From");
	check_unquote(">From a\n>>From b\n>>>From c\n", MBOX_O, "From a\n>>From b\n>>>From c\n");
	check_unquote(">From a\n>>From b\n", MBOX_CL, "From a\n>>From b\n");
	check_unquote("From a\n>Fram\n>Fro\n>\n\n>>", MBOX_RD, "From a\n>Fram\n>Fro\n>\n\n>>");
	check_unquote(">F>From \n>From ", MBOX_RD, ">F>From \nFrom ");
	memset(marks, '>', 10001);
	(void)strcpy(marks + 10001, "From x\n");
	check_unquote(marks + 9000, MBOX_RD, marks + 9001);
	free(marks);
}

/* ----------------------------------------------------------------------------- flags */

static void check_header(const char *header, const char *flags, const char *tags, uint64_t uid)
{
	struct mbox_item item = {.uid = 0};

	assert_int_equal(mbox_header_item(zs_span_str(header), &item, &err), 0);
	for (size_t i = 0; i < item.flags.n; i++)
		item.flags.p[i] = item.flags.p[i] ? item.flags.p[i] : ',';
	for (size_t i = 0; i < item.tags.n; i++)
		item.tags.p[i] = item.tags.p[i] ? item.tags.p[i] : ',';
	assert_true(zs_span_eq(zs_buf_span(&item.flags), zs_span_str(flags)));
	assert_true(zs_span_eq(zs_buf_span(&item.tags), zs_span_str(tags)));
	assert_int_equal(item.uid, uid);
	mbox_header_fini(&item);
}

static void test_headers(void **state)
{
	(void)state;
	check_header("", "", "", 0);
	check_header("Subject: x\nStatus: O\n", "", "", 0);
	check_header("Status: RO\n", "\\Seen", "", 0);
	check_header("status:R\nX-Status: AFDT\n", "\\Answered,\\Deleted,\\Draft,\\Flagged,\\Seen", "", 0);
	check_header("X-Status: R\n", "", "", 0);
	check_header("X-Keywords: $Label1 work     \nX-UID: 4711\n", "", "$Label1,work", 4711);
	check_header("X-Keywords: a\n b\n\tc\n", "", "a,b,c", 0);
	check_header("X-Mozilla-Status: 000F\nX-Mozilla-Keys: $label2 junk\n", "\\Answered,\\Deleted,\\Flagged,\\Seen", "$label2,junk", 0);
	check_header("X-Mozilla-Status: 1001\n", "\\Seen,$Forwarded", "", 0);
	check_header("X-Mozilla-Status: zz\n", "", "", 0);
	check_header("no field\nStatus: R", "\\Seen", "", 0);
	check_header("X-UID: 99999999999999999999999\n", "", "", 9999999999u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain), cmocka_unit_test(test_bad), cmocka_unit_test(test_none), cmocka_unit_test(test_counted),
		cmocka_unit_test(test_windows), cmocka_unit_test(test_quoted_is_seen), cmocka_unit_test(test_stable), cmocka_unit_test(test_errors),
		cmocka_unit_test(test_dates), cmocka_unit_test(test_fields), cmocka_unit_test(test_unquote), cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Replies of an IMAP server: what is understood, what is refused, what is bounded; whatever pieces the bytes come in. */
#include "util.h"

#include "../../../src/source/imap_private.h"

struct feed { /* bytes in pieces of one size */
	const uint8_t *p;
	size_t n, piece;
};
static int feed_fill(void *ctx, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct feed *f = ctx;

	if (f->n == 0)
		return zs_fail(err, ZS_SOURCE, "end");
	*out_n = f->n < f->piece ? f->n : f->piece;
	if (*out_n > n)
		*out_n = n;
	memcpy(p, f->p, *out_n);
	f->p += *out_n;
	f->n -= *out_n;
	return 0;
}

struct seen { unsigned begun; uint64_t announced; struct zs_buf body; uint32_t uid; };
static int seen_begin(void *ctx, const struct imap_reply *r, uint64_t n, struct zs_err *err)
{
	struct seen *s = ctx;

	(void)err;
	s->begun++;
	s->announced = n;
	s->uid = r->has & IMAP_HAS_UID ? r->uid : 0;
	return 0;
}
static int seen_data(void *ctx, const uint8_t *p, size_t n, struct zs_err *err)
{
	return zs_buf_add(&((struct seen *)ctx)->body, p, n, err);
}

struct talk {
	struct feed feed;
	struct imap_stream s;
	struct imap_reply r;
	struct seen seen;
	struct zs_err err;
};
static void talk_begin(struct talk *t, const char *text, size_t n, size_t piece)
{
	memset(t, 0, sizeof *t);
	t->feed = (struct feed){(const uint8_t *)text, n, piece};
	assert_int_equal(imap_stream_init(&t->s, feed_fill, &t->feed, &t->err), 0);
}
static int talk_next(struct talk *t)
{
	const struct imap_sink sink = {&t->seen, seen_begin, seen_data};

	return imap_reply_read(&t->s, &t->r, &sink, &t->err);
}
static void talk_end(struct talk *t)
{
	imap_reply_fini(&t->r);
	imap_stream_fini(&t->s);
	zs_buf_fini(&t->seen.body);
}
static void is(struct zs_buf b, const char *want, size_t n)
{
	if (b.n != n || (n && memcmp(b.p, want, n) != 0))
		fail_msg("'%.*s', not '%.*s'", (int)b.n, (char *)b.p, (int)n, want);
}
#define IS(b, text) is(b, text, sizeof text - 1)

static const size_t pieces[] = {1, 2, 7, 1000000};
#define EACH_PIECE for (size_t piece_ = 0; piece_ < sizeof pieces / sizeof *pieces; piece_++)
#define BEGIN(t, text) talk_begin(t, text, sizeof text - 1, pieces[piece_])

static void test_results(void **state)
{
	struct talk t;

	(void)state;
	EACH_PIECE {
		BEGIN(&t, "* OK [UIDVALIDITY 77] valid\r\nZ5 NO [expungeissued] some are gone\r\nZ4294967295 BAD x\r\n* BYE\r\n+ go on\r\n"
		    "* PREAUTH hello\r\n* OK [CAPABILITY IMAP4rev1 ID] hi\r\nZ1 OK\r\n* no [COPYUID 3 4:5 6:7] text [x]\n");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_OK);
		assert_int_equal(t.r.tag, 0);
		assert_string_equal(t.r.code, "UIDVALIDITY");
		assert_int_equal(t.r.code_number, 77);
		IS(t.r.text, "valid");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_NO);
		assert_int_equal(t.r.tag, 5);
		assert_string_equal(t.r.code, "EXPUNGEISSUED");
		IS(t.r.text, "some are gone");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_BAD);
		assert_int_equal(t.r.tag, 4294967295u);
		assert_string_equal(t.r.code, "");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_BYE);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_CONTINUE);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_OK);
		assert_int_equal(talk_next(&t), 0);
		assert_string_equal(t.r.code, "CAPABILITY");
		IS(t.r.text, "IMAP4rev1 ID");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.tag, 1);
		assert_int_equal(talk_next(&t), 0);
		assert_string_equal(t.r.code, "COPYUID");
		assert_int_equal(t.r.code_number, 3);
		assert_int_equal(talk_next(&t), -1);
		talk_end(&t);
	}
}

static void test_fetch(void **state)
{
	struct talk t;

	(void)state;
	EACH_PIECE {
		BEGIN(&t, "* 12 FETCH (UID 9 FLAGS (\\Seen $A) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 44 MODSEQ (5))\r\n"
		    "* 1 fetch (body[] {7}\r\nabc)\r\nd uid 4)\r\n"
		    "* 2 FETCH (UID 5 BODY[] \"a\\\"b\\\\\")\r\n* 3 FETCH (UID 6 BODY[] NIL)\r\n* 4 FETCH (UID 7 BODY[] ~{3+}\r\na\0b)\r\n"
		    "* 5 FETCH (BODY[HEADER.FIELDS (DATE FROM)]<0> {4}\r\nDate X-Y (1 (2 {2}\r\n)( \"q\" NIL)) ENVELOPE NIL UID 8)\r\n"
		    "* 6 FETCH (FLAGS ())\r\n* 7 FETCH ( UID 3 )  \r\n* 8 FETCH (UID 2 RFC822.SIZE NIL INTERNALDATE \"never\")\r\n");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_FETCH);
		assert_int_equal(t.r.number, 12);
		assert_int_equal(t.r.uid, 9);
		assert_int_equal(t.r.size, 44);
		assert_int_equal(t.r.date_ns, 837596665000000000);
		IS(t.r.flags, "\\Seen\0$A");
		assert_int_equal(t.r.has, IMAP_HAS_UID | IMAP_HAS_FLAGS | IMAP_HAS_DATE | IMAP_HAS_SIZE);
		assert_int_equal(t.seen.begun, 0);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.seen.begun, 1);
		assert_int_equal(t.seen.uid, 0); /* the UID came later */
		assert_int_equal(t.r.uid, 4);
		IS(t.seen.body, "abc)\r\nd");
		t.seen.body.n = 0;
		assert_int_equal(talk_next(&t), 0);
		IS(t.seen.body, "a\"b\\");
		assert_int_equal(t.seen.announced, 4);
		t.seen.body.n = 0;
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.has, IMAP_HAS_UID | IMAP_HAS_NIL);
		assert_int_equal(t.seen.begun, 2);
		assert_int_equal(talk_next(&t), 0);
		IS(t.seen.body, "a\0b");
		assert_int_equal(t.seen.uid, 7);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.has, IMAP_HAS_UID);
		assert_int_equal(t.r.uid, 8);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.has, IMAP_HAS_FLAGS);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.uid, 3);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.has, IMAP_HAS_UID | IMAP_HAS_DATE);
		assert_int_equal(t.r.date_ns, INT64_MIN);
		assert_int_equal(talk_next(&t), -1);
		assert_string_equal(t.err.text, "end");
		talk_end(&t);
	}
}

static void test_lists(void **state)
{
	struct talk t;

	(void)state;
	EACH_PIECE {
		BEGIN(&t, "* LIST (\\HasNoChildren \\Sent) \"/\" \"a \\\"b\\\"\"\r\n* LIST () NIL inbox\r\n* LIST (\\Noselect) \"\\\\\" {3}\r\nx\ny\r\n"
		    "* list () \".\" NIL (\"CHILDINFO\" (\"SUBSCRIBED\") OLDNAME (\"x\"))\r\n* STATUS {2}\r\nab (MESSAGES 5 UIDNEXT 6 X-SIZE (7 8)"
		    " UIDVALIDITY 9 HIGHESTMODSEQ 10)\r\n* ID (\"name\" \"Fake\" \"version\" NIL)\r\n* ID NIL\r\n* 7 EXISTS\r\n* 3 EXPUNGE\r\n"
		    "* CAPABILITY IMAP4rev1 ID\r\n* FLAGS (\\Seen)\r\n* X-NEWS {5}\r\nZ1 OK more {2+}\r\n\r\n end\r\n* 1 X {3\r\n");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_LIST);
		IS(t.r.name, "a \"b\"");
		IS(t.r.flags, "\\HasNoChildren\0\\Sent");
		assert_true(imap_reply_among(zs_buf_span(&t.r.flags), "\\SENT"));
		assert_false(imap_reply_among(zs_buf_span(&t.r.flags), "\\Sen"));
		assert_int_equal(t.r.delimiter, '/');
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.delimiter, 0);
		IS(t.r.name, "inbox");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.delimiter, '\\');
		IS(t.r.name, "x\ny");
		assert_int_equal(talk_next(&t), 0);
		IS(t.r.name, "NIL");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_STATUS);
		IS(t.r.name, "ab");
		assert_int_equal(t.r.messages, 5);
		assert_int_equal(t.r.uidnext, 6);
		assert_int_equal(t.r.uidvalidity, 9);
		assert_int_equal(t.r.modseq, 10);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_ID);
		IS(t.r.text, "name\0Fake\0version\0\0");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_EXISTS);
		assert_int_equal(t.r.number, 7);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_EXPUNGE);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_CAPABILITY);
		IS(t.r.text, " IMAP4rev1 ID");
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(t.r.type, IMAP_OTHER);
		assert_int_equal(talk_next(&t), 0); /* its literal is no reply */
		assert_int_equal(t.r.type, IMAP_OTHER);
		assert_int_equal(talk_next(&t), 0);
		assert_int_equal(talk_next(&t), -1);
		talk_end(&t);
	}
}

/* Garbage: an error that says so, at every cut also. */
static void test_garbage(void **state)
{
	static const char *const bad[] = {"\r\n", "hello\r\n", "*\r\n", "* \r\n", "Z OK\r\n", "Z0 OK\r\n", "Z4294967296 OK\r\n", "Z1 FINE\r\n", "Z1 BYE\r\n",
	    "A1 OK\r\n", "* 5 \r\n", "* 99999999999999999999999 EXISTS\r\n", "* 1 FETCH\r\n", "* 1 FETCH x\r\n", "* 1 FETCH (UID)\r\n",
	    "* 1 FETCH (UID 0)\r\n", "* 1 FETCH (UID 4294967296)\r\n", "* 1 FETCH (UID -1)\r\n", "* 1 FETCH (UID 1\r\n", "* 1 FETCH (UID 1))\r\n",
	    "* 1 FETCH (BODY[] {5}abcde)\r\n", "* 1 FETCH (BODY[] {-5}\r\n)\r\n", "* 1 FETCH (BODY[] {18446744073709551616}\r\n)\r\n",
	    "* 1 FETCH (BODY[] {1}\r\nab)\r\n", "* 1 FETCH (BODY[] {1}\r\na BODY[] {1}\r\nb)\r\n", "* 1 FETCH (BODY[ x)\r\n", "* 1 FETCH (FLAGS x)\r\n",
	    "* 1 FETCH (FLAGS (a (b)))\r\n", "* 1 FETCH (X (((((((((((((((((((((((((((((((((1)))))))))))))))))))))))))))))))))))\r\n",
	    "* 1 FETCH (INTERNALDATE \"unended)\r\n", "* LIST\r\n", "* LIST () \"//\" x\r\n", "* LIST () \"/\"\r\n", "* STATUS x\r\n", "* STATUS x (UIDNEXT)\r\n",
	    "* STATUS x (UIDNEXT a)\r\n", "* ID (\"a\"\r\n", "* LIST () \"/\" {70000}\r\n", "* LIST (\\A) \"/\" \"a\" b) c\r\n"};
	struct talk t;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		EACH_PIECE {
			talk_begin(&t, bad[i], strlen(bad[i]), pieces[piece_]);
			if (talk_next(&t) == 0)
				fail_msg("accepted: %s", bad[i]);
			assert_int_equal(t.err.cause, ZS_SOURCE);
			for (const char *p = t.err.text; *p; p++)
				assert_true((unsigned char)*p >= ' ');
			talk_end(&t);
		}
	}
}

/* A valid conversation cut anywhere is an error, and never more than what was there. */
static void test_cut(void **state)
{
	static const char text[] = "* 12 FETCH (UID 9 BODY[] {7}\r\nabc)\r\nd FLAGS (\\Seen))\r\n";
	struct talk t;

	(void)state;
	for (size_t n = 0; n < sizeof text - 1; n++) {
		talk_begin(&t, text, n, 3);
		assert_int_equal(talk_next(&t), -1);
		assert_true(t.seen.body.n <= 7);
		talk_end(&t);
	}
}

static int endless_fill(void *ctx, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct feed *f = ctx;

	(void)err;
	if (f->n) { /* the beginning, then the last byte for ever */
		memcpy(p, f->p, f->n);
		*out_n = f->n;
		f->piece = p[f->n - 1];
		f->n = 0;
		return 0;
	}
	memset(p, (int)f->piece, n);
	*out_n = n;
	return 0;
}

/* What never ends is refused in bounded memory. */
static void test_endless(void **state)
{
	static const char *const bad[] = {"* OK x", "* X", "* 1 FETCH (FLAGS (a", "* 1 FETCH (FLAGS ( ", "* 1 FETCH (X (1 ", "* 1 FETCH (X \"a", "* LIST (", "* LIST () \"/\" \"x",
	    "* 1 FETCH (BODY[HEADER.FIELDS (a", "* CAPABILITY a", "* STATUS x ( ", "* ID ( ", "* 1", "Z1", "Z1 OK [A", "* OK [CAPABILITY A", "+ a", "* 1 FETCH (UID 1 "};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct feed f = {(const uint8_t *)bad[i], strlen(bad[i]), 0};
		struct imap_stream s;
		struct imap_reply r = {0};
		struct zs_err err = {0};

		assert_int_equal(imap_stream_init(&s, endless_fill, &f, &err), 0);
		assert_int_equal(imap_reply_read(&s, &r, NULL, &err), -1);
		assert_int_equal(err.cause, ZS_SOURCE);
		assert_true(s.received < 3u << 20);
		assert_true(r.text.cap + r.flags.cap + r.name.cap < 1u << 20);
		imap_reply_fini(&r);
		imap_stream_fini(&s);
	}
}

static int count_data(void *ctx, const uint8_t *p, size_t n, struct zs_err *err)
{
	(void)p;
	(void)err;
	*(uint64_t *)ctx += n;
	return 0;
}
static int count_begin(void *ctx, const struct imap_reply *r, uint64_t n, struct zs_err *err)
{
	(void)ctx;
	(void)r;
	(void)n;
	(void)err;
	return 0;
}
static int large_fill(void *ctx, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err)
{
	static const char head[] = "* 1 FETCH (UID 1 BODY[] {5000000000}\r\n", tail[] = ")\r\n";
	uint64_t *at = ctx, body = 5000000000, rest;

	if (*at == 0) {
		memcpy(p, head, sizeof head - 1);
		*out_n = sizeof head - 1;
		*at = 1;
		return 0;
	}
	rest = body - (*at - 1);
	if (rest == 0) {
		if (*at > body + 1)
			return zs_fail(err, ZS_SOURCE, "end");
		memcpy(p, tail, 3);
		*out_n = 3;
		return 0;
	}
	*out_n = rest < n ? (size_t)rest : n;
	*at += *out_n;
	return 0;
}

/* Bodies have no limit: past 32 bits. */
static void test_large(void **state)
{
	uint64_t at = 0, seen = 0;
	const struct imap_sink sink = {&seen, count_begin, count_data};
	struct imap_stream s;
	struct imap_reply r = {0};
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(imap_stream_init(&s, large_fill, &at, &err), 0);
	if (imap_reply_read(&s, &r, &sink, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(seen, 5000000000);
	imap_reply_fini(&r);
	imap_stream_fini(&s);
}

static void test_dates(void **state)
{
	static const struct { const char *text; int64_t seconds; } t[] = {{"17-Jul-1996 02:44:25 -0700", 837596665}, {" 1-Jan-1970 00:00:00 +0000", 0},
	    {"01-Jan-1970 00:00:00 +0130", -5400}, {"1-Mar-2000 00:00:00 +0000", 951868800}, {"29-feb-2024 23:59:60 +0000", 1709251200},
	    {"31-Dec-1969 23:59:59 +0000", -1}};
	static const char *const bad[] = {"", "17-Jul-1996", "17-Jux-1996 02:44:25 -0700", "00-Jul-1996 02:44:25 -0700", "17-Jul-1996 24:44:25 -0700",
	    "17-Jul-1996 02:44:25 -070", "17-Jul-1996 02:44:25 -07000", "17-Jul-1996 02:44:25 ~0700", "17-Jul-0001 02:44:25 -0700", "17 Jul 1996 02:44:25 +0000",
	    "17-Jul-9999 02:44:25 -0700", "17-Jul-1996 02:60:25 -0700", "ab-Jul-1996 02:44:25 -0700"};

	(void)state;
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		assert_int_equal(imap_reply_date(zs_span_str(t[i].text)), t[i].seconds * 1000000000);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(imap_reply_date(zs_span_str(bad[i])), INT64_MIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_results), cmocka_unit_test(test_fetch), cmocka_unit_test(test_lists), cmocka_unit_test(test_garbage),
	    cmocka_unit_test(test_cut), cmocka_unit_test(test_endless), cmocka_unit_test(test_large), cmocka_unit_test(test_dates)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* iCalendar out of messages: how Zimbra nests them, encodings, charsets, and mail that is broken in every way. */
#include "util.h"

#include "../../../src/source/zimbra_private.h"

static void is_span(struct zs_span blob, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	int rc;

	assert_int_equal(zs_buf_add_u8(&out, '>', &err), 0); /* what is there stays */
	rc = zimbra_calendar_extract(blob, &out, &err);
	assert_int_equal(rc, *want != 0);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_int_equal(out.p[0], '>');
	assert_string_equal((char *)out.p + 1, want);
	zs_buf_fini(&out);
}

static void is(const char *blob, const char *want)
{
	is_span(zs_span_str(blob), want);
}

#define CAL(x) "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:" x "\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
#define HEAD "Content-Type: text/calendar; charset=utf-8\r\n\r\n"

/* As the server stores an appointment with an exception. */
static void test_digest(void **state)
{
	(void)state;
	is("Content-Type: multipart/digest;\r\n\tboundary=\"----=_Part_1\"\r\n\r\n"
	   "------=_Part_1\r\nContent-Type: message/rfc822\r\ninvId: 258\r\n\r\n"
	   "Subject: one\r\nMIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_a\"\r\n\r\n"
	   "--=_a\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nBEGIN:VCALENDAR\r\nnot this\r\nEND:VCALENDAR\r\n"
	   "--=_a\r\nContent-Type: text/calendar; charset=utf-8; method=REQUEST; name=meeting.ics\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" CAL("1") "\r\n--=_a--\r\n\r\n"
	   "------=_Part_1\r\ninvId: 259\r\n\r\n" /* in a digest, a message is what it is */
	   "Subject: two\r\nContent-Type: TEXT/Calendar\r\n\r\n" CAL("2") "------=_Part_1--\r\nbehind it\r\n" HEAD CAL("3"),
	    CAL("1") CAL("2"));
	is(HEAD CAL("1"), CAL("1"));
	is("Content-Type: text/plain\r\n\r\n" CAL("1"), "");
	is("Subject: x\r\n\r\n" CAL("1"), "");
	is("Content-Type: text/calendarium\r\n\r\n" CAL("1"), "");
	is(CAL("1") CAL("2"), CAL("1") CAL("2")); /* no message at all */
	is("", "");
	is("\r\n", "");
	is("x", "");
}

static void test_encodings(void **state)
{
	(void)state;
	is("Content-Type: text/calendar\nContent-Transfer-Encoding: BASE64\n\n"
	   "QkVHSU46VkNBTEVOREFSCg==\nU1VNTUFSWTpCw7xyb!wpFTkQ6VkNBTEVOREFSCg\n",
	    "BEGIN:VCALENDAR\r\nSUMMARY:B\xc3\xbcro\r\nEND:VCALENDAR\r\n");
	is("Content-Transfer-Encoding:quoted-printable\nContent-Type:text/calendar\n\n"
	   "BEGIN:VCALENDAR=0D=0ASUMM=\nARY:B=C3=bcro= \t\r\n=zz==4 =\nEND:VCALENDAR\n",
	    "BEGIN:VCALENDAR\r\nSUMMARY:B\xc3\xbcro=zz==4 END:VCALENDAR\r\nEND:VCALENDAR\r\n");
	is("Content-Type: text/calendar; charset=\"ISO-8859-1\"\n\nBEGIN:VCALENDAR\nSUMMARY:B\xfcro\xa4\nEND:VCALENDAR\n",
	    "BEGIN:VCALENDAR\r\nSUMMARY:B\xc3\xbcro\xc2\xa4\r\nEND:VCALENDAR\r\n");
	is("Content-Type: text/calendar; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\nQkVHSU46VkNBTEVOREFSCkE6/ApFTkQ6VkNBTEVOREFSCg==",
	    "BEGIN:VCALENDAR\r\nA:\xc3\xbc\r\nEND:VCALENDAR\r\n");
	is("Content-Type: text/calendar; charset=us-ascii\n\nBEGIN:VCALENDAR\nA:\xc3\xbc\nEND:VCALENDAR\n", "BEGIN:VCALENDAR\r\nA:\xc3\xbc\r\nEND:VCALENDAR\r\n");
	is("Content-Type: text/calendar; charset=koi8-r\n\nBEGIN:VCALENDAR\nA:\xc1\nEND:VCALENDAR\n", "BEGIN:VCALENDAR\r\nA:\xc1\r\nEND:VCALENDAR\r\n");
	is("Content-Type: text/calendar\n\n\xef\xbb\xbf" "BEGIN:VCALENDAR\nA:b\n c\n\td\nEND:VCALENDAR\n", "BEGIN:VCALENDAR\r\nA:b\r\n c\r\n\td\r\nEND:VCALENDAR\r\n");
}

static void test_objects(void **state)
{
	(void)state;
	is(HEAD "noise\rBEGIN:VCALENDAR\rA:1\rEND:VCALENDAR\rnoise\nbegin:vcalendar \n\n\nB:2\nend:VCalendar\t\nnoise", /* Mac, small letters, blanks */
	    "BEGIN:VCALENDAR\r\nA:1\r\nEND:VCALENDAR\r\nBEGIN:vcalendar\r\nB:2\r\nEND:vcalendar\r\n");
	is(HEAD "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VALARM\nA:1", /* cut short */
	    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nBEGIN:VALARM\r\nA:1\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
	is(HEAD "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VALARM\nEND:VEVENT\nEND:VTODO\nEND:VCALENDAR\nEND:VCALENDAR\n",
	    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nBEGIN:VALARM\r\nEND:VALARM\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
	is(HEAD "BEGIN:VCALENDAR\nBEGIN:VEVENT\nBEGIN:VCALENDAR\nA:1\n",
	    "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nEND:VEVENT\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR\r\nA:1\r\nEND:VCALENDAR\r\n");
	is(HEAD "BEGIN:VCALENDAR\n folded\nBEGIN:V EVENT\nA:\x01" "b\x7f\nBEG\x02IN:VEVENT\nBEGIN:\nEND:\n", /* none of it changes what is open */
	    "BEGIN:VCALENDAR\r\nA:\xef\xbf\xbd" "b\xef\xbf\xbd\r\nBEG\xef\xbf\xbdIN:VEVENT\r\nEND:VCALENDAR\r\n");
	is(HEAD "BEGIN:VEVENT\nA:1\nEND:VEVENT\n", "");
	is_span(zs_span("Content-Type: text/calendar\n\nBEGIN:VCALENDAR\nA:\0b\nEND:VCALENDAR\n", 65), "BEGIN:VCALENDAR\r\nA:\xef\xbf\xbd" "b\r\nEND:VCALENDAR\r\n");
}

static void test_boundaries(void **state)
{
	(void)state;
	/* no end; a boundary that begins like another; one with blanks behind; an escape in it; LF only */
	is("Content-Type: multipart/mixed; boundary=a\n\n--a\n" HEAD CAL("1") "--ab\nX:1\n--a \t\n" HEAD CAL("2"), CAL("1") CAL("2"));
	is("Content-Type: multipart/mixed; charset=x; boundary=\"a\\\"b;c\"\n\n--a\"b;c\n" HEAD CAL("1") "--a\"b;c--\n" HEAD CAL("2"), CAL("1"));
	/* the inner one has no end: the outer one's part ends it, and its boundary is a line of text from there on */
	is("Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n" HEAD CAL("1") "--o\n" HEAD CAL("2") "--i\n" HEAD CAL("3") "--o--\n" CAL("4"),
	    CAL("1") CAL("2") CAL("3"));
	/* nothing to go by */
	is("Content-Type: multipart/mixed\n\n--a\n" HEAD CAL("1") "--a--\n", "");
	is("Content-Type: multipart/mixed; boundary=\n\n--\n" HEAD CAL("1"), "");
	is("Content-Type: multipart/mixed; boundary=\"\n\n--\n" HEAD CAL("1"), "");
	/* a header that ends with the part; one without a body */
	is("Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/calendar\n--a\n\n--a\nContent-Type: text/calendar", "");
	is("Content-Type: multipart/mixed; boundary=a\n\n--a\n" CAL("1") "--a--", CAL("1"));
	/* a message that is encoded is none; the headers are folded, in odd order, twice */
	is("Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n" HEAD CAL("1"), "");
	is("Content-Type: message/rfc822\n\nContent-Type: message/rfc822\n\n" HEAD CAL("1"), CAL("1"));
	is("X: y\n z\nContent-Type:\n text/plain\nContent-Type:\n\ttext/calendar\n ; charset\n = utf-8\n\n" CAL("1"), CAL("1"));
}

static void add_text(struct zs_buf *b, const char *s)
{
	struct zs_err err = {0};

	assert_int_equal(zs_buf_add(b, s, strlen(s), &err), 0);
}

static void multiparts(struct zs_buf *b, unsigned n)
{
	struct zs_err err = {0};

	zs_buf_clear(b);
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(zs_buf_printf(b, &err, "Content-Type: multipart/mixed; boundary=b%u.\n\n--b%u.\n", i, i), 0);
	add_text(b, HEAD CAL("in"));
	assert_int_equal(zs_buf_printf(b, &err, "--b0.\n" HEAD CAL("out")), 0);
}

static void test_depth(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	multiparts(&b, 32);
	is_span(zs_buf_span(&b), CAL("in") CAL("out"));
	multiparts(&b, 33);
	is_span(zs_buf_span(&b), CAL("out"));
	multiparts(&b, 20000);
	is_span(zs_buf_span(&b), CAL("out"));
	for (unsigned n = 32; n < 34; n++) {
		zs_buf_clear(&b);
		for (unsigned i = 0; i < n; i++)
			add_text(&b, "Content-Type: message/rfc822\n\n");
		add_text(&b, HEAD CAL("in"));
		is_span(zs_buf_span(&b), n == 32 ? CAL("in") : "");
	}
	zs_buf_clear(&b);
	add_text(&b, HEAD "BEGIN:VCALENDAR\n");
	for (unsigned i = 0; i < 20; i++)
		add_text(&b, "BEGIN:X\n");
	add_text(&b, "A:1\nEND:VCALENDAR\n" CAL("next"));
	is_span(zs_buf_span(&b), CAL("next"));
	zs_buf_fini(&b);
}

/* 100,000 parts and no more; 64 MiB and no more; many lines that look like boundaries. */
static void test_sizes(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};
	size_t one = strlen(CAL("x"));

	(void)state;
	add_text(&b, "Content-Type: multipart/mixed; boundary=a\n\n");
	for (unsigned i = 0; i < 100001; i++)
		add_text(&b, "--a\n" HEAD CAL("x"));
	assert_int_equal(zimbra_calendar_extract(zs_buf_span(&b), &out, &err), 1);
	assert_int_equal(out.n, (100000 - 1) * one); /* the whole is one of them */

	zs_buf_clear(&b);
	zs_buf_clear(&out);
	add_text(&b, "Content-Type: multipart/mixed; boundary=a\n\n");
	for (unsigned i = 0; i < 3; i++) {
		size_t n = 30u << 20;

		add_text(&b, "--a\n" HEAD "BEGIN:VCALENDAR\nA:");
		assert_int_equal(zs_buf_reserve(&b, n, &err), 0);
		memset(b.p + b.n, 'x', n);
		b.n += n;
		add_text(&b, "\nEND:VCALENDAR\n");
	}
	add_text(&b, "--a\n" HEAD CAL("x"));
	assert_int_equal(zimbra_calendar_extract(zs_buf_span(&b), &out, &err), 1);
	assert_int_equal(out.n / (30u << 20), 2);
	assert_memory_equal(out.p + out.n - one, CAL("x"), one);

	zs_buf_clear(&b);
	zs_buf_clear(&out);
	multiparts(&b, 32);
	for (unsigned i = 0; i < 2000000; i++)
		add_text(&b, "--b1\n");
	assert_int_equal(zimbra_calendar_extract(zs_buf_span(&b), &out, &err), 1);
	zs_buf_fini(&b);
	zs_buf_fini(&out);
}

/* A prefix of any length: never a crash, and always whole objects. */
static void test_prefixes(void **state)
{
	static const char blob[] = "Content-Type: multipart/digest; boundary=\"a\\b\"\r\n\r\n--ab\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n"
				   "Content-Type: text/calendar; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nBEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nA:=FC\r\n"
				   "END:VEVENT\r\nEND:VCALENDAR\r\n--c--\r\n--ab--\r\n";

	(void)state;
	for (size_t n = 0; n < sizeof blob; n++) {
		struct zs_buf out = ZS_BUF_INIT;
		struct zs_err err = {0};
		uint8_t *exact = malloc(n ? n : 1);
		int rc;

		memcpy(exact, blob, n);
		rc = zimbra_calendar_extract(zs_span(exact, n), &out, &err);
		assert_int_equal(rc, out.n > 0);
		if (rc)
			assert_memory_equal(out.p + out.n - 15, "END:VCALENDAR\r\n", 15);
		if (n == sizeof blob - 1)
			assert_int_equal(out.n, strlen("BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nA:ue\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"));
		free(exact);
		zs_buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digest), cmocka_unit_test(test_encodings), cmocka_unit_test(test_objects), cmocka_unit_test(test_boundaries),
		cmocka_unit_test(test_depth), cmocka_unit_test(test_sizes), cmocka_unit_test(test_prefixes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

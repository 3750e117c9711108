/* What counts as a message, by its first bytes; and what is read from its header. */
#include "mail_test.h"

static void tells_messages(void **state)
{
	static const struct { const char *text; enum sniff want; } cases[] = {
		{"From: a\nTo: b\n\nx", SNIFF_MESSAGE}, {"Return-Path: <a>\r\nReceived: x\r\n y\r\n", SNIFF_MESSAGE},
		{"X-Foo: 1\nX-Bar: 2\nSubject: 3\nDATE: 4\n", SNIFF_MESSAGE}, {"Subject : a\nDate: b\n", SNIFF_MESSAGE},
		{"From a@b Mon Jan  2 15:04:05 2006\nReceived: x\n", SNIFF_MBOX}, {"From a@b 15:04 2006\nfoo\n",
		SNIFF_PLAIN},
		{"From a@b Mon Jan  2 15:04:05 2006\n", SNIFF_PLAIN}, {"From here on 12:30 we walk\nTo: b\n",
		SNIFF_PLAIN},
		{"", SNIFF_PLAIN}, {"hello", SNIFF_PLAIN}, {"From: a\n\nTo: b\n", SNIFF_PLAIN},
		{"From: a\ngarbage\nTo: b\n", SNIFF_PLAIN},
		{"{\"From\": 1}\n", SNIFF_PLAIN}, {"host: a\nport: b\nuser: c\n", SNIFF_PLAIN}, {" From: a\nTo: b\n",
		SNIFF_PLAIN},
		{"\nFrom: a\nTo: b\n", SNIFF_PLAIN}, {"dn: cn=x\nobjectClass: y\n", SNIFF_PLAIN}, {":\n:\n",
		SNIFF_PLAIN}, {"From", SNIFF_PLAIN},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (sniff_content(zs_span_str(cases[i].text)) != cases[i].want)
			fail_msg("%s", cases[i].text);
}

static void knows_fields(void **state)
{
	uint8_t name[200];

	(void)state;
	assert_int_equal(sniff_field((const uint8_t *)"A: b", 4), 1);
	assert_int_equal(sniff_field((const uint8_t *)"A \t: b", 6), 1);
	assert_int_equal(sniff_field((const uint8_t *)"A b: c", 6), 0);
	assert_int_equal(sniff_field((const uint8_t *)": c", 3), 0);
	assert_int_equal(sniff_field((const uint8_t *)"A", 1), 0);
	memset(name, 'x', sizeof name);
	name[76] = ':';
	assert_int_equal(sniff_field(name, sizeof name), 76);
	name[76] = 'x';
	name[77] = ':';
	assert_int_equal(sniff_field(name, sizeof name), 0);
	assert_true(sniff_known((const uint8_t *)"mEssaGe-Id", 10));
	assert_false(sniff_known((const uint8_t *)"message-i", 9));
	assert_false(sniff_known((const uint8_t *)"message-idx", 11));
}

static void check_span(struct zs_span s, const char *want)
{
	if (!zs_span_eq(s, zs_span_str(want)))
		fail_msg("%.*s is not %s", (int)s.n, (const char *)s.p, want);
}

static void digests_the_header(void **state)
{
	static const char text[] =
	    "Received: x\r\nFrom: =?utf-8?q?J=C3=B6rg?= <j@example.org>\r\nfrom: second@example.org\r\nTO:\r\n a@example.org,\r\n\tb@example.org\r\n"
	    "Subject: folded\r\n subject\r\nDate: Thu, 1 Jan 1970 00:00:01 +0000\r\nMessage-ID: <id@example.org>\r\n"
	    "Content-Type: multipart/mixed;\r\n boundary=\"=_x\"\r\n\r\n--=_x\r\nContent-Type: text/plain; name=\"one.txt\"\r\n\r\nhello\r\n"
	    "--=_x\r\nContent-Type: application/pdf; name=\"not this.pdf\"\r\nContent-Disposition: attachment;\r\n filename*=utf-8''%c3%bc.pdf\r\n\r\n"
	    "data\r\n--=_x\r\nContent-Type: message/rfc822\r\n\r\nFrom: inner@example.org\r\nSubject: inner\r\n"
	    "Content-Disposition: inline; filename=inner.txt\r\n\r\ntext\r\n--=_x--\r\n";
	struct zs_split_result r;
	struct world w;

	(void)state;
	world_init(&w);
	r = world_round_trip(&w, zs_span_str(text), 0);
	assert_true(r.is_message);
	check_span(r.from, "J\xc3\xb6rg <j@example.org>");
	check_span(r.to, "a@example.org, b@example.org");
	check_span(r.subject, "folded subject");
	check_span(r.message_id, "id@example.org");
	assert_int_equal(r.date_ns, 1000000000);
	assert_true(zs_span_eq(r.attachments, zs_span("one.txt\0\xc3\xbc.pdf\0inner.txt", 24)));
	/* nothing of it is left for the next */
	r = world_round_trip(&w, zs_span_str("X-A: b\nSubject: s\nCc: d\n\n"), 0);
	assert_true(r.is_message);
	check_span(r.subject, "s");
	assert_int_equal(r.from.n + r.to.n + r.message_id.n + r.attachments.n, 0);
	assert_int_equal(r.date_ns, INT64_MIN);
	r = world_round_trip(&w, zs_span_str("no message"), 0);
	assert_false(r.is_message);
	assert_int_equal(r.subject.n, 0);
	assert_int_equal(r.date_ns, INT64_MIN);
	world_fini(&w);
}

/* Fields and names of any length are cut, not refused. */
static void bounds_the_digest(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_split_result r;
	struct zs_err err = {0};
	struct world w;

	(void)state;
	add_text(&b, "From: a\nSubject: ");
	for (int i = 0; i < 100000; i++)
		add_text(&b, "\xc3\xbc");
	add_text(&b, "\nTo: b\nContent-Type: multipart/mixed; boundary=x\n\n");
	for (int i = 0; i < 300; i++)
		assert_int_equal(zs_buf_printf(&b, &err,
		    "--x\nContent-Disposition: attachment; filename=file-%04d.pdf\n\ntext\n", i), 0);
	world_init(&w);
	for (uint32_t slice = 0; slice < 20000; slice = slice * 7 + 1000) {
		r = world_round_trip(&w, zs_buf_span(&b), slice);
		assert_true(r.is_message);
		assert_int_equal(r.subject.n, 512);
		check_span(r.to, "b");
		assert_int_equal(r.attachments.n, 64 * 14 - 1);
		assert_memory_equal(r.attachments.p, "file-0000.pdf\0file-0001.pdf", 28);
	}
	zs_buf_fini(&b);
	world_fini(&w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_messages), cmocka_unit_test(knows_fields),
		cmocka_unit_test(digests_the_header), cmocka_unit_test(bounds_the_digest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

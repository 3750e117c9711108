/* Contacts as vCards: every kind of attribute, escapes, folding, lists, the name that a card must have. */
#include "util.h"

#include "../../../src/source/zimbra_private.h"

/* Metadata from key, value, key, value ... NULL (the old form counts characters: these are ASCII or counted by utf16). */
static size_t utf16(const char *s)
{
	size_t n = 0;

	for (; *s; s++)
		n += ((unsigned char)*s & 0xc0) != 0x80 ? 1 + ((unsigned char)*s >= 0xf0) : 0;
	return n;
}

static void put(struct zs_buf *b, const char *s)
{
	struct zs_err err = {0};

	assert_int_equal(zs_buf_printf(b, &err, "%zu:%s", utf16(s), s), 0);
}

static char *card_of(const char *const *fields, int is_bare, const char *uid)
{
	struct zs_buf b = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zimbra_meta *m = NULL;
	struct zs_err err = {0};

	assert_int_equal(zs_buf_add(&b, "d", 1, &err), 0);
	if (!is_bare)
		assert_int_equal(zs_buf_add(&b, "1:ci2e3:fldd", 12, &err), 0);
	else
		assert_int_equal(zs_buf_add(&b, "1:ci2e3:ver1:3", 14, &err), 0);
	for (; *fields; fields++)
		put(&b, *fields);
	assert_int_equal(zs_buf_printf(&b, &err, "%s1:vi10ee", is_bare ? "" : "e"), 0);
	if (zimbra_metadata_parse(zs_buf_span(&b), &m, &err) < 0)
		fail_msg("%.*s: %s", (int)b.n, (const char *)b.p, err.text);
	assert_int_equal(zs_buf_add(&out, ">", 1, &err), 0); /* what is there stays */
	assert_int_equal(zimbra_vcard_write(zimbra_metadata_top(m), zs_span_str(uid), &out, &err), 0);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_int_equal(out.p[0], '>');
	memmove(out.p, out.p + 1, out.n - 1);
	zimbra_metadata_free(m);
	zs_buf_fini(&b);
	return (char *)out.p;
}

#define LINES(...) ((const char *const[]){__VA_ARGS__, NULL})
static void is(const char *const *fields, const char *const *lines, int is_bare, const char *uid)
{
	struct zs_buf want = ZS_BUF_INIT;
	struct zs_err err = {0};
	char *got = card_of(fields, is_bare, uid);

	assert_int_equal(zs_buf_printf(&want, &err, "BEGIN:VCARD\r\nVERSION:4.0\r\n"), 0);
	for (; *lines; lines++)
		assert_int_equal(zs_buf_printf(&want, &err, "%s\r\n", *lines), 0);
	assert_int_equal(zs_buf_printf(&want, &err, "END:VCARD\r\n"), 0);
	assert_int_equal(zs_buf_add_u8(&want, 0, &err), 0);
	assert_string_equal(got, (char *)want.p);
	zs_buf_fini(&want);
	free(got);
}

static void test_person(void **state)
{
	(void)state;
	is(LINES("firstName", "Ann", "middleName", "B.", "lastName", "Lee", "namePrefix", "Dr.", "nameSuffix", "Jr.", "nickname", "Annie", "maidenName", "Ray",
	     "company", "Acme, Inc.", "department", "R;D", "jobTitle", "Chief", "fileAs", "1", "fullName", "Dr. Ann Lee"),
	    LINES("UID:urn:uuid:6a0b2f5c-7d1e-4b7a-9a55-0123456789ab", "FN:Dr. Ann Lee", "N:Lee;Ann;B.;Dr.;Jr.", "ORG:Acme\\, Inc.;R\\;D", "NICKNAME:Annie",
		"TITLE:Chief", "X-ZIMBRA-MAIDENNAME:Ray", "X-ZIMBRA-FILEAS:1"),
	    0, "6a0b2f5c-7d1e-4b7a-9a55-0123456789ab");
	is(LINES("email", "a@x.example", "email10", "c@x.example", "email2", "b@x.example", "workEmail1", "w@x.example", "homeEmail1", "h@x.example", "homePhone", "1",
	     "homePhone2", "2", "workPhone", "3", "mobilePhone", "4", "pager", "5", "homeFax", "6", "workFax", "7", "otherPhone", "8", "carPhone", "9",
	     "companyPhone", "10", "callbackPhone", "11", "assistantPhone", "12", "otherFax", "13", "workMobile", "14", "workAltPhone", "15", "workPhone2", "16"),
	    LINES("FN:a@x.example", "EMAIL;PREF=1:a@x.example", "EMAIL:c@x.example", "EMAIL:b@x.example", "EMAIL;TYPE=work:w@x.example",
		"EMAIL;TYPE=home:h@x.example", "TEL;TYPE=home,voice:1", "TEL;TYPE=home,voice:2", "TEL;TYPE=work,voice:3", "TEL;TYPE=work,voice:16",
		"TEL;TYPE=work,voice:15", "TEL;TYPE=cell,voice:4", "TEL;TYPE=work,cell,voice:14", "TEL;TYPE=pager:5", "TEL;TYPE=home,fax:6",
		"TEL;TYPE=work,fax:7", "TEL;TYPE=fax:13", "TEL;TYPE=voice:8", "TEL;TYPE=voice,x-car:9", "TEL;TYPE=work,voice,x-company:10",
		"TEL;TYPE=voice,x-callback:11", "TEL;TYPE=voice,x-assistant:12"),
	    0, "");
}

static void test_addresses(void **state)
{
	(void)state;
	is(LINES("homeStreet", "1 Main St\nFlat 2", "homeCity", "Aa", "homeState", "Bb", "homePostalCode", "123", "homeCountry", "Cc", "homeCity2", "Dd", "workStreet",
	     "Ee; Ff", "otherCountry", "Gg", "homeCity21", "Hh", "homeCity02", "Ii", "homeAddress", "Jj"),
	    LINES("FN:Contact", "ADR;TYPE=home:;;1 Main St\\nFlat 2;Aa;Bb;123;Cc", "ADR;TYPE=home:;;;Dd;;;", "ADR;TYPE=work:;;Ee\\; Ff;;;;", "ADR:;;;;;;Gg",
		"X-ZIMBRA-HOMECITY21:Hh", "X-ZIMBRA-HOMECITY02:Ii", "X-ZIMBRA-HOMEADDRESS:Jj"),
	    0, "");
}

static void test_values(void **state)
{
	(void)state;
	is(LINES("homeURL", "https://x.example/a,b;c", "workURL", "www.x.example/a b", "otherURL", "ftp://y\x01z", "birthday", "1985-04-12", "anniversary", "--05-06",
	     "imAddress1", "xmpp://a@x.example", "imAddress2", "just a name", "image", "https://x.example/p.png", "notes", "a\r\nb\rc\nd\te\\f"),
	    LINES("FN:Contact", "URL;TYPE=home:https://x.example/a,b;c", "URL;TYPE=work:www.x.example/a%20b", "URL:ftp://yz", "BDAY:19850412", "ANNIVERSARY:--0506",
		"IMPP:xmpp://a@x.example", "X-ZIMBRA-IMADDRESS2:just a name", "PHOTO:https://x.example/p.png", "NOTE:a\\nb\\nc\\nd e\\\\f"),
	    0, "");
	is(LINES("birthday", "April 12, 1985", "birthday2", "1985-04-12", "anniversary", "2000-13-01", "image", "image.png", "userCertificate", "TUlJ\r\nQw=="),
	    LINES("FN:Contact", "BDAY;VALUE=text:April 12\\, 1985", "X-ZIMBRA-BIRTHDAY2:1985-04-12", "ANNIVERSARY;VALUE=text:2000-13-01", "X-ZIMBRA-IMAGE:image.png",
		"KEY:data:application/pkix-cert;base64,TUlJQw=="),
	    0, "");
}

static void test_dates(void **state)
{
	static const char *const texts[] = {"19850412", "1985-0412", "1985-04", "198504123", "---0412", "--0412", "--041", "1985-00-12", "1985-04-32", "-19850412", "1985/04/12"};
	static const char *const lines[] = {"BDAY:19850412", "BDAY:19850412", "BDAY;VALUE=text:1985-04", "BDAY;VALUE=text:198504123", "BDAY;VALUE=text:---0412", "BDAY:--0412",
	    "BDAY;VALUE=text:--041", "BDAY;VALUE=text:1985-00-12", "BDAY;VALUE=text:1985-04-32", "BDAY;VALUE=text:-19850412", "BDAY;VALUE=text:1985/04/12"};

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		is(LINES("birthday", texts[i]), LINES("FN:Contact", lines[i]), 0, "");
}

static void test_others(void **state)
{
	(void)state;
	is(LINES("office", "B 12", "my field", "x", "f\xc3\xbcr", "y", "a\"b\n^", "z", "", "w", "isMyCard", "true", "type", "person", "userCertificate", "not base64!",
	     "blank", " \t ", "c1", "\xc2\x85"),
	    LINES("UID;VALUE=text:not\\, a uuid", "FN:Contact", "X-ZIMBRA-USERCERTIFICATE:not base64!", "X-ZIMBRA-OFFICE:B 12", "X-ZIMBRA-MY-FIELD;X-NAME=\"my field\":x",
		"X-ZIMBRA-F--R;X-NAME=\"f\xc3\xbcr\":y", "X-ZIMBRA-A-B--;X-NAME=\"a^'b^n^^\":z", "X-ZIMBRA-FIELD;X-NAME=\"\":w", "X-ZIMBRA-ISMYCARD:true", "X-ZIMBRA-TYPE:person"),
	    0, "not, a uuid");
}

static void test_fn(void **state)
{
	(void)state;
	is(LINES("fullName", "  ", "fileAs", "8:As, Filed", "lastName", "Lee"), LINES("FN:As\\, Filed", "N:Lee;;;;", "X-ZIMBRA-FILEAS:8:As\\, Filed"), 0, "");
	is(LINES("fileAs", "8:", "firstName", "Ann", "lastName", "Lee"), LINES("FN:Ann Lee", "N:Lee;Ann;;;", "X-ZIMBRA-FILEAS:8:"), 0, "");
	is(LINES("fileAs", "3", "company", "Acme", "lastName", "Lee"), LINES("FN:Acme", "N:Lee;;;;", "ORG:Acme;", "X-ZIMBRA-FILEAS:3"), 0, "");
	is(LINES("fileAs", "3", "lastName", "Lee"), LINES("FN:Lee", "N:Lee;;;;", "X-ZIMBRA-FILEAS:3"), 0, "");
	is(LINES("department", "D", "company", "Acme", "email", "a@x"), LINES("FN:Acme", "ORG:Acme;D", "EMAIL;PREF=1:a@x"), 0, "");
	is(LINES("email", " ", "homeEmail2", "h@x"), LINES("FN:h@x", "EMAIL;TYPE=home:h@x"), 0, "");
	is(LINES("nickname", "Nick"), LINES("FN:Nick", "NICKNAME:Nick"), 0, "");
	is(LINES("fullName", "\xc2\x80\x01"), LINES("FN:Contact"), 0, "");
	is((const char *const[]){NULL}, LINES("FN:Contact"), 0, "");
	/* very old: at the top, among the item's own keys */
	is(LINES("email", "a@x", "lastName", "Lee", "skill", "C"), LINES("FN:Lee", "N:Lee;;;;", "EMAIL;PREF=1:a@x", "X-ZIMBRA-SKILL:C"), 1, "");
}

static void test_group(void **state)
{
	(void)state;
	is(LINES("type", "group", "nickname", "Team", "fileAs", "8:Team", "dlist", "a@x.example, \"Lee, Ann\" <ann@x.example>; \"c d\"@y.example,,none,<>,B <b@x.example>x"),
	    LINES("KIND:group", "FN:Team", "NICKNAME:Team", "MEMBER:mailto:a@x.example", "MEMBER:mailto:ann@x.example", "MEMBER:mailto:%22c%20d%22@y.example",
		"MEMBER:mailto:b@x.example", "X-ZIMBRA-FILEAS:8:Team",
		"X-ZIMBRA-DLIST:a@x.example\\, \"Lee\\, Ann\" <ann@x.example>\\; \"c d\"@y.example\\\r\n ,\\,none\\,<>\\,B <b@x.example>x"),
	    0, "");
	is(LINES("type", "group", "groupMember", "d1:mld1:t1:I1:v3:a@xed1:t1:C1:v3:257ed1:t1:I1:v7:B <b@y>eee"),
	    LINES("KIND:group", "FN:Contact", "MEMBER:mailto:a@x", "MEMBER:mailto:b@y",
		"X-ZIMBRA-GROUPMEMBER:d1:mld1:t1:I1:v3:a@xed1:t1:C1:v3:257ed1:t1:I1:v7:B <b@\r\n y>eee"),
	    0, "");
	is(LINES("type", "group", "groupMember", "d1:m"), LINES("KIND:group", "FN:Contact", "X-ZIMBRA-GROUPMEMBER:d1:m"), 0, "");
	is(LINES("dlist", "a@x"), LINES("FN:Contact", "X-ZIMBRA-DLIST:a@x"), 0, "");
}

/* Every length around the fold, with characters of 1 to 4 bytes: no line above 75 bytes, none cut, and unfolded it is the text. */
static void test_folding(void **state)
{
	static const char *const chars[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x98\x80"};
	char text[700];

	(void)state;
	for (size_t k = 0; k < 4; k++)
		for (size_t lead = 0; lead < 4; lead++)
			for (size_t n = 10; n < 150; n++) {
				struct zs_buf whole = ZS_BUF_INIT;
				struct zs_err err = {0};
				char *card, *at;

				memset(text, '.', lead);
				text[lead] = 0;
				for (size_t i = 0; i < n; i++)
					strcat(text, chars[k]);
				card = card_of(LINES("notes", text), 0, "");
				for (at = card; *at;) {
					char *end = strstr(at, "\r\n");

					assert_non_null(end);
					assert_true(end - at <= 75);
					for (size_t i = 0, len; i < (size_t)(end - at); i += len)
						assert_true((len = zs_utf8_length((uint8_t *)at + i, (size_t)(end - at) - i)) > 0);
					if (*at != ' ')
						assert_int_equal(zs_buf_add(&whole, "\n", 1, &err), 0);
					at += *at == ' ';
					assert_int_equal(zs_buf_add(&whole, at, (size_t)(end - at), &err), 0);
					at = end + 2;
				}
				assert_int_equal(zs_buf_add_u8(&whole, 0, &err), 0);
				at = strstr((char *)whole.p, "NOTE:");
				assert_non_null(at);
				assert_int_equal(strncmp(at + 5, text, strlen(text)), 0);
				assert_string_equal(at + 5 + strlen(text), "\nEND:VCARD");
				zs_buf_fini(&whole);
				free(card);
			}
}

/* Bytes that are no UTF-8, values that are no text, a card that fits 75 bytes exactly. */
static void test_odd(void **state)
{
	static const char column[] = "d3:fldd5:arrayli1ee5:notes2:\xff" "x9:pagerList2:ab5:pageri5e3:subdeee";
	struct zimbra_meta *m = NULL;
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zimbra_metadata_parse(zs_span_str("d3:fld4:texte"), &m, &err), 0);
	assert_int_equal(zimbra_vcard_write(zimbra_metadata_top(m), zs_span(NULL, 0), &out, &err), 0);
	assert_non_null(strstr((char *)out.p, "VERSION:4.0\r\nFN:Contact\r\nEND:VCARD\r\n"));
	zimbra_metadata_free(m);
	zs_buf_clear(&out);
	m = NULL;
	if (zimbra_metadata_parse(zs_span(column, sizeof column - 1), &m, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(zimbra_vcard_write(zimbra_metadata_top(m), zs_span(NULL, 0), &out, &err), 0);
	assert_int_equal(zs_buf_add_u8(&out, 0, &err), 0);
	assert_string_equal((char *)out.p, "BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Contact\r\nTEL;TYPE=pager:5\r\nNOTE:\xef\xbf\xbdx\r\nX-ZIMBRA-PAGERLIST:ab\r\nEND:VCARD\r\n");
	zimbra_metadata_free(m);
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_person), cmocka_unit_test(test_addresses), cmocka_unit_test(test_values), cmocka_unit_test(test_dates),
		cmocka_unit_test(test_others), cmocka_unit_test(test_fn), cmocka_unit_test(test_group), cmocka_unit_test(test_folding), cmocka_unit_test(test_odd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Allocation number n and those after it fail, for all n: the pure parts of the Zimbra source say so, leak nothing and leave what was there. */
#include <limits.h>

#include "util.h"

#include "../../../src/source/zimbra_private.h"

/* The linker sends all calls of the layer and of base here. */
void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static unsigned good = UINT_MAX; /* allocations until the first that fails */
static unsigned failures;

static int fails(void)
{
	if (good) {
		good--;
		return 0;
	}
	failures++;
	return 1;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static int run_card(struct zs_span in, struct zs_buf *out, struct zs_err *err)
{
	struct zimbra_meta *m = NULL;
	int rc = zimbra_metadata_parse(in, &m, err);

	if (rc == 0)
		rc = zimbra_vcard_write(zimbra_metadata_top(m), zs_span_str("6a0b2f5c-7d1e-4b7a-9a55-0123456789ab"), out, err);
	zimbra_metadata_free(m);
	return rc;
}

static int run_calendar(struct zs_span in, struct zs_buf *out, struct zs_err *err)
{
	int rc = zimbra_calendar_extract(in, out, err);

	return rc < 0 ? -1 : 0;
}

static unsigned every(int (*run)(struct zs_span, struct zs_buf *, struct zs_err *), const char *text)
{
	unsigned total = 0;

	for (unsigned n = 0, fired = 1; fired; n++) {
		struct zs_buf out = ZS_BUF_INIT;
		struct zs_err err = {.cause = ZS_OK};
		int rc;

		assert_int_equal(zs_buf_add(&out, "before", 6, &err), 0);
		failures = 0;
		good = n;
		rc = run(zs_span_str(text), &out, &err);
		good = UINT_MAX;
		fired = failures != 0;
		assert_int_equal(rc, fired ? -1 : 0);
		assert_int_equal(err.cause, fired ? ZS_NOMEM : ZS_OK);
		assert_true(fired ? out.n == 6 : out.n > 6);
		assert_memory_equal(out.p, "before", 6);
		total += fired;
		zs_buf_fini(&out);
	}
	return total;
}

static void test_cards(void **state)
{
	/* notes of 600 bytes, so that buffers grow */
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	char notes[601];

	(void)state;
	memset(notes, 'n', 600);
	notes[600] = 0;
	assert_int_equal(zs_buf_printf(&b, &err,
			     "d3:fldd5:dlist12:a@x, B <b@y>5:email3:a@x11:groupMember27:d1:mld1:t1:I1:v3:c@xe2:xyee"
			     "8:homeCity1:x8:lastName3:Lee8:my field1:y5:notes600:%s4:type5:group15:userCertificate4:AAAAee", notes), 0);
	assert_int_equal(zs_buf_add_u8(&b, 0, &err), 0);
	assert_true(every(run_card, (char *)b.p) >= 5);
	assert_true(every(run_card, "=?utf-8?B?ZDM6ZmxkZDU6bm90ZXMyOvCfmIBlZQ==?=") >= 5);
	assert_true(every(run_card, "d3:fldd5:notes4:B\xc3\x83\xc2\xbcroee") >= 6); /* taken for Latin-1 */
	assert_true(every(run_card, "fld=31:firstName=3:Ann;lastName=3:Lee;;v=1:9;") >= 4);
	zs_buf_fini(&b);
}

static void test_calendars(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_buf_printf(&b, &err, "Content-Type: multipart/mixed; boundary=a\n\n"), 0);
	for (int i = 0; i < 40; i++)
		assert_int_equal(zs_buf_printf(&b, &err, "--a\nContent-Type: text/calendar\nContent-Transfer-Encoding: %s\n\n%s\n", i % 2 ? "base64" : "quoted-printable",
				     i % 2 ? "QkVHSU46VkNBTEVOREFSCkE6/ApFTkQ6VkNBTEVOREFSCg==" : "BEGIN:VCALENDAR\nBEGIN:VEVENT\nA:=FC\n"), 0);
	assert_int_equal(zs_buf_add_u8(&b, 0, &err), 0);
	assert_true(every(run_calendar, (char *)b.p) >= 5);
	zs_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_cards), cmocka_unit_test(test_calendars)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * A message of any bytes: what comes out is whole objects, each component ended, and gives itself when it is extracted again.
 */
#include <stdlib.h>
#include <string.h>

#include "../../../src/source/zimbra_private.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static void must(int good)
{
	if (!good)
		abort();
}

static int begins(const uint8_t *p, size_t n, const char *word)
{
	return n >= strlen(word) && !strncasecmp((const char *)p, word, strlen(word));
}

/* Lines that end with CR LF, without control characters; what begins ends; nothing outside of a VCALENDAR. */
static void check(const struct zs_buf *b)
{
	size_t depth = 0;

	for (size_t at = 0, end; at < b->n; at = end + 2) {
		for (end = at; end < b->n && b->p[end] != '\r'; end++)
			must((b->p[end] >= 0x20 || b->p[end] == '\t') && b->p[end] != 0x7f);
		must(end > at && end + 1 < b->n && b->p[end + 1] == '\n');
		if (begins(b->p + at, end - at, "BEGIN:")) {
			must((depth == 0) == (end - at == 15 && begins(b->p + at, end - at, "BEGIN:VCALENDAR")));
			depth++;
		} else {
			must(depth > 0);
			depth -= (size_t)begins(b->p + at, end - at, "END:");
		}
	}
	must(depth == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	static const char header[] = "Content-Type: text/calendar; charset=utf-8\r\n\r\n";
	struct zs_buf out = ZS_BUF_INIT, mail = ZS_BUF_INIT, again = ZS_BUF_INIT;
	struct zs_err err = {0};
	int rc = zimbra_calendar_extract(zs_span(p, n), &out, &err);

	must(rc == (out.n > 0) && err.cause == ZS_OK);
	check(&out);
	must(zs_buf_add(&mail, header, sizeof header - 1, &err) == 0 && zs_buf_add_span(&mail, zs_buf_span(&out), &err) == 0);
	must(zimbra_calendar_extract(zs_buf_span(&mail), &again, &err) == rc);
	must(zs_span_eq(zs_buf_span(&out), zs_buf_span(&again)));
	zs_buf_fini(&out);
	zs_buf_fini(&mail);
	zs_buf_fini(&again);
	return 0;
}

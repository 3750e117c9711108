/*
 * Metadata of any bytes: what is parsed can be written as bencode again, which gives the same; the contact made of it is a
 * well-formed card: lines of at most 75 bytes, UTF-8, no control characters.
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

static void add_text(struct zs_buf *out, struct zs_span s, struct zs_err *err)
{
	size_t units = 0;

	for (size_t at = 0, len; at < s.n; at += len, units++) {
		len = zs_utf8_length(s.p + at, s.n - at);
		if (len == 0 && s.n - at >= 3 && s.p[at] == 0xed && (s.p[at + 1] & 0xe0) == 0xa0 && (s.p[at + 2] & 0xc0) == 0x80)
			len = 3;
		len = len ? len : 1;
		units += len == 4;
	}
	must(zs_buf_printf(out, err, "%zu:", units) == 0 && zs_buf_add_span(out, s, err) == 0);
}

static void encode(const struct zimbra_meta_value *v, struct zs_buf *out, unsigned level)
{
	enum zimbra_meta_type type = zimbra_metadata_type(v);
	struct zs_span key, text = zimbra_metadata_text(v);
	const struct zimbra_meta_value *inner;
	struct zs_err err = {0};

	must(level <= 32);
	if (type == ZIMBRA_META_TEXT) {
		add_text(out, text, &err);
		return;
	}
	must(zs_buf_add_u8(out, (uint8_t) "xild"[type], &err) == 0 && zs_buf_add_span(out, text, &err) == 0);
	for (size_t at = 0; zimbra_metadata_next(v, &at, &key, &inner);) {
		if (type == ZIMBRA_META_DICT)
			add_text(out, key, &err);
		encode(inner, out, level + 1);
	}
	must(zs_buf_add_u8(out, 'e', &err) == 0);
}

static void check_card(const struct zs_buf *b)
{
	must(b->n > 40 && !memcmp(b->p, "BEGIN:VCARD\r\nVERSION:4.0\r\n", 26) && !memcmp(b->p + b->n - 11, "END:VCARD\r\n", 11));
	for (size_t at = 0, start = 0, len; at < b->n; at += len) {
		must((len = zs_utf8_length(b->p + at, b->n - at)) > 0);
		if (b->p[at] == '\r') {
			must(at + 1 < b->n && b->p[at + 1] == '\n' && at > start && at - start <= 75);
			len = 2;
			start = at + 2;
		} else {
			must(b->p[at] >= 0x20 && b->p[at] != 0x7f && !(b->p[at] == 0xc2 && b->p[at + 1] < 0xa0));
		}
		must(at > 26 || b->p[at] != ' ');
	}
	must(memmem(b->p, b->n, "\r\nFN:", 5) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
	struct zimbra_meta *m = NULL, *again = NULL;
	struct zs_buf one = ZS_BUF_INIT, two = ZS_BUF_INIT, card = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (zimbra_metadata_parse(zs_span(p, n), &m, &err) < 0) {
		must(!m && err.text[0] && (err.cause == ZS_SOURCE || err.cause == ZS_LIMIT));
		return 0;
	}
	must(err.cause == ZS_OK && zimbra_metadata_type(zimbra_metadata_top(m)) == ZIMBRA_META_DICT);
	encode(zimbra_metadata_top(m), &one, 1);
	must(zimbra_metadata_parse(zs_buf_span(&one), &again, &err) == 0);
	encode(zimbra_metadata_top(again), &two, 1);
	must(zs_span_eq(zs_buf_span(&one), zs_buf_span(&two)));
	must(zimbra_vcard_write(zimbra_metadata_top(m), zs_span(p, n < 40 ? n : 40), &card, &err) == 0);
	check_card(&card);
	zimbra_metadata_free(m);
	zimbra_metadata_free(again);
	zs_buf_fini(&one);
	zs_buf_fini(&two);
	zs_buf_fini(&card);
	return 0;
}

/*
 * The splitter: gathers input in one buffer, finds out what it is, and feeds either the cutter (plain bytes) or the
 * line machine (messages).  The buffer is processed when it is full and at the end, so slicing never shows.
 */
#include <stdlib.h>
#include <string.h>

#include "mail_private.h"

#define IN_BYTES (64u << 10)

enum mode { MODE_IDLE, MODE_SNIFF, MODE_PLAIN, MODE_MAIL };

struct zs_splitter {
	const struct zs_split_params *params;
	enum mode mode;
	enum zs_kind kind;
	struct zs_split_sink sink;
	struct section section;
	struct cut cut;
	struct lines lines;
	struct zs_hasher *hasher;
	uint64_t bytes;
	uint8_t *in;
	size_t in_n;
};

int zs_splitter_new(const struct zs_split_params *params, struct zs_splitter **out, struct zs_err *err)
{
	struct zs_splitter *s = calloc(1, sizeof *s);
	size_t max = 0;

	if (!s)
		return zs_fail_nomem(err);
	s->params = params;
	for (int k = 0; k < ZS_KINDS; k++)
		max = params->sizes[k].max_bytes > max ? params->sizes[k].max_bytes : max;
	s->hasher = zs_hasher_new();
	s->in = malloc(IN_BYTES);
	if (!s->hasher || !s->in) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	if (section_init(&s->section, err) < 0 || cut_init(&s->cut, 2 * max + CUT_ROOM, err) < 0 ||
	    lines_init(&s->lines, err) < 0)
		goto fail;
	*out = s;
	return 0;
fail:
	zs_splitter_free(s);
	return -1;
}

void zs_splitter_free(struct zs_splitter *s)
{
	if (!s)
		return;
	lines_fini(&s->lines);
	cut_fini(&s->cut);
	section_fini(&s->section);
	zs_hasher_free(s->hasher);
	free(s->in);
	free(s);
}

int zs_splitter_begin(struct zs_splitter *s, enum zs_kind kind, const struct zs_split_sink *sink, struct zs_err *err)
{
	s->mode = MODE_IDLE;
	if (kind <= 0 || kind >= ZS_KINDS || !s->params->sizes[kind].max_bytes)
		return zs_fail(err, ZS_USAGE, "no chunk sizes are set for kind %d", (int)kind);
	s->kind = kind;
	s->sink = *sink;
	s->bytes = 0;
	s->in_n = 0;
	zs_hasher_reset(s->hasher);
	section_begin(&s->section, &s->sink, s->params->chunk_id_key);
	cut_begin(&s->cut, s->params, kind, &s->section);
	s->mode = kind == ZS_KIND_FILE ? MODE_SNIFF : MODE_PLAIN;
	return 0;
}

static void sniff(struct zs_splitter *s)
{
	enum sniff what = sniff_content(zs_span(s->in, s->in_n < SNIFF_BYTES ? s->in_n : SNIFF_BYTES));

	s->mode = what == SNIFF_PLAIN ? MODE_PLAIN : MODE_MAIL;
	if (s->mode == MODE_MAIL)
		lines_begin(&s->lines, s->params, &s->section, &s->cut, what == SNIFF_MBOX);
}

/* Deal with what is in the buffer; last: up to its end. */
static int process(struct zs_splitter *s, int last, struct zs_err *err)
{
	size_t used = s->in_n;

	if (s->mode == MODE_SNIFF)
		sniff(s);
	if (s->mode == MODE_MAIL) {
		if (lines_feed(&s->lines, zs_span(s->in, s->in_n), last, &used, err) < 0)
			return -1;
	} else if (cut_add(&s->cut, zs_span(s->in, s->in_n), err) < 0 || (last && cut_end(&s->cut, err) < 0)) {
		return -1;
	}
	memmove(s->in, s->in + used, s->in_n - used);
	s->in_n -= used;
	return 0;
}

static int fail_idle(struct zs_err *err)
{
	return zs_fail(err, ZS_INTERNAL, "splitter: no stream has begun");
}

int zs_splitter_feed(struct zs_splitter *s, struct zs_span bytes, struct zs_err *err)
{
	if (s->mode == MODE_IDLE)
		return fail_idle(err);
	if (bytes.n > UINT64_MAX - s->bytes)
		return zs_fail(err, ZS_LIMIT, "stream of more than 2^64 bytes");
	s->bytes += bytes.n;
	zs_hasher_add(s->hasher, bytes);
	while (bytes.n) {
		size_t n = IN_BYTES - s->in_n;

		if (s->mode == MODE_PLAIN)
			return cut_add(&s->cut, bytes, err);
		n = n < bytes.n ? n : bytes.n;
		memcpy(s->in + s->in_n, bytes.p, n);
		s->in_n += n;
		bytes = zs_span(bytes.p + n, bytes.n - n);
		if (s->in_n == IN_BYTES && process(s, 0, err) < 0)
			return -1;
	}
	return 0;
}

int zs_splitter_hole(struct zs_splitter *s, uint64_t bytes, struct zs_err *err)
{
	if (s->mode == MODE_IDLE)
		return fail_idle(err);
	if (!bytes)
		return 0;
	if (bytes > UINT64_MAX - s->bytes)
		return zs_fail(err, ZS_LIMIT, "stream of more than 2^64 bytes");
	if (process(s, 1, err) < 0)
		return -1;
	s->bytes += bytes;
	zs_hasher_add_zeros(s->hasher, bytes);
	return section_hole(&s->section, bytes, err);
}

int zs_splitter_end(struct zs_splitter *s, struct zs_split_result *out, struct zs_err *err)
{
	struct digest *d = &s->lines.digest;
	int mail;

	if (s->mode == MODE_IDLE)
		return fail_idle(err);
	if (process(s, 1, err) < 0 || section_flush(&s->section, err) < 0)
		return -1;
	mail = s->mode == MODE_MAIL && s->lines.messages == 1;
	s->mode = MODE_IDLE;
	*out = (struct zs_split_result){
		.bytes = s->bytes, .sum = zs_hasher_sum(s->hasher), .is_message = mail, .date_ns = INT64_MIN,
	};
	if (!mail)
		return 0;
	out->from = zs_buf_span(&d->text[DIGEST_FROM]);
	out->to = zs_buf_span(&d->text[DIGEST_TO]);
	out->subject = zs_buf_span(&d->text[DIGEST_SUBJECT]);
	out->message_id = zs_buf_span(&d->text[DIGEST_MESSAGE_ID]);
	out->attachments = zs_buf_span(&d->attachments);
	out->date_ns = d->date_ns;
	return 0;
}

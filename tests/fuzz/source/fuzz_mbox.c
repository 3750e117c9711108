/*
 * The reader of mbox files: messages lie in the file one behind the other, a sum is that of the bytes, and undoing the
 * quoting gives the same whatever the pieces are.  The first byte is the format.
 */
#include "../../../src/source/mbox_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file { struct zs_span bytes; uint64_t end, all; unsigned messages; };

static int file_read(void *ctx, uint64_t at, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	const struct file *f = ctx;

	(void)err;
	*out_n = at >= f->bytes.n ? 0 : f->bytes.n - at < n ? f->bytes.n - (size_t)at : n;
	if (*out_n)
		memcpy(p, f->bytes.p + at, *out_n);
	return 0;
}

static void unquote(struct zs_span body, enum mbox_format format)
{
	struct zs_buf whole = ZS_BUF_INIT, pieces = ZS_BUF_INIT;
	struct mbox_unquote u;
	struct zs_err err = {0};

	mbox_unquote_init(&u, format);
	if (mbox_unquote_feed(&u, body, &whole, &err) < 0 || mbox_unquote_end(&u, &whole, &err) < 0)
		goto out;
	mbox_unquote_init(&u, format);
	for (size_t at = 0; at < body.n; at += 3)
		if (mbox_unquote_feed(&u, zs_span(body.p + at, body.n - at < 3 ? body.n - at : 3), &pieces, &err) < 0)
			goto out;
	if (mbox_unquote_end(&u, &pieces, &err) < 0)
		goto out;
	if (!zs_span_eq(zs_buf_span(&whole), zs_buf_span(&pieces)) || whole.n > body.n)
		abort();
	if (format == MBOX_RD) { /* every line that was quoted, and no other, is shorter by one */
		size_t quoted = 0, start = 1, marks = 0;

		for (size_t i = 0; i < body.n; i++) {
			if (start && body.p[i] == '>')
				marks++;
			else if (start && marks && marks < 4096 && body.n - i >= 5 && !memcmp(body.p + i, "From ", 5))
				quoted++;
			start = body.p[i] == '\n' || (start && body.p[i] == '>');
			marks = body.p[i] == '>' ? marks : 0;
		}
		if (body.n - whole.n != quoted)
			abort();
	}
out:
	zs_buf_fini(&whole);
	zs_buf_fini(&pieces);
}

static int on_message(void *ctx, const struct mbox_message *m, struct zs_err *err)
{
	struct file *f = ctx;
	struct mbox_item item = {.uid = 0};
	struct zs_span all = zs_span(f->bytes.p + m->at, (size_t)m->bytes);

	if (m->at < f->end || !m->bytes || m->at + m->bytes > f->bytes.n || m->header_bytes > m->bytes || m->format == MBOX_AUTO)
		abort();
	if (m->sum != zs_hash64(0, all))
		abort();
	f->end = m->at + m->bytes;
	f->messages++;
	f->all = zs_hash64(f->all, zs_span((const uint64_t[]){m->at, m->bytes, m->header_bytes, m->stable, (uint64_t)m->date_ns, m->format},
	    6 * sizeof(uint64_t)));
	if (mbox_header_item(zs_span(all.p, (size_t)m->header_bytes), &item, err) == 0 && item.flags.n + item.tags.n > all.n + 64)
		abort();
	mbox_header_fini(&item);
	all.p += m->header_bytes;
	all.n -= (size_t)m->header_bytes;
	if (!m->may_be_quoted && all.n >= 6 && memmem(all.p, all.n, ">From ", 6))
		abort();
	unquote(all, m->format);
	return 0;
}

static void on_issue(void *ctx, enum mbox_issue what, uint64_t at)
{
	const struct file *f = ctx;

	if ((unsigned)what >= MBOX_ISSUES || at > f->bytes.n)
		abort();
	((struct file *)ctx)->all = zs_hash64(f->all, zs_span(&at, sizeof at));
}

/* What is found, in one number. */
static uint64_t parse(const uint8_t *data, size_t size, size_t window)
{
	struct file f = {.bytes = zs_span(data + (size > 0), size ? size - 1 : 0)};
	const struct mbox_input in = {&f, file_read, window};
	const struct mbox_sink sink = {.ctx = &f, .message = on_message, .issue = on_issue};
	struct zs_err err = {0};
	int rc = mbox_parse(&in, (enum mbox_format)(size ? data[0] % 5 : 0), &sink, &err);

	if (rc < 0 && err.cause != ZS_NOMEM)
		abort();
	if (rc == 0 && f.messages)
		abort();
	return f.all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (parse(data, size, 0) != parse(data, size, 4096))
		abort();
	return 0;
}

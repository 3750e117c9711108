/*
 * Runs of base64 lines: finds where one begins, decodes it into the cutter, proves each piece by encoding it again.
 * Works on whole units (the fewest lines that end with a whole group), so it can stop after any of them.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "mail_private.h"

#define RUN_CHARS (32u << 10)
#define UNIT_LINES_MAX 4

int run_init(struct run *r, struct zs_err *err)
{
	memset(r, 0, sizeof *r);
	r->path = base64_best();
	r->max_bytes = RUN_MAX_BYTES;
	r->chars = malloc(RUN_CHARS + BASE64_SLACK);
	r->again = malloc(RUN_CHARS + BASE64_SLACK);
	return r->chars && r->again ? 0 : zs_fail_nomem(err);
}

void run_fini(struct run *r)
{
	free(r->chars);
	free(r->again);
	memset(r, 0, sizeof *r);
}

static size_t eol_bytes(const struct run *r)
{
	return r->crlf ? 2 : 1;
}

static int eol_fits(const struct run *r, const uint8_t *p)
{
	return r->crlf ? p[0] == '\r' && p[1] == '\n' : p[0] == '\n';
}

/* Line length and end from the first line.  RUN_YES, RUN_NO or RUN_MORE. */
static enum run_verdict first_line(struct run *r, struct zs_span p, int last)
{
	size_t n = base64_span(p.p, p.n < RUN_LINE_MAX ? p.n : RUN_LINE_MAX);
	int crlf = 0;

	for (int pad = 0; pad < 2 && n < RUN_LINE_MAX && n < p.n && p.p[n] == '='; pad++)
		n++;
	if (n + 1 < p.n && p.p[n] == '\r' && p.p[n + 1] == '\n')
		crlf = 1;
	else if (n + 1 >= p.n && !last)
		return n < p.n && p.p[n] != '\n' && p.p[n] != '\r' && p.p[n] != '=' ? RUN_NO : RUN_MORE;
	else if (n < p.n && p.p[n] != '\n')
		return RUN_NO;
	if (!n)
		return RUN_NO;
	r->line = (uint32_t)n;
	r->crlf = (uint8_t)crlf;
	r->tail = 1;
	r->unit_lines = n % 4 == 0 ? 1 : n % 2 == 0 ? 2 : 4;
	r->unit_bytes = r->unit_lines * (n + eol_bytes(r));
	r->bytes = 0;
	return RUN_YES;
}

/* Is a whole unit of full lines there?  *out_at: where the first line that is none begins. */
static enum run_verdict unit_at(const struct run *r, struct zs_span p, int last, size_t *out_at)
{
	size_t step = r->line + eol_bytes(r);

	*out_at = 0;
	if (p.n < r->unit_bytes && !last)
		return RUN_MORE;
	for (unsigned i = 0; i < r->unit_lines; i++, *out_at += step)
		if (p.n - *out_at < step || base64_span(p.p + *out_at, r->line) < r->line ||
		    !eol_fits(r, p.p + *out_at + r->line))
			return RUN_NO;
	return RUN_YES;
}

struct tail { /* the end of a run: less than a unit, or a padded one */
	size_t used, chars, bytes;
	int eol;
};

/* Gather the lines that could end the run into r->chars. */
static void tail_gather(const struct run *r, struct zs_span p, struct tail *t)
{
	for (unsigned i = 0; i < r->unit_lines; i++) {
		struct zs_span rest = zs_span(p.p + t->used, p.n - t->used);
		size_t n = base64_span(rest.p, rest.n < r->line ? rest.n : r->line);

		while (n < rest.n && n < r->line && rest.p[n] == '=')
			n++;
		if (!n || (n < rest.n && rest.p[n] != '\r' && rest.p[n] != '\n'))
			return;
		memcpy(r->chars + t->chars, rest.p, n);
		t->chars += n;
		t->eol = rest.n - n >= eol_bytes(r) && eol_fits(r, rest.p + n);
		t->used += n + (t->eol ? eol_bytes(r) : 0);
		if (!t->eol || n < r->line || (r->chars[t->chars - 1] == '=' && t->chars % 4 == 0))
			return;
	}
}

/* Does the run end here, with what?  The decoded bytes are in r->again. */
static enum run_verdict tail_at(const struct run *r, struct zs_span p, int last, struct tail *t)
{
	memset(t, 0, sizeof *t);
	if (!last && p.n < r->unit_bytes + 2)
		return RUN_MORE;
	tail_gather(r, p, t);
	if (!t->chars || t->chars % 4 || base64_decode_end(r->chars, t->chars, r->again, &t->bytes) < 0)
		return RUN_NO;
	if (base64_encode(BASE64_PORTABLE, r->again, t->bytes, r->again + RUN_CHARS / 2) != t->chars ||
	    memcmp(r->again + RUN_CHARS / 2, r->chars, t->chars))
		return RUN_NO;
	return RUN_YES;
}

enum run_verdict run_probe(struct run *r, struct zs_span p, int last, size_t *out_skip)
{
	enum run_verdict v = first_line(r, p, last);
	size_t at = 0, chars = 0, bad;
	struct tail t;

	*out_skip = 1;
	if (v != RUN_YES)
		return v;
	while (chars < RUN_MIN_CHARS) {
		struct zs_span rest = zs_span(p.p + at, p.n - at);

		v = unit_at(r, rest, last, &bad);
		if (v == RUN_MORE)
			return v;
		if (v == RUN_YES) {
			at += r->unit_bytes;
			chars += (size_t)r->unit_lines * r->line;
			continue;
		}
		v = tail_at(r, rest, last, &t);
		if (v == RUN_YES && chars + t.chars < RUN_MIN_CHARS)
			v = RUN_NO;
		/* The full lines before the bad one are alike: too few from the first are too few from any. */
		if (v == RUN_NO && chars + (size_t)UNIT_LINES_MAX * r->line < RUN_MIN_CHARS && at + bad)
			*out_skip = at + bad;
		return v;
	}
	return RUN_YES;
}

/* Gather up to `units` units of lines; how many are well-formed as lines. */
static size_t gather(const struct run *r, const uint8_t *p, size_t units)
{
	size_t lines = units * r->unit_lines, step = r->line + eol_bytes(r);
	uint8_t *to = r->chars;

	for (size_t i = 0; i < lines; i++, p += step, to += r->line) {
		if (!eol_fits(r, p + r->line))
			return i / r->unit_lines;
		memcpy(to, p, r->line);
	}
	return units;
}

/* Decode whole units from p; *out_units of them were good and are in the cutter. */
static int take_units(struct run *r, struct cut *c, const uint8_t *p, size_t units, size_t *out_units,
    struct zs_err *err)
{
	size_t unit_chars = (size_t)r->unit_lines * r->line, good;
	uint8_t *to;

	*out_units = 0;
	units = gather(r, p, units);
	if (!units)
		return 0;
	if (cut_room(c, units * unit_chars / 4 * 3 + BASE64_SLACK, &to, err) < 0)
		return -1;
	good = base64_decode(r->path, r->chars, units * unit_chars, to) / unit_chars;
	/* What will come out is proven to be what went in. */
	if (good) {
		(void)base64_encode(r->path, to, good * unit_chars / 4 * 3, r->again);
		if (memcmp(r->chars, r->again, good * unit_chars))
			good = 0;
	}
	cut_added(c, good * unit_chars / 4 * 3);
	r->bytes += good * unit_chars / 4 * 3;
	*out_units = good;
	return 0;
}

/* How many units can be decoded at once from n bytes of input. */
static size_t batch(const struct run *r, size_t n)
{
	size_t unit_chars = (size_t)r->unit_lines * r->line, units = n / r->unit_bytes;
	uint64_t left = (r->max_bytes - r->bytes) / (unit_chars / 4 * 3);

	units = units < RUN_CHARS / unit_chars ? units : RUN_CHARS / unit_chars;
	return units < left ? units : (size_t)left;
}

int run_take(struct run *r, struct cut *c, struct zs_span p, int last, size_t *out_used, int *out_done,
    struct zs_err *err)
{
	size_t unit_decoded = (size_t)r->unit_lines * r->line / 4 * 3, units;
	enum run_verdict v;
	struct tail t;

	*out_used = 0;
	*out_done = 0;
	do {
		if (r->bytes && (r->bytes >= r->max_bytes || r->max_bytes - r->bytes < unit_decoded)) {
			*out_done = 1;
			return 0;
		}
		units = batch(r, p.n - *out_used);
		if (units && take_units(r, c, p.p + *out_used, units, &units, err) < 0)
			return -1;
		*out_used += units * r->unit_bytes;
	} while (units);
	v = tail_at(r, zs_span(p.p + *out_used, p.n - *out_used), last, &t);
	if (v == RUN_MORE)
		return 0;
	*out_done = 1;
	if (v == RUN_NO)
		return 0;
	*out_used += t.used;
	r->tail = t.eol != 0;
	r->bytes += t.bytes;
	return cut_add(c, zs_span(r->again, t.bytes), err);
}

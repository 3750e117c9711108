/*
 * LDIF on its way out: records are taken from the stream one by one, joined with the lines that were stored apart, and written
 * if they are wanted.  What was stored by zstore is unfolded, but folded lines are understood.
 */
#include "target_private.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define RECORD_MAX (1u << 30)
#define SIDE_PIECE (64u << 10)

struct zs_ldif {
	struct zs_ldif_settings s;
	struct zs_buf in;	   /* what was fed and is no whole record yet */
	size_t looked;		   /* of in: no record ends before */
	struct zs_buf side, head;  /* of the second stream: what was pulled; its record at hand */
	int side_ended, has_head;
	struct zs_buf dn, out;
	uint64_t entries;
};

int zs_ldif_new(const struct zs_ldif_settings *s, struct zs_ldif **out, struct zs_err *err)
{
	struct zs_ldif *f = calloc(1, sizeof *f);

	if (!f)
		return zs_fail_nomem(err);
	f->s = *s;
	f->side_ended = !s->side;
	*out = f;
	return 0;
}

void zs_ldif_free(struct zs_ldif *f)
{
	if (!f)
		return;
	zs_buf_fini(&f->in);
	zs_buf_fini(&f->side);
	zs_buf_fini(&f->head);
	zs_buf_fini(&f->dn);
	zs_buf_fini(&f->out);
	free(f);
}

/* ------------------------------------------------------------------------- lines */

/* The next line, with its end and those that are folded into it.  n 0: none. */
static struct zs_span take_line(struct zs_span *rest)
{
	size_t n = 0;

	while (n < rest->n) {
		const uint8_t *end = memchr(rest->p + n, '\n', rest->n - n);

		n = end ? (size_t)(end - rest->p) + 1 : rest->n;
		if (n == rest->n || rest->p[n] != ' ')
			break;
	}
	if (n == 0) /* there may be no bytes at all, not even an address */
		return zs_span(NULL, 0);
	*rest = zs_span(rest->p + n, rest->n - n);
	return zs_span(rest->p - n, n);
}

static int name_is(struct zs_span line, const char *name)
{
	size_t n = strlen(name);

	return line.n > n && strncasecmp((const char *)line.p, name, n) == 0 && (line.p[n] == ':' || line.p[n] == ';');
}

static int digit(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= '0' && c <= '9' ? c - '0' + 52 :
	    c == '+' ? 62 : c == '/' ? 63 : -1;
}

static int from_base64(struct zs_span s, struct zs_buf *out, struct zs_err *err)
{
	uint32_t bits = 0;
	unsigned have = 0;

	for (size_t i = 0; i < s.n && s.p[i] != '='; i++) {
		int v = digit(s.p[i]);

		if (v < 0)
			return zs_fail(err, ZS_CORRUPT, "LDIF: a name that is no base64");
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		if (zs_buf_add_u8(out, (uint8_t)(bits >> have), err) < 0)
			return -1;
	}
	return 0;
}

/* The value of a line, decoded, without the folds. */
static int value_of(struct zs_span line, struct zs_buf *out, struct zs_err *err)
{
	const uint8_t *colon = memchr(line.p, ':', line.n);
	struct zs_buf flat = ZS_BUF_INIT;
	size_t i = colon ? (size_t)(colon - line.p) + 1 : line.n;
	int is_base64 = i < line.n && line.p[i] == ':', rc = 0;

	zs_buf_clear(out);
	i += (size_t)is_base64;
	while (i < line.n && line.p[i] == ' ')
		i++;
	for (; rc == 0 && i < line.n; i++) {
		if (line.p[i] == '\n') {
			i++; /* and the blank that folds */
			continue;
		}
		if (line.p[i] != '\r' || i + 1 >= line.n || line.p[i + 1] != '\n')
			rc = zs_buf_add_u8(is_base64 ? &flat : out, line.p[i], err);
	}
	if (rc == 0 && is_base64)
		rc = from_base64(zs_buf_span(&flat), out, err);
	zs_buf_fini(&flat);
	return rc;
}

/* --------------------------------------------------------------- the second stream */

/* Where the record at the beginning of s ends (behind its empty line), 0: not yet. */
static size_t record_end(struct zs_span s, size_t from)
{
	for (size_t i = from > 1 ? from - 1 : 0; i + 1 < s.n; i++) {
		const uint8_t *p = memchr(s.p + i, '\n', s.n - i - 1);

		if (!p)
			return 0;
		i = (size_t)(p - s.p);
		if (s.p[i + 1] == '\n')
			return i + 2;
	}
	return 0;
}

static int pull_head(struct zs_ldif *f, struct zs_err *err)
{
	size_t n, end;

	while (!f->has_head) {
		end = record_end(zs_buf_span(&f->side), 0);
		if (end) {
			zs_buf_clear(&f->head);
			if (zs_buf_add(&f->head, f->side.p, end, err) < 0)
				return -1;
			memmove(f->side.p, f->side.p + end, f->side.n - end);
			f->side.n -= end;
			f->has_head = 1;
			return 0;
		}
		if (f->side_ended)
			return f->side.n ? zs_fail(err, ZS_CORRUPT, "LDIF: the second stream ends in the middle of an entry") : 0;
		if (f->side.n > RECORD_MAX)
			return zs_fail(err, ZS_LIMIT, "LDIF: an entry of more than 1 GiB");
		if (zs_buf_reserve(&f->side, SIDE_PIECE, err) < 0 || f->s.side(f->s.ctx, f->side.p + f->side.n, SIDE_PIECE, &n, err) < 0)
			return -1;
		f->side.n += n;
		f->side_ended = n == 0;
	}
	return 0;
}

/* ----------------------------------------------------------------------- records */

static int is_made_by_server(struct zs_span line)
{
	static const char *const names[] = {"structuralObjectClass", "entryCSN", "contextCSN", "memberOf", "entryDN", "hasSubordinates",
	    "subschemaSubentry"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (name_is(line, names[i]))
			return 1;
	return 0;
}

static int add_lines(struct zs_ldif *f, struct zs_span rest, struct zs_err *err)
{
	struct zs_span line;

	while ((line = take_line(&rest)).n > 0) {
		if (line.p[0] == '\n' || (f->s.is_live && is_made_by_server(line)))
			continue;
		if (zs_buf_add_span(&f->out, line, err) < 0)
			return -1;
	}
	return 0;
}

static int take_record(struct zs_ldif *f, struct zs_span record, struct zs_err *err)
{
	struct zs_span rest = record, line = take_line(&rest), side = {NULL, 0};

	if (!name_is(line, "dn"))
		return zs_fail(err, ZS_CORRUPT, "LDIF: an entry without a name");
	if (value_of(line, &f->dn, err) < 0 || pull_head(f, err) < 0)
		return -1;
	if (f->has_head) {
		struct zs_span other = zs_buf_span(&f->head);

		if (zs_span_eq(take_line(&other), line)) {
			side = other;
			f->has_head = 0;
		}
	}
	if (!zs_dn_is_below(zs_buf_span(&f->dn), f->s.base))
		return 0;
	f->entries++;
	zs_buf_clear(&f->out);
	if (zs_buf_add_span(&f->out, line, err) < 0 || add_lines(f, rest, err) < 0 || add_lines(f, side, err) < 0 ||
	    zs_buf_add_u8(&f->out, '\n', err) < 0)
		return -1;
	return f->s.write(f->s.ctx, zs_buf_span(&f->out), err);
}

int zs_ldif_feed(struct zs_ldif *f, struct zs_span bytes, struct zs_err *err)
{
	size_t at = 0, end;

	if (f->in.n + bytes.n > RECORD_MAX)
		return zs_fail(err, ZS_LIMIT, "LDIF: an entry of more than 1 GiB");
	if (zs_buf_add_span(&f->in, bytes, err) < 0)
		return -1;
	while ((end = record_end(zs_span(f->in.p + at, f->in.n - at), f->looked)) > 0) {
		if (take_record(f, zs_span(f->in.p + at, end), err) < 0)
			return -1;
		at += end;
		f->looked = 0;
	}
	memmove(f->in.p, f->in.p + at, f->in.n - at);
	f->in.n -= at;
	f->looked = f->in.n;
	return 0;
}

int zs_ldif_end(struct zs_ldif *f, uint64_t *out_entries, struct zs_err *err)
{
	if (f->in.n)
		return zs_fail(err, ZS_CORRUPT, "LDIF: the stream ends in the middle of an entry");
	if (pull_head(f, err) < 0)
		return -1;
	if (f->has_head)
		return zs_fail(err, ZS_CORRUPT, "LDIF: the second stream has an entry that the first has not");
	*out_entries = f->entries;
	return 0;
}

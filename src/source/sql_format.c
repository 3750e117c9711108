/*
 * How the values of a row are written: each column has one form, chosen from its type once; a value goes out whole, or, if
 * it is large, in pieces.  Both ways give the same bytes.
 */
#include "sql_source_private.h"

#include <string.h>

#define OPEN(text) .open = (text), .open_n = sizeof(text) - 1

/* digits, sign, point, exponent */
static const uint8_t in_numbers[256] = {
	['0'] = 1, ['1'] = 1, ['2'] = 1, ['3'] = 1, ['4'] = 1, ['5'] = 1, ['6'] = 1, ['7'] = 1, ['8'] = 1, ['9'] = 1,
	['+'] = 1, ['-'] = 1, ['.'] = 1, ['e'] = 1, ['E'] = 1,
};

static int is_number(struct sql_value v)
{
	uint8_t all = 1;

	for (size_t i = 0; i < v.n; i++)
		all &= in_numbers[v.p[i]];
	/* "-" twice would begin a comment */
	return all && v.n > 0 && v.n <= 400 && !memmem(v.p, v.n, "--", 2);
}

/* Bytes that are no text are kept as bytes: a server that is asked to store them in such a column says what it thinks of it. */
static struct sql_literal text_literal(struct sql_value v)
{
	if (sql_escape_is_utf8(v.p, v.n))
		return (struct sql_literal){OPEN("'"), .body = SQL_BODY_ESCAPE, .is_quoted = 1};
	return (struct sql_literal){OPEN("_binary'"), .body = SQL_BODY_ESCAPE, .is_quoted = 1, .is_odd = 1};
}

struct sql_literal sql_format_literal(const struct sql_column *c, struct sql_value v)
{
	static const struct sql_literal quoted = {OPEN("'"), .body = SQL_BODY_ESCAPE, .is_quoted = 1};

	if (!v.p)
		return (struct sql_literal){OPEN("NULL")};
	if (c->form == SQL_FORM_NUMBER)
		return is_number(v) ? (struct sql_literal){OPEN("")} : text_literal(v);
	if (v.n == 0)
		return c->form == SQL_FORM_MEMBER ? (struct sql_literal){OPEN("0")} : quoted;
	switch (c->form) {
	case SQL_FORM_BYTES:
		return (struct sql_literal){OPEN("_binary'"), .body = SQL_BODY_ESCAPE, .is_quoted = 1};
	case SQL_FORM_HEX:
		return (struct sql_literal){OPEN("0x"), .body = SQL_BODY_HEX};
	case SQL_FORM_NARROW:
		if (sql_escape_is_ascii(v.p, v.n))
			return quoted;
		break;
	case SQL_FORM_WIDE:
		break;
	default:
		return text_literal(v);
	}
	return (struct sql_literal){.open = c->introducer, .open_n = (unsigned)strlen(c->introducer), .body = SQL_BODY_HEX};
}

static size_t put_body(const struct sql_literal *l, const uint8_t *p, size_t n, uint8_t *out)
{
	switch (l->body) {
	case SQL_BODY_ESCAPE:
		return sql_escape_bytes(out, p, n);
	case SQL_BODY_HEX:
		return sql_escape_hex(out, p, n);
	default:
		memcpy(out, p, n);
		return n;
	}
}

static uint8_t *put(const struct sql_literal *l, struct sql_value v, uint8_t *out)
{
	memcpy(out, l->open, l->open_n);
	out += l->open_n;
	if (v.n > 0 && v.p && !(l->body == SQL_BODY_COPY && l->open_n > 0))
		out += put_body(l, v.p, v.n, out);
	if (l->is_quoted)
		*out++ = '\'';
	return out;
}

uint8_t *sql_format_value(const struct sql_column *c, struct sql_value v, uint8_t *out, uint64_t *odd)
{
	struct sql_literal l;
	size_t sign;

	/* the most frequent ones, by a shorter way */
	if (c->form == SQL_FORM_NUMBER && v.p && v.n > 0) {
		sign = v.p[0] == '-';
		*out = '-';
		if (sql_escape_copy_digits(out + sign, v.p + sign, v.n - sign))
			return out + v.n;
	} else if (c->form == SQL_FORM_TEXT && v.p && sql_escape_is_utf8(v.p, v.n)) {
		*out++ = '\'';
		out += sql_escape_bytes(out, v.p, v.n);
		*out++ = '\'';
		return out;
	}
	l = sql_format_literal(c, v);
	*odd += (unsigned)l.is_odd;
	return put(&l, v, out);
}

/* One column's next bytes; stage moves on to 3 when there are none left. */
static size_t value_piece(struct sql_piecewise *s, const struct sql_column *c, struct sql_value v, uint8_t *out)
{
	size_t n = v.n - s->at, k = 0;

	if (s->stage == 0) {
		s->literal = sql_format_literal(c, v);
		out[k++] = s->column ? ',' : '(';
		memcpy(out + k, s->literal.open, s->literal.open_n);
		s->stage = v.p && v.n > 0 && !(s->literal.body == SQL_BODY_COPY && s->literal.open_n > 0) ? 1 : 2;
		return k + s->literal.open_n;
	}
	if (s->stage == 1) {
		n = n < SQL_PIECE_BYTES ? n : SQL_PIECE_BYTES;
		k = put_body(&s->literal, v.p + s->at, n, out);
		s->at += n;
		s->stage = s->at == v.n ? 2 : 1;
		return k;
	}
	if (s->literal.is_quoted)
		out[k++] = '\'';
	s->stage = 3;
	return k;
}

size_t sql_format_piece(struct sql_piecewise *s, const struct sql_column *columns, unsigned n, const char *const *row,
    const unsigned long *lengths, uint8_t *out, uint64_t *odd)
{
	size_t k = 0;

	if (n == 0 && s->stage == 0) {
		s->stage = 3;
		memcpy(out, "()", 2);
		return 2;
	}
	while (k == 0 && s->column < n) {
		struct sql_value v = {(const uint8_t *)row[s->column], row[s->column] ? lengths[s->column] : 0};

		k = value_piece(s, &columns[s->column], v, out);
		if (s->stage != 3)
			continue;
		*odd += (unsigned)s->literal.is_odd;
		s->column++;
		s->stage = 0;
		s->at = 0;
		if (s->column == n)
			out[k++] = ')';
	}
	return k;
}

/*
 * What a hostile MariaDB server may send: columns of any type, then a row of any bytes; a line of SHOW GRANTS; a name.  The row
 * is the same whole and in pieces, and nothing in it ends its own quotes.
 *
 * Input: fields between newlines: data type, column type, character set, value; more of them; a line that begins with
 * "GRANT " is a grant, one that begins with '/' a name.
 */
#include "../../../src/source/sql_source_private.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS_MAX 8

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zs_span take_line(struct zs_span *s)
{
	const uint8_t *end = s->n ? memchr(s->p, '\n', s->n) : NULL;
	struct zs_span line = zs_span(s->p, end ? (size_t)(end - s->p) : s->n);

	s->p += line.n + (end != NULL);
	s->n -= line.n + (end != NULL);
	return line;
}

/* Past one value: NULL, a number or name, x'..' without anything raw in it.  NULL: it is none. */
static const uint8_t *skip_value(const uint8_t *p, const uint8_t *end)
{
	while (p < end && *p != '\'' && *p != ',' && *p != ')') {
		if (*p < ' ' || *p > '~' || *p == ';' || *p == '"' || *p == '`' || *p == '(' || *p == '#' || *p == '/')
			return NULL;
		if (*p == '-' && p + 1 < end && p[1] == '-')
			return NULL;
		p++;
	}
	if (p == end || *p != '\'')
		return p;
	for (p++; p < end && *p != '\''; p++) {
		if (*p == 0 || *p == '\n' || *p == '\r' || *p == 0x1a)
			return NULL;
		if (*p == '\\' && ++p == end)
			return NULL;
	}
	return p < end ? p + 1 : NULL;
}

static void check_row(const uint8_t *p, size_t n, unsigned columns)
{
	const uint8_t *end = p + n;

	if (n < 2 || *p++ != '(')
		abort();
	for (unsigned i = 0; i < columns; i++) {
		if (i > 0 && *p++ != ',')
			abort();
		p = skip_value(p, end);
		if (!p || p >= end)
			abort();
	}
	if (*p != ')' || p + 1 != end)
		abort();
}

static void write_row(const struct sql_column *c, unsigned n, char *const *row, const unsigned long *lengths, size_t bytes)
{
	size_t room = 2 * bytes + n * (SQL_FORMAT_OVERHEAD + 1) + SQL_ESCAPE_SLACK + 2, at = 0, k;
	uint8_t *whole = malloc(room), *piece = malloc(SQL_PIECE_ROOM), *end = whole;
	struct sql_piecewise s = {.column = 0};
	uint64_t odd = 0, odd_too = 0;

	if (whole && piece) {
		*end++ = '(';
		for (unsigned i = 0; i < n; i++) {
			if (i > 0)
				*end++ = ',';
			end = sql_format_value(&c[i], (struct sql_value){(const uint8_t *)row[i], lengths[i]}, end, &odd);
		}
		*end++ = ')';
		if ((size_t)(end - whole) + SQL_ESCAPE_SLACK > room)
			abort();
		check_row(whole, (size_t)(end - whole), n);
		while ((k = sql_format_piece(&s, c, n, (const char *const *)row, lengths, piece, &odd_too)) > 0) {
			if (k > (size_t)(end - whole) - at || memcmp(whole + at, piece, k) != 0)
				abort();
			at += k;
		}
		if (whole + at != end || odd != odd_too)
			abort();
	}
	free(whole);
	free(piece);
}

static void grant(struct zs_span line)
{
	struct sql_rights r = {0};
	struct zs_err err = {0};

	if (sql_privileges_add(&r, line, &err) < 0 && err.cause != ZS_NOMEM)
		abort();
	(void)sql_privileges_on(&r, "database", "table");
	(void)sql_privileges_on(&r, "%_\\", NULL);
	sql_privileges_fini(&r);
}

static void name(struct zs_span line)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (line.n > 0 && memchr(line.p, 0, line.n))
		return;
	if (sql_catalog_component(line, &b, &err) == 0 && !zs_path_valid(zs_buf_span(&b)))
		abort();
	(void)sql_catalog_engine_flags(line, line);
	zs_buf_fini(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sql_column columns[COLUMNS_MAX];
	char *row[COLUMNS_MAX];
	unsigned long lengths[COLUMNS_MAX];
	struct zs_span s = zs_span(data, size);
	size_t bytes = 0;
	unsigned n = 0;

	if (size > 100000)
		return 0;
	while (s.n > 0 && n < COLUMNS_MAX) {
		struct zs_span first = take_line(&s), value;
		struct sql_type t = {.data_type = first};

		if (first.n >= 6 && memcmp(first.p, "GRANT ", 6) == 0) {
			grant(first);
			continue;
		}
		if (first.n > 0 && first.p[0] == '/') {
			name(zs_span(first.p + 1, first.n - 1));
			continue;
		}
		t.column_type = take_line(&s);
		t.charset = take_line(&s);
		value = take_line(&s);
		if (t.column_type.n == 0)
			continue;
		columns[n] = (struct sql_column){.name = NULL};
		(void)sql_type_choose(&t, (int)(value.n & 1), &columns[n]);
		(void)sql_type_is_blob(&t);
		row[n] = value.n > 0 && value.p[0] == 'N' ? NULL : malloc(value.n + 1);
		lengths[n] = row[n] ? value.n : 0;
		if (row[n])
			memcpy(row[n], value.p, value.n);
		bytes += lengths[n++];
	}
	write_row(columns, n, row, lengths, bytes);
	for (unsigned i = 0; i < n; i++)
		free(row[i]);
	return 0;
}

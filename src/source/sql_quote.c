/*
 * Names and short texts as SQL.  For definitions and questions to the server; values of rows have their own, faster way
 * (sql_escape.c).
 */
#include "sql_private.h"

int sql_quote_name(struct zs_buf *out, struct zs_span name, struct zs_err *err)
{
	if (zs_buf_reserve(out, 2 * name.n + 2, err) < 0)
		return -1;
	out->p[out->n++] = '`';
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '`')
			out->p[out->n++] = '`';
		out->p[out->n++] = name.p[i];
	}
	out->p[out->n++] = '`';
	return 0;
}

static uint8_t letter_for(uint8_t c)
{
	switch (c) {
	case 0: return '0';
	case '\n': return 'n';
	case '\r': return 'r';
	case 0x1a: return 'Z';
	case '\\':
	case '\'': return c;
	default: return 0;
	}
}

int sql_quote_text(struct zs_buf *out, struct zs_span text, struct zs_err *err)
{
	if (zs_buf_reserve(out, 2 * text.n + 2, err) < 0)
		return -1;
	out->p[out->n++] = '\'';
	for (size_t i = 0; i < text.n; i++) {
		uint8_t letter = letter_for(text.p[i]);

		if (letter)
			out->p[out->n++] = '\\';
		out->p[out->n++] = letter ? letter : text.p[i];
	}
	out->p[out->n++] = '\'';
	return 0;
}

/*
 * From the type of a column to the way its values are asked for and written, so that they come back exactly: nothing is
 * converted between character sets, nothing is rounded, and a member of an ENUM stays that member.
 */
#include "sql_source_private.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define MEMBERS_MAX 256 /* more are written as numbers */

static int is_one_of(struct zs_span word, const char *const list[])
{
	for (; *list; list++)
		if (strlen(*list) == word.n && memcmp(*list, word.p, word.n) == 0)
			return 1;
	return 0;
}

/* Names of encodings in which ASCII is one byte a character, and the same character.  Not sjis, swe7 and the like. */
static int is_narrow(struct zs_span charset)
{
	static const char *const list[] = {"latin1", "latin2", "latin5", "latin7", "cp1250", "cp1251", "cp1256", "cp1257",
	    "cp850", "cp852", "cp866", "koi8r", "koi8u", "greek", "hebrew", "macce", "macroman", "keybcs2", NULL};

	return is_one_of(charset, list);
}

static int is_unicode(struct zs_span charset)
{
	static const char *const list[] = {"utf8mb4", "utf8mb3", "utf8", "ascii", NULL};

	return is_one_of(charset, list);
}

/* Letters that some collation takes for the same look the same. */
static int folded(uint8_t c)
{
	return c == 'w' || c == 'W' ? 'v' : tolower(c);
}

static int same_member(struct zs_span a, struct zs_span b)
{
	if (a.n != b.n)
		return 0;
	for (size_t i = 0; i < a.n; i++)
		if (folded(a.p[i]) != folded(b.p[i]))
			return 0;
	return 1;
}

/* The next member of "'a','b'": 1, 0 at the end, -1: not to be written as text. */
static int next_member(struct zs_span *list, struct zs_span *out)
{
	const uint8_t *end;

	if (list->n == 0)
		return 0;
	if (list->p[0] != '\'' || !(end = memchr(list->p + 1, '\'', list->n - 1)))
		return -1;
	*out = zs_span(list->p + 1, (size_t)(end - list->p) - 1);
	for (size_t i = 0; i < out->n; i++)
		if (out->p[i] < 0x20 || out->p[i] >= 0x7f || out->p[i] == '\\')
			return -1;
	list->n -= out->n + 2;
	list->p = end + 1;
	if (out->n == 0 || out->p[out->n - 1] == ' ' || (list->n > 0 && list->p[0] != ','))
		return -1;
	list->p += list->n > 0;
	list->n -= list->n > 0;
	return 1;
}

/* Does the text of a member say which one it is?  Not if it is '' (as is the value of a wrong member), if another one is
 * equal to it, or if it would have to be converted. */
static int members_are_plain(struct zs_span column_type)
{
	struct zs_span members[MEMBERS_MAX], list = column_type;
	const uint8_t *open = memchr(list.p, '(', list.n);
	size_t n = 0;
	int rc;

	if (!open || list.p[list.n - 1] != ')')
		return 0;
	list = zs_span(open + 1, list.n - (size_t)(open + 1 - list.p) - 1);
	while (n < MEMBERS_MAX && (rc = next_member(&list, &members[n])) != 0) {
		if (rc < 0)
			return 0;
		for (size_t i = 0; i < n; i++)
			if (same_member(members[i], members[n]))
				return 0;
		n++;
	}
	return n > 0 && list.n == 0;
}

static enum sql_ask choose_member(const struct sql_type *t, struct sql_column *out)
{
	if ((!is_unicode(t->charset) && !is_narrow(t->charset)) || !members_are_plain(t->column_type)) {
		out->form = SQL_FORM_NUMBER;
		return SQL_ASK_NUMBER;
	}
	out->form = t->data_type.n == 4 ? SQL_FORM_MEMBER : SQL_FORM_TEXT; /* "enum", "set" */
	return SQL_ASK_PLAIN;
}

static void choose_text(const struct sql_type *t, struct sql_column *out)
{
	int is_name = t->charset.n > 0 && t->charset.n < SQL_INTRODUCER_MAX - 8;

	for (size_t i = 0; i < t->charset.n; i++)
		is_name &= isalnum(t->charset.p[i]) || t->charset.p[i] == '_';
	if (is_unicode(t->charset) || !is_name) {
		out->form = SQL_FORM_TEXT;
		return;
	}
	(void)snprintf(out->introducer, sizeof out->introducer, "_%.*s 0x", (int)t->charset.n, (const char *)t->charset.p);
	out->form = is_narrow(t->charset) ? SQL_FORM_NARROW : SQL_FORM_WIDE;
}

enum sql_ask sql_type_choose(const struct sql_type *t, int is_hex, struct sql_column *out)
{
	static const char *const numbers[] = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year", NULL};
	static const char *const bytes[] = {"binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob", "geometry", "point",
	    "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection", "geomcollection",
	    "vector", NULL};
	static const char *const floats[] = {"float", "double", NULL}, *const lists[] = {"enum", "set", NULL};
	static const char *const bits[] = {"bit", NULL};

	out->form = SQL_FORM_NUMBER;
	if (is_one_of(t->data_type, numbers))
		return SQL_ASK_PLAIN;
	if (is_one_of(t->data_type, floats)) /* with a number of digits, a DOUBLE is rounded too */
		return t->data_type.n == 5 || memchr(t->column_type.p, '(', t->column_type.n) ? SQL_ASK_DOUBLE : SQL_ASK_PLAIN;
	if (is_one_of(t->data_type, lists))
		return choose_member(t, out);
	if (is_one_of(t->data_type, bits))
		out->form = SQL_FORM_HEX;
	else if (is_one_of(t->data_type, bytes))
		out->form = is_hex ? SQL_FORM_HEX : SQL_FORM_BYTES;
	else
		choose_text(t, out); /* dates, times, uuid and what is not known yet come as text, too */
	return SQL_ASK_PLAIN;
}

int sql_type_is_blob(const struct sql_type *t)
{
	static const char *const list[] = {"blob", "mediumblob", "longblob", NULL};

	return is_one_of(t->data_type, list);
}

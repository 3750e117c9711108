/*
 * What the account may do, from SHOW GRANTS: an account that lacks a right is not told, it is shown less.  Which rights are
 * needed is in sql_check.c.
 */
#include "sql_source_private.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; unsigned rights; } words[] = {
	{"ALL PRIVILEGES", SQL_ALL_RIGHTS}, {"ALL", SQL_ALL_RIGHTS}, {"SELECT", SQL_SELECT}, {"SHOW VIEW", SQL_SHOW_VIEW},
	{"TRIGGER", SQL_TRIGGER}, {"EVENT", SQL_EVENT}, {"SHOW CREATE ROUTINE", SQL_SHOW_ROUTINE}, {"LOCK TABLES", SQL_LOCK_TABLES},
	{"RELOAD", SQL_RELOAD}, {"SHOW DATABASES", SQL_SHOW_DATABASES}, {"REPLICATION CLIENT", SQL_BINLOG_MONITOR},
	{"BINLOG MONITOR", SQL_BINLOG_MONITOR}, {"SUPER", SQL_BINLOG_MONITOR},
};

static void skip(struct zs_span *s, size_t n)
{
	s->p += n;
	s->n -= n;
}

static int skip_word(struct zs_span *s, const char *word)
{
	size_t n = strlen(word);

	if (s->n < n || memcmp(s->p, word, n) != 0)
		return 0;
	skip(s, n);
	return 1;
}

/* One right, up to a comma or " ON "; those on single columns do not count.  1, 0 at the end of the list, -1: no grant. */
static int take_right(struct zs_span *s, unsigned *rights)
{
	size_t n = 0;

	while (n < s->n && (isupper(s->p[n]) || s->p[n] == ' ') && !(s->n - n >= 4 && memcmp(s->p + n, " ON ", 4) == 0))
		n++;
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (zs_span_eq(zs_span(s->p, n), zs_span_str(words[i].name)))
			*rights |= words[i].rights;
	if (n == 0)
		return -1;
	skip(s, n);
	if (skip_word(s, "(")) { /* of columns: "SELECT (`a`,`b`)" */
		while (s->n > 0 && s->p[0] != ')') {
			const uint8_t *end = s->p[0] == '`' && s->n > 1 ? memchr(s->p + 1, '`', s->n - 1) : s->p;

			if (!end)
				return -1;
			skip(s, (size_t)(end - s->p) + 1);
		}
		if (!skip_word(s, ")"))
			return -1;
	}
	if (skip_word(s, ", "))
		return 1;
	return skip_word(s, " ON ") ? 0 : -1;
}

/* `na``me`, or "*" as NULL.  0, -1: neither, or no memory (then err says so). */
static int take_name(struct zs_span *s, char **out, struct zs_err *err)
{
	size_t n = 0;

	*out = NULL;
	if (skip_word(s, "*"))
		return 0;
	if (!skip_word(s, "`"))
		return -1;
	if (!(*out = malloc(s->n + 1)))
		return zs_fail_nomem(err);
	while (s->n > 0 && (s->p[0] != '`' || (s->n > 1 && s->p[1] == '`'))) {
		skip(s, s->p[0] == '`');
		(*out)[n++] = (char)s->p[0];
		skip(s, 1);
	}
	(*out)[n] = 0;
	return skip_word(s, "`") ? 0 : -1;
}

static int keep(struct sql_rights *r, const struct sql_right_on *on, struct zs_err *err)
{
	if (r->n == r->cap) {
		size_t cap = r->cap ? 2 * r->cap : 16;
		struct sql_right_on *grown = realloc(r->v, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		r->v = grown;
		r->cap = cap;
	}
	r->v[r->n++] = *on;
	return 0;
}

int sql_privileges_add(struct sql_rights *r, struct zs_span line, struct zs_err *err)
{
	struct sql_right_on on = {0};
	int rc, is_kept = 0;

	if (!skip_word(&line, "GRANT ") || memchr(line.p, 0, line.n))
		return 0;
	while ((rc = take_right(&line, &on.rights)) > 0)
		;
	if (rc < 0)
		return 0;
	rc = take_name(&line, &on.database, err);
	if (rc == 0 && skip_word(&line, ".") && take_name(&line, &on.table, err) == 0 && skip_word(&line, " TO ")) {
		if (!on.database)
			r->everywhere |= on.rights;
		else if (on.rights && !(is_kept = keep(r, &on, err) == 0))
			rc = -1;
	}
	if (!is_kept) {
		free(on.database);
		free(on.table);
	}
	return err->cause == ZS_NOMEM ? -1 : 0; /* whatever else it was, it gives no right */
}

int sql_privileges_read(struct sql_conn *c, struct sql_rights *out, struct zs_err *err)
{
	struct sql_result r;
	int rc = 0;

	if (sql_conn_queryf(c, &r, err, "SHOW GRANTS") < 0)
		return zs_context(err, "rights of this account");
	while (rc == 0 && sql_result_next(&r))
		rc = sql_privileges_add(out, sql_result_get(&r, 0), err);
	sql_result_fini(&r);
	return rc;
}

void sql_privileges_fini(struct sql_rights *r)
{
	for (size_t i = 0; i < r->n; i++) {
		free(r->v[i].database);
		free(r->v[i].table);
	}
	free(r->v);
	*r = (struct sql_rights){0};
}

/* As GRANT means it: % any text, _ any character, both literal after a backslash.  Characters of several bytes make no
 * difference, as one byte of them is as good as any.  Linear but for the last %. */
static int matches(const char *pattern, const char *name)
{
	const char *again = NULL, *from = NULL;

	while (*name) {
		int is_literal = *pattern == '\\' && pattern[1];

		if (!is_literal && *pattern == '%') {
			again = ++pattern;
			from = name;
			continue;
		}
		if ((!is_literal && *pattern == '_') || (*pattern && pattern[is_literal] == *name)) {
			pattern += 1 + is_literal;
			name++;
			continue;
		}
		if (!again)
			return 0;
		pattern = again;
		name = ++from;
	}
	while (*pattern == '%')
		pattern++;
	return !*pattern;
}

unsigned sql_privileges_on(const struct sql_rights *r, const char *database, const char *table)
{
	unsigned rights = r->everywhere;

	for (size_t i = 0; i < r->n; i++) {
		const struct sql_right_on *on = &r->v[i];

		if (on->table) {
			if (table && strcmp(on->table, table) == 0 && strcmp(on->database, database) == 0)
				rights |= on->rights;
		} else if (matches(on->database, database)) {
			rights |= on->rights;
		}
	}
	return rights;
}

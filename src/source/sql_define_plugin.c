/*
 * What accounts log in with and tables are stored by, where it is no part of the server itself: a script loads it first, or
 * stops and says what is missing, rather than to make a table of another engine.
 */
#include "sql_define_private.h"

#include <strings.h>
#include <string.h>

#define IF_NOT_EXISTS_SINCE 100400

/* Rows of name and library. */
static int add_installs(struct sql_writer *w, const char *question, const struct zs_span *names, struct zs_err *err)
{
	struct sql_result r = {0};
	int rc = 0;

	if (w->conn->version < IF_NOT_EXISTS_SINCE)
		return 0;
	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r))
		if (sql_define_add(w, "INSTALL PLUGIN IF NOT EXISTS ", err) < 0 || sql_quote_name(w->out, sql_result_get(&r, 0), err) < 0 ||
		    sql_define_add(w, " SONAME ", err) < 0 || sql_quote_text(w->out, sql_result_get(&r, 1), err) < 0 || sql_define_add(w, ";\n", err) < 0)
			rc = -1;
	sql_result_fini(&r);
	return rc;
}

int sql_define_plugin_logins(struct sql_writer *w, struct zs_err *err)
{
	static const struct zs_span none = {NULL, 0};

	return add_installs(w, "SELECT p.PLUGIN_NAME, p.PLUGIN_LIBRARY FROM information_schema.PLUGINS p WHERE p.PLUGIN_TYPE = 'AUTHENTICATION' AND p.PLUGIN_STATUS = 'ACTIVE' "
			       "AND p.PLUGIN_LIBRARY IS NOT NULL AND EXISTS (SELECT 1 FROM mysql.global_priv g WHERE LOCATE(CONCAT('\"', p.PLUGIN_NAME, '\"'), g.Priv) > 0) "
			       "ORDER BY p.PLUGIN_NAME", &none, err);
}

/* The engine of a SHOW CREATE TABLE: behind the last parenthesis that begins a line, where no name can be. */
static struct zs_span engine_of(struct zs_span text)
{
	static const char mark[] = "\n) ENGINE=";
	const uint8_t *at = NULL, *next = text.p;
	size_t n = 0;

	while (next && (next = memmem(next, text.n - (size_t)(next - text.p), mark, sizeof mark - 1)))
		at = next += sizeof mark - 1;
	while (at && n < text.n - (size_t)(at - text.p) && at[n] != ' ' && at[n] != '\n')
		n++;
	return zs_span(at, n);
}

int sql_define_plugin_engine(struct sql_writer *w, struct zs_span text, struct zs_err *err)
{
	static const char *const own[] = {"InnoDB", "MyISAM", "Aria", "MEMORY", "MRG_MyISAM", "CSV"};
	struct zs_span engine = engine_of(text);
	const struct zs_span names[] = {engine};

	for (size_t i = 0; i < sizeof own / sizeof *own; i++)
		if (engine.n == strlen(own[i]) && strncasecmp((const char *)engine.p, own[i], engine.n) == 0)
			return 0;
	if (!engine.n)
		return 0;
	return add_installs(w, "SELECT PLUGIN_NAME, PLUGIN_LIBRARY FROM information_schema.PLUGINS WHERE PLUGIN_TYPE = 'STORAGE ENGINE' AND PLUGIN_LIBRARY IS NOT NULL "
			       "AND PLUGIN_NAME = '?", names, err);
}

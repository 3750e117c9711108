/*
 * May this account back up everything that was asked for?  Found out before anything is read: what the account may not see
 * would be missing without a word.
 */
#include "sql_source_private.h"

#include <stdio.h>
#include <string.h>

struct lacks { /* what was found missing; the first one is what the source fails with */
	struct sql_source *s;
	unsigned n;
	char first[360];
};

static void lack(struct lacks *l, const char *what, const char *grant, const char *class_name)
{
	char text[360];

	(void)snprintf(text, sizeof text, "%s: %s%s%s", what, grant, class_name ? ", or leave it out with skip=" : "",
	    class_name ? class_name : "");
	sql_note(l->s, ZS_NOTE_LACK, "%s", text);
	if (l->n++ == 0)
		memcpy(l->first, text, sizeof text);
}

static void need(struct lacks *l, unsigned have, unsigned right, const char *database, const char *name, const char *class_name)
{
	char what[160], grant[160];

	if (have & right)
		return;
	(void)snprintf(what, sizeof what, "the right %s is missing on %s", name, database);
	(void)snprintf(grant, sizeof grant, "GRANT %s ON %s%s%s.* TO this account", name, *database == '*' ? "" : "`", database,
	    *database == '*' ? "" : "`");
	lack(l, what, grant, class_name);
}

static void check_database(struct lacks *l, const struct sql_database *d)
{
	const struct sql_source *s = l->s;
	const struct sql_catalog *c = &s->catalog;
	const char *name = sql_catalog_text(c, d->name_at);
	unsigned have = sql_privileges_on(&s->rights, name, NULL), skip = s->options.skip, is_unsafe = 0;

	need(l, have, SQL_SELECT, name, "SELECT", NULL);
	if (!(skip & SQL_SKIP_VIEWS))
		need(l, have, SQL_SHOW_VIEW, name, "SHOW VIEW", "views");
	if (!(skip & SQL_SKIP_TRIGGERS))
		need(l, have, SQL_TRIGGER, name, "TRIGGER", "triggers");
	if (!(skip & SQL_SKIP_EVENTS))
		need(l, have, SQL_EVENT, name, "EVENT", "events");
	for (size_t i = 0; i < d->n; i++)
		is_unsafe |= c->tables[d->first + i].flags & SQL_TABLE_UNSAFE;
	if (is_unsafe && !(skip & SQL_SKIP_LOCKS))
		need(l, have, SQL_LOCK_TABLES, name, "LOCK TABLES", "locks");
}

static void check_server(struct lacks *l)
{
	const struct sql_source *s = l->s;
	unsigned everywhere = s->rights.everywhere, is_all = s->options.databases.n == 0;
	enum sql_consistency c = s->options.consistency;

	if (is_all && !(everywhere & (SQL_SHOW_DATABASES | SQL_SELECT)))
		lack(l, "this account may not see all databases", "GRANT SHOW DATABASES ON *.* TO this account, or name those that are wanted in the URL", NULL);
	if (is_all && !(s->options.skip & SQL_SKIP_ACCOUNTS) && !(sql_privileges_on(&s->rights, "mysql", NULL) & SQL_SELECT))
		lack(l, "this account may not read accounts", "GRANT SELECT ON mysql.* TO this account", "accounts");
	if (!(s->options.skip & SQL_SKIP_PROGRAMS) && !(everywhere & SQL_SHOW_ROUTINE) &&
	    !(sql_privileges_on(&s->rights, "mysql", "proc") & SQL_SELECT))
		lack(l, "this account may not read the bodies of procedures and functions", "GRANT SELECT ON mysql.proc TO this account", "programs");
	if ((c == SQL_STAGE || c == SQL_BLOCK_DDL || c == SQL_FTWRL) && !(everywhere & SQL_RELOAD))
		lack(l, "the right RELOAD is missing", "GRANT RELOAD ON *.* TO this account, or say consistency=plain", NULL);
}

static void say_more(struct sql_source *s)
{
	size_t unsafe = 0, elsewhere = 0;

	for (size_t i = 0; i < s->catalog.tables_n; i++) {
		unsafe += (s->catalog.tables[i].flags & SQL_TABLE_UNSAFE) != 0;
		elsewhere += (s->catalog.tables[i].flags & SQL_TABLE_NO_ROWS) != 0;
	}
	sql_note(s, ZS_NOTE_INFO, "server %.*s, %zu databases, %zu tables", (int)s->facts.version.n, (const char *)s->facts.version.p,
	    s->catalog.databases_n, s->catalog.tables_n);
	if (unsafe && !(s->options.skip & SQL_SKIP_LOCKS))
		sql_note(s, ZS_NOTE_INFO, "%zu tables are of engines without transactions: nobody can write them until they were read", unsafe);
	if (elsewhere)
		sql_note(s, ZS_NOTE_INFO, "%zu tables have their rows elsewhere (MERGE, FEDERATED and the like): only their definitions are backed up", elsewhere);
	if (s->options.consistency == SQL_AUTO && !(s->rights.everywhere & SQL_RELOAD))
		sql_note(s, ZS_NOTE_INFO, "the right RELOAD is missing: the snapshot is a plain transaction");
	if (s->snapshot.has_binlog && !(s->rights.everywhere & SQL_BINLOG_MONITOR))
		sql_note(s, ZS_NOTE_INFO, "the right BINLOG MONITOR is missing: the position in the binary log may not be known");
	if (s->catalog.odd_names)
		sql_note(s, ZS_NOTE_WARNING, "%zu directories or files in the server's data are no databases or tables (lost+found, leftovers) and are left out",
		    s->catalog.odd_names);
}

int sql_check(struct sql_source *s, struct zs_err *err)
{
	struct lacks l = {.s = s};

	if (sql_privileges_read(&s->meta, &s->rights, err) < 0)
		return -1;
	check_server(&l);
	for (size_t i = 0; i < s->catalog.databases_n && l.n < 100; i++)
		check_database(&l, &s->catalog.databases[i]);
	if (l.n)
		return zs_fail(err, ZS_SOURCE, "the backup would be incomplete: %s", l.first);
	say_more(s);
	return 0;
}

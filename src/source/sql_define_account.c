/*
 * Accounts: as statements that any server takes (roles, users, grants, default roles), and the raw tables for a server of the
 * same version.
 */
#include "sql_define_private.h"

#include <mysqld_error.h>
#include <string.h>

/* 'user'@'host', or 'role'. */
static int add_who(struct zs_buf *out, struct zs_span user, struct zs_span host, int is_role, struct zs_err *err)
{
	if (sql_quote_name(out, user, err) < 0)
		return -1;
	if (is_role)
		return 0;
	return zs_buf_add_u8(out, '@', err) < 0 ? -1 : sql_quote_name(out, host, err);
}

struct account { struct zs_span user, host; int is_role; };

typedef int add_fn(struct sql_writer *w, const struct account *a, struct zs_err *err);

static int add_role(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	if (!a->is_role)
		return 0;
	if (sql_define_add(w, "CREATE ROLE IF NOT EXISTS ", err) < 0 || sql_quote_name(w->out, a->user, err) < 0)
		return -1;
	return sql_define_add(w, ";\n", err);
}

/* "CREATE USER x REST" becomes "CREATE USER IF NOT EXISTS x; ALTER USER x REST": also where the account is there already. */
static int add_user(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	static const char create[] = "CREATE USER ";
	const struct zs_span names[] = {a->user, a->host};
	struct sql_result r = {0};
	struct zs_span text;
	int rc = -1;

	if (a->is_role)
		return 0;
	if (sql_define_ask(w, "SHOW CREATE USER `?@`?", names, &r, err) < 0)
		return -1;
	text = sql_result_next(&r) ? sql_result_get(&r, 0) : zs_span(NULL, 0);
	if (text.n < sizeof create || memcmp(text.p, create, sizeof create - 1) != 0) {
		(void)zs_fail(err, ZS_SOURCE, "the server does not show how it was made");
	} else if (sql_define_add(w, "CREATE USER IF NOT EXISTS ", err) == 0 && add_who(w->out, a->user, a->host, 0, err) == 0 &&
	    sql_define_add(w, ";\nALTER USER ", err) == 0 &&
	    zs_buf_add(w->out, text.p + sizeof create - 1, text.n - (sizeof create - 1), err) == 0) {
		rc = sql_define_add(w, ";\n", err);
	}
	sql_result_fini(&r);
	return rc;
}

/* A name in backticks, doubled ones undone: taken off *rest.  0 if there is none. */
static int take_name(struct zs_span *rest, struct zs_buf *out, struct zs_err *err)
{
	size_t i = 1;

	zs_buf_clear(out);
	if (rest->n < 2 || rest->p[0] != '`')
		return 0;
	for (; i < rest->n; i++) {
		if (rest->p[i] == '`' && (i + 1 == rest->n || rest->p[i + 1] != '`'))
			break;
		i += rest->p[i] == '`';
		if (zs_buf_add_u8(out, rest->p[i], err) < 0)
			return -1;
	}
	*rest = i < rest->n ? zs_span(rest->p + i + 1, rest->n - i - 1) : zs_span(NULL, 0);
	return 1;
}

/* Where the object of a grant stands: behind the first " ON " that is not within a name. */
static struct zs_span object_of(struct zs_span line)
{
	int quoted = 0;

	for (size_t i = 0; i + 4 < line.n; i++) {
		quoted ^= line.p[i] == '`';
		if (!quoted && memcmp(line.p + i, " ON ", 4) == 0)
			return zs_span(line.p + i + 4, line.n - i - 4);
	}
	return zs_span(NULL, 0);
}

static int exists(struct sql_writer *w, const char *question, const struct zs_span *names, struct zs_err *err)
{
	struct sql_result r = {0};
	int found;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	found = sql_result_next(&r);
	sql_result_fini(&r);
	return found;
}

static int starts(struct zs_span s, const char *text)
{
	size_t n = strlen(text);

	return s.n >= n && memcmp(s.p, text, n) == 0;
}

/* CREATE is among the rights: then the table need not be there. */
static int has_create(struct zs_span line)
{
	static const char *const ends[] = {",", " ON "};
	size_t rights = line.n - object_of(line).n;

	for (size_t i = 0; i + 7 < rights; i++)
		for (size_t k = 0; k < 2; k++)
			if (memcmp(line.p + i, " CREATE", 7) == 0 && starts(zs_span(line.p + i + 7, line.n - i - 7), ends[k]))
				return 1;
	return 0;
}

/* Packages can only be named in Oracle's way of speaking. */
static int is_of_package(struct zs_span line)
{
	return starts(object_of(line), "PACKAGE ");
}

/* Rights on a table or routine that is gone stay in the grant tables, but nobody can grant them again.  1 they can be
 * granted, 0 not, -1. */
static int is_grantable(struct sql_writer *w, struct zs_span line, struct zs_err *err)
{
	static const char *const kinds[] = {"PROCEDURE ", "FUNCTION ", "PACKAGE BODY ", "PACKAGE "};
	struct zs_buf database = ZS_BUF_INIT, name = ZS_BUF_INIT;
	struct zs_span rest = object_of(line);
	struct zs_span names[2];
	int rc = 1, is_routine = 0;

	for (size_t i = 0; i < 4 && !is_routine; i++) {
		if (rest.n > strlen(kinds[i]) && memcmp(rest.p, kinds[i], strlen(kinds[i])) == 0) {
			rest = zs_span(rest.p + strlen(kinds[i]), rest.n - strlen(kinds[i]));
			is_routine = 1;
		}
	}
	if ((rc = take_name(&rest, &database, err)) <= 0 || rest.n < 2 || rest.p[0] != '.') {
		rc = rc < 0 ? -1 : 1;
		goto out;
	}
	rest = zs_span(rest.p + 1, rest.n - 1);
	if ((rc = take_name(&rest, &name, err)) <= 0) { /* a database: it need not exist */
		rc = rc < 0 ? -1 : 1;
		goto out;
	}
	names[0] = zs_buf_span(&database);
	names[1] = zs_buf_span(&name);
	rc = !is_routine && has_create(line) ? 1 : exists(w, is_routine ? "SELECT 1 FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = '? AND ROUTINE_NAME = '? LIMIT 1"
							  : "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = '? AND TABLE_NAME = '? LIMIT 1", names, err);
out:
	zs_buf_fini(&database);
	zs_buf_fini(&name);
	return rc;
}

static int add_grant(struct sql_writer *w, struct zs_span line, struct zs_err *err)
{
	int ok;

	if (starts(line, "SET DEFAULT ROLE")) /* later, when all roles are granted */
		return 0;
	if ((ok = is_grantable(w, line, err)) < 0)
		return -1;
	if (!ok)
		return sql_define_add(w, "-- left out: rights on something that is not there\n", err);
	if (is_of_package(line) && sql_define_add(w, "SET sql_mode = 'ORACLE';\n", err) < 0)
		return -1;
	if (zs_buf_add_span(w->out, line, err) < 0 || sql_define_add(w, ";\n", err) < 0)
		return -1;
	return is_of_package(line) ? sql_define_add(w, "SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO';\n", err) : 0;
}

static int add_shown_grants(struct sql_writer *w, const char *question, const struct zs_span *names, struct zs_err *err)
{
	struct zs_strings lines = {0};
	struct sql_result r = {0};
	int rc;

	if (sql_define_ask(w, question, names, &r, err) < 0)
		return -1;
	rc = sql_define_list(&r, &lines, err);
	sql_result_fini(&r);
	for (size_t i = 0; rc == 0 && i < lines.n; i++)
		rc = add_grant(w, zs_span_str(lines.v[i]), err);
	zs_strings_fini(&lines);
	return rc;
}

static int add_grants(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	const struct zs_span names[] = {a->user, a->host};

	return add_shown_grants(w, a->is_role ? "SHOW GRANTS FOR `?" : "SHOW GRANTS FOR `?@`?", names, err);
}

#define PUBLIC_SINCE 101100

/* What everybody has; nobody's account. */
static int add_public(struct sql_writer *w, struct zs_err *err)
{
	static const struct zs_span none = {NULL, 0};

	if (w->conn->version < PUBLIC_SINCE || add_shown_grants(w, "SHOW GRANTS FOR PUBLIC", &none, err) == 0)
		return 0;
	if (err->cause != ZS_SOURCE || w->conn->is_lost || sql_conn_errno(w->conn) != ER_NONEXISTING_GRANT)
		return -1;
	zs_err_clear(err);
	return 0;
}

static int add_default_role(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	const struct zs_span names[] = {a->user, a->host};
	struct sql_result r = {0};
	struct zs_span role;
	int rc = 0;

	if (a->is_role)
		return 0;
	if (sql_define_ask(w, w->conn->version >= 100400 ?
		"SELECT JSON_VALUE(Priv, '$.default_role') FROM mysql.global_priv WHERE User = '? AND Host = '?" :
		"SELECT default_role FROM mysql.user WHERE User = '? AND Host = '?", names, &r, err) < 0)
		return -1;
	role = sql_result_next(&r) ? sql_result_get(&r, 0) : zs_span(NULL, 0);
	if (role.n > 0) {
		rc = sql_define_add(w, "SET DEFAULT ROLE ", err);
		if (rc == 0)
			rc = sql_quote_name(w->out, role, err);
		if (rc == 0)
			rc = sql_define_add(w, " FOR ", err);
		if (rc == 0)
			rc = add_who(w->out, a->user, a->host, 0, err);
		if (rc == 0)
			rc = sql_define_add(w, ";\n", err);
	}
	sql_result_fini(&r);
	return rc;
}

/* Grants repeat the password, which makes it a new one: that it had expired is said once more. */
static int add_expired(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	static const char expired[] = " PASSWORD EXPIRE";
	const struct zs_span names[] = {a->user, a->host};
	struct sql_result r = {0};
	struct zs_span text;
	int rc = 0;

	if (a->is_role)
		return 0;
	if (sql_define_ask(w, "SHOW CREATE USER `?@`?", names, &r, err) < 0)
		return -1;
	text = sql_result_next(&r) ? sql_result_get(&r, 0) : zs_span(NULL, 0);
	if (text.n >= sizeof expired && memcmp(text.p + text.n - (sizeof expired - 1), expired, sizeof expired - 1) == 0) {
		rc = sql_define_add(w, "ALTER USER ", err);
		if (rc == 0)
			rc = add_who(w->out, a->user, a->host, 0, err);
		if (rc == 0)
			rc = sql_define_add(w, " PASSWORD EXPIRE;\n", err);
	}
	sql_result_fini(&r);
	return rc;
}

static int is_inactive(const struct sql_conn *c)
{
	return sql_conn_errno(c) == ER_PASSWORD_NO_MATCH || sql_conn_errno(c) == ER_NONEXISTING_GRANT;
}

struct accounts { struct zs_strings users, hosts, roles; };

static void accounts_fini(struct accounts *l)
{
	zs_strings_fini(&l->users);
	zs_strings_fini(&l->hosts);
	zs_strings_fini(&l->roles);
}

static int each_account(struct sql_writer *w, const struct accounts *l, add_fn *add, struct zs_err *err)
{
	for (size_t i = 0; i < l->users.n; i++) {
		const struct account a = {zs_span_str(l->users.v[i]), zs_span_str(l->hosts.v[i]), l->roles.v[i][0] == 'Y'};
		size_t before = w->out->n;
		struct zs_err why = {0};

		if (add(w, &a, &why) == 0)
			continue;
		w->out->n = before;
		if (why.cause != ZS_SOURCE) {
			*err = why;
			return -1;
		}
		/* With skip_name_resolve the server itself passes over accounts of named hosts; the raw tables have them. */
		if (is_inactive(w->conn))
			continue;
		if (sql_define_leave_out(w, a.is_role ? "role" : "account", a.user, &why, err) < 0)
			return -1;
	}
	return 0;
}

static int load_accounts(struct sql_writer *w, struct accounts *l, struct zs_err *err)
{
	static const struct zs_span none = {NULL, 0};
	struct sql_result r = {0};
	int rc = 0;

	if (sql_define_ask(w, w->conn->version >= 100400 ?
		"SELECT User, Host, IF(JSON_VALUE(Priv, '$.is_role') = 'true' OR JSON_VALUE(Priv, '$.is_role') = '1', 'Y', 'N') FROM mysql.global_priv "
		"WHERE User NOT IN ('mariadb.sys', 'PUBLIC') ORDER BY CAST(User AS BINARY), CAST(Host AS BINARY)" :
		"SELECT User, Host, is_role FROM mysql.user ORDER BY CAST(User AS BINARY), CAST(Host AS BINARY)", &none, &r, err) < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r)) {
		if (zs_strings_add(&l->users, sql_result_get(&r, 0), err) < 0 || zs_strings_add(&l->hosts, sql_result_get(&r, 1), err) < 0 ||
		    zs_strings_add(&l->roles, sql_result_get(&r, 2), err) < 0)
			rc = -1;
	}
	sql_result_fini(&r);
	return rc;
}

int sql_define_account_all(struct sql_writer *w, struct zs_err *err)
{
	static add_fn *const passes[] = {add_role, add_user, add_grants, add_default_role, add_expired};
	struct accounts l = {0};
	int rc = load_accounts(w, &l, err);

	for (size_t i = 0; rc == 0 && i < sizeof passes / sizeof *passes; i++)
		rc = each_account(w, &l, passes[i], err);
	if (rc == 0)
		rc = add_public(w, err);
	accounts_fini(&l);
	return rc < 0 ? -1 : sql_define_add(w, "FLUSH PRIVILEGES;\n", err);
}

/* Roles alone, for what comes before the accounts and may be defined by one. */
int sql_define_account_roles(struct sql_writer *w, struct zs_err *err)
{
	struct accounts l = {0};
	int rc = load_accounts(w, &l, err);

	if (rc == 0)
		rc = each_account(w, &l, add_role, err);
	accounts_fini(&l);
	return rc;
}

/* ------------------------------------------------------------------ raw tables */

static int add_row(struct sql_writer *w, const char *table, const struct sql_result *r, struct zs_err *err)
{
	if (zs_buf_printf(w->out, err, "REPLACE INTO `mysql`.`%s` VALUES (", table) < 0)
		return -1;
	for (unsigned i = 0; i < r->columns; i++) {
		struct zs_span v = sql_result_get(r, i);

		if ((i > 0 && sql_define_add(w, ",", err) < 0) ||
		    (v.p ? sql_quote_text(w->out, v, err) : sql_define_add(w, "NULL", err)) < 0)
			return -1;
	}
	return sql_define_add(w, ");\n", err);
}

static int add_table(struct sql_writer *w, const char *table, struct zs_err *err)
{
	const struct zs_span names[] = {zs_span_str(table), zs_span_str(table)};
	struct sql_result r = {0};
	int rc = exists(w, "SELECT 1 FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'mysql' AND TABLE_NAME = '? AND TABLE_TYPE = 'BASE TABLE'", names, err);

	if (rc <= 0)
		return rc;
	/* In the order of all columns: these tables are small. */
	rc = sql_define_ask(w, "SELECT * FROM mysql.`? ORDER BY 1, 2, 3", names, &r, err);
	while (rc == 0 && sql_result_next(&r))
		rc = add_row(w, table, &r, err);
	sql_result_fini(&r);
	return rc;
}

int sql_define_account_tables(struct sql_writer *w, struct zs_err *err)
{
	static const char *const tables[] = {"user", "global_priv", "db", "tables_priv", "columns_priv", "procs_priv", "roles_mapping", "proxies_priv"};

	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (add_table(w, tables[i], err) < 0)
			return -1;
	return sql_define_add(w, "FLUSH PRIVILEGES;\n", err);
}

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

static int is_prefix(struct zs_span text, const char *prefix)
{
	return text.n > strlen(prefix) && memcmp(text.p, prefix, strlen(prefix)) == 0;
}

static int ask_user(struct sql_writer *w, const struct account *a, struct sql_result *out, struct zs_err *err)
{
	const struct zs_span names[] = {a->user, a->host};

	return sql_define_ask(w, "SHOW CREATE USER `?@`?", names, out, err);
}

/* "CREATE USER x REST" becomes "CREATE USER IF NOT EXISTS x; ALTER USER x REST": also where the account is there already. */
static int add_made(struct sql_writer *w, const struct account *a, struct zs_span text, struct zs_err *err)
{
	static const char create[] = "CREATE USER ", alter[] = "ALTER USER ";

	if (is_prefix(text, create)) {
		if (sql_define_add(w, "CREATE USER IF NOT EXISTS ", err) < 0 || add_who(w->out, a->user, a->host, 0, err) < 0 ||
		    sql_define_add(w, ";\nALTER USER ", err) < 0 ||
		    zs_buf_add(w->out, text.p + sizeof create - 1, text.n - (sizeof create - 1), err) < 0)
			return -1;
	} else if (!is_prefix(text, alter)) {
		return zs_fail(err, ZS_SOURCE, "the server does not show how it was made");
	} else if (zs_buf_add_span(w->out, text, err) < 0) { /* a second line: when its password will expire */
		return -1;
	}
	return sql_define_add(w, ";\n", err);
}

static int add_user(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	struct sql_result r = {0};
	int rc = -1;

	if (a->is_role)
		return 0;
	if (ask_user(w, a, &r, err) < 0)
		return -1;
	if (!sql_result_next(&r))
		(void)zs_fail(err, ZS_SOURCE, "the server does not show how it was made");
	else
		do
			rc = add_made(w, a, sql_result_get(&r, 0), err);
		while (rc == 0 && sql_result_next(&r));
	sql_result_fini(&r);
	return rc;
}

/* Grants say the password once more, which makes it a new one: what was expired is said again. */
static int add_expired(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	static const char mark[] = " PASSWORD EXPIRE";
	struct sql_result r = {0};
	struct zs_span text;
	int rc = 0;

	if (a->is_role)
		return 0;
	if (ask_user(w, a, &r, err) < 0)
		return -1;
	text = sql_result_next(&r) ? sql_result_get(&r, 0) : zs_span(NULL, 0);
	if (text.n >= sizeof mark && memcmp(text.p + text.n - (sizeof mark - 1), mark, sizeof mark - 1) == 0 &&
	    (sql_define_add(w, "ALTER USER ", err) < 0 || add_who(w->out, a->user, a->host, 0, err) < 0 || sql_define_add(w, " PASSWORD EXPIRE;\n", err) < 0))
		rc = -1;
	sql_result_fini(&r);
	return rc;
}

static int add_grants(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	return sql_define_grant_account(w, a->user, a->host, a->is_role, err);
}

/* A default role that was taken away since stays in the account, but cannot be set again. */
static int add_default_role(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	const struct zs_span names[] = {a->user, a->host, a->host, a->user};
	struct sql_result r = {0};
	struct zs_span role;
	int rc = 0;

	if (a->is_role)
		return 0;
	if (sql_define_ask(w, w->conn->version >= 100400 ?
		"SELECT JSON_VALUE(p.Priv, '$.default_role') FROM mysql.global_priv p WHERE p.User = '? AND p.Host = '? AND EXISTS (SELECT 1 FROM mysql.roles_mapping m "
		"WHERE m.Host = '? AND m.User = '? AND m.Role = JSON_VALUE(p.Priv, '$.default_role'))" :
		"SELECT default_role FROM mysql.user WHERE User = '? AND Host = '? AND EXISTS (SELECT 1 FROM mysql.roles_mapping m "
		"WHERE m.Host = '? AND m.User = '? AND m.Role = default_role)", names, &r, err) < 0)
		return -1;
	role = sql_result_next(&r) ? sql_result_get(&r, 0) : zs_span(NULL, 0);
	if (role.n > 0 && (sql_define_add(w, "SET DEFAULT ROLE ", err) < 0 || sql_quote_name(w->out, role, err) < 0 ||
			      sql_define_add(w, " FOR ", err) < 0 || add_who(w->out, a->user, a->host, 0, err) < 0 || sql_define_add(w, ";\n", err) < 0))
		rc = -1;
	sql_result_fini(&r);
	return rc;
}

/* ---------------------------------------------------------------- roles' administrators */

#define ADMINS_SINCE 100400

struct accounts {
	struct zs_strings users, hosts, roles;
	unsigned inactive; /* the server itself does not use them */
};

/* 'a','b': all roles. */
static int add_role_names(struct sql_writer *w, const struct accounts *l, struct zs_err *err)
{
	const char *mark = "";

	for (size_t i = 0; i < l->users.n; i++) {
		if (l->roles.v[i][0] != 'Y')
			continue;
		if (sql_define_add(w, mark, err) < 0 || sql_quote_text(w->out, zs_span_str(l->users.v[i]), err) < 0)
			return -1;
		mark = ",";
	}
	return 0;
}

static int has_roles(const struct accounts *l)
{
	for (size_t i = 0; i < l->users.n; i++)
		if (l->roles.v[i][0] == 'Y')
			return 1;
	return 0;
}

/*
 * Only a role's administrator may grant it.  Whoever makes a role is one; of a role that was there before, the account that
 * loads the script becomes one for the time being.
 */
static int begin_roles(struct sql_writer *w, const struct accounts *l, struct zs_err *err)
{
	if (w->conn->version < ADMINS_SINCE || !has_roles(l))
		return 0;
	if (sql_define_add(w, "INSERT INTO mysql.roles_mapping (Host, User, Role, Admin_option) SELECT SUBSTRING_INDEX(CURRENT_USER(), '@', -1), "
			      "LEFT(CURRENT_USER(), CHAR_LENGTH(CURRENT_USER()) - CHAR_LENGTH(SUBSTRING_INDEX(CURRENT_USER(), '@', -1)) - 1), User, 'Y' "
			      "FROM mysql.global_priv WHERE Host = '' AND User IN (", err) < 0 ||
	    add_role_names(w, l, err) < 0)
		return -1;
	/* A server with skip_name_resolve forgets accounts of named hosts by it: not unless it is needed, and before they are made. */
	return sql_define_add(w, ") ON DUPLICATE KEY UPDATE Admin_option = 'Y';\nEXECUTE IMMEDIATE IF(ROW_COUNT() > 0, 'FLUSH PRIVILEGES', 'DO 0');\n", err);
}

/* '', and 'user@host' of those who have the role; of its administrators only, if admin is "Y". */
static int add_members(struct sql_writer *w, struct zs_span role, const char *admin, struct zs_err *err)
{
	const struct zs_span names[] = {role, zs_span_str(admin)};
	struct sql_result r = {0};
	int rc = sql_define_add(w, "(''", err);

	if (rc < 0 || sql_define_ask(w, "SELECT CONCAT(User, '@', Host) FROM mysql.roles_mapping WHERE Role = '? AND Host <> '' AND (Admin_option = 'Y' OR '? = '') "
					"ORDER BY CAST(CONCAT(User, '@', Host) AS BINARY)", names, &r, err) < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r))
		if (sql_define_add(w, ",", err) < 0 || sql_quote_text(w->out, sql_result_get(&r, 0), err) < 0)
			rc = -1;
	sql_result_fini(&r);
	return rc < 0 ? -1 : sql_define_add(w, ")", err);
}

/* Whoever loaded the script keeps of each role what the same account had here. */
static int end_role(struct sql_writer *w, const struct account *a, struct zs_err *err)
{
	struct zs_buf name = ZS_BUF_INIT, text = ZS_BUF_INIT;
	int rc = -1;

	if (!a->is_role || w->conn->version < ADMINS_SINCE)
		return 0;
	if (sql_quote_name(&name, a->user, err) < 0 || sql_define_add(w, "EXECUTE IMMEDIATE CASE WHEN BINARY CURRENT_USER() IN ", err) < 0 ||
	    add_members(w, a->user, "Y", err) < 0 || sql_define_add(w, " THEN 'DO 0' WHEN BINARY CURRENT_USER() IN ", err) < 0 ||
	    add_members(w, a->user, "", err) < 0 || sql_define_add(w, " THEN ", err) < 0)
		goto out;
	if (zs_buf_printf(&text, err, "REVOKE ADMIN OPTION FOR %.*s FROM CURRENT_USER", (int)name.n, (const char *)name.p) < 0 ||
	    sql_quote_text(w->out, zs_buf_span(&text), err) < 0 || sql_define_add(w, " ELSE ", err) < 0)
		goto out;
	zs_buf_clear(&text);
	if (zs_buf_printf(&text, err, "REVOKE %.*s FROM CURRENT_USER", (int)name.n, (const char *)name.p) == 0 &&
	    sql_quote_text(w->out, zs_buf_span(&text), err) == 0)
		rc = sql_define_add(w, " END;\n", err);
out:
	zs_buf_fini(&name);
	zs_buf_fini(&text);
	return rc;
}

/* ------------------------------------------------------------------- the whole */

static int is_inactive(const struct sql_conn *c)
{
	return sql_conn_errno(c) == ER_PASSWORD_NO_MATCH || sql_conn_errno(c) == ER_NONEXISTING_GRANT;
}

static void accounts_fini(struct accounts *l)
{
	zs_strings_fini(&l->users);
	zs_strings_fini(&l->hosts);
	zs_strings_fini(&l->roles);
}

static int each_account(struct sql_writer *w, struct accounts *l, add_fn *add, struct zs_err *err)
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
		if (is_inactive(w->conn)) {
			l->inactive += add == add_user;
			continue;
		}
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

/* With skip_name_resolve a server passes over accounts of named hosts: nobody can log in by them, and it does not show them. */
static int tell_inactive(struct sql_writer *w, unsigned n, struct zs_err *err)
{
	if (w->d->out_inactive)
		*w->d->out_inactive = n;
	if (!n)
		return 0;
	return zs_buf_printf(w->out, err, "-- left out: accounts of named hosts that were not in use on the server (skip_name_resolve): %u; they are in accounts-tables.sql only\n", n);
}

static int add_all(struct sql_writer *w, struct accounts *l, struct zs_err *err)
{
	static add_fn *const passes[] = {add_user, add_grants, add_expired, add_default_role, end_role};

	if (load_accounts(w, l, err) < 0 || sql_define_plugin_logins(w, err) < 0 || each_account(w, l, add_role, err) < 0 || begin_roles(w, l, err) < 0)
		return -1;
	for (size_t i = 0; i < sizeof passes / sizeof *passes; i++)
		if (each_account(w, l, passes[i], err) < 0)
			return -1;
	return tell_inactive(w, l->inactive, err);
}

int sql_define_account_all(struct sql_writer *w, struct zs_err *err)
{
	struct accounts l = {.inactive = 0};
	int rc = add_all(w, &l, err);

	if (rc == 0)
		rc = sql_define_grant_public(w, err);
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

/* The question for all of its rows, in the order of its key; nothing if this server has no such table. */
static int key_of(struct sql_writer *w, const char *table, struct zs_buf *out, struct zs_err *err)
{
	const struct zs_span names[] = {zs_span_str(table)};
	struct sql_result r = {0};
	const char *mark = "SELECT * FROM mysql.`? ORDER BY ";
	int rc = 0;

	if (sql_define_ask(w, "SELECT s.COLUMN_NAME FROM information_schema.STATISTICS s JOIN information_schema.TABLES t USING (TABLE_SCHEMA, TABLE_NAME) "
			      "WHERE s.TABLE_SCHEMA = 'mysql' AND s.TABLE_NAME = '? AND s.INDEX_NAME = 'PRIMARY' AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY s.SEQ_IN_INDEX",
		names, &r, err) < 0)
		return -1;
	for (; rc == 0 && sql_result_next(&r); mark = ", ")
		if (zs_buf_printf(out, err, "%sCAST(", mark) < 0 || sql_quote_name(out, sql_result_get(&r, 0), err) < 0 || zs_buf_printf(out, err, " AS BINARY)") < 0)
			rc = -1;
	sql_result_fini(&r);
	return rc;
}

static int add_table(struct sql_writer *w, const char *table, struct zs_err *err)
{
	const struct zs_span names[] = {zs_span_str(table), zs_span_str(table)};
	struct sql_result r = {0};
	struct zs_buf order = ZS_BUF_INIT;
	int rc = key_of(w, table, &order, err);

	if (rc == 0 && order.n)
		rc = zs_buf_add_u8(&order, 0, err);
	if (rc == 0 && order.n)
		rc = sql_define_ask(w, (const char *)order.p, names, &r, err);
	zs_buf_fini(&order);
	if (!r.res)
		return rc;
	while (rc == 0 && sql_result_next(&r))
		rc = add_row(w, table, &r, err);
	sql_result_fini(&r);
	return rc;
}

int sql_define_account_tables(struct sql_writer *w, struct zs_err *err)
{
	static const char *const tables[] = {"user", "global_priv", "db", "tables_priv", "columns_priv", "procs_priv", "roles_mapping", "proxies_priv"};

	if (sql_define_add(w, "SET NAMES utf8mb4;\nSET sql_mode = '';\n", err) < 0) /* it is loaded by itself */
		return -1;
	for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
		if (add_table(w, tables[i], err) < 0)
			return -1;
	return sql_define_add(w, "FLUSH PRIVILEGES;\n", err);
}

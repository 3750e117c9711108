/*
 * What a mariadb:// URL says, beyond what all servers' URLs have in common: where, what, how.
 */
#include "sql_source_private.h"

#include <stdlib.h>
#include <string.h>

static const char *const known_keys[] = {"socket", "defaults-file", "defaults-group", "consistency", "ssl", "ssl-ca", "ssl-cert",
    "ssl-key", "exclude", "skip", "hex", "database", "connect-timeout", "read-timeout", "lock-timeout", "snapshots", NULL};
static const char *const consistencies[] = {"auto", "stage", "block-ddl", "ftwrl", "plain"};
static const struct { const char *name; enum sql_class bit; } classes[] = {
	{"programs", SQL_SKIP_PROGRAMS}, {"triggers", SQL_SKIP_TRIGGERS}, {"events", SQL_SKIP_EVENTS}, {"views", SQL_SKIP_VIEWS},
	{"accounts", SQL_SKIP_ACCOUNTS}, {"locks", SQL_SKIP_LOCKS},
};
/* Made by the server itself, anew at every installation; the accounts have streams of their own. */
static const char *const systems[] = {"information_schema", "performance_schema", "mysql", "sys", NULL};

static int is_system(struct zs_span name)
{
	for (size_t i = 0; systems[i]; i++)
		if (strlen(systems[i]) == name.n && strncasecmp(systems[i], (const char *)name.p, name.n) == 0)
			return 1;
	return 0;
}

static int add_database(struct sql_options *o, struct zs_span name, struct zs_err *err)
{
	if (is_system(name))
		return zs_fail(err, ZS_USAGE, "%s: '%.*s' belongs to the server; accounts are backed up if no database is named",
		    o->login.label, (int)name.n, (const char *)name.p);
	for (size_t i = 0; i < o->databases.n; i++)
		if (zs_span_eq(zs_span_str(o->databases.v[i]), name))
			return 0;
	return zs_strings_add(&o->databases, name, err);
}

/* Each part of "a,b,c". */
static int each_part(const char *text, int (*fn)(struct sql_options *, struct zs_span, struct zs_err *), struct sql_options *o,
    struct zs_err *err)
{
	while (*text) {
		size_t n = strcspn(text, ",");

		if (n > 0 && fn(o, zs_span(text, n), err) < 0)
			return -1;
		text += n + (text[n] == ',');
	}
	return 0;
}

static int add_exclude(struct sql_options *o, struct zs_span name, struct zs_err *err)
{
	return zs_strings_add(&o->excludes, name, err);
}

static int add_skip(struct sql_options *o, struct zs_span name, struct zs_err *err)
{
	for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++)
		if (zs_span_eq(zs_span_str(classes[i].name), name)) {
			o->skip |= classes[i].bit;
			return 0;
		}
	return zs_fail(err, ZS_USAGE, "%s: skip is a list of programs, triggers, events, views, accounts, locks; not '%.*s'",
	    o->login.label, (int)name.n, (const char *)name.p);
}

static int take_number(const struct zs_url *u, const char *key, unsigned max, unsigned *out, struct zs_err *err)
{
	const char *text = zs_url_get(u, key, NULL);
	unsigned long n = 0;
	char *end;

	if (!text)
		return 0;
	n = strtoul(text, &end, 10);
	if (*end || end == text || text[0] < '0' || text[0] > '9' || n == 0 || n > max)
		return zs_fail(err, ZS_USAGE, "%s: %s is a number from 1 to %u, not '%s'", u->label, key, max, text);
	*out = (unsigned)n;
	return 0;
}

static int take_consistency(const struct zs_url *u, enum sql_consistency *out, struct zs_err *err)
{
	const char *text = zs_url_get(u, "consistency", "auto");

	for (unsigned i = 0; i < sizeof consistencies / sizeof consistencies[0]; i++)
		if (strcmp(consistencies[i], text) == 0) {
			*out = (enum sql_consistency)i;
			return 0;
		}
	return zs_fail(err, ZS_USAGE, "%s: consistency is auto, stage, block-ddl, ftwrl or plain, not '%s'", u->label, text);
}

static int take_tls(const struct zs_url *u, struct sql_login *login, struct zs_err *err)
{
	const char *text = zs_url_get(u, "ssl", "auto");
	int is_on;

	login->ssl_ca = zs_url_get(u, "ssl-ca", NULL);
	login->ssl_cert = zs_url_get(u, "ssl-cert", NULL);
	login->ssl_key = zs_url_get(u, "ssl-key", NULL);
	if (strcmp(text, "auto") == 0) {
		login->tls = login->ssl_ca || login->ssl_cert || login->ssl_key ? SQL_TLS_YES : SQL_TLS_AUTO;
	} else {
		if (zs_url_flag(u, "ssl", 0, &is_on, err) < 0)
			return zs_fail(err, ZS_USAGE, "%s: ssl is yes, no or auto, not '%s'", u->label, text);
		login->tls = is_on ? SQL_TLS_YES : SQL_TLS_NO;
	}
	if (login->tls == SQL_TLS_NO && login->ssl_ca)
		return zs_fail(err, ZS_USAGE, "%s: ssl=no and ssl-ca contradict each other", u->label);
	if (!login->ssl_cert != !login->ssl_key)
		return zs_fail(err, ZS_USAGE, "%s: ssl-cert and ssl-key belong together", u->label);
	return 0;
}

static int take_login(const struct zs_server_settings *server, struct sql_login *login, struct zs_err *err)
{
	const struct zs_url *u = server->url;

	*login = (struct sql_login){.label = u->label, .user = u->user, .host = u->host, .port = u->port, .password = server->password,
	    .socket = zs_url_get(u, "socket", NULL), .defaults_file = zs_url_get(u, "defaults-file", NULL),
	    .defaults_group = zs_url_get(u, "defaults-group", NULL)};
	if (!login->socket && login->host[0] == '/') { /* mariadb://%2Frun%2Fmysqld%2Fmysqld.sock/ */
		login->socket = u->host;
		login->host = "";
	}
	if (login->socket && login->host[0] && strcmp(login->host, "localhost") != 0)
		return zs_fail(err, ZS_USAGE, "%s: either a host or a socket", u->label);
	if (login->socket && login->port)
		return zs_fail(err, ZS_USAGE, "%s: either a port or a socket", u->label);
	if (server->password.p && memchr(server->password.p, 0, server->password.n))
		return zs_fail(err, ZS_USAGE, "%s: there is a NUL byte in the password", u->label);
	return take_tls(u, login, err);
}

static int parse(const struct zs_url *u, struct sql_options *o, struct zs_err *err)
{
	if (zs_url_check_keys(u, known_keys, err) < 0 || take_consistency(u, &o->consistency, err) < 0 ||
	    zs_url_flag(u, "hex", 0, &o->is_hex, err) < 0 ||
	    take_number(u, "connect-timeout", 3600, &o->login.connect_timeout_s, err) < 0 ||
	    take_number(u, "read-timeout", 604800, &o->login.read_timeout_s, err) < 0 ||
	    take_number(u, "lock-timeout", 86400, &o->lock_timeout_s, err) < 0 ||
	    take_number(u, "snapshots", 64, &o->snapshots, err) < 0 || each_part(u->path, add_database, o, err) < 0)
		return -1;
	for (size_t i = 0; i < u->keys.n; i++) {
		const char *key = u->keys.v[i], *value = u->values.v[i];

		if (strcmp(key, "skip") == 0 && each_part(value, add_skip, o, err) < 0)
			return -1;
		/* a name with a comma in it: the whole value counts, too */
		if (strcmp(key, "exclude") == 0 &&
		    (each_part(value, add_exclude, o, err) < 0 || add_exclude(o, zs_span_str(value), err) < 0))
			return -1;
		if (strcmp(key, "database") == 0 && add_database(o, zs_span_str(value), err) < 0)
			return -1;
	}
	return 0;
}

int sql_options_parse(const struct zs_server_settings *server, struct sql_options *out, struct zs_err *err)
{
	struct sql_options o = {.lock_timeout_s = 30};

	if (take_login(server, &o.login, err) < 0)
		return -1;
	if (parse(server->url, &o, err) < 0) {
		sql_options_fini(&o);
		return -1;
	}
	*out = o;
	return 0;
}

void sql_options_fini(struct sql_options *o)
{
	zs_strings_fini(&o->databases);
	zs_strings_fini(&o->excludes);
}

static int is_among(const struct zs_strings *list, struct zs_span name)
{
	for (size_t i = 0; i < list->n; i++)
		if (zs_span_eq(zs_span_str(list->v[i]), name))
			return 1;
	return 0;
}

int sql_options_wants_database(const struct sql_options *o, struct zs_span database)
{
	if (is_system(database) || is_among(&o->excludes, database))
		return 0;
	return o->databases.n == 0 || is_among(&o->databases, database);
}

/* exclude=database.table; both may have points in them. */
int sql_options_wants_table(const struct sql_options *o, struct zs_span database, struct zs_span table)
{
	for (size_t i = 0; i < o->excludes.n; i++) {
		struct zs_span x = zs_span_str(o->excludes.v[i]);

		if (x.n == database.n + 1 + table.n && x.p[database.n] == '.' && zs_span_eq(zs_span(x.p, database.n), database) &&
		    zs_span_eq(zs_span(x.p + database.n + 1, table.n), table))
			return 0;
	}
	return 1;
}

const char *sql_options_consistency_name(enum sql_consistency c)
{
	return consistencies[c];
}

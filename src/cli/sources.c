/*
 * From what was typed, or stands in a profile, to one set of sources: the paths together are one
 * member, each server is one of its own.
 */
#include "sources.h"
#include "config.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct server_type {
	const char *scheme, *type, *root; /* root: the usual place in the snapshot */
	const char *variable;		  /* of the password; NULL: there is none */
	int (*new)(const struct zs_server_settings *, const struct zs_source_settings *, struct zs_source **, struct zs_err *);
} types[] = {
    {"mariadb", "mariadb", "sql", "ZSTORE_MARIADB_PASSWORD", zs_source_sql_new},
    {"mysql", "mariadb", "sql", "ZSTORE_MARIADB_PASSWORD", zs_source_sql_new},
    {"ldap", "ldap", "ldap", "ZSTORE_LDAP_PASSWORD", zs_source_ldap_new},
    {"ldaps", "ldap", "ldap", "ZSTORE_LDAP_PASSWORD", zs_source_ldap_new},
    {"ldapi", "ldap", "ldap", "ZSTORE_LDAP_PASSWORD", zs_source_ldap_new},
    {"imap", "imap", "imap", "ZSTORE_IMAP_PASSWORD", zs_source_imap_new},
    {"imaps", "imap", "imap", "ZSTORE_IMAP_PASSWORD", zs_source_imap_new},
    {"maildir", "maildir", "maildir", NULL, zs_source_maildir_new},
    {"mbox", "mbox", "mbox", NULL, zs_source_mbox_new},
    {"zimbra", "zimbra", "zimbra", NULL, zs_source_zimbra_new},
};

#define FILES_NAME "files"

const char *server_type(const struct server *v)
{
	return v->type->type;
}

static const struct server_type *type_of(const char *scheme)
{
	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(types[i].scheme, scheme) == 0)
			return &types[i];
	return NULL;
}

static void server_free(struct server *v)
{
	if (!v)
		return;
	free(v->name);
	zs_url_fini(&v->url);
	zs_buf_wipe(&v->password);
	free(v);
}

/* ------------------------------------------------------------------ what was asked for */

static int check_name(const struct sources *l, const struct server *v, struct zs_err *err)
{
	struct zs_span name = zs_span_str(v->name);

	if (!zs_path_valid(name) || strchr(v->name, '/'))
		return zs_fail(err, ZS_USAGE, "%s: name '%s' is no name of a directory in the snapshot", v->url.label, v->name);
	if (strcmp(v->name, FILES_NAME) == 0)
		return zs_fail(err, ZS_USAGE, "%s: the name '%s' is for the paths", v->url.label, v->name);
	for (size_t i = 0; i < l->server_count; i++)
		if (strcmp(l->servers[i]->name, v->name) == 0)
			return zs_fail(err, ZS_USAGE, "two servers would be stored as '%s': add name=NAME to one of the URLs, as in %s%cname=%s2",
			    v->name, v->url.label, strchr(v->url.label, '?') ? '&' : '?', v->name);
	return 0;
}

static int add_server(struct sources *l, struct server *v, const char *text, const char *default_name, struct zs_err *err)
{
	struct server **grown;

	if (zs_url_parse(text, &v->url, err) < 0)
		return -1;
	v->s = l->s;
	if (!(v->type = type_of(v->url.scheme)))
		return zs_fail(err, ZS_USAGE, "%s: '%s' cannot be backed up", v->url.label, v->url.scheme);
	v->note = l->note;
	v->note_ctx = l->note_ctx;
	v->name = strdup(zs_url_get(&v->url, "name", default_name ? default_name : v->type->root));
	if (!v->name)
		return zs_fail_nomem(err);
	if (check_name(l, v, err) < 0)
		return -1;
	if (zs_url_get(&v->url, "password-file", NULL) && zs_url_get(&v->url, "password-command", NULL))
		return zs_fail(err, ZS_USAGE, "%s: password-file or password-command, not both", v->url.label);
	if (zs_strings_add(&l->labels, zs_span_str(v->url.label), err) < 0)
		return -1;
	grown = realloc(l->servers, (l->server_count + 1) * sizeof(struct server *));
	if (!grown)
		return zs_fail_nomem(err);
	l->servers = grown;
	l->servers[l->server_count++] = v;
	return 0;
}

int sources_add_path(struct sources *l, const char *path, struct zs_err *err)
{
	if (zs_strings_add(&l->paths, zs_span_str(path), err) < 0)
		return -1;
	return zs_strings_add(&l->labels, zs_span_str(path), err);
}

int sources_add(struct sources *l, const char *text, const char *default_name, struct zs_err *err)
{
	struct server *v;

	if (!zs_url_is(text))
		return sources_add_path(l, text, err);
	if (!(v = calloc(1, sizeof *v)))
		return zs_fail_nomem(err);
	if (add_server(l, v, text, default_name, err) == 0)
		return 0;
	server_free(v);
	return -1;
}

static int add_setting(struct sources *l, const struct conf_setting *v, struct zs_err *err)
{
	const struct conf_section *section = conf_find(l->s->conf, CONF_SOURCE, v->value);
	struct zs_buf url = ZS_BUF_INIT;
	int rc;

	if (!section)
		return sources_add(l, v->value, NULL, err);
	rc = conf_source_url(section, &url, err);
	if (rc == 0)
		rc = sources_add(l, (const char *)url.p, section->name, err);
	zs_buf_fini(&url);
	return rc;
}

int sources_add_profile(struct sources *l, struct zs_err *err)
{
	const struct conf *c = l->s->conf;
	const struct conf_setting *v = NULL;

	while (c && (v = conf_next(c, l->s->profile, "source", v)))
		if (add_setting(l, v, err) < 0)
			return zs_context(err, "%s:%u", c->files.v[v->file], v->line);
	return 0;
}

/* Who is chosen here takes the place of whom the source itself chooses; whom it excludes stays excluded. */
static int select_of(struct sources *l, struct server *v, struct zs_err *err)
{
	static const struct { enum opt_id id; const char *key; } ways[] = {{OPT_ACCOUNT, "account"}, {OPT_DOMAIN, "domain"}, {OPT_COS, "cos"},
	    {OPT_EXCLUDE_ACCOUNT, "exclude-account"}};
	int chooses = opt_given(l->s, OPT_ACCOUNT) || opt_given(l->s, OPT_DOMAIN) || opt_given(l->s, OPT_COS);

	for (size_t i = 0; chooses && i < 3; i++)
		zs_url_drop(&v->url, ways[i].key);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		const struct zs_strings *given = opt_list(l->s, ways[i].id);

		for (size_t k = 0; k < given->n; k++)
			if (zs_url_add(&v->url, ways[i].key, given->v[k], err) < 0)
				return -1;
	}
	return 0;
}

/* Another selection is another backup: the snapshot's label says so. */
static int relabel(struct sources *l, const char *before, const struct server *v, struct zs_err *err)
{
	for (size_t i = 0; i < l->labels.n; i++) {
		char *label;

		if (strcmp(l->labels.v[i], before) != 0)
			continue;
		if (!(label = strdup(v->url.label)))
			return zs_fail_nomem(err);
		free(l->labels.v[i]);
		l->labels.v[i] = label;
		return 0;
	}
	return 0;
}

int sources_select(struct sources *l, struct zs_err *err)
{
	int any = 0;

	if (!opt_given(l->s, OPT_ACCOUNT) && !opt_given(l->s, OPT_EXCLUDE_ACCOUNT) && !opt_given(l->s, OPT_DOMAIN) && !opt_given(l->s, OPT_COS))
		return 0;
	for (size_t i = 0; i < l->server_count; i++) {
		struct server *v = l->servers[i];
		char *before;
		int rc;

		if (strcmp(v->type->type, "zimbra") != 0)
			continue;
		if (!(before = strdup(v->url.label)))
			return zs_fail_nomem(err);
		rc = select_of(l, v, err);
		if (rc == 0)
			rc = relabel(l, before, v, err);
		free(before);
		if (rc < 0)
			return -1;
		any = 1;
	}
	return any ? 0 : zs_fail(err, ZS_USAGE, "--account, --exclude-account, --domain and --cos choose accounts of a Zimbra server, and none is backed up here");
}

/* ------------------------------------------------------------------------- the set */

static void on_note(void *ctx, enum zs_note_level level, const char *text)
{
	const struct server *v = ctx;

	if (v->note)
		v->note(v->note_ctx, v, level, text);
	else if (level != ZS_NOTE_INFO)
		say(v->s, "warning: %s: %s", v->name, text);
	else if (v->s->verbose)
		say(v->s, "%s: %s", v->name, text);
}

static int on_stop(void *ctx)
{
	(void)ctx;
	return interrupted();
}

/* What cannot be had is the failure of this server alone. */
static int read_password(struct server *v, struct zs_err *err)
{
	const struct password_ways ways = {zs_url_get(&v->url, "password-file", NULL), zs_url_get(&v->url, "password-command", NULL),
	    v->type->variable};
	int rc;

	zs_buf_wipe(&v->password);
	rc = password_get(&ways, &v->password, err);
	if (rc < 0 && err->cause == ZS_KEY)
		err->cause = ZS_SOURCE;
	v->has_password = rc > 0;
	return rc < 0 ? -1 : 0;
}

int sources_make_one(struct server *v, const struct zs_source_settings *settings, struct zs_source **out, struct zs_err *err)
{
	struct zs_server_settings server = {.url = &v->url, .root = zs_span_str(v->name)};

	v->settings = *settings;
	v->settings.note = on_note;
	v->settings.note_ctx = v;
	v->settings.stop = on_stop;
	if (read_password(v, err) < 0)
		return -1;
	if (v->has_password)
		server.password = zs_span(v->password.p ? v->password.p : (const uint8_t *)"", v->password.n);
	return v->type->new(&server, &v->settings, out, err);
}

/* A member that could not be made for a reason outside of this program is one that failed; alone, it is the end. */
static int add_member(struct sources *l, const struct zs_member *m, int rc, struct zs_err *err)
{
	struct zs_err why = *err;
	int is_alone = l->server_count + (l->paths.n > 0) + (l->stream.n > 0) == 1;

	if (rc < 0 && (err->cause != ZS_SOURCE || is_alone)) {
		/* The files' own messages name what they are about. */
		return m->name == NULL || strcmp(m->type, "files") == 0 ? -1 : zs_context(err, "%s", m->name);
	}
	zs_err_clear(err);
	l->failed += rc < 0;
	return zs_source_set_add(l->set, m, rc < 0 ? &why : NULL, err);
}

static int make_files(struct sources *l, struct zs_err *err)
{
	struct zs_files_settings files = {&l->paths, l->excludes, l->files_flags};
	const struct zs_source_settings *settings = zs_source_set_settings(l->set);
	struct zs_member m = {FILES_NAME, "files", NULL};
	int rc;

	if (!settings)
		return zs_fail_nomem(err);
	rc = zs_source_files_new(&files, settings, &m.source, err);
	return add_member(l, &m, rc, err);
}

static int make_stream(struct sources *l, struct zs_err *err)
{
	const struct zs_source_settings *settings = zs_source_set_settings(l->set);
	struct zs_member m = {l->labels.v[0], "stream", NULL};
	struct zs_span path = zs_buf_span(&l->stream);
	int rc;

	if (!settings)
		return zs_fail_nomem(err);
	if (l->command)
		rc = zs_source_command_new(l->command, path, ZS_KIND_FILE, settings, &m.source, err);
	else
		rc = zs_source_fd_new(STDIN_FILENO, path, ZS_KIND_FILE, settings, &m.source, err);
	return rc < 0 ? -1 : zs_source_set_add(l->set, &m, NULL, err);
}

static int make_server(struct sources *l, struct server *v, struct zs_err *err)
{
	const struct zs_source_settings *settings = zs_source_set_settings(l->set);
	struct zs_member m = {v->name, v->type->type, NULL};
	int rc;

	if (!settings)
		return zs_fail_nomem(err);
	rc = sources_make_one(v, settings, &m.source, err);
	return add_member(l, &m, rc, err);
}

int sources_make(struct sources *l, struct zs_backup_problems *problems, struct zs_err *err)
{
	struct zs_source_settings settings = {.problem = zs_backup_problem, .ctx = problems, .tmp_dir = zs_store_tmp_dir(l->s->store),
	    .stop = on_stop};

	if (zs_source_set_new(&settings, &l->set, err) < 0)
		return -1;
	if (l->stream.n > 0)
		return make_stream(l, err);
	if (l->paths.n > 0 && make_files(l, err) < 0)
		return -1;
	for (size_t i = 0; i < l->server_count; i++)
		if (make_server(l, l->servers[i], err) < 0)
			return -1;
	if (l->failed > 0 && l->failed == zs_source_set_count(l->set))
		return zs_fail(err, ZS_SOURCE, "every source failed");
	return 0;
}

void sources_drop_set(struct sources *l)
{
	if (l->set)
		zs_source_free(zs_source_set_source(l->set));
	l->set = NULL;
}

void sources_fini(struct sources *l)
{
	sources_drop_set(l);
	for (size_t i = 0; i < l->server_count; i++)
		server_free(l->servers[i]);
	free(l->servers);
	zs_strings_fini(&l->paths);
	zs_strings_fini(&l->labels);
	zs_buf_fini(&l->stream);
	memset(l, 0, sizeof *l);
}

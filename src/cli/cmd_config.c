/*
 * zstore config: check, and show: the settings that apply, with where each comes from.
 */
#include <stdlib.h>
#include <string.h>

#include "config_check.h"
#include "sources.h"

struct showing {
	struct session *s;
	struct json j;
};

/* What comes from outside of the file, for those that can: the option, else the variable. */
static const struct { const char *key; enum opt_id id; const char *option, *variable; } outside[] = {
    {"repository", OPT_REPO, "--repo", "ZSTORE_REPO"},
    {"key-file", OPT_KEY_FILE, "--key-file", "ZSTORE_KEY_FILE"},
    {"passphrase-file", OPT_PASSPHRASE_FILE, "--passphrase-file", "ZSTORE_PASSPHRASE_FILE"},
    {"passphrase-command", OPT_PASSPHRASE_COMMAND, "--passphrase-command", "ZSTORE_PASSPHRASE_COMMAND"},
    {"cache-dir", OPT_CACHE_DIR, "--cache-dir", "ZSTORE_CACHE_DIR"},
};

static void show_value(struct showing *w, const char *key, const char *value, const char *origin)
{
	if (w->s->json) {
		json_open(&w->j, '{');
		json_kv_text(&w->j, "key", key);
		json_kv_text(&w->j, "value", value);
		json_kv_text(&w->j, "origin", origin);
		json_close(&w->j, '}');
		return;
	}
	printf("  %s = ", key);
	print_safe(stdout, zs_span_str(value), 0);
	printf("  (");
	print_safe(stdout, zs_span_str(origin), 0);
	printf(")\n");
}

/* A command that prints a secret may have one in it: also in a URL. */
static void show_open_value(struct showing *w, const char *key, const char *value, const char *origin)
{
	struct zs_err ignored = {0};
	struct zs_url url;

	if (strcmp(key, "passphrase-command") == 0) {
		show_value(w, key, "(a command)", origin);
	} else if (strcmp(key, "source") == 0 && zs_url_is(value)) {
		if (zs_url_parse(value, &url, &ignored) < 0)
			return; /* it has been checked: no memory */
		show_value(w, key, url.label, origin);
		zs_url_fini(&url);
	} else {
		show_value(w, key, value, origin);
	}
}

/* A secret's way that is given outside replaces all those of the file. */
static int secret_is_outside(const struct session *s)
{
	if (env_text("ZSTORE_PASSPHRASE"))
		return 1;
	for (size_t i = 1; i <= 3; i++)
		if (opt_given(s, outside[i].id) || env_text(outside[i].variable))
			return 1;
	return 0;
}

static int is_secret_key(const char *key)
{
	return strcmp(key, "key-file") == 0 || strncmp(key, "passphrase-", 11) == 0;
}

/* 1 if the file's value does not count. */
static int show_outside(struct showing *w, const char *key)
{
	for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
		const char *option = opt_text(w->s, outside[i].id, NULL), *variable = env_text(outside[i].variable);

		if (strcmp(outside[i].key, key) != 0)
			continue;
		if (option || variable) {
			show_open_value(w, key, option ? option : variable, option ? outside[i].option : outside[i].variable);
			return 1;
		}
	}
	return is_secret_key(key) && secret_is_outside(w->s);
}

static void show_settings(struct showing *w)
{
	const struct conf *c = w->s->conf;
	char origin[320];

	for (const struct conf_key *k = conf_keys; k->name; k++) {
		const struct conf_setting *v = NULL;

		if (show_outside(w, k->name))
			continue;
		while ((v = conf_next(c, w->s->profile, k->name, v))) {
			(void)snprintf(origin, sizeof origin, "%.300s:%u", c->files.v[v->file], v->line);
			show_open_value(w, k->name, v->value, origin);
		}
	}
	if (env_text("ZSTORE_PASSPHRASE"))
		show_value(w, "passphrase", "(set)", "ZSTORE_PASSPHRASE");
}

static void show_servers(struct showing *w, const struct sources *l)
{
	if (w->s->json) {
		json_key(&w->j, "servers");
		json_open(&w->j, '[');
	}
	for (size_t i = 0; i < l->server_count; i++) {
		const struct server *v = l->servers[i];

		if (w->s->json) {
			json_open(&w->j, '{');
			json_kv_text(&w->j, "name", v->name);
			json_kv_text(&w->j, "type", server_type(v));
			json_kv_text(&w->j, "url", v->url.label);
			json_close(&w->j, '}');
			continue;
		}
		printf("  # stored as ");
		print_safe(stdout, zs_span_str(v->name), 0);
		printf(": ");
		print_safe(stdout, zs_span_str(v->url.label), 0);
		printf("\n");
	}
	if (w->s->json)
		json_close(&w->j, ']');
}

static int show_profile(struct showing *w, const struct conf_section *profile, struct zs_err *err)
{
	struct sources l = {.s = w->s};
	int rc;

	w->s->profile = profile;
	if (w->s->json) {
		json_open(&w->j, '{');
		json_kv_text(&w->j, "profile", profile ? profile->name : "");
		json_key(&w->j, "settings");
		json_open(&w->j, '[');
	} else {
		printf("%s%s\n", profile ? "profile " : "without a profile", profile ? profile->name : "");
	}
	show_settings(w);
	if (w->s->json)
		json_close(&w->j, ']');
	rc = sources_add_profile(&l, err);
	if (rc == 0)
		show_servers(w, &l);
	sources_fini(&l);
	if (w->s->json)
		json_close(&w->j, '}');
	return rc;
}

static int config_show(struct session *s, struct zs_err *err)
{
	struct showing w = {.s = s};
	const struct conf *c = s->conf;
	int rc = 0;

	if (c->error_count > 0)
		return zs_fail(err, ZS_USAGE, "%s", c->errors.n ? c->errors.v[0] : "out of memory");
	if (settings_choose(s, err) < 0)
		return -1;
	json_begin(&w.j, stdout);
	if (s->json) {
		json_open(&w.j, '{');
		json_kv_list(&w.j, "files", &c->files);
		json_key(&w.j, "profiles");
		json_open(&w.j, '[');
	}
	if (s->profile || !settings_has_profiles(s))
		rc = show_profile(&w, s->profile, err);
	else
		for (size_t i = 0; rc == 0 && i < c->n; i++)
			if (c->v[i]->kind == CONF_PROFILE)
				rc = show_profile(&w, c->v[i], err);
	if (s->json) {
		json_close(&w.j, ']');
		json_close(&w.j, '}');
		json_end(&w.j);
	}
	return rc < 0 ? -1 : EXIT_OK;
}

int cmd_config(struct session *s, int argc, char **argv, struct zs_err *err)
{
	int is_check = strcmp(argv[0], "check") == 0;

	(void)argc;
	if (!is_check && strcmp(argv[0], "show") != 0)
		return zs_fail(err, ZS_USAGE, "zstore config check | show");
	if (settings_read(s, err) < 0)
		return -1;
	if (s->conf->files.n == 0)
		return settings_no_file(s, err);
	return is_check ? config_check(s, err) : config_show(s, err);
}

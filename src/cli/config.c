/*
 * Sections and settings of the configuration: what may be in them, and what they say.
 * How the file is cut into lines is config_lines.c's.
 */
#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"

const struct conf_key conf_keys[] = {
    {"repository", FORM_LOCATION, 0},
    {"key-file", FORM_PATH, 0},
    {"passphrase-file", FORM_PATH, 0},
    {"passphrase-command", FORM_COMMAND, 0},
    {"cache-dir", FORM_PATH, 0},
    {"source", FORM_SOURCE, 1},
    {"exclude", FORM_PATTERN, 1},
    {"exclude-from", FORM_PATH, 1},
    {"one-file-system", FORM_FLAG, 0},
    {"tag", FORM_TEXT, 1},
    {"host", FORM_TEXT, 0},
    {"compression", FORM_COMPRESSION, 0},
    {"threads", FORM_THREADS, 0},
    {"keep-last", FORM_KEEP, 0},
    {"keep-hourly", FORM_KEEP, 0},
    {"keep-daily", FORM_KEEP, 0},
    {"keep-weekly", FORM_KEEP, 0},
    {"keep-monthly", FORM_KEEP, 0},
    {"keep-yearly", FORM_KEEP, 0},
    {"keep-within", FORM_WITHIN, 0},
    {"keep-tag", FORM_TEXT, 1},
    {"group-by", FORM_GROUPS, 0},
    {"max-unused", FORM_UNUSED, 0},
    {"hook-before", FORM_COMMAND, 1},
    {"hook-after", FORM_COMMAND, 1},
    {"hook-failed", FORM_COMMAND, 1},
    {"hook-finally", FORM_COMMAND, 1},
    {"hook-timeout", FORM_TIMEOUT, 0},
    {NULL, FORM_TEXT, 0},
};

static const struct conf_key default_profile_key = {"default-profile", FORM_PROFILE, 0};
static const struct conf_key source_keys[] = {
    {"url", FORM_TEXT, 0},
    {"password-file", FORM_PATH, 0},
    {"password-command", FORM_COMMAND, 0},
    {NULL, FORM_TEXT, 0},
};

/* ---------------------------------------------------------------------- complaints */

int conf_complain(struct conf *c, unsigned line, const char *fmt, ...)
{
	char text[600];
	struct zs_err ignored = {0};
	va_list ap;
	int n;

	if (c->error_count++ >= CONF_ERRORS_MAX)
		return -1;
	n = snprintf(text, sizeof text, "%.200s:%u: ", c->files.v[c->files.n - 1], line);
	va_start(ap, fmt);
	(void)vsnprintf(text + n, sizeof text - (size_t)n, fmt, ap);
	va_end(ap);
	/* Without memory the count alone says that there is something wrong. */
	if (zs_strings_add(&c->errors, zs_span_str(text), &ignored) < 0)
		zs_err_clear(&ignored);
	return -1;
}

/* ------------------------------------------------------------------------ sections */

static int is_name(struct zs_span s)
{
	if (s.n == 0 || s.n > CONF_NAME_MAX || s.p[0] == '.' || s.p[0] == '-')
		return 0;
	for (size_t i = 0; i < s.n; i++) {
		uint8_t b = s.p[i];

		if (!((b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') || (b >= '0' && b <= '9') || b == '-' || b == '_' || b == '.'))
			return 0;
	}
	return 1;
}

struct conf_section *conf_find(const struct conf *c, enum conf_kind kind, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (c->v[i]->kind == kind && strcmp(c->v[i]->name, name) == 0)
			return c->v[i];
	return NULL;
}

static struct conf_section *section_new(struct conf *c, enum conf_kind kind, struct zs_span name)
{
	struct conf_section **grown, *s;

	grown = realloc(c->v, (c->n + 1) * sizeof(struct conf_section *));
	if (!grown)
		return NULL;
	c->v = grown;
	if (!(s = calloc(1, sizeof *s)))
		return NULL;
	s->kind = kind;
	s->file = UINT32_MAX;
	if (!(s->name = strndup(name.n ? (const char *)name.p : "", name.n))) {
		free(s);
		return NULL;
	}
	c->v[c->n++] = s;
	return s;
}

static int parse_head(struct conf *c, unsigned line, struct zs_span head, enum conf_kind *out_kind, struct zs_span *out_name)
{
	static const struct { const char *word; enum conf_kind kind; } words[] = {{"profile ", CONF_PROFILE}, {"source ", CONF_SOURCE}};

	*out_kind = CONF_DEFAULTS;
	*out_name = zs_span(NULL, 0);
	if (zs_span_eq(head, zs_span_str("zstore")))
		return 0;
	for (int i = 0; i < 2; i++) {
		size_t n = strlen(words[i].word);

		if (head.n <= n || memcmp(head.p, words[i].word, n) != 0)
			continue;
		while (n < head.n && head.p[n] == ' ')
			n++;
		*out_kind = words[i].kind;
		*out_name = zs_span(head.p + n, head.n - n);
		if (!is_name(*out_name))
			return conf_complain(c, line, "a name is 1 to %u letters, digits, '-', '_' or '.'", CONF_NAME_MAX);
		if (*out_kind == CONF_PROFILE && (zs_span_eq(*out_name, zs_span_str("full")) || zs_span_eq(*out_name, zs_span_str("live"))))
			return conf_complain(c, line, "a profile cannot be named 'full' or 'live': these are forms of 'extract --ldif'");
		return 0;
	}
	return conf_complain(c, line, "unknown section: there are [zstore], [profile NAME] and [source NAME]");
}

struct conf_section *conf_open(struct conf *c, unsigned line, struct zs_span head)
{
	struct conf_section *s = NULL;
	struct zs_span name;
	enum conf_kind kind;

	if (parse_head(c, line, head, &kind, &name) < 0)
		return NULL;
	for (size_t i = 0; i < c->n && !s; i++)
		if (c->v[i]->kind == kind && zs_span_eq(zs_span_str(c->v[i]->name), name))
			s = c->v[i];
	if (s && s->file == (unsigned)c->files.n - 1) {
		(void)conf_complain(c, line, "this section again: it began in line %u", s->line);
		return NULL;
	}
	if (!s && c->n >= CONF_SECTIONS_MAX) {
		(void)conf_complain(c, line, "more than %u sections", CONF_SECTIONS_MAX);
		return NULL;
	}
	if (!s && !(s = section_new(c, kind, name))) {
		(void)conf_complain(c, line, "out of memory");
		return NULL;
	}
	s->file = (unsigned)c->files.n - 1;
	s->line = line;
	return s;
}

/* -------------------------------------------------------------------------- values */

static int form_path(const struct conf *c, const char *value, struct zs_err *err)
{
	if (value[0] == '/')
		return 0;
	if (value[0] == '~' && value[1] == '/')
		return c->home ? 0 : zs_fail(err, ZS_USAGE, "'%s': there is no home directory", value);
	return zs_fail(err, ZS_USAGE, "'%s': a path in this file begins with '/' or '~/'", value);
}

/* A name is looked for when all is read. */
static int form_source(const struct conf *c, const char *value, struct zs_err *err)
{
	struct zs_url url;

	if (zs_url_is(value)) {
		if (zs_url_parse(value, &url, err) < 0)
			return -1;
		zs_url_fini(&url);
		return 0;
	}
	return is_name(zs_span_str(value)) ? 0 : form_path(c, value, err);
}

static int form_numbers(enum conf_form form, const char *value, struct zs_err *err)
{
	uint64_t bytes;
	unsigned u;
	int64_t n;
	int i;

	switch (form) {
	case FORM_FLAG:
		return parse_flag(value, &i, err);
	case FORM_KEEP:
		return parse_number(value, -1, INT32_MAX, &n, err);
	case FORM_THREADS:
		return parse_number(value, 1, 64, &n, err);
	case FORM_COMPRESSION:
		return parse_compression(value, &i, err);
	case FORM_WITHIN:
		return parse_within(value, &n, err);
	case FORM_GROUPS:
		return parse_groups(value, &u, err);
	case FORM_UNUSED:
		return parse_unused(value, &bytes, &u, err);
	case FORM_TIMEOUT:
		return parse_timeout(value, &n, err);
	default:
		return 0;
	}
}

static int check_form(const struct conf *c, enum conf_form form, const char *value, struct zs_err *err)
{
	/* Would be taken as part of the value, which nobody who writes it means. */
	if (form != FORM_COMMAND && form != FORM_PATTERN && (strstr(value, " #") || strstr(value, "\t#")))
		return zs_fail(err, ZS_USAGE, "a comment needs a line of its own");
	switch (form) {
	case FORM_PATH:
		return form_path(c, value, err);
	case FORM_LOCATION:
		return strstr(value, "://") ? 0 : form_path(c, value, err);
	case FORM_SOURCE:
		return form_source(c, value, err);
	case FORM_PROFILE:
		return is_name(zs_span_str(value)) ? 0 : zs_fail(err, ZS_USAGE, "'%s' is no name of a profile", value);
	default:
		return form_numbers(form, value, err);
	}
}

static int check_url(const char *value, struct zs_err *err)
{
	struct zs_url url;

	if (zs_url_parse(value, &url, err) < 0)
		return -1;
	zs_url_fini(&url);
	return 0;
}

const struct conf_key *conf_key_find(const char *name, size_t n)
{
	for (const struct conf_key *k = conf_keys; k->name; k++)
		if (strlen(k->name) == n && memcmp(k->name, name, n) == 0)
			return k;
	return NULL;
}

/* What may stand in such a section; for a server also options that only its source knows.  NULL: complained. */
static const struct conf_key *key_of(struct conf *c, const struct conf_section *s, unsigned line, const char *key)
{
	static const struct conf_key server_option = {"", FORM_TEXT, 0}, server_list = {"", FORM_TEXT, 1};
	static const char *const lists[] = {"account", "exclude-account", "domain", "cos", "folder", "exclude", NULL};
	const struct conf_key *k;

	if (s->kind != CONF_SOURCE) {
		k = conf_key_find(key, strlen(key));
		if (!k && s->kind == CONF_DEFAULTS && strcmp(key, default_profile_key.name) == 0)
			return &default_profile_key;
		if (!k)
			(void)conf_complain(c, line, "unknown setting '%.60s'", key);
		return k;
	}
	for (k = source_keys; k->name; k++)
		if (strcmp(key, k->name) == 0)
			return k;
	if (strcmp(key, "password") == 0) {
		(void)conf_complain(c, line, "no password belongs here: say password-file or password-command");
		return NULL;
	}
	for (size_t i = 0; lists[i]; i++)
		if (strcmp(key, lists[i]) == 0)
			return &server_list;
	if (key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789-_")] == 0)
		return &server_option;
	(void)conf_complain(c, line, "unknown setting '%.60s'", key);
	return NULL;
}

/* ------------------------------------------------------------------------ settings */

static void setting_fini(struct conf_setting *s)
{
	free(s->key);
	free(s->value);
}

/* What an earlier file said of this key. */
static void drop_older(struct conf_section *s, const char *key, unsigned file)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->v[i].file < file && strcmp(s->v[i].key, key) == 0)
			setting_fini(&s->v[i]);
		else
			s->v[kept++] = s->v[i];
	}
	s->n = kept;
}

/* "~/" is for paths; a command has a shell for it. */
static char *expand(const struct conf *c, enum conf_form form, const char *value)
{
	char *out = NULL;

	if ((form != FORM_PATH && form != FORM_LOCATION && form != FORM_SOURCE) || value[0] != '~' || value[1] != '/' || !c->home)
		return strdup(value);
	return asprintf(&out, "%s%s", c->home, value + 1) < 0 ? NULL : out;
}

/* value is taken. */
static int add_setting(struct conf *c, struct conf_section *s, unsigned line, const char *key, char *value)
{
	struct conf_setting *grown, new = {strdup(key), value, (unsigned)c->files.n - 1, line};

	if (!new.key || !new.value)
		goto no_memory;
	if (s->n == s->cap) {
		grown = realloc(s->v, (s->cap ? 2 * s->cap : 16) * sizeof *grown);
		if (!grown)
			goto no_memory;
		s->v = grown;
		s->cap = s->cap ? 2 * s->cap : 16;
	}
	s->v[s->n++] = new;
	c->settings++;
	return 0;
no_memory:
	setting_fini(&new);
	return conf_complain(c, line, "out of memory");
}

int conf_set(struct conf *c, struct conf_section *s, unsigned line, int continues, const char *key, const char *value)
{
	const struct conf_key *k = key_of(c, s, line, key);
	unsigned file = (unsigned)c->files.n - 1;
	struct zs_err why = {0};

	if (!k)
		return -1;
	if (continues && !k->repeats)
		return conf_complain(c, line, "an indented line continues the one before, but '%s' has one value; settings begin in the first column", key);
	for (size_t i = 0; !k->repeats && i < s->n; i++)
		if (s->v[i].file == file && strcmp(s->v[i].key, key) == 0)
			return conf_complain(c, line, "'%s' again: it was set in line %u", key, s->v[i].line);
	if (!*value && !k->repeats)
		return conf_complain(c, line, "'%s' has no value", key);
	if (*value && (check_form(c, k->form, value, &why) < 0 || (k == &source_keys[0] && check_url(value, &why) < 0)))
		return conf_complain(c, line, "%s: %s", key, why.text);
	if (c->settings >= CONF_SETTINGS_MAX)
		return conf_complain(c, line, "more than %u settings", CONF_SETTINGS_MAX);
	drop_older(s, key, file);
	return add_setting(c, s, line, key, expand(c, k->form, value));
}

static const struct conf_setting *next_in(const struct conf_section *s, const char *key, const struct conf_setting *after)
{
	for (size_t i = after ? (size_t)(after - s->v) + 1 : 0; s && i < s->n; i++)
		if (strcmp(s->v[i].key, key) == 0 && *s->v[i].value)
			return &s->v[i];
	return NULL;
}

static int sets(const struct conf_section *s, const char *key)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (strcmp(s->v[i].key, key) == 0)
			return 1;
	return 0;
}

const struct conf_setting *conf_next(const struct conf *c, const struct conf_section *profile, const char *key,
    const struct conf_setting *after)
{
	return next_in(sets(profile, key) ? profile : conf_find(c, CONF_DEFAULTS, ""), key, after);
}

const char *conf_text(const struct conf *c, const struct conf_section *profile, const char *key)
{
	const struct conf_setting *s = conf_next(c, profile, key, NULL);

	return s ? s->value : NULL;
}

/* -------------------------------------------------------------------------- sources */

/* Everything that has a meaning in a URL's query, and what could not be seen. */
static int add_encoded(struct zs_buf *out, const char *text, struct zs_err *err)
{
	for (; *text; text++) {
		uint8_t b = (uint8_t)*text;
		int rc;

		if (b <= ' ' || b >= 0x7f || strchr("%&#", b))
			rc = zs_buf_printf(out, err, "%%%02X", b);
		else
			rc = zs_buf_add_u8(out, b, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

int conf_source_url(const struct conf_section *source, struct zs_buf *out, struct zs_err *err)
{
	const struct conf_setting *url = next_in(source, "url", NULL);
	char mark;

	if (!url)
		return zs_fail(err, ZS_USAGE, "[source %s] has no url", source->name);
	if (zs_buf_add_span(out, zs_span_str(url->value), err) < 0)
		return -1;
	mark = strchr(url->value, '?') ? '&' : '?';
	for (size_t i = 0; i < source->n; i++) {
		const struct conf_setting *s = &source->v[i];

		if (s == url)
			continue;
		if (zs_buf_add_u8(out, (uint8_t)mark, err) < 0 || add_encoded(out, s->key, err) < 0 || zs_buf_add_u8(out, '=', err) < 0 ||
		    add_encoded(out, s->value, err) < 0)
			return -1;
		mark = '&';
	}
	return zs_buf_add_u8(out, 0, err);
}

/* ------------------------------------------------------------------------ the whole */

/* As conf_complain, of a setting in whichever file. */
static void complain_of(struct conf *c, unsigned file, unsigned line, const char *fmt, const char *value)
{
	size_t n = c->files.n;

	c->files.n = file + 1;
	(void)conf_complain(c, line, fmt, value);
	c->files.n = n;
}

static void check_sources(struct conf *c, const struct conf_section *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct conf_setting *v = &s->v[i];

		if (strcmp(v->key, "source") == 0 && *v->value && *v->value != '/' && !zs_url_is(v->value) && !conf_find(c, CONF_SOURCE, v->value))
			complain_of(c, v->file, v->line, "source: '%s' is no path (it begins with no '/'), no URL, and there is no [source] of this name", v->value);
	}
}

int conf_check(struct conf *c, struct zs_err *err)
{
	const struct conf_section *defaults = conf_find(c, CONF_DEFAULTS, "");
	const struct conf_setting *def = next_in(defaults, "default-profile", NULL);

	for (size_t i = 0; i < c->n; i++) {
		struct zs_buf url = ZS_BUF_INIT;
		struct zs_err why = {0};

		if (c->v[i]->kind != CONF_SOURCE) {
			check_sources(c, c->v[i]);
			continue;
		}
		if (c->error_count > 0) /* the url may be what is wrong */
			continue;
		if (conf_source_url(c->v[i], &url, &why) < 0 || check_url((const char *)url.p, &why) < 0)
			complain_of(c, c->v[i]->file, c->v[i]->line, "%s", why.text);
		zs_buf_fini(&url);
		if (why.cause == ZS_NOMEM)
			return zs_fail_nomem(err);
	}
	if (def && !conf_find(c, CONF_PROFILE, def->value))
		complain_of(c, def->file, def->line, "default-profile: there is no [profile %s]", def->value);
	return 0;
}

void conf_fini(struct conf *c)
{
	for (size_t i = 0; i < c->n; i++) {
		for (size_t k = 0; k < c->v[i]->n; k++)
			setting_fini(&c->v[i]->v[k]);
		free(c->v[i]->v);
		free(c->v[i]->name);
		free(c->v[i]);
	}
	free(c->v);
	zs_strings_fini(&c->files);
	zs_strings_fini(&c->errors);
	memset(c, 0, sizeof *c);
}

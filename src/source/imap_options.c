/*
 * What the URL of an IMAP server may say, checked once; and which folders it is about.
 */
#include "imap_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECTIONS_MAX 16
#define CONNECTIONS 2
#define TIMEOUT_MAX_S 3600
#define TIMEOUT_S 120

static const char *const known[] = {"starttls", "ca-file", "auth", "master", "admin", "connections", "folder", "exclude",
    "timeout", NULL};

static int take_number(const struct zs_url *u, const char *key, unsigned max, unsigned otherwise, unsigned *out, struct zs_err *err)
{
	const char *text = zs_url_get(u, key, NULL);
	unsigned n = 0;

	*out = otherwise;
	if (!text)
		return 0;
	for (const char *p = text; *p; p++)
		if (*p < '0' || *p > '9' || (n = n * 10 + (unsigned)(*p - '0')) > max)
			return zs_fail(err, ZS_USAGE, "%s: %s is a number from 1 to %u, not '%s'", u->label, key, max, text);
	if (n == 0)
		return zs_fail(err, ZS_USAGE, "%s: %s is a number from 1 to %u, not '%s'", u->label, key, max, text);
	*out = n;
	return 0;
}

static int take_tls(struct imap_account *a, struct zs_err *err)
{
	const struct zs_url *u = a->url;
	int starttls;

	if (strcmp(u->scheme, "imaps") == 0) {
		a->tls = IMAP_TLS;
		if (zs_url_get(u, "starttls", NULL))
			return zs_fail(err, ZS_USAGE, "%s: starttls is for imap://; imaps:// is encrypted from the beginning", u->label);
		return 0;
	}
	if (zs_url_flag(u, "starttls", 1, &starttls, err) < 0)
		return zs_context(err, "%s", u->label);
	a->tls = starttls ? IMAP_STARTTLS : IMAP_PLAIN;
	return 0;
}

static int take_auth(struct imap_account *a, struct zs_err *err)
{
	static const struct { const char *name, *option; } ways[] = {
	    {"plain", "AUTH=PLAIN"}, {"login", "AUTH=LOGIN"}, {"cram-md5", "AUTH=CRAM-MD5"}, {"digest-md5", "AUTH=DIGEST-MD5"},
	    {"xoauth2", "AUTH=XOAUTH2"}, {"oauthbearer", "AUTH=OAUTHBEARER"}};
	const struct zs_url *u = a->url;
	const char *auth = zs_url_get(u, "auth", NULL), *master = zs_url_get(u, "master", NULL), *admin = zs_url_get(u, "admin", NULL);
	struct zs_buf login = ZS_BUF_INIT;

	for (size_t i = 0; auth && i < sizeof ways / sizeof *ways; i++)
		if (strcmp(auth, ways[i].name) == 0)
			a->mechanism = ways[i].option;
	if (auth && !a->mechanism)
		return zs_fail(err, ZS_USAGE, "%s: auth is plain, login, cram-md5, digest-md5, xoauth2 or oauthbearer, not '%s'", u->label, auth);
	a->is_token = auth && strstr(auth, "oauth") != NULL;
	if (master && admin)
		return zs_fail(err, ZS_USAGE, "%s: master or admin, not both", u->label);
	if (admin && auth && strcmp(auth, "plain") != 0)
		return zs_fail(err, ZS_USAGE, "%s: admin works with auth=plain only", u->label);
	if (admin) {
		a->mechanism = "AUTH=PLAIN";
		a->authzid = u->user;
	}
	if (zs_buf_printf(&login, err, "%s%s%s", admin ? admin : u->user, master ? "*" : "", master ? master : "") < 0 ||
	    zs_buf_add_u8(&login, 0, err) < 0) {
		zs_buf_fini(&login);
		return -1;
	}
	a->login = (char *)login.p;
	for (const char *p = a->login; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return zs_fail(err, ZS_USAGE, "%s: there is a control character in the user's name", u->label);
	return 0;
}

static int take_patterns(const struct zs_url *u, const char *key, struct zs_excludes **out, struct zs_err *err)
{
	struct zs_strings patterns = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < u->keys.n; i++)
		if (strcmp(u->keys.v[i], key) == 0)
			rc = zs_strings_add(&patterns, zs_span_str(u->values.v[i]), err);
	if (rc == 0 && patterns.n > 0 && (rc = zs_excludes_new(&patterns, out, err)) < 0)
		(void)zs_context(err, "%s: %s", u->label, key);
	zs_strings_fini(&patterns);
	return rc;
}

static int take_password(struct imap_account *a, struct zs_span password, struct zs_err *err)
{
	if (!password.p)
		return 0;
	if (memchr(password.p, 0, password.n) || memchr(password.p, '\n', password.n) || memchr(password.p, '\r', password.n))
		return zs_fail(err, ZS_USAGE, "%s: the password has a NUL byte or a line's end in it", a->url->label);
	if (!(a->password = malloc(password.n + 1)))
		return zs_fail_nomem(err);
	memcpy(a->password, password.p, password.n);
	a->password[password.n] = 0;
	return 0;
}

/* The same numbers on another server, or for another user, are other messages. */
static int take_salt(struct imap_account *a, struct zs_err *err)
{
	struct zs_buf b = ZS_BUF_INIT;
	int rc = zs_buf_printf(&b, err, "%s\n%s", a->url->host, a->url->user);

	for (size_t i = 0; i < b.n; i++)
		b.p[i] = (uint8_t)tolower(b.p[i]);
	a->salt = (uint32_t)zs_hash64(0, zs_buf_span(&b));
	zs_buf_fini(&b);
	return rc;
}

static int take_all(struct imap_account *a, struct zs_span password, struct zs_err *err)
{
	const struct zs_url *u = a->url;
	unsigned timeout_s;

	if (zs_url_check_keys(u, known, err) < 0)
		return -1;
	if (!*u->user)
		return zs_fail(err, ZS_USAGE, "%s: whose mail? %s://USER@HOST/", u->label, u->scheme);
	if (!*u->host || *u->host == '/')
		return zs_fail(err, ZS_USAGE, "%s: which server? %s://USER@HOST/", u->label, u->scheme);
	a->ca_file = zs_url_get(u, "ca-file", NULL);
	if (take_tls(a, err) < 0 || take_auth(a, err) < 0 || take_password(a, password, err) < 0)
		return -1;
	if (take_number(u, "connections", CONNECTIONS_MAX, CONNECTIONS, &a->connections, err) < 0 ||
	    take_number(u, "timeout", TIMEOUT_MAX_S, TIMEOUT_S, &timeout_s, err) < 0)
		return -1;
	a->timeout_ms = (int64_t)timeout_s * 1000;
	if (imap_names_typed(zs_span_str(u->path), &a->below, err) < 0 || take_salt(a, err) < 0)
		return -1;
	if (take_patterns(u, "folder", &a->wanted, err) < 0)
		return -1;
	return take_patterns(u, "exclude", &a->excluded, err);
}

int imap_options_init(struct imap_account *a, const struct zs_server_settings *server, const struct zs_source_settings *s,
    struct zs_err *err)
{
	*a = (struct imap_account){.url = server->url, .settings = s};
	if (take_all(a, server->password, err) == 0)
		return 0;
	imap_options_fini(a);
	return -1;
}

void imap_options_fini(struct imap_account *a)
{
	if (a->password) {
		explicit_bzero(a->password, strlen(a->password));
		free(a->password);
	}
	free(a->login);
	zs_buf_fini(&a->below);
	zs_excludes_free(a->wanted);
	zs_excludes_free(a->excluded);
	memset(a, 0, sizeof *a);
}

/* The folder, or one that it lies in. */
static int any_matches(const struct zs_excludes *x, struct zs_span path)
{
	for (size_t n = 1; n <= path.n; n++)
		if ((n == path.n || path.p[n] == '/') && zs_excludes_match(x, zs_span(path.p, n), 1))
			return 1;
	return 0;
}

int imap_options_wants(const struct imap_account *a, struct zs_span path)
{
	struct zs_span below = zs_buf_span(&a->below);

	if (below.n && !zs_span_eq(path, below) && !zs_path_below(path, below))
		return 0;
	if (a->wanted && !any_matches(a->wanted, path))
		return 0;
	return !a->excluded || !any_matches(a->excluded, path);
}

int imap_options_stopped(const struct imap_account *a, struct zs_err *err)
{
	const struct zs_source_settings *s = a->settings;

	return s->stop && s->stop(s->stop_ctx) ? zs_fail(err, ZS_STOPPED, "stopped") : 0;
}

void imap_options_note(const struct imap_account *a, enum zs_note_level level, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	if (!a->settings->note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	a->settings->note(a->settings->note_ctx, level, text);
}

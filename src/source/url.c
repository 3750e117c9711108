/*
 * URLs of servers: taken apart and percent-decoded once, here; what their query may
 * say is each source's own.
 */
#include "zstore/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MAX 8192

static const char *const schemes[] = {"mariadb", "mysql", "ldap", "ldaps", "ldapi", "imap", "imaps", NULL};
static const char *const local_schemes[] = {"maildir", "mbox", "zimbra", NULL}; /* a path follows the colon */
/* What the caller of a source deals with: never shown, as it may be a command with a secret in it. */
static const char *const common_keys[] = {"password-file", "password-command", "name", NULL};

static int is_among(const char *text, size_t n, const char *const list[])
{
	for (; *list; list++)
		if (strlen(*list) == n && memcmp(*list, text, n) == 0)
			return 1;
	return 0;
}

static int is_local(const char *text)
{
	const char *end = strchr(text, ':');

	return end && is_among(text, (size_t)(end - text), local_schemes);
}

int zs_url_is(const char *text)
{
	const char *end = strstr(text, "://");

	return is_local(text) || (end && is_among(text, (size_t)(end - text), schemes));
}

static int hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static char *decode(const char *p, size_t n, struct zs_err *err)
{
	char *out = malloc(n + 1);
	size_t k = 0;

	if (!out) {
		(void)zs_fail_nomem(err);
		return NULL;
	}
	for (size_t i = 0; i < n; i++) {
		int high = p[i] == '%' && i + 2 < n ? hex_digit(p[i + 1]) : -1;
		int low = high >= 0 ? hex_digit(p[i + 2]) : -1;

		if (p[i] != '%') {
			out[k++] = p[i];
			continue;
		}
		if (low < 0 || (high == 0 && low == 0)) {
			(void)zs_fail(err, ZS_USAGE, "'%%' in a URL must be followed by two hexadecimal digits (%%25 is a '%%')");
			free(out);
			return NULL;
		}
		out[k++] = (char)(high * 16 + low);
		i += 2;
	}
	out[k] = 0;
	return out;
}

static int parse_port(struct zs_url *u, const char *p, size_t n, struct zs_err *err)
{
	unsigned long port = 0;

	for (size_t i = 0; i < n; i++) {
		if (p[i] < '0' || p[i] > '9' || (port = port * 10 + (unsigned)(p[i] - '0')) > 65535)
			return zs_fail(err, ZS_USAGE, "'%.*s' is no port", (int)n, p);
	}
	u->port = (unsigned)port;
	return port || n == 0 ? 0 : zs_fail(err, ZS_USAGE, "0 is no port");
}

/* user@host:port; an IPv6 address stands in brackets. */
static int parse_authority(struct zs_url *u, const char *p, size_t n, struct zs_err *err)
{
	const char *at = memrchr(p, '@', n), *colon;
	size_t user_n = at ? (size_t)(at - p) : 0, host_n;

	if (memchr(p, ':', user_n))
		return zs_fail(err, ZS_USAGE, "no password belongs into a URL: say password-file=FILE or password-command=COMMAND");
	if (!(u->user = decode(p, user_n, err)))
		return -1;
	if (at) {
		n -= user_n + 1;
		p = at + 1;
	}
	if (n > 0 && *p == '[') {
		const char *close = memchr(p, ']', n);

		if (!close)
			return zs_fail(err, ZS_USAGE, "an address that begins with '[' must end with ']'");
		if (!(u->host = decode(p + 1, (size_t)(close - p) - 1, err)))
			return -1;
		n -= (size_t)(close + 1 - p);
		p = close + 1;
		if (n > 0 && *p != ':')
			return zs_fail(err, ZS_USAGE, "only a port may follow an address in brackets");
		return n > 0 ? parse_port(u, p + 1, n - 1, err) : 0;
	}
	colon = memrchr(p, ':', n);
	host_n = colon ? (size_t)(colon - p) : n;
	if (!(u->host = decode(p, host_n, err)))
		return -1;
	return colon ? parse_port(u, colon + 1, n - host_n - 1, err) : 0;
}

static int add_pair(struct zs_url *u, const char *p, size_t n, struct zs_err *err)
{
	const char *eq = memchr(p, '=', n);
	size_t key_n = eq ? (size_t)(eq - p) : n;
	char *key = decode(p, key_n, err), *value = NULL;
	int rc = -1;

	if (key)
		value = eq ? decode(eq + 1, n - key_n - 1, err) : strdup("yes");
	if (!key || !value)
		goto out;
	if (strcmp(key, "password") == 0) {
		(void)zs_fail(err, ZS_USAGE, "no password belongs into a URL: say password-file=FILE or password-command=COMMAND");
		goto out;
	}
	if (zs_strings_add(&u->keys, zs_span_str(key), err) < 0 || zs_strings_add(&u->values, zs_span_str(value), err) < 0)
		goto out;
	rc = 0;
out:
	free(key);
	free(value);
	return rc;
}

static int parse_query(struct zs_url *u, const char *p, struct zs_buf *label, struct zs_err *err)
{
	char mark = '?';

	while (*p) {
		size_t n = strcspn(p, "&");

		if (n > 0 && add_pair(u, p, n, err) < 0)
			return -1;
		if (n > 0 && !is_among(u->keys.v[u->keys.n - 1], strlen(u->keys.v[u->keys.n - 1]), common_keys)) {
			if (zs_buf_add_u8(label, (uint8_t)mark, err) < 0 || zs_buf_add(label, p, n, err) < 0)
				return -1;
			mark = '&';
		}
		p += n + (p[n] == '&');
	}
	return 0;
}

static int parse(struct zs_url *u, const char *text, struct zs_buf *label, struct zs_err *err)
{
	size_t scheme_n = strcspn(text, ":"), authority_n;
	const char *p = text + scheme_n + (is_local(text) ? 1 : 3), *path, *query;

	authority_n = is_local(text) ? 0 : strcspn(p, "/?");
	path = p + authority_n;
	query = path + strcspn(path, "?");
	if (!(u->scheme = strndup(text, scheme_n)))
		return zs_fail_nomem(err);
	if (parse_authority(u, p, authority_n, err) < 0)
		return -1;
	if (*path == '/' && !is_local(text))
		path++;
	if (!(u->path = decode(path, path < query ? (size_t)(query - path) : 0, err)))
		return -1;
	if (zs_buf_add(label, text, (size_t)(query - text), err) < 0)
		return -1;
	if (parse_query(u, *query ? query + 1 : query, label, err) < 0 || zs_buf_add_u8(label, 0, err) < 0)
		return -1;
	u->label = (char *)label->p;
	*label = (struct zs_buf)ZS_BUF_INIT;
	return 0;
}

int zs_url_parse(const char *text, struct zs_url *out, struct zs_err *err)
{
	struct zs_buf label = ZS_BUF_INIT;
	int rc;

	memset(out, 0, sizeof *out);
	if (!zs_url_is(text))
		return zs_fail(err, ZS_USAGE, "this is no URL of a server that can be backed up");
	if (strlen(text) > URL_MAX)
		return zs_fail(err, ZS_USAGE, "a URL of more than %d bytes", URL_MAX);
	rc = parse(out, text, &label, err);
	zs_buf_fini(&label);
	if (rc < 0)
		zs_url_fini(out);
	return rc;
}

void zs_url_fini(struct zs_url *u)
{
	free(u->scheme);
	free(u->user);
	free(u->host);
	free(u->path);
	free(u->label);
	zs_strings_fini(&u->keys);
	zs_strings_fini(&u->values);
	memset(u, 0, sizeof *u);
}

static int is_unreserved(unsigned char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || strchr("-._~@*", c) != NULL;
}

int zs_url_add(struct zs_url *u, const char *key, const char *value, struct zs_err *err)
{
	struct zs_buf label = ZS_BUF_INIT;

	if (zs_strings_add(&u->keys, zs_span_str(key), err) < 0 || zs_strings_add(&u->values, zs_span_str(value), err) < 0 ||
	    zs_buf_printf(&label, err, "%s%c%s=", u->label, strchr(u->label, '?') ? '&' : '?', key) < 0)
		goto fail;
	for (const char *p = value; *p; p++)
		if ((is_unreserved((unsigned char)*p) ? zs_buf_add_u8(&label, (uint8_t)*p, err) : zs_buf_printf(&label, err, "%%%02X", (unsigned char)*p)) < 0)
			goto fail;
	if (zs_buf_add_u8(&label, 0, err) < 0)
		goto fail;
	free(u->label);
	u->label = (char *)label.p;
	return 0;
fail:
	zs_buf_fini(&label);
	return -1;
}

void zs_url_drop(struct zs_url *u, const char *key)
{
	char *to = strchr(u->label, '?'), *p = to;
	size_t kept = 0, key_n = strlen(key);

	for (size_t i = 0; i < u->keys.n; i++) {
		if (strcmp(u->keys.v[i], key) == 0) {
			free(u->keys.v[i]);
			free(u->values.v[i]);
			continue;
		}
		u->keys.v[kept] = u->keys.v[i];
		u->values.v[kept++] = u->values.v[i];
	}
	u->keys.n = u->values.n = kept;
	for (char mark = '?'; p && *p;) { /* p is at the mark before a pair, to where the next that stays goes */
		size_t n = 1 + strcspn(p + 1, "&");

		if (strncmp(p + 1, key, key_n) != 0 || (p[1 + key_n] && !strchr("=&", p[1 + key_n]))) {
			memmove(to, p, n);
			*to = mark;
			to += n;
			mark = '&';
		}
		p += n;
	}
	if (to)
		*to = 0;
}

const char *zs_url_get(const struct zs_url *u, const char *key, const char *otherwise)
{
	for (size_t i = u->keys.n; i-- > 0;)
		if (strcmp(u->keys.v[i], key) == 0)
			return u->values.v[i];
	return otherwise;
}

int zs_url_flag(const struct zs_url *u, const char *key, int otherwise, int *out, struct zs_err *err)
{
	static const char *const yes[] = {"yes", "1", "true", "on", NULL}, *const no[] = {"no", "0", "false", "off", NULL};
	const char *text = zs_url_get(u, key, otherwise ? "yes" : "no");

	*out = is_among(text, strlen(text), yes);
	if (!*out && !is_among(text, strlen(text), no))
		return zs_fail(err, ZS_USAGE, "%s is yes or no, not '%s'", key, text);
	return 0;
}

int zs_url_check_keys(const struct zs_url *u, const char *const known[], struct zs_err *err)
{
	for (size_t i = 0; i < u->keys.n; i++) {
		const char *key = u->keys.v[i];

		if (!is_among(key, strlen(key), known) && !is_among(key, strlen(key), common_keys))
			return zs_fail(err, ZS_USAGE, "%s: unknown option '%s'", u->label, key);
	}
	return 0;
}

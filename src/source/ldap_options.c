/*
 * What an LDAP source's URL says, and what is so where it says nothing.
 */
#include "ldap_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int number(const struct zs_url *u, const char *key, unsigned otherwise, unsigned max, unsigned *out, struct zs_err *err)
{
	const char *text = zs_url_get(u, key, NULL);
	char *end;
	unsigned long v;

	*out = otherwise;
	if (!text)
		return 0;
	v = strtoul(text, &end, 10);
	if (end == text || *end || v < 1 || v > max)
		return zs_fail(err, ZS_USAGE, "%s: %s is a number from 1 to %u, not '%s'", u->label, key, max, text);
	*out = (unsigned)v;
	return 0;
}

/* Every value of the key; with commas between several if that is allowed. */
static int list(const struct zs_url *u, const char *key, int has_commas, struct zs_strings *out, struct zs_err *err)
{
	for (size_t i = 0; i < u->keys.n; i++) {
		const char *p = u->values.v[i];

		if (strcmp(u->keys.v[i], key) != 0)
			continue;
		while (*p) {
			size_t n = has_commas ? strcspn(p, ",") : strlen(p);

			if (n > 0 && zs_strings_add(out, zs_span(p, n), err) < 0)
				return -1;
			p += n + (p[n] == ',');
		}
	}
	return 0;
}

/* ldapi: the socket's path, percent-encoded again; else host (as given: "localhost" is looked up) and port. */
static int make_uri(struct ldap_options *o, struct zs_err *err)
{
	const struct zs_url *u = o->url;
	struct zs_buf b = ZS_BUF_INIT;
	int is_ipv6 = strchr(u->host, ':') != NULL, rc = zs_buf_printf(&b, err, "%s://", u->scheme);

	if (rc == 0 && strcmp(u->scheme, "ldapi") == 0) {
		for (const char *p = u->host; rc == 0 && *p; p++)
			rc = *p == '/' || *p == '%' || *p == '?' ? zs_buf_printf(&b, err, "%%%02X", (unsigned char)*p) : zs_buf_add_u8(&b, (uint8_t)*p, err);
	} else if (rc == 0) {
		/* libldap compares "localhost" with the machine's own name in certificates: the address has no such trap. */
		const char *host = !*u->host || strcmp(u->host, "localhost") == 0 ? "127.0.0.1" : u->host;

		rc = zs_buf_printf(&b, err, "%s%s%s", is_ipv6 ? "[" : "", host, is_ipv6 ? "]" : "");
		if (rc == 0 && u->port)
			rc = zs_buf_printf(&b, err, ":%u", u->port);
	}
	if (rc == 0)
		rc = zs_buf_add_u8(&b, 0, err);
	o->uri = (char *)b.p;
	return rc;
}

static int is_this_host(const struct zs_url *u)
{
	return !*u->host || strcmp(u->host, "localhost") == 0 || strncmp(u->host, "127.", 4) == 0 || strcmp(u->host, "::1") == 0;
}

static int tri_state(const struct zs_url *u, const char *key, int *out, struct zs_err *err)
{
	*out = -1;
	return zs_url_get(u, key, NULL) && strcmp(zs_url_get(u, key, ""), "auto") != 0 ? zs_url_flag(u, key, 0, out, err) : 0;
}

static int parse_login(struct ldap_options *o, struct zs_err *err)
{
	const struct zs_url *u = o->url;
	int is_socket = strcmp(u->scheme, "ldapi") == 0, is_tls = strcmp(u->scheme, "ldaps") == 0;

	o->bind_dn = zs_url_get(u, "bind", *u->user ? u->user : NULL);
	if (zs_url_flag(u, "anonymous", 0, &o->is_anonymous, err) < 0)
		return -1;
	/* A password does not cross a network in clear unless somebody says so. */
	if (zs_url_flag(u, "starttls", !is_socket && !is_tls && o->bind_dn && !is_this_host(u), &o->starttls, err) < 0)
		return -1;
	if (o->starttls && (is_socket || is_tls))
		return zs_fail(err, ZS_USAGE, "%s: starttls goes with ldap:// only", u->label);
	if (o->bind_dn && !o->password.p)
		return zs_fail(err, ZS_USAGE, "%s: bind needs a password: say password-file=FILE or password-command=COMMAND", u->label);
	if (!o->bind_dn && !is_socket && !o->is_anonymous)
		return zs_fail(err, ZS_USAGE, "%s: who shall be asked as? Say bind=DN and password-file=FILE, or anonymous=yes", u->label);
	return 0;
}

int ldap_options_parse(const struct zs_server_settings *server, struct ldap_options *o, struct zs_err *err)
{
	static const char *const known[] = {"bind", "anonymous", "starttls", "ca-file", "cert-file", "key-file", "config", "accesslog",
	    "passwords", "page", "timeout", "exclude", "ephemeral", NULL};
	/* What Zimbra writes at every login, and what the password policy overlay does. */
	static const char usual[] = "zimbraLastLogonTimestamp,zimbraAuthTokens,zimbraCsrfTokenData,zimbraAuthTokenValidityValue,"
	    "zimbraInvalidJWTokens,zimbraPasswordLockoutFailureTime,zimbraTwoFactorAuthLockoutFailureTime,authTimestamp,pwdLastSuccess";
	const struct zs_url *u = server->url;
	int rc = -1;

	memset(o, 0, sizeof *o);
	o->url = u;
	o->password = server->password;
	o->base = u->path;
	o->ca_file = zs_url_get(u, "ca-file", NULL);
	o->cert_file = zs_url_get(u, "cert-file", NULL);
	o->key_file = zs_url_get(u, "key-file", NULL);
	if (zs_url_check_keys(u, known, err) < 0 || parse_login(o, err) < 0 || make_uri(o, err) < 0)
		goto out;
	if (tri_state(u, "config", &o->config, err) < 0 || zs_url_flag(u, "accesslog", 0, &o->accesslog, err) < 0 ||
	    zs_url_flag(u, "passwords", 1, &o->needs_passwords, err) < 0)
		goto out;
	if (number(u, "page", 0, 1000000, &o->page, err) < 0 || number(u, "timeout", 300, 86400, &o->timeout_s, err) < 0)
		goto out;
	if (list(u, "exclude", 0, &o->excludes, err) < 0 || list(u, "ephemeral", 1, &o->ephemeral, err) < 0)
		goto out;
	for (const char *p = usual; !zs_url_get(u, "ephemeral", NULL) && *p;) {
		size_t n = strcspn(p, ",");

		if (zs_strings_add(&o->ephemeral, zs_span(p, n), err) < 0)
			goto out;
		p += n + (p[n] == ',');
	}
	rc = 0;
out:
	if (rc < 0)
		ldap_options_fini(o);
	return rc;
}

void ldap_options_fini(struct ldap_options *o)
{
	free(o->uri);
	zs_strings_fini(&o->excludes);
	zs_strings_fini(&o->ephemeral);
	memset(o, 0, sizeof *o);
}

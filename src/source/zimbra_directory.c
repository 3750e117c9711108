/*
 * Zimbra's accounts, domains and classes of service, from its directory: only what a backup of mailboxes must know.  The directory
 * itself is backed up by the LDAP source.
 */
#include "ldap_private.h"
#include "zimbra_private.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PAGE 1000
#define TIMEOUT_S 60
#define NAME_MAX_BYTES 1024

struct asking { /* one search */
	LDAP *ld;
	const struct zimbra_login *login;
	const struct zs_source_settings *settings;
	struct zimbra_directory *out;
	int has_directory_each; /* each server has one of its own in a volume: 1, 0, -1 not said */
};

static int fail(const struct asking *a, int rc, const char *what, struct zs_err *err)
{
	const struct zimbra_login *l = a->login;
	char *text = NULL;

	if (rc == LDAP_NO_MEMORY)
		return zs_fail_nomem(err);
	if (l->is_tls && (rc == LDAP_CONNECT_ERROR || rc == LDAP_SERVER_DOWN))
		return zs_fail(err, ZS_SOURCE, "Zimbra's directory %s: %s: %s (is it up, and its certificate of an authority in %s? ?ca-file=FILE names others)",
		    l->uri, what, ldap_err2string(rc), l->ca_file ? l->ca_file : "/etc/ssl/certs");
	(void)ldap_get_option(a->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text);
	(void)zs_fail(err, ZS_SOURCE, "Zimbra's directory %s: %s: %s%s%s (see ldap_url, zimbra_ldap_userdn and zimbra_ldap_password in localconfig.xml)", l->uri, what,
	    ldap_err2string(rc), text && *text ? ": " : "", text ? text : "");
	ldap_memfree(text);
	return -1;
}

static void set_options(struct asking *a)
{
	const struct timeval timeout = {TIMEOUT_S, 0};
	const int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;

	(void)ldap_set_option(a->ld, LDAP_OPT_PROTOCOL_VERSION, &version);
	(void)ldap_set_option(a->ld, LDAP_OPT_NETWORK_TIMEOUT, &timeout);
	(void)ldap_set_option(a->ld, LDAP_OPT_TIMEOUT, &timeout);
	(void)ldap_set_option(a->ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF);
	(void)ldap_set_option(a->ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand);
	if (a->login->ca_file)
		(void)ldap_set_option(a->ld, LDAP_OPT_X_TLS_CACERTFILE, a->login->ca_file);
	if (a->login->is_tls)
		(void)ldap_set_option(a->ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

static int log_in(struct asking *a, struct zs_err *err)
{
	struct berval password = {strlen(a->login->password), NULL};
	int rc = a->login->starttls ? ldap_start_tls_s(a->ld, NULL, NULL) : LDAP_SUCCESS;

	if (rc != LDAP_SUCCESS)
		return fail(a, rc, "StartTLS", err);
	if (!(password.bv_val = strdup(a->login->password)))
		return zs_fail_nomem(err);
	rc = ldap_sasl_bind_s(a->ld, a->login->bind_dn, LDAP_SASL_SIMPLE, &password, NULL, NULL, NULL);
	explicit_bzero(password.bv_val, password.bv_len);
	free(password.bv_val);
	return rc == LDAP_SUCCESS ? 0 : fail(a, rc, "cannot log in", err);
}

static int connect_to(struct asking *a, struct zs_err *err)
{
	struct ldap_watch *watch;
	int rc = ldap_initialize(&a->ld, a->login->uri);

	if (rc != LDAP_SUCCESS)
		return fail(a, rc, "cannot connect", err);
	set_options(a);
	if (ldap_watch_begin(a->ld, TIMEOUT_S, &watch, err) < 0)
		return -1;
	rc = log_in(a, err);
	(void)ldap_watch_end(watch);
	return rc;
}

/* The first value of an attribute, in a new string; "" if there is none.  NULL: no memory, or it is no text. */
static char *value_of(const struct asking *a, LDAPMessage *entry, const char *name, struct zs_err *err)
{
	struct berval **v = ldap_get_values_len(a->ld, entry, name);
	struct zs_span s = zs_span(NULL, 0);
	char *text;

	if (v && v[0])
		s = zs_span(v[0]->bv_val, v[0]->bv_len);
	if (s.n > NAME_MAX_BYTES || (s.n > 0 && memchr(s.p, 0, s.n))) {
		ldap_value_free_len(v);
		(void)zs_fail(err, ZS_SOURCE, "Zimbra's directory has a value of %s of %zu bytes", name, s.n);
		return NULL;
	}
	text = strndup(s.n ? (const char *)s.p : "", s.n);
	ldap_value_free_len(v);
	if (!text)
		(void)zs_fail_nomem(err);
	return text;
}

static void lower(char *p)
{
	for (; *p; p++)
		*p = (char)tolower((unsigned char)*p);
}

/* Room for one more of that many bytes. */
static int grow(void *array, size_t n, size_t *cap, size_t bytes, struct zs_err *err)
{
	void **at = array, *grown;
	size_t more = *cap ? 2 * *cap : 64;

	if (n < *cap)
		return 0;
	if (!(grown = realloc(*at, more * bytes)))
		return zs_fail_nomem(err);
	*at = grown;
	*cap = more;
	return 0;
}

static void account_fini(struct zimbra_account *x)
{
	free(x->id);
	free(x->name);
	free(x->host);
	free(x->cos);
}

static int take_account(struct asking *a, LDAPMessage *e, struct zs_err *err)
{
	struct zimbra_directory *d = a->out;
	struct zimbra_account x = {0};
	char *login = NULL, *mail = NULL;

	x.id = value_of(a, e, "zimbraId", err);
	x.name = x.id ? value_of(a, e, "zimbraMailDeliveryAddress", err) : NULL;
	mail = x.name ? value_of(a, e, "mail", err) : NULL;
	x.host = mail ? value_of(a, e, "zimbraMailHost", err) : NULL;
	x.cos = x.host ? value_of(a, e, "zimbraCOSId", err) : NULL;
	login = x.cos ? value_of(a, e, "zimbraLastLogonTimestamp", err) : NULL;
	if (!login || grow(&d->accounts, d->accounts_n, &d->accounts_cap, sizeof x, err) < 0) {
		account_fini(&x);
		free(mail);
		free(login);
		return -1;
	}
	x.was_used = *login != 0;
	free(login);
	if (*mail || !*x.name) { /* "mail" begins with the address that people know */
		free(x.name);
		x.name = mail;
		mail = NULL;
	}
	free(mail);
	lower(x.id);
	lower(x.name);
	if (*x.id)
		d->accounts[d->accounts_n++] = x;
	else
		account_fini(&x);
	return 0;
}

static int take_class(struct asking *a, LDAPMessage *e, struct zs_err *err)
{
	struct zimbra_directory *d = a->out;
	struct zimbra_class x = {value_of(a, e, "zimbraId", err), NULL};

	x.name = x.id ? value_of(a, e, "cn", err) : NULL;
	if (!x.name || grow(&d->classes, d->classes_n, &d->classes_cap, sizeof x, err) < 0) {
		free(x.id);
		free(x.name);
		return -1;
	}
	d->classes[d->classes_n++] = x;
	return 0;
}

static int take_domain(struct asking *a, LDAPMessage *e, struct zs_err *err)
{
	struct zimbra_directory *d = a->out;
	struct zimbra_domain x = {value_of(a, e, "zimbraDomainName", err), NULL};

	x.cos = x.name ? value_of(a, e, "zimbraDomainDefaultCOSId", err) : NULL;
	if (!x.cos || grow(&d->domains, d->domains_n, &d->domains_cap, sizeof x, err) < 0) {
		free(x.name);
		free(x.cos);
		return -1;
	}
	d->domains[d->domains_n++] = x;
	return 0;
}

static int take_server(struct asking *a, LDAPMessage *e, struct zs_err *err)
{
	char *host = value_of(a, e, "cn", err), *id = host ? value_of(a, e, "zimbraId", err) : NULL;
	char *flag = id ? value_of(a, e, "zimbraConfiguredServerIDForBlobDirEnabled", err) : NULL;
	int is_global = host && strcmp(host, "config") == 0, is_ours = host && strcasecmp(host, a->login->hostname) == 0;

	if (flag && is_global)
		a->has_directory_each = a->has_directory_each < 0 ? strcasecmp(flag, "TRUE") == 0 : a->has_directory_each;
	if (flag && is_ours && *flag)
		a->has_directory_each = strcasecmp(flag, "TRUE") == 0;
	if (flag && is_ours) {
		free(a->out->server_id);
		a->out->server_id = id;
		id = NULL;
	}
	free(host);
	free(id);
	if (!flag)
		return -1;
	free(flag);
	return 0;
}

struct search { const char *filter; const char *attributes[8]; int (*take)(struct asking *, LDAPMessage *, struct zs_err *); };

static int take_page(struct asking *a, const struct search *s, LDAPMessage *result, struct zs_err *err)
{
	for (LDAPMessage *e = ldap_first_entry(a->ld, result); e; e = ldap_next_entry(a->ld, e))
		if (s->take(a, e, err) < 0)
			return -1;
	return 0;
}

/* One page; the next one's cookie, which is empty after the last. */
static int ask_page(struct asking *a, const struct search *s, struct berval *cookie, struct zs_err *err)
{
	static char manage_oid[] = LDAP_CONTROL_MANAGEDSAIT;
	LDAPControl manage = {manage_oid, {0, NULL}, 1}, *page = NULL, *controls[3] = {&manage, NULL, NULL}, **back = NULL, *found;
	LDAPMessage *result = NULL;
	char *attributes[8];
	ber_int_t total = 0;
	int code = LDAP_SUCCESS, rc;

	memcpy(attributes, s->attributes, sizeof attributes);
	rc = ldap_create_page_control(a->ld, PAGE, cookie->bv_val ? cookie : NULL, 0, &page);
	controls[1] = page;
	if (rc == LDAP_SUCCESS)
		rc = ldap_search_ext_s(a->ld, "", LDAP_SCOPE_SUBTREE, s->filter, attributes, 0, controls, NULL, NULL, 0, &result);
	ldap_control_free(page);
	ber_memfree(cookie->bv_val);
	*cookie = (struct berval){0, NULL};
	if (rc != LDAP_SUCCESS) {
		ldap_msgfree(result);
		return fail(a, rc, "search for accounts", err);
	}
	rc = take_page(a, s, result, err);
	if (rc == 0 && (code = ldap_parse_result(a->ld, result, &code, NULL, NULL, NULL, &back, 0)) != LDAP_SUCCESS)
		rc = fail(a, code, "search for accounts", err);
	if (rc == 0 && (found = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, back, NULL)) &&
	    (code = ldap_parse_pageresponse_control(a->ld, found, &total, cookie)) != LDAP_SUCCESS)
		rc = fail(a, code, "pages of accounts", err);
	ldap_controls_free(back);
	ldap_msgfree(result);
	return rc;
}

static int ask(struct asking *a, const struct search *s, struct zs_err *err)
{
	struct berval cookie = {0, NULL};
	int rc;

	do {
		if (a->settings->stop && a->settings->stop(a->settings->stop_ctx))
			rc = zs_fail(err, ZS_STOPPED, "stopped");
		else
			rc = ask_page(a, s, &cookie, err);
	} while (rc == 0 && cookie.bv_len > 0);
	ber_memfree(cookie.bv_val);
	return rc;
}

static int by_id(const void *a, const void *b)
{
	return strcmp(((const struct zimbra_account *)a)->id, ((const struct zimbra_account *)b)->id);
}

int zimbra_directory_read(const struct zimbra_login *login, const struct zs_source_settings *settings, struct zimbra_directory *out, struct zs_err *err)
{
	static const struct search searches[] = {
	    {"(objectClass=zimbraAccount)", {"zimbraId", "zimbraMailDeliveryAddress", "mail", "zimbraMailHost", "zimbraCOSId", "zimbraLastLogonTimestamp"}, take_account},
	    {"(objectClass=zimbraCOS)", {"zimbraId", "cn"}, take_class},
	    {"(objectClass=zimbraDomain)", {"zimbraDomainName", "zimbraDomainDefaultCOSId"}, take_domain},
	    {"(|(objectClass=zimbraServer)(objectClass=zimbraGlobalConfig))", {"cn", "zimbraId", "zimbraConfiguredServerIDForBlobDirEnabled"}, take_server},
	};
	struct asking a = {.login = login, .settings = settings, .out = out, .has_directory_each = -1};
	int rc = connect_to(&a, err);

	for (size_t i = 0; rc == 0 && i < sizeof searches / sizeof *searches; i++)
		rc = ask(&a, &searches[i], err);
	if (a.ld)
		(void)ldap_unbind_ext_s(a.ld, NULL, NULL);
	if (rc < 0) {
		zimbra_directory_fini(out);
		return -1;
	}
	if (a.has_directory_each <= 0) {
		free(out->server_id);
		out->server_id = NULL;
	}
	if (out->accounts_n > 0)
		qsort(out->accounts, out->accounts_n, sizeof *out->accounts, by_id);
	return 0;
}

const struct zimbra_account *zimbra_directory_find(const struct zimbra_directory *d, const char *id)
{
	struct zimbra_account key = {0};
	const struct zimbra_account *found;

	if (d->accounts_n == 0 || !(key.id = strdup(id)))
		return NULL;
	lower(key.id);
	found = bsearch(&key, d->accounts, d->accounts_n, sizeof key, by_id);
	free(key.id);
	return found;
}

int zimbra_directory_merge(struct zimbra_directory *d, struct zimbra_directory *later, struct zs_err *err)
{
	size_t known = later->accounts_n;

	for (size_t i = 0; i < d->accounts_n; i++) {
		struct zimbra_account *x = &d->accounts[i];

		if (known > 0 && bsearch(x, later->accounts, known, sizeof *x, by_id))
			continue;
		if (grow(&later->accounts, later->accounts_n, &later->accounts_cap, sizeof *x, err) < 0)
			return -1;
		later->accounts[later->accounts_n++] = *x;
		*x = (struct zimbra_account){0}; /* the later list owns it now */
	}
	if (later->accounts_n > known)
		qsort(later->accounts, later->accounts_n, sizeof *later->accounts, by_id);
	zimbra_directory_fini(d);
	*d = *later;
	*later = (struct zimbra_directory){0};
	return 0;
}

const char *zimbra_directory_class(const struct zimbra_directory *d, const struct zimbra_account *a)
{
	const char *at = strrchr(a->name, '@');

	if (*a->cos)
		return a->cos;
	for (size_t i = 0; at && i < d->domains_n; i++)
		if (strcasecmp(d->domains[i].name, at + 1) == 0 && *d->domains[i].cos)
			return d->domains[i].cos;
	for (size_t i = 0; i < d->classes_n; i++)
		if (strcmp(d->classes[i].name, "default") == 0)
			return d->classes[i].id;
	return "";
}

void zimbra_directory_fini(struct zimbra_directory *d)
{
	for (size_t i = 0; i < d->accounts_n; i++)
		account_fini(&d->accounts[i]);
	for (size_t i = 0; i < d->classes_n; i++) {
		free(d->classes[i].id);
		free(d->classes[i].name);
	}
	for (size_t i = 0; i < d->domains_n; i++) {
		free(d->domains[i].name);
		free(d->domains[i].cos);
	}
	free(d->accounts);
	free(d->classes);
	free(d->domains);
	free(d->server_id);
	memset(d, 0, sizeof *d);
}

/*
 * One connection to a directory: TLS that is verified, binding, searches that wait no longer than they may.
 */
#include "ldap_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#define CONNECT_TIMEOUT_S 15
#define LOGIN_TIMEOUT_S 45 /* for all of it: the connection, TLS, and the login */

int ldap_conn_is_limit(int rc)
{
	return rc == LDAP_TIMELIMIT_EXCEEDED || rc == LDAP_SIZELIMIT_EXCEEDED || rc == LDAP_ADMINLIMIT_EXCEEDED;
}

int ldap_conn_fail(const struct ldap_conn *c, int rc, const char *what, const char *where, struct zs_err *err)
{
	char *more = NULL, text[200] = "";

	if (rc == LDAP_NO_MEMORY)
		return zs_fail_nomem(err);
	if (c->ld)
		(void)ldap_get_option(c->ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &more);
	(void)snprintf(text, sizeof text, "%s", more ? more : "");
	ldap_memfree(more);
	for (char *p = text; *p; p++)
		*p = (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p;
	return zs_fail(err, ZS_SOURCE, "%s: %s%s%s: %s%s%s (code %d)%s", c->options->url->label, what, *where ? " " : "", where, ldap_err2string(rc),
	    *text ? ": " : "", text, rc,
	    strncmp(c->options->uri, "ldaps", 5) == 0 && rc == LDAP_SERVER_DOWN ? "; if it is up: ca-file=FILE says which authorities count" :
	    ldap_conn_is_limit(rc) ? "; a backup needs a reader without limits: olcLimits (or olcSizeLimit, olcTimeLimit) for its DN" : "");
}

static int set(struct ldap_conn *c, int option, const void *value, const char *what, struct zs_err *err)
{
	int rc = ldap_set_option(c->ld, option, value);

	return rc == LDAP_OPT_SUCCESS ? 0 : zs_fail(err, ZS_SOURCE, "%s: cannot set %s", c->options->url->label, what);
}

static int set_options(struct ldap_conn *c, struct zs_err *err)
{
	const struct ldap_options *o = c->options;
	const int version = LDAP_VERSION3, never = LDAP_DEREF_NEVER, demand = LDAP_OPT_X_TLS_DEMAND, client = 0;
	const struct timeval connect = {CONNECT_TIMEOUT_S, 0};

	if (set(c, LDAP_OPT_PROTOCOL_VERSION, &version, "version 3", err) < 0 || set(c, LDAP_OPT_DEREF, &never, "dereferencing", err) < 0 ||
	    set(c, LDAP_OPT_REFERRALS, LDAP_OPT_OFF, "referrals", err) < 0 || set(c, LDAP_OPT_NETWORK_TIMEOUT, &connect, "the timeout", err) < 0 ||
	    set(c, LDAP_OPT_TIMEOUT, &connect, "the timeout", err) < 0)
		return -1;
	if (set(c, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand, "the check of certificates", err) < 0)
		return -1;
	if ((o->ca_file && set(c, LDAP_OPT_X_TLS_CACERTFILE, o->ca_file, o->ca_file, err) < 0) ||
	    (o->cert_file && set(c, LDAP_OPT_X_TLS_CERTFILE, o->cert_file, o->cert_file, err) < 0) ||
	    (o->key_file && set(c, LDAP_OPT_X_TLS_KEYFILE, o->key_file, o->key_file, err) < 0))
		return -1;
	return set(c, LDAP_OPT_X_TLS_NEWCTX, &client, "up TLS (is ca-file there?)", err);
}

static int bind_to(struct ldap_conn *c, struct zs_err *err)
{
	const struct ldap_options *o = c->options;
	static char nothing[] = "";
	struct berval password = {o->password.n, NULL}, none = {0, nothing};
	int rc;

	if (o->bind_dn || o->is_anonymous) {
		if (o->bind_dn && !(password.bv_val = strndup((const char *)o->password.p, o->password.n)))
			return zs_fail_nomem(err);
		rc = ldap_sasl_bind_s(c->ld, o->bind_dn, LDAP_SASL_SIMPLE, o->bind_dn ? &password : &none, NULL, NULL, NULL);
		if (password.bv_val)
			explicit_bzero(password.bv_val, password.bv_len);
		free(password.bv_val);
	} else {
		rc = ldap_sasl_bind_s(c->ld, NULL, "EXTERNAL", &none, NULL, NULL, NULL);
	}
	return rc == LDAP_SUCCESS ? 0 : ldap_conn_fail(c, rc, "cannot log in as", o->bind_dn ? o->bind_dn : o->is_anonymous ? "nobody" : "this user (SASL EXTERNAL)", err);
}

static int ask_who(struct ldap_conn *c, struct zs_err *err)
{
	struct berval *id = NULL;
	int rc = ldap_whoami_s(c->ld, &id, NULL, NULL);

	if (rc == LDAP_SUCCESS && id && id->bv_len > 0)
		rc = zs_buf_add(&c->who, id->bv_val, id->bv_len, err);
	else
		rc = zs_buf_add_span(&c->who, zs_span_str(rc == LDAP_SUCCESS ? "anonymous" : "unknown"), err);
	ber_bvfree(id);
	return rc;
}

static int log_in(struct ldap_conn *c, struct zs_err *err)
{
	int rc = c->options->starttls ? ldap_start_tls_s(c->ld, NULL, NULL) : LDAP_SUCCESS;

	if (rc != LDAP_SUCCESS)
		return ldap_conn_fail(c, rc, "StartTLS", "", err);
	return bind_to(c, err) < 0 ? -1 : ask_who(c, err);
}

int ldap_conn_open(const struct ldap_options *o, const struct zs_source_settings *s, struct ldap_conn *c, struct zs_err *err)
{
	const unsigned seconds = o->timeout_s < LOGIN_TIMEOUT_S ? o->timeout_s : LOGIN_TIMEOUT_S;
	struct ldap_watch *watch;
	int rc;

	*c = (struct ldap_conn){.options = o, .settings = s};
	rc = ldap_initialize(&c->ld, o->uri);
	if (rc != LDAP_SUCCESS)
		return ldap_conn_fail(c, rc, "cannot connect to", o->uri, err);
	if (set_options(c, err) < 0)
		goto fail;
	if (ldap_watch_begin(c->ld, seconds, &watch, err) < 0)
		goto fail;
	rc = log_in(c, err);
	if (ldap_watch_end(watch) && rc < 0 && err->cause == ZS_SOURCE) {
		zs_err_clear(err);
		(void)zs_fail(err, ZS_SOURCE, "%s: no answer for %u seconds while connecting and logging in", o->url->label, seconds);
	}
	if (rc == 0)
		return 0;
fail:
	ldap_conn_close(c);
	return -1;
}

void ldap_conn_close(struct ldap_conn *c)
{
	if (c->ld)
		(void)ldap_unbind_ext_s(c->ld, NULL, NULL);
	c->ld = NULL;
	zs_buf_fini(&c->who);
}

/* ---------------------------------------------------------------------- searches */

struct running { /* a search, of which one page is under way */
	struct ldap_conn *c;
	const struct ldap_search *s;
	ldap_entry_fn *fn;
	void *ctx;
	struct berval cookie; /* where the next page begins */
	int id, code, is_enough;
};

static int begin_page(struct running *r, struct zs_err *err)
{
	static char manage_oid[] = LDAP_CONTROL_MANAGEDSAIT;
	LDAPControl manage = {manage_oid, {0, NULL}, 1}, *page = NULL, *controls[3] = {&manage, NULL, NULL};
	char **attributes;
	size_t n = 0;
	int rc = LDAP_SUCCESS;

	while (r->s->attributes[n])
		n++;
	if (!(attributes = calloc(n + 1, sizeof *attributes)))
		return zs_fail_nomem(err);
	memcpy(attributes, r->s->attributes, n * sizeof *attributes);
	if (r->s->page)
		rc = ldap_create_page_control(r->c->ld, (ber_int_t)r->s->page, r->cookie.bv_val ? &r->cookie : NULL, 1, &page);
	controls[1] = page;
	if (rc == LDAP_SUCCESS)
		rc = ldap_search_ext(r->c->ld, r->s->base, r->s->scope, r->s->filter, attributes, 0, controls, NULL, NULL,
		    r->s->size_limit, &r->id);
	ldap_control_free(page);
	free(attributes);
	r->code = rc;
	return rc == LDAP_SUCCESS ? 0 : ldap_conn_fail(r->c, rc, "search below", r->s->base, err);
}

/* The last message of a page: its code, and the cookie of the next. */
static int end_page(struct running *r, LDAPMessage *m, struct zs_err *err)
{
	LDAPControl **controls = NULL, *page;
	ber_int_t total = 0;
	int code = LDAP_SUCCESS, rc = ldap_parse_result(r->c->ld, m, &code, NULL, NULL, NULL, &controls, 0);

	ber_memfree(r->cookie.bv_val);
	r->cookie = (struct berval){0, NULL};
	r->code = rc != LDAP_SUCCESS ? rc : code;
	if (r->code == LDAP_SUCCESS && r->s->page && (page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL)))
		r->code = ldap_parse_pageresponse_control(r->c->ld, page, &total, &r->cookie);
	ldap_controls_free(controls);
	return r->code == LDAP_SUCCESS ? 0 : ldap_conn_fail(r->c, r->code, "search below", r->s->base, err);
}

/* 1: the page goes on, 0: it has ended, -1. */
static int take_message(struct running *r, struct zs_err *err)
{
	struct timeval wait = {(time_t)r->c->options->timeout_s, 0};
	LDAPMessage *m = NULL;
	int type = ldap_result(r->c->ld, r->id, LDAP_MSG_ONE, &wait, &m), rc = 1;

	if (type == 0)
		return zs_fail(err, ZS_SOURCE, "%s: no answer for %u seconds (search below %s)", r->c->options->url->label, r->c->options->timeout_s, r->s->base);
	if (type < 0) {
		(void)ldap_get_option(r->c->ld, LDAP_OPT_RESULT_CODE, &r->code);
		return ldap_conn_fail(r->c, r->code ? r->code : LDAP_SERVER_DOWN, "the connection broke: search below", r->s->base, err);
	}
	if (type == LDAP_RES_SEARCH_ENTRY) {
		rc = r->fn(r->ctx, m, err);
		r->is_enough = rc == 1;
		rc = rc < 0 ? -1 : 1;
	} else if (type == LDAP_RES_SEARCH_REFERENCE) {
		rc = zs_fail(err, ZS_SOURCE, "%s: the server answers with a reference to another one below %s: it does not know ManageDsaIT",
		    r->c->options->url->label, r->s->base);
	} else if (type == LDAP_RES_SEARCH_RESULT) {
		rc = end_page(r, m, err);
	}
	(void)ldap_msgfree(m);
	return rc;
}

static int run_page(struct running *r, struct zs_err *err)
{
	const struct zs_source_settings *s = r->c->settings;
	unsigned count = 0;
	int rc;

	if (begin_page(r, err) < 0)
		return -1;
	while ((rc = take_message(r, err)) > 0 && !r->is_enough) {
		if ((++count & 1023) == 0 && s->stop && s->stop(s->stop_ctx)) {
			rc = zs_fail(err, ZS_STOPPED, "stopped");
			break;
		}
	}
	if (rc != 0)
		(void)ldap_abandon_ext(r->c->ld, r->id, NULL, NULL);
	return rc < 0 ? -1 : 0;
}

int ldap_conn_search(struct ldap_conn *c, const struct ldap_search *s, ldap_entry_fn *fn, void *ctx, int *out_rc, struct zs_err *err)
{
	struct running r = {.c = c, .s = s, .fn = fn, .ctx = ctx};
	int rc;

	do
		rc = run_page(&r, err);
	while (rc == 0 && !r.is_enough && r.cookie.bv_len > 0);
	ber_memfree(r.cookie.bv_val);
	*out_rc = rc < 0 ? r.code : LDAP_SUCCESS;
	return rc;
}

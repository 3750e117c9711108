/*
 * Reading a naming context: one search for everything, then light listings until one of them shows nothing new.  No search is a
 * snapshot; what the listings agree with is.
 */
#include "ldap_private.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define ROUNDS_MAX 5
#define PROBE_ENTRIES 1100 /* more than the limits that servers come with */
#define PEOPLE_PROBE 300
#define FIRST_PAGE 1000

static const char *const everything[] = {"*", "+", NULL};
static const char all_filter[] = "(objectClass=*)";

void ldap_read_note(const struct ldap_conn *c, enum zs_note_level level, const char *fmt, ...)
{
	char text[480];
	va_list ap;

	if (!c->settings->note)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	c->settings->note(c->settings->note_ctx, level, text);
}

/*
 * A search that goes over to pages where the server gives no more than some entries at once, and to smaller ones where it
 * refuses their size.  restart: forget what was given so far.
 */
struct adaptive { struct ldap_search s; ldap_entry_fn *fn; int (*restart)(void *ctx, struct zs_err *err); void *ctx; };

static int search_adapting(struct ldap_conn *c, struct adaptive *a, struct zs_err *err)
{
	int rc, code;

	for (;;) {
		rc = ldap_conn_search(c, &a->s, a->fn, a->ctx, &code, err);
		if (rc == 0 || (code != LDAP_SIZELIMIT_EXCEEDED && code != LDAP_ADMINLIMIT_EXCEEDED))
			return rc;
		if (a->s.page == 1 || (a->s.page && code == LDAP_SIZELIMIT_EXCEEDED))
			return -1;
		a->s.page = a->s.page ? a->s.page / 2 : FIRST_PAGE;
		zs_err_clear(err);
		if (a->restart(a->ctx, err) < 0)
			return -1;
	}
}

/* ------------------------------------------------------------------ single values */

struct values { LDAP *ld; const char *name; struct zs_strings *out; };

static int take_values(void *ctx, LDAPMessage *e, struct zs_err *err)
{
	const struct values *v = ctx;
	struct berval **list = ldap_get_values_len(v->ld, e, v->name);
	int rc = 0;

	for (size_t i = 0; rc == 0 && list && list[i]; i++)
		rc = zs_strings_add(v->out, zs_span(list[i]->bv_val, list[i]->bv_len), err);
	ldap_value_free_len(list);
	return rc;
}

static int read_values(struct ldap_conn *c, const char *base, const char *name, struct zs_strings *out, struct zs_err *err)
{
	const char *const attributes[] = {name, NULL};
	const struct ldap_search s = {base, all_filter, LDAP_SCOPE_BASE, attributes, 0, 0};
	struct values v = {c->ld, name, out};
	int code;

	return ldap_conn_search(c, &s, take_values, &v, &code, err);
}

/* What a base does not have is none: only syncprov keeps a contextCSN. */
static int read_csn(struct ldap_conn *c, const struct ldap_context *x, struct zs_strings *out, struct zs_err *err)
{
	zs_strings_fini(out);
	return read_values(c, x->suffix, "contextCSN", out, err);
}

int ldap_read_contexts(struct ldap_conn *c, struct zs_strings *out, struct zs_buf *config, struct zs_buf *vendor, struct zs_err *err)
{
	struct zs_strings list = {0};
	int rc = read_values(c, "", "namingContexts", out, err);

	if (rc == 0)
		rc = read_values(c, "", "configContext", &list, err);
	if (rc == 0 && list.n > 0)
		rc = zs_buf_add_span(config, zs_span_str(list.v[0]), err);
	zs_strings_fini(&list);
	if (rc == 0)
		rc = read_values(c, "", "vendorName", &list, err);
	if (rc == 0)
		rc = read_values(c, "", "vendorVersion", &list, err);
	for (size_t i = 0; rc == 0 && i < list.n; i++)
		rc = zs_buf_printf(vendor, err, "%s%s", i ? " " : "", list.v[i]);
	zs_strings_fini(&list);
	return rc;
}

/* ------------------------------------------------------------------------- checks */

struct probe { LDAP *ld; unsigned entries, enough, with_password; };

static int count_entry(void *ctx, LDAPMessage *e, struct zs_err *err)
{
	struct probe *p = ctx;

	(void)e;
	(void)err;
	return ++p->entries >= p->enough;
}

static int restart_probe(void *ctx, struct zs_err *err)
{
	(void)err;
	((struct probe *)ctx)->entries = 0;
	return 0;
}

static int count_password(void *ctx, LDAPMessage *e, struct zs_err *err)
{
	struct probe *p = ctx;
	struct berval **list = ldap_get_values_len(p->ld, e, "userPassword");

	p->with_password += list && list[0];
	ldap_value_free_len(list);
	return count_entry(ctx, e, err) || p->with_password;
}

static int check_passwords(struct ldap_conn *c, const struct ldap_context *x, struct zs_err *err)
{
	static const char *const attributes[] = {"userPassword", NULL};
	const struct ldap_search s = {x->suffix, "(|(objectClass=person)(objectClass=account)(objectClass=posixAccount)(objectClass=simpleSecurityObject)"
	    "(objectClass=zimbraAccount))", LDAP_SCOPE_SUBTREE, attributes, 0, PEOPLE_PROBE};
	struct probe p = {.ld = c->ld, .enough = PEOPLE_PROBE};
	int code;

	if (ldap_conn_search(c, &s, count_password, &p, &code, err) < 0) {
		if (!ldap_conn_is_limit(code))
			return -1;
		zs_err_clear(err);
	}
	if (p.entries == 0 || p.with_password)
		return 0;
	ldap_read_note(c, ZS_NOTE_LACK, "%.*s sees no userPassword of any account below '%s': passwords would be missing",
	    (int)c->who.n, (const char *)c->who.p, x->suffix);
	return zs_fail(err, ZS_SOURCE, "%s: %.*s may not read userPassword below '%s', so passwords would be missing: give it the right "
		       "(olcAccess: ... by dn.exact=\"...\" manage), or say passwords=no if there are none", c->options->url->label,
	    (int)(c->who.n < 100 ? c->who.n : 100), (const char *)c->who.p, x->suffix);
}

int ldap_read_check(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err)
{
	static const char *const nothing[] = {LDAP_NO_ATTRS, NULL};
	struct probe p = {.ld = c->ld, .enough = PROBE_ENTRIES};
	struct adaptive a = {{x->suffix, all_filter, LDAP_SCOPE_SUBTREE, nothing, c->options->page, 0}, count_entry, restart_probe, &p};

	if (search_adapting(c, &a, err) < 0) {
		if (err->cause == ZS_SOURCE && !x->is_optional)
			ldap_read_note(c, ZS_NOTE_LACK, "%s", err->text);
		return -1;
	}
	if (p.entries == 0)
		return zs_fail(err, ZS_SOURCE, "%s: nothing can be seen below '%s'", c->options->url->label, x->suffix);
	return c->options->needs_passwords && !x->is_config ? check_passwords(c, x, err) : 0;
}

/* ---------------------------------------------------------------- the first listing */

struct reading {
	struct ldap_conn *c;
	struct ldap_context *x;
	struct ldap_text text;
	struct zs_buf schema; /* DN of the entry of built-in schema */
	uint32_t round;
};

static int is_excluded(const struct ldap_conn *c, const struct ldap_context *x, struct zs_span dn)
{
	const struct zs_strings *l = &c->options->excludes;

	for (size_t i = 0; i < l->n; i++)
		if (zs_dn_is_below(dn, zs_span_str(l->v[i])) && !zs_dn_is_below(zs_span_str(x->suffix), zs_span_str(l->v[i])))
			return 1;
	return 0;
}

static int take_entry(void *ctx, LDAPMessage *e, struct zs_err *err)
{
	struct reading *r = ctx;
	struct ldap_text_rules rules = {&r->c->options->ephemeral, 0};
	char *dn = r->x->is_config ? ldap_get_dn(r->c->ld, e) : NULL;

	rules.is_schema = dn && strncasecmp(dn, "cn=schema,cn=config", 19) == 0 && !dn[19];
	ldap_memfree(dn);
	if (ldap_text_read(r->c->ld, e, &rules, &r->text, err) < 0)
		return -1;
	if (is_excluded(r->c, r->x, zs_buf_span(&r->text.dn)))
		return 0;
	return ldap_spool_put(&r->x->spool, &r->text, r->round, err);
}

static int restart_list(void *ctx, struct zs_err *err)
{
	struct reading *r = ctx;

	(void)err;
	ldap_spool_fini(&r->x->spool);
	return 0;
}

int ldap_read_list(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err)
{
	struct reading r = {.c = c, .x = x};
	struct adaptive a = {{x->suffix, all_filter, LDAP_SCOPE_SUBTREE, everything, c->options->page, 0}, take_entry, restart_list, &r};
	int rc;

	ldap_spool_fini(&x->spool);
	rc = read_csn(c, x, &x->before, err);
	if (rc == 0)
		rc = search_adapting(c, &a, err);
	if (rc == 0 && x->spool.live == 0)
		rc = zs_fail(err, ZS_SOURCE, "%s: nothing can be seen below '%s'", c->options->url->label, x->suffix);
	ldap_text_fini(&r.text);
	return rc;
}

/* --------------------------------------------------------------- listings afterwards */

struct listing {
	struct ldap_conn *c;
	struct ldap_context *x;
	uint32_t round;
	struct zs_strings changed; /* DNs */
};

static int first_value(LDAP *ld, LDAPMessage *e, const char *name, struct zs_buf *out, struct zs_err *err)
{
	struct berval **list = ldap_get_values_len(ld, e, name);
	int rc = list && list[0] ? zs_buf_add(out, list[0]->bv_val, list[0]->bv_len, err) : 0;

	ldap_value_free_len(list);
	return rc;
}

struct listed { struct zs_span dn, uuid, csn; int has_children; };

/* A child changes nothing of its parent but that there is one, and that a group with children stands before them. */
static int look_at(struct listing *l, const struct listed *e, struct zs_err *err)
{
	const struct zs_span dn = e->dn;
	uint8_t id[16];
	struct ldap_row *row;

	ldap_spool_id(e->uuid, dn, id);
	row = ldap_spool_find(&l->x->spool, id);
	if (!row || row->csn != zs_hash64(0, e->csn) || row->dn != zs_hash64(0, dn) || row->has_children != e->has_children) {
		if (is_excluded(l->c, l->x, dn))
			return 0;
		if (zs_strings_add(&l->changed, dn, err) < 0)
			return -1;
	}
	if (row)
		row->round = l->round;
	return 0;
}

static int take_listed(void *ctx, LDAPMessage *e, struct zs_err *err)
{
	struct listing *l = ctx;
	struct zs_buf uuid = ZS_BUF_INIT, csn = ZS_BUF_INIT, children = ZS_BUF_INIT;
	char *dn = ldap_get_dn(l->c->ld, e);
	int rc = -1;

	if (!dn) {
		(void)zs_fail(err, ZS_SOURCE, "%s: an entry without a name", l->c->options->url->label);
		goto out;
	}
	if (first_value(l->c->ld, e, "entryUUID", &uuid, err) < 0 || first_value(l->c->ld, e, "entryCSN", &csn, err) < 0 ||
	    (csn.n == 0 && first_value(l->c->ld, e, "modifyTimestamp", &csn, err) < 0) ||
	    first_value(l->c->ld, e, "hasSubordinates", &children, err) < 0)
		goto out;
	rc = look_at(l, &(struct listed){zs_span_str(dn), zs_buf_span(&uuid), zs_buf_span(&csn), zs_span_eq(zs_buf_span(&children), zs_span_str("TRUE"))}, err);
out:
	ldap_memfree(dn);
	zs_buf_fini(&uuid);
	zs_buf_fini(&csn);
	zs_buf_fini(&children);
	return rc;
}

static int restart_listing(void *ctx, struct zs_err *err)
{
	(void)err;
	zs_strings_fini(&((struct listing *)ctx)->changed);
	return 0;
}

/* The changed ones anew; what is gone again by now shows in the next listing. */
static int fetch_changed(struct listing *l, struct zs_err *err)
{
	struct reading r = {.c = l->c, .x = l->x, .round = l->round};
	int rc = 0, code;

	for (size_t i = 0; rc == 0 && i < l->changed.n; i++) {
		const struct ldap_search s = {l->changed.v[i], all_filter, LDAP_SCOPE_BASE, everything, 0, 0};

		rc = ldap_conn_search(l->c, &s, take_entry, &r, &code, err);
		if (rc < 0 && code == LDAP_NO_SUCH_OBJECT) {
			zs_err_clear(err);
			rc = 0;
		}
	}
	ldap_text_fini(&r.text);
	return rc;
}

static size_t drop_vanished(struct listing *l)
{
	struct ldap_spool *s = &l->x->spool;
	size_t gone = 0;

	for (size_t i = 0; i < s->n; i++) {
		if (s->rows[i].main_n && s->rows[i].round != l->round) {
			ldap_spool_drop(s, &s->rows[i]);
			gone++;
		}
	}
	return gone;
}

/* 1: nothing had changed, 0, -1 */
static int settle_once(struct listing *l, struct zs_err *err)
{
	static const char *const marks[] = {"entryUUID", "entryCSN", "modifyTimestamp", "hasSubordinates", NULL};
	struct adaptive a = {{l->x->suffix, all_filter, LDAP_SCOPE_SUBTREE, marks, l->c->options->page, 0}, take_listed, restart_listing, l};
	size_t gone;

	if (read_csn(l->c, l->x, &l->x->after, err) < 0 || search_adapting(l->c, &a, err) < 0)
		return -1;
	gone = drop_vanished(l);
	if (gone == 0 && l->changed.n == 0)
		return 1;
	return fetch_changed(l, err);
}

/* Where the server keeps a contextCSN (syncprov), one that stands still says that nothing was written. */
static int stands_still(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err)
{
	int same;

	if (x->before.n == 0)
		return 0;
	if (read_csn(c, x, &x->after, err) < 0)
		return -1;
	same = x->before.n == x->after.n;
	for (size_t i = 0; same && i < x->before.n; i++)
		same = strcmp(x->before.v[i], x->after.v[i]) == 0;
	return same;
}

int ldap_read_settle(struct ldap_conn *c, struct ldap_context *x, struct zs_err *err)
{
	int rc = stands_still(c, x, err);

	while (rc == 0 && x->rounds < ROUNDS_MAX) {
		struct listing l = {.c = c, .x = x, .round = ++x->rounds};

		rc = settle_once(&l, err);
		zs_strings_fini(&l.changed);
	}
	if (rc < 0)
		return -1;
	x->is_clean = rc == 1;
	if (!x->is_clean)
		ldap_read_note(c, ZS_NOTE_WARNING, "%s: '%s' changed during every one of %d listings: the last changes may be missing",
		    c->options->url->label, x->suffix, ROUNDS_MAX);
	ldap_spool_sort(&x->spool);
	x->entries = x->spool.n;
	return 0;
}

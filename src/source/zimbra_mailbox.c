/*
 * Which mailboxes there are, whose they are, which of them are wanted; and for each a number that changes when anything in
 * it does, from one question per database that indexes can answer.
 */
#include "zimbra_private.h"

#include <mysqld_error.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void zimbra_mailbox_fini(struct zimbra_mailbox *m)
{
	free(m->component);
	free(m->name);
	free(m->account_id);
	memset(m, 0, sizeof *m);
}

/* --------------------------------------------------------------------------- which */

static int is_class_wanted(const struct zimbra_source *s, const struct zs_strings *patterns, const struct zimbra_account *a)
{
	const char *id = zimbra_directory_class(&s->directory, a);

	if (zimbra_options_match(patterns, id))
		return 1;
	for (size_t i = 0; i < s->directory.classes_n; i++)
		if (strcmp(s->directory.classes[i].id, id) == 0 && zimbra_options_match(patterns, s->directory.classes[i].name))
			return 1;
	return 0;
}

static int is_wanted(const struct zimbra_source *s, const char *name, const struct zimbra_account *a)
{
	const struct zimbra_options *o = &s->options;
	const char *at = strrchr(name, '@');

	if (zimbra_options_match(&o->excludes, name))
		return 0;
	if (o->accounts.n + o->domains.n + o->classes.n == 0)
		return 1;
	if (zimbra_options_match(&o->accounts, name) || (at && zimbra_options_match(&o->domains, at + 1)))
		return 1;
	return a && o->classes.n > 0 && is_class_wanted(s, &o->classes, a);
}

static int add(struct zimbra_source *s, const char *name, const char *account_id, uint32_t id, uint32_t group, struct zs_err *err)
{
	struct zs_buf component = ZS_BUF_INIT;
	struct zimbra_mailbox *m;

	if (s->mailboxes_n == s->mailboxes_cap) {
		size_t cap = s->mailboxes_cap ? 2 * s->mailboxes_cap : 64;
		struct zimbra_mailbox *grown = realloc(s->mailboxes, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		s->mailboxes = grown;
		s->mailboxes_cap = cap;
	}
	m = &s->mailboxes[s->mailboxes_n++];
	*m = (struct zimbra_mailbox){.name = strdup(name), .account_id = strdup(account_id), .id = id, .group = group};
	if (zimbra_names_component(zs_span_str(name), id, &component, err) < 0 || zs_buf_add_u8(&component, 0, err) < 0) {
		zs_buf_fini(&component);
		return -1;
	}
	m->component = (char *)component.p;
	return m->name && m->account_id ? 0 : zs_fail_nomem(err);
}

/* A row of zimbra.mailbox: id, group_id, account_id, comment. */
static int take_row(struct zimbra_source *s, const struct sql_result *r, struct zs_strings *seen, struct zs_err *err)
{
	struct zs_span id = sql_result_get(r, 2), comment = sql_result_get(r, 3);
	uint32_t mailbox = (uint32_t)sql_result_number(r, 0);
	const struct zimbra_account *a;
	struct zs_err why = {0};
	char account[160];
	const char *name;

	if (!id.p || id.n == 0 || id.n >= sizeof account || memchr(id.p, 0, id.n)) {
		(void)zs_fail(&why, ZS_SOURCE, "mailbox %u has no account id that could be one: it is not backed up", mailbox);
		zimbra_problem(s, NULL, zs_span_str("zimbra.mailbox"), &why);
		return 0;
	}
	memcpy(account, id.p, id.n);
	account[id.n] = 0;
	a = zimbra_directory_find(&s->directory, account);
	name = a && a->name[0] ? a->name : account;
	if (zs_strings_add(seen, zs_span_str(a ? a->id : account), err) < 0)
		return -1;
	if (!is_wanted(s, name, a))
		return 0;
	if (add(s, name, account, mailbox, (uint32_t)sql_result_number(r, 1), err) < 0)
		return -1;
	if (a)
		return 0;
	(void)zs_fail(&why, ZS_SOURCE, "mailbox %u (%.*s) is of an account that the directory does not have: it is backed up under its id", mailbox,
	    (int)(comment.p ? comment.n : 0), comment.p ? (const char *)comment.p : "");
	zimbra_problem(s, &s->mailboxes[s->mailboxes_n - 1], zs_span_str(name), &why);
	return 0;
}

static int is_here(const struct zimbra_source *s, const struct zimbra_account *a)
{
	return strcasecmp(a->host, zimbra_config_get(s->config, "zimbra_server_hostname")) == 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Accounts of this server without a mailbox: it is made at the first use, so only one that was used lacks something. */
static int add_without(struct zimbra_source *s, struct zs_strings *seen, struct zs_err *err)
{
	if (seen->n > 0)
		qsort(seen->v, seen->n, sizeof *seen->v, by_text);
	for (size_t i = 0; i < s->directory.accounts_n; i++) {
		const struct zimbra_account *a = &s->directory.accounts[i];
		const char *id = a->id;
		struct zs_err why = {0};

		if (!is_here(s, a) || (seen->n > 0 && bsearch(&id, seen->v, seen->n, sizeof *seen->v, by_text)) || !is_wanted(s, a->name, a))
			continue;
		if (add(s, a->name, a->id, 0, 0, err) < 0)
			return -1;
		if (a->was_used) {
			(void)zs_fail(&why, ZS_SOURCE, "somebody logged in here, but there is no mailbox on this server");
			zimbra_problem(s, &s->mailboxes[s->mailboxes_n - 1], zs_span_str(a->name), &why);
		} else {
			zimbra_note(s, ZS_NOTE_WARNING, "account %s has no mailbox yet: nobody has used it", a->name);
		}
	}
	return 0;
}

static int by_component(const void *a, const void *b)
{
	const struct zimbra_mailbox *x = a, *y = b;
	int c = strcmp(x->component, y->component);

	return c ? c : x->id < y->id ? -1 : x->id > y->id;
}

enum choice { CHOICE_ACCOUNT, CHOICE_DOMAIN, CHOICE_CLASS };

static int is_meant(const struct zimbra_source *s, enum choice by, const struct zs_strings *patterns, const char *name, const struct zimbra_account *a)
{
	const char *at = strrchr(name, '@');

	if (by == CHOICE_CLASS)
		return a && is_class_wanted(s, patterns, a);
	return by == CHOICE_ACCOUNT ? zimbra_options_match(patterns, name) : at && zimbra_options_match(patterns, at + 1);
}

/* By any account that is on this server, also one that is left out. */
static int is_known(const struct zimbra_source *s, enum choice by, const struct zs_strings *one)
{
	for (size_t i = 0; i < s->mailboxes_n; i++)
		if (is_meant(s, by, one, s->mailboxes[i].name, NULL))
			return 1;
	for (size_t i = 0; i < s->directory.accounts_n; i++)
		if (is_here(s, &s->directory.accounts[i]) && is_meant(s, by, one, s->directory.accounts[i].name, &s->directory.accounts[i]))
			return 1;
	return 0;
}

/* Names that lead nowhere are a mistake, or somebody left: said, each once. */
static void name_unknown(struct zimbra_source *s)
{
	static const char *const texts[] = {"there is no such account on this server", "no account of this domain is on this server",
	    "no account of this class of service is on this server"};
	const struct zs_strings *const lists[] = {&s->options.accounts, &s->options.domains, &s->options.classes};

	for (int by = CHOICE_ACCOUNT; by <= CHOICE_CLASS; by++) {
		for (size_t i = 0; i < lists[by]->n; i++) {
			struct zs_strings one = {&lists[by]->v[i], 1, 1};
			struct zs_err why = {0};

			if (is_known(s, (enum choice)by, &one))
				continue;
			(void)zs_fail(&why, ZS_SOURCE, "%s", texts[by]);
			zimbra_problem(s, NULL, zs_span_str(one.v[0]), &why);
		}
	}
}

static size_t options_count(const struct zimbra_options *o)
{
	return o->accounts.n + o->domains.n + o->classes.n + o->excludes.n;
}

void zimbra_mailbox_note(struct zimbra_source *s)
{
	size_t here = 0, wanted = 0;

	for (size_t i = 0; i < s->directory.accounts_n; i++) {
		const struct zimbra_account *a = &s->directory.accounts[i];

		here += is_here(s, a) != 0;
		wanted += is_here(s, a) && is_wanted(s, a->name, a);
	}
	zimbra_note(s, wanted == 0 && options_count(&s->options) > 0 ? ZS_NOTE_LACK : ZS_NOTE_INFO, "%zu of the %zu accounts on this server are chosen", wanted, here);
}

/* Two mailboxes under one name: the later get their ids behind it. */
static int tell_apart(struct zimbra_source *s, struct zs_err *err)
{
	for (size_t i = 1; i < s->mailboxes_n; i++) {
		struct zimbra_mailbox *m = &s->mailboxes[i];
		struct zs_buf component = ZS_BUF_INIT;

		if (strcmp(s->mailboxes[i - 1].component, m->component) != 0)
			continue;
		if (zs_buf_printf(&component, err, "%.200s~%u", m->component, m->id) < 0 || zs_buf_add_u8(&component, 0, err) < 0)
			return -1;
		free(m->component);
		m->component = (char *)component.p;
		qsort(s->mailboxes, s->mailboxes_n, sizeof *s->mailboxes, by_component);
		i = 0;
	}
	return 0;
}

int zimbra_mailbox_list(struct zimbra_source *s, struct zs_err *err)
{
	struct zs_strings seen = {0};
	struct sql_result r;
	int rc = sql_conn_queryf(&s->conn, &r, err, "SELECT id,group_id,account_id,comment FROM zimbra.mailbox ORDER BY id");

	if (rc < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r))
		rc = take_row(s, &r, &seen, err);
	sql_result_fini(&r);
	if (rc == 0)
		rc = add_without(s, &seen, err);
	zs_strings_fini(&seen);
	if (rc < 0)
		return -1;
	if (s->mailboxes_n > 0)
		qsort(s->mailboxes, s->mailboxes_n, sizeof *s->mailboxes, by_component);
	name_unknown(s);
	if (s->mailboxes_n == 0 && options_count(&s->options) > 0)
		return zs_fail(err, ZS_SOURCE, "no account of this server is chosen: look at account, domain, cos and exclude-account");
	return tell_apart(s, err);
}

/* -------------------------------------------------------------------------- probes */

#define PROBE_VERSION 1 /* counts up when the same rows come to be stored in another way */

/* Everything in a row, as one number. */
static int add_checksum(const struct zimbra_table *t, struct zs_buf *q, struct zs_err *err)
{
	if (zs_buf_printf(q, err, "CRC32(CONCAT_WS('\\n'") < 0)
		return -1;
	for (size_t i = 0; i < t->columns.n; i++)
		if (zs_buf_printf(q, err, ",IFNULL(") < 0 || sql_quote_name(q, zs_span_str(t->columns.v[i]), err) < 0 ||
		    zs_buf_printf(q, err, ",'\\0')") < 0)
			return -1;
	return zs_buf_printf(q, err, "))");
}

static int has_mods(const struct zimbra_table *t)
{
	return zimbra_schema_has(t, "id") && zimbra_schema_has(t, "mod_metadata");
}

/*
 * One table's part of the question.  Items have their own change numbers, and an index that has them all; only where blobs can move
 * between volumes, which changes no number, every row is looked at.
 */
static int add_part(const struct zimbra_source *s, const struct zimbra_table *t, unsigned group, struct zs_buf *q, struct zs_err *err)
{
	size_t locals = 0;

	for (size_t i = 0; i < s->volumes.n; i++)
		locals += s->volumes.v[i].type != 10;
	if (q->n > 0 && zs_buf_printf(q, err, " UNION ALL ") < 0)
		return -1;
	if (zs_buf_printf(q, err, "SELECT ") < 0 || sql_quote_text(q, zs_span_str(t->name), err) < 0)
		return -1;
	if (has_mods(t)) {
		if (zs_buf_printf(q, err, ",mailbox_id,COUNT(*),MAX(mod_metadata),SUM(id),SUM(mod_metadata),") < 0)
			return -1;
		if (zimbra_schema_has(t, "locator") && locals > 1
			? zs_buf_printf(q, err, "SUM(CRC32(CONCAT_WS('\\n',id,IFNULL(locator,''),IFNULL(blob_digest,''),size,IFNULL(index_id,''),IFNULL(imap_id,''),IFNULL(prev_folders,''))))") < 0
			: zs_buf_printf(q, err, "0") < 0)
			return -1;
	} else if (zs_buf_printf(q, err, ",mailbox_id,COUNT(*),0,BIT_XOR(") < 0 || add_checksum(t, q, err) < 0 ||
		   zs_buf_printf(q, err, "),SUM(") < 0 || add_checksum(t, q, err) < 0 || zs_buf_printf(q, err, "),0") < 0) {
		return -1;
	}
	if (zs_buf_printf(q, err, " FROM mboxgroup%u.", group) < 0 || sql_quote_name(q, zs_span_str(t->name), err) < 0)
		return -1;
	return zs_buf_printf(q, err, " GROUP BY mailbox_id");
}

static int by_mailbox(const void *a, const void *b)
{
	uint32_t x = (*(struct zimbra_mailbox *const *)a)->id, y = (*(struct zimbra_mailbox *const *)b)->id;

	return x < y ? -1 : x > y;
}

struct group { struct zimbra_mailbox **v; size_t n; }; /* those of one database, by id */

static struct zimbra_mailbox *find(const struct group *g, uint32_t id)
{
	struct zimbra_mailbox key = {.id = id}, *k = &key, **found = bsearch(&k, g->v, g->n, sizeof *g->v, by_mailbox);

	return found ? *found : NULL;
}

static void take_probe(const struct group *g, const struct zimbra_schema *tables, const struct sql_result *r)
{
	struct zimbra_mailbox *m = find(g, (uint32_t)sql_result_number(r, 1));
	struct zs_span table = sql_result_get(r, 0);

	if (!m)
		return;
	for (unsigned i = 0; i < r->columns; i++) {
		struct zs_span v = sql_result_get(r, i);

		m->probe = zs_hash64(m->probe + v.n, v);
	}
	for (size_t i = 0; i < tables->n && i < 64; i++)
		if (zs_span_eq(table, zs_span_str(tables->v[i].name)))
			m->tables |= UINT64_C(1) << i;
	if (zs_span_eq(table, zs_span_str("mail_item")))
		m->items = sql_result_number(r, 2);
	if (sql_result_number(r, 3) > m->highest)
		m->highest = sql_result_number(r, 3);
}

static int probe_group(struct zimbra_source *s, const struct group *g, struct zs_err *err)
{
	struct zs_buf q = ZS_BUF_INIT;
	struct sql_result r;
	unsigned group = g->v[0]->group;
	const struct zimbra_schema *tables = zimbra_schema_of(s, group);
	const uint64_t sum = zimbra_schema_sum(tables) + PROBE_VERSION;
	int rc = 0;

	for (size_t i = 0; i < g->n; i++) {
		const struct zimbra_mailbox *m = g->v[i];

		g->v[i]->probe = zs_hash64(sum + m->id, zs_span_str(m->account_id));
	}
	for (size_t i = 0; rc == 0 && i < tables->n; i++)
		if (tables->v[i].is_of_mailbox)
			rc = add_part(s, &tables->v[i], group, &q, err);
	if (rc == 0 && q.n == 0)
		rc = zs_fail(err, ZS_SOURCE, "it has no tables of mailboxes");
	if (rc == 0)
		rc = sql_conn_query(&s->conn, zs_buf_span(&q), &r, err);
	zs_buf_fini(&q);
	if (rc == 0) {
		while (sql_result_next(&r))
			take_probe(g, tables, &r);
		sql_result_fini(&r);
		return 0;
	}
	if (err->cause != ZS_SOURCE || s->conn.is_lost)
		return -1;
	/* Of another schema than the rest, or damaged: it is read, and what is wrong is found out then. */
	for (size_t i = 0; i < g->n; i++)
		g->v[i]->probe = 0;
	zimbra_note(s, ZS_NOTE_WARNING, "database mboxgroup%u cannot be asked for changes, all of it is read: %s", group, err->text);
	zs_err_clear(err);
	return 0;
}

static int by_group(const void *a, const void *b)
{
	uint32_t x = (*(struct zimbra_mailbox *const *)a)->group, y = (*(struct zimbra_mailbox *const *)b)->group;

	return x != y ? (x < y ? -1 : 1) : by_mailbox(a, b);
}

int zimbra_mailbox_probe(struct zimbra_source *s, struct zs_err *err)
{
	struct zimbra_mailbox **v = calloc(s->mailboxes_n + 1, sizeof(struct zimbra_mailbox *));
	size_t n = 0;
	int rc = 0;

	if (!v)
		return zs_fail_nomem(err);
	for (size_t i = 0; i < s->mailboxes_n; i++)
		if (s->mailboxes[i].id != 0)
			v[n++] = &s->mailboxes[i];
	if (n > 0) {
		qsort(v, n, sizeof *v, by_group);
		rc = zimbra_schema_groups(s, err);
	}
	for (size_t i = 0, k; rc == 0 && i < n; i = k) {
		for (k = i; k < n && v[k]->group == v[i]->group; k++)
			;
		if ((rc = zimbra_stop(s, err)) == 0)
			rc = probe_group(s, &(struct group){v + i, k - i}, err);
	}
	free(v);
	return rc;
}

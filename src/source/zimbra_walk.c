/*
 * The order of items: accounts with their folders, then the tables of the whole server, then what became of each account.
 * An account of which nothing changed is one directory and a proof.
 */
#include "zimbra_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const step_names[] = {"accounts", "server", "states"};

/* What is in an account beside its folders; in the order of their names. */
static const struct special { const char *name; enum zimbra_from from; int is_rows, is_hidden; } specials[] = {
    {"%dumpster", ZIMBRA_FROM_DUMPSTER, 0, 0},
    {"%dumpster-revisions", ZIMBRA_FROM_DUMPSTER_REVISIONS, 0, 0},
    {"%hidden", ZIMBRA_FROM_ITEMS, 0, 1},
    {"%revisions", ZIMBRA_FROM_REVISIONS, 0, 0},
    {"%rows", ZIMBRA_FROM_ITEMS, 1, 0},
};
#define SPECIALS (sizeof specials / sizeof *specials)

static struct zimbra_mailbox *mailbox_at(struct zimbra_source *s)
{
	return &s->mailboxes[s->walk.next];
}

/* ----------------------------------------------------------------------------- items */

static int set_path(struct zimbra_source *s, size_t keep, struct zs_span name, struct zs_err *err)
{
	struct zs_buf *p = &s->walk.path;

	p->n = keep;
	if (p->n > 0 && zs_buf_add_u8(p, '/', err) < 0)
		return -1;
	return zs_buf_add_span(p, name, err);
}

static void give_common(const struct zimbra_source *s, struct zs_source_item *out)
{
	*out = (struct zs_source_item){.content = ZS_KIND_FILE, .path = zs_buf_span(&s->walk.path)};
	out->entry = (struct zs_entry){.flags = ZS_ENTRY_HAS_MODE, .uid = geteuid(), .gid = getegid(), .mtime_ns = s->time_ns, .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN};
	if (s->walk.step == ZIMBRA_STEP_ACCOUNTS && s->walk.is_inside)
		out->part = (unsigned)s->walk.next + 1;
}

static int give_directory(const struct zimbra_source *s, struct zs_source_item *out)
{
	give_common(s, out);
	out->entry.kind = ZS_ENTRY_DIR;
	out->entry.mode = 0700;
	out->entry.mtime_ns = 0; /* none of its own: nothing changes where nothing did */
	return 1;
}

static int give_serial(struct zimbra_source *s, enum zs_kind kind, uint64_t bytes, struct zs_source_item *out, struct zs_err *err)
{
	give_common(s, out);
	out->entry.kind = ZS_ENTRY_FILE;
	out->entry.mode = 0600;
	out->entry.size = bytes;
	out->content = kind;
	out->serial = 1;
	return zimbra_rows_handle(s, &out->handle, err) < 0 ? -1 : 1;
}

static struct zs_span folder_path(const struct zimbra_source *s, const struct zimbra_level *l)
{
	const struct zimbra_folders *f = &s->walk.folders;

	return zs_span_str(l->kind == ZIMBRA_LEVEL_FOLDER ? zimbra_folders_text(f, f->v[l->folder].path_at) : "");
}

/* "\0one\0two\0", or NULL. */
static int has_odd_tags(struct zs_span tags)
{
	if (tags.n == 0)
		return 0;
	return tags.n < 3 || tags.p[0] != 0 || tags.p[tags.n - 1] != 0 || memmem(tags.p, tags.n, "\0\0", 2) != NULL;
}

/* What is odd about a row, but hinders nothing: the row itself is in the backup as it is. */
static void name_oddities(struct zimbra_source *s, const struct zimbra_row *row)
{
	struct zs_err why = {0};

	if (!has_odd_tags(row->tags))
		return;
	(void)zs_fail(&why, ZS_SOURCE, "item %u: its tag names are not as Zimbra writes them (a NUL too many or too few): they may be shown wrongly", row->id);
	zimbra_problem(s, mailbox_at(s), zs_buf_span(&s->walk.path), &why);
}

static int give_item(struct zimbra_source *s, struct zimbra_level *l, struct zs_source_item *out, struct zs_err *err)
{
	const struct zimbra_row *row = zimbra_level_row(l);
	const struct zimbra_where where = {.source = s, .mailbox = mailbox_at(s), .from = l->from, .folder_path = folder_path(s, l)};

	if (set_path(s, l->path_n, zs_buf_span(&l->name), err) < 0)
		return -1;
	name_oddities(s, row);
	give_common(s, out);
	out->entry.kind = ZS_ENTRY_FILE;
	out->entry.mode = 0600;
	out->entry.mtime_ns = row->date_s * INT64_C(1000000000);
	out->entry.size = l->what == ZIMBRA_BLOB ? row->size : l->what == ZIMBRA_VCARD ? row->metadata.n : 0; /* of what is made: about */
	out->entry.item_id = row->id;
	out->home = zs_span(s->walk.path.p, s->walk.levels[0].path_n);
	out->home_id = where.mailbox->id;
	out->entry.identity = zimbra_handle_identity(row, l->what, where.folder_path);
	if (zimbra_handle_new(&where, row, l->what, &out->handle, err) < 0)
		return -1;
	zimbra_level_taken(l);
	return 1;
}

/* ---------------------------------------------------------------------------- levels */

static struct zimbra_level *push(struct zimbra_source *s)
{
	struct zimbra_level *l = &s->walk.levels[s->walk.depth++];
	struct zs_buf name = l->name;
	struct zimbra_batch batch = l->batch;

	zs_buf_clear(&name);
	batch.n = batch.next = 0;
	*l = (struct zimbra_level){.path_n = s->walk.path.n, .name = name, .batch = batch};
	return l;
}

static void push_folder(struct zimbra_source *s, uint32_t number)
{
	const struct zimbra_folder *f = &s->walk.folders.v[number];
	struct zimbra_level *l = push(s);

	l->kind = ZIMBRA_LEVEL_FOLDER;
	l->folder = number;
	l->next_item = f->first_item;
	l->end_item = f->first_item + f->items;
	l->next_special = f->id == ZIMBRA_USER_ROOT ? 0 : SPECIALS;
}

/* Items that stand behind all that are in folders. */
static size_t first_hidden(const struct zimbra_keys *k)
{
	size_t n = k->n;

	while (n > 0 && k->v[n - 1].folder == ZIMBRA_HIDDEN)
		n--;
	return n;
}

static int is_empty(const struct zimbra_source *s, const struct special *x)
{
	const struct zimbra_keys *k = &s->walk.keys[x->from];

	return x->is_rows ? 0 : x->is_hidden ? first_hidden(k) == k->n : k->n == 0;
}

static void push_special(struct zimbra_source *s, const struct special *x)
{
	const struct zimbra_keys *k = &s->walk.keys[x->from];
	struct zimbra_level *l = push(s);

	l->kind = x->is_rows ? ZIMBRA_LEVEL_ROWS : ZIMBRA_LEVEL_FLAT;
	l->from = x->from;
	l->next_item = x->is_hidden ? first_hidden(k) : 0;
	l->end_item = x->is_rows ? l->next_item : k->n;
	l->next_special = SPECIALS;
}

/* What cannot be read of one table is named under the path that its item has, or would have; the rest of the account is read. */
static int pass_over(struct zimbra_source *s, struct zimbra_mailbox *m, int rc, struct zs_err *err)
{
	if (rc >= 0 || err->cause != ZS_SOURCE || s->conn.is_lost)
		return rc;
	zimbra_problem(s, m, zs_buf_span(&s->walk.path), err);
	zs_err_clear(err);
	return 0;
}

/* The probe, of the same snapshot, found no row of this mailbox in the table. */
static int is_known_empty(const struct zimbra_mailbox *m, size_t number)
{
	return m->probe != 0 && number < 64 && !(m->tables & UINT64_C(1) << number);
}

/* The rows of the next table that has any of this mailbox: 1, 0, -1 */
static int step_rows(struct zimbra_source *s, struct zimbra_level *l, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_mailbox *m = mailbox_at(s);
	const struct zimbra_schema *tables = zimbra_schema_of(s, m->group);
	char database[32], file[96];
	int rc = 0;

	zimbra_rows_end(s);
	(void)snprintf(database, sizeof database, "mboxgroup%u", m->group);
	while (rc == 0 && l->next_table < tables->n) {
		const struct zimbra_table *t = &tables->v[l->next_table++];

		if (!t->is_of_mailbox || is_known_empty(m, l->next_table - 1))
			continue;
		(void)snprintf(file, sizeof file, "%.80s.sql", t->name);
		if (set_path(s, l->path_n, zs_span_str(file), err) < 0)
			return -1;
		rc = pass_over(s, m, zimbra_rows_begin(s, database, t, m->id, err), err);
	}
	return rc <= 0 ? rc : give_serial(s, ZS_KIND_SQL, 0, out, err);
}

struct candidates { /* what could come next in a directory, by name; p NULL: nothing */
	struct zs_span special, child, item;
};

static int less(struct zs_span a, struct zs_span b)
{
	int c;

	if (!a.p || !b.p)
		return a.p != NULL;
	c = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
	return c ? c < 0 : a.n < b.n;
}

static int look(struct zimbra_source *s, struct zimbra_level *l, struct candidates *out, struct zs_err *err)
{
	const struct zimbra_folders *f = &s->walk.folders;
	int rc;

	*out = (struct candidates){0};
	while (l->next_special < SPECIALS && is_empty(s, &specials[l->next_special]))
		l->next_special++;
	if (l->next_special < SPECIALS)
		out->special = zs_span_str(specials[l->next_special].name);
	if (l->kind == ZIMBRA_LEVEL_FOLDER && l->next_child < f->v[l->folder].children)
		out->child = zs_span_str(zimbra_folders_text(f, f->v[f->children[f->v[l->folder].first_child + l->next_child]].component_at));
	if ((rc = zimbra_level_item(s, l, err)) <= 0)
		return rc;
	/* '!' is less than anything that could stand there otherwise, so the order of items stays what it is. */
	if (out->child.p && zs_span_eq(out->child, zs_buf_span(&l->name)) && zs_buf_add_u8(&l->name, '!', err) < 0)
		return -1;
	out->item = zs_buf_span(&l->name);
	return 0;
}

/* 1 with an item, 0: the directory is done, -1 */
static int step_level(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_level *l = &s->walk.levels[s->walk.depth - 1];
	const struct zimbra_folders *f = &s->walk.folders;
	struct candidates c;

	if (l->kind == ZIMBRA_LEVEL_ROWS)
		return step_rows(s, l, out, err);
	if (look(s, l, &c, err) < 0)
		return -1;
	if (c.item.p && !less(c.special, c.item) && !less(c.child, c.item))
		return give_item(s, l, out, err);
	if (!c.special.p && !c.child.p)
		return 0;
	if (less(c.special, c.child)) {
		if (set_path(s, l->path_n, c.special, err) < 0)
			return -1;
		push_special(s, &specials[l->next_special++]);
	} else {
		if (set_path(s, l->path_n, c.child, err) < 0)
			return -1;
		push_folder(s, f->children[f->v[l->folder].first_child + l->next_child++]);
	}
	return give_directory(s, out);
}

/* -------------------------------------------------------------------------- accounts */

static int load_folders(struct zimbra_source *s, struct zimbra_mailbox *m, struct zs_err *err)
{
	struct zimbra_folders *f = &s->walk.folders;
	struct zs_err why = {0};
	struct sql_result r;
	size_t odd = 0;
	int rc;

	zimbra_folders_fini(f);
	if (sql_conn_queryf(&s->conn, &r, err, "SELECT id,folder_id,name FROM mboxgroup%u.mail_item WHERE mailbox_id=%u AND type=1", m->group, m->id) < 0)
		return -1;
	rc = 0;
	while (rc == 0 && sql_result_next(&r))
		rc = zimbra_folders_add(f, (uint32_t)sql_result_number(&r, 0), (uint32_t)sql_result_number(&r, 1), sql_result_get(&r, 2), err);
	sql_result_fini(&r);
	if (rc == 0)
		rc = zimbra_folders_finish(f, &odd, err);
	if (rc == 0 && odd > 0) {
		(void)zs_fail(&why, ZS_SOURCE, "%zu of its folders have no place in its tree: they are stored at its top", odd);
		zimbra_problem(s, m, zs_span_str(m->name), &why);
	}
	return rc;
}

static int begin_mailbox(struct zimbra_source *s, struct zs_err *err)
{
	struct zimbra_mailbox *m = mailbox_at(s);

	if (load_folders(s, m, err) < 0)
		return -1;
	for (int from = 0; from < ZIMBRA_FROMS; from++) {
		int rc = zimbra_items_list(s, m, (enum zimbra_from)from, &s->walk.folders, &s->walk.keys[from], err);

		if (rc < 0 && from != ZIMBRA_FROM_ITEMS && (rc = pass_over(s, m, rc, err)) == 0)
			s->walk.keys[from].n = 0;
		if (rc < 0)
			return -1;
	}
	push_folder(s, (uint32_t)(zimbra_folders_find(&s->walk.folders, ZIMBRA_USER_ROOT) - s->walk.folders.v));
	return 0;
}

static void end_mailbox(struct zimbra_source *s)
{
	zimbra_rows_end(s);
	s->walk.is_inside = 0;
	s->walk.depth = 0;
	s->walk.next++;
}

/* What cannot be read of one account is that account's failure, as long as the server answers. */
static int fail_mailbox(struct zimbra_source *s, struct zs_err *err)
{
	struct zimbra_mailbox *m = mailbox_at(s);

	if (err->cause != ZS_SOURCE || s->conn.is_lost)
		return zs_context(err, "account %s", m->name);
	(void)pthread_mutex_lock(&s->lock);
	m->has_failed = 1;
	(void)pthread_mutex_unlock(&s->lock);
	zimbra_problem(s, m, zs_span_str(m->name), err);
	zs_err_clear(err);
	end_mailbox(s);
	return 0;
}

/* The root directory, then the step's own. */
static int enter_step(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_walk *w = &s->walk;

	if (w->step == ZIMBRA_STEP_ACCOUNTS && w->path.n == 0 && s->root.n > 0) {
		if (zs_buf_add_span(&w->path, zs_buf_span(&s->root), err) < 0)
			return -1;
		return give_directory(s, out);
	}
	if (set_path(s, s->root.n, zs_span_str(step_names[w->step]), err) < 0)
		return -1;
	w->has_entered = 1;
	(void)give_directory(s, out);
	out->serial = w->step == ZIMBRA_STEP_STATES; /* what became of the accounts is known when all of them were read */
	return 1;
}

static int give_account(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_mailbox *m = mailbox_at(s);
	struct zimbra_walk *w = &s->walk;

	zs_buf_clear(&w->proof);
	if (set_path(s, s->root.n, zs_span_str("states"), err) < 0 ||
	    zs_buf_printf(&w->proof, err, "%.*s/%s", (int)w->path.n, (const char *)w->path.p, m->component) < 0 ||
	    set_path(s, s->root.n, zs_span_str("accounts"), err) < 0 || set_path(s, w->path.n, zs_span_str(m->component), err) < 0)
		return -1;
	w->is_inside = 1;
	(void)give_directory(s, out);
	out->entry.flags |= ZS_ENTRY_HAS_ITEM;
	out->entry.item_id = m->id;
	if (m->probe != 0 && m->problems == 0) {
		out->proof = zs_buf_span(&w->proof);
		out->proof_identity = m->probe;
	}
	return 1;
}

static int step_accounts(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_walk *w = &s->walk;
	int rc;

	if (!w->is_inside)
		return w->next < s->mailboxes_n ? give_account(s, out, err) : 0;
	if (w->depth == 0) {
		if (mailbox_at(s)->id == 0) {
			end_mailbox(s);
			return step_accounts(s, out, err);
		}
		if (begin_mailbox(s, err) < 0)
			return fail_mailbox(s, err) < 0 ? -1 : step_accounts(s, out, err);
	}
	while (w->depth > 0) {
		if ((rc = step_level(s, out, err)) > 0)
			return 1;
		if (rc < 0)
			return fail_mailbox(s, err) < 0 ? -1 : step_accounts(s, out, err);
		w->depth--;
	}
	end_mailbox(s);
	return step_accounts(s, out, err);
}

/* ------------------------------------------------------------------ server and states */

static int step_server(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_walk *w = &s->walk;
	char file[96];

	while (w->next < s->server_tables.n) {
		const struct zimbra_table *t = &s->server_tables.v[w->next++];
		int rc;

		(void)snprintf(file, sizeof file, "%.80s.sql", t->name);
		if (set_path(s, s->root.n, zs_span_str("server"), err) < 0 || set_path(s, w->path.n, zs_span_str(file), err) < 0)
			return -1;
		if ((rc = zimbra_rows_begin(s, "zimbra", t, 0, err)) > 0)
			return give_serial(s, ZS_KIND_SQL, 0, out, err);
		if (rc == 0)
			continue;
		if (err->cause != ZS_SOURCE || s->conn.is_lost)
			return -1;
		zimbra_problem(s, NULL, zs_buf_span(&w->path), err);
		zs_err_clear(err);
	}
	return 0;
}

static int step_states(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_walk *w = &s->walk;
	const struct zimbra_mailbox *m;

	if (w->next == s->mailboxes_n)
		return 0;
	m = &s->mailboxes[w->next++];
	zimbra_rows_end(s);
	if (set_path(s, s->root.n, zs_span_str("states"), err) < 0 || set_path(s, w->path.n, zs_span_str(m->component), err) < 0 ||
	    zimbra_manifest_state(s, m, &s->rows.text, err) < 0 || give_serial(s, ZS_KIND_FILE, s->rows.text.n, out, err) < 0)
		return -1;
	out->entry.identity = m->problems == 0 ? m->probe : 0;
	return 1;
}

int zimbra_walk_next(struct zimbra_source *s, struct zs_source_item *out, struct zs_err *err)
{
	struct zimbra_walk *w = &s->walk;
	int rc = 0;

	if (zimbra_stop(s, err) < 0)
		return -1;
	while (w->step != ZIMBRA_STEP_END) {
		if (!w->has_entered)
			return enter_step(s, out, err);
		switch (w->step) {
		case ZIMBRA_STEP_ACCOUNTS:
			rc = step_accounts(s, out, err);
			break;
		case ZIMBRA_STEP_SERVER:
			rc = step_server(s, out, err);
			break;
		case ZIMBRA_STEP_STATES:
			rc = step_states(s, out, err);
			break;
		case ZIMBRA_STEP_END:
			break;
		}
		if (rc != 0)
			return rc;
		w->step++;
		w->has_entered = 0;
		w->next = 0;
	}
	zimbra_rows_end(s);
	return 0;
}

void zimbra_walk_skip(struct zimbra_source *s)
{
	if (s->walk.step != ZIMBRA_STEP_ACCOUNTS || !s->walk.is_inside || s->walk.depth > 0)
		return;
	mailbox_at(s)->is_unchanged = 1;
	end_mailbox(s);
}

void zimbra_walk_fini(struct zimbra_source *s)
{
	struct zimbra_walk *w = &s->walk;

	for (size_t i = 0; i < sizeof w->levels / sizeof *w->levels; i++)
		zimbra_level_fini(&w->levels[i]);
	for (int i = 0; i < ZIMBRA_FROMS; i++)
		free(w->keys[i].v);
	zimbra_folders_fini(&w->folders);
	zs_buf_fini(&w->path);
	zs_buf_fini(&w->proof);
}

/*
 * The LDAP source: its phases, its items (two streams a naming context, and a summary), and their content in groups of entries.
 */
#include "ldap_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUP_TARGET (4u << 10)

enum content { CONTENT_NONE, CONTENT_ENTRIES, CONTENT_SIDE, CONTENT_SUMMARY };

struct item { struct zs_buf path; enum content content; size_t context; };

struct source {
	struct zs_source base;
	struct zs_source_handle handle;
	struct zs_source_reader reader;
	const struct zs_source_settings *settings;
	struct ldap_options options;
	struct ldap_conn conn;
	struct zs_buf root, vendor;
	struct ldap_context *contexts;
	size_t contexts_n;
	struct item *items;
	size_t items_n, next;
	int64_t time_ns;
	int is_listed, is_settled, is_laid_out;
	/* the stream at hand */
	const struct item *open;
	size_t row;	/* the next one */
	struct zs_buf group;
	size_t at;
};

static struct source *of_handle(struct zs_source_handle *h)
{
	return (struct source *)(void *)((char *)h - offsetof(struct source, handle));
}

static struct source *of_reader(struct zs_source_reader *r)
{
	return (struct source *)(void *)((char *)r - offsetof(struct source, reader));
}

/* ------------------------------------------------------------------------ phases */

static int add_context(struct source *s, const char *suffix, int is_config, int is_optional, struct zs_err *err)
{
	struct ldap_context *grown = realloc(s->contexts, (s->contexts_n + 1) * sizeof *grown), *x;

	if (!grown)
		return zs_fail_nomem(err);
	s->contexts = grown;
	x = &s->contexts[s->contexts_n++];
	*x = (struct ldap_context){.suffix = strdup(suffix), .is_config = is_config, .is_optional = is_optional, .is_used = 1};
	ldap_spool_init(&x->spool, s->settings->tmp_dir, is_config);
	if (!x->suffix)
		return zs_fail_nomem(err);
	return ldap_dn_component(zs_span_str(suffix), &x->component, err);
}

static int is_below(const char *dn, const char *base)
{
	return zs_dn_is_below(zs_span_str(dn), zs_span_str(base));
}

static int choose(struct source *s, const struct zs_strings *found, const char *config, struct zs_err *err)
{
	const struct ldap_options *o = &s->options;

	if (*o->base)
		return add_context(s, o->base, *config && is_below(o->base, config), 0, err);
	for (size_t i = 0; i < found->n; i++) {
		int is_excluded = !o->accesslog && is_below(found->v[i], "cn=accesslog");

		for (size_t k = 0; k < o->excludes.n; k++)
			is_excluded |= is_below(found->v[i], o->excludes.v[k]);
		if (!is_excluded && add_context(s, found->v[i], 0, 0, err) < 0)
			return -1;
	}
	if (s->contexts_n == 0)
		return zs_fail(err, ZS_SOURCE, "%s: the server names no context that could be backed up", o->url->label);
	return *config && o->config != 0 ? add_context(s, config, 1, o->config < 0, err) : 0;
}

static int find_contexts(struct source *s, struct zs_err *err)
{
	struct zs_strings found = {0};
	struct zs_buf config = ZS_BUF_INIT;
	int rc = ldap_read_contexts(&s->conn, &found, &config, &s->vendor, err);

	if (rc == 0)
		rc = zs_buf_add_u8(&config, 0, err);
	if (rc == 0)
		rc = choose(s, &found, (const char *)config.p, err);
	zs_strings_fini(&found);
	zs_buf_fini(&config);
	return rc;
}

/* One that need not be there is passed over if it cannot be read, and that is said. */
static int pass_over(struct source *s, struct ldap_context *x, struct zs_err *err)
{
	if (!x->is_optional || err->cause != ZS_SOURCE)
		return -1;
	ldap_read_note(&s->conn, ZS_NOTE_WARNING, "the server's configuration (%s) is not backed up, as %.*s may not read it; say config=no if that is meant",
	    x->suffix, (int)s->conn.who.n, (const char *)s->conn.who.p);
	x->is_used = 0;
	zs_err_clear(err);
	return 0;
}

static int connect_to(struct source *s, struct zs_err *err)
{
	if (ldap_conn_open(&s->options, s->settings, &s->conn, err) < 0 || find_contexts(s, err) < 0)
		return -1;
	ldap_read_note(&s->conn, ZS_NOTE_INFO, "%s: connected as %.*s; %.*s", s->options.url->label, (int)s->conn.who.n, (const char *)s->conn.who.p,
	    (int)s->vendor.n, (const char *)s->vendor.p);
	for (size_t i = 0; i < s->contexts_n; i++) {
		if (ldap_read_check(&s->conn, &s->contexts[i], err) < 0 && pass_over(s, &s->contexts[i], err) < 0)
			return -1;
		if (s->contexts[i].is_used)
			ldap_read_note(&s->conn, ZS_NOTE_INFO, "context '%s' can be read", s->contexts[i].suffix);
	}
	return 0;
}

static int each_context(struct source *s, int (*read)(struct ldap_conn *, struct ldap_context *, struct zs_err *), struct zs_err *err)
{
	for (size_t i = 0; i < s->contexts_n; i++)
		if (s->contexts[i].is_used && read(&s->conn, &s->contexts[i], err) < 0)
			return -1;
	return 0;
}

static int ldap_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct source *s = (struct source *)base;

	switch (phase) {
	case ZS_PHASE_CONNECT:
		return connect_to(s, err);
	case ZS_PHASE_LIST:
		s->time_ns = zs_now_ns();
		s->is_listed = 1;
		return each_context(s, ldap_read_list, err);
	case ZS_PHASE_FREEZE:
	case ZS_PHASE_JOIN:
	case ZS_PHASE_THAW:
		return 0;
	case ZS_PHASE_SETTLE:
		if (each_context(s, ldap_read_settle, err) < 0)
			return -1;
		s->is_settled = 1;
		return 0;
	}
	return 0;
}

/* ------------------------------------------------------------------------- texts */

static const struct zs_strings *csn_of(const struct ldap_context *x)
{
	return x->is_clean ? &x->after : &x->before;
}

static int is_suffix_row(const struct ldap_context *x, size_t row)
{
	return row == 0 && x->spool.n > 0 && csn_of(x)->n > 0;
}

/* The text of a row in the stream of ephemeral lines: the suffix's contextCSN is among them. */
static int side_text(struct ldap_context *x, size_t number, struct zs_buf *out, struct zs_err *err)
{
	const struct ldap_row *row = &x->spool.rows[number];
	const struct zs_strings *csn = csn_of(x);
	size_t before = out->n;

	if (ldap_spool_text(&x->spool, row, 1, out, err) < 0)
		return -1;
	if (!is_suffix_row(x, number))
		return 0;
	if (row->side_n == 0) { /* only the line of the DN, from the other text */
		const uint8_t *end;

		if (ldap_spool_text(&x->spool, row, 0, out, err) < 0)
			return -1;
		end = memchr(out->p + before, '\n', out->n - before);
		out->n = (size_t)(end - out->p) + 1;
	}
	for (size_t i = 0; i < csn->n; i++)
		if (ldap_ldif_line(out, zs_span_str("contextCSN"), zs_span_str(csn->v[i]), err) < 0)
			return -1;
	return 0;
}

static int is_in(const struct source *s, size_t number)
{
	const struct ldap_context *x = &s->contexts[s->open->context];

	return s->open->content == CONTENT_ENTRIES || x->spool.rows[number].side_n > 0 || is_suffix_row(x, number);
}

/* Gather entries until one says that the group ends after it: by its id, so that nothing else moves the border. */
static int gather(struct source *s, uint64_t *out_tag, struct zs_err *err)
{
	struct ldap_context *x = &s->contexts[s->open->context];
	int begun = 0;

	zs_buf_clear(&s->group);
	s->at = 0;
	for (; s->row < x->spool.n; s->row++) {
		const struct ldap_row *row = &x->spool.rows[s->row];
		size_t before = s->group.n, bytes;
		uint64_t hash = zs_hash64(3, zs_span(row->id, sizeof row->id));

		if (!is_in(s, s->row))
			continue;
		if (!begun)
			*out_tag = hash;
		begun = 1;
		if ((s->open->content == CONTENT_SIDE ? side_text(x, s->row, &s->group, err) : ldap_spool_text(&x->spool, row, 0, &s->group, err)) < 0 ||
		    zs_buf_add_u8(&s->group, '\n', err) < 0)
			return -1;
		bytes = s->group.n - before;
		if ((s->group.n >= GROUP_TARGET / 4 && hash % GROUP_TARGET < bytes) || s->group.n >= 8 * GROUP_TARGET) {
			s->row++;
			break;
		}
	}
	return begun;
}

static int add_list(struct zs_buf *out, const char *key, const struct zs_strings *l, struct zs_err *err)
{
	if (zs_buf_printf(out, err, ",\"%s\":[", key) < 0)
		return -1;
	for (size_t i = 0; i < l->n; i++)
		if ((i && zs_buf_add_u8(out, ',', err) < 0) || zs_buf_json(out, zs_span_str(l->v[i]), err) < 0)
			return -1;
	return zs_buf_add_u8(out, ']', err);
}

static int add_context_facts(const struct ldap_context *x, struct zs_buf *out, struct zs_err *err)
{
	if (zs_buf_printf(out, err, "{\"suffix\":") < 0 || zs_buf_json(out, zs_span_str(x->suffix), err) < 0 ||
	    zs_buf_printf(out, err, ",\"directory\":") < 0 || zs_buf_json(out, zs_buf_span(&x->component), err) < 0 ||
	    zs_buf_printf(out, err, ",\"entries\":%llu,\"listings\":%u,\"consistent\":%s", (unsigned long long)x->entries, x->rounds,
		x->is_clean ? "true" : "false") < 0)
		return -1;
	if (add_list(out, "context_csn", csn_of(x), err) < 0 || add_list(out, "context_csn_before", &x->before, err) < 0)
		return -1;
	return zs_buf_add_u8(out, '}', err);
}

static int ldap_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	struct source *s = (struct source *)base;
	char when[32];
	int any = 0;

	if (!s->is_listed)
		return 0;
	if (zs_buf_printf(out, err, "{\"root\":") < 0 || zs_buf_json(out, zs_buf_span(&s->root), err) < 0 ||
	    zs_buf_printf(out, err, ",\"server\":") < 0 || zs_buf_json(out, zs_buf_span(&s->vendor), err) < 0 ||
	    zs_buf_printf(out, err, ",\"identity\":") < 0 || zs_buf_json(out, zs_buf_span(&s->conn.who), err) < 0 ||
	    zs_buf_printf(out, err, ",\"time\":\"%s\",\"contexts\":[", zs_time_iso(s->time_ns, when)) < 0)
		return -1;
	for (size_t i = 0; i < s->contexts_n; i++) {
		if (!s->contexts[i].is_used)
			continue;
		if ((any && zs_buf_add_u8(out, ',', err) < 0) || add_context_facts(&s->contexts[i], out, err) < 0)
			return -1;
		any = 1;
	}
	return zs_buf_printf(out, err, "]}");
}

/* ------------------------------------------------------------------------- items */

static int add_item(struct source *s, enum content content, size_t context, const char *name, struct zs_err *err)
{
	struct item *grown = realloc(s->items, (s->items_n + 1) * sizeof *grown), *it;
	struct zs_span below = content == CONTENT_SUMMARY || context >= s->contexts_n ? zs_span(NULL, 0) : zs_buf_span(&s->contexts[context].component);

	if (!grown)
		return zs_fail_nomem(err);
	s->items = grown;
	it = &s->items[s->items_n++];
	*it = (struct item){.content = content, .context = context};
	if (zs_buf_add_span(&it->path, zs_buf_span(&s->root), err) < 0)
		return -1;
	if (below.n && (zs_buf_add_u8(&it->path, '/', err) < 0 || zs_buf_add_span(&it->path, below, err) < 0))
		return -1;
	return *name ? zs_buf_printf(&it->path, err, "/%s", name) : 0;
}

static int has_side(const struct ldap_context *x)
{
	for (size_t i = 0; i < x->spool.n; i++)
		if (x->spool.rows[i].side_n > 0 || is_suffix_row(x, i))
			return 1;
	return 0;
}

static int by_path(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	return zs_path_cmp(zs_buf_span(&x->path), zs_buf_span(&y->path));
}

static int lay_out(struct source *s, struct zs_err *err)
{
	s->is_laid_out = 1;
	for (size_t i = 0; i < s->root.n; i++) { /* the directories above the last */
		size_t n = s->root.n;

		if (s->root.p[i] != '/')
			continue;
		s->root.n = i;
		if (add_item(s, CONTENT_NONE, SIZE_MAX, "", err) < 0)
			return -1;
		s->root.n = n;
	}
	if (add_item(s, CONTENT_NONE, SIZE_MAX, "", err) < 0)
		return -1;
	for (size_t i = 0; i < s->contexts_n; i++) {
		if (!s->contexts[i].is_used)
			continue;
		if (add_item(s, CONTENT_NONE, i, "", err) < 0 || add_item(s, CONTENT_ENTRIES, i, "entries.ldif", err) < 0 ||
		    (s->is_settled && has_side(&s->contexts[i]) && add_item(s, CONTENT_SIDE, i, "volatile.ldif", err) < 0))
			return -1;
	}
	if (s->is_settled && add_item(s, CONTENT_SUMMARY, 0, "summary.json", err) < 0)
		return -1;
	qsort(s->items, s->items_n, sizeof *s->items, by_path);
	return 0;
}

static uint64_t size_of(const struct source *s, const struct item *it)
{
	const struct ldap_context *x = it->context < s->contexts_n ? &s->contexts[it->context] : NULL;
	uint64_t bytes = 0;

	for (size_t i = 0; x && it->content == CONTENT_ENTRIES && i < x->spool.n; i++)
		bytes += x->spool.rows[i].main_n + 1;
	return bytes;
}

static int ldap_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct source *s = (struct source *)base;
	const struct item *it;

	if (!s->is_laid_out && lay_out(s, err) < 0)
		return -1;
	if (s->next == s->items_n)
		return 0;
	it = &s->items[s->next++];
	*out = (struct zs_source_item){.path = zs_buf_span(&it->path), .content = it->content == CONTENT_SUMMARY ? ZS_KIND_FILE : ZS_KIND_LDIF};
	out->entry = (struct zs_entry){.kind = it->content ? ZS_ENTRY_FILE : ZS_ENTRY_DIR, .flags = ZS_ENTRY_HAS_MODE, .mode = it->content ? 0600 : 0700,
	    .uid = geteuid(), .gid = getegid(), .mtime_ns = it->content ? s->time_ns : 0, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	if (!it->content)
		return 1;
	out->entry.size = size_of(s, it);
	out->handle = &s->handle;
	out->serial = 1;
	s->open = it;
	return 1;
}

/* ------------------------------------------------------------------------ reading */

static int ldap_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err)
{
	struct source *s = of_handle(h);

	zs_buf_clear(&s->group);
	s->at = s->row = 0;
	*out = &s->reader;
	return s->open->content == CONTENT_SUMMARY ? ldap_manifest(&s->base, &s->group, err) : 0;
}

static int ldap_take(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct source *s = of_reader(r);
	size_t left = s->group.n - s->at;

	(void)err;
	*out_hole = 0;
	*out_n = n < left ? n : left;
	if (*out_n)
		memcpy(p, s->group.p + s->at, *out_n);
	s->at += *out_n;
	return 0;
}

static int ldap_next_group(struct zs_source_reader *r, uint64_t *out_tag, struct zs_err *err)
{
	struct source *s = of_reader(r);

	return s->open->content == CONTENT_SUMMARY ? 0 : gather(s, out_tag, err);
}

static int ldap_close(struct zs_source_reader *r, int *out_changed, struct zs_err *err)
{
	(void)r;
	(void)err;
	*out_changed = 0;
	return 0;
}

static void ldap_handle_free(struct zs_source_handle *h)
{
	(void)h; /* part of the source */
}

static void ldap_free(struct zs_source *base)
{
	struct source *s = (struct source *)base;

	for (size_t i = 0; i < s->contexts_n; i++) {
		free(s->contexts[i].suffix);
		zs_buf_fini(&s->contexts[i].component);
		ldap_spool_fini(&s->contexts[i].spool);
		zs_strings_fini(&s->contexts[i].before);
		zs_strings_fini(&s->contexts[i].after);
	}
	for (size_t i = 0; i < s->items_n; i++)
		zs_buf_fini(&s->items[i].path);
	free(s->contexts);
	free(s->items);
	zs_buf_fini(&s->root);
	zs_buf_fini(&s->vendor);
	zs_buf_fini(&s->group);
	ldap_conn_close(&s->conn);
	ldap_options_fini(&s->options);
	free(s);
}

int zs_source_ldap_new(const struct zs_server_settings *server, const struct zs_source_settings *settings, struct zs_source **out,
    struct zs_err *err)
{
	static const struct zs_source_ops ops = {
		.next = ldap_next,
		.free = ldap_free,
		.open = ldap_open,
		.read = ldap_take,
		.next_group = ldap_next_group,
		.close = ldap_close,
		.prepare = ldap_prepare,
		.manifest = ldap_manifest,
		.handle_free = ldap_handle_free,
	};
	struct source *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	*s = (struct source){.base = {&ops}, .handle = {&ops}, .reader = {&ops}, .settings = settings};
	if (ldap_options_parse(server, &s->options, err) < 0 || zs_buf_add_span(&s->root, server->root, err) < 0) {
		ldap_free(&s->base);
		return -1;
	}
	*out = &s->base;
	return 0;
}

/*
 * The visit of all trees: nodes shared by several snapshots once.  Of every entry: that it makes sense, and that every
 * chunk it refers to is known to be in a pack that exists.
 */
#include "check_private.h"

#include <string.h>

static int shown(struct zs_span path)
{
	return (int)(path.n < 200 ? path.n : 200);
}

/* ------------------------------------------------------------------------- nodes */

static int node_is_bad(struct check *c, const struct zs_id *node, const struct zs_err *why, struct zs_err *err)
{
	struct check_finding f = {.about = CHECK_NODE, .snapshot = c->snapshot, .node = *node};
	struct zs_err text = *why;
	char label[24], hex[ZS_ID_HEX];

	(void)zs_context(&text, "%s: tree node %s, and all that is below it", check_label(c, c->snapshot, label),
	    zs_id_hex(node, hex));
	return check_say(c, &f, zs_span(NULL, 0), &text, err);
}

/* 1 not seen before: it is then in c->plain; 0 seen, or bad and reported. */
static int enter(void *ctx, const struct zs_id *node, struct zs_err *err)
{
	struct check *c = ctx;
	struct zs_location at;
	struct zs_span plain;
	struct zs_err why = {0};
	uint64_t bit;
	int got;

	if (check_stopped(c, err) < 0 || (got = check_locate(c, node, &at, err)) < 0)
		return -1;
	if (!got) {
		(void)zs_fail(&why, ZS_CORRUPT, "its chunk is nowhere");
		return node_is_bad(c, node, &why, err);
	}
	got = check_bit(c, &at, &bit, err);
	if (got < 0)
		return -1;
	if (got && c->seen[bit / 8] >> (bit % 8) & 1)
		return 0;
	if (got)
		c->seen[bit / 8] |= (uint8_t)(1u << (bit % 8));
	/* read here, because a visit ends where a node cannot be read */
	if (zs_store_read(c->reader, node, &plain, &why) < 0) {
		if (check_is_finding(&why))
			return node_is_bad(c, node, &why, err);
		*err = why;
		return -1;
	}
	zs_buf_clear(&c->plain);
	c->node = *node;
	c->report->nodes++;
	return zs_buf_add_span(&c->plain, plain, err) < 0 ? -1 : 1;
}

static int get_entered(void *ctx, const struct zs_id *id, struct zs_buf *out, struct zs_err *err)
{
	struct check *c = ctx;

	if (zs_id_cmp(id, &c->node) != 0)
		return zs_fail(err, ZS_INTERNAL, "a node is read that was not entered");
	return zs_buf_add_span(out, zs_buf_span(&c->plain), err);
}

/* ----------------------------------------------------------------------- entries */

static int read_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(((struct check *)ctx)->reader, id, out, err);
}

static int check_ref(void *ctx, const struct zs_id *id, uint32_t bytes, struct zs_err *err)
{
	struct check *c = ctx;
	struct zs_location at;
	char hex[ZS_ID_HEX];
	int got;

	/* A recipe that somebody made can name a chunk 10^10 times: it must be possible to stop in the middle. */
	if (check_stopped(c, err) < 0)
		return -1;
	got = check_locate(c, id, &at, err);
	if (got > 0 && at.chunk_bytes != bytes)
		return zs_fail(err, ZS_CORRUPT, "chunk %s has %u bytes and should have %u", zs_id_hex(id, hex),
		    at.chunk_bytes, bytes);
	if (got == 0 && c->chunks_gone++ == 0)
		c->first_gone = *id;
	if (got > 0 && c->join)
		check_join_ref(c, id, &at);
	return got < 0 ? -1 : 0;
}

static int check_xattrs(const struct zs_entry *e, struct zs_err *err)
{
	struct zs_span rest = e->xattrs, name, value;
	int got;

	while ((got = zs_format_xattr_next(&rest, &name, &value, err)) > 0)
		;
	return got;
}

/* Only a directory has entries below it.  0, or -1 with what is wrong. */
static int check_parent(struct check *c, struct zs_span path, const struct zs_entry *e, struct zs_err *why)
{
	struct zs_span not_dir = zs_buf_span(&c->not_dir);

	if (not_dir.n > 0 && zs_path_below(path, not_dir))
		return zs_fail(why, ZS_CORRUPT, "it stands below something that is no directory");
	zs_buf_clear(&c->not_dir);
	return e->kind == ZS_ENTRY_DIR ? 0 : zs_buf_add_span(&c->not_dir, path, why);
}

/* What can be said of an entry without reading its content.  0, or -1 with what is wrong. */
static int check_fields(struct check *c, struct zs_span path, const struct zs_entry *e, struct zs_err *why)
{
	char hex[ZS_ID_HEX];

	if (check_parent(c, path, e, why) < 0 || check_xattrs(e, why) < 0)
		return -1;
	if (e->kind != ZS_ENTRY_FILE)
		return 0;
	if (!e->recipe.n && e->sum != zs_hash64(0, e->inline_data))
		return zs_fail(why, ZS_CORRUPT, "its content and its checksum differ");
	c->chunks_gone = 0;
	if (e->recipe.n && zs_mail_refs(e, read_chunk, check_ref, c, why) < 0)
		return -1;
	if (c->chunks_gone)
		return zs_fail(why, ZS_CORRUPT, "%llu of its chunks are nowhere, first %s",
		    (unsigned long long)c->chunks_gone, zs_id_hex(&c->first_gone, hex));
	return 0;
}

static int check_entry(void *ctx, struct zs_span path, struct zs_span entry, struct zs_err *err)
{
	struct check *c = ctx;
	struct check_finding f = {.about = CHECK_FILE, .snapshot = c->snapshot, .node = c->node};
	const struct zs_observer *o = c->settings->observer;
	struct zs_err why = {0};
	struct zs_entry e;
	char label[24];

	c->report->entries++;
	if (!c->joining && c->report->entries % 1024 == 0) {
		c->progress.files = c->report->entries;
		c->progress.problems = c->report->findings;
		if (o && o->progress)
			o->progress(o->ctx, &c->progress);
		if (check_stopped(c, err) < 0)
			return -1;
	}
	if (zs_format_entry_decode(entry, &e, err) < 0)
		return -1;
	if (check_fields(c, path, &e, &why) == 0)
		return c->joining && e.recipe.n ? check_join_add(c, path, entry, e.size, err) : 0;
	if (!check_is_finding(&why)) {
		*err = why;
		return -1;
	}
	(void)zs_context(&why, "%s: %.*s", check_label(c, c->snapshot, label), shown(path), (const char *)path.p);
	return check_say(c, &f, path, &why, err);
}

/* ------------------------------------------------------------------------- trees */

/* What the snapshot says of its tree as a whole against the root node; a root that cannot be read was found before. */
static int check_totals(struct check *c, const struct zs_snapshot *s, struct zs_err *why)
{
	const struct zs_tree_io io = zs_reader_tree_io(c->reader);
	struct zs_err unread = {0};
	struct zs_totals t;

	if (zs_tree_totals(&io, &s->root, zs_span(NULL, 0), &t, &unread) < 0)
		return 0;
	if (t.entries != s->totals.entries || t.files != s->totals.files || t.messages != s->totals.messages ||
	    t.bytes != s->totals.bytes)
		return zs_fail(why, ZS_CORRUPT, "its totals are not those of its tree");
	return 0;
}

static int check_tree(struct check *c, struct zs_err *err)
{
	const struct zs_tree_io io = {.ctx = c, .get = get_entered};
	const struct zs_tree_visit visit = {.ctx = c, .enter = enter, .entry = check_entry};
	const struct check_finding f = {.about = CHECK_OTHER};
	const struct zs_snapshot *s = c->snapshots.v[c->snapshot].snapshot;
	struct zs_err why = {0};
	char label[24];

	zs_buf_clear(&c->not_dir);
	if (zs_tree_visit(&io, &s->root, &visit, &why) == 0) {
		if (check_totals(c, s, &why) == 0)
			return 0;
		(void)zs_context(&why, "%s", check_label(c, c->snapshot, label));
		return check_say(c, &f, zs_span(NULL, 0), &why, err);
	}
	if (!check_is_finding(&why)) {
		*err = why;
		return -1;
	}
	/* What is damaged here, and what comes after it, must not pass for checked in the next snapshot. */
	memset(c->seen, 0, c->chunks / 8 + 1);
	(void)zs_context(&why, "%s: its tree could not be checked to the end", check_label(c, c->snapshot, label));
	return check_say(c, &f, zs_span(NULL, 0), &why, err);
}

int check_trees(struct check *c, struct zs_err *err)
{
	for (c->snapshot = 0; c->snapshot < c->snapshots.n; c->snapshot++)
		if (check_tree(c, err) < 0)
			return -1;
	return 0;
}

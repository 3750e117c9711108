/*
 * Snapshots: the root of a tree, and of what, when and by whom.  The tree itself
 * and the manifest's content are left to others.
 */
#include <stdlib.h>

#include "format_private.h"

enum {
	T_ROOT = 1,
	T_TIME = 3,
	T_HOST = 4,
	T_USER = 6,
	T_PROGRAM = 8,
	T_TAG = 10,
	T_PATH = 12,
	T_REASON = 14,
	T_FLAGS = 15,
	T_SKIPPED = 16,
	T_TOTALS = 18,
	T_ADDED = 20,
	T_PREVIOUS = 21,
	T_NEWEST = 23,
	T_WRITER = 25,
	T_SEQUENCE = 27,
	T_MANIFEST = 28,
};

static const char record[] = "snapshot";

static void put_totals(struct fields_writer *w, const struct zs_totals *t)
{
	uint8_t b[4 * VARINT_MAX], *p = b;

	if (!fields_totals_check(t))
		fields_refuse(w, ZS_INTERNAL, "totals cannot be true");
	if (!t->entries && !t->bytes)
		return;
	p = row_put_varint(p, t->entries);
	p = row_put_varint(p, t->files);
	p = row_put_varint(p, t->messages);
	p = row_put_varint(p, t->bytes);
	fields_add_any(w, T_TOTALS, zs_span(b, (size_t)(p - b)));
}

int zs_format_snapshot_encode(const struct zs_snapshot *s, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;

	fields_begin(&w, record, out, err);
	if (s->flags & ~(uint64_t)ZS_SNAPSHOT_PARTIAL)
		fields_refuse(&w, ZS_INTERNAL, "unknown flags");
	if (s->manifest.n > FORMAT_MANIFEST_MAX)
		fields_refuse(&w, ZS_LIMIT, "manifest is too long");
	if (bytes_zero(s->root.b, ZS_ID_BYTES))
		fields_refuse(&w, ZS_INTERNAL, "no root");
	fields_add_fixed(&w, T_ROOT, s->root.b, ZS_ID_BYTES);
	fields_add_i64(&w, T_TIME, s->time_ns);
	fields_add_text(&w, T_HOST, s->host);
	fields_add_text(&w, T_USER, s->user);
	fields_add_text(&w, T_PROGRAM, s->program);
	fields_add_texts(&w, T_TAG, &s->tags, FORMAT_LIST_MAX);
	fields_add_texts(&w, T_PATH, &s->paths, FORMAT_LIST_MAX);
	fields_add_texts(&w, T_REASON, &s->reasons, FORMAT_REASONS_MAX);
	fields_add_u64(&w, T_FLAGS, s->flags);
	fields_add_u64(&w, T_SKIPPED, s->skipped);
	put_totals(&w, &s->totals);
	fields_add_u64(&w, T_ADDED, s->added_bytes);
	fields_add_fixed(&w, T_PREVIOUS, s->previous.b, ZS_NAME_BYTES);
	fields_add_fixed(&w, T_NEWEST, s->newest_seen.b, ZS_NAME_BYTES);
	fields_add_fixed(&w, T_WRITER, s->writer.b, ZS_NAME_BYTES);
	fields_add_u64(&w, T_SEQUENCE, s->sequence);
	fields_add_bytes(&w, T_MANIFEST, zs_buf_span(&s->manifest));
	return fields_end(&w);
}

static int take_totals(const struct fields *f, struct zs_span value, struct zs_totals *t)
{
	struct row r = row_open(value);

	t->entries = row_varint(&r, "entries");
	t->files = row_varint(&r, "files");
	t->messages = row_varint(&r, "messages");
	t->bytes = row_varint(&r, "bytes");
	if (r.bad || r.p != r.end || !fields_totals_check(t) || (!t->entries && !t->bytes))
		return fields_bad(f, "totals", "are damaged");
	return 0;
}

static int take_manifest(const struct fields *f, struct zs_span value, struct zs_buf *out)
{
	if (!value.n || value.n > FORMAT_MANIFEST_MAX)
		return fields_bad(f, "manifest", "has a wrong length");
	return zs_buf_add_span(out, value, f->err);
}

static int take_flags(const struct fields *f, struct zs_span value, uint64_t *out)
{
	if (fields_u64(f, "flags", value, UINT64_MAX, out) < 0)
		return -1;
	return *out & ~(uint64_t)ZS_SNAPSHOT_PARTIAL ? fields_newer(f, "a flag") : 0;
}

static int take_field(const struct fields *f, unsigned tag, struct zs_span value, struct zs_snapshot *s)
{
	switch (tag) {
	case T_ROOT:
		return fields_fixed(f, "root", value, s->root.b, ZS_ID_BYTES);
	case T_TIME:
		return fields_i64(f, "time", value, &s->time_ns);
	case T_HOST:
		return fields_text(f, "host", value, &s->host);
	case T_USER:
		return fields_text(f, "user", value, &s->user);
	case T_PROGRAM:
		return fields_text(f, "program", value, &s->program);
	case T_TAG:
		return fields_texts(f, "tags", value, &s->tags, FORMAT_LIST_MAX);
	case T_PATH:
		return fields_texts(f, "paths", value, &s->paths, FORMAT_LIST_MAX);
	case T_REASON:
		return fields_texts(f, "reasons", value, &s->reasons, FORMAT_REASONS_MAX);
	case T_FLAGS:
		return take_flags(f, value, &s->flags);
	case T_SKIPPED:
		return fields_u64(f, "skipped items", value, UINT64_MAX, &s->skipped);
	case T_TOTALS:
		return take_totals(f, value, &s->totals);
	case T_ADDED:
		return fields_u64(f, "added bytes", value, UINT64_MAX, &s->added_bytes);
	case T_PREVIOUS:
		return fields_fixed(f, "previous snapshot", value, s->previous.b, ZS_NAME_BYTES);
	case T_NEWEST:
		return fields_fixed(f, "newest snapshot seen", value, s->newest_seen.b, ZS_NAME_BYTES);
	case T_WRITER:
		return fields_fixed(f, "writer", value, s->writer.b, ZS_NAME_BYTES);
	case T_SEQUENCE:
		return fields_u64(f, "sequence", value, UINT64_MAX, &s->sequence);
	case T_MANIFEST:
		return take_manifest(f, value, &s->manifest);
	}
	return 0;
}

/* Texts that were omitted are empty, not NULL. */
static int fill_texts(struct zs_snapshot *s, struct zs_err *err)
{
	char **const texts[] = {&s->host, &s->user, &s->program};

	for (size_t i = 0; i < 3; i++)
		if (!*texts[i] && !(*texts[i] = fields_dup(zs_span(NULL, 0), err)))
			return -1;
	return 0;
}

int zs_format_snapshot_decode(struct zs_span s, struct zs_snapshot **out, struct zs_err *err)
{
	const uint64_t many = FIELD(T_TAG) | FIELD(T_PATH) | FIELD(T_REASON);
	const uint64_t once = FIELD(T_ROOT) | FIELD(T_TIME) | FIELD(T_HOST) | FIELD(T_USER) | FIELD(T_PROGRAM) |
			      FIELD(T_FLAGS) | FIELD(T_SKIPPED) | FIELD(T_TOTALS) | FIELD(T_ADDED) | FIELD(T_PREVIOUS) |
			      FIELD(T_NEWEST) | FIELD(T_WRITER) | FIELD(T_SEQUENCE) | FIELD(T_MANIFEST);
	struct zs_snapshot *snap = calloc(1, sizeof *snap);
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more;

	if (!snap)
		return zs_fail_nomem(err);
	fields_open(&f, record, s, once, many, err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (take_field(&f, tag, value, snap) < 0)
			goto fail;
	if (more < 0 || fields_need(&f, FIELD(T_ROOT)) < 0 || fill_texts(snap, err) < 0)
		goto fail;
	*out = snap;
	return 0;
fail:
	zs_format_snapshot_free(snap);
	return -1;
}

void zs_format_snapshot_free(struct zs_snapshot *s)
{
	if (!s)
		return;
	free(s->host);
	free(s->user);
	free(s->program);
	zs_strings_fini(&s->tags);
	zs_strings_fini(&s->paths);
	zs_strings_fini(&s->reasons);
	zs_buf_fini(&s->manifest);
	free(s);
}

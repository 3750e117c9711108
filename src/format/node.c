/*
 * Nodes of a snapshot's tree: rows in path order, paths front-coded.  Where nodes
 * end and how they hang together is left to tree.
 */
#include "format_private.h"

#define HEAD_MAX (1 + 5)
#define ROW_MAX (2 * VARINT_MAX + ZS_ID_BYTES + 4 * VARINT_MAX) /* all of a row but path and entry */

static const char record[] = "node";

void zs_node_writer_init(struct zs_node_writer *w, uint8_t level)
{
	*w = (struct zs_node_writer){.level = level};
}

void zs_node_writer_fini(struct zs_node_writer *w)
{
	zs_buf_fini(&w->body);
	zs_buf_fini(&w->last_path);
	*w = (struct zs_node_writer){0};
}

static size_t common_prefix(struct zs_span a, struct zs_span b)
{
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	while (i < n && a.p[i] == b.p[i])
		i++;
	return i;
}

/* Does b come after a?  They differ behind `common` bytes.  '/' sorts before every other byte. */
static int comes_after(struct zs_span a, struct zs_span b, size_t common)
{
	if (common == b.n)
		return 0;
	if (common == a.n || a.p[common] == '/')
		return 1;
	return b.p[common] != '/' && a.p[common] < b.p[common];
}

static size_t head_bytes(uint32_t rows)
{
	uint8_t b[VARINT_MAX];

	return 1 + (size_t)(row_put_varint(b, rows) - b);
}

static uint8_t *put_inner(uint8_t *p, const struct zs_node_row *row)
{
	p = row_put_bytes(p, row->child.b, ZS_ID_BYTES);
	p = row_put_varint(p, row->totals.entries);
	p = row_put_varint(p, row->totals.files);
	p = row_put_varint(p, row->totals.messages);
	return row_put_varint(p, row->totals.bytes);
}

static const char *row_check(const struct zs_node_writer *w, const struct zs_node_row *row, size_t common)
{
	if (w->level > FORMAT_LEVEL_MAX)
		return "level is out of range";
	if (!zs_path_valid(row->path))
		return "path is not valid";
	if (w->rows && !comes_after(zs_buf_span(&w->last_path), row->path, common))
		return "paths do not ascend";
	if (w->level ? !row->totals.entries || !fields_totals_check(&row->totals) : !row->entry.n)
		return "entry or totals are missing";
	return NULL;
}

int zs_node_writer_add(struct zs_node_writer *w, const struct zs_node_row *row, struct zs_err *err)
{
	size_t common = common_prefix(zs_buf_span(&w->last_path), row->path), tail = row->path.n - common;
	const char *why = row_check(w, row, common);
	struct zs_span entry = row->entry;
	uint8_t *p, *start;

	if (why)
		return zs_fail(err, ZS_INTERNAL, "%s: %s", record, why);
	if (entry.n > ZS_NODE_MAX)
		return zs_fail(err, ZS_LIMIT, "%s: an entry of %zu bytes", record, entry.n);
	if (zs_buf_reserve(&w->body, ROW_MAX + tail + entry.n, err) < 0 ||
	    zs_buf_reserve(&w->last_path, tail, err) < 0)
		return -1;
	start = p = w->body.p + w->body.n;
	p = row_put_varint(p, common);
	p = row_put_varint(p, tail);
	p = row_put_bytes(p, row->path.p + common, tail);
	p = w->level ? put_inner(p, row) : row_put_span(p, entry);
	if (w->body.n + (size_t)(p - start) > ZS_NODE_MAX - head_bytes(w->rows + 1))
		return zs_fail(err, ZS_LIMIT, "%s: is full", record);
	w->body.n += (size_t)(p - start);
	memcpy(w->last_path.p + common, row->path.p + common, tail);
	w->last_path.n = row->path.n;
	w->rows++;
	return 0;
}

int zs_node_writer_finish(struct zs_node_writer *w, struct zs_buf *out, struct zs_err *err)
{
	uint8_t head[HEAD_MAX], *p = head;

	if (w->level && !w->rows)
		return zs_fail(err, ZS_INTERNAL, "%s: an inner node is empty", record);
	*p++ = w->level;
	p = row_put_varint(p, w->rows);
	if (zs_buf_reserve(out, HEAD_MAX + w->body.n, err) < 0)
		return -1;
	p = row_put_bytes(out->p + out->n, head, (size_t)(p - head));
	p = row_put_bytes(p, w->body.p, w->body.n);
	out->n = (size_t)(p - out->p);
	zs_buf_clear(&w->body);
	zs_buf_clear(&w->last_path);
	w->rows = 0;
	return 0;
}

/* ------------------------------------------------------------------ reading */

int zs_node_reader_init(struct zs_node_reader *r, struct zs_span node, struct zs_err *err)
{
	struct row in = row_open(node);
	struct zs_span level = row_bytes(&in, 1, "level");
	uint64_t rows = row_varint(&in, "number of rows");
	size_t left = (size_t)(in.end - in.p);

	*r = (struct zs_node_reader){0};
	if (in.bad || node.n > ZS_NODE_MAX)
		return zs_fail(err, ZS_CORRUPT, "%s: has a wrong length", record);
	if (level.p[0] > FORMAT_LEVEL_MAX)
		return zs_fail(err, ZS_CORRUPT, "%s: level is out of range", record);
	if (rows > left || (level.p[0] && !rows) || (!rows && left))
		return zs_fail(err, ZS_CORRUPT, "%s: number of rows does not fit its length", record);
	r->level = level.p[0];
	r->rows = (uint32_t)rows;
	r->rest = zs_span(in.p, left);
	return 0;
}

static int take_path(struct zs_node_reader *r, struct row *in, struct zs_err *err)
{
	uint64_t common = row_varint(in, "path"), tail = row_varint(in, "path");
	struct zs_span last = zs_buf_span(&r->path), bytes = row_bytes(in, tail, "path");

	if (in->bad || common > last.n || bytes.n > ZS_PATH_MAX - common)
		return zs_fail(err, ZS_CORRUPT, "%s: path of row %u is damaged", record, r->at);
	if (common < last.n && bytes.n && bytes.p[0] == last.p[common])
		return zs_fail(err, ZS_CORRUPT, "%s: path of row %u is not in its shortest form", record, r->at);
	if (r->at) {
		/* As if the whole new path were there: only its first differing byte is looked at. */
		struct zs_span old = zs_span(last.p + common, last.n - (size_t)common);

		if (!comes_after(old, bytes, 0))
			return zs_fail(err, ZS_CORRUPT, "%s: row %u is out of order", record, r->at);
	}
	r->path.n = (size_t)common;
	if (zs_buf_add_span(&r->path, bytes, err) < 0)
		return -1;
	if (!zs_path_valid(zs_buf_span(&r->path)))
		return zs_fail(err, ZS_CORRUPT, "%s: path of row %u is not valid", record, r->at);
	return 0;
}

int zs_node_reader_next(struct zs_node_reader *r, struct zs_node_row *out, struct zs_err *err)
{
	struct row in = row_open(r->rest);
	struct zs_node_row row = {0};

	if (r->at == r->rows) {
		if (r->rest.n)
			return zs_fail(err, ZS_CORRUPT, "%s: bytes after its last row", record);
		return 0;
	}
	if (take_path(r, &in, err) < 0)
		return -1;
	if (r->level) {
		struct zs_span id = row_bytes(&in, ZS_ID_BYTES, "child");

		row.totals.entries = row_varint(&in, "entries");
		row.totals.files = row_varint(&in, "files");
		row.totals.messages = row_varint(&in, "messages");
		row.totals.bytes = row_varint(&in, "bytes");
		if (!in.bad && (!row.totals.entries || !fields_totals_check(&row.totals) ||
				   fields_totals_add(&r->sum, &row.totals) < 0))
			row_fail(&in, "totals");
		if (!in.bad)
			memcpy(row.child.b, id.p, ZS_ID_BYTES);
	} else {
		row.entry = row_span(&in, "entry");
	}
	if (in.bad)
		return zs_fail(err, ZS_CORRUPT, "%s: %s of row %u is damaged", record, in.bad, r->at);
	r->rest = row_rest(&in);
	row.path = zs_buf_span(&r->path);
	r->at++;
	*out = row;
	return 1;
}

void zs_node_reader_fini(struct zs_node_reader *r)
{
	zs_buf_fini(&r->path);
	*r = (struct zs_node_reader){0};
}

/*
 * Items that the previous snapshot has under another path: asked for by their number, below the directory that they belong to, which
 * may have had another name itself.  One walk of that directory, when the first of them is asked for, tells where all of them were.
 */
#include <stdlib.h>
#include <string.h>

#include "backup_private.h"

#define NEAR 4
#define MOVED_BYTES (16u << 20) /* for the places of one directory; what is beyond is not found, and read again */

struct place { uint64_t item_id; size_t path_at; };
struct moved {
	struct zs_tree_io nodes;
	struct zs_id root;
	struct zs_buf home; /* as it is called now */
	struct zs_tree_cursor *at; /* behind what was found last: what moved together was together before */
	struct zs_buf places, paths; /* places: of struct place, by number; paths: each with a NUL behind */
	int is_loaded;
};

struct moved *backup_moved_new(const struct zs_tree_io *nodes, const struct zs_id *root)
{
	struct moved *m = calloc(1, sizeof *m);

	if (m) {
		m->nodes = *nodes;
		m->root = *root;
	}
	return m;
}

void backup_moved_free(struct moved *m)
{
	if (!m)
		return;
	zs_tree_cursor_free(m->at);
	zs_buf_fini(&m->home);
	zs_buf_fini(&m->places);
	zs_buf_fini(&m->paths);
	free(m);
}

static struct place *places_of(const struct moved *m, size_t *out_n)
{
	*out_n = m->places.n / sizeof(struct place);
	return (struct place *)(void *)m->places.p;
}

static int by_number(const void *a, const void *b)
{
	const struct place *x = a, *y = b;

	return x->item_id != y->item_id ? (x->item_id > y->item_id) - (x->item_id < y->item_id) : (x->path_at > y->path_at) - (x->path_at < y->path_at);
}

/* 1 if it is remembered, or need not be; 0: there is no room for more; -1 */
static int add_place(struct moved *m, struct zs_span path, struct zs_span encoded, struct zs_err *err)
{
	const size_t bytes = m->places.n + m->paths.n;
	struct zs_entry e;
	struct place p;

	if (zs_format_entry_decode(encoded, &e, err) < 0)
		return -1;
	if (e.kind != ZS_ENTRY_FILE || e.identity == 0 || e.item_id == 0)
		return 1;
	if (bytes + sizeof p + path.n + 1 > MOVED_BYTES)
		return 0;
	p = (struct place){e.item_id, m->paths.n};
	if (zs_buf_add(&m->places, &p, sizeof p, err) < 0 || zs_buf_add_span(&m->paths, path, err) < 0)
		return -1;
	return zs_buf_add_u8(&m->paths, 0, err) < 0 ? -1 : 1;
}

/* Is this entry the directory of that number?  1, 0, -1 */
static int is_home(struct zs_span encoded, uint64_t home_id, struct zs_err *err)
{
	struct zs_entry e;

	if (zs_format_entry_decode(encoded, &e, err) < 0)
		return -1;
	return e.kind == ZS_ENTRY_DIR && e.item_id == home_id;
}

/* The directory of that number among those in parent, into *out.  1, 0, -1 */
static int find_neighbour(struct moved *m, struct zs_span parent, uint64_t home_id, struct zs_buf *out, struct zs_err *err)
{
	struct zs_tree_cursor *c = NULL;
	struct zs_span path, encoded;
	int found = 0, rc = zs_tree_cursor_new(&m->nodes, &m->root, &c, err);

	if (rc == 0)
		rc = zs_tree_cursor_seek(c, parent, err);
	while (rc >= 0 && !found && (rc = zs_tree_cursor_next(c, &path, &encoded, err)) > 0) {
		if (zs_span_eq(path, parent))
			continue;
		if (!zs_path_below(path, parent))
			break;
		zs_buf_clear(out); /* what next lends ends with skip */
		if ((found = is_home(encoded, home_id, err)) < 0 || zs_buf_add_span(out, path, err) < 0 ||
		    zs_tree_cursor_skip(c, zs_buf_span(out), err) < 0)
			rc = -1;
	}
	zs_tree_cursor_free(c);
	return rc < 0 ? -1 : found;
}

/* Where home was, into *out: under its name, or under another one beside it.  1, 0, -1 */
static int find_home(struct moved *m, struct zs_span home, uint64_t home_id, struct zs_buf *out, struct zs_err *err)
{
	struct zs_span parent = zs_path_dir(home);
	int rc = zs_tree_lookup(&m->nodes, &m->root, home, out, err);

	if (rc > 0)
		rc = is_home(zs_buf_span(out), home_id, err);
	zs_buf_clear(out);
	if (rc != 0)
		return rc < 0 || zs_buf_add_span(out, home, err) < 0 ? -1 : 1;
	return home_id != 0 ? find_neighbour(m, parent, home_id, out, err) : 0;
}

/* All that is below it. */
static int walk_home(struct moved *m, struct zs_span home, struct zs_err *err)
{
	struct zs_tree_cursor *c = NULL;
	struct zs_span path, encoded;
	int rc = zs_tree_cursor_new(&m->nodes, &m->root, &c, err);

	if (rc == 0)
		rc = zs_tree_cursor_seek(c, home, err);
	while (rc >= 0 && (rc = zs_tree_cursor_next(c, &path, &encoded, err)) > 0) {
		if (zs_span_eq(path, home))
			continue;
		if (!zs_path_below(path, home) || (rc = add_place(m, path, encoded, err)) <= 0)
			break;
	}
	zs_tree_cursor_free(c);
	return rc < 0 ? -1 : 0;
}

/* What of the previous tree cannot be read helps nobody: those items are read again. */
static int no_memory(struct zs_err *err)
{
	if (err->cause == ZS_NOMEM)
		return -1;
	zs_err_clear(err);
	return 0;
}

static int load(struct moved *m, struct zs_span home, uint64_t home_id, struct zs_err *err)
{
	struct zs_buf old = ZS_BUF_INIT;
	size_t n;
	struct place *v;
	int rc;

	if (m->is_loaded && zs_span_eq(zs_buf_span(&m->home), home))
		return 0;
	m->is_loaded = 0;
	zs_buf_clear(&m->home);
	zs_buf_clear(&m->places);
	zs_buf_clear(&m->paths);
	if (zs_buf_add_span(&m->home, home, err) < 0)
		return -1;
	rc = find_home(m, home, home_id, &old, err);
	if (rc > 0)
		rc = walk_home(m, zs_buf_span(&old), err);
	zs_buf_fini(&old);
	if (rc < 0 && no_memory(err) < 0)
		return -1;
	v = places_of(m, &n);
	if (n > 1)
		qsort(v, n, sizeof *v, by_number);
	m->is_loaded = 1;
	return 0;
}

enum step { STEP_BEFORE, STEP_FOUND, STEP_BEYOND };

/* One entry further: is it the one under path (then it is put into *out)?  enum step, or -1 */
static int step_to(struct moved *m, struct zs_span path, struct zs_buf *out, struct zs_err *err)
{
	struct zs_span found, encoded;
	int rc = zs_tree_cursor_next(m->at, &found, &encoded, err), c;

	if (rc <= 0)
		return rc < 0 ? -1 : STEP_BEYOND;
	c = zs_path_cmp(found, path);
	if (c != 0)
		return c < 0 ? STEP_BEFORE : STEP_BEYOND;
	return zs_buf_add_span(out, encoded, err) < 0 ? -1 : STEP_FOUND;
}

/* The entry under path, into *out: one of the next few, or else by going there.  1, 0, -1 */
static int read_place(struct moved *m, struct zs_span path, struct zs_buf *out, struct zs_err *err)
{
	int rc = STEP_BEFORE;

	zs_buf_clear(out);
	if (!m->at && zs_tree_cursor_new(&m->nodes, &m->root, &m->at, err) < 0)
		return -1;
	for (int i = 0; rc == STEP_BEFORE && i < NEAR; i++)
		rc = step_to(m, path, out, err);
	if (rc == STEP_BEFORE || rc == STEP_BEYOND)
		rc = zs_tree_cursor_seek(m->at, path, err) < 0 ? -1 : step_to(m, path, out, err);
	return rc < 0 ? -1 : rc == STEP_FOUND;
}

static size_t first_of(const struct moved *m, uint64_t item_id)
{
	size_t low = 0, high;
	const struct place *v = places_of(m, &high);

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (v[mid].item_id < item_id)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

int backup_moved_find(struct moved *m, const struct zs_source_item *src, struct zs_buf *out, struct zs_err *err)
{
	const struct place *v;
	size_t n;

	if (load(m, src->home, src->home_id, err) < 0)
		return -1;
	v = places_of(m, &n);
	for (size_t i = first_of(m, src->entry.item_id); i < n && v[i].item_id == src->entry.item_id; i++) {
		struct zs_entry old;
		int rc;

		rc = read_place(m, zs_span_str((const char *)m->paths.p + v[i].path_at), out, err);
		if (rc > 0 && zs_format_entry_decode(zs_buf_span(out), &old, err) < 0)
			rc = -1;
		if (rc < 0 && no_memory(err) < 0)
			return -1;
		if (rc > 0 && zs_source_same_content(src->handle, &old))
			return 1;
	}
	return 0;
}

/*
 * A mailbox's folders: from rows with a parent each to paths, and to directories in the snapshot in their order.  Whatever the
 * rows say, the result is a tree.
 */
#include "zimbra_private.h"

#include <stdlib.h>
#include <string.h>

int zimbra_folders_add(struct zimbra_folders *f, uint32_t id, uint32_t parent, struct zs_span name, struct zs_err *err)
{
	size_t at = f->text.n;

	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 32;
		struct zimbra_folder *grown = realloc(f->v, cap * sizeof *grown);

		if (!grown)
			return zs_fail_nomem(err);
		f->v = grown;
		f->cap = cap;
	}
	if (at > UINT32_MAX - (64u << 10) || name.n > 4096)
		return zs_fail(err, ZS_LIMIT, "names of folders take more than 4 GiB");
	/* the name as it is, until the paths are made of it: length, then bytes */
	if (zs_buf_add_u32(&f->text, (uint32_t)name.n, err) < 0 || zs_buf_add_span(&f->text, name, err) < 0)
		return -1;
	f->v[f->n++] = (struct zimbra_folder){.id = id, .parent = parent, .component_at = (uint32_t)at};
	return 0;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = ((const struct zimbra_folder *)a)->id, y = ((const struct zimbra_folder *)b)->id;

	return x < y ? -1 : x > y;
}

struct zimbra_folder *zimbra_folders_find(const struct zimbra_folders *f, uint32_t id)
{
	const struct zimbra_folder key = {.id = id};

	return f->n ? bsearch(&key, f->v, f->n, sizeof key, by_id) : NULL;
}

const char *zimbra_folders_text(const struct zimbra_folders *f, uint32_t at)
{
	return (const char *)f->text.p + at;
}

/* Does the way up from this folder end at one of the roots, within bounds? */
static int is_rooted(const struct zimbra_folders *f, const struct zimbra_folder *x, int *out_is_shown)
{
	*out_is_shown = 0;
	for (int depth = 0; depth < ZIMBRA_DEPTH_MAX - 2; depth++) {
		if (x->id == ZIMBRA_USER_ROOT)
			*out_is_shown = 1;
		if (x->id == ZIMBRA_USER_ROOT || x->id == ZIMBRA_ROOT)
			return 1;
		if (x->parent == x->id || !(x = zimbra_folders_find(f, x->parent)))
			return 0;
	}
	return 0;
}

/* Every folder below one of the roots: those that are not are put below the users'. */
static void plant(struct zimbra_folders *f, size_t *out_odd)
{
	for (size_t i = 0; i < f->n; i++) {
		struct zimbra_folder *x = &f->v[i];

		if (is_rooted(f, x, &x->is_shown))
			continue;
		x->parent = ZIMBRA_USER_ROOT;
		x->is_shown = 1;
		(*out_odd)++;
	}
}

static int make_component(struct zimbra_folders *f, struct zimbra_folder *x, struct zs_buf *name, struct zs_err *err)
{
	uint32_t n = zs_get_u32(f->text.p + x->component_at);

	zs_buf_clear(name);
	if (zs_buf_add(name, f->text.p + x->component_at + 4, n, err) < 0)
		return -1;
	x->path_at = x->component_at; /* the raw name: taken up by make_path */
	x->component_at = (uint32_t)f->text.n;
	if (zimbra_names_component(zs_buf_span(name), x->id, &f->text, err) < 0)
		return -1;
	return zs_buf_add_u8(&f->text, 0, err);
}

/* "/Inbox/Work": the raw names joined. */
static int make_path(const struct zimbra_folders *f, const struct zimbra_folder *x, struct zs_buf *out, struct zs_err *err)
{
	const struct zimbra_folder *way[ZIMBRA_DEPTH_MAX];
	unsigned n = 0;

	while (x && x->id != ZIMBRA_USER_ROOT && x->id != ZIMBRA_ROOT && n < ZIMBRA_DEPTH_MAX) {
		way[n++] = x;
		x = zimbra_folders_find(f, x->parent);
	}
	if (n == 0)
		return zs_buf_add_u8(out, '/', err);
	while (n-- > 0) {
		const uint8_t *raw = f->text.p + way[n]->path_at;

		if (zs_buf_add_u8(out, '/', err) < 0 || zs_buf_add(out, raw + 4, zs_get_u32(raw), err) < 0)
			return -1;
	}
	return 0;
}

struct child { const struct zimbra_folders *f; uint32_t number; };

static int by_place(const void *a, const void *b)
{
	const struct child *x = a, *y = b;
	const struct zimbra_folder *p = &x->f->v[x->number], *q = &y->f->v[y->number];
	int c;

	if (p->parent != q->parent)
		return p->parent < q->parent ? -1 : 1;
	c = strcmp(zimbra_folders_text(x->f, p->component_at), zimbra_folders_text(x->f, q->component_at));
	return c ? c : p->id < q->id ? -1 : p->id > q->id;
}

/* Two that map to one name: the later ones get their ids behind it.  1 if there were any, 0, -1. */
static int tell_apart(struct zimbra_folders *f, const struct child *v, size_t n, struct zs_err *err)
{
	size_t first = 0;
	int any = 0;

	for (size_t i = 1; i < n; i++) {
		const struct zimbra_folder *a = &f->v[v[first].number];
		struct zimbra_folder *b = &f->v[v[i].number];
		size_t at = f->text.n;

		if (a->parent != b->parent || strcmp(zimbra_folders_text(f, a->component_at), zimbra_folders_text(f, b->component_at)) != 0) {
			first = i;
			continue;
		}
		if (zs_buf_reserve(&f->text, 2 * ZS_COMPONENT_MAX, err) < 0 ||
		    zs_buf_printf(&f->text, err, "%.200s~%u", zimbra_folders_text(f, b->component_at), b->id) < 0 || zs_buf_add_u8(&f->text, 0, err) < 0)
			return -1;
		b->component_at = (uint32_t)at;
		any = 1;
	}
	return any;
}

static int order_children(struct zimbra_folders *f, struct zs_err *err)
{
	struct child *v = calloc(f->n + 1, sizeof *v);
	size_t n = 0;
	int rc = -1;

	f->children = calloc(f->n + 1, sizeof *f->children);
	if (!v || !f->children) {
		zs_fail_nomem(err);
		goto out;
	}
	for (size_t i = 0; i < f->n; i++)
		if (f->v[i].id != ZIMBRA_ROOT && f->v[i].id != ZIMBRA_USER_ROOT)
			v[n++] = (struct child){f, (uint32_t)i};
	do {
		if (n > 0)
			qsort(v, n, sizeof *v, by_place);
		if ((rc = tell_apart(f, v, n, err)) < 0)
			goto out;
	} while (rc > 0);
	for (size_t i = 0; i < n; i++) {
		struct zimbra_folder *parent = zimbra_folders_find(f, f->v[v[i].number].parent);

		f->children[i] = v[i].number;
		if (parent && parent->children++ == 0)
			parent->first_child = (uint32_t)i;
	}
	rc = 0;
out:
	free(v);
	return rc;
}

int zimbra_folders_finish(struct zimbra_folders *f, size_t *out_odd, struct zs_err *err)
{
	struct zs_buf scratch = ZS_BUF_INIT;
	int rc = 0;

	*out_odd = 0;
	if (f->n > 0)
		qsort(f->v, f->n, sizeof *f->v, by_id);
	if (!zimbra_folders_find(f, ZIMBRA_USER_ROOT)) { /* what is missing is made up, so that all have a place */
		if (zimbra_folders_add(f, ZIMBRA_USER_ROOT, ZIMBRA_ROOT, zs_span_str("USER_ROOT"), err) < 0)
			return -1;
		qsort(f->v, f->n, sizeof *f->v, by_id);
		(*out_odd)++;
	}
	plant(f, out_odd);
	for (size_t i = 0; rc == 0 && i < f->n; i++)
		rc = make_component(f, &f->v[i], &scratch, err);
	if (rc == 0)
		rc = order_children(f, err);
	for (size_t i = 0; rc == 0 && i < f->n; i++) {
		zs_buf_clear(&scratch);
		if ((rc = make_path(f, &f->v[i], &scratch, err)) < 0)
			break;
		f->v[i].first_item = (uint32_t)f->text.n; /* until all have theirs: raw names are still needed */
		rc = zs_buf_add_span(&f->text, zs_buf_span(&scratch), err) < 0 ? -1 : zs_buf_add_u8(&f->text, 0, err);
	}
	for (size_t i = 0; rc == 0 && i < f->n; i++) {
		f->v[i].path_at = f->v[i].first_item;
		f->v[i].first_item = 0;
	}
	zs_buf_fini(&scratch);
	return rc;
}

void zimbra_folders_fini(struct zimbra_folders *f)
{
	free(f->v);
	free(f->children);
	zs_buf_fini(&f->text);
	memset(f, 0, sizeof *f);
}

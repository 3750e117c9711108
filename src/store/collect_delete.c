/*
 * Deleting packs that are proven unneeded.  Index objects that name them go first, replaced by ones with the remaining
 * packs; so at no time does an index object name a pack that is gone.  A crash at any point leaves packs that are still
 * condemned: the next prune goes on.
 */
#include <stdlib.h>
#include <string.h>

#include "collect_private.h"

#define DELETE_OBJECT_PACKS 64

struct replace {
	struct zs_collector *c;
	const struct zs_names *doomed;
	struct zs_names old;	       /* index objects that name doomed packs, sorted */
	struct zs_index_object object; /* being filled */
	uint32_t chunks;
};

static int find_old(struct replace *r, struct zs_err *err)
{
	size_t n = 0;

	for (size_t i = 0; i < r->doomed->n; i++) {
		if (zs_index_objects_of_pack(r->c->st->index, &r->doomed->v[i], &r->old, err) < 0)
			return -1;
	}
	zs_names_sort(&r->old);
	for (size_t i = 0; i < r->old.n; i++) {
		if (n == 0 || zs_name_cmp(&r->old.v[n - 1], &r->old.v[i]) != 0)
			r->old.v[n++] = r->old.v[i];
	}
	r->old.n = n;
	return 0;
}

static int publish(struct replace *r, struct zs_err *err)
{
	struct zs_name name;
	int rc = 0;

	if (r->object.pack_count > 0) {
		rc = sync_publish(r->c->st, &r->object, &name, err);
		if (rc < 0 && collect_relieve(r->c, err))
			rc = sync_publish(r->c->st, &r->object, &name, err);
	}
	zs_index_object_fini(&r->object);
	memset(&r->object, 0, sizeof(r->object));
	r->chunks = 0;
	return rc;
}

/* 1 if an index object that stays names the pack, or the one that is being filled does. */
static int is_named(const struct replace *r, const struct zs_name *pack, struct zs_err *err)
{
	struct zs_names names = {0};
	int found = 0;

	for (uint32_t i = 0; i < r->object.pack_count; i++) {
		if (zs_name_cmp(&r->object.packs[i].name, pack) == 0)
			return 1;
	}
	if (zs_index_objects_of_pack(r->c->st->index, pack, &names, err) < 0)
		found = -1;
	for (size_t i = 0; i < names.n && found == 0; i++)
		found = !zs_names_has(&r->old, &names.v[i]);
	zs_names_fini(&names);
	return found;
}

/* A row moves to the new object, its directory with it. */
static int keep_row(struct replace *r, struct zs_index_pack *row, struct zs_err *err)
{
	struct zs_index_pack *added;

	if (zs_index_object_add(&r->object, &added, err) < 0)
		return -1;
	*added = *row;
	memset(&row->dir, 0, sizeof(row->dir));
	r->chunks += added->dir.chunk_count;
	if (r->object.pack_count < DELETE_OBJECT_PACKS && r->chunks < STORE_INDEX_CHUNKS)
		return 0;
	return publish(r, err);
}

static int keep_rest(struct replace *r, const struct zs_name *name, struct zs_err *err)
{
	struct zs_index_object o = {0};
	int rc = records_get_index(r->c->st, name, &o, err);

	for (uint32_t i = 0; i < o.pack_count && rc == 0; i++) {
		int named;

		if (zs_names_has(r->doomed, &o.packs[i].name))
			continue;
		named = is_named(r, &o.packs[i].name, err);
		if (named <= 0)
			rc = named < 0 ? -1 : keep_row(r, &o.packs[i], err);
	}
	zs_index_object_fini(&o);
	return rc;
}

static int replace_objects(struct zs_collector *c, const struct zs_names *doomed, struct zs_err *err)
{
	struct replace r = {.c = c, .doomed = doomed};
	int rc = find_old(&r, err);

	for (size_t i = 0; i < r.old.n && rc == 0; i++)
		rc = keep_rest(&r, &r.old.v[i], err);
	if (rc == 0)
		rc = publish(&r, err);
	for (size_t i = 0; i < r.old.n && rc == 0; i++)
		rc = objects_remove(c->st, ZS_OBJ_INDEX, &r.old.v[i], err);
	zs_index_object_fini(&r.object);
	zs_names_fini(&r.old);
	return rc;
}

int collect_delete(struct zs_collector *c, const struct zs_names *doomed, struct zs_err *err)
{
	uint64_t done = 0, total = 0;

	for (size_t i = 0; i < doomed->n; i++) {
		const struct collect_object *o = collect_look_listed(c, &doomed->v[i]);

		total += o ? o->bytes : 0;
	}
	if (replace_objects(c, doomed, err) < 0)
		return -1;
	for (size_t i = 0; i < doomed->n; i++) {
		const struct collect_object *o = collect_look_listed(c, &doomed->v[i]);

		collect_progress(c, "delete", done, total);
		/* Stopping here is safe: what is left is still condemned. */
		if (collect_go_on(c, err) < 0 || objects_remove(c->st, ZS_OBJ_PACK, &doomed->v[i], err) < 0)
			return -1;
		if (!o)
			continue;
		done += o->bytes;
		c->report.packs_deleted++;
		c->report.bytes_deleted += o->bytes;
	}
	return 0;
}

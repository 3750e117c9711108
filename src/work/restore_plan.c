/*
 * First pass of a restore: makes directories, small files and special ones at once, makes the other files empty, and
 * notes for each chunk which file it goes to and where, to be sorted by pack and block.
 */
#include <stdlib.h>
#include <string.h>

#include "restore_private.h"

#define PLACES_MAX 4096 /* of one entry, before they are handed on */

struct plan {
	struct restore *r;
	struct batches make;
	struct list_place place; /* of the entry being planned */
	struct zs_place *places;
	size_t places_n;
	struct zs_buf value;
};


static const struct list_place nowhere = {UINT64_MAX, 0}; /* of what is done at once */

/* ----------------------------------------------------------------- uses of chunks */

static int place_cmp(const void *a, const void *b)
{
	const struct zs_place *x = a, *y = b;
	int c = zs_id_cmp(&x->id, &y->id);

	if (c)
		return c;
	return (x->at > y->at) - (x->at < y->at);
}

static int add_use(struct plan *p, const struct use *u, struct zs_err *err)
{
	uint8_t key[32];

	restore_list_key(key, (uint64_t)u->pack << 32 | u->block);
	restore_list_key(key + 8, u->place.number);
	restore_list_key(key + 16, u->chunk_offset);
	return zs_sorter_add(p->r->plan, zs_span(key, 24), zs_buf_span(&p->value), err);
}

/* One chunk's places in this entry, all raw or one in base64. */
static int add_record(struct plan *p, struct use *u, const struct zs_place *at, size_t n, struct zs_err *err)
{
	zs_buf_clear(&p->value);
	u->ranges = at->b64 ? 0 : (uint32_t)n;
	if (zs_buf_add(&p->value, u, sizeof *u, err) < 0)
		return -1;
	if (at->b64 && zs_buf_add(&p->value, at, sizeof *at, err) < 0)
		return -1;
	for (size_t i = 0; !at->b64 && i < n; i++) {
		const struct use_range range = {at[i].at, at[i].chunk_from, at[i].bytes};

		if (zs_buf_add(&p->value, &range, sizeof range, err) < 0)
			return -1;
	}
	return add_use(p, u, err);
}

static int add_chunk(struct plan *p, const struct zs_place *at, size_t n, struct zs_err *err)
{
	struct zs_location where;
	struct use u;
	char hex[ZS_ID_HEX];
	int rc = zs_store_locate(p->r->reader, &at->id, &where, err);

	if (rc == 0)
		return zs_fail(err, ZS_CORRUPT, "chunk %s is in no pack that the index knows", zs_id_hex(&at->id, hex));
	if (rc < 0)
		return -1;
	memset(&u, 0, sizeof u);
	u.id = at->id;
	u.place = p->place;
	u.pack = where.pack;
	u.block = where.block;
	u.block_offset = where.block_offset;
	u.block_stored = where.block_stored;
	u.chunk_offset = where.chunk_offset;
	u.chunk_bytes = where.chunk_bytes;
	for (size_t i = 0, k; i < n; i += k) {
		for (k = 1; !at[i].b64 && i + k < n && !at[i + k].b64 && k < USE_RANGES_MAX;)
			k++;
		if (add_record(p, &u, at + i, k, err) < 0)
			return -1;
	}
	return 0;
}

static int flush_places(struct plan *p, struct zs_err *err)
{
	size_t n = p->places_n;

	/* Of a recipe that somebody made there may be no end. */
	if (restore_stopped(p->r, err) < 0)
		return -1;
	p->places_n = 0;
	qsort(p->places, n, sizeof *p->places, place_cmp);
	for (size_t i = 0, k; i < n; i += k) {
		for (k = 1; i + k < n && zs_id_cmp(&p->places[i].id, &p->places[i + k].id) == 0;)
			k++;
		if (add_chunk(p, p->places + i, k, err) < 0)
			return -1;
	}
	return 0;
}

static int on_place(void *ctx, const struct zs_place *at, struct zs_err *err)
{
	struct plan *p = ctx;

	p->places[p->places_n++] = *at;
	return p->places_n == PLACES_MAX ? flush_places(p, err) : 0;
}

static int plan_chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	const struct plan *p = ctx;

	return restore_chunk(p->r->reader, id, out, err);
}

/* Note where everything of the entry comes from.  1, 0 it failed and that has been told, -1. */
static int plan_content(struct plan *p, const struct list_entry *e, struct zs_err *err)
{
	const struct zs_place_io io = {p, plan_chunk, on_place};
	struct zs_err why = {0};

	p->places_n = 0;
	p->place = e->place;
	if (zs_mail_places(&e->entry, &io, &why) == 0 && flush_places(p, &why) == 0)
		return 1;
	if (restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	return restore_fail(p->r, e, LIST_FAILED, &why, err);
}

/* ---------------------------------------------------------------- making (workers) */

/* What came of making something at once: counted.  -1 only what ends the restore. */
static int made(struct restore *r, const struct list_entry *e, int rc, const struct zs_err *why, struct zs_err *err)
{
	if (rc < 0 && restore_is_fatal(why)) {
		*err = *why;
		return -1;
	}
	if (rc < 0)
		restore_problem(r, e->path, why);
	else if (rc == 0)
		restore_count(r, &r->report.left_alone, 1);
	else if (e->entry.kind == ZS_ENTRY_FILE)
		restore_count(r, &r->report.files, 1);
	else
		restore_count(r, &r->report.others, 1);
	if (rc > 0)
		restore_count(r, &r->report.bytes, e->entry.kind == ZS_ENTRY_FILE ? e->entry.size : 0);
	return 0;
}

static int make_empty(struct restore *r, const struct list_entry *e, struct zs_err *err)
{
	struct zs_err why = {0};
	int rc = zs_files_create(r->to, e->path, &e->entry, &why);

	if (rc > 0) {
		rc = restore_list_set_state(&r->list, e->place.number, LIST_MADE, err);
		if (rc < 0) /* or nobody would know that it is ours to remove */
			zs_files_remove(r->to, e->path);
		return rc;
	}
	if (rc == 0) {
		restore_count(r, &r->report.left_alone, 1);
		return restore_list_set_state(&r->list, e->place.number, LIST_LEFT, err);
	}
	if (restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	return restore_fail(r, e, LIST_FAILED, &why, err);
}

static int make_item(struct restore *r, const struct list_entry *e, struct zs_err *err)
{
	struct zs_err why = {0};
	int rc;

	if (e->entry.kind != ZS_ENTRY_FILE)
		rc = zs_files_special(r->to, e->path, &e->entry, &why);
	else if (e->entry.recipe.n)
		return make_empty(r, e, err);
	else
		rc = zs_files_create_whole(r->to, e->path, &e->entry, e->entry.inline_data, &why);
	return made(r, e, rc, &why, err);
}

/* ------------------------------------------------------------------------ the walk */

static int plan_dir(struct plan *p, const struct walk_item *item, struct zs_err *err)
{
	struct restore *r = p->r;
	struct list_place place;
	struct zs_err why = {0};
	uint8_t key[8];

	if (zs_files_mkdir(r->to, item->path, &why) < 0) {
		if (restore_is_fatal(&why)) {
			*err = why;
			return -1;
		}
		restore_problem(r, item->path, &why);
		return 0;
	}
	restore_count(r, &r->report.dirs, 1);
	if (restore_list_add(&r->list, item->path, item->encoded, &place, err) < 0)
		return -1;
	restore_list_key(key, UINT64_MAX - place.number); /* the deepest come first */
	return zs_sorter_add(r->dirs, zs_span(key, 8), zs_span(&place, sizeof place), err);
}

static int plan_linked(struct plan *p, const struct walk_item *item, const struct list_place *place, struct zs_err *err)
{
	uint8_t key[24];

	restore_list_key(key, item->entry.link_dev);
	restore_list_key(key + 8, item->entry.link_ino);
	restore_list_key(key + 16, place->number);
	return zs_sorter_add(p->r->linked, zs_span(key, sizeof key), zs_span(place, sizeof *place), err);
}

static int plan_item(void *ctx, const struct walk_item *item, struct zs_err *err)
{
	struct plan *p = ctx;
	struct restore *r = p->r;
	struct list_entry e = {nowhere, item->path, item->entry};
	int rc;

	restore_show(r, "restoring", item->from, 0);
	if (item->entry.kind == ZS_ENTRY_DIR)
		return plan_dir(p, item, err);
	if (item->entry.kind == ZS_ENTRY_FILE && (item->entry.recipe.n || item->entry.link_ino)) {
		if (restore_list_add(&r->list, item->path, item->encoded, &e.place, err) < 0)
			return -1;
		if (item->entry.link_ino)
			return plan_linked(p, item, &e.place, err);
		rc = plan_content(p, &e, err);
		if (rc <= 0)
			return rc;
	}
	return restore_batches_add(&p->make, e.place, item->path, item->encoded, err);
}

static int plan_bad(void *ctx, struct zs_span path, struct zs_err *err)
{
	struct plan *p = ctx;

	if (restore_is_fatal(err))
		return -1;
	restore_problem(p->r, path, err);
	return 0;
}

/* -------------------------------------------------------------- hard-linked files */

/* The first name of a file: made like any other, but now.  1 made, 0 not (told), -1. */
static int make_leader(struct plan *p, const struct list_entry *e, struct zs_err *err)
{
	struct restore *r = p->r;
	enum restore_list_state state;
	struct zs_err why = {0};
	int rc;

	if (!e->entry.recipe.n) {
		rc = zs_files_create_whole(r->to, e->path, &e->entry, e->entry.inline_data, &why);
		if (made(r, e, rc, &why, err) < 0)
			return -1;
		if (rc <= 0)
			return 0;
		return restore_list_set_state(&r->list, e->place.number, LIST_DONE, err) < 0 ? -1 : 1;
	}
	rc = plan_content(p, e, err);
	if (rc <= 0)
		return rc;
	if (make_empty(r, e, err) < 0 || restore_list_state(&r->list, e->place.number, &state, err) < 0)
		return -1;
	return state == LIST_MADE;
}

struct group { /* names of one file, as far as they agree */
	int has_leader;
	uint8_t key[16];
	struct list_place leader;
	uint64_t size, sum;
};

static int plan_name(struct plan *p, struct group *g, const struct list_entry *e, struct zs_span key,
    struct zs_err *err)
{
	const struct pair_value pair = {g->leader, e->place};
	uint8_t pair_key[8];
	int rc;

	if (memcmp(g->key, key.p, sizeof g->key) != 0)
		g->has_leader = 0;
	if (g->has_leader && g->size == e->entry.size && g->sum == e->entry.sum) {
		restore_list_key(pair_key, zs_sorter_count(p->r->pairs));
		return zs_sorter_add(p->r->pairs, zs_span(pair_key, 8), zs_span(&pair, sizeof pair), err);
	}
	rc = make_leader(p, e, err);
	if (rc > 0) {
		*g = (struct group){.has_leader = 1, .leader = e->place, .size = e->entry.size, .sum = e->entry.sum};
		memcpy(g->key, key.p, sizeof g->key);
	}
	return rc < 0 ? -1 : 0;
}

static int plan_groups(struct plan *p, struct zs_err *err)
{
	struct restore *r = p->r;
	struct zs_buf buf = ZS_BUF_INIT;
	struct group g = {0};
	struct zs_span key, value;
	int rc;

	if (zs_sorter_sort(r->linked, err) < 0)
		return -1;
	while ((rc = zs_sorter_next(r->linked, &key, &value, err)) > 0) {
		struct list_place place;
		struct list_entry e;

		memcpy(&place, value.p, sizeof place);
		rc = restore_stopped(r, err);
		if (rc == 0)
			rc = restore_list_read(&r->list, place, &buf, &e, err) > 0 ? plan_name(p, &g, &e, key, err) : -1;
		if (rc < 0)
			break;
	}
	zs_buf_fini(&buf);
	return rc;
}

static int walk_all(struct plan *p, struct zs_err *err)
{
	struct restore *r = p->r;
	struct zs_err why = {0};

	if (restore_walk_run(&r->walk, &(struct walk_ops){p, plan_item, plan_bad}, &why) == 0)
		return 0;
	if (restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	r->is_cut = 1; /* what was found until here is restored all the same */
	r->cut = why;
	return 0;
}

int restore_plan_run(struct restore *r, struct zs_err *err)
{
	struct plan p = {.r = r, .value = ZS_BUF_INIT};
	struct zs_err second = {0};
	int rc = -1;

	p.places = calloc(PLACES_MAX, sizeof *p.places);
	if (!p.places) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	if (restore_batches_init(&p.make, &(struct batch_ops){r->threads, r, make_item}, err) < 0)
		goto out;
	if (walk_all(&p, err) < 0 || restore_list_flush(&r->list, err) < 0 || plan_groups(&p, err) < 0)
		goto out;
	rc = 0;
out:
	if (restore_batches_end(&p.make, rc < 0 ? &second : err) < 0)
		rc = -1;
	free(p.places);
	zs_buf_fini(&p.value);
	return rc;
}

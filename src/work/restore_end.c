/*
 * Last pass of a restore: every file that was filled is read back, compared and given its metadata; then come further
 * names of files, and the metadata of directories, the deepest first.
 */
#include <string.h>

#include "restore_private.h"

static int finish(struct restore *r, const struct list_entry *e, struct zs_err *err)
{
	struct zs_err why = {0};

	if (zs_files_finish(r->to, e->path, &e->entry, &why) == 0) {
		restore_count(r, &r->report.files, 1);
		restore_count(r, &r->report.bytes, e->entry.size);
		return restore_list_set_state(&r->list, e->place.number, LIST_DONE, err);
	}
	if (restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	zs_files_remove(r->to, e->path);
	return restore_fail(r, e, LIST_FAILED, &why, err);
}

static int finish_item(struct restore *r, const struct list_entry *e, struct zs_err *err)
{
	enum restore_list_state state;

	if (restore_list_state(&r->list, e->place.number, &state, err) < 0)
		return -1;
	if (state == LIST_MADE)
		return finish(r, e, err);
	if (state == LIST_BROKEN) {
		zs_files_remove(r->to, e->path);
		return restore_list_set_state(&r->list, e->place.number, LIST_FAILED, err);
	}
	return 0;
}

static int finish_all(struct restore *r, struct batches *b, struct zs_err *err)
{
	struct zs_buf buf = ZS_BUF_INIT;
	struct list_place at = {0, 0};
	struct list_entry e;
	int rc;

	while ((rc = restore_list_read(&r->list, at, &buf, &e, err)) > 0) {
		/* the encoded entry is what is left of the record behind the path */
		const uint8_t *encoded = e.path.p + e.path.n;

		if (e.entry.kind == ZS_ENTRY_FILE &&
		    restore_batches_add(b, e.place, e.path, zs_span(encoded, (size_t)(buf.p + buf.n - encoded)), err) < 0) {
			rc = -1;
			break;
		}
		if (e.place.number % 64 == 0)
			restore_show(r, "verifying", e.path, 0);
		at = restore_list_after(&e, &buf);
	}
	zs_buf_fini(&buf);
	return rc;
}

static int finish_files(struct restore *r, struct zs_err *err)
{
	struct zs_err second = {0};
	struct batches b;
	int rc;

	if (restore_batches_init(&b, &(struct batch_ops){r->threads, r, finish_item}, err) < 0)
		return -1;
	rc = finish_all(r, &b, err);
	if (restore_batches_end(&b, rc < 0 ? &second : err) < 0)
		rc = -1;
	return rc;
}

/* ------------------------------------------------------------------------- names */

static int link_one(struct restore *r, const struct list_entry *leader, const struct list_entry *e, struct zs_err *err)
{
	struct zs_err why = {0};
	enum restore_list_state state;
	int rc;

	if (restore_list_state(&r->list, leader->place.number, &state, err) < 0)
		return -1;
	if (state != LIST_DONE)
		rc = zs_fail(&why, ZS_TARGET, "the file that this is another name of could not be restored");
	else
		rc = zs_files_link(r->to, leader->path, e->path, &why);
	if (rc < 0 && restore_is_fatal(&why)) {
		*err = why;
		return -1;
	}
	if (rc < 0)
		return restore_fail(r, e, LIST_FAILED, &why, err);
	restore_count(r, rc ? &r->report.files : &r->report.left_alone, 1);
	restore_count(r, &r->report.bytes, rc ? e->entry.size : 0);
	return 0;
}

static int link_all(struct restore *r, struct zs_err *err)
{
	struct zs_buf leader_buf = ZS_BUF_INIT, buf = ZS_BUF_INIT;
	struct list_entry leader = {.place = {UINT64_MAX, 0}}, e;
	struct zs_span key, value;
	int rc;

	if (zs_sorter_sort(r->pairs, err) < 0)
		return -1;
	while ((rc = zs_sorter_next(r->pairs, &key, &value, err)) > 0) {
		struct pair_value pair;

		rc = -1;
		memcpy(&pair, value.p, sizeof pair);
		if (pair.leader.number != leader.place.number &&
		    restore_list_read(&r->list, pair.leader, &leader_buf, &leader, err) <= 0)
			break;
		if (restore_stopped(r, err) < 0 || restore_list_read(&r->list, pair.other, &buf, &e, err) <= 0 ||
		    link_one(r, &leader, &e, err) < 0)
			break;
	}
	zs_buf_fini(&leader_buf);
	zs_buf_fini(&buf);
	return rc;
}

/* ------------------------------------------------------------------- directories */

static int finish_dirs(struct restore *r, struct zs_err *err)
{
	struct zs_buf buf = ZS_BUF_INIT;
	struct zs_span key, value;
	int rc;

	if (zs_sorter_sort(r->dirs, err) < 0)
		return -1;
	while ((rc = zs_sorter_next(r->dirs, &key, &value, err)) > 0) {
		struct zs_err why = {0};
		struct list_place place;
		struct list_entry e;

		memcpy(&place, value.p, sizeof place);
		if (restore_list_read(&r->list, place, &buf, &e, err) <= 0) {
			rc = -1;
			break;
		}
		if (zs_files_dir_finish(r->to, e.path, &e.entry, &why) == 0)
			continue;
		if (restore_is_fatal(&why)) {
			*err = why;
			rc = -1;
			break;
		}
		restore_problem(r, e.path, &why);
	}
	zs_buf_fini(&buf);
	return rc;
}

int restore_end_run(struct restore *r, struct zs_err *err)
{
	if (finish_files(r, err) < 0 || link_all(r, err) < 0)
		return -1;
	return finish_dirs(r, err);
}

static void remove_one(struct restore *r, const struct list_entry *e)
{
	struct zs_err ignored = {0};
	enum restore_list_state state;

	if (restore_list_state(&r->list, e->place.number, &state, &ignored) == 0 &&
	    (state == LIST_MADE || state == LIST_BROKEN))
		zs_files_remove(r->to, e->path);
}

void restore_end_remove(struct restore *r)
{
	struct zs_buf buf = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	struct list_place at = {0, 0};
	struct zs_span tail;
	struct list_entry e;

	while (restore_list_read(&r->list, at, &buf, &e, &ignored) > 0) {
		remove_one(r, &e);
		at = restore_list_after(&e, &buf);
	}
	/* The temporary file may be what is full: its last entries are in memory only. */
	tail = zs_buf_span(&r->list.tail);
	while (tail.n && restore_list_unpack(&tail, &e, &ignored) == 0)
		remove_one(r, &e);
	zs_buf_fini(&buf);
}

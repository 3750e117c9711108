/*
 * Several sources as one: merged by path, phase after phase for all of them, and one
 * that fails ends without the others.
 */
#include "zstore/source.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

struct member {
	struct zs_source_set *set;
	struct zs_source_settings settings; /* what the member got: problems are counted here, then handed on */
	struct zs_member given;
	struct zs_source_item head;
	int has_head, at_end;
	uint64_t problems;	/* under the set's lock */
	int is_failed;		/* likewise */
	struct zs_err why;	/* likewise */
};

struct zs_source_set {
	struct zs_source base;
	struct zs_source_settings settings;
	pthread_mutex_t lock; /* guards what members' reports are made of */
	struct member **v;
	unsigned n, cap;
	struct zs_buf last; /* path given last: a directory that several members have is given once */
	int has_last;
	struct member *giver; /* of the item given last */
};

static const char *const phases[] = {"cannot connect", "first listing", "snapshot", "second listing", "snapshot", "end of the snapshot"};

static void member_problem(void *ctx, struct zs_span path, const struct zs_err *why)
{
	struct member *m = ctx;
	const struct zs_source_settings *s = &m->set->settings;

	(void)pthread_mutex_lock(&m->set->lock);
	m->problems++;
	(void)pthread_mutex_unlock(&m->set->lock);
	if (s->problem)
		s->problem(s->ctx, path, why);
}

static void member_free(struct member *m)
{
	if (!m)
		return;
	if (m->has_head)
		zs_source_handle_free(m->head.handle);
	zs_source_free(m->given.source);
	free(m);
}

/* It ends here.  Alone, its error is the set's own; among others it is named and they go on: 0. */
static int member_failed(struct member *m, struct zs_err *err)
{
	const struct zs_source_settings *s = &m->set->settings;

	if (err->cause != ZS_SOURCE)
		return -1;
	(void)pthread_mutex_lock(&m->set->lock);
	m->is_failed = 1;
	m->why = *err;
	(void)pthread_mutex_unlock(&m->set->lock);
	m->at_end = 1;
	if (m->has_head)
		zs_source_handle_free(m->head.handle);
	m->has_head = 0;
	if (m->set->n == 1)
		return -1;
	if (s->problem)
		s->problem(s->ctx, zs_span_str(m->given.name), err);
	zs_err_clear(err);
	return 0;
}

static int none_left(const struct zs_source_set *set, struct zs_err *err)
{
	for (unsigned i = 0; i < set->n; i++)
		if (!set->v[i]->is_failed)
			return 0;
	if (set->n == 1) {
		*err = set->v[0]->why;
		return -1;
	}
	return zs_fail(err, ZS_SOURCE, "every source failed");
}

/* -------------------------------------------------------------------- as a source */

/* If nobody joins, nobody is held still longer than for his own snapshot. */
static int someone_joins(const struct zs_source_set *set)
{
	for (unsigned i = 0; i < set->n; i++)
		if (!set->v[i]->is_failed && set->v[i]->given.source->ops->joins)
			return 1;
	return 0;
}

static int member_prepare(struct member *m, enum zs_source_phase phase, int holds, struct zs_err *err)
{
	const struct zs_source_ops *ops = m->given.source->ops;

	if (phase == ZS_PHASE_FREEZE && !holds)
		return zs_source_prepare(m->given.source, phase, err);
	return ops->prepare ? ops->prepare(m->given.source, phase, err) : 0;
}

static int set_prepare(struct zs_source *base, enum zs_source_phase phase, struct zs_err *err)
{
	struct zs_source_set *set = (struct zs_source_set *)base;
	int holds = someone_joins(set);

	if ((phase == ZS_PHASE_JOIN || phase == ZS_PHASE_THAW) && !holds)
		return 0;
	for (unsigned i = 0; i < set->n; i++) {
		struct member *m = set->v[i];

		if (set->settings.stop && set->settings.stop(set->settings.stop_ctx))
			return zs_fail(err, ZS_STOPPED, "stopped");
		if (m->is_failed || member_prepare(m, phase, holds, err) == 0)
			continue;
		if (phase != ZS_PHASE_CONNECT)
			(void)zs_context(err, "%s", phases[phase]);
		if (member_failed(m, err) < 0)
			return -1;
	}
	return none_left(set, err);
}

static int fill_head(struct member *m, unsigned number, struct zs_err *err)
{
	int rc;

	if (m->has_head || m->at_end)
		return 0;
	memset(&m->head, 0, sizeof m->head);
	rc = zs_source_next(m->given.source, &m->head, err);
	if (rc < 0)
		return member_failed(m, err);
	m->at_end = rc == 0;
	m->has_head = rc > 0;
	m->head.member = number;
	return 0;
}

/* The member whose item comes next, of equal ones the first; NULL at the end. */
static int choose(struct zs_source_set *set, struct member **out, struct zs_err *err)
{
	*out = NULL;
	for (unsigned i = 0; i < set->n; i++) {
		struct member *m = set->v[i];

		if (fill_head(m, i, err) < 0)
			return -1;
		if (m->has_head && (!*out || zs_path_cmp(m->head.path, (*out)->head.path) < 0))
			*out = m;
	}
	return 0;
}

/* A second item of one path: a directory is the same as the first, anything else would hide it. */
static void drop_double(struct zs_source_set *set, struct member *m)
{
	struct zs_err why = {0};

	if (m->head.entry.kind != ZS_ENTRY_DIR) {
		(void)zs_fail(&why, ZS_SOURCE, "another source has something under this path: give one of them another name");
		member_problem(m, m->head.path, &why);
	}
	zs_source_handle_free(m->head.handle);
	m->has_head = 0;
	(void)set;
}

static int set_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct zs_source_set *set = (struct zs_source_set *)base;
	struct member *m;

	for (;;) {
		if (choose(set, &m, err) < 0)
			return -1;
		if (!m)
			return none_left(set, err);
		if (!set->has_last || !zs_span_eq(m->head.path, zs_buf_span(&set->last)))
			break;
		drop_double(set, m);
	}
	zs_buf_clear(&set->last);
	if (zs_buf_add_span(&set->last, m->head.path, err) < 0)
		return -1;
	set->has_last = 1;
	*out = m->head;
	m->has_head = 0;
	set->giver = m;
	return 1;
}

static int add_detail(const struct member *m, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n, empty;

	if (zs_buf_printf(out, err, ",\"detail\":") < 0)
		return -1;
	empty = out->n;
	if (!m->given.source || zs_source_manifest(m->given.source, out, err) < 0)
		return m->given.source ? -1 : (out->n = before, 0);
	if (out->n == empty)
		out->n = before;
	return 0;
}

static int add_member(struct zs_source_set *set, unsigned i, struct zs_buf *out, struct zs_err *err)
{
	static const char *const states[] = {"done", "partial", "failed"};
	struct zs_member_report r;

	zs_source_set_report(set, i, &r);
	if (zs_buf_printf(out, err, "%s{\"name\":", i ? "," : "") < 0 || zs_buf_json(out, zs_span_str(r.name), err) < 0 ||
	    zs_buf_printf(out, err, ",\"type\":\"%s\",\"state\":\"%s\",\"problems\":%llu", r.type, states[r.state],
		(unsigned long long)r.problems) < 0)
		return -1;
	if (r.state == ZS_MEMBER_FAILED &&
	    (zs_buf_printf(out, err, ",\"why\":") < 0 || zs_buf_json(out, zs_span_str(r.why), err) < 0))
		return -1;
	if (add_detail(set->v[i], out, err) < 0)
		return -1;
	return zs_buf_add_u8(out, '}', err);
}

static int set_manifest(struct zs_source *base, struct zs_buf *out, struct zs_err *err)
{
	struct zs_source_set *set = (struct zs_source_set *)base;

	if (zs_buf_printf(out, err, "{\"sources\":[") < 0)
		return -1;
	for (unsigned i = 0; i < set->n; i++)
		if (add_member(set, i, out, err) < 0)
			return -1;
	return zs_buf_printf(out, err, "]}");
}

static void set_failed(struct zs_source *base, unsigned member, unsigned part, const struct zs_err *why)
{
	struct zs_source_set *set = (struct zs_source_set *)base;

	if (member >= set->n)
		return;
	(void)pthread_mutex_lock(&set->lock);
	set->v[member]->problems++;
	(void)pthread_mutex_unlock(&set->lock);
	if (set->v[member]->given.source)
		zs_source_failed(set->v[member]->given.source, 0, part, why);
}

static void set_skip(struct zs_source *base)
{
	struct zs_source_set *set = (struct zs_source_set *)base;

	if (set->giver)
		zs_source_skip(set->giver->given.source);
}

static unsigned set_parts(struct zs_source *base, unsigned member)
{
	struct zs_source_set *set = (struct zs_source_set *)base;

	return member < set->n && set->v[member]->given.source ? zs_source_parts(set->v[member]->given.source, 0) : 0;
}

static void set_part(struct zs_source *base, unsigned member, unsigned number, struct zs_part_report *out)
{
	zs_source_part(((struct zs_source_set *)base)->v[member]->given.source, 0, number, out);
}

static void set_free(struct zs_source *base)
{
	struct zs_source_set *set = (struct zs_source_set *)base;

	for (unsigned i = 0; i < set->cap; i++)
		member_free(set->v[i]);
	free(set->v);
	zs_buf_fini(&set->last);
	(void)pthread_mutex_destroy(&set->lock);
	free(set);
}

/* ------------------------------------------------------------------------- making */

int zs_source_set_new(const struct zs_source_settings *settings, struct zs_source_set **out, struct zs_err *err)
{
	static const struct zs_source_ops ops = {
		.next = set_next,
		.free = set_free,
		.prepare = set_prepare,
		.manifest = set_manifest,
		.failed = set_failed,
		.skip = set_skip,
		.parts = set_parts,
		.part = set_part,
	};
	struct zs_source_set *set = calloc(1, sizeof *set);

	if (!set)
		return zs_fail_nomem(err);
	set->base.ops = &ops;
	set->settings = *settings;
	(void)pthread_mutex_init(&set->lock, NULL);
	*out = set;
	return 0;
}

struct zs_source *zs_source_set_source(struct zs_source_set *set)
{
	return &set->base;
}

const struct zs_source_settings *zs_source_set_settings(struct zs_source_set *set)
{
	struct member **grown, *m;

	if (set->cap > set->n)
		return &set->v[set->n]->settings;
	grown = realloc(set->v, (set->cap + 1) * sizeof(struct member *));
	if (!grown)
		return NULL;
	set->v = grown;
	if (!(m = calloc(1, sizeof *m)))
		return NULL;
	m->set = set;
	m->settings = set->settings;
	m->settings.problem = member_problem;
	m->settings.ctx = m;
	set->v[set->cap++] = m;
	return &m->settings;
}

int zs_source_set_add(struct zs_source_set *set, const struct zs_member *given, const struct zs_err *why, struct zs_err *err)
{
	struct member *m;

	if (!zs_source_set_settings(set)) {
		zs_source_free(given->source);
		return zs_fail_nomem(err);
	}
	m = set->v[set->n++];
	m->given = *given;
	if (given->source)
		return 0;
	m->is_failed = m->at_end = 1;
	m->why = *why;
	if (set->settings.problem)
		set->settings.problem(set->settings.ctx, zs_span_str(given->name), why);
	return 0;
}

unsigned zs_source_set_count(const struct zs_source_set *set)
{
	return set->n;
}

void zs_source_set_report(struct zs_source_set *set, unsigned number, struct zs_member_report *out)
{
	const struct member *m = set->v[number];

	*out = (struct zs_member_report){.name = m->given.name, .type = m->given.type};
	(void)pthread_mutex_lock(&set->lock);
	out->problems = m->problems;
	out->state = m->is_failed ? ZS_MEMBER_FAILED : m->problems ? ZS_MEMBER_PARTIAL : ZS_MEMBER_DONE;
	if (m->is_failed)
		memcpy(out->why, m->why.text, sizeof out->why);
	(void)pthread_mutex_unlock(&set->lock);
}

/*
 * Merges neighbouring runs of the spill file: one cursor a run, each with a slice of the given memory, in a heap.
 * Equal keys come in the order of the runs.  The file is ours, yet its lengths are checked: disks do err.
 */
#include "base_private.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#define WHAT "temporary file for sorting"

struct cursor {
	struct record record; /* in buf at pos */
	uint64_t at, end; /* of the run: what has not been read yet */
	uint8_t *buf;
	size_t pos, fill, cap;
	size_t number; /* of the run */
};

static int fail_damaged(struct zs_err *err)
{
	return zs_fail(err, ZS_SYSTEM, "the %s is damaged", WHAT);
}

/* Have at least `need` bytes from pos on. */
static int refill(const struct run_file *f, struct cursor *c, size_t need, struct zs_err *err)
{
	size_t have = c->fill - c->pos, want, got;

	if (have >= need)
		return 0;
	memmove(c->buf, c->buf + c->pos, have);
	c->pos = 0;
	want = c->cap - have;
	if (want > c->end - c->at)
		want = (size_t)(c->end - c->at);
	if (need > have + want)
		return fail_damaged(err);
	if (zs_pread_full(f->fd, c->buf + have, want, c->at, &got, ZS_SYSTEM, WHAT, err) < 0)
		return -1;
	if (got < want)
		return fail_damaged(err);
	c->at += got;
	c->fill = have + got;
	return 0;
}

/* Read the record at pos.  1, 0 at the end of the run, -1. */
static int load(const struct run_file *f, struct cursor *c, struct zs_err *err)
{
	const uint8_t *p;
	size_t key_n;

	if (c->pos == c->fill && c->at == c->end)
		return 0;
	if (refill(f, c, RECORD_HEADER, err) < 0)
		return -1;
	p = c->buf + c->pos;
	if (zs_get_u32(p) > RECORD_MAX || zs_get_u32(p + 4) > RECORD_MAX - zs_get_u32(p))
		return fail_damaged(err);
	if (refill(f, c, record_bytes(p), err) < 0)
		return -1;
	p = c->buf + c->pos;
	key_n = record_key_bytes(p);
	c->record = (struct record){sorter_file_prefix(zs_span(p + RECORD_HEADER, key_n)), p};
	return 1;
}

static int before(const struct cursor *a, const struct cursor *b)
{
	int c = sorter_file_cmp(&a->record, &b->record);

	return c < 0 || (c == 0 && a->number < b->number);
}

static void sift_down(struct merge *m, size_t i)
{
	struct cursor moving = m->cursors[i];

	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= m->cursor_count)
			break;
		if (child + 1 < m->cursor_count && before(&m->cursors[child + 1], &m->cursors[child]))
			child++;
		if (!before(&m->cursors[child], &moving))
			break;
		m->cursors[i] = m->cursors[child];
		i = child;
	}
	m->cursors[i] = moving;
}

int sorter_merge_init(struct merge *m, const struct run_file *f, size_t first, size_t n, struct zs_buf memory,
    struct zs_err *err)
{
	size_t slice = memory.n / n, i;

	*m = (struct merge){.file = f};
	assert(slice >= f->record_max && first + n <= f->run_count);
	m->cursors = calloc(n, sizeof(*m->cursors));
	if (!m->cursors)
		return zs_fail_nomem(err);
	for (i = 0; i < n; i++) {
		struct cursor *c = &m->cursors[m->cursor_count];
		const struct run *r = &f->runs[first + i];
		int rc;

		*c = (struct cursor){.at = r->start, .end = r->end, .cap = slice, .number = i};
		c->buf = memory.p + i * slice;
		rc = load(f, c, err);
		if (rc < 0)
			return -1;
		m->cursor_count += (size_t)rc;
	}
	for (i = m->cursor_count / 2; i-- > 0;)
		sift_down(m, i);
	return 0;
}

int sorter_merge_next(struct merge *m, const uint8_t **out_record, struct zs_err *err)
{
	struct cursor *top = m->cursors;

	if (m->started && m->cursor_count > 0) {
		int rc;

		top->pos += record_bytes(top->record.p);
		rc = load(m->file, top, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			*top = m->cursors[--m->cursor_count];
		if (m->cursor_count > 0)
			sift_down(m, 0);
	}
	m->started = 1;
	if (m->cursor_count == 0)
		return 0;
	*out_record = top->record.p;
	return 1;
}

void sorter_merge_fini(struct merge *m)
{
	free(m->cursors);
	*m = (struct merge){0};
}

/*
 * The contract's entry points: each hands over to the table of the source, handle
 * or reader that it was given.  What a source is made of is in the other files.
 */
#include "zstore/source.h"

int zs_source_next(struct zs_source *s, struct zs_source_item *out, struct zs_err *err)
{
	return s->ops->next(s, out, err);
}

int zs_source_fill(struct zs_source_handle *h, struct zs_entry *entry, struct zs_buf *storage, struct zs_err *err)
{
	return h->ops->fill ? h->ops->fill(h, entry, storage, err) : 0;
}

int zs_source_same_content(const struct zs_source_handle *h, const struct zs_entry *old)
{
	return h->ops->same_content ? h->ops->same_content(h, old) : 0;
}

int zs_source_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err)
{
	return h->ops->open(h, out, err);
}

int zs_source_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	return r->ops->read(r, p, n, out_n, out_hole, err);
}

int zs_source_next_group(struct zs_source_reader *r, uint64_t *out_tag, struct zs_err *err)
{
	return r->ops->next_group ? r->ops->next_group(r, out_tag, err) : 0;
}

int zs_source_close(struct zs_source_reader **r, int *out_changed, struct zs_err *err)
{
	struct zs_source_reader *gone = *r;

	*r = NULL;
	*out_changed = 0;
	return gone ? gone->ops->close(gone, out_changed, err) : 0;
}

void zs_source_handle_free(struct zs_source_handle *h)
{
	if (h)
		h->ops->handle_free(h);
}

void zs_source_free(struct zs_source *s)
{
	if (s)
		s->ops->free(s);
}

int zs_source_prepare(struct zs_source *s, enum zs_source_phase phase, struct zs_err *err)
{
	if (!s->ops->prepare)
		return 0;
	if (s->ops->prepare(s, phase, err) < 0)
		return -1;
	if (phase != ZS_PHASE_FREEZE)
		return 0;
	return s->ops->prepare(s, ZS_PHASE_JOIN, err) < 0 ? -1 : s->ops->prepare(s, ZS_PHASE_THAW, err);
}

int zs_source_manifest(struct zs_source *s, struct zs_buf *out, struct zs_err *err)
{
	return s->ops->manifest ? s->ops->manifest(s, out, err) : 0;
}

void zs_source_failed(struct zs_source *s, unsigned member, unsigned part, const struct zs_err *why)
{
	if (s->ops->failed)
		s->ops->failed(s, member, part, why);
}

void zs_source_skip(struct zs_source *s)
{
	if (s->ops->skip)
		s->ops->skip(s);
}

int zs_source_same_key(struct zs_source_handle *h, uint64_t out_key[2])
{
	return h->ops->same_key ? h->ops->same_key(h, out_key) : 0;
}

int zs_source_read_key(struct zs_source_reader *r, uint64_t out_key[2])
{
	return r->ops->read_key ? r->ops->read_key(r, out_key) : 0;
}

unsigned zs_source_parts(struct zs_source *s, unsigned member)
{
	return s->ops->parts ? s->ops->parts(s, member) : 0;
}

void zs_source_part(struct zs_source *s, unsigned member, unsigned number, struct zs_part_report *out)
{
	s->ops->part(s, member, number, out);
}

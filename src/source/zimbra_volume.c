/*
 * Zimbra's volumes: which one a locator names, and the rule by which a blob's path follows from its row.  Where the rows come from,
 * and reading the files, is left to others.
 */
#include "zimbra_private.h"

#include <stdlib.h>

#define LOCATOR_SHOWN 80

void zimbra_volumes_fini(struct zimbra_volumes *v)
{
	for (size_t i = 0; i < v->n; i++) {
		free(v->v[i].name);
		free(v->v[i].path);
	}
	free(v->v);
	*v = (struct zimbra_volumes){0};
}

const struct zimbra_volume *zimbra_volumes_find(const struct zimbra_volumes *v, unsigned id)
{
	for (size_t i = 0; i < v->n; i++)
		if (v->v[i].id == id)
			return &v->v[i];
	return NULL;
}

/* Which of its 2^group_bits directories an id falls into, each for 2^bits ids, and round again.  A shift is taken modulo 32, as
 * the server does it, so that senseless numbers of bits give its paths, too. */
static uint64_t group_of(uint32_t id, unsigned bits, unsigned group_bits)
{
	uint64_t mask = group_bits >= 63 ? INT64_MAX : ((uint64_t)1 << group_bits) - 1;

	return ((uint64_t)id >> (bits & 31)) & mask;
}

/* Decimal digits and nothing else: 1; 0. */
static int parse_id(struct zs_span text, unsigned *out)
{
	unsigned id = 0;

	if (text.n < 1 || text.n > 5)
		return 0;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return 0;
		id = 10 * id + (unsigned)(text.p[i] - '0');
	}
	*out = id;
	return 1;
}

static int fail_locator(struct zs_span locator, const char *why, struct zs_err *err)
{
	int n = locator.n < LOCATOR_SHOWN ? (int)locator.n : LOCATOR_SHOWN;

	return zs_fail(err, ZS_SOURCE, "blob is not on a local volume: locator '%.*s' %s", n, n ? (const char *)locator.p : "", why);
}

int zimbra_volume_path(const struct zimbra_volumes *volumes, const struct zimbra_blob_name *b, int fallback, struct zs_buf *out,
    struct zs_err *err)
{
	const struct zimbra_volume *v;
	const size_t start = out->n;
	unsigned id;

	if (!parse_id(b->locator, &id))
		return fail_locator(b->locator, "is of an external store; only the Zimbra server itself can read it", err);
	v = zimbra_volumes_find(volumes, id);
	if (!v)
		return fail_locator(b->locator, "names a volume that the table `volume` does not have", err);
	if (!v->is_local)
		return fail_locator(b->locator, "names an external volume; only the Zimbra server itself can read it", err);
	if (!v->path || *v->path != '/')
		return fail_locator(b->locator, "names a volume that has no absolute path", err);
	if (zs_buf_printf(out, err, "%s/%llu/%u/msg/%llu/%u", v->path,
		(unsigned long long)group_of(b->mailbox_id, v->mailbox_bits, v->mailbox_group_bits), b->mailbox_id,
		(unsigned long long)group_of(b->item_id, v->file_bits, v->file_group_bits), b->item_id) < 0)
		goto fail;
	if (!fallback && zs_buf_printf(out, err, "-%u", b->mod_content) < 0)
		goto fail;
	if (zs_buf_printf(out, err, ".msg") < 0) /* ends with a NUL behind its count */
		goto fail;
	return 0;
fail:
	out->n = start;
	return -1;
}

/*
 * Entries that were read wait here until nothing changes any more: their text in memory, and beyond a limit in a file without a
 * name; what is needed to find and order them always in memory.
 */
#include "ldap_private.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAIL_MAX (8u << 20) /* text in memory */

void ldap_spool_init(struct ldap_spool *s, const char *tmp_dir, int keeps_order)
{
	*s = (struct ldap_spool){.fd = -1, .tmp_dir = tmp_dir, .keeps_order = keeps_order};
}

void ldap_spool_fini(struct ldap_spool *s)
{
	free(s->rows);
	free(s->table);
	zs_buf_fini(&s->keys);
	zs_buf_fini(&s->tail);
	if (s->fd >= 0)
		(void)close(s->fd);
	ldap_spool_init(s, s->tmp_dir, s->keeps_order);
}

void ldap_spool_id(struct zs_span uuid, struct zs_span dn, uint8_t out[static 16])
{
	for (uint64_t seed = 1; seed <= 2; seed++)
		zs_put_u64(out + 8 * (seed - 1), zs_hash64(zs_hash64(seed, uuid), dn));
}

static size_t slot_of(const struct ldap_spool *s, const uint8_t id[16])
{
	size_t i = (size_t)(zs_get_u64(id) ^ zs_get_u64(id + 8) * UINT64_C(0x9e3779b97f4a7c15)) & (s->table_n - 1);

	while (s->table[i] && memcmp(s->rows[s->table[i] - 1].id, id, 16) != 0)
		i = (i + 1) & (s->table_n - 1);
	return i;
}

static int grow(struct ldap_spool *s, struct zs_err *err)
{
	size_t cap = s->cap ? s->cap * 2 : 1024;
	struct ldap_row *rows = realloc(s->rows, cap * sizeof *rows);
	uint32_t *table;

	if (!rows)
		return zs_fail_nomem(err);
	s->rows = rows;
	if (cap > UINT32_MAX / 2)
		return zs_fail(err, ZS_SOURCE, "a directory of more than 2^31 entries");
	if (!(table = calloc(cap * 2, sizeof *table)))
		return zs_fail_nomem(err);
	free(s->table);
	s->table = table;
	s->table_n = cap * 2;
	s->cap = cap;
	for (size_t i = 0; i < s->n; i++)
		s->table[slot_of(s, s->rows[i].id)] = (uint32_t)i + 1;
	return 0;
}

struct ldap_row *ldap_spool_find(struct ldap_spool *s, const uint8_t id[16])
{
	uint32_t number = s->table_n ? s->table[slot_of(s, id)] : 0;

	return number && s->rows[number - 1].main_n ? &s->rows[number - 1] : NULL;
}

static int add_text(struct ldap_spool *s, const struct ldap_text *t, uint64_t *out_at, struct zs_err *err)
{
	if (s->tail.n > TAIL_MAX) {
		if (s->fd < 0 && (s->fd = zs_temp_file(s->tmp_dir, err)) < 0)
			return -1;
		if (zs_pwrite_all(s->fd, s->tail.p, s->tail.n, s->written, ZS_SYSTEM, "temporary file for the directory", err) < 0)
			return -1;
		s->written += s->tail.n;
		zs_buf_clear(&s->tail);
	}
	*out_at = s->written + s->tail.n;
	if (zs_buf_add_span(&s->tail, zs_buf_span(&t->main), err) < 0)
		return -1;
	return zs_buf_add_span(&s->tail, zs_buf_span(&t->side), err);
}

static int add_key(struct ldap_spool *s, const struct ldap_text *t, struct zs_err *err)
{
	if (!s->keeps_order)
		return zs_dn_key(zs_buf_span(&t->dn), t->is_group && !t->has_children, &s->keys, err);
	for (int shift = 56; shift >= 0; shift -= 8)
		if (zs_buf_add_u8(&s->keys, (uint8_t)((uint64_t)s->n >> shift), err) < 0)
			return -1;
	return 0;
}

int ldap_spool_put(struct ldap_spool *s, const struct ldap_text *t, uint32_t round, struct zs_err *err)
{
	struct ldap_row row = {.csn = zs_hash64(0, zs_buf_span(&t->csn)), .dn = zs_hash64(0, zs_buf_span(&t->dn)),
	    .main_n = (uint32_t)t->main.n, .side_n = (uint32_t)t->side.n, .round = round, .key_at = s->keys.n, .has_children = t->has_children};
	size_t i;

	if (t->main.n > UINT32_MAX || t->side.n > UINT32_MAX)
		return zs_fail(err, ZS_SOURCE, "an entry of more than 4 GiB");
	ldap_spool_id(zs_buf_span(&t->uuid), zs_buf_span(&t->dn), row.id);
	if (s->n == s->cap && grow(s, err) < 0)
		return -1;
	if (add_key(s, t, err) < 0 || add_text(s, t, &row.at, err) < 0)
		return -1;
	row.key_n = (uint32_t)(s->keys.n - row.key_at);
	i = slot_of(s, row.id);
	if (!s->table[i]) {
		s->table[i] = (uint32_t)++s->n;
		s->live++;
	} else {
		s->live += s->rows[s->table[i] - 1].main_n == 0;
	}
	s->rows[s->table[i] - 1] = row;
	return 0;
}

/* It stays in the table, as nothing. */
void ldap_spool_drop(struct ldap_spool *s, struct ldap_row *r)
{
	r->main_n = r->side_n = 0;
	s->live--;
}

static int by_key(const void *a, const void *b, void *keys)
{
	const struct ldap_row *x = a, *y = b;
	const struct zs_buf *k = keys;
	size_t n = x->key_n < y->key_n ? x->key_n : y->key_n;
	int c = n ? memcmp(k->p + x->key_at, k->p + y->key_at, n) : 0;

	if (c == 0)
		c = (x->key_n > y->key_n) - (x->key_n < y->key_n);
	return c ? c : memcmp(x->id, y->id, 16);
}

void ldap_spool_sort(struct ldap_spool *s)
{
	size_t kept = 0;

	for (size_t i = 0; i < s->n; i++)
		if (s->rows[i].main_n)
			s->rows[kept++] = s->rows[i];
	s->n = kept;
	qsort_r(s->rows, s->n, sizeof *s->rows, by_key, &s->keys);
	free(s->table);
	s->table = NULL;
	s->table_n = s->cap = 0;
	zs_buf_fini(&s->keys);
}

int ldap_spool_text(struct ldap_spool *s, const struct ldap_row *r, int is_side, struct zs_buf *out, struct zs_err *err)
{
	uint64_t at = r->at + (is_side ? r->main_n : 0);
	size_t n = is_side ? r->side_n : r->main_n, got = 0;

	if (at >= s->written)
		return zs_buf_add(out, s->tail.p + (at - s->written), n, err);
	if (zs_buf_reserve(out, n, err) < 0)
		return -1;
	if (zs_pread_full(s->fd, out->p + out->n, n, at, &got, ZS_SYSTEM, "temporary file for the directory", err) < 0)
		return -1;
	if (got != n)
		return zs_fail(err, ZS_SYSTEM, "the temporary file for the directory is shorter than what was written");
	out->n += n;
	return 0;
}

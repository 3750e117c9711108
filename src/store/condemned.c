/*
 * Condemned lists: packs that a prune is about to delete.  Writers treat what is in them as absent.  Publishing and
 * retiring the lists is the collector's.
 */
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

static int condemned_load_into(struct zs_store *st, const struct zs_names *names, struct condemned_list *l,
    struct zs_err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		struct condemned_row *row = &l->v[l->n];

		memset(row, 0, sizeof(*row));
		row->name = names->v[i];
		if (records_get_condemned(st, &row->name, &row->content, err) == 0) {
			l->n++;
			continue;
		}
		if (err->cause != ZS_NOTFOUND)
			return -1;
		zs_err_clear(err);
	}
	return 0;
}

int condemned_load(struct zs_store *st, struct condemned_list *out, struct zs_err *err)
{
	struct condemned_list l = {NULL, 0};
	struct zs_names names = {0};
	int rc = -1;

	if (objects_list(st->be, ZS_OBJ_CONDEMNED, &names, err) < 0)
		return -1;
	l.v = calloc(names.n ? names.n : 1, sizeof(*l.v));
	if (!l.v) {
		zs_fail_nomem(err);
		goto out;
	}
	if (condemned_load_into(st, &names, &l, err) < 0)
		goto out;
	*out = l;
	l = (struct condemned_list){NULL, 0};
	rc = 0;
out:
	condemned_list_fini(&l);
	zs_names_fini(&names);
	return rc;
}

void condemned_list_fini(struct condemned_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		zs_format_condemned_fini(&l->v[i].content);
	free(l->v);
	*l = (struct condemned_list){NULL, 0};
}

int condemned_packs(const struct condemned_list *l, struct zs_names *out, struct zs_err *err)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct zs_names *packs = &l->v[i].content.packs;

		for (size_t k = 0; k < packs->n; k++) {
			if (zs_names_add(out, &packs->v[k], err) < 0)
				return -1;
		}
	}
	zs_names_sort(out);
	return 0;
}

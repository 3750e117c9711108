/*
 * Lists of texts and of object names, as records hold them.  Not stored by
 * themselves.
 */
#include <stdlib.h>

#include "format_private.h"

int zs_strings_add(struct zs_strings *l, struct zs_span s, struct zs_err *err)
{
	void *v = l->v;
	char *text;

	if (fields_grow(&v, l->n, &l->cap, sizeof *l->v, err) < 0)
		return -1;
	l->v = v;
	text = fields_dup(s, err);
	if (!text)
		return -1;
	l->v[l->n++] = text;
	return 0;
}

void zs_strings_fini(struct zs_strings *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct zs_strings){0};
}

int zs_names_add(struct zs_names *l, const struct zs_name *n, struct zs_err *err)
{
	void *v = l->v;
	int sorted = l->sorted_n == l->n && (l->n == 0 || zs_name_cmp(&l->v[l->n - 1], n) <= 0);
	struct zs_name copy = *n; /* n may point into the list */

	if (fields_grow(&v, l->n, &l->cap, sizeof *l->v, err) < 0)
		return -1;
	l->v = v;
	l->v[l->n++] = copy;
	l->sorted_n = sorted ? l->n : SIZE_MAX;
	return 0;
}

static int compare(const void *a, const void *b)
{
	return zs_name_cmp(a, b);
}

int zs_names_has(const struct zs_names *l, const struct zs_name *n)
{
	if (!l->n)
		return 0;
	if (l->sorted_n == l->n)
		return bsearch(n, l->v, l->n, sizeof *l->v, compare) != NULL;
	for (size_t i = 0; i < l->n; i++)
		if (zs_name_cmp(&l->v[i], n) == 0)
			return 1;
	return 0;
}

void zs_names_sort(struct zs_names *l)
{
	if (l->n)
		qsort(l->v, l->n, sizeof *l->v, compare);
	l->sorted_n = l->n;
}

void zs_names_fini(struct zs_names *l)
{
	free(l->v);
	*l = (struct zs_names){0};
}

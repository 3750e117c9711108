/*
 * Key slots as the user manages them: list, add, remove, change.  How a slot is made and opened is in slots.c.
 */
#include <stdlib.h>
#include <string.h>

#include "store_private.h"

#define SLOT_OBJECT_MAX (64u << 10)

static int slot_admin_info(struct zs_store *st, const struct zs_name *name, struct zs_slot_info *out,
    struct zs_err *err)
{
	struct zs_buf object = ZS_BUF_INIT;
	struct zs_slot slot;
	struct zs_span head;
	char hex[ZS_NAME_HEX];
	int rc = -1;

	if (zs_backend_get_all(st->be, ZS_OBJ_KEY, name, SLOT_OBJECT_MAX, &object, err) < 0 ||
	    zs_format_slot_decode(zs_buf_span(&object), &slot, &head, err) < 0) {
		zs_context(err, "key slot %s", zs_name_hex(name, hex));
		goto out;
	}
	memset(out, 0, sizeof(*out));
	out->name = *name;
	memcpy(out->label, slot.label, sizeof(out->label));
	out->secret = slot.secret;
	out->role = slot.role;
	out->created_ns = slot.created_ns;
	out->current = zs_name_cmp(name, &st->slot) == 0;
	rc = 0;
out:
	zs_buf_fini(&object);
	return rc;
}

int zs_store_slots(struct zs_store *st, struct zs_slot_list *out, struct zs_err *err)
{
	struct zs_slot_list l = {NULL, 0};
	struct zs_names names = {0};
	int rc = -1;

	if (objects_list(st->be, ZS_OBJ_KEY, &names, err) < 0)
		return -1;
	l.v = calloc(names.n ? names.n : 1, sizeof(*l.v));
	if (!l.v) {
		zs_fail_nomem(err);
		goto out;
	}
	for (size_t i = 0; i < names.n; i++) {
		if (slot_admin_info(st, &names.v[i], &l.v[l.n], err) == 0) {
			l.n++;
			continue;
		}
		if (err->cause != ZS_NOTFOUND)
			goto out;
		zs_err_clear(err); /* removed while we looked */
	}
	*out = l;
	l = (struct zs_slot_list){NULL, 0};
	rc = 0;
out:
	zs_slot_list_fini(&l);
	zs_names_fini(&names);
	return rc;
}

void zs_slot_list_fini(struct zs_slot_list *l)
{
	free(l->v);
	*l = (struct zs_slot_list){NULL, 0};
}

int zs_store_slot_add(struct zs_store *st, const struct zs_secret *secret, const char *label, struct zs_name *out_name,
    struct zs_err *err)
{
	struct zs_names names = {0};
	size_t n;

	if (objects_list(st->be, ZS_OBJ_KEY, &names, err) < 0)
		return -1;
	n = names.n;
	zs_names_fini(&names);
	if (n >= STORE_SLOTS)
		return zs_fail(err, ZS_LIMIT, "there are %zu key slots already, the most that a repository may have",
		    n);
	return slots_create(st->be, &st->repo_id, st->kr, secret, label, out_name, err);
}

int zs_store_slot_remove(struct zs_store *st, const struct zs_name *slot, struct zs_err *err)
{
	struct zs_names names = {0};
	char hex[ZS_NAME_HEX];
	int rc = -1;

	zs_name_hex(slot, hex);
	if (objects_list(st->be, ZS_OBJ_KEY, &names, err) < 0)
		return -1;
	if (!zs_names_has(&names, slot)) {
		zs_fail(err, ZS_NOTFOUND, "there is no key slot %s", hex);
		goto out;
	}
	if (names.n < 2) {
		zs_fail(err, ZS_USAGE, "key slot %s is the last one: without it nobody could read the repository", hex);
		goto out;
	}
	rc = zs_backend_delete(st->be, ZS_OBJ_KEY, slot, err);
out:
	zs_names_fini(&names);
	return rc;
}

int zs_store_slot_passwd(struct zs_store *st, const struct zs_secret *secret, struct zs_name *out_name,
    struct zs_err *err)
{
	struct zs_slot_info now;
	struct zs_name fresh;

	if (slot_admin_info(st, &st->slot, &now, err) < 0)
		return -1;
	if (zs_store_slot_add(st, secret, now.label, &fresh, err) < 0)
		return -1;
	/* From here on both secrets open the repository, so whatever fails now locks nobody out. */
	if (objects_remove(st, ZS_OBJ_KEY, &st->slot, err) < 0)
		return zs_context(err, "the new secret works already, but the old one could not be removed");
	st->slot = fresh;
	*out_name = fresh;
	return 0;
}

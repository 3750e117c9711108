/*
 * Key slots: the repository's keys wrapped for one secret each.  Makes one, and tries those that are there.  Listing,
 * adding and removing them as the user sees it is in slot_admin.c.
 */
#include <string.h>

#include "store_private.h"

#define SLOTS_OBJECT_MAX (64u << 10)
#define SLOTS_KEYFILE_MIN 32
/* What a slot may ask of us before its secret is proven: storage must not be able to eat all memory. */
#define SLOTS_OPS_MAX 64
#define SLOTS_MEM_MAX_KIB (1u << 20)

static const struct slots_cost {
	uint32_t ops, mem_kib;
} slots_costs[] = {
    [ZS_SECRET_PASSPHRASE] = {3, 64u << 10},
    [ZS_SECRET_KEYFILE] = {1, 8}, /* random already: nobody can guess it */
    [ZS_SECRET_RECOVERY] = {1, 1024},
};

/* The bytes that are stretched, appended to *out. */
static int slots_material(const struct zs_secret *secret, struct zs_buf *out, struct zs_err *err)
{
	switch (secret->type) {
	case ZS_SECRET_RECOVERY:
		return recovery_normal(secret->bytes, out, err);
	case ZS_SECRET_KEYFILE:
		if (secret->bytes.n < SLOTS_KEYFILE_MIN)
			return zs_fail(err, ZS_KEY, "the key file is too short: it must hold at least %d random bytes",
			    SLOTS_KEYFILE_MIN);
		return zs_buf_add_span(out, secret->bytes, err);
	case ZS_SECRET_PASSPHRASE:
		if (secret->bytes.n == 0)
			return zs_fail(err, ZS_KEY, "the passphrase is empty");
		return zs_buf_add_span(out, secret->bytes, err);
	}
	return zs_fail(err, ZS_USAGE, "unknown type of secret %d", (int)secret->type);
}

static int slots_stretch(const struct zs_secret *secret, const struct zs_slot *slot, struct zs_key *out,
    struct zs_err *err)
{
	struct zs_buf material = ZS_BUF_INIT;
	int rc = -1;

	if (slots_material(secret, &material, err) == 0)
		rc = zs_key_stretch(zs_buf_span(&material), slot->salt, slot->ops, slot->mem_kib, out, err);
	zs_buf_wipe(&material);
	return rc;
}

static int slots_context(const struct zs_name *repo_id, const struct zs_name *name, struct zs_span head,
    struct zs_buf *out, struct zs_err *err)
{
	if (objects_context(repo_id, ZS_OBJ_KEY, name, out, err) < 0)
		return -1;
	return zs_buf_add_span(out, head, err);
}

/* ------------------------------------------------------------------- making */

static int slots_encode_keys(const struct zs_keyring *kr, struct zs_buf *out, struct zs_err *err)
{
	struct zs_slot_keys k;
	int rc = -1;

	memcpy(k.chunk_id, kr->chunk_id.b, sizeof(k.chunk_id));
	memcpy(k.seed, kr->seed.b, sizeof(k.seed));
	memcpy(k.meta, kr->meta.b, sizeof(k.meta));
	memcpy(k.data_public, kr->data_public.b, sizeof(k.data_public));
	memcpy(k.data_secret, kr->data_secret.b, sizeof(k.data_secret));
	/* All at once: a buffer that grows leaves copies behind. */
	if (zs_buf_reserve(out, 1024, err) == 0)
		rc = zs_format_slot_keys_encode(&k, out, err);
	zs_wipe(&k, sizeof(k));
	return rc;
}

/* The slot's box, made with its head and name. */
static int slots_seal(const struct zs_slot *slot, const struct zs_name *repo_id, const struct zs_name *name,
    const struct zs_keyring *kr, const struct zs_key *key, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf head = ZS_BUF_INIT, context = ZS_BUF_INIT, keys = ZS_BUF_INIT;
	int rc = -1;

	if (zs_format_slot_encode_head(slot, &head, err) < 0)
		goto out;
	if (slots_context(repo_id, name, zs_buf_span(&head), &context, err) < 0)
		goto out;
	if (slots_encode_keys(kr, &keys, err) < 0)
		goto out;
	rc = zs_box_seal(
	    key, objects_magic(ZS_OBJ_KEY), ZS_FORMAT_VERSION, zs_buf_span(&context), zs_buf_span(&keys), out, err);
out:
	zs_buf_fini(&head);
	zs_buf_fini(&context);
	zs_buf_wipe(&keys);
	return rc;
}

static int slots_fill(struct zs_slot *slot, const struct zs_secret *secret, const char *label, int can_read,
    struct zs_err *err)
{
	if (secret->type < ZS_SECRET_PASSPHRASE || secret->type > ZS_SECRET_RECOVERY)
		return zs_fail(err, ZS_USAGE, "unknown type of secret %d", (int)secret->type);
	if (strlen(label) >= sizeof(slot->label))
		return zs_fail(err, ZS_USAGE, "the label is longer than %zu bytes", sizeof(slot->label) - 1);
	memcpy(slot->label, label, strlen(label));
	slot->secret = (uint8_t)secret->type;
	slot->role = can_read ? ZS_ROLE_FULL : ZS_ROLE_WRITE;
	zs_random(slot->salt, sizeof(slot->salt));
	slot->ops = secret->ops ? secret->ops : slots_costs[secret->type].ops;
	slot->mem_kib = secret->mem_kib ? secret->mem_kib : slots_costs[secret->type].mem_kib;
	slot->created_ns = (uint64_t)zs_now_ns();
	return 0;
}

int slots_create(struct zs_backend *be, const struct zs_name *repo_id, const struct zs_keyring *kr,
    const struct zs_secret *secret, const char *label, struct zs_name *out_name, struct zs_err *err)
{
	struct zs_buf box = ZS_BUF_INIT, object = ZS_BUF_INIT;
	struct zs_slot slot = {0};
	struct zs_name name;
	struct zs_key key;
	int rc = -1;

	if (slots_fill(&slot, secret, label, kr->can_read, err) < 0)
		return -1;
	zs_random(name.b, sizeof(name.b));
	if (slots_stretch(secret, &slot, &key, err) < 0)
		goto out;
	if (slots_seal(&slot, repo_id, &name, kr, &key, &box, err) < 0)
		goto out;
	slot.box = zs_buf_span(&box);
	if (zs_format_slot_encode(&slot, &object, err) < 0)
		goto out;
	if (zs_backend_put(be, ZS_OBJ_KEY, &name, zs_buf_span(&object), err) < 0)
		goto out;
	*out_name = name;
	rc = 0;
out:
	zs_wipe(&key, sizeof(key));
	zs_buf_fini(&box);
	zs_buf_fini(&object);
	return rc;
}

/* ------------------------------------------------------------------- opening */

static void slots_take_keys(const struct zs_slot_keys *k, struct zs_keyring *kr)
{
	uint8_t any = 0;

	memcpy(kr->chunk_id.b, k->chunk_id, sizeof(k->chunk_id));
	memcpy(kr->seed.b, k->seed, sizeof(k->seed));
	memcpy(kr->meta.b, k->meta, sizeof(k->meta));
	memcpy(kr->data_public.b, k->data_public, sizeof(k->data_public));
	memcpy(kr->data_secret.b, k->data_secret, sizeof(k->data_secret));
	for (size_t i = 0; i < sizeof(k->data_secret); i++)
		any |= k->data_secret[i];
	kr->can_read = any != 0;
}

static int slots_open_box(const struct zs_slot *slot, struct zs_span context, const struct zs_secret *secret,
    struct zs_keyring *kr, struct zs_err *err)
{
	struct zs_buf plain = ZS_BUF_INIT;
	struct zs_slot_keys keys;
	struct zs_key key;
	uint16_t version;
	int rc = -1;

	if (slots_stretch(secret, slot, &key, err) < 0)
		goto out;
	if (zs_box_open(&key, objects_magic(ZS_OBJ_KEY), ZS_FORMAT_VERSION, context, slot->box, &plain, &version, err) <
	    0)
		goto out;
	if (zs_format_slot_keys_decode(zs_buf_span(&plain), &keys, err) < 0)
		goto out;
	slots_take_keys(&keys, kr);
	rc = 0;
out:
	zs_wipe(&key, sizeof(key));
	zs_wipe(&keys, sizeof(keys));
	zs_buf_wipe(&plain);
	return rc;
}

struct slots_search {
	struct zs_backend *be;
	const struct zs_name *repo_id;
	const struct zs_secret *secret;
	struct zs_keyring *kr;
	unsigned tried;	   /* slots that the secret did not fit */
	struct zs_err bad; /* of the first slot that could not be read */
};

/* 1 opened, 0 a slot for another type of secret, -1. */
static int slots_try(struct slots_search *s, const struct zs_name *name, struct zs_err *err)
{
	struct zs_buf object = ZS_BUF_INIT, context = ZS_BUF_INIT;
	struct zs_slot slot;
	struct zs_span head;
	int rc = -1;

	if (zs_backend_get_all(s->be, ZS_OBJ_KEY, name, SLOTS_OBJECT_MAX, &object, err) < 0)
		goto out;
	if (zs_format_slot_decode(zs_buf_span(&object), &slot, &head, err) < 0)
		goto out;
	if (slot.secret != s->secret->type) {
		rc = 0;
		goto out;
	}
	if (slot.ops < 1 || slot.ops > SLOTS_OPS_MAX || slot.mem_kib < 8 || slot.mem_kib > SLOTS_MEM_MAX_KIB) {
		zs_fail(err, ZS_CORRUPT, "it asks for absurd work (%u passes over %u KiB)", slot.ops, slot.mem_kib);
		goto out;
	}
	if (slots_context(s->repo_id, name, head, &context, err) < 0)
		goto out;
	if (slots_open_box(&slot, zs_buf_span(&context), s->secret, s->kr, err) == 0)
		rc = 1;
out:
	zs_buf_fini(&object);
	zs_buf_fini(&context);
	return rc;
}

/* All slots in turn: 1 opened, 0 none fits, -1. */
static int slots_try_all(struct slots_search *s, const struct zs_names *names, struct zs_name *out_slot,
    struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	for (size_t i = 0; i < names->n; i++) {
		int got = slots_try(s, &names->v[i], err);

		if (got > 0) {
			*out_slot = names->v[i];
			return 1;
		}
		if (got == 0)
			continue;
		if (err->cause == ZS_KEY) {
			s->tried++;
		} else if (err->cause == ZS_CORRUPT || err->cause == ZS_VERSION) {
			zs_context(err, "key slot %s", zs_name_hex(&names->v[i], hex));
			if (s->bad.cause == ZS_OK)
				s->bad = *err;
		} else if (err->cause != ZS_NOTFOUND) {
			return -1;
		}
		zs_err_clear(err);
	}
	return 0;
}

static int slots_no_match(const struct slots_search *s, struct zs_err *err)
{
	static const char *const names[] = {
	    [ZS_SECRET_PASSPHRASE] = "passphrase",
	    [ZS_SECRET_KEYFILE] = "key file",
	    [ZS_SECRET_RECOVERY] = "recovery code",
	};
	const char *name = names[s->secret->type];

	if (s->bad.cause != ZS_OK) {
		*err = s->bad;
		return s->tried ? zs_context(err, "wrong %s, or it is for a slot that is damaged", name) : -1;
	}
	if (s->tried)
		return zs_fail(err, ZS_KEY, "wrong %s for %s", name, zs_backend_describe(s->be));
	return zs_fail(err, ZS_KEY, "no key slot of %s takes a %s", zs_backend_describe(s->be), name);
}

int slots_unlock(struct zs_backend *be, const struct zs_name *repo_id, const struct zs_secret *secret,
    struct zs_keyring *kr, struct zs_name *out_slot, struct zs_err *err)
{
	struct slots_search s = {.be = be, .repo_id = repo_id, .secret = secret, .kr = kr};
	struct zs_buf material = ZS_BUF_INIT;
	struct zs_names names = {0};
	int got, rc = -1;

	/* A secret that can fit nothing (a mistyped recovery code) gets its own message. */
	if (slots_material(secret, &material, err) < 0)
		goto out;
	if (objects_list(be, ZS_OBJ_KEY, &names, err) < 0)
		goto out;
	if (names.n == 0) {
		zs_fail(err, ZS_CORRUPT, "%s has a config object but no key slots: half copied, or they were deleted",
		    zs_backend_describe(be));
		goto out;
	}
	if (names.n > STORE_SLOTS) {
		zs_fail(err, ZS_LIMIT, "%s has %zu key slots: more than %d", zs_backend_describe(be), names.n,
		    STORE_SLOTS);
		goto out;
	}
	got = slots_try_all(&s, &names, out_slot, err);
	if (got == 0)
		slots_no_match(&s, err);
	rc = got == 1 ? 0 : -1;
out:
	zs_buf_wipe(&material);
	zs_names_fini(&names);
	return rc;
}

/*
 * Key slots: the part that anyone may read (how to make the slot's key) and the
 * keys inside its box.  Sealing and Argon2id are left to codec.
 */
#include "format_private.h"

enum {
	T_LABEL = 1,
	T_SECRET = 3,
	T_ROLE = 5,
	T_SALT = 7,
	T_OPS = 9,
	T_MEM = 11,
	T_CREATED = 12,
};
enum {
	K_CHUNK_ID = 1,
	K_SEED = 3,
	K_META = 5,
	K_PUBLIC = 7,
	K_SECRET = 9,
};

#define OPS_MAX 64
#define MEM_MIN 8
#define MEM_MAX 4194304
#define HEAD_MAX 4096

static const char record[] = "key slot";

static int slot_fields(const struct zs_slot *slot, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;

	fields_begin(&w, record, out, err);
	if (!memchr(slot->label, 0, sizeof slot->label))
		fields_refuse(&w, ZS_LIMIT, "label is too long");
	else
		fields_add_text(&w, T_LABEL, slot->label);
	if (slot->secret < ZS_SECRET_PASSPHRASE || slot->secret > ZS_SECRET_RECOVERY || slot->role < ZS_ROLE_FULL ||
	    slot->role > ZS_ROLE_WRITE || bytes_zero(slot->salt, sizeof slot->salt))
		fields_refuse(&w, ZS_INTERNAL, "type, role or salt is not set");
	if (!slot->ops || slot->ops > OPS_MAX || slot->mem_kib < MEM_MIN || slot->mem_kib > MEM_MAX)
		fields_refuse(&w, ZS_LIMIT, "Argon2id parameters are out of range");
	fields_add_u64(&w, T_SECRET, slot->secret);
	fields_add_u64(&w, T_ROLE, slot->role);
	fields_add_fixed(&w, T_SALT, slot->salt, sizeof slot->salt);
	fields_add_u64(&w, T_OPS, slot->ops);
	fields_add_u64(&w, T_MEM, slot->mem_kib);
	fields_add_u64(&w, T_CREATED, slot->created_ns);
	return fields_end(&w);
}

int zs_format_slot_encode_head(const struct zs_slot *slot, struct zs_buf *out, struct zs_err *err)
{
	size_t start = out->n, at;

	if (fields_add_head(out, "ZSKS", err) < 0 || zs_buf_add_u32(out, 0, err) < 0)
		goto fail;
	at = out->n;
	if (slot_fields(slot, out, err) < 0)
		goto fail;
	zs_put_u32(out->p + at - 4, (uint32_t)(out->n - at));
	return 0;
fail:
	out->n = start;
	return -1;
}

int zs_format_slot_encode(const struct zs_slot *slot, struct zs_buf *out, struct zs_err *err)
{
	size_t start = out->n;

	if (!slot->box.n || slot->box.n > FORMAT_BOX_MAX)
		return zs_fail(err, ZS_LIMIT, "key slot: a box of %zu bytes", slot->box.n);
	if (zs_format_slot_encode_head(slot, out, err) < 0 || zs_buf_add_span(out, slot->box, err) < 0) {
		out->n = start;
		return -1;
	}
	return 0;
}

static int take_label(const struct fields *f, struct zs_span value, struct zs_slot *slot)
{
	if (!value.n || value.n >= sizeof slot->label || memchr(value.p, 0, value.n))
		return fields_bad(f, "label", "has a wrong length or holds a NUL");
	memcpy(slot->label, value.p, value.n);
	return 0;
}

/* A number that is a name of something: beyond `max` it is from a newer version. */
static int take_choice(const struct fields *f, const char *what, struct zs_span value, uint8_t max, uint8_t *out)
{
	uint64_t v = 0;

	if (fields_u64(f, what, value, UINT64_MAX, &v) < 0)
		return -1;
	if (v > max)
		return fields_newer(f, what);
	*out = (uint8_t)v;
	return 0;
}

static int take_field(const struct fields *f, unsigned tag, struct zs_span value, struct zs_slot *slot)
{
	uint64_t v = 0;
	int rc = 0;

	switch (tag) {
	case T_LABEL:
		return take_label(f, value, slot);
	case T_SECRET:
		return take_choice(f, "type of secret", value, ZS_SECRET_RECOVERY, &slot->secret);
	case T_ROLE:
		return take_choice(f, "role", value, ZS_ROLE_WRITE, &slot->role);
	case T_SALT:
		return fields_fixed(f, "salt", value, slot->salt, sizeof slot->salt);
	case T_OPS:
		rc = fields_u64(f, "Argon2id passes", value, OPS_MAX, &v);
		slot->ops = (uint32_t)v;
		break;
	case T_MEM:
		rc = fields_u64(f, "Argon2id memory", value, MEM_MAX, &v);
		slot->mem_kib = (uint32_t)v;
		if (!rc && v < MEM_MIN)
			rc = fields_bad(f, "Argon2id memory", "is out of range");
		break;
	case T_CREATED:
		return fields_u64(f, "time of creation", value, UINT64_MAX, &slot->created_ns);
	}
	return rc;
}

int zs_format_slot_decode(struct zs_span s, struct zs_slot *out, struct zs_span *out_head, struct zs_err *err)
{
	const uint64_t needed = FIELD(T_SECRET) | FIELD(T_ROLE) | FIELD(T_SALT) | FIELD(T_OPS) | FIELD(T_MEM);
	struct zs_slot slot = {0};
	struct zs_span all = s, head, value;
	struct fields f;
	unsigned tag = 0;
	uint32_t length;
	int more;

	if (fields_take_head(&s, "ZSKS", record, err) < 0)
		return -1;
	if (zs_take_u32(&s, &length) < 0 || length > HEAD_MAX || zs_take_bytes(&s, length, &head) < 0)
		return zs_fail(err, ZS_CORRUPT, "%s: is cut short, or its head is too long", record);
	fields_open(&f, record, head, needed | FIELD(T_LABEL) | FIELD(T_CREATED), 0, err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (take_field(&f, tag, value, &slot) < 0)
			return -1;
	if (more < 0 || fields_need(&f, needed) < 0)
		return -1;
	if (!s.n || s.n > FORMAT_BOX_MAX)
		return zs_fail(err, ZS_CORRUPT, "%s: its box is missing or too long", record);
	slot.box = s;
	*out = slot;
	*out_head = zs_span(all.p, all.n - s.n);
	return 0;
}

int zs_format_slot_keys_encode(const struct zs_slot_keys *k, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;

	/* At once: growing later would leave keys in freed memory. */
	if (zs_buf_reserve(out, 5 * (2 + 32), err) < 0)
		return -1;
	fields_begin(&w, "keys", out, err);
	if (bytes_zero(k->chunk_id, 32) || bytes_zero(k->seed, 32) || bytes_zero(k->meta, 32) ||
	    bytes_zero(k->data_public, 32))
		fields_refuse(&w, ZS_INTERNAL, "a key is zero");
	fields_add_fixed(&w, K_CHUNK_ID, k->chunk_id, 32);
	fields_add_fixed(&w, K_SEED, k->seed, 32);
	fields_add_fixed(&w, K_META, k->meta, 32);
	fields_add_fixed(&w, K_PUBLIC, k->data_public, 32);
	fields_add_fixed(&w, K_SECRET, k->data_secret, 32);
	return fields_end(&w);
}

int zs_format_slot_keys_decode(struct zs_span s, struct zs_slot_keys *out, struct zs_err *err)
{
	const uint64_t needed = FIELD(K_CHUNK_ID) | FIELD(K_SEED) | FIELD(K_META) | FIELD(K_PUBLIC);
	uint8_t *const key[] = {out->chunk_id, out->seed, out->meta, out->data_public, out->data_secret};
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more;

	/* Straight into the caller's locked memory, also where it fails: no copy stays on the stack. */
	memset(out, 0, sizeof *out);
	fields_open(&f, "keys", s, needed | FIELD(K_SECRET), 0, err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (fields_fixed(&f, "a key", value, key[tag / 2], 32) < 0)
			return -1;
	return more < 0 ? -1 : fields_need(&f, needed);
}

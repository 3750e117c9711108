/*
 * Boxes: one sealed record each, under a key that is fresh for the box and that the box commits to.  The layout is in
 * codec.h and store-format/keys.md.  What a record says, and what it is bound to, is the caller's.
 */
#include <limits.h>
#include <string.h>

#include <sodium.h>

#include "zstore/codec.h"

#define SALT 32u
#define SALT_AT 8u
#define COMMIT_AT (SALT_AT + SALT)
#define HEAD_BYTES (COMMIT_AT + 32u) /* all that stands before the ciphertext */
#define TAG crypto_aead_xchacha20poly1305_ietf_ABYTES
#define LENGTH_BYTES 4u

static const uint8_t nonce_zero[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES];

struct box_keys { struct zs_key commit, seal; };

uint64_t zs_padme(uint64_t n)
{
	unsigned e, s;
	uint64_t mask;

	if (n < 2)
		return n;
	e = 63u - (unsigned)__builtin_clzll(n);
	s = e ? 32u - (unsigned)__builtin_clz(e) : 0;
	mask = (UINT64_C(1) << (e - s)) - 1;
	return n > UINT64_MAX - mask ? n : (n + mask) & ~mask;
}

/* head: the first bytes of the box, salt included. */
static void derive_keys(const struct zs_key *key, const uint8_t *head, struct box_keys *out)
{
	uint8_t context[SALT + 4];
	struct zs_key box_key;

	memcpy(context, head + SALT_AT, SALT);
	memcpy(context + SALT, head, 4);
	zs_key_derive(key, "zstore box", zs_span(context, sizeof context), &box_key);
	zs_key_derive(&box_key, "commit", zs_span(NULL, 0), &out->commit);
	zs_key_derive(&box_key, "seal", zs_span(NULL, 0), &out->seal);
	sodium_memzero(&box_key, sizeof box_key);
}

/* The associated data in one piece: libsodium takes no list. */
static int associate(const uint8_t *head, struct zs_span context, struct zs_buf *ad, struct zs_err *err)
{
	if (zs_buf_add(ad, head, HEAD_BYTES, err) < 0)
		return -1;
	return zs_buf_add_span(ad, context, err);
}

int zs_box_seal(const struct zs_key *key, const char magic[static 4], uint16_t version, struct zs_span context,
    struct zs_span plain, struct zs_buf *out, struct zs_err *err)
{
	struct zs_buf ad = ZS_BUF_INIT;
	struct box_keys keys = {0};
	uint64_t padded;
	uint8_t *head, *body;
	int rc = -1;

	if ((uint64_t)plain.n > UINT32_MAX || plain.n > SIZE_MAX / 2)
		return zs_fail(err, ZS_LIMIT, "%zu bytes are too many for one sealed record", plain.n);
	padded = zs_padme((uint64_t)plain.n + LENGTH_BYTES);
	if (zs_buf_reserve(out, HEAD_BYTES + (size_t)padded + TAG, err) < 0)
		return -1;
	head = out->p + out->n;
	memcpy(head, magic, 4);
	zs_put_u16(head + 4, version);
	zs_put_u16(head + 6, 0);
	zs_random(head + SALT_AT, SALT);
	derive_keys(key, head, &keys);
	memcpy(head + COMMIT_AT, keys.commit.b, sizeof keys.commit.b);
	if (associate(head, context, &ad, err) < 0)
		goto out;
	body = head + HEAD_BYTES;
	zs_put_u32(body, (uint32_t)plain.n);
	if (plain.n)
		memcpy(body + LENGTH_BYTES, plain.p, plain.n);
	memset(body + LENGTH_BYTES + plain.n, 0, (size_t)padded - LENGTH_BYTES - plain.n);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(body, NULL, body, padded, ad.p, ad.n, NULL, nonce_zero,
	    keys.seal.b);
	out->n += HEAD_BYTES + (size_t)padded + TAG;
	rc = 0;
out:
	sodium_memzero(&keys, sizeof keys);
	zs_buf_fini(&ad);
	return rc;
}

static int check_head(struct zs_span box, const char *magic, uint16_t max_version, uint16_t *out_version,
    struct zs_err *err)
{
	uint16_t version;

	if (box.n < 8 || memcmp(box.p, magic, 4) != 0)
		return zs_fail(err, ZS_CORRUPT, "not a sealed record of type %.4s", magic);
	version = zs_get_u16(box.p + 4);
	*out_version = version;
	if (version > max_version)
		return zs_fail(err, ZS_VERSION, "sealed record %.4s has version %u, this program knows up to %u", magic,
		    (unsigned)version, (unsigned)max_version);
	if (version == 0 || zs_get_u16(box.p + 6) != 0)
		return zs_fail(err, ZS_CORRUPT, "sealed record %.4s: damaged head", magic);
	if (box.n < ZS_BOX_OVERHEAD)
		return zs_fail(err, ZS_CORRUPT, "sealed record %.4s: cut off", magic);
	return 0;
}

/* p holds the padded plaintext: its true length, or -1 if no sealer writes it so. */
static int64_t true_length(const uint8_t *p, size_t padded)
{
	uint64_t n = zs_get_u32(p);
	uint8_t any = 0;

	if (n > padded - LENGTH_BYTES || zs_padme(n + LENGTH_BYTES) != padded)
		return -1;
	for (size_t i = LENGTH_BYTES + (size_t)n; i < padded; i++)
		any |= p[i];
	return any ? -1 : (int64_t)n;
}

int zs_box_open(const struct zs_key *key, const char magic[static 4], uint16_t max_version, struct zs_span context,
    struct zs_span box, struct zs_buf *out_plain, uint16_t *out_version, struct zs_err *err)
{
	struct zs_buf ad = ZS_BUF_INIT;
	struct box_keys keys = {0};
	size_t padded;
	uint8_t *to;
	int64_t n;
	int rc = -1;

	if (check_head(box, magic, max_version, out_version, err) < 0)
		return -1;
	derive_keys(key, box.p, &keys);
	if (sodium_memcmp(keys.commit.b, box.p + COMMIT_AT, sizeof keys.commit.b) != 0) {
		zs_fail(err, ZS_KEY, "sealed record %.4s: not sealed with this key", magic);
		goto out;
	}
	padded = box.n - HEAD_BYTES - TAG;
	if (associate(box.p, context, &ad, err) < 0 || zs_buf_reserve(out_plain, padded, err) < 0)
		goto out;
	to = out_plain->p + out_plain->n;
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(to, NULL, NULL, box.p + HEAD_BYTES, padded + TAG, ad.p, ad.n,
	    nonce_zero, keys.seal.b) != 0) {
		zs_fail(err, ZS_CORRUPT, "sealed record %.4s: damaged, forged or not from this place", magic);
		goto out;
	}
	n = true_length(to, padded);
	if (n < 0) {
		zs_fail(err, ZS_CORRUPT, "sealed record %.4s: wrong padding", magic);
		goto out;
	}
	memmove(to, to + LENGTH_BYTES, (size_t)n);
	out_plain->n += (size_t)n;
	rc = 0;
out:
	sodium_memzero(&keys, sizeof keys);
	zs_buf_fini(&ad);
	return rc;
}

/*
 * Packs: a fresh key for each, sealed to the repository's public key and committed to in the header; parts sealed
 * under it with their number as nonce.  Where parts stand and what they hold is for store and format.
 */
#include <assert.h>
#include <string.h>

#include <sodium.h>

#include "zstore/codec.h"

#define PACK_VERSION 1
#define SEALED_AT 8u
#define SEALED_BYTES 80u
#define COMMIT_AT (SEALED_AT + SEALED_BYTES)
#define RANGES 8

static_assert(SEALED_BYTES == crypto_box_SEALBYTES + ZS_KEY_BYTES, "a sealed pack key has this size");
static_assert(ZS_SEAL_TAG == crypto_aead_xchacha20poly1305_ietf_ABYTES, "a seal adds this much");

static const uint8_t pack_magic[4] = {'Z', 'S', 'P', 'K'};

struct range { uint64_t first, last; };

struct zs_pack_seal {
	struct zs_key aead;
	struct zs_name repo_id;
	int writing;
	unsigned ranges;		/* numbers used so far: nearly always blocks from 0 and a few at the end */
	struct range used[RANGES];
};

/* Everything that follows from a pack key; tag gets the commitment. */
static void derive_pack(const struct zs_key *pack_key, const struct zs_keyring *kr, const struct zs_name *repo_id,
    struct zs_pack_seal *ps, struct zs_pack_tag *tag)
{
	uint8_t context[ZS_NAME_BYTES + ZS_KEY_BYTES];
	struct zs_key author, body, commit;

	zs_key_derive(&kr->meta, "zstore pack author", zs_span(NULL, 0), &author);
	memcpy(context, repo_id->b, ZS_NAME_BYTES);
	memcpy(context + ZS_NAME_BYTES, author.b, ZS_KEY_BYTES);
	zs_key_derive(pack_key, "zstore pack", zs_span(context, sizeof context), &body);
	zs_key_derive(&body, "commit", zs_span(NULL, 0), &commit);
	zs_key_derive(&body, "seal", zs_span(NULL, 0), &ps->aead);
	ps->repo_id = *repo_id;
	memcpy(tag->b, commit.b, sizeof tag->b);
	sodium_memzero(&author, sizeof author);
	sodium_memzero(context, sizeof context);
	sodium_memzero(&body, sizeof body);
}

static struct zs_pack_seal *seal_alloc(struct zs_err *err)
{
	struct zs_pack_seal *ps = sodium_malloc(sizeof *ps);

	if (ps)
		memset(ps, 0, sizeof *ps);
	else
		(void)zs_fail_nomem(err);
	return ps;
}

int zs_pack_seal_new(const struct zs_keyring *kr, const struct zs_name *repo_id, uint8_t header[static ZS_PACK_HEADER],
    struct zs_pack_tag *out_tag, struct zs_pack_seal **out, struct zs_err *err)
{
	struct zs_pack_seal *ps = seal_alloc(err);
	struct zs_key pack_key;

	if (!ps)
		return -1;
	zs_random(pack_key.b, sizeof pack_key.b);
	memcpy(header, pack_magic, sizeof pack_magic);
	zs_put_u16(header + 4, PACK_VERSION);
	zs_put_u16(header + 6, 0);
	if (crypto_box_seal(header + SEALED_AT, pack_key.b, sizeof pack_key.b, kr->data_public.b) != 0) {
		sodium_memzero(&pack_key, sizeof pack_key);
		zs_pack_seal_free(ps);
		return zs_fail(err, ZS_KEY, "the repository's data key is no usable public key");
	}
	derive_pack(&pack_key, kr, repo_id, ps, out_tag);
	sodium_memzero(&pack_key, sizeof pack_key);
	memcpy(header + COMMIT_AT, out_tag->b, sizeof out_tag->b);
	ps->writing = 1;
	*out = ps;
	return 0;
}

static int check_header(struct zs_span header, struct zs_err *err)
{
	if (header.n != ZS_PACK_HEADER || memcmp(header.p, pack_magic, sizeof pack_magic) != 0)
		return zs_fail(err, ZS_CORRUPT, "not a pack");
	if (zs_get_u16(header.p + 4) > PACK_VERSION)
		return zs_fail(err, ZS_VERSION, "the pack has version %u, this program knows up to %d",
		    (unsigned)zs_get_u16(header.p + 4), PACK_VERSION);
	if (zs_get_u16(header.p + 4) == 0 || zs_get_u16(header.p + 6) != 0)
		return zs_fail(err, ZS_CORRUPT, "the pack's header is damaged");
	return 0;
}

int zs_pack_seal_open(const struct zs_keyring *kr, const struct zs_name *repo_id, struct zs_span header,
    struct zs_pack_tag *out_tag, struct zs_pack_seal **out, struct zs_err *err)
{
	struct zs_pack_seal *ps = NULL;
	struct zs_key pack_key = {0};
	struct zs_pack_tag tag;
	int rc = -1;

	if (check_header(header, err) < 0)
		return -1;
	if (!kr->can_read)
		return zs_fail(err, ZS_KEY, "this key can write packs but not read them");
	if (crypto_box_seal_open(pack_key.b, header.p + SEALED_AT, SEALED_BYTES, kr->data_public.b,
	    kr->data_secret.b)) {
		zs_fail(err, ZS_CORRUPT, "the pack's key is damaged or was not sealed for this repository");
		goto out;
	}
	ps = seal_alloc(err);
	if (!ps)
		goto out;
	derive_pack(&pack_key, kr, repo_id, ps, &tag);
	if (sodium_memcmp(tag.b, header.p + COMMIT_AT, sizeof tag.b) != 0) {
		zs_fail(err, ZS_CORRUPT, "the pack's header is forged or belongs to another repository");
		goto out;
	}
	*out_tag = tag;
	*out = ps;
	ps = NULL;
	rc = 0;
out:
	sodium_memzero(&pack_key, sizeof pack_key);
	zs_pack_seal_free(ps);
	return rc;
}

/* Asserts that number is new: two parts under one nonce would give both away. */
static void use_number(struct zs_pack_seal *ps, uint64_t number)
{
	struct range *joins = NULL;

	for (unsigned i = 0; i < ps->ranges; i++) {
		struct range *r = &ps->used[i];

		assert(number < r->first || number > r->last);
		if (number > 0 && number - 1 == r->last)
			joins = r;
	}
	if (joins) {
		joins->last = number;
		return;
	}
	assert(ps->ranges < RANGES);
	ps->used[ps->ranges++] = (struct range){number, number};
}

static void place(const struct zs_pack_seal *ps, enum zs_part type, uint64_t number,
    uint8_t nonce[static crypto_aead_xchacha20poly1305_ietf_NPUBBYTES], uint8_t ad[static 1 + ZS_NAME_BYTES])
{
	memset(nonce, 0, crypto_aead_xchacha20poly1305_ietf_NPUBBYTES);
	zs_put_u64(nonce, number);
	ad[0] = (uint8_t)type;
	memcpy(ad + 1, ps->repo_id.b, ZS_NAME_BYTES);
}

int zs_pack_seal_part(struct zs_pack_seal *ps, enum zs_part type, uint64_t number, struct zs_span plain,
    struct zs_buf *out, struct zs_err *err)
{
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES], ad[1 + ZS_NAME_BYTES];

	assert(ps->writing);
	if (plain.n > SIZE_MAX - ZS_SEAL_TAG)
		return zs_fail(err, ZS_LIMIT, "a part of a pack cannot be that large");
	if (zs_buf_reserve(out, plain.n + ZS_SEAL_TAG, err) < 0)
		return -1;
	use_number(ps, number);
	place(ps, type, number, nonce, ad);
	(void)crypto_aead_xchacha20poly1305_ietf_encrypt(out->p + out->n, NULL, plain.p, plain.n, ad, sizeof ad, NULL,
	    nonce, ps->aead.b);
	out->n += plain.n + ZS_SEAL_TAG;
	return 0;
}

int zs_pack_open_part(const struct zs_pack_seal *ps, enum zs_part type, uint64_t number, struct zs_span sealed,
    struct zs_buf *out, struct zs_err *err)
{
	uint8_t nonce[crypto_aead_xchacha20poly1305_ietf_NPUBBYTES], ad[1 + ZS_NAME_BYTES];

	if (sealed.n < ZS_SEAL_TAG)
		return zs_fail(err, ZS_CORRUPT, "part %llu of the pack is cut off", (unsigned long long)number);
	if (zs_buf_reserve(out, sealed.n - ZS_SEAL_TAG, err) < 0)
		return -1;
	place(ps, type, number, nonce, ad);
	if (crypto_aead_xchacha20poly1305_ietf_decrypt(out->p + out->n, NULL, NULL, sealed.p, sealed.n, ad, sizeof ad,
	    nonce, ps->aead.b) != 0)
		return zs_fail(err, ZS_CORRUPT, "part %llu of the pack is damaged or forged",
		    (unsigned long long)number);
	out->n += sealed.n - ZS_SEAL_TAG;
	return 0;
}

void zs_pack_seal_free(struct zs_pack_seal *ps)
{
	sodium_free(ps);
}

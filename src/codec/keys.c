/*
 * Keys: where they come from, where they live (locked, guarded, wiped memory of libsodium) and how one gives others.
 * What is sealed with them is in seal.c; which keys a repository has and how they are stored is for store and format.
 */
#include <errno.h>
#include <string.h>

#include <sodium.h>

#include "zstore/codec.h"

int zs_codec_init(struct zs_err *err)
{
	if (sodium_init() < 0)
		return zs_fail(err, ZS_SYSTEM, "libsodium cannot start: no source of random numbers");
	return 0;
}

struct zs_keyring *zs_keyring_new(struct zs_err *err)
{
	struct zs_keyring *kr = sodium_malloc(sizeof *kr);

	if (!kr) {
		(void)zs_fail_nomem(err);
		return NULL;
	}
	memset(kr, 0, sizeof *kr);
	return kr;
}

void zs_keyring_generate(struct zs_keyring *kr)
{
	zs_random(&kr->chunk_id, sizeof kr->chunk_id);
	zs_random(&kr->seed, sizeof kr->seed);
	zs_random(&kr->meta, sizeof kr->meta);
	(void)crypto_box_keypair(kr->data_public.b, kr->data_secret.b); /* cannot fail */
	kr->can_read = 1;
}

void zs_keyring_free(struct zs_keyring *kr)
{
	sodium_free(kr); /* overwrites */
}

void zs_random(void *p, size_t n)
{
	randombytes_buf(p, n);
}

void zs_wipe(void *p, size_t n)
{
	sodium_memzero(p, n);
}

void zs_key_derive(const struct zs_key *key, const char *label, struct zs_span context, struct zs_key *out)
{
	crypto_generichash_state h;

	(void)crypto_generichash_init(&h, key->b, sizeof key->b, sizeof out->b);
	(void)crypto_generichash_update(&h, (const uint8_t *)label, strlen(label));
	(void)crypto_generichash_update(&h, context.p, context.n);
	(void)crypto_generichash_final(&h, out->b, sizeof out->b);
	sodium_memzero(&h, sizeof h);
}

int zs_key_stretch(struct zs_span secret, const uint8_t salt[static 16], uint32_t ops, uint32_t mem_kib,
    struct zs_key *out, struct zs_err *err)
{
	uint64_t mem_bytes = (uint64_t)mem_kib * 1024;

	if (ops < 1 || ops > 64 || mem_kib < 8 || mem_kib > 4194304 || mem_bytes > SIZE_MAX)
		return zs_fail(err, ZS_LIMIT, "Argon2id with %u passes over %u KiB is outside of what is allowed",
		    (unsigned)ops, (unsigned)mem_kib);
	if ((uint64_t)secret.n > crypto_pwhash_PASSWD_MAX)
		return zs_fail(err, ZS_LIMIT, "the passphrase is too long");
	/* libsodium maps the memory for this call and unmaps it before it returns. */
	if (crypto_pwhash(out->b, sizeof out->b, (const char *)secret.p, secret.n, salt, ops, (size_t)mem_bytes,
	    crypto_pwhash_ALG_ARGON2ID13) != 0)
		return zs_fail_sys(err, ZS_NOMEM, ENOMEM, "Argon2id needs %u KiB", (unsigned)mem_kib);
	return 0;
}

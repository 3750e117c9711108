/*
 * Names: chunk ids (keyed BLAKE2b-192) and object names (BLAKE2b-256 of the stored bytes), at once or streamed.
 * Checksums against accidents are base's; keys are keys.c's.
 */
#include <stdlib.h>

#include <sodium.h>

#include "zstore/codec.h"

struct zs_namer {
	crypto_generichash_state state; /* wants more alignment than malloc gives */
};

void zs_codec_chunk_id(const struct zs_key *chunk_id_key, struct zs_span plain, struct zs_id *out)
{
	(void)crypto_generichash(out->b, sizeof out->b, plain.p, plain.n, chunk_id_key->b, sizeof chunk_id_key->b);
}

void zs_codec_name(struct zs_span stored, struct zs_name *out)
{
	(void)crypto_generichash(out->b, sizeof out->b, stored.p, stored.n, NULL, 0);
}

static void start(struct zs_namer *n)
{
	(void)crypto_generichash_init(&n->state, NULL, 0, ZS_NAME_BYTES);
}

struct zs_namer *zs_namer_new(void)
{
	struct zs_namer *n = aligned_alloc(_Alignof(struct zs_namer), sizeof *n);

	if (n)
		start(n);
	return n;
}

void zs_namer_add(struct zs_namer *n, struct zs_span s)
{
	(void)crypto_generichash_update(&n->state, s.p, s.n);
}

void zs_namer_finish(struct zs_namer *n, struct zs_name *out)
{
	(void)crypto_generichash_final(&n->state, out->b, sizeof out->b);
	start(n);
}

void zs_namer_free(struct zs_namer *n)
{
	free(n);
}

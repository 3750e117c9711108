/*
 * codec: compression (zstd) and sealing (libsodium).  Knows nothing of records.
 */
#ifndef ZSTORE_CODEC_H
#define ZSTORE_CODEC_H

#include "zstore/base.h"

/* Call once before anything else of this layer.  0, or -1: ZS_SYSTEM. */
int zs_codec_init(struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------- compression */

enum zs_press_algo { ZS_PRESS_NONE = 0, ZS_PRESS_ZSTD = 1 };

struct zs_press; /* contexts for one thread */
int zs_press_new(struct zs_press **out, struct zs_err *err) ZS_MUST_USE;
void zs_press_free(struct zs_press *p);
/*
 * Compress plain, decompress the result and compare (an encoder's bug must not
 * lose data), append it to *out.  *out_algo is ZS_PRESS_NONE, and the plain bytes
 * are appended, where compression does not gain at least 1/64 or level is 0.
 * level: 0 (none), or 1..19.  A mismatch is not an error: it stores plain.
 */
int zs_press_pack(struct zs_press *p, struct zs_span plain, int level, struct zs_buf *out,
    enum zs_press_algo *out_algo, struct zs_err *err) ZS_MUST_USE;
/* The reverse; exactly plain_bytes must come out, appended to *out.  -1: ZS_CORRUPT, ZS_NOMEM. */
int zs_press_unpack(struct zs_press *p, enum zs_press_algo algo, struct zs_span pressed, size_t plain_bytes,
    struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* 1 if a sample of the bytes says that compressing them is not worth the time. */
int zs_press_is_dense(struct zs_press *p, struct zs_span plain);

/* ------------------------------------------------------------------- keys */

#define ZS_KEY_BYTES 32
struct zs_key { uint8_t b[ZS_KEY_BYTES]; };	/* a secret of any purpose */
struct zs_public { uint8_t b[32]; };		/* X25519 public half */

/* The repository's keys; lives in locked, guarded memory (zs_keyring_new). */
struct zs_keyring {
	struct zs_key chunk_id;	 /* names chunks */
	struct zs_key seed;	 /* chunker table, tree boundaries */
	struct zs_key meta;	 /* seals index objects, snapshots, sessions, ... ; authenticates packs */
	struct zs_public data_public;
	struct zs_key data_secret; /* all zero in a write-only keyring */
	int can_read;		 /* 1 if data_secret is there */
};

struct zs_keyring *zs_keyring_new(struct zs_err *err) ZS_MUST_USE; /* zeroed, locked; NULL: ZS_NOMEM */
void zs_keyring_generate(struct zs_keyring *kr);
void zs_keyring_free(struct zs_keyring *kr); /* wipes; NULL is fine */
void zs_random(void *p, size_t n);
void zs_wipe(void *p, size_t n);
/* sub-key: BLAKE2b-256(key, label || context) */
void zs_key_derive(const struct zs_key *key, const char *label, struct zs_span context, struct zs_key *out);
/* Argon2id.  ops 1..64, mem_kib 8..4194304.  -1: ZS_NOMEM, ZS_LIMIT. */
int zs_key_stretch(struct zs_span secret, const uint8_t salt[static 16], uint32_t ops, uint32_t mem_kib,
    struct zs_key *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ hashes */

void zs_codec_chunk_id(const struct zs_key *chunk_id_key, struct zs_span plain, struct zs_id *out); /* keyed BLAKE2b-192 */
void zs_codec_name(struct zs_span stored, struct zs_name *out); /* BLAKE2b-256, no key: any box can scrub */
struct zs_namer; /* the same, streamed */
struct zs_namer *zs_namer_new(void); /* NULL: no memory */
void zs_namer_add(struct zs_namer *n, struct zs_span s);
void zs_namer_finish(struct zs_namer *n, struct zs_name *out); /* resets for the next */
void zs_namer_free(struct zs_namer *n);

/* ------------------------------------------------------------ sealed objects */

/*
 * A box: one sealed record (snapshot, index, session, key slot ...).
 *   magic(4) version(2, LE) reserved(2, 0) salt(32) commitment(32) XChaCha20-Poly1305(ciphertext, tag 16)
 * box key = derive(key, "zstore box", salt || magic); commitment = derive(box key, "commit");
 * AEAD key = derive(box key, "seal"), nonce 0 (the key is fresh); associated data = the 72 bytes before it || context.
 * The context is the caller's: repository id, object type and name, whatever the record is bound to.
 * The plaintext is u32 LE true length, the bytes, zeros up to a Padme size (zs_padme(4 + length) in all).
 */
#define ZS_BOX_OVERHEAD (4 + 2 + 2 + 32 + 32 + 16 + 4)
int zs_box_seal(const struct zs_key *key, const char magic[static 4], uint16_t version, struct zs_span context,
    struct zs_span plain, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/*
 * *out_version is set first (also on failure, if the magic fits).  -1: ZS_KEY if the commitment does not
 * match (wrong key, hence also a box of another repository), ZS_VERSION if version > max_version,
 * ZS_CORRUPT for everything else (damaged, forged, or another context).
 */
int zs_box_open(const struct zs_key *key, const char magic[static 4], uint16_t max_version, struct zs_span context,
    struct zs_span box, struct zs_buf *out_plain, uint16_t *out_version, struct zs_err *err) ZS_MUST_USE;
uint64_t zs_padme(uint64_t n); /* the padded size for n bytes: >= n, at most 12 % more */

/* -------------------------------------------------------------- pack sealing */

/*
 * A pack's header (ZS_PACK_HEADER bytes): magic "ZSPK", version u16, reserved u16,
 * sealed key (crypto_box_seal of a random pack key to data_public, 80 bytes), commitment (32).
 * body key = derive(pack key, "zstore pack", repo id || derive(meta, "zstore pack author"));
 * commitment = derive(body key, "commit"); AEAD key = derive(body key, "seal").
 * Part number n is sealed with nonce LE64(n) || zeros, associated data u8 part type || repo id.
 */
#define ZS_PACK_HEADER (8 + 80 + 32)
#define ZS_SEAL_TAG 16
enum zs_part { ZS_PART_BLOCK = 1, ZS_PART_PADDING = 2, ZS_PART_DIRECTORY = 3, ZS_PART_TRAILER = 4 };
struct zs_pack_seal; /* locked memory: one pack's AEAD key */
struct zs_pack_tag { uint8_t b[32]; }; /* the header's commitment: index objects bind a pack by it */

/* A fresh key for a new pack and the header that holds it.  -1: ZS_NOMEM (locked memory). */
int zs_pack_seal_new(const struct zs_keyring *kr, const struct zs_name *repo_id, uint8_t header[static ZS_PACK_HEADER],
    struct zs_pack_tag *out_tag, struct zs_pack_seal **out, struct zs_err *err) ZS_MUST_USE;
/* -1: ZS_KEY without data_secret, ZS_VERSION, ZS_CORRUPT (forged, swapped). */
int zs_pack_seal_open(const struct zs_keyring *kr, const struct zs_name *repo_id, struct zs_span header,
    struct zs_pack_tag *out_tag, struct zs_pack_seal **out, struct zs_err *err) ZS_MUST_USE;
/* Appends plain.n + ZS_SEAL_TAG bytes.  number must never repeat within a pack: asserted. */
int zs_pack_seal_part(struct zs_pack_seal *ps, enum zs_part type, uint64_t number, struct zs_span plain,
    struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
int zs_pack_open_part(const struct zs_pack_seal *ps, enum zs_part type, uint64_t number, struct zs_span sealed,
    struct zs_buf *out, struct zs_err *err) ZS_MUST_USE; /* -1: ZS_CORRUPT */
void zs_pack_seal_free(struct zs_pack_seal *ps);

#endif

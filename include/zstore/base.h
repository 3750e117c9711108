/*
 * base: what every layer shares: errors, spans and buffers, integers on the
 * wire, object and chunk ids, paths, hashing, files, clocks, external sorting.
 * Uses libc and xxhash only.  Nothing here prints, exits or reads a global.
 */
#ifndef ZSTORE_BASE_H
#define ZSTORE_BASE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define ZS_MUST_USE __attribute__((warn_unused_result))
#define ZS_PRINTF(f, a) __attribute__((format(printf, f, a)))

/* ------------------------------------------------------------------ errors */

/* What a caller can act on.  The number is not stored anywhere. */
enum zs_cause {
	ZS_OK = 0,
	ZS_INTERNAL,	/* a bug of ours */
	ZS_USAGE,	/* the request makes no sense: exit code 2 */
	ZS_NOMEM,
	ZS_SOURCE,	/* something to be backed up could not be read: partial */
	ZS_TARGET,	/* something could not be restored where it was wanted */
	ZS_SYSTEM,	/* another local operation failed (cache, temporary file, thread) */
	ZS_IO,		/* the backend failed */
	ZS_NOSPACE,	/* the backend is full */
	ZS_NOTFOUND,	/* the object, snapshot, path or key is not there */
	ZS_EXISTS,	/* it is there already */
	ZS_CORRUPT,	/* what is stored is damaged or forged: exit code 4 */
	ZS_VERSION,	/* the format is newer than this program */
	ZS_LIMIT,	/* a documented maximum would be exceeded */
	ZS_BUSY,	/* somebody else is at it: exit code 5 */
	ZS_KEY,		/* wrong or missing passphrase or key: exit code 6 */
	ZS_STOPPED,	/* the user asked to stop */
};

struct zs_err {
	enum zs_cause cause;
	int sys;	/* errno at the point of failure, or 0 */
	char text[480]; /* outermost context first, no newline */
};

/* Set the error.  A text ending in ": %m"-like detail is not needed: zs_fail_sys adds it.  Returns -1. */
int zs_fail(struct zs_err *err, enum zs_cause cause, const char *fmt, ...) ZS_PRINTF(3, 4);
/* As zs_fail; also records errno `sys` and appends ": " and its text. */
int zs_fail_sys(struct zs_err *err, enum zs_cause cause, int sys, const char *fmt, ...) ZS_PRINTF(4, 5);
/* Put "context: " before the text that is already there.  Returns -1. */
int zs_context(struct zs_err *err, const char *fmt, ...) ZS_PRINTF(2, 3);
/* ZS_NOMEM with a fixed text.  Returns -1. */
int zs_fail_nomem(struct zs_err *err);
/* Forget an error that has been dealt with. */
void zs_err_clear(struct zs_err *err);

/* ------------------------------------------------------- spans and buffers */

/* Borrowed bytes.  p may be NULL if n is 0. */
struct zs_span {
	const uint8_t *p;
	size_t n;
};

/* Owned bytes that grow.  ZS_BUF_INIT is empty and owns nothing. */
struct zs_buf {
	uint8_t *p;
	size_t n;   /* bytes in use */
	size_t cap; /* bytes allocated */
};
#define ZS_BUF_INIT {NULL, 0, 0}

/* Views of bytes that somebody else owns: no copies. */
struct zs_span zs_span(const void *p, size_t n);
struct zs_span zs_span_str(const char *s); /* without the NUL */
struct zs_span zs_buf_span(const struct zs_buf *b); /* borrowed until b changes */
int zs_span_eq(struct zs_span a, struct zs_span b); /* 1 equal, 0 not; not for secrets */

/* Make room for n more bytes.  0, or -1: ZS_NOMEM, buffer unchanged. */
int zs_buf_reserve(struct zs_buf *b, size_t n, struct zs_err *err) ZS_MUST_USE;
/* Append n bytes.  0, or -1: ZS_NOMEM, buffer unchanged. */
int zs_buf_add(struct zs_buf *b, const void *p, size_t n, struct zs_err *err) ZS_MUST_USE;
int zs_buf_add_span(struct zs_buf *b, struct zs_span s, struct zs_err *err) ZS_MUST_USE;
int zs_buf_add_u8(struct zs_buf *b, uint8_t v, struct zs_err *err) ZS_MUST_USE;
int zs_buf_add_u16(struct zs_buf *b, uint16_t v, struct zs_err *err) ZS_MUST_USE; /* little endian */
int zs_buf_add_u32(struct zs_buf *b, uint32_t v, struct zs_err *err) ZS_MUST_USE;
int zs_buf_add_u64(struct zs_buf *b, uint64_t v, struct zs_err *err) ZS_MUST_USE;
/* LEB128, shortest form, 1..10 bytes. */
int zs_buf_add_varint(struct zs_buf *b, uint64_t v, struct zs_err *err) ZS_MUST_USE;
int zs_buf_printf(struct zs_buf *b, struct zs_err *err, const char *fmt, ...) ZS_PRINTF(3, 4) ZS_MUST_USE;
/* text as a JSON string, quotes included; bytes that are no UTF-8 become U+FFFD. */
int zs_buf_json(struct zs_buf *b, struct zs_span text, struct zs_err *err) ZS_MUST_USE;
/* Bytes of the well-formed UTF-8 character at p, of n >= 1 bytes; 0 if it is none. */
size_t zs_utf8_length(const uint8_t *p, size_t n);
void zs_buf_clear(struct zs_buf *b); /* n = 0, memory kept */
void zs_buf_fini(struct zs_buf *b);  /* free; b is as ZS_BUF_INIT afterwards */
void zs_buf_wipe(struct zs_buf *b);  /* overwrite, then fini: for secrets */

/* Reading: each takes its value from the front of *s and moves s on; -1 without
 * any change if it is not there (or a varint is overlong or does not fit). */
int zs_take_u8(struct zs_span *s, uint8_t *out) ZS_MUST_USE;
int zs_take_u16(struct zs_span *s, uint16_t *out) ZS_MUST_USE;
int zs_take_u32(struct zs_span *s, uint32_t *out) ZS_MUST_USE;
int zs_take_u64(struct zs_span *s, uint64_t *out) ZS_MUST_USE;
int zs_take_varint(struct zs_span *s, uint64_t *out) ZS_MUST_USE;
int zs_take_bytes(struct zs_span *s, size_t n, struct zs_span *out) ZS_MUST_USE;
void zs_put_u16(uint8_t *p, uint16_t v);
void zs_put_u32(uint8_t *p, uint32_t v);
void zs_put_u64(uint8_t *p, uint64_t v);
uint16_t zs_get_u16(const uint8_t *p);
uint32_t zs_get_u32(const uint8_t *p);
uint64_t zs_get_u64(const uint8_t *p);
uint64_t zs_zigzag(int64_t v);	 /* signed to varint-friendly */
int64_t zs_unzigzag(uint64_t v);

/* --------------------------------------------------------------- ids, names */

#define ZS_ID_BYTES 24
#define ZS_NAME_BYTES 32
#define ZS_ID_HEX (2 * ZS_ID_BYTES + 1)
#define ZS_NAME_HEX (2 * ZS_NAME_BYTES + 1)

struct zs_id { uint8_t b[ZS_ID_BYTES]; };     /* a chunk: keyed hash of its bytes */
struct zs_name { uint8_t b[ZS_NAME_BYTES]; }; /* an object: hash of what is stored, or random */

/* As lower-case digits, into out, which is returned; and back. */
const char *zs_id_hex(const struct zs_id *id, char out[static ZS_ID_HEX]);
const char *zs_name_hex(const struct zs_name *name, char out[static ZS_NAME_HEX]);
int zs_name_parse(const char *hex, struct zs_name *out) ZS_MUST_USE; /* 64 lower-case digits; 0 or -1 */
int zs_id_cmp(const struct zs_id *a, const struct zs_id *b);
int zs_name_cmp(const struct zs_name *a, const struct zs_name *b);

/* -------------------------------------------------------------------- paths */

/*
 * A path inside a snapshot: components of any bytes but NUL and '/', joined by
 * single '/', no leading or trailing '/', no component "." or "..", each
 * component 1..ZS_COMPONENT_MAX bytes.  Order: component by component, so
 * '/' sorts before every other byte and a directory stands before its content.
 */
#define ZS_PATH_MAX 65535
#define ZS_COMPONENT_MAX 255
int zs_path_valid(struct zs_span path); /* 1 or 0; the empty path is not valid */
int zs_path_cmp(struct zs_span a, struct zs_span b); /* <0, 0, >0 */
int zs_path_below(struct zs_span path, struct zs_span dir); /* 1 if path lies strictly below dir; everything is below "" */
struct zs_span zs_path_base(struct zs_span path); /* last component, borrowed */
struct zs_span zs_path_dir(struct zs_span path);  /* all but the last, "" if none; borrowed */
/*
 * Turn what a user typed into a path of a snapshot, appended to *out: leading '/'
 * and "./" dropped, "//" and "/./" folded, ".." resolved lexically and dropped
 * at the top.  "/" and "." give the empty path.  0, or -1: ZS_LIMIT, ZS_NOMEM, ZS_USAGE (a NUL byte); *out as before.
 */
int zs_path_clean(struct zs_span typed, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------- names in a directory (LDAP) */

/* A key that sorts parents before children, and equals in normal order: depth, then the DN in small letters; is_last: behind
 * all that are not.  Appended to *out. */
int zs_dn_key(struct zs_span dn, int is_last, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* 1 at base or below it, 0; letters' case and blanks around ',' '+' '=' do not count. */
int zs_dn_is_below(struct zs_span dn, struct zs_span base);

/* ------------------------------------------------------------------ hashing */

/* Fast 64-bit hash (XXH3), not cryptographic.  Stable across versions: it is part of the format. */
uint64_t zs_hash64(uint64_t seed, struct zs_span s);
struct zs_hasher; /* the same, streamed, seed 0 */
struct zs_hasher *zs_hasher_new(void); /* NULL: no memory */
void zs_hasher_reset(struct zs_hasher *h);
void zs_hasher_add(struct zs_hasher *h, struct zs_span s);
void zs_hasher_add_zeros(struct zs_hasher *h, uint64_t n); /* as n zero bytes */
uint64_t zs_hasher_sum(const struct zs_hasher *h);
void zs_hasher_free(struct zs_hasher *h);

/* -------------------------------------------------------------------- files */

/* All retry EINTR and short transfers; `what` names the file in the error; `cause` is the error's cause
 * (ENOSPC and EDQUOT become ZS_NOSPACE if cause is ZS_IO). */
int zs_write_all(int fd, const void *p, size_t n, enum zs_cause cause, const char *what, struct zs_err *err) ZS_MUST_USE;
int zs_pwrite_all(int fd, const void *p, size_t n, uint64_t at, enum zs_cause cause, const char *what, struct zs_err *err) ZS_MUST_USE;
/* Up to n bytes; *out_n < n only at the end of the file. */
int zs_read_full(int fd, void *p, size_t n, size_t *out_n, enum zs_cause cause, const char *what, struct zs_err *err) ZS_MUST_USE;
int zs_pread_full(int fd, void *p, size_t n, uint64_t at, size_t *out_n, enum zs_cause cause, const char *what, struct zs_err *err) ZS_MUST_USE;
/* A whole small file appended to *out; more than max bytes is ZS_LIMIT. */
int zs_read_file(const char *path, size_t max, struct zs_buf *out, enum zs_cause cause, struct zs_err *err) ZS_MUST_USE;
/* An anonymous temporary file below dir (O_TMPFILE, else created and unlinked): descriptor, or -1. */
int zs_temp_file(const char *dir, struct zs_err *err) ZS_MUST_USE;
/* mkdir -p with mode; existing directories are fine. */
int zs_make_dirs(const char *path, mode_t mode, struct zs_err *err) ZS_MUST_USE;

/* -------------------------------------------------------------------- clock */

int64_t zs_now_ns(void);	   /* wall clock since 1970; a label, never a reason to delete */
uint64_t zs_monotonic_ns(void);
/* "2026-11-22T23:14:05Z" (buffer of 32); years outside 0000..9999 give "?" */
const char *zs_time_iso(int64_t ns, char out[static 32]);
/* "2026-11-22", "2026-11-22T23:14[:05]", with 'T' or ' ', optional Z or +hh:mm (none: local time), or
 * "@seconds[.fraction]".  0, or -1: ZS_USAGE. */
int zs_time_parse(const char *text, int64_t *out_ns, struct zs_err *err) ZS_MUST_USE;

/* ---------------------------------------------------------- external sorting */

/*
 * Sorts any number of (key, value) records in bounded memory; runs that do not
 * fit are spilled to an anonymous file below tmp_dir.  Order: memcmp of keys,
 * shorter first, equal keys in the order they were added.
 */
struct zs_sorter;
/* memory_bytes: at least 64 KiB.  tmp_dir is borrowed until free. */
int zs_sorter_new(size_t memory_bytes, const char *tmp_dir, struct zs_sorter **out, struct zs_err *err) ZS_MUST_USE;
/* Both copied; key + value at most 1 MiB.  Not after zs_sorter_sort. */
int zs_sorter_add(struct zs_sorter *s, struct zs_span key, struct zs_span value, struct zs_err *err) ZS_MUST_USE;
/* End of input.  0, or -1: ZS_SYSTEM, ZS_NOMEM; the sorter can then only be freed. */
int zs_sorter_sort(struct zs_sorter *s, struct zs_err *err) ZS_MUST_USE;
/* 1 with the next record, borrowed until the next call; 0 at the end; -1: ZS_SYSTEM. */
int zs_sorter_next(struct zs_sorter *s, struct zs_span *out_key, struct zs_span *out_value, struct zs_err *err) ZS_MUST_USE;
uint64_t zs_sorter_count(const struct zs_sorter *s); /* records added */
void zs_sorter_free(struct zs_sorter *s);

#endif

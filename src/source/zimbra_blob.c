/*
 * One blob of Zimbra's store: opened without following anything, given as its row describes it (inflated, if its volume compresses),
 * hashed on the way, and compared with the row's size and digest at the end.  Which volume it is on, and what to do about one that is
 * gone or was replaced, is left to others.
 */
#include "zimbra_private.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#define ADVISE_BYTES (4u << 20)
#define INPUT_BYTES (64u << 10)
#define WINDOW_BITS (16 + 15) /* zlib: a gzip member, of any window */
#define DIGEST_TEXT 44	      /* SHA-256 in base64 */
#define DIGEST_TEXT_OLD 28    /* SHA-1 */

enum blob_state { BLOB_OPEN, BLOB_ENDED, BLOB_BROKEN };
struct blob_inflater {
	z_stream z;
	int is_ready;	/* z is initialised */
	int in_member;	/* else before one, or at the end */
	int at_end, file_at_end;
	uint8_t input[INPUT_BYTES];
};
struct zimbra_blob {
	int fd;
	enum blob_state state;
	uint64_t at, size; /* of the content that is given; size as the row says, or that of a plain file that has another */
	struct zs_err flaw; /* what was wrong already when it was opened: said when all was given */
	struct stat opened;
	struct blob_inflater *gz; /* NULL: plain */
	EVP_MD_CTX *hash;	  /* NULL: not compared */
	char digest[DIGEST_TEXT + 1];
	char text[DIRS_TEXT];
	const char *where; /* its path, for messages: in text */
};

/* ------------------------------------------------------------------------ open */

static int fail_open(const struct zimbra_blob *b, int sys, struct zs_err *err)
{
	if (sys == ELOOP)
		return zs_fail(err, ZS_SOURCE, "blob %s is no regular file, but a symlink: nothing was read", b->where);
	if (sys == ENXIO)
		return zs_fail(err, ZS_SOURCE, "blob %s is no regular file: nothing was read", b->where);
	if (sys == EACCES || sys == EPERM)
		return zs_fail_sys(err, ZS_SOURCE, sys, "cannot open blob %s (run zstore as the user zimbra or as root)", b->where);
	return zs_fail_sys(err, ZS_SOURCE, sys, "cannot open blob %s", b->where);
}

/* By its name, or the name's old form: 1; 0: neither is there; -1. */
static int open_file(struct zimbra_blob *b, const struct zimbra_volumes *volumes, const struct zimbra_blob_name *name, struct zs_err *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	struct zs_buf path = ZS_BUF_INIT;
	int rc = 0;

	for (int fallback = 0; rc == 0 && fallback < 2; fallback++) {
		zs_buf_clear(&path);
		rc = zimbra_volume_path(volumes, name, fallback, &path, err);
		if (rc < 0)
			break;
		b->where = dirs_text_path(zs_buf_span(&path), b->text);
		b->fd = open((const char *)path.p, flags | O_NOATIME);
		if (b->fd < 0 && errno == EPERM)
			b->fd = open((const char *)path.p, flags);
		if (b->fd >= 0)
			rc = 1;
		else if (errno != ENOENT)
			rc = fail_open(b, errno, err);
	}
	zs_buf_fini(&path);
	return rc;
}

static int start_hash(struct zimbra_blob *b, struct zs_span digest, struct zs_err *err)
{
	if (!digest.n)
		return 0;
	if (digest.n != DIGEST_TEXT && digest.n != DIGEST_TEXT_OLD) {
		(void)zs_fail(&b->flaw, ZS_SOURCE, "blob %s: its row has a digest of unknown form (%zu characters; SHA-256 has %d, SHA-1 has %d)", b->where,
		    digest.n, DIGEST_TEXT, DIGEST_TEXT_OLD);
		return 0;
	}
	memcpy(b->digest, digest.p, digest.n);
	b->hash = EVP_MD_CTX_new();
	if (!b->hash)
		return zs_fail_nomem(err);
	if (EVP_DigestInit_ex(b->hash, digest.n == DIGEST_TEXT ? EVP_sha256() : EVP_sha1(), NULL) != 1)
		return zs_fail(err, ZS_SOURCE, "blob %s: libcrypto offers no %s, so its digest cannot be verified", b->where,
		    digest.n == DIGEST_TEXT ? "SHA-256" : "SHA-1");
	return 0;
}

/* zlib's memory is ours, too. */
static void *inflater_alloc(void *ctx, uInt n, uInt size)
{
	(void)ctx;
	return calloc(n, size);
}

static void inflater_free(void *ctx, void *p)
{
	(void)ctx;
	free(p);
}

static int start_inflater(struct zimbra_blob *b, struct zs_err *err)
{
	b->gz = calloc(1, sizeof *b->gz);
	if (!b->gz)
		return zs_fail_nomem(err);
	b->gz->z.zalloc = inflater_alloc;
	b->gz->z.zfree = inflater_free;
	if (inflateInit2(&b->gz->z, WINDOW_BITS) != Z_OK)
		return zs_fail_nomem(err);
	b->gz->is_ready = 1;
	return 0;
}

/* The length decides first: a stored document may well be a .gz itself. */
static int start_content(struct zimbra_blob *b, struct zs_err *err)
{
	const uint64_t length = (uint64_t)b->opened.st_size;
	uint8_t magic[2];
	size_t n;

	if (length >= ADVISE_BYTES)
		(void)posix_fadvise(b->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	if (length == b->size)
		return 0;
	if (zs_pread_full(b->fd, magic, sizeof magic, 0, &n, ZS_SOURCE, b->where, err) < 0)
		return -1;
	if (n == sizeof magic && magic[0] == 0x1f && magic[1] == 0x8b)
		return start_inflater(b, err);
	if (length < b->size)
		(void)zs_fail(&b->flaw, ZS_SOURCE, "blob %s is damaged: cut short: %llu of %llu bytes", b->where, (unsigned long long)length,
		    (unsigned long long)b->size);
	else
		(void)zs_fail(&b->flaw, ZS_SOURCE, "blob %s is damaged: it has %llu bytes, its row says %llu, and it is no gzip", b->where,
		    (unsigned long long)length, (unsigned long long)b->size);
	b->size = length; /* what there is may be all there is: it is given */
	return 0;
}

int zimbra_blob_open(const struct zimbra_volumes *v, const struct zimbra_blob_name *name, struct zimbra_blob **out, struct zs_err *err)
{
	struct zimbra_blob *b = calloc(1, sizeof *b);
	int rc;

	if (!b)
		return zs_fail_nomem(err);
	b->fd = -1;
	b->size = name->size;
	rc = open_file(b, v, name, err);
	if (rc <= 0)
		goto out;
	rc = -1;
	if (fstat(b->fd, &b->opened) < 0) {
		(void)zs_fail_sys(err, ZS_SOURCE, errno, "cannot stat blob %s", b->where);
		goto out;
	}
	if (!S_ISREG(b->opened.st_mode)) {
		(void)fail_open(b, ENXIO, err);
		goto out;
	}
	if (start_hash(b, name->digest, err) < 0 || start_content(b, err) < 0)
		goto out;
	*out = b;
	return 1;
out:
	zimbra_blob_free(b);
	return rc;
}

/* ------------------------------------------------------------------------ read */

/* Straight into the caller's window. */
static int read_plain(struct zimbra_blob *b, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	const uint64_t left = b->size - b->at;

	if (n > left)
		n = (size_t)left;
	if (zs_read_full(b->fd, p, n, out_n, ZS_SOURCE, b->where, err) < 0)
		return -1;
	if (*out_n < n)
		return zs_fail(err, ZS_SOURCE, "blob %s was cut short while it was read: %llu of %llu bytes", b->where,
		    (unsigned long long)(b->at + *out_n), (unsigned long long)b->size);
	return 0;
}

static int fail_gzip(const struct zimbra_blob *b, const char *what, struct zs_err *err)
{
	return zs_fail(err, ZS_SOURCE, "blob %s is damaged: broken gzip: %s (%llu bytes; inflated %llu of %llu)", b->where, what,
	    (unsigned long long)b->opened.st_size, (unsigned long long)b->at, (unsigned long long)b->size);
}

/* At least `want` bytes of input, if the file has them. */
static int fill_input(struct zimbra_blob *b, size_t want, struct zs_err *err)
{
	struct blob_inflater *gz = b->gz;
	size_t n;

	if (gz->z.avail_in >= want || gz->file_at_end)
		return 0;
	if (gz->z.avail_in)
		memmove(gz->input, gz->z.next_in, gz->z.avail_in);
	if (zs_read_full(b->fd, gz->input + gz->z.avail_in, INPUT_BYTES - gz->z.avail_in, &n, ZS_SOURCE, b->where, err) < 0)
		return -1;
	gz->file_at_end = n < INPUT_BYTES - gz->z.avail_in;
	gz->z.next_in = gz->input;
	gz->z.avail_in += (uInt)n;
	return 0;
}

/* Between members: one more, or the end.  What follows and is no member is ignored, as gunzip and Java do. */
static int next_member(struct zimbra_blob *b, struct zs_err *err)
{
	struct blob_inflater *gz = b->gz;

	if (fill_input(b, 2, err) < 0)
		return -1;
	if (gz->z.avail_in >= 2 && gz->z.next_in[0] == 0x1f && gz->z.next_in[1] == 0x8b) {
		gz->in_member = 1;
		(void)inflateReset(&gz->z); /* fails only for what was never initialised */
	} else {
		gz->at_end = 1;
	}
	return 0;
}

static int inflate_step(struct zimbra_blob *b, struct zs_err *err)
{
	struct blob_inflater *gz = b->gz;

	if (!gz->in_member)
		return next_member(b, err);
	if (fill_input(b, 1, err) < 0)
		return -1;
	switch (inflate(&gz->z, Z_NO_FLUSH)) {
	case Z_OK:
		return 0;
	case Z_STREAM_END:
		gz->in_member = 0;
		return 0;
	case Z_MEM_ERROR:
		return zs_fail_nomem(err);
	case Z_BUF_ERROR: /* there is room: nothing to read is the only reason */
		return fail_gzip(b, "cut short", err);
	default:
		return fail_gzip(b, gz->z.msg ? gz->z.msg : "needs a dictionary", err);
	}
}

/* Never more than the row says, and one byte to see that there is none. */
static int read_inflated(struct zimbra_blob *b, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	const uint64_t left = b->size - b->at;
	struct blob_inflater *gz = b->gz;
	uint8_t probe;
	uInt room;

	if (n > left)
		n = (size_t)left;
	room = n > UINT_MAX ? UINT_MAX : (uInt)n;
	gz->z.next_out = left ? p : &probe;
	gz->z.avail_out = left ? room : 1;
	while (gz->z.avail_out > 0 && !gz->at_end)
		if (inflate_step(b, err) < 0)
			return -1;
	if (!left && gz->z.avail_out == 0)
		return fail_gzip(b, "there is more in it than its row says", err);
	*out_n = left ? room - gz->z.avail_out : 0;
	if (left && *out_n == 0)
		return zs_fail(err, ZS_SOURCE, "blob %s is damaged: it inflates to %llu of %llu bytes", b->where, (unsigned long long)b->at,
		    (unsigned long long)b->size);
	return 0;
}

/* Without a digest to tell. */
static int check_times(const struct zimbra_blob *b, struct zs_err *err)
{
	struct stat st;

	if (fstat(b->fd, &st) == 0 && st.st_size == b->opened.st_size && walker_ns(st.st_mtim) == walker_ns(b->opened.st_mtim))
		return 0;
	return zs_fail(err, ZS_SOURCE, "blob %s changed while it was read", b->where);
}

static int verify_digest(struct zimbra_blob *b, struct zs_err *err)
{
	uint8_t raw[EVP_MAX_MD_SIZE], text[2 * EVP_MAX_MD_SIZE];
	unsigned n = 0;

	if (!b->hash)
		return check_times(b, err);
	if (EVP_DigestFinal_ex(b->hash, raw, &n) != 1)
		return zs_fail(err, ZS_SOURCE, "blob %s: libcrypto cannot end its digest", b->where);
	(void)EVP_EncodeBlock(text, raw, (int)n);
	for (uint8_t *c = text; *c; c++)
		if (*c == '/')
			*c = ',';
	if (strcmp((const char *)text, b->digest) != 0)
		return zs_fail(err, ZS_SOURCE, "blob %s is not what its row says: digest %s, expected %s", b->where, (const char *)text, b->digest);
	return 0;
}

static int read_some(struct zimbra_blob *b, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	if (b->gz ? read_inflated(b, p, n, out_n, err) < 0 : read_plain(b, p, n, out_n, err) < 0)
		return -1;
	if (*out_n == 0) {
		if (b->flaw.cause != ZS_OK) {
			*err = b->flaw;
			return -1;
		}
		if (verify_digest(b, err) < 0)
			return -1;
		b->state = BLOB_ENDED;
		return 0;
	}
	b->at += *out_n;
	if (b->hash && EVP_DigestUpdate(b->hash, p, *out_n) != 1)
		return zs_fail(err, ZS_SOURCE, "blob %s: libcrypto cannot go on with its digest", b->where);
	return 0;
}

int zimbra_blob_read(struct zimbra_blob *b, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	assert(n > 0);
	*out_n = 0;
	if (b->state == BLOB_ENDED)
		return 0;
	if (b->state == BLOB_BROKEN)
		return zs_fail(err, ZS_SOURCE, "blob %s was given up after an error", b->where);
	if (read_some(b, p, n, out_n, err) < 0) {
		b->state = BLOB_BROKEN;
		*out_n = 0;
		return -1;
	}
	return 0;
}

const struct stat *zimbra_blob_stat(const struct zimbra_blob *b)
{
	return &b->opened;
}

void zimbra_blob_free(struct zimbra_blob *b)
{
	if (!b)
		return;
	if (b->fd >= 0)
		(void)close(b->fd);
	if (b->gz && b->gz->is_ready)
		(void)inflateEnd(&b->gz->z);
	free(b->gz);
	EVP_MD_CTX_free(b->hash);
	free(b);
}

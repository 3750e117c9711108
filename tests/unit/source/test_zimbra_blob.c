/* Reading blobs: all forms in which a store holds them, all kinds of damage, everything that may fail below. */
#include "util.h"
#include "zimbra_fail.h"

#include "../../../src/source/zimbra_private.h"

#include <openssl/evp.h>
#include <sys/wait.h>
#include <zlib.h>

#define NAME "store/0/1/msg/0/256-7.msg"
#define OLD_NAME "store/0/1/msg/0/256.msg"
#define WINDOW (256u << 10)

/* ---------------------------------------------------------- calls that fail */

int __real_open64(const char *path, int flags, ...);
ssize_t __real_read(int fd, void *p, size_t n);
ssize_t __real_pread64(int fd, void *p, size_t n, off_t at);
int __real_fstat64(int fd, struct stat *st);
EVP_MD_CTX *__real_EVP_MD_CTX_new(void);
int __real_EVP_DigestInit_ex(EVP_MD_CTX *c, const EVP_MD *type, ENGINE *impl);
int __real_EVP_DigestUpdate(EVP_MD_CTX *c, const void *p, size_t n);
int __real_EVP_DigestFinal_ex(EVP_MD_CTX *c, unsigned char *md, unsigned *n);
int __wrap_open64(const char *path, int flags, ...);
ssize_t __wrap_read(int fd, void *p, size_t n);
ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at);
int __wrap_fstat64(int fd, struct stat *st);
EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void);
int __wrap_EVP_DigestInit_ex(EVP_MD_CTX *c, const EVP_MD *type, ENGINE *impl);
int __wrap_EVP_DigestUpdate(EVP_MD_CTX *c, const void *p, size_t n);
int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *c, unsigned char *md, unsigned *n);

static struct {
	int open, noatime, read, pread, fstat; /* errno, or 0 */
	int hash_new, hash_init, hash_update, hash_final;
	size_t read_max; /* a read gives at most so much, or 0: all */
	unsigned opens, good_reads;
} fails;

int __wrap_open64(const char *path, int flags, ...)
{
	fails.opens++;
	if (fails.open || (fails.noatime && flags & O_NOATIME)) {
		errno = fails.open ? fails.open : EPERM;
		return -1;
	}
	return __real_open64(path, flags, 0600);
}

ssize_t __wrap_read(int fd, void *p, size_t n)
{
	if (fails.read && !fails.good_reads--) {
		fails.good_reads = 0;
		errno = fails.read;
		return -1;
	}
	return __real_read(fd, p, fails.read_max && n > fails.read_max ? fails.read_max : n);
}

ssize_t __wrap_pread64(int fd, void *p, size_t n, off_t at)
{
	errno = fails.pread;
	return fails.pread ? -1 : __real_pread64(fd, p, n, at);
}

int __wrap_fstat64(int fd, struct stat *st)
{
	errno = fails.fstat;
	return fails.fstat ? -1 : __real_fstat64(fd, st);
}

EVP_MD_CTX *__wrap_EVP_MD_CTX_new(void)
{
	return fails.hash_new ? NULL : __real_EVP_MD_CTX_new();
}

int __wrap_EVP_DigestInit_ex(EVP_MD_CTX *c, const EVP_MD *type, ENGINE *impl)
{
	return fails.hash_init ? 0 : __real_EVP_DigestInit_ex(c, type, impl);
}

int __wrap_EVP_DigestUpdate(EVP_MD_CTX *c, const void *p, size_t n)
{
	return fails.hash_update ? 0 : __real_EVP_DigestUpdate(c, p, n);
}

int __wrap_EVP_DigestFinal_ex(EVP_MD_CTX *c, unsigned char *md, unsigned *n)
{
	return fails.hash_final ? 0 : __real_EVP_DigestFinal_ex(c, md, n);
}

/* ------------------------------------------------------------- made content */

static char store_path[64];
static struct zimbra_volume volume = {.id = 1, .type = 1, .file_bits = 12, .file_group_bits = 8, .mailbox_bits = 12, .mailbox_group_bits = 8,
    .is_local = 1, .path = store_path};
static const struct zimbra_volumes volumes = {&volume, 1};
static char digest[64]; /* of the content made last */
static uint8_t *window;
static int lowest_fd; /* free before the test, and again behind it */

static int setup(void **state)
{
	struct zs_err err;

	if (util_setup(state) < 0)
		return -1;
	memset(&fails, 0, sizeof fails);
	(void)snprintf(store_path, sizeof store_path, "%s/store", util_dir);
	window = malloc(WINDOW);
	lowest_fd = dup(0);
	(void)close(lowest_fd);
	return window && zs_make_dirs("store/0/1/msg/0", 0755, &err) == 0 ? 0 : -1;
}

static int teardown(void **state)
{
	int fd = dup(0);

	(void)close(fd);
	memset(&fails, 0, sizeof fails);
	free(window);
	return util_teardown(state) == 0 && fd == lowest_fd ? 0 : -1;
}

static void put(const char *path, struct zs_span s)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_true(s.n == 0 || fwrite(s.p, 1, s.n, f) == s.n);
	assert_int_equal(fclose(f), 0);
}

/* base64 of our own, so that the one under test is compared with something */
static void set_digest(const EVP_MD *type, struct zs_span s)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";
	uint8_t raw[EVP_MAX_MD_SIZE + 3] = {0};
	unsigned n = 0;
	char *to = digest;

	assert_int_equal(EVP_Digest(s.p, s.n, raw, &n, type, NULL), 1);
	for (unsigned i = 0; i < n; i += 3) {
		unsigned v = (unsigned)raw[i] << 16 | (unsigned)(i + 1 < n ? raw[i + 1] : 0) << 8 | (i + 2 < n ? raw[i + 2] : 0);

		*to++ = letters[v >> 18];
		*to++ = letters[v >> 12 & 63];
		*to++ = i + 1 < n ? letters[v >> 6 & 63] : '=';
		*to++ = i + 2 < n ? letters[v & 63] : '=';
	}
	*to = '\0';
}

/* Text like mail: n bytes. */
static void make_text(struct zs_buf *b, size_t n)
{
	struct zs_err err;

	zs_buf_clear(b);
	while (b->n < n)
		assert_int_equal(zs_buf_printf(b, &err, "line %zu of a message, with number %zu\r\n", b->n, b->n * 7919 % 10007), 0);
	b->n = n;
	set_digest(EVP_sha256(), zs_buf_span(b));
}

/* What gzip cannot make smaller. */
static void make_noise(struct zs_buf *b, size_t n)
{
	uint64_t x = 88172645463325252u;
	struct zs_err err;

	zs_buf_clear(b);
	assert_int_equal(zs_buf_reserve(b, n, &err), 0);
	for (size_t i = 0; i < n; i++) {
		x ^= x << 13, x ^= x >> 7, x ^= x << 17;
		b->p[i] = (uint8_t)(x >> 32);
	}
	b->n = n;
	set_digest(EVP_sha256(), zs_buf_span(b));
}

/* One member, appended. */
static void add_gzip(struct zs_buf *out, const void *p, size_t n)
{
	z_stream z = {0};
	struct zs_err err;
	uLong bound;

	assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 16 + 15, 8, Z_DEFAULT_STRATEGY), Z_OK);
	bound = deflateBound(&z, (uLong)n);
	assert_int_equal(zs_buf_reserve(out, bound, &err), 0);
	z.next_in = (Bytef *)(uintptr_t)p;
	z.avail_in = (uInt)n;
	z.next_out = out->p + out->n;
	z.avail_out = (uInt)bound;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	out->n += z.total_out;
	assert_int_equal(deflateEnd(&z), Z_OK);
}

/* --------------------------------------------------------------- expectations */

static struct zimbra_blob_name name_of(uint64_t size)
{
	return (struct zimbra_blob_name){.mailbox_id = 1, .item_id = 256, .mod_content = 7, .size = size, .locator = zs_span_str("1"),
	    .digest = zs_span_str(digest)};
}

static int blob_open(uint64_t size, struct zimbra_blob **out, struct zs_err *err)
{
	const struct zimbra_blob_name name = name_of(size);

	*out = NULL;
	memset(err, 0, sizeof *err);
	return zimbra_blob_open(&volumes, &name, out, err);
}

/* To the end, in steps of at most `step`; appended to *got. */
static int read_to_end(struct zimbra_blob *b, size_t step, struct zs_buf *got, struct zs_err *err)
{
	size_t n = 0;

	do {
		if (zimbra_blob_read(b, window, step, &n, err) < 0) {
			assert_int_equal(n, 0);
			return -1;
		}
		assert_true(n <= step);
		assert_int_equal(zs_buf_add(got, window, n, err), 0);
	} while (n);
	return 0;
}

static void is_good(const struct zs_buf *content)
{
	static const size_t steps[] = {WINDOW, 1000, 1};
	struct zs_buf got = ZS_BUF_INIT;
	struct zimbra_blob *b;
	struct zs_err err;
	size_t n = 1;

	for (size_t i = 0; i < (content->n < 10000 ? 3 : 2); i++) {
		zs_buf_clear(&got);
		assert_int_equal(blob_open(content->n, &b, &err), 1);
		if (read_to_end(b, steps[i], &got, &err) < 0)
			fail_msg("%s", err.text);
		assert_true(zs_span_eq(zs_buf_span(content), zs_buf_span(&got)));
		assert_int_equal(zimbra_blob_read(b, window, 10, &n, &err), 0); /* it stays at the end */
		assert_int_equal(n, 0);
		assert_true(S_ISREG(zimbra_blob_stat(b)->st_mode));
		zimbra_blob_free(b);
	}
	zs_buf_fini(&got);
}

static void says(const struct zs_err *err, const char *what)
{
	assert_int_equal(err->cause, ZS_SOURCE);
	if (!strstr(err->text, what) || !strstr(err->text, store_path))
		fail_msg("'%s' does not say '%s' and '%s'", err->text, what, store_path);
}

/* Opening fails. */
static void no_open(uint64_t size, const char *what)
{
	struct zimbra_blob *b;
	struct zs_err err;

	assert_int_equal(blob_open(size, &b, &err), -1);
	assert_null(b);
	says(&err, what);
}

/* Reading fails, having given no more than size, at most `given`. */
static void no_read(uint64_t size, uint64_t given, const char *what)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct zimbra_blob *b;
	struct zs_err err;

	for (size_t step = 1000; step <= WINDOW; step += WINDOW - 1000) {
		zs_buf_clear(&got);
		if (blob_open(size, &b, &err) != 1)
			fail_msg("%s", err.text);
		assert_int_equal(read_to_end(b, step, &got, &err), -1);
		says(&err, what);
		assert_true(got.n <= given);
		assert_int_equal(read_to_end(b, step, &got, &err), -1); /* and it stays so */
		says(&err, "given up");
		zimbra_blob_free(b);
	}
	zs_buf_fini(&got);
}

/* All of the file is given, and then what is wrong with it. */
static void flawed(uint64_t size, struct zs_span file, const char *what)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct zimbra_blob *b;
	struct zs_err err;

	no_read(size, file.n, what);
	assert_int_equal(blob_open(size, &b, &err), 1);
	assert_int_equal(read_to_end(b, 1000, &got, &err), -1);
	assert_int_equal(got.n, file.n);
	if (file.n > 0)
		assert_memory_equal(got.p, file.p, file.n);
	zimbra_blob_free(b);
	zs_buf_fini(&got);
}

/* ---------------------------------------------------------------------- forms */

static void test_plain(void **state)
{
	static const size_t sizes[] = {0, 1, 2, 3, 4095, 4096, 65536, WINDOW, WINDOW + 1, 5u << 20};
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		make_text(&b, sizes[i]);
		put(NAME, zs_buf_span(&b));
		is_good(&b);
		set_digest(EVP_sha1(), zs_buf_span(&b));
		assert_int_equal(strlen(digest), 28);
		is_good(&b);
		*digest = '\0'; /* none: not compared */
		is_good(&b);
	}
	zs_buf_fini(&b);
}

/* Many contents, so that every letter of the alphabet comes by. */
static void test_digests(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	unsigned commas = 0;

	(void)state;
	for (size_t n = 1; n < 100; n++) {
		make_text(&b, n);
		put(NAME, zs_buf_span(&b));
		is_good(&b);
		commas += strchr(digest, ',') != NULL;
	}
	assert_true(commas > 10);
	zs_buf_fini(&b);
}

static void test_gzip(void **state)
{
	static const size_t sizes[] = {0, 1, 100, 4096, 65536, WINDOW, WINDOW + 1, 3u << 20};
	struct zs_buf b = ZS_BUF_INIT, gz = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		make_text(&b, sizes[i]);
		zs_buf_clear(&gz);
		add_gzip(&gz, b.p, b.n);
		put(NAME, zs_buf_span(&gz));
		is_good(&b);
		*digest = '\0';
		is_good(&b);
		assert_int_equal(zs_buf_add(&gz, "garbage behind", 14, &err), 0);
		put(NAME, zs_buf_span(&gz));
		make_text(&b, sizes[i]);
		is_good(&b);
	}
	make_noise(&b, 1 << 20); /* it is larger than what is in it */
	zs_buf_clear(&gz);
	add_gzip(&gz, b.p, b.n);
	assert_true(gz.n > b.n);
	put(NAME, zs_buf_span(&gz));
	is_good(&b);
	zs_buf_fini(&b);
	zs_buf_fini(&gz);
}

/* Members of odd sizes, empty ones among them; the boundaries meet those of the input buffer, too. */
static void test_members(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, gz = ZS_BUF_INIT;

	(void)state;
	make_noise(&b, 400000);
	for (size_t at = 0, n = 0; at < b.n; at += n, n = n * 5 / 2 + 1) {
		if (n > b.n - at)
			n = b.n - at;
		add_gzip(&gz, b.p + at, n);
		add_gzip(&gz, b.p, 0);
	}
	put(NAME, zs_buf_span(&gz));
	is_good(&b);
	no_read(b.n - 1, b.n - 1, "more in it than its row says");
	no_read(b.n + 1, b.n, "inflates to 400000 of 400001 bytes");
	for (size_t first = (128u << 10) - 60; first < (128u << 10) + 20; first++) { /* a member ends about where the second buffer does */
		struct zs_buf one = ZS_BUF_INIT;

		zs_buf_clear(&gz);
		make_noise(&one, first);
		add_gzip(&gz, one.p, one.n - 40);
		add_gzip(&gz, one.p + one.n - 40, 40);
		put(NAME, zs_buf_span(&gz));
		is_good(&one);
		zs_buf_fini(&one);
	}
	zs_buf_fini(&b);
	zs_buf_fini(&gz);
}

/* A document that is a .gz: as long as its row says, so it is plain. */
static void test_gzip_document(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, gz = ZS_BUF_INIT, twice = ZS_BUF_INIT;

	(void)state;
	make_text(&b, 100000);
	add_gzip(&gz, b.p, b.n);
	set_digest(EVP_sha256(), zs_buf_span(&gz));
	put(NAME, zs_buf_span(&gz));
	is_good(&gz);
	add_gzip(&twice, gz.p, gz.n); /* on a volume that compresses: inflated once */
	put(NAME, zs_buf_span(&twice));
	is_good(&gz);
	zs_buf_fini(&b);
	zs_buf_fini(&gz);
	zs_buf_fini(&twice);
}

static void test_old_name(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zimbra_blob *blob;
	struct zs_err err;

	(void)state;
	make_text(&b, 1000);
	assert_int_equal(blob_open(1000, &blob, &err), 0);
	assert_null(blob);
	assert_int_equal(err.cause, ZS_OK);
	put(OLD_NAME, zs_buf_span(&b));
	is_good(&b);
	assert_int_equal(truncate(OLD_NAME, 999), 0);
	flawed(1000, zs_span(b.p, 999), "256.msg is damaged: cut short: 999 of 1000 bytes");
	put(NAME, zs_buf_span(&b)); /* it goes first */
	is_good(&b);
	assert_int_equal(unlink(OLD_NAME), 0);
	assert_int_equal(unlink(NAME), 0);
	assert_int_equal(blob_open(1000, &blob, &err), 0);
	assert_int_equal(rename("store/0", "store/1"), 0); /* a group that is not there */
	assert_int_equal(blob_open(1000, &blob, &err), 0);
	zs_buf_fini(&b);
}

/* --------------------------------------------------------------------- damage */

static void test_damaged_plain(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;

	(void)state;
	make_text(&b, 1000);
	put(NAME, zs_buf_span(&b));
	flawed(1001, zs_span(b.p, 1000), "256-7.msg is damaged: cut short: 1000 of 1001 bytes");
	flawed(999, zs_span(b.p, 1000), "is damaged: it has 1000 bytes, its row says 999, and it is no gzip");
	flawed(0, zs_span(b.p, 1000), "its row says 0");
	flawed(UINT64_MAX, zs_span(b.p, 1000), "cut short: 1000 of 18446744073709551615 bytes");
	assert_int_equal(truncate(NAME, 1), 0);
	flawed(1000, zs_span(b.p, 1), "cut short: 1 of 1000 bytes");
	assert_int_equal(truncate(NAME, 0), 0);
	flawed(1000, zs_span(b.p, 0), "cut short: 0 of 1000 bytes");
	b.p[500] ^= 1;
	put(NAME, zs_buf_span(&b));
	no_read(1000, 1000, "is not what its row says: digest ");
	set_digest(EVP_sha256(), zs_buf_span(&b));
	digest[3] ^= 1;
	no_read(1000, 1000, digest); /* expected, and found */
	set_digest(EVP_sha1(), zs_buf_span(&b));
	digest[27] = 'A'; /* no padding */
	no_read(1000, 1000, "expected");
	set_digest(EVP_md5(), zs_buf_span(&b));
	flawed(1000, zs_span(b.p, 1000), "digest of unknown form (24 characters");
	(void)strcpy(digest, "x");
	flawed(1000, zs_span(b.p, 1000), "digest of unknown form (1 characters");
	zs_buf_fini(&b);
}

static void test_damaged_gzip(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, gz = ZS_BUF_INIT;
	struct zs_err err;

	(void)state;
	make_text(&b, 300000);
	add_gzip(&gz, b.p, b.n);
	for (size_t cut = 1; cut < gz.n - 2; cut += 1 + gz.n / 50) { /* anywhere, trailer and header too */
		put(NAME, zs_span(gz.p, gz.n - cut));
		no_read(b.n, b.n, "broken gzip: cut short");
	}
	put(NAME, zs_span(gz.p, 2));
	no_read(b.n, 0, "is damaged: broken gzip: cut short (2 bytes; inflated 0 of 300000)");
	put(NAME, zs_span(gz.p, 1));
	flawed(b.n, zs_span(gz.p, 1), "cut short: 1 of 300000 bytes");
	put(NAME, zs_buf_span(&gz));
	no_read(b.n - 1, b.n - 1, "more in it than its row says");
	no_read(0, 0, "more in it than its row says");
	no_read(b.n + 1, b.n, "is damaged: it inflates to 300000 of 300001 bytes");
	digest[0] ^= 1;
	no_read(b.n, b.n, "is not what its row says: digest ");
	gz.p[gz.n - 8] ^= 1; /* the check sum */
	put(NAME, zs_buf_span(&gz));
	no_read(b.n, b.n, "broken gzip: incorrect data check");
	gz.p[gz.n - 8] ^= 1;
	gz.p[gz.n - 1] ^= 1; /* the length */
	put(NAME, zs_buf_span(&gz));
	no_read(b.n, b.n, "broken gzip: incorrect length check");
	gz.p[gz.n - 1] ^= 1;
	gz.p[2] = 7;
	put(NAME, zs_buf_span(&gz));
	no_read(b.n, 0, "broken gzip: unknown compression method");
	gz.p[2] = 8;
	memset(gz.p + gz.n / 2, 0xff, 100);
	put(NAME, zs_buf_span(&gz));
	no_read(b.n, b.n, "broken gzip: ");
	zs_buf_clear(&gz);
	make_text(&b, 300000);
	add_gzip(&gz, b.p, b.n); /* what begins as a member is one: gunzip complains, too */
	assert_int_equal(zs_buf_add(&gz, "\x1f\x8b\x08garbage", 10, &err), 0);
	put(NAME, zs_buf_span(&gz));
	no_read(b.n, b.n, "broken gzip: ");
	zs_buf_fini(&b);
	zs_buf_fini(&gz);
}

/* 64 MiB of zeros, told to be 1000: they never get inflated. */
static void test_bomb(void **state)
{
	struct zs_buf zeros = ZS_BUF_INIT, gz = ZS_BUF_INIT, got = ZS_BUF_INIT;
	struct zimbra_blob *b;
	struct zs_err err;
	size_t n;

	(void)state;
	assert_int_equal(zs_buf_reserve(&zeros, 64u << 20, &err), 0);
	memset(zeros.p, 0, 64u << 20);
	add_gzip(&gz, zeros.p, 64u << 20);
	put(NAME, zs_buf_span(&gz));
	*digest = '\0';
	no_read(1000, 1000, "more in it than its row says (65");
	assert_int_equal(blob_open(1000, &b, &err), 1);
	memset(window, 0xaa, WINDOW);
	assert_int_equal(zimbra_blob_read(b, window, WINDOW, &n, &err), 0);
	assert_int_equal(n, 1000);
	for (size_t i = 1000; i < WINDOW; i++)
		assert_int_equal(window[i], 0xaa);
	assert_int_equal(zimbra_blob_read(b, window, WINDOW, &n, &err), -1);
	assert_int_equal(window[0], 0); /* the probe is not there either */
	zimbra_blob_free(b);
	zs_buf_fini(&zeros);
	zs_buf_fini(&gz);
	zs_buf_fini(&got);
}

/* ------------------------------------------------------------- what is no file */

static void test_kinds(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zimbra_blob_name name = name_of(0);
	struct zimbra_blob *blob = NULL;
	struct zs_err err = {0};

	(void)state;
	make_text(&b, 10);
	put("elsewhere", zs_buf_span(&b));
	assert_int_equal(symlink("../../../../../elsewhere", NAME), 0);
	no_open(10, "256-7.msg is no regular file, but a symlink");
	assert_int_equal(unlink(NAME), 0);
	assert_int_equal(symlink("nowhere", NAME), 0);
	no_open(10, "is no regular file, but a symlink");
	assert_int_equal(unlink(NAME), 0);
	assert_int_equal(mkfifo(NAME, 0644), 0);
	no_open(10, "is no regular file");
	assert_int_equal(unlink(NAME), 0);
	assert_int_equal(mkdir(NAME, 0755), 0);
	no_open(10, "is no regular file");
	assert_int_equal(rmdir(NAME), 0);
	assert_int_equal(rmdir("store/0/1/msg/0"), 0);
	put("store/0/1/msg/0", zs_buf_span(&b));
	no_open(10, "cannot open blob");
	name.locator = zs_span_str("1@@key");
	assert_int_equal(zimbra_blob_open(&volumes, &name, &blob, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	assert_non_null(strstr(err.text, "not on a local volume"));
	assert_null(blob);
	zs_buf_fini(&b);
	zimbra_blob_free(NULL);
}

/* -------------------------------------------------------------------- changes */

static void test_changes(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, got = ZS_BUF_INIT;
	struct zimbra_blob *blob;
	struct zs_err err;
	size_t n;
	int fd;

	(void)state;
	make_text(&b, 10000);
	put(NAME, zs_buf_span(&b));
	put("other", zs_buf_span(&b));
	/* replaced while it is read: the old file is read to its end */
	assert_int_equal(blob_open(10000, &blob, &err), 1);
	assert_int_equal(zimbra_blob_stat(blob)->st_size, 10000);
	assert_int_equal(zimbra_blob_read(blob, window, 5000, &n, &err), 0);
	assert_int_equal(n, 5000);
	assert_int_equal(rename("other", NAME), 0);
	assert_int_equal(read_to_end(blob, WINDOW, &got, &err), 0);
	assert_int_equal(got.n, 5000);
	zimbra_blob_free(blob);
	/* vanished while it is read: the same */
	zs_buf_clear(&got);
	assert_int_equal(blob_open(10000, &blob, &err), 1);
	assert_int_equal(unlink(NAME), 0);
	assert_int_equal(read_to_end(blob, WINDOW, &got, &err), 0);
	assert_int_equal(got.n, 10000);
	zimbra_blob_free(blob);
	/* grown: what its row describes is read */
	put(NAME, zs_buf_span(&b));
	zs_buf_clear(&got);
	assert_int_equal(blob_open(10000, &blob, &err), 1);
	fd = open(NAME, O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "more", 4), 4);
	assert_int_equal(close(fd), 0);
	assert_int_equal(read_to_end(blob, WINDOW, &got, &err), 0);
	assert_int_equal(got.n, 10000);
	zimbra_blob_free(blob);
	/* cut off */
	put(NAME, zs_buf_span(&b));
	assert_int_equal(blob_open(10000, &blob, &err), 1);
	assert_int_equal(zimbra_blob_read(blob, window, 5000, &n, &err), 0);
	assert_int_equal(truncate(NAME, 6000), 0);
	assert_int_equal(read_to_end(blob, WINDOW, &got, &err), -1);
	says(&err, "was cut short while it was read: 6000 of 10000 bytes");
	zimbra_blob_free(blob);
	/* written to in place */
	put(NAME, zs_buf_span(&b));
	assert_int_equal(blob_open(10000, &blob, &err), 1);
	fd = open(NAME, O_WRONLY);
	assert_int_equal(pwrite(fd, "x", 1, 7000), 1);
	assert_int_equal(close(fd), 0);
	assert_int_equal(read_to_end(blob, WINDOW, &got, &err), -1);
	says(&err, "digest");
	zimbra_blob_free(blob);
	/* the same, where no digest tells */
	for (int is_unknown = 0; is_unknown < 2; is_unknown++) {
		digest[0] = 0;
		put(NAME, zs_buf_span(&b));
		assert_int_equal(blob_open(10000, &blob, &err), 1);
		if (is_unknown) {
			fails.fstat = EIO;
		} else {
			(void)usleep(20000); /* longer than a tick of the file system's clock */
			fd = open(NAME, O_WRONLY);
			assert_int_equal(pwrite(fd, "x", 1, 7000), 1);
			assert_int_equal(close(fd), 0);
		}
		assert_int_equal(read_to_end(blob, WINDOW, &got, &err), -1);
		says(&err, "changed while it was read");
		fails.fstat = 0;
		zimbra_blob_free(blob);
	}
	zs_buf_fini(&b);
	zs_buf_fini(&got);
}

/* ------------------------------------------------------------ what fails below */

static void test_calls(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, gz = ZS_BUF_INIT;
	struct zimbra_blob *blob;
	struct zs_err err;

	(void)state;
	make_text(&b, 200000);
	put(NAME, zs_buf_span(&b));
	fails.noatime = 1; /* another's file: with its time of access, then */
	is_good(&b);
	assert_int_equal(fails.opens, 4);
	fails.noatime = 0;
	fails.open = EACCES;
	no_open(b.n, "256-7.msg (run zstore as the user zimbra or as root): Permission denied");
	fails.open = EPERM;
	no_open(b.n, "(run zstore as the user zimbra or as root): Operation not permitted");
	fails.open = ENXIO;
	no_open(b.n, "is no regular file");
	fails.open = EIO;
	no_open(b.n, "cannot open blob");
	fails.open = ENOENT;
	assert_int_equal(blob_open(b.n, &blob, &err), 0);
	fails.open = 0;
	fails.fstat = EIO;
	no_open(b.n, "cannot stat blob");
	fails.fstat = 0;
	fails.read_max = 999; /* short reads, interrupted */
	is_good(&b);
	fails.read_max = 0;
	fails.read = EIO;
	no_read(b.n, 0, "Input/output error");
	fails.good_reads = 3;
	no_read(b.n, 3000, "Input/output error");
	fails.read = 0;
	make_noise(&b, 200000); /* several buffers of it */
	add_gzip(&gz, b.p, b.n);
	put(NAME, zs_buf_span(&gz));
	fails.pread = EIO;
	no_open(b.n, "Input/output error");
	fails.pread = 0;
	fails.read_max = 999;
	is_good(&b);
	fails.read_max = 0;
	fails.read = EIO;
	no_read(b.n, 0, "Input/output error");
	fails.good_reads = 1;
	no_read(b.n, 70000, "Input/output error");
	fails.read = 0;
	zs_buf_fini(&b);
	zs_buf_fini(&gz);
}

static void test_hash_calls(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zimbra_blob *blob;
	struct zs_err err;

	(void)state;
	make_text(&b, 20000);
	put(NAME, zs_buf_span(&b));
	fails.hash_new = 1;
	assert_int_equal(blob_open(b.n, &blob, &err), -1);
	assert_int_equal(err.cause, ZS_NOMEM);
	fails.hash_new = 0;
	fails.hash_init = 1;
	no_open(b.n, "libcrypto offers no SHA-256");
	set_digest(EVP_sha1(), zs_buf_span(&b));
	no_open(b.n, "libcrypto offers no SHA-1");
	fails.hash_init = 0;
	fails.hash_update = 1;
	no_read(b.n, 0, "libcrypto cannot go on");
	fails.hash_update = 0;
	fails.hash_final = 1;
	no_read(b.n, b.n, "libcrypto cannot end");
	fails.hash_final = 0;
	zs_buf_fini(&b);
}

static void test_no_memory(void **state)
{
	struct zs_buf b = ZS_BUF_INIT, gz = ZS_BUF_INIT;
	unsigned n = 0;

	(void)state;
	make_text(&b, 200000);
	add_gzip(&gz, b.p, b.n);
	put(OLD_NAME, zs_buf_span(&gz));
	for (unsigned fired = 1; fired; n++) {
		struct zimbra_blob *blob;
		struct zs_err err;
		size_t got = 1;
		int rc;

		failed_allocations = 0;
		good_allocations = n;
		rc = blob_open(b.n, &blob, &err);
		while (rc == 1 && got)
			if (zimbra_blob_read(blob, window, 1000, &got, &err) < 0)
				rc = -1;
		good_allocations = UINT_MAX;
		fired = failed_allocations != 0;
		assert_int_equal(rc, fired ? -1 : 1);
		assert_int_equal(err.cause, fired ? ZS_NOMEM : ZS_OK);
		zimbra_blob_free(blob);
	}
	assert_true(n >= 5); /* the blob, its path, the buffer, two of zlib's (one of them while it is read) */
	zs_buf_fini(&b);
	zs_buf_fini(&gz);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_plain), TEST(test_digests), TEST(test_gzip), TEST(test_members), TEST(test_gzip_document), TEST(test_old_name),
	    TEST(test_damaged_plain), TEST(test_damaged_gzip), TEST(test_bomb), TEST(test_kinds), TEST(test_changes), TEST(test_calls),
	    TEST(test_hash_calls), TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

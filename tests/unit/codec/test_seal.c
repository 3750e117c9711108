/* seal.c: packs open with the right keys, in the right repository, at the right place, and not otherwise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "zstore/codec.h"

static struct zs_keyring *kr;
static struct zs_name repo = {{7}};

static int setup(void **state)
{
	struct zs_err err = {0};

	(void)state;
	if (zs_codec_init(&err) < 0)
		return -1;
	kr = zs_keyring_new(&err);
	if (!kr)
		return -1;
	zs_keyring_generate(kr);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	zs_keyring_free(kr);
	return 0;
}

static struct zs_pack_seal *begin(uint8_t header[static ZS_PACK_HEADER], struct zs_pack_tag *tag)
{
	struct zs_pack_seal *ps = NULL;
	struct zs_err err = {0};

	assert_int_equal(zs_pack_seal_new(kr, &repo, header, tag, &ps, &err), 0);
	return ps;
}

/* ZS_OK, or the cause. */
static enum zs_cause open_header(const struct zs_keyring *with, const struct zs_name *where, struct zs_span header)
{
	struct zs_pack_seal *ps = NULL;
	struct zs_pack_tag tag;
	struct zs_err err = {0};

	if (zs_pack_seal_open(with, where, header, &tag, &ps, &err) == 0) {
		zs_pack_seal_free(ps);
		return ZS_OK;
	}
	assert_null(ps);
	return err.cause;
}

static void parts_come_back(void **state)
{
	uint8_t header[ZS_PACK_HEADER], plain[777];
	struct zs_pack_tag tag, tag_read;
	struct zs_pack_seal *w = begin(header, &tag), *r = NULL;
	struct zs_buf sealed = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	zs_random(plain, sizeof plain);
	assert_int_equal(zs_pack_seal_open(kr, &repo, zs_span(header, sizeof header), &tag_read, &r, &err), 0);
	assert_memory_equal(&tag, &tag_read, sizeof tag);
	for (uint64_t n = 0; n < 20; n++) {
		size_t bytes = n * 40, at = sealed.n;

		assert_int_equal(zs_pack_seal_part(w, ZS_PART_BLOCK, n, zs_span(plain, bytes), &sealed, &err), 0);
		assert_int_equal(sealed.n - at, bytes + ZS_SEAL_TAG);
		zs_buf_clear(&out);
		assert_int_equal(zs_buf_add(&out, "x", 1, &err), 0);
		assert_int_equal(zs_pack_open_part(r, ZS_PART_BLOCK, n, zs_span(sealed.p + at, sealed.n - at), &out,
		    &err), 0);
		assert_int_equal(out.n, bytes + 1);
		assert_memory_equal(out.p + 1, plain, bytes);
		zs_buf_clear(&out);
		/* another number, another type */
		assert_int_equal(zs_pack_open_part(r, ZS_PART_BLOCK, n + 1, zs_span(sealed.p + at, sealed.n - at),
		    &out, &err), -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		assert_int_equal(zs_pack_open_part(r, ZS_PART_DIRECTORY, n, zs_span(sealed.p + at, sealed.n - at),
		    &out, &err), -1);
		assert_int_equal(out.n, 0);
	}
	zs_pack_seal_free(w);
	zs_pack_seal_free(r);
	zs_pack_seal_free(NULL);
	zs_buf_fini(&sealed);
	zs_buf_fini(&out);
}

static void damaged_parts(void **state)
{
	uint8_t header[ZS_PACK_HEADER];
	struct zs_pack_tag tag;
	struct zs_pack_seal *w = begin(header, &tag);
	struct zs_buf sealed = ZS_BUF_INIT, out = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_pack_seal_part(w, ZS_PART_TRAILER, UINT64_MAX, zs_span_str("trailer"), &sealed, &err), 0);
	for (size_t bit = 0; bit < sealed.n * 8; bit++) {
		sealed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		err.cause = ZS_OK;
		assert_int_equal(zs_pack_open_part(w, ZS_PART_TRAILER, UINT64_MAX, zs_buf_span(&sealed), &out, &err),
		    -1);
		assert_int_equal(err.cause, ZS_CORRUPT);
		assert_int_equal(out.n, 0);
		sealed.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t n = 0; n < sealed.n; n++)
		assert_int_equal(zs_pack_open_part(w, ZS_PART_TRAILER, UINT64_MAX, zs_span(sealed.p, n), &out, &err),
		    -1);
	assert_int_equal(zs_pack_open_part(w, ZS_PART_TRAILER, UINT64_MAX, zs_buf_span(&sealed), &out, &err), 0);
	zs_pack_seal_free(w);
	zs_buf_fini(&sealed);
	zs_buf_fini(&out);
}

static void damaged_header(void **state)
{
	uint8_t header[ZS_PACK_HEADER + 1] = {0};
	struct zs_pack_tag tag;

	(void)state;
	zs_pack_seal_free(begin(header, &tag));
	assert_int_equal(open_header(kr, &repo, zs_span(header, ZS_PACK_HEADER)), ZS_OK);
	for (size_t bit = 0; bit < ZS_PACK_HEADER * 8; bit++) {
		int version = bit / 8 == 4 || bit / 8 == 5;

		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(open_header(kr, &repo, zs_span(header, ZS_PACK_HEADER)),
		    version && bit != 32 ? ZS_VERSION : ZS_CORRUPT);
		header[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t n = 0; n <= ZS_PACK_HEADER + 1; n++)
		assert_int_equal(open_header(kr, &repo, zs_span(header, n)), n == ZS_PACK_HEADER ? ZS_OK : ZS_CORRUPT);
}

static void wrong_keys(void **state)
{
	uint8_t header[ZS_PACK_HEADER];
	struct zs_pack_tag tag;
	struct zs_name elsewhere = repo;
	struct zs_err err = {0};
	struct zs_keyring *other = zs_keyring_new(&err);

	(void)state;
	zs_pack_seal_free(begin(header, &tag));
	elsewhere.b[31] = 1;
	assert_int_equal(open_header(kr, &elsewhere, zs_span(header, sizeof header)), ZS_CORRUPT);
	/* somebody who knows the public key only cannot make a pack that is believed */
	*other = *kr;
	other->meta.b[0] ^= 1;
	assert_int_equal(open_header(other, &repo, zs_span(header, sizeof header)), ZS_CORRUPT);
	zs_keyring_generate(other);
	assert_int_equal(open_header(other, &repo, zs_span(header, sizeof header)), ZS_CORRUPT);
	zs_keyring_free(other);
}

static void write_only(void **state)
{
	uint8_t header[ZS_PACK_HEADER];
	struct zs_pack_tag tag;
	struct zs_pack_seal *ps = NULL;
	struct zs_err err = {0};
	struct zs_keyring *w = zs_keyring_new(&err);

	(void)state;
	*w = *kr;
	zs_wipe(&w->data_secret, sizeof w->data_secret);
	w->can_read = 0;
	assert_int_equal(zs_pack_seal_new(w, &repo, header, &tag, &ps, &err), 0);
	zs_pack_seal_free(ps);
	assert_int_equal(open_header(w, &repo, zs_span(header, sizeof header)), ZS_KEY);
	assert_int_equal(open_header(kr, &repo, zs_span(header, sizeof header)), ZS_OK);
	memset(&w->data_public, 0, sizeof w->data_public); /* no point of the curve that hides anything */
	assert_int_equal(zs_pack_seal_new(w, &repo, header, &tag, &ps, &err), -1);
	assert_int_equal(err.cause, ZS_KEY);
	zs_keyring_free(w);
}

static void no_two_alike(void **state)
{
	uint8_t h1[ZS_PACK_HEADER], h2[ZS_PACK_HEADER];
	struct zs_pack_tag t1, t2;

	(void)state;
	zs_pack_seal_free(begin(h1, &t1));
	zs_pack_seal_free(begin(h2, &t2));
	assert_memory_not_equal(h1 + 8, h2 + 8, 80);
	assert_memory_not_equal(&t1, &t2, sizeof t1);
}

/* Seals parts with these numbers in a child; the signal that ended it, or 0. */
static int ends_by(const uint64_t *numbers, size_t n)
{
	int status = 0;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		uint8_t header[ZS_PACK_HEADER];
		struct zs_pack_tag tag;
		struct zs_pack_seal *ps = NULL;
		struct zs_buf out = ZS_BUF_INIT;
		struct zs_err err = {0};

		(void)signal(SIGABRT, SIG_DFL);
		(void)close(2); /* assert's message */
		if (zs_pack_seal_new(kr, &repo, header, &tag, &ps, &err) < 0)
			_exit(1);
		for (size_t i = 0; i < n; i++)
			if (zs_pack_seal_part(ps, ZS_PART_BLOCK, numbers[i], zs_span_str("x"), &out, &err) < 0)
				_exit(1);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

static void numbers_never_repeat(void **state)
{
	static const uint64_t fine[] = {UINT64_MAX, 1, 2, 3, UINT64_MAX - 1, 0, 4, 9, 5};
	static const uint64_t again[] = {0, 1, 2, 3, 1}, end[] = {0, UINT64_MAX, 1, UINT64_MAX}, twice[] = {5, 5};

	(void)state;
	assert_int_equal(ends_by(fine, sizeof fine / sizeof *fine), 0);
	assert_int_equal(ends_by(again, sizeof again / sizeof *again), SIGABRT);
	assert_int_equal(ends_by(end, sizeof end / sizeof *end), SIGABRT);
	assert_int_equal(ends_by(twice, sizeof twice / sizeof *twice), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parts_come_back), cmocka_unit_test(damaged_parts), cmocka_unit_test(damaged_header),
		cmocka_unit_test(wrong_keys), cmocka_unit_test(write_only), cmocka_unit_test(no_two_alike),
		cmocka_unit_test(numbers_never_repeat),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

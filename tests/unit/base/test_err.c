/* Errors: texts, contexts, what is kept when they grow too long. */
#include "zstore/base.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void fail_sets_everything(void **state)
{
	struct zs_err err = {.cause = ZS_IO, .sys = EIO, .text = "old"};

	(void)state;
	assert_int_equal(zs_fail(&err, ZS_CORRUPT, "pack %d", 7), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	assert_int_equal(err.sys, 0);
	assert_string_equal(err.text, "pack 7");
}

static void sys_appends_its_text(void **state)
{
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_fail_sys(&err, ZS_IO, ENOENT, "open %s", "x"), -1);
	assert_int_equal(err.sys, ENOENT);
	assert_string_equal(err.text, "open x: No such file or directory");
	assert_int_equal(zs_fail_nomem(&err), -1);
	assert_int_equal(err.cause, ZS_NOMEM);
	assert_int_equal(err.sys, 0);
	zs_err_clear(&err);
	assert_int_equal(err.cause, ZS_OK);
	assert_string_equal(err.text, "");
}

static void context_goes_in_front_and_keeps_the_cause(void **state)
{
	struct zs_err err = {0};

	(void)state;
	(void)zs_fail_sys(&err, ZS_IO, EIO, "read");
	assert_int_equal(zs_context(&err, "pack %s", "ab"), -1);
	assert_int_equal(zs_context(&err, "snapshot"), -1);
	assert_string_equal(err.text, "snapshot: pack ab: read: Input/output error");
	assert_int_equal(err.cause, ZS_IO);
	assert_int_equal(err.sys, EIO);
}

static void long_heads_are_cut_and_the_reason_stays(void **state)
{
	static const char reason[] = ": No space left on device";
	struct zs_err err = {0};
	char path[2000];

	(void)state;
	memset(path, 'p', sizeof(path));
	path[sizeof(path) - 1] = '\0';
	(void)zs_fail_sys(&err, ZS_NOSPACE, ENOSPC, "%s", path);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(err.text + strlen(err.text) - strlen(reason), reason);

	(void)zs_fail(&err, ZS_IO, "the reason");
	(void)zs_context(&err, "%s", path);
	assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
	assert_string_equal(err.text + strlen(err.text) - strlen("...: the reason"), "...: the reason");
}

/* every length around the limit */
static void every_length_terminates(void **state)
{
	char fill[sizeof(((struct zs_err *)0)->text) + 10];
	size_t n;

	(void)state;
	for (n = 0; n < sizeof(fill) - 1; n++) {
		struct zs_err err = {0};

		memset(fill, 'x', n);
		fill[n] = '\0';
		(void)zs_fail(&err, ZS_IO, "%s", fill);
		assert_int_equal(strlen(err.text), n < sizeof(err.text) ? n : sizeof(err.text) - 1);
		(void)zs_context(&err, "%s", fill);
		assert_int_equal(strlen(err.text), 2 * n + 2 < sizeof(err.text) ? 2 * n + 2 : sizeof(err.text) - 1);
	}
}

static void control_bytes_never_get_in(void **state)
{
	struct zs_err err = {0};

	(void)state;
	(void)zs_fail(&err, ZS_IO, "a\033[2Jb\nc\x7f");
	assert_string_equal(err.text, "a?[2Jb?c?");
	(void)zs_context(&err, "x\ry");
	assert_string_equal(err.text, "x?y: a?[2Jb?c?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fail_sets_everything),
	    cmocka_unit_test(sys_appends_its_text),
	    cmocka_unit_test(context_goes_in_front_and_keeps_the_cause),
	    cmocka_unit_test(long_heads_are_cut_and_the_reason_stays),
	    cmocka_unit_test(every_length_terminates),
	    cmocka_unit_test(control_bytes_never_get_in),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Ids and names: text and order. */
#include "zstore/base.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void hex_round_trips(void **state)
{
	struct zs_name name, back;
	char hex[ZS_NAME_HEX], id_hex[ZS_ID_HEX];
	struct zs_id id;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(name.b); i++)
		name.b[i] = (uint8_t)(i * 37 + 250);
	for (i = 0; i < sizeof(id.b); i++)
		id.b[i] = (uint8_t)(0xf0 + i);
	assert_ptr_equal(zs_name_hex(&name, hex), hex);
	assert_int_equal(strlen(hex), 64);
	assert_memory_equal(hex, "fa1f", 4);
	assert_int_equal(zs_name_parse(hex, &back), 0);
	assert_int_equal(zs_name_cmp(&name, &back), 0);
	assert_string_equal(zs_id_hex(&id, id_hex), "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff0001020304050607");
}

static void every_wrong_text_is_refused(void **state)
{
	static const char wrong[] = "ABCDEFG/:@`gxX -+\n\x80";
	char hex[ZS_NAME_HEX + 1];
	struct zs_name out;
	size_t i, k;

	(void)state;
	memset(&out, 7, sizeof(out));
	for (i = 0; i < 64; i++)
		for (k = 0; k < sizeof(wrong); k++) {
			memset(hex, 'a', 64);
			hex[64] = '\0';
			hex[i] = wrong[k]; /* the last one is the NUL: too short */
			assert_int_equal(zs_name_parse(hex, &out), -1);
		}
	memset(hex, 'a', 65);
	hex[65] = '\0';
	assert_int_equal(zs_name_parse(hex, &out), -1);
	assert_int_equal(zs_name_parse("", &out), -1);
	assert_int_equal(out.b[0], 7);
}

static void order_is_that_of_bytes(void **state)
{
	struct zs_name a = {{0}}, b = {{0}};
	struct zs_id x = {{0}}, y = {{0}};

	(void)state;
	a.b[31] = 0x80;
	b.b[31] = 0x7f;
	x.b[23] = 1;
	assert_true(zs_name_cmp(&a, &b) > 0);
	assert_true(zs_name_cmp(&b, &a) < 0);
	assert_true(zs_id_cmp(&x, &y) > 0);
	y.b[0] = 1;
	assert_true(zs_id_cmp(&x, &y) < 0);
	assert_int_equal(zs_id_cmp(&x, &x), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(hex_round_trips),
	    cmocka_unit_test(every_wrong_text_is_refused),
	    cmocka_unit_test(order_is_that_of_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Lists of texts and names: growing, asking, sorting. */
#include "common.h"

static struct zs_name a_name(unsigned n)
{
	struct zs_name name = {{0}};

	name.b[0] = (uint8_t)(n >> 8);
	name.b[31] = (uint8_t)n;
	return name;
}

static void texts_are_copied(void **state)
{
	struct zs_strings l = {0};
	char text[8];
	struct zs_err err;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		(void)snprintf(text, sizeof text, "%u", i);
		assert_int_equal(zs_strings_add(&l, zs_span_str(text), &err), 0);
	}
	assert_int_equal(l.n, 100);
	assert_string_equal(l.v[0], "0");
	assert_string_equal(l.v[99], "99");
	zs_strings_fini(&l);
	assert_int_equal(l.n, 0);
	assert_null(l.v);
	assert_int_equal(zs_strings_add(&l, zs_span(NULL, 0), &err), 0);
	assert_string_equal(l.v[0], "");
	zs_strings_fini(&l);
}

/* Every way to build a list must give the answers of a plain search. */
static void check_has(const struct zs_names *l, unsigned range)
{
	for (unsigned n = 0; n < range; n++) {
		struct zs_name name = a_name(n);
		int expected = 0;

		for (size_t i = 0; i < l->n; i++)
			expected |= memcmp(&l->v[i], &name, sizeof name) == 0;
		assert_int_equal(zs_names_has(l, &name), expected);
	}
}

static void has_is_right_sorted_or_not(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 200; round++) {
		struct zs_names l = {0};

		for (unsigned step = below(40); step; step--) {
			struct zs_name name = a_name(below(50));
			struct zs_err err;

			switch (below(8)) {
			case 0:
				zs_names_sort(&l);
				break;
			case 1:
				l.n -= l.n != 0; /* a caller may drop the last */
				break;
			case 2:
				name = a_name(100 + (unsigned)l.n); /* ascending for a while */
				/* fall through */
			default:
				assert_int_equal(zs_names_add(&l, &name, &err), 0);
			}
			check_has(&l, 50);
		}
		zs_names_sort(&l);
		for (size_t i = 1; i < l.n; i++)
			assert_true(zs_name_cmp(&l.v[i - 1], &l.v[i]) <= 0);
		zs_names_fini(&l);
		assert_null(l.v);
		check_has(&l, 3);
	}
}

static void a_name_may_come_from_the_list(void **state)
{
	struct zs_names l = {0};
	struct zs_name name = a_name(7);
	struct zs_err err;

	(void)state;
	assert_int_equal(zs_names_add(&l, &name, &err), 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(zs_names_add(&l, &l.v[0], &err), 0);
	for (size_t i = 0; i < l.n; i++)
		assert_memory_equal(&l.v[i], &name, sizeof name);
	zs_names_fini(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(texts_are_copied),
	    cmocka_unit_test(has_is_right_sorted_or_not),
	    cmocka_unit_test(a_name_may_come_from_the_list),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Names in a directory: what is below what, and in which order they come. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "zstore/base.h"

static void below(void **state)
{
	static const struct { const char *dn, *base; int want; } cases[] = {
	    {"uid=a,ou=p,dc=org", "dc=org", 1}, {"uid=a,ou=p,dc=org", "ou=p,dc=org", 1}, {"dc=org", "dc=org", 1}, {"dc=org", "uid=a,dc=org", 0},
	    {"dc=org", "", 1}, {"", "", 1}, {"", "dc=org", 0}, {"UID=A,DC=Org", "dc=ORG", 1}, {"uid=a, dc=org", "dc=org", 1},
	    {"uid=a,dc=org", "dc = org", 1}, {"uid=a,dc=xorg", "dc=org", 0}, {"uid=a\\,dc=org", "dc=org", 0}, {"uid=a\\\\,dc=org", "dc=org", 1},
	    {"uid=a\\2C,dc=org", "dc=org", 1}, {"uid=a b,dc=org", "uid=a b,dc=org", 1}, {"uid=ab,dc=org", "uid=a b,dc=org", 0},
	    {"uid=x\\ ,dc=org", "uid=x,dc=org", 0}, {"cn=a,cn=config", "cn=config", 1}, {"uid=a,dc=org,dc=x", "dc=org", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (zs_dn_is_below(zs_span_str(cases[i].dn), zs_span_str(cases[i].base)) != cases[i].want)
			fail_msg("'%s' below '%s'", cases[i].dn, cases[i].base);
}

static void order(void **state)
{
	static const struct { const char *dn; int is_last; } sorted[] = {
	    {"", 0}, {"dc=b", 0}, {"ou=A,dc=b", 0}, {"OU=b,dc=b", 0}, {"uid=a,ou=A,dc=b", 0}, {"uid=a\\,b\\,c\\,d,ou=b,dc=b", 0}, {"uid=z,uid=a,ou=A,dc=b", 0}, {"cn=g,dc=b", 1},
	    {"cn=g,ou=A,dc=b", 1}};
	struct zs_buf last = ZS_BUF_INIT, now = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof sorted / sizeof *sorted; i++) {
		size_t n;

		zs_buf_clear(&now);
		assert_int_equal(zs_dn_key(zs_span_str(sorted[i].dn), sorted[i].is_last, &now, &err), 0);
		n = last.n < now.n ? last.n : now.n;
		if (i > 0 && (memcmp(last.p, now.p, n) > 0 || (memcmp(last.p, now.p, n) == 0 && last.n >= now.n)))
			fail_msg("%s is out of order", sorted[i].dn);
		zs_buf_clear(&last);
		assert_int_equal(zs_buf_add_span(&last, zs_buf_span(&now), &err), 0);
	}
	zs_buf_fini(&last);
	zs_buf_fini(&now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(below),
		cmocka_unit_test(order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

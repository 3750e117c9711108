/* LDIF lines, and the spool that entries wait in. */
#include "util.h"

#include "../../../src/source/ldap_private.h"

static void check_line(const char *value, size_t n, const char *want)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(ldap_ldif_line(&out, zs_span_str("a"), zs_span(value, n), &err), 0);
	if (!zs_span_eq(zs_buf_span(&out), zs_span_str(want)))
		fail_msg("got '%.*s', not '%s'", (int)out.n, (const char *)out.p, want);
	zs_buf_fini(&out);
}

static void lines(void **state)
{
	(void)state;
	check_line("", 0, "a:\n");
	check_line("x", 1, "a: x\n");
	check_line("x y:<", 5, "a: x y:<\n");
	check_line(" x", 2, "a:: IHg=\n");
	check_line("x ", 2, "a:: eCA=\n");
	check_line(":x", 2, "a:: Ong=\n");
	check_line("<x", 2, "a:: PHg=\n");
	check_line("\0", 1, "a:: AA==\n");
	check_line("a\nb", 3, "a:: YQpi\n");
	check_line("\xc3\xa4", 2, "a:: w6Q=\n");
	check_line("\x7f", 1, "a:: fw==\n");
	check_line("tab\t", 4, "a:: dGFiCQ==\n");
}

static void set_text(struct ldap_text *t, const char *dn, const char *uuid, const char *text)
{
	struct zs_err err = {0};

	ldap_text_fini(t);
	t->is_group = t->has_children = 0;
	assert_int_equal(zs_buf_add_span(&t->dn, zs_span_str(dn), &err), 0);
	assert_int_equal(zs_buf_add_span(&t->uuid, zs_span_str(uuid), &err), 0);
	assert_int_equal(zs_buf_add_span(&t->main, zs_span_str(text), &err), 0);
	assert_int_equal(zs_buf_add_span(&t->side, zs_span_str("side"), &err), 0);
}

static void check_text(struct ldap_spool *s, size_t row, const char *main, const char *side)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(ldap_spool_text(s, &s->rows[row], 0, &out, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(main)));
	zs_buf_clear(&out);
	assert_int_equal(ldap_spool_text(s, &s->rows[row], 1, &out, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str(side)));
	zs_buf_fini(&out);
}

static void spool(void **state)
{
	struct ldap_spool s;
	struct ldap_text t = {0};
	struct zs_err err = {0};
	uint8_t id[16];

	(void)state;
	ldap_spool_init(&s, "/tmp", 0);
	set_text(&t, "uid=b,dc=x", "00000000-0000-0000-0000-0000000000bb", "b old");
	assert_int_equal(ldap_spool_put(&s, &t, 0, &err), 0);
	set_text(&t, "cn=g,dc=x", "00000000-0000-0000-0000-0000000000cc", "group");
	t.is_group = 1;
	assert_int_equal(ldap_spool_put(&s, &t, 0, &err), 0);
	set_text(&t, "dc=x", "00000000-0000-0000-0000-0000000000aa", "suffix");
	assert_int_equal(ldap_spool_put(&s, &t, 0, &err), 0);
	set_text(&t, "uid=gone,dc=x", "", "gone"); /* a server without entryUUID */
	assert_int_equal(ldap_spool_put(&s, &t, 0, &err), 0);
	set_text(&t, "uid=b,dc=x", "00000000-0000-0000-0000-0000000000bb", "b new");
	assert_int_equal(ldap_spool_put(&s, &t, 1, &err), 0);
	assert_int_equal(s.live, 4);
	set_text(&t, "uid=copy,dc=x", "00000000-0000-0000-0000-0000000000bb", "copy"); /* a tree that was loaded twice */
	assert_int_equal(ldap_spool_put(&s, &t, 1, &err), 0);
	assert_int_equal(s.live, 5);
	ldap_spool_id(zs_span(NULL, 0), zs_span_str("uid=gone,dc=x"), id);
	assert_non_null(ldap_spool_find(&s, id));
	ldap_spool_drop(&s, ldap_spool_find(&s, id));
	assert_null(ldap_spool_find(&s, id));
	ldap_spool_sort(&s);
	assert_int_equal(s.n, 4);
	check_text(&s, 0, "suffix", "side");
	check_text(&s, 1, "b new", "side");
	check_text(&s, 2, "copy", "side");
	check_text(&s, 3, "group", "side");
	ldap_text_fini(&t);
	ldap_spool_fini(&s);
}

/* More than fits into memory goes to a file, and comes back. */
static void large_spool(void **state)
{
	static char big[1 << 20];
	struct ldap_spool s;
	struct ldap_text t = {0};
	struct zs_err err = {0};
	struct zs_buf out = ZS_BUF_INIT;

	(void)state;
	ldap_spool_init(&s, "/tmp", 1);
	memset(big, 'x', sizeof big - 1);
	for (unsigned i = 0; i < 60; i++) {
		char uuid[40], dn[40];

		(void)snprintf(uuid, sizeof uuid, "%032x", i * 7919u);
		(void)snprintf(dn, sizeof dn, "uid=%u", 1000 - i);
		(void)snprintf(big, 16, "%08u", i);
		big[8] = 'x';
		set_text(&t, dn, uuid, big);
		assert_int_equal(ldap_spool_put(&s, &t, 0, &err), 0);
		assert_true(s.tail.cap < 64u << 20);
	}
	assert_true(s.fd >= 0);
	ldap_spool_sort(&s);
	assert_int_equal(s.n, 60);
	for (unsigned i = 0; i < 60; i++) { /* in the order they were put */
		char want[16];

		zs_buf_clear(&out);
		assert_int_equal(ldap_spool_text(&s, &s.rows[i], 0, &out, &err), 0);
		(void)snprintf(want, sizeof want, "%08u", i);
		assert_memory_equal(out.p, want, 8);
		assert_int_equal(out.n, sizeof big - 1);
	}
	zs_buf_fini(&out);
	ldap_text_fini(&t);
	ldap_spool_fini(&s);
	ldap_spool_init(&s, "/nonexistent", 0);
	for (unsigned i = 0; i < 60; i++) {
		char uuid[40];

		(void)snprintf(uuid, sizeof uuid, "%032x", i);
		set_text(&t, "uid=a", uuid, big);
		if (ldap_spool_put(&s, &t, 0, &err) < 0)
			break;
	}
	assert_int_equal(err.cause, ZS_SYSTEM);
	ldap_text_fini(&t);
	ldap_spool_fini(&s);
}

static void components(void **state)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};
	char longer[400];

	(void)state;
	assert_int_equal(ldap_dn_component(zs_span_str("dc=a/b%,o=\x01"), &out, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str("dc=a%2Fb%25,o=%01")));
	zs_buf_clear(&out);
	assert_int_equal(ldap_dn_component(zs_span(NULL, 0), &out, &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&out), zs_span_str("%")));
	zs_buf_clear(&out);
	memset(longer, 'd', sizeof longer);
	assert_int_equal(ldap_dn_component(zs_span(longer, sizeof longer), &out, &err), 0);
	assert_true(out.n <= ZS_COMPONENT_MAX);
	zs_buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines),
		cmocka_unit_test(spool),
		cmocka_unit_test(large_spool),
		cmocka_unit_test(components),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * Folders of a mailbox become a tree whatever their rows say; names become components, flags and tags lists.
 */
#include "util.h"

#include <stdio.h>
#include <string.h>

#include "../../../src/source/zimbra_private.h"

static struct zimbra_folders folders;

static void folder(uint32_t id, uint32_t parent, const char *name)
{
	struct zs_err err = {0};

	assert_int_equal(zimbra_folders_add(&folders, id, parent, zs_span_str(name), &err), 0);
}

static size_t finish(void)
{
	struct zs_err err = {0};
	size_t odd = 99;

	assert_int_equal(zimbra_folders_finish(&folders, &odd, &err), 0);
	return odd;
}

static const char *path_of(uint32_t id)
{
	const struct zimbra_folder *f = zimbra_folders_find(&folders, id);

	assert_non_null(f);
	return zimbra_folders_text(&folders, f->path_at);
}

static void check_children(uint32_t id, const char *expected)
{
	const struct zimbra_folder *f = zimbra_folders_find(&folders, id);
	char text[512] = "";

	assert_non_null(f);
	for (uint32_t i = 0; i < f->children; i++) {
		size_t n = strlen(text);

		(void)snprintf(text + n, sizeof text - n, "%s|",
		    zimbra_folders_text(&folders, folders.v[folders.children[f->first_child + i]].component_at));
	}
	assert_string_equal(text, expected);
}

static void tree_of_folders(void **state)
{
	(void)state;
	folder(11, 11, "ROOT");
	folder(1, 11, "USER_ROOT");
	folder(9, 11, "Conversations");
	folder(2, 1, "Inbox");
	folder(300, 2, "Work");
	folder(301, 300, "a/b");
	folder(302, 2, "100%");
	folder(303, 2, ".");
	folder(304, 2, "");
	assert_int_equal(finish(), 0);
	check_children(1, "Inbox|");
	check_children(2, "%2e|%~304|100%25|Work|");
	assert_string_equal(path_of(2), "/Inbox");
	assert_string_equal(path_of(301), "/Inbox/Work/a/b");
	check_children(300, "a%2fb|");
	assert_int_equal(zimbra_folders_find(&folders, 9)->is_shown, 0);
	assert_int_equal(zimbra_folders_find(&folders, 301)->is_shown, 1);
	zimbra_folders_fini(&folders);
}

static void one_name_for_several(void **state)
{
	(void)state;
	folder(11, 11, "ROOT");
	folder(1, 11, "USER_ROOT");
	folder(400, 1, "x");
	folder(401, 1, "x");
	folder(402, 1, "x");
	folder(403, 1, "x~401");
	assert_int_equal(finish(), 0);
	check_children(1, "x|x~401|x~401~403|x~402|");
	zimbra_folders_fini(&folders);
}

static void what_has_no_place(void **state)
{
	(void)state;
	folder(11, 11, "ROOT");
	folder(500, 501, "one");
	folder(501, 500, "other"); /* a ring */
	folder(502, 502, "itself");
	folder(503, 77, "lost");
	assert_int_equal(finish(), 3 + 1); /* where a ring is opened, the rest of it has a place; and the users' root itself was missing */
	check_children(1, "itself|lost|one|");
	assert_string_equal(path_of(501), "/one/other");
	zimbra_folders_fini(&folders);
}

static void deep(void **state)
{
	(void)state;
	folder(11, 11, "ROOT");
	folder(1, 11, "USER_ROOT");
	for (uint32_t i = 0; i < 200; i++)
		folder(1000 + i, i ? 999 + i : 1, "d");
	assert_true(finish() > 0); /* what is too deep stands at the top */
	assert_string_equal(path_of(1000), "/d");
	zimbra_folders_fini(&folders);
}

static void check_slug(const char *text, const char *expected)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	assert_int_equal(zimbra_names_slug(zs_span_str(text), &b, &err), 0);
	assert_int_equal(zs_buf_add_u8(&b, 0, &err), 0);
	assert_string_equal((char *)b.p, expected);
	zs_buf_fini(&b);
}

static void slugs(void **state)
{
	(void)state;
	check_slug("Minutes of the meeting", "Minutes-of-the-meeting");
	check_slug("", "untitled");
	check_slug(" / \x01 ", "untitled");
	check_slug("a/b\\c: d...", "a-b-c-d");
	check_slug("Gr\xc3\xbc\xc3\x9f" "e", "Gr\xc3\xbc\xc3\x9f" "e");
	check_slug("bad \xff\xfe bytes", "bad-bytes");
	check_slug("1234567890123456789012345678901234567890123456789012345678\xc3\xbc\xc3\xbc", "1234567890123456789012345678901234567890123456789012345678\xc3\xbc");
}

static void components(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};
	char name[400];

	(void)state;
	memset(name, 'x', sizeof name);
	assert_int_equal(zimbra_names_component(zs_span(name, sizeof name), 7, &b, &err), 0);
	assert_int_equal(b.n, 202);
	assert_memory_equal(b.p + 200, "~7", 2);
	zs_buf_clear(&b);
	assert_int_equal(zimbra_names_component(zs_span(name, 255), 7, &b, &err), 0);
	assert_int_equal(b.n, 255);
	zs_buf_fini(&b);
}

static void flags_and_tags(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zimbra_names_flags(0x4 | 0x20 | 0x200, 0, &b, &err), 0);
	assert_int_equal(b.n, strlen("answered") + 1 + strlen("flagged") + 1 + strlen("seen"));
	assert_memory_equal(b.p, "answered\0flagged\0seen", b.n);
	zs_buf_clear(&b);
	assert_int_equal(zimbra_names_flags(0, -1, &b, &err), 0);
	assert_int_equal(b.n, 0);
	assert_int_equal(zimbra_names_flags(0, 1, &b, &err), 0);
	assert_memory_equal(b.p, "unread", 6);
	zs_buf_fini(&b);
	assert_int_equal(zimbra_names_tags(zs_span("\0a\0b\0", 5)).n, 3);
	assert_int_equal(zimbra_names_tags(zs_span(NULL, 0)).n, 0);
	assert_int_equal(zimbra_names_tags(zs_span("\0", 1)).n, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tree_of_folders), cmocka_unit_test(one_name_for_several), cmocka_unit_test(what_has_no_place),
		cmocka_unit_test(deep), cmocka_unit_test(slugs), cmocka_unit_test(components), cmocka_unit_test(flags_and_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

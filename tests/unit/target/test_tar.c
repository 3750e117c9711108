/* tar.c and links.c: what libarchive reads back is what went in. */
#include "sandbox.h"

#include <locale.h>

#include <archive.h>
#include <archive_entry.h>
#include <sys/xattr.h>

#include "../../../src/target/target_private.h"

struct reader { struct archive *a; struct archive_entry *e; int fd; };

static struct zs_target *tar_begin(int *fd)
{
	struct zs_target *t = NULL;
	struct zs_err err = {0};

	*fd = open(at("out.tar"), O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(*fd >= 0);
	assert_int_equal(zs_target_tar_new(*fd, &t, &err), 0);
	return t;
}

static int add(struct zs_target *t, const char *path, const struct zs_entry *e, struct zs_span content)
{
	struct zs_err err = {0};

	if (t->ops->begin(t, sp(path), e, &err) < 0)
		return -1;
	for (size_t i = 0; i < content.n; i += 1000)
		if (t->ops->write(t, zs_span(content.p + i, content.n - i < 1000 ? content.n - i : 1000), &err) < 0)
			return -1;
	return t->ops->end(t, &err);
}

static void tar_end(struct zs_target *t)
{
	struct zs_err err = {0};

	assert_int_equal(t->ops->finish(t, &err), 0);
	t->ops->free(t);
}

static void open_reader(struct reader *r, int fd)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_non_null(setlocale(LC_CTYPE, "C.UTF-8")); /* the reader needs it; the writer must not */
	r->fd = fd;
	r->a = archive_read_new();
	assert_non_null(r->a);
	assert_int_equal(archive_read_support_format_tar(r->a), ARCHIVE_OK);
	assert_int_equal(archive_read_open_fd(r->a, fd, 10240), ARCHIVE_OK);
}

static const char *next(struct reader *r)
{
	int rc = archive_read_next_header(r->a, &r->e);

	if (rc == ARCHIVE_EOF)
		return NULL;
	assert_true(rc == ARCHIVE_OK || rc == ARCHIVE_WARN);
	return archive_entry_pathname(r->e);
}

static void expect_content(struct reader *r, struct zs_span content)
{
	uint8_t *p = malloc(content.n + 1);

	assert_non_null(p);
	assert_int_equal(archive_read_data(r->a, p, content.n + 1), content.n);
	assert_memory_equal(p, content.p, content.n);
	free(p);
}

static void close_reader(struct reader *r)
{
	assert_null(next(r));
	(void)archive_read_free(r->a);
	(void)setlocale(LC_CTYPE, "C");
	(void)close(r->fd);
}

static void kinds(void **state)
{
	static const char *const names[] = {"dir/", "dir/mail", "dir/pipe", "dir/soft", "dir/zero"};
	struct zs_entry dir = {.kind = ZS_ENTRY_DIR, .flags = ZS_ENTRY_HAS_MODE, .mode = 02750, .uid = 7, .gid = 8,
	    .mtime_ns = -1};
	struct zs_entry fifo = {.kind = ZS_ENTRY_FIFO, .mtime_ns = 1000000000};
	struct zs_entry soft = {.kind = ZS_ENTRY_SYMLINK, .target = sp("../x")};
	struct zs_entry sock = {.kind = ZS_ENTRY_SOCKET}, zero = {.kind = ZS_ENTRY_CHAR, .rdev = 0x105};
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .flags = ZS_ENTRY_HAS_MODE, .mode = 0640, .mtime_ns = 123456789,
	    .size = 70001};
	uint8_t *content = calloc(1, 70001);
	struct zs_err err = {0};
	struct zs_target *t;
	struct reader r;
	int fd;

	(void)state;
	assert_non_null(content);
	memset(content, 'a', 2000);
	memset(content + 69000, 'z', 1001);
	e.user = sp("zimbra");
	e.group = sp("mail");
	t = tar_begin(&fd);
	assert_int_equal(add(t, "dir", &dir, zs_span(NULL, 0)), 0);
	assert_int_equal(t->ops->begin(t, sp("dir/mail"), &e, &err), 0);
	assert_int_equal(t->ops->write(t, zs_span(content, 2000), &err), 0);
	assert_int_equal(t->ops->hole(t, 67000, &err), 0);
	assert_int_equal(t->ops->end(t, &err), -1); /* not all yet */
	assert_int_equal(t->ops->write(t, zs_span(content + 69000, 1002), &err), -1); /* too much */
	assert_int_equal(t->ops->write(t, zs_span(content + 69000, 1001), &err), 0);
	assert_int_equal(t->ops->end(t, &err), 0);
	assert_int_equal(add(t, "dir/pipe", &fifo, zs_span(NULL, 0)), 0);
	assert_int_equal(add(t, "dir/socket", &sock, zs_span(NULL, 0)), 0); /* left out */
	assert_int_equal(add(t, "dir/soft", &soft, zs_span(NULL, 0)), 0);
	assert_int_equal(add(t, "dir/zero", &zero, zs_span(NULL, 0)), 0);
	tar_end(t);

	open_reader(&r, fd);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_string_equal(next(&r), names[i]);
		if (i == 0) {
			assert_int_equal(archive_entry_mode(r.e), S_IFDIR | 02750);
			assert_int_equal(archive_entry_uid(r.e), 7);
			assert_int_equal(archive_entry_gid(r.e), 8);
			assert_int_equal(archive_entry_mtime(r.e), -1);
			assert_int_equal(archive_entry_mtime_nsec(r.e), 999999999);
		} else if (i == 1) {
			assert_int_equal(archive_entry_mode(r.e), S_IFREG | 0640);
			assert_string_equal(archive_entry_uname(r.e), "zimbra");
			assert_string_equal(archive_entry_gname(r.e), "mail");
			assert_int_equal(archive_entry_mtime_nsec(r.e), 123456789);
			expect_content(&r, zs_span(content, 70001));
		} else if (i == 2) {
			assert_int_equal(archive_entry_mode(r.e), S_IFIFO | 0600);
		} else if (i == 3) {
			assert_string_equal(archive_entry_symlink(r.e), "../x");
		} else {
			assert_int_equal(archive_entry_filetype(r.e), S_IFCHR);
			assert_int_equal(archive_entry_rdev(r.e), 0x105);
		}
	}
	close_reader(&r);
	free(content);
}

/* UTF-8, bytes that are none, and more than any old header holds. */
static void names(void **state)
{
	static const char latin1[] = "Entw\xfcrfe", utf8[] = "Entw\xc3\xbcrfe";
	struct zs_entry e = file_entry(sp("x"));
	struct zs_buf deep = ZS_BUF_INIT;
	struct zs_err err = {0};
	struct zs_target *t;
	struct reader r;
	int fd;

	(void)state;
	for (int i = 0; i < 200; i++)
		assert_int_equal(zs_buf_printf(&deep, &err, "%0100d/", i), 0);
	assert_int_equal(zs_buf_add(&deep, "mail", 5, &err), 0);
	t = tar_begin(&fd);
	assert_int_equal(add(t, latin1, &e, sp("x")), 0);
	assert_int_equal(add(t, utf8, &e, sp("x")), 0);
	assert_int_equal(add(t, (const char *)deep.p, &e, sp("x")), 0);
	assert_int_equal(add(t, "../out", &e, sp("x")), -1);
	assert_int_equal(add(t, "/abs", &e, sp("x")), -1);
	tar_end(t);
	open_reader(&r, fd);
	assert_int_equal(archive_read_next_header(r.a, &r.e) >= ARCHIVE_WARN, 1);
	assert_string_equal(archive_entry_pathname(r.e), latin1);
	assert_int_equal(archive_read_next_header(r.a, &r.e) >= ARCHIVE_WARN, 1);
	assert_string_equal(archive_entry_pathname(r.e), utf8);
	assert_string_equal(next(&r), (const char *)deep.p);
	close_reader(&r);
	zs_buf_fini(&deep);
}

static void hard_links(void **state)
{
	struct zs_entry e = file_entry(sp("mail body"));
	struct zs_target *t;
	struct reader r;
	int fd;

	(void)state;
	e.link_dev = 1;
	e.link_ino = 42;
	t = tar_begin(&fd);
	assert_int_equal(add(t, "first", &e, sp("mail body")), 0);
	assert_int_equal(add(t, "second", &e, sp("mail body")), 0);
	e.link_dev = 2; /* the same number on another file system */
	assert_int_equal(add(t, "third", &e, sp("mail body")), 0);
	tar_end(t);
	open_reader(&r, fd);
	assert_string_equal(next(&r), "first");
	assert_null(archive_entry_hardlink(r.e));
	expect_content(&r, sp("mail body"));
	assert_string_equal(next(&r), "second");
	assert_string_equal(archive_entry_hardlink(r.e), "first");
	assert_int_equal(archive_entry_size(r.e), 0);
	assert_string_equal(next(&r), "third");
	assert_null(archive_entry_hardlink(r.e));
	expect_content(&r, sp("mail body"));
	close_reader(&r);
}

static void attributes(void **state)
{
	static const uint8_t acl[] = {
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 57, 48, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255,
		16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
	};
	struct zs_entry e = file_entry(sp("x"));
	struct zs_buf list = ZS_BUF_INIT;
	int type, permset, tag, qual, seen = 0;
	struct zs_err err = {0};
	struct zs_target *t;
	const char *name;
	const void *value;
	struct reader r;
	size_t n;
	int fd;

	(void)state;
	assert_int_equal(zs_format_xattr_add(&list, sp("system.posix_acl_access"), zs_span(acl, sizeof acl), &err), 0);
	assert_int_equal(zs_format_xattr_add(&list, sp("system.posix_acl_default"), sp("no acl"), &err), 0);
	assert_int_equal(zs_format_xattr_add(&list, sp("user.note"), zs_span("a\0b", 3), &err), 0);
	e.xattrs = zs_buf_span(&list);
	t = tar_begin(&fd);
	assert_int_equal(add(t, "mail", &e, sp("x")), 0);
	e.xattrs.n--;
	assert_int_equal(t->ops->begin(t, sp("bad"), &e, &err), -1);
	assert_int_equal(err.cause, ZS_CORRUPT);
	tar_end(t);
	open_reader(&r, fd);
	assert_string_equal(next(&r), "mail");
	assert_int_equal(archive_entry_xattr_reset(r.e), 2);
	while (archive_entry_xattr_next(r.e, &name, &value, &n) == ARCHIVE_OK)
		if (!strcmp(name, "user.note")) {
			assert_int_equal(n, 3);
			assert_memory_equal(value, "a\0b", 3);
			seen++;
		} else {
			assert_string_equal(name, "system.posix_acl_default"); /* as it is, since it is none */
			seen++;
		}
	assert_int_equal(seen, 2);
	assert_int_equal(archive_entry_acl_reset(r.e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS), 5);
	seen = 0;
	while (archive_entry_acl_next(r.e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, &type, &permset, &tag, &qual,
	    &name) == ARCHIVE_OK)
		if (tag == ARCHIVE_ENTRY_ACL_USER) {
			assert_int_equal(qual, 12345);
			assert_int_equal(permset, 4);
			seen++;
		}
	assert_int_equal(seen, 1);
	close_reader(&r);
	zs_buf_fini(&list);
}

/* The disk is full at some byte: an error with its cause, and freeing is still fine. */
static void full_disk(void **state)
{
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .size = 40000};
	uint8_t *content = calloc(1, 40000);
	struct zs_target *t = NULL;
	struct zs_err err = {0};
	int fd = open("/dev/full", O_WRONLY), rc;

	(void)state;
	assert_non_null(content);
	assert_true(fd >= 0);
	assert_int_equal(zs_target_tar_new(fd, &t, &err), 0);
	rc = t->ops->begin(t, sp("mail"), &e, &err);
	if (rc == 0)
		rc = t->ops->write(t, zs_span(content, 40000), &err);
	assert_int_equal(rc, -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(err.sys, ENOSPC);
	t->ops->free(t);
	assert_int_equal(zs_target_tar_new(fd, &t, &err), 0);
	assert_int_equal(add(t, "small", &e, zs_span(NULL, 0)), -1); /* size says otherwise */
	err.sys = 0;
	assert_int_equal(t->ops->finish(t, &err), -1);
	assert_int_equal(err.sys, ENOSPC);
	t->ops->free(t);
	(void)close(fd);
	free(content);
}

/* However many there are, memory stays within bounds, and what is found is right. */
static void links_bounded(void **state)
{
	struct links *l = links_new();
	unsigned found = 0;
	char path[64], *large = malloc(60000);

	(void)state;
	assert_non_null(l);
	assert_non_null(large);
	for (unsigned i = 1; i <= 16000; i++) {
		(void)snprintf(path, sizeof path, "path/%u", i);
		links_add(l, i % 3, i, sp(path));
	}
	for (unsigned i = 1; i <= 16000; i++) {
		const char *first = links_find(l, i % 3, i);

		(void)snprintf(path, sizeof path, "path/%u", i);
		if (first) {
			assert_string_equal(first, path);
			found++;
		}
		assert_null(links_find(l, i % 3 + 3, i));
	}
	assert_true(found > 15500);
	memset(large, 'x', 60000);
	for (unsigned i = 1; i <= 300; i++) /* 18 MB of paths */
		links_add(l, 9, i, zs_span(large, 60000));
	found = 0;
	for (unsigned i = 1; i <= 300; i++)
		found += links_find(l, 9, i) != NULL;
	assert_true(found > 0 && found < 140);
	free(large);
	links_free(l);
	links_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(kinds), test(names), test(hard_links), test(attributes), test(full_disk), test(links_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

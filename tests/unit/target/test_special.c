/* special.c and meta.c: directories, symlinks, pipes, links, and what is known of them. */
#include "sandbox.h"

#include <grp.h>
#include <sys/wait.h>
#include <sys/xattr.h>

static struct zs_entry entry(uint8_t kind, uint32_t mode)
{
	struct zs_entry e = {
		.kind = kind, .flags = ZS_ENTRY_HAS_MODE, .mode = mode, .uid = geteuid(), .gid = getegid(),
		.mtime_ns = -1500000000,
	};

	return e;
}

static void symlinks(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_IF_DIFFERENT);
	struct zs_entry e = entry(ZS_ENTRY_SYMLINK, 0777);
	struct zs_err err = {0};
	char target[100] = "";
	struct stat st;

	(void)state;
	e.target = sp("../../etc/passwd");
	assert_int_equal(zs_files_special(f, sp("d/link"), &e, &err), 1);
	assert_int_equal(readlink(at("root/d/link"), target, sizeof target - 1), 16);
	assert_string_equal(target, "../../etc/passwd");
	assert_int_equal(lstat(at("root/d/link"), &st), 0);
	assert_int_equal(st.st_mtim.tv_sec, -2);
	assert_int_equal(st.st_mtim.tv_nsec, 500000000);
	assert_int_equal(zs_files_special(f, sp("d/link"), &e, &err), 0); /* equal */
	e.target = sp("../../etc/passwo");
	assert_int_equal(zs_files_special(f, sp("d/link"), &e, &err), 1);
	e.target = sp("");
	assert_int_equal(zs_files_special(f, sp("d/link"), &e, &err), -1);
	e.target = zs_span("a\0b", 3);
	assert_int_equal(zs_files_special(f, sp("d/link"), &e, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(problems, 0);
	zs_files_free(f);
}

static void pipes_and_sockets(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry fifo = entry(ZS_ENTRY_FIFO, 0644), sock = entry(ZS_ENTRY_SOCKET, 0666), none = entry(99, 0600);
	struct zs_err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(zs_files_special(f, sp("pipe"), &fifo, &err), 1);
	assert_int_equal(lstat(at("root/pipe"), &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0644);
	assert_int_equal(st.st_mtim.tv_sec, -2);
	assert_int_equal(zs_files_special(f, sp("sock"), &sock, &err), 1);
	assert_int_equal(lstat(at("root/sock"), &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0666);
	assert_int_equal(zs_files_special(f, sp("none"), &none, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	none.kind = ZS_ENTRY_DIR;
	assert_int_equal(zs_files_special(f, sp("none"), &none, &err), -1);
	/* in the way of one another */
	assert_int_equal(zs_files_special(f, sp("sock"), &fifo, &err), 1);
	assert_int_equal(lstat(at("root/sock"), &st), 0);
	assert_int_equal(st.st_mode, S_IFIFO | 0644);
	assert_int_equal(problems, 0);
	zs_files_free(f);
}

static void devices(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = entry(ZS_ENTRY_CHAR, 0600);
	struct zs_err err = {0};
	struct stat st;
	int rc;

	(void)state;
	e.rdev = 0x103; /* 1:3, null */
	rc = zs_files_special(f, sp("null"), &e, &err);
	if (rc == 1) {
		assert_int_equal(lstat(at("root/null"), &st), 0);
		assert_true(S_ISCHR(st.st_mode));
		assert_int_equal(st.st_rdev, 0x103);
	} else { /* not allowed here: said, with the path */
		assert_int_equal(rc, -1);
		assert_int_equal(err.cause, ZS_TARGET);
		assert_non_null(strstr(err.text, "null"));
	}
	zs_files_free(f);
}

static void directories(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS), *never = files_open(ZS_OVERWRITE_NEVER);
	struct zs_entry e = entry(ZS_ENTRY_DIR, 02751);
	struct zs_err err = {0};
	struct stat st;

	(void)state;
	assert_int_equal(zs_files_mkdir(f, sp("a/b/c"), &err), 0);
	assert_int_equal(zs_files_mkdir(f, sp("a/b/c"), &err), 0);
	assert_int_equal(zs_files_dir_finish(f, sp("a/b/c"), &e, &err), 0);
	assert_int_equal(lstat(at("root/a/b/c"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 02751);
	assert_int_equal(st.st_mtim.tv_nsec, 500000000);
	assert_int_equal(zs_files_dir_finish(f, sp("a/x"), &e, &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	/* something else under the name: replaced, or not */
	assert_int_equal(symlink("../../outside", at("root/a/way")), 0);
	assert_int_equal(zs_files_dir_finish(f, sp("a/way"), &e, &err), -1);
	assert_int_equal(zs_files_mkdir(never, sp("a/way"), &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_mkdir(f, sp("a/way"), &err), 0);
	assert_int_equal(lstat(at("root/a/way"), &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_true(exists(at("outside")));
	put_file(at("root/file"), "x");
	assert_int_equal(zs_files_mkdir(f, sp("file/sub"), &err), -1); /* a parent is never replaced */
	assert_int_equal(zs_files_mkdir(f, sp("file"), &err), 0);
	assert_int_equal(problems, 0);
	zs_files_free(f);
	zs_files_free(never);
}

static ino_t inode(const char *path)
{
	struct stat st;

	assert_int_equal(lstat(path, &st), 0);
	return st.st_ino;
}

static void hard_links(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS), *never = files_open(ZS_OVERWRITE_NEVER);
	struct zs_entry e = file_entry(sp("mail"));
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(zs_files_create_whole(f, sp("one"), &e, sp("mail"), &err), 1);
	assert_int_equal(zs_files_link(f, sp("one"), sp("d/two"), &err), 1);
	assert_true(inode(at("root/one")) == inode(at("root/d/two")));
	assert_int_equal(zs_files_link(f, sp("one"), sp("d/two"), &err), 1); /* already so */
	assert_int_equal(zs_files_link(f, sp("one"), sp("one"), &err), 1);
	expect_file(at("root/one"), "mail");
	assert_int_equal(zs_files_link(never, sp("one"), sp("d/two"), &err), 0);
	put_file(at("root/other"), "x");
	assert_int_equal(zs_files_link(never, sp("one"), sp("other"), &err), 0);
	expect_file(at("root/other"), "x");
	assert_int_equal(zs_files_link(f, sp("one"), sp("other"), &err), 1);
	expect_file(at("root/other"), "mail");
	assert_int_equal(zs_files_link(f, sp("one"), sp("d"), &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	assert_int_equal(zs_files_link(f, sp("gone"), sp("three"), &err), -1);
	assert_int_equal(err.cause, ZS_TARGET);
	/* the name of a symlink is linked, never what it points to */
	put_file(at("outside/secret"), "secret");
	assert_int_equal(symlink("../outside/secret", at("root/soft")), 0);
	assert_int_equal(zs_files_link(f, sp("soft"), sp("grab"), &err), 1);
	assert_false(inode(at("root/grab")) == inode(at("outside/secret")));
	zs_files_free(f);
	zs_files_free(never);
}

static void xattrs(void **state)
{
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = file_entry(sp("mail")), dir = entry(ZS_ENTRY_DIR, 0500);
	struct zs_buf list = ZS_BUF_INIT;
	struct zs_err err = {0};
	char value[100] = "";

	(void)state;
	put_file(at("outside/probe"), "");
	if (setxattr(at("outside/probe"), "user.probe", "x", 1, 0) < 0) {
		zs_files_free(f);
		skip();
	}
	assert_int_equal(zs_format_xattr_add(&list, sp("user.one"), sp("first"), &err), 0);
	assert_int_equal(zs_format_xattr_add(&list, sp("user.zwo"), zs_span("\0\1", 2), &err), 0);
	e.xattrs = dir.xattrs = zs_buf_span(&list);
	e.mode = 0400;
	assert_int_equal(zs_files_create_whole(f, sp("d/mail"), &e, sp("mail"), &err), 1);
	assert_int_equal(getxattr(at("root/d/mail"), "user.one", value, sizeof value), 5);
	assert_memory_equal(value, "first", 5);
	assert_int_equal(getxattr(at("root/d/mail"), "user.zwo", value, sizeof value), 2);
	assert_int_equal(zs_files_dir_finish(f, sp("d"), &dir, &err), 0);
	assert_int_equal(getxattr(at("root/d"), "user.one", value, sizeof value), 5);
	assert_int_equal(problems, 0);
	/* one that no kernel takes: named, the rest goes on */
	zs_buf_clear(&list);
	assert_int_equal(zs_format_xattr_add(&list, sp("nonsense.a"), sp("x"), &err), 0);
	assert_int_equal(zs_format_xattr_add(&list, sp("user.one"), sp("later"), &err), 0);
	e.xattrs = zs_buf_span(&list);
	assert_int_equal(zs_files_create_whole(f, sp("mail"), &e, sp("mail"), &err), 1);
	assert_int_equal(problems, 1);
	assert_int_equal(last_problem.cause, ZS_TARGET);
	assert_non_null(strstr(last_problem.text, "nonsense.a"));
	assert_int_equal(getxattr(at("root/mail"), "user.one", value, sizeof value), 5);
	assert_memory_equal(value, "later", 5);
	/* a list that is cut off */
	e.xattrs.n--;
	assert_int_equal(zs_files_create_whole(f, sp("mail"), &e, sp("mail"), &err), 1);
	assert_true(problems > 2);
	zs_buf_fini(&list);
	zs_files_free(f);
}

/* An ACL arrives as an xattr, and the mode that is set after it says the same. */
static void acls(void **state)
{
	static const uint8_t acl[] = {
		2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 57, 48, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255,
		16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
	};
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS);
	struct zs_entry e = file_entry(sp("mail"));
	struct zs_buf list = ZS_BUF_INIT;
	struct zs_err err = {0};
	uint8_t back[sizeof acl + 8];
	struct stat st;

	(void)state;
	put_file(at("outside/probe"), "");
	if (setxattr(at("outside/probe"), "system.posix_acl_access", acl, sizeof acl, 0) < 0) {
		zs_files_free(f);
		skip();
	}
	assert_int_equal(zs_format_xattr_add(&list, sp("system.posix_acl_access"), zs_span(acl, sizeof acl), &err), 0);
	e.xattrs = zs_buf_span(&list);
	e.mode = 0640; /* the group bits are the mask */
	assert_int_equal(zs_files_create_whole(f, sp("mail"), &e, sp("mail"), &err), 1);
	assert_int_equal(getxattr(at("root/mail"), "system.posix_acl_access", back, sizeof back), sizeof acl);
	assert_memory_equal(back, acl, sizeof acl);
	assert_int_equal(stat(at("root/mail"), &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0640);
	assert_int_equal(problems, 0);
	zs_buf_fini(&list);
	zs_files_free(f);
}

static void owners(void **state)
{
	struct zs_files_target_settings numeric = {.numeric_owner = 1, .problem = on_problem};
	struct zs_files *f = files_open(ZS_OVERWRITE_ALWAYS), *n = NULL;
	struct zs_entry e = file_entry(sp("mail"));
	struct zs_err err = {0};
	struct stat st;

	(void)state;
	if (geteuid() != 0) {
		zs_files_free(f);
		skip();
	}
	assert_int_equal(zs_files_new(at("root"), &numeric, &n, &err), 0);
	e.uid = 12345;
	e.gid = 23456;
	e.mode = 04755;
	e.user = sp("root");
	e.group = sp("no-such-group-here");
	for (int round = 0; round < 2; round++) { /* asked, then remembered */
		assert_int_equal(zs_files_create_whole(f, sp("by-name"), &e, sp("mail"), &err), 1);
		assert_int_equal(stat(at("root/by-name"), &st), 0);
		assert_int_equal(st.st_uid, 0);
		assert_int_equal(st.st_gid, 23456);
		assert_int_equal(st.st_mode & 07777, 04755); /* after the owner, which clears the bit */
	}
	assert_int_equal(zs_files_create_whole(n, sp("by-id"), &e, sp("mail"), &err), 1);
	assert_int_equal(stat(at("root/by-id"), &st), 0);
	assert_int_equal(st.st_uid, 12345);
	assert_int_equal(st.st_gid, 23456);
	e.flags = 0; /* nothing known: ours, and private */
	assert_int_equal(zs_files_create_whole(f, sp("plain"), &e, sp("mail"), &err), 1);
	assert_int_equal(stat(at("root/plain"), &st), 0);
	assert_int_equal(st.st_uid, 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_int_equal(problems, 0);
	zs_files_free(f);
	zs_files_free(n);
}

/* What somebody who is not root gets: returned by a child, 0 if all is well, else the line that failed. */
#define CHECK(x) do { if (!(x)) return __LINE__ % 250 + 1; } while (0)
static int as_nobody(void)
{
	struct zs_files_target_settings s = {.problem = on_problem};
	struct zs_entry e, dir;
	struct zs_files *f = NULL;
	struct zs_err err = {0};
	struct stat st;

	CHECK(zs_files_new(at("root"), &s, &f, &err) == 0);
	e = file_entry(sp("mail"));
	dir = entry(ZS_ENTRY_DIR, 0500);
	e.uid = dir.uid = 0;
	CHECK(zs_files_create_whole(f, sp("d/mail"), &e, sp("mail"), &err) == 1);
	CHECK(problems == 0); /* another's file becomes ours, silently */
	e.mode = 04755;
	CHECK(zs_files_create_whole(f, sp("d/suid"), &e, sp("mail"), &err) == 1);
	CHECK(problems == 1); /* but not with the right to act as us */
	CHECK(stat(at("root/d/suid"), &st) == 0 && (st.st_mode & 07777) == 0755);
	CHECK(zs_files_dir_finish(f, sp("d"), &dir, &err) == 0);
	CHECK(stat(at("root/d"), &st) == 0 && (st.st_mode & 07777) == 0500);
	/* read-only now: an error, until mkdir has opened it */
	CHECK(zs_files_create_whole(f, sp("d/more"), &e, sp("mail"), &err) == -1);
	CHECK(err.cause == ZS_TARGET && err.sys == EACCES);
	CHECK(zs_files_mkdir(f, sp("d"), &err) == 0);
	CHECK(zs_files_create_whole(f, sp("d/more"), &e, sp("mail"), &err) == 1);
	dir.mode = 0300; /* not readable: finished all the same */
	CHECK(zs_files_dir_finish(f, sp("d"), &dir, &err) == 0);
	CHECK(zs_files_dir_finish(f, sp("d"), &dir, &err) == 0);
	CHECK(stat(at("root/d"), &st) == 0 && (st.st_mode & 07777) == 0300 && st.st_mtim.tv_sec == -2);
	/* a directory of somebody else */
	CHECK(zs_files_mkdir(f, sp("foreign"), &err) == 0);
	CHECK(zs_files_create_whole(f, sp("foreign/mail"), &e, sp("mail"), &err) == -1 && err.sys == EACCES);
	CHECK(zs_files_mkdir(f, sp("foreign/sub"), &err) == -1 && err.cause == ZS_TARGET);
	zs_files_free(f);
	return 0;
}

static void not_root(void **state)
{
	int status = 0;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	assert_int_equal(mkdir(at("root"), 0700), 0);
	assert_int_equal(chown(at("root"), 65534, 65534), 0);
	assert_int_equal(chmod(box, 0755), 0);
	assert_int_equal(mkdir(at("root/foreign"), 0755), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (setgroups(0, NULL) < 0 || setgid(65534) < 0 || setuid(65534) < 0)
			_exit(255);
		_exit(as_nobody());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(symlinks), test(pipes_and_sockets), test(devices), test(directories), test(hard_links),
		test(xattrs),
		test(acls), test(owners), test(not_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

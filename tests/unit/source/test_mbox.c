/* The mbox source: files and messages, names that stay, locks, files that change or are none. */
#include "util.h"

#include "../../../src/source/mbox_private.h"

#include <dirent.h>
#include <sys/wait.h>

struct mail { struct walk w; struct zs_url url; int appends; }; /* appends: so often the file grows while it is parsed */

static int append(void *ctx)
{
	struct mail *m = ctx;
	int fd;

	if (m->appends-- <= 0)
		return 0;
	fd = open("joe", O_WRONLY | O_APPEND);
	assert_int_equal(write(fd, "x\n", 2), 2);
	return close(fd);
}

static int mail_new(struct mail *m, const char *url)
{
	const struct zs_source_settings settings = {.problem = note_problem, .ctx = &m->w.problems, .tmp_dir = util_dir, .stop = append,
	    .stop_ctx = m};
	struct zs_server_settings server = {.url = &m->url, .root = zs_span_str("m")};

	assert_int_equal(zs_url_parse(url, &m->url, &m->w.err), 0);
	return zs_source_mbox_new(&server, &settings, &m->w.source, &m->w.err);
}

static void mail_open(struct mail *m, const char *url)
{
	if (mail_new(m, url) < 0 || zs_source_prepare(m->w.source, ZS_PHASE_CONNECT, &m->w.err) < 0)
		fail_msg("%s", m->w.err.text);
}

static void mail_close(struct mail *m)
{
	walk_close(&m->w);
	zs_url_fini(&m->url);
}

/* All paths; sums of messages' names are cut off: "20260101-100000-*". */
static char *all_paths(struct mail *m)
{
	char *all = walk_all(&m->w), *to = all;

	for (char *from = all; *from; from++) {
		*to++ = *from;
		if (*from == '-' && strspn(from + 1, "0123456789abcdef") == 16) {
			*to++ = '*';
			from += 16;
		}
	}
	*to = 0;
	return all;
}

static void check_paths(const char *url, const char *want)
{
	struct mail m = {0};
	char *got;

	mail_open(&m, url);
	got = all_paths(&m);
	assert_string_equal(got, want);
	assert_int_equal(m.w.problems.n, 0);
	free(got);
	mail_close(&m);
}

/* On to the first item whose path begins so. */
static void walk_into(struct mail *m, const char *begin)
{
	size_t n = strlen(begin);
	int rc;

	while ((rc = walk_next(&m->w)) > 0 && (m->w.item.path.n < n || memcmp(m->w.item.path.p, begin, n) != 0))
		;
	if (rc <= 0)
		fail_msg("%s was not found: %s", begin, m->w.err.text);
}

static void check_content(struct mail *m, const char *want)
{
	struct zs_buf got = ZS_BUF_INIT;
	uint64_t holes;
	int changed;

	if (read_all(m->w.item.handle, &got, &holes, &changed, &m->w.err) < 0)
		fail_msg("%s", m->w.err.text);
	assert_false(changed);
	assert_true(zs_span_eq(zs_buf_span(&got), zs_span_str(want)));
	zs_buf_fini(&got);
}

static const char one[] = "From a Thu Jan  1 10:00:00 2026\nSubject: 1\nStatus: RO\n\n>From x\n>>From y\n\n"
			  "From b Thu Jan  1 10:00:01 2026\nSubject: 2\nX-Keywords: tag\nX-UID: 5\n\nbody\n\n";

/* -------------------------------------------------------------------------- what is there */

static void test_directory(void **state)
{
	struct zs_buf storage = ZS_BUF_INIT;
	struct mail m = {0};

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/sub", 0700), 0);
	put_file("d/joe", one);
	put_file("d/empty", "");
	put_file("d/sub/Entw&APw-rfe", one);
	put_file("d/.subscriptions", "x");
	put_file("d/joe.msf", "x");
	put_file("d/joe.lock", "1");
	put_file("d/free.lock.x", "");
	assert_int_equal(symlink("joe", "d/link"), 0);
	assert_int_equal(unlink("d/joe.lock"), 0);
	check_paths("mbox:d", "m\nm/files\nm/files/.subscriptions\nm/files/empty\nm/files/free.lock.x\nm/files/joe\nm/files/joe.msf\n"
			      "m/files/link\nm/files/sub\nm/files/sub/Entw&APw-rfe\nm/messages\nm/messages/empty\nm/messages/free.lock.x\n"
			      "m/messages/joe\nm/messages/joe/20260101-100000-*.eml\nm/messages/joe/20260101-100001-*.eml\nm/messages/sub\n"
			      "m/messages/sub/Entw&APw-rfe\nm/messages/sub/Entw&APw-rfe/20260101-100000-*.eml\n"
			      "m/messages/sub/Entw&APw-rfe/20260101-100001-*.eml\n");
	check_paths("mbox:d/sub?messages=no", "m\nm/files\nm/files/Entw&APw-rfe\n");
	mail_open(&m, "mbox:d");
	walk_to(&m.w, "m/files/joe");
	check_content(&m, one);
	assert_int_equal(zs_source_fill(m.w.item.handle, &m.w.item.entry, &storage, &m.w.err), 0);
	assert_int_equal(access("d/joe.lock", F_OK), -1); /* none is left behind */
	walk_into(&m, "m/messages/sub/Entw&APw-rfe/20260101-100001");
	assert_int_equal(zs_source_fill(m.w.item.handle, &m.w.item.entry, &storage, &m.w.err), 0);
	assert_true(zs_span_eq(m.w.item.entry.item_folder, zs_span_str("sub/Entw\xc3\xbcrfe")));
	assert_true(zs_span_eq(m.w.item.entry.item_tags, zs_span_str("tag")));
	assert_int_equal(m.w.item.entry.item_flags.n, 0);
	assert_int_equal(m.w.item.entry.item_id, 5);
	assert_int_equal(m.w.item.entry.item_date_ns, m.w.item.entry.mtime_ns);
	zs_buf_fini(&storage);
	mail_close(&m);
}

static void test_file(void **state)
{
	struct mail m = {0};

	(void)state;
	put_file("joe", one);
	assert_int_equal(symlink("joe", "box"), 0);
	check_paths("mbox:joe", "m\nm/files\nm/files/joe\nm/messages\nm/messages/joe\nm/messages/joe/20260101-100000-*.eml\n"
				"m/messages/joe/20260101-100001-*.eml\n");
	mail_open(&m, "mbox:box"); /* a name that was typed is followed */
	walk_to(&m.w, "m/files/box");
	check_content(&m, one);
	walk_into(&m, "m/messages/box/20260101-100000");
	check_content(&m, "Subject: 1\nStatus: RO\n\nFrom x\n>From y\n");
	walk_into(&m, "m/messages/box/20260101-100001");
	check_content(&m, "Subject: 2\nX-Keywords: tag\nX-UID: 5\n\nbody\n");
	assert_int_equal(walk_next(&m.w), 0);
	assert_int_equal(walk_next(&m.w), 0);
	mail_close(&m);
	mail_open(&m, "mbox:joe?format=mboxo");
	walk_into(&m, "m/messages/joe/20260101-100000");
	check_content(&m, "Subject: 1\nStatus: RO\n\nFrom x\n>>From y\n");
	mail_close(&m);
	mail_open(&m, "mbox:joe?format=mboxcl2");
	walk_into(&m, "m/messages/joe/20260101-100000");
	check_content(&m, "Subject: 1\nStatus: RO\n\n>From x\n>>From y\n");
	assert_non_null(strstr(m.w.problems.text, "Content-Length"));
	mail_close(&m);
}

/* A body larger than a piece, quoted in many places, comes out right in pieces of any size. */
static void test_large_message(void **state)
{
	struct zs_buf file = ZS_BUF_INIT, want = ZS_BUF_INIT;
	struct mail m = {0};
	FILE *f;

	(void)state;
	assert_int_equal(zs_buf_printf(&file, &m.w.err, "From a Thu Jan  1 10:00:00 2026\nSubject: 1\n\n"), 0);
	assert_int_equal(zs_buf_printf(&want, &m.w.err, "Subject: 1\n\n"), 0);
	for (int i = 0; i < 40000; i++) {
		assert_int_equal(zs_buf_printf(&file, &m.w.err, "%sFrom %0*d\n", i % 3 ? ">>" : ">", i % 50, i), 0);
		assert_int_equal(zs_buf_printf(&want, &m.w.err, "%sFrom %0*d\n", i % 3 ? ">" : "", i % 50, i), 0);
	}
	f = fopen("joe", "wb");
	assert_int_equal(fwrite(file.p, 1, file.n, f), file.n);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(zs_buf_add_u8(&want, 0, &m.w.err), 0);
	mail_open(&m, "mbox:joe");
	walk_into(&m, "m/messages/joe/2026");
	check_content(&m, (char *)want.p);
	mail_close(&m);
	zs_buf_fini(&file);
	zs_buf_fini(&want);
}

/* --------------------------------------------------------------------------------- names */

struct known { char path[256]; uint64_t identity; };

static size_t list_messages(struct known *v, size_t max)
{
	struct mail m = {0};
	size_t n = 0;

	mail_open(&m, "mbox:joe");
	walk_to(&m.w, "m/messages/joe");
	while (walk_next(&m.w) > 0 && n < max) {
		(void)snprintf(v[n].path, sizeof v->path, "%.*s", (int)m.w.item.path.n, (const char *)m.w.item.path.p);
		v[n++].identity = m.w.item.entry.identity;
	}
	mail_close(&m);
	return n;
}

static void test_names_stay(void **state)
{
	struct known first[10], then[10];
	char text[1000];
	const char *second = strstr(one, "From b");

	(void)state;
	put_file("joe", one);
	assert_int_equal(list_messages(first, 10), 2);
	put_file("joe", second); /* the first one is deleted */
	assert_int_equal(list_messages(then, 10), 1);
	assert_string_equal(then[0].path, first[1].path);
	assert_true(then[0].identity == first[1].identity);
	(void)snprintf(text, sizeof text, "%s", second);
	memcpy(strstr(text, "tag"), "TAG", 3); /* another tag: the same name, but it must be read again */
	put_file("joe", text);
	assert_int_equal(list_messages(then, 10), 1);
	assert_string_equal(then[0].path, first[1].path);
	assert_false(then[0].identity == first[1].identity);
	(void)snprintf(text, sizeof text, "%s%s%s", second, second, second); /* the same three times, and one without a date */
	(void)strcat(text, "From nobody\nSubject: 1\n\nx\n");
	put_file("joe", text);
	assert_int_equal(list_messages(then, 10), 4);
	assert_string_equal(then[0].path, first[1].path);
	assert_non_null(strstr(then[1].path, "~000002.eml"));
	assert_non_null(strstr(then[2].path, "~000003.eml"));
	assert_non_null(strstr(then[3].path, "/undated-"));
}

/* --------------------------------------------------------------------------- what is none */

static void test_bad_files(void **state)
{
	struct mail m = {0};
	char *got;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	put_file("d/broken", "From nobody\nSubject: 1\n\nx\n\nFrom me\nSubject: 2\n\ny\n");
	mail_open(&m, "mbox:d");
	got = all_paths(&m);
	assert_string_equal(got, "m\nm/files\nm/files/broken\nm/messages\nm/messages/broken\nm/messages/broken/undated-*.eml\n"
				 "m/messages/broken/undated-*.eml\n");
	assert_int_equal(m.w.problems.n, 1);
	assert_string_equal(m.w.problems.path, "m/files/broken");
	assert_non_null(strstr(m.w.problems.text, "at byte 0, and 1 more"));
	free(got);
	mail_close(&m);

	put_file("d/broken", "just text\n");
	mail_open(&m, "mbox:d");
	got = all_paths(&m);
	assert_string_equal(got, "m\nm/files\nm/files/broken\nm/messages\n");
	assert_int_equal(m.w.problems.n, 1);
	assert_non_null(strstr(m.w.problems.text, "no mbox"));
	free(got);
	mail_close(&m);
	mail_open(&m, "mbox:d/broken");
	got = all_paths(&m);
	assert_string_equal(got, "m\nm/files\nm/files/broken\nm/messages\n");
	assert_int_equal(m.w.problems.n, 1);
	free(got);
	mail_close(&m);

	assert_int_equal(mkfifo("d/fifo", 0600), 0);
	assert_int_equal(mail_new(&m, "mbox:d/fifo"), 0);
	assert_int_equal(zs_source_prepare(m.w.source, ZS_PHASE_CONNECT, &m.w.err), -1);
	assert_int_equal(m.w.err.cause, ZS_SOURCE);
	mail_close(&m);
	assert_int_equal(mail_new(&m, "mbox:nowhere"), 0);
	assert_int_equal(walk_next(&m.w), -1);
	assert_int_equal(m.w.err.cause, ZS_SOURCE);
	mail_close(&m);
}

static void test_options(void **state)
{
	static const char *const bad[] = {"mbox:", "mbox:x?format=y", "mbox:x?lock=y", "mbox:x?timeout=", "mbox:x?timeout=-1",
	    "mbox:x?timeout=1s", "mbox:x?timeout=3601", "mbox:x?messages=perhaps", "mbox:x?layout=fs"};
	struct mail m = {0};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(mail_new(&m, bad[i]), -1);
		assert_int_equal(m.w.err.cause, ZS_USAGE);
		m.w.source = NULL;
		mail_close(&m);
	}
}

/* --------------------------------------------------------------------------------- locks */

/* A process that holds a write lock as mail programs do, until it is told to end. */
static pid_t hold_fcntl(const char *path, int *out_pipe)
{
	int up[2], down[2];
	pid_t pid;
	char c = 0;

	assert_int_equal(pipe(up), 0);
	assert_int_equal(pipe(down), 0);
	pid = fork();
	if (pid == 0) {
		struct flock how = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
		int fd = open(path, O_RDWR);

		if (fcntl(fd, F_SETLK, &how) < 0 || write(up[1], "x", 1) != 1)
			_exit(1);
		(void)close(down[1]);
		(void)!read(down[0], &c, 1);
		_exit(0);
	}
	assert_int_equal(read(up[0], &c, 1), 1);
	(void)close(up[0]);
	(void)close(up[1]);
	(void)close(down[0]);
	*out_pipe = down[1];
	return pid;
}

static void test_locked(void **state)
{
	struct mail m = {0};
	int end, status;
	pid_t pid;

	(void)state;
	put_file("joe", one);
	pid = hold_fcntl("joe", &end);
	mail_open(&m, "mbox:joe?timeout=0&messages=no");
	walk_to(&m.w, "m/files/joe");
	check_content(&m, one); /* read all the same, but that is told */
	assert_int_equal(m.w.problems.n, 1);
	assert_string_equal(m.w.problems.path, "m/files/joe");
	assert_non_null(strstr(m.w.problems.text, "locked"));
	mail_close(&m);
	mail_open(&m, "mbox:joe?timeout=0&lock=dotlock");
	walk_to(&m.w, "m/files/joe");
	check_content(&m, one);
	assert_int_equal(m.w.problems.n, 0);
	mail_close(&m);
	(void)close(end);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);

	put_file("joe.lock", "1\n");
	mail_open(&m, "mbox:joe?timeout=0");
	walk_to(&m.w, "m/files/joe");
	check_content(&m, one);
	assert_int_equal(m.w.problems.n, 1);
	mail_close(&m);
	assert_int_equal(access("joe.lock", F_OK), 0); /* of somebody else */
	mail_open(&m, "mbox:joe?timeout=0&lock=fcntl");
	walk_to(&m.w, "m/files/joe");
	check_content(&m, one);
	assert_int_equal(m.w.problems.n, 0);
	mail_close(&m);
}

/* What we hold keeps others out as long as we read. */
static void test_keeps_out(void **state)
{
	struct zs_source_reader *r;
	struct mail m = {0};
	int changed;
	pid_t pid;

	(void)state;
	put_file("joe", one);
	mail_open(&m, "mbox:joe");
	walk_to(&m.w, "m/files/joe");
	for (int i = 0; i < 2; i++) {
		int status;

		if (i == 0) {
			assert_int_equal(zs_source_open(m.w.item.handle, &r, &m.w.err), 0);
			assert_int_equal(access("joe.lock", F_OK), 0);
		} else {
			assert_int_equal(zs_source_close(&r, &changed, &m.w.err), 0);
			assert_int_equal(access("joe.lock", F_OK), -1);
		}
		pid = fork();
		if (pid == 0) {
			struct flock how = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

			_exit(fcntl(open("joe", O_RDWR), F_SETLK, &how) == 0 ? 0 : 7);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), i == 0 ? 7 : 0);
	}
	mail_close(&m);
}

/* It lets go in time. */
static void test_waits(void **state)
{
	struct mail m = {0};
	pid_t pid;
	int status;

	(void)state;
	put_file("joe", one);
	put_file("joe.lock", "1\n");
	pid = fork();
	if (pid == 0) {
		(void)usleep(300000);
		_exit(unlink("joe.lock") == 0 ? 0 : 1);
	}
	mail_open(&m, "mbox:joe?timeout=60&messages=no");
	walk_to(&m.w, "m/files/joe");
	check_content(&m, one);
	assert_int_equal(m.w.problems.n, 0);
	mail_close(&m);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* -------------------------------------------------------------------- while it is being read */

static void test_changes(void **state)
{
	struct zs_source_reader *r;
	struct mail m = {0};
	uint8_t buf[16];
	uint64_t hole;
	int changed;
	size_t n;

	(void)state;
	put_file("joe", one);
	mail_open(&m, "mbox:joe?lock=none");
	walk_to(&m.w, "m/files/joe");
	assert_int_equal(zs_source_open(m.w.item.handle, &r, &m.w.err), 0);
	assert_int_equal(zs_source_read(r, buf, sizeof buf, &n, &hole, &m.w.err), 0);
	put_file("joe", "From other");
	assert_int_equal(zs_source_close(&r, &changed, &m.w.err), 0);
	assert_true(changed);
	put_file("joe", one);
	for (int i = 0; i < 2; i++) { /* other bytes in the place of the message, or none */
		struct zs_buf got = ZS_BUF_INIT;

		walk_into(&m, "m/messages/joe/2026");
		put_file("joe", i ? "cut" : "From a Thu Jan  1 10:00:00 2026\nSubject: ?\nStatus: RO\n\n>From x\n>>From y\n\n");
		assert_int_equal(read_all(m.w.item.handle, &got, &hole, &changed, &m.w.err), 0);
		assert_true(changed);
		zs_buf_fini(&got);
	}
	mail_close(&m);
}

/* It grows while its messages are looked for: once, and then it is looked at again; always, and then that is told. */
static void test_grows(void **state)
{
	struct mail m = {0};
	char *got;

	(void)state;
	put_file("joe", one);
	m.appends = 1;
	mail_open(&m, "mbox:joe?lock=none");
	walk_into(&m, "m/messages/joe/20260101-100001");
	check_content(&m, "Subject: 2\nX-Keywords: tag\nX-UID: 5\n\nbody\n\nx\n");
	assert_int_equal(m.w.problems.n, 0);
	mail_close(&m);
	put_file("joe", one);
	m.appends = 100000;
	mail_open(&m, "mbox:joe?lock=none");
	got = all_paths(&m);
	assert_string_equal(got, "m\nm/files\nm/files/joe\nm/messages\n");
	assert_int_equal(m.w.problems.n, 1);
	assert_non_null(strstr(m.w.problems.text, "changes all the time"));
	free(got);
	mail_close(&m);
}

static void test_gone(void **state)
{
	struct mail m = {0};
	char *got;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	put_file("d/a", one);
	put_file("d/b", one);
	mail_open(&m, "mbox:d");
	walk_to(&m.w, "m/files/a");
	assert_int_equal(unlink("d/b"), 0);
	walk_to(&m.w, "m/messages");
	walk_to(&m.w, "m/messages/a");
	assert_int_equal(unlink("d/a"), 0); /* it is open */
	got = all_paths(&m);
	assert_string_equal(got, "m/messages/a/20260101-100000-*.eml\nm/messages/a/20260101-100001-*.eml\n");
	assert_int_equal(m.w.problems.n, 0);
	free(got);
	mail_close(&m);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_directory), TEST(test_file), TEST(test_large_message), TEST(test_names_stay), TEST(test_bad_files), TEST(test_options),
		TEST(test_locked), TEST(test_keeps_out), TEST(test_waits), TEST(test_changes), TEST(test_grows), TEST(test_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

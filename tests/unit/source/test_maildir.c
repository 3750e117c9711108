/* The Maildir source: what it yields, and what becomes of messages that move or go while it runs. */
#include "util.h"

#include "../../../src/source/maildir_private.h"

#include <dirent.h>
#include <time.h>

static void put_message(const char *path)
{
	char text[400];

	(void)snprintf(text, sizeof text, "From: a@x\nSubject: %.300s\n\nbody\n", strrchr(path, '/') + 1);
	put_file(path, text);
}

static void make_maildir(const char *path)
{
	static const char *const subs[] = {"", "/cur", "/new", "/tmp"};
	char name[300];

	for (int i = 0; i < 4; i++) {
		(void)snprintf(name, sizeof name, "%s%s", path, subs[i]);
		assert_int_equal(mkdir(name, 0700), 0);
	}
}

static int always_stop(void *ctx)
{
	(void)ctx;
	return 1;
}

struct mail { struct walk w; struct zs_url url; int stops; };

static int mail_new(struct mail *m, const char *url)
{
	struct zs_source_settings settings = {.problem = note_problem, .ctx = &m->w.problems, .tmp_dir = util_dir,
	    .stop = m->stops ? always_stop : NULL};
	struct zs_server_settings server = {.url = &m->url, .root = zs_span_str("mail")};

	assert_int_equal(zs_url_parse(url, &m->url, &m->w.err), 0);
	return zs_source_maildir_new(&server, &settings, &m->w.source, &m->w.err);
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

static void check_all(const char *url, const char *want)
{
	struct mail m = {0};
	char *got;

	mail_open(&m, url);
	got = walk_all(&m.w);
	assert_string_equal(got, want);
	assert_int_equal(m.w.problems.n, 0);
	free(got);
	mail_close(&m);
}

/* What filling says of the item at hand: "folder [flags] #tags", lists joined by ','. */
static void check_item(struct mail *m, const char *want)
{
	struct zs_buf storage = ZS_BUF_INIT;
	const struct zs_entry *e = &m->w.item.entry;
	char got[600];

	assert_int_equal(zs_source_fill(m->w.item.handle, &m->w.item.entry, &storage, &m->w.err), 0);
	assert_true(e->flags & ZS_ENTRY_HAS_ITEM);
	for (size_t i = 0; i < storage.n; i++)
		storage.p[i] = storage.p[i] ? storage.p[i] : ',';
	(void)snprintf(got, sizeof got, "%.*s [%.*s] #%.*s", (int)e->item_folder.n, (const char *)e->item_folder.p, (int)e->item_flags.n,
	    (const char *)e->item_flags.p, (int)e->item_tags.n, (const char *)e->item_tags.p);
	assert_string_equal(got, want);
	zs_buf_fini(&storage);
}

/* The content of the item at hand is that of the message which was called so. */
static void check_content(struct mail *m, const char *name)
{
	struct zs_buf got = ZS_BUF_INIT;
	uint64_t holes;
	char want[400];
	int changed;

	if (read_all(m->w.item.handle, &got, &holes, &changed, &m->w.err) < 0)
		fail_msg("%s", m->w.err.text);
	assert_false(changed);
	(void)snprintf(want, sizeof want, "From: a@x\nSubject: %s\n\nbody\n", name);
	assert_true(zs_span_eq(zs_buf_span(&got), zs_span_str(want)));
	zs_buf_fini(&got);
}

static unsigned long long count_of(struct mail *m, const char *key)
{
	struct zs_buf json = ZS_BUF_INIT;
	unsigned long long n;
	const char *at;

	assert_int_equal(zs_source_manifest(m->w.source, &json, &m->w.err), 0);
	assert_int_equal(zs_buf_add_u8(&json, 0, &m->w.err), 0);
	assert_true(zs_manifest_valid(zs_span(json.p, json.n - 1)));
	at = strstr((char *)json.p, key);
	assert_non_null(at);
	n = strtoull(at + strlen(key) + 2, NULL, 10);
	zs_buf_fini(&json);
	return n;
}

/* ---------------------------------------------------------------------- what is there */

static void test_one(void **state)
{
	struct mail m = {0};

	(void)state;
	make_maildir("M");
	make_maildir("M/.Sub.Deep");
	make_maildir("M/nested");
	put_message("M/cur/1700000001.a:2,FSa");
	put_message("M/new/1700000002.b");
	put_message("M/tmp/incomplete");
	put_message("M/.Sub.Deep/cur/1700000003.c");
	put_message("M/nested/cur/nodate:2,");
	put_file("M/dovecot-keywords", "0 urgent\n");
	put_file("M/dovecot-uidlist", "3 V1 N1\n");
	put_file("M/dovecot-uidlist.lock", "");
	put_file("M/cur/.hidden", "x");
	assert_int_equal(mkdir("M/cur/dir", 0700), 0);
	put_file("M/cur/dir/file", "y");
	assert_int_equal(symlink("../x", "M/cur/link"), 0);
	check_all("maildir:M", "mail\nmail/.Sub.Deep\nmail/.Sub.Deep/cur\nmail/.Sub.Deep/cur/1700000003.c\nmail/.Sub.Deep/new\n"
			       "mail/.Sub.Deep/tmp\nmail/cur\nmail/cur/.hidden\nmail/cur/1700000001.a:2,FSa\nmail/cur/dir\nmail/cur/dir/file\n"
			       "mail/cur/link\nmail/dovecot-keywords\nmail/dovecot-uidlist\nmail/nested\nmail/nested/cur\n"
			       "mail/nested/cur/nodate:2,\nmail/nested/new\nmail/nested/tmp\nmail/new\nmail/new/1700000002.b\nmail/tmp\n");
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/.Sub.Deep/cur/1700000003.c");
	check_item(&m, "Sub/Deep [] #");
	walk_to(&m.w, "mail/cur/1700000001.a:2,FSa");
	check_item(&m, "INBOX [flagged,seen] #urgent");
	assert_int_equal(m.w.item.entry.item_date_ns, 1700000001 * INT64_C(1000000000));
	check_content(&m, "1700000001.a:2,FSa");
	walk_to(&m.w, "mail/nested/cur/nodate:2,");
	check_item(&m, "nested [] #");
	assert_int_equal(m.w.item.entry.item_date_ns, m.w.item.entry.mtime_ns);
	while (walk_next(&m.w) > 0)
		;
	assert_int_equal(count_of(&m, "accounts"), 1);
	assert_int_equal(count_of(&m, "folders"), 3);
	mail_close(&m);
}

/* Many users below one directory; one has folders but no INBOX of its own. */
static void test_many(void **state)
{
	struct mail m = {0};

	(void)state;
	assert_int_equal(mkdir("v", 0700), 0);
	assert_int_equal(mkdir("v/x.org", 0700), 0);
	make_maildir("v/x.org/ann");
	make_maildir("v/x.org/ann/.Sent");
	assert_int_equal(mkdir("v/x.org/bob", 0700), 0);
	make_maildir("v/x.org/bob/.Sent");
	put_message("v/x.org/ann/.Sent/cur/1.a:2,S");
	put_message("v/x.org/ann/new/1.b");
	put_message("v/x.org/bob/.Sent/cur/1.c:2,R");
	put_file("v/x.org/list", "");
	mail_open(&m, "maildir:v");
	walk_to(&m.w, "mail/x.org/ann/.Sent/cur/1.a:2,S");
	check_item(&m, "Sent [seen] #");
	walk_to(&m.w, "mail/x.org/ann/new/1.b");
	check_item(&m, "INBOX [] #");
	walk_to(&m.w, "mail/x.org/bob/.Sent/cur/1.c:2,R");
	check_item(&m, "Sent [answered] #");
	walk_to(&m.w, "mail/x.org/list");
	assert_int_equal(walk_next(&m.w), 0);
	assert_int_equal(walk_next(&m.w), 0);
	assert_int_equal(count_of(&m, "accounts"), 2);
	assert_int_equal(count_of(&m, "messages"), 3);
	mail_close(&m);
}

static void test_layout_fs(void **state)
{
	struct mail m = {0};

	(void)state;
	assert_int_equal(mkdir("M", 0700), 0);
	make_maildir("M/work");
	make_maildir("M/work/.odd.one");
	put_message("M/work/cur/1.a:2,");
	put_message("M/work/.odd.one/cur/1.b:2,");
	mail_open(&m, "maildir:M?layout=fs");
	walk_to(&m.w, "mail/work/.odd.one/cur/1.b:2,");
	check_item(&m, "work/.odd.one [] #");
	walk_to(&m.w, "mail/work/cur/1.a:2,");
	check_item(&m, "work [] #");
	mail_close(&m);
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/work/cur/1.a:2,");
	check_item(&m, "INBOX [] #"); /* one of many users, as far as can be seen */
	mail_close(&m);
}

/* A mail directory whose parts need not all be there. */
static void test_incomplete(void **state)
{
	(void)state;
	assert_int_equal(mkdir("M", 0700), 0);
	assert_int_equal(mkdir("M/cur", 0700), 0);
	assert_int_equal(mkdir("M/tmp", 0700), 0);
	put_message("M/cur/1.a:2,");
	put_file("M/new", "a file");
	check_all("maildir:M", "mail\nmail/cur\nmail/cur/1.a:2,\nmail/new\nmail/tmp\n");
}

/* ------------------------------------------------------------------- what is not */

static void test_none(void **state)
{
	struct mail m = {0};
	char *got;

	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/cur", 0700), 0);
	put_file("d/file", "x");
	mail_open(&m, "maildir:d");
	got = walk_all(&m.w);
	assert_string_equal(got, "mail\nmail/cur\nmail/file\n");
	assert_int_equal(m.w.problems.n, 1);
	assert_string_equal(m.w.problems.path, "mail");
	assert_non_null(strstr(m.w.problems.text, "no Maildir"));
	free(got);
	mail_close(&m);

	assert_int_equal(mail_new(&m, "maildir:nowhere"), 0);
	assert_int_equal(zs_source_prepare(m.w.source, ZS_PHASE_CONNECT, &m.w.err), -1);
	assert_int_equal(m.w.err.cause, ZS_SOURCE);
	mail_close(&m);
	assert_int_equal(mail_new(&m, "maildir:d/file"), 0);
	assert_int_equal(zs_source_prepare(m.w.source, ZS_PHASE_CONNECT, &m.w.err), -1);
	assert_non_null(strstr(m.w.err.text, "mbox:d/file"));
	assert_int_equal(walk_next(&m.w), -1); /* as without the phase */
	assert_int_equal(m.w.err.cause, ZS_SOURCE);
	mail_close(&m);
}

static void test_options(void **state)
{
	static const char *const bad[] = {"maildir:", "maildir:M?layout=x", "maildir:M?lock=none"};
	struct mail m = {0};

	(void)state;
	make_maildir("M");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(mail_new(&m, bad[i]), -1);
		assert_int_equal(m.w.err.cause, ZS_USAGE);
		m.w.source = NULL;
		mail_close(&m);
	}
	m.stops = 1;
	mail_open(&m, "maildir:M");
	assert_int_equal(walk_next(&m.w), 1);
	assert_int_equal(walk_next(&m.w), -1);
	assert_int_equal(m.w.err.cause, ZS_STOPPED);
	mail_close(&m);
}

/* ------------------------------------------------------------- while it is being read */

/* Between listing and giving: every message is given under the name that it was listed with. */
static void test_moves_before_stat(void **state)
{
	struct mail m = {0};

	(void)state;
	make_maildir("M");
	make_maildir("M/.Arch");
	put_message("M/cur/1.flags:2,");
	put_message("M/cur/2.gone:2,");
	put_message("M/cur/3.moved:2,S");
	put_message("M/cur/4.stays:2,S");
	put_message("M/new/5.seen");
	put_message("M/.Arch/cur/6.early:2,");
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/.Arch/cur/6.early:2,"); /* by now all lists are there */
	assert_int_equal(rename("M/cur/1.flags:2,", "M/cur/1.flags:2,RSa"), 0);
	assert_int_equal(unlink("M/cur/2.gone:2,"), 0);
	assert_int_equal(rename("M/cur/3.moved:2,S", "M/.Arch/cur/77.other:2,S"), 0); /* into one that was given */
	assert_int_equal(rename("M/new/5.seen", "M/cur/5.seen:2,S"), 0);
	put_message("M/cur/8.later:2,");
	walk_to(&m.w, "mail/cur/1.flags:2,");
	check_item(&m, "INBOX [] #");
	check_content(&m, "1.flags:2,");
	assert_int_equal(walk_next(&m.w), 1);
	assert_true(at(&m.w, "mail/cur/3.moved:2,S"));
	check_content(&m, "3.moved:2,S");
	assert_int_equal(walk_next(&m.w), 1);
	assert_true(at(&m.w, "mail/cur/4.stays:2,S"));
	walk_to(&m.w, "mail/new/5.seen");
	check_item(&m, "INBOX [] #");
	check_content(&m, "5.seen");
	while (walk_next(&m.w) > 0)
		assert_false(at(&m.w, "mail/cur/8.later:2,"));
	assert_int_equal(m.w.problems.n, 0);
	assert_int_equal(count_of(&m, "renamed_meanwhile"), 3);
	assert_int_equal(count_of(&m, "deleted_meanwhile"), 1);
	mail_close(&m);
}

/* Between giving and reading. */
static void test_moves_before_open(void **state)
{
	struct zs_source_reader *r;
	struct mail m = {0};

	(void)state;
	make_maildir("M");
	make_maildir("M/.Arch");
	put_message("M/cur/1.flags:2,");
	put_message("M/cur/2.gone:2,");
	put_message("M/cur/3.moved:2,");
	put_message("M/cur/4.twice:2,");
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/cur/1.flags:2,");
	assert_int_equal(rename("M/cur/1.flags:2,", "M/cur/1.flags:2,S"), 0);
	check_item(&m, "INBOX [] #"); /* as it was listed */
	check_content(&m, "1.flags:2,");
	walk_to(&m.w, "mail/cur/2.gone:2,");
	assert_int_equal(unlink("M/cur/2.gone:2,"), 0);
	check_item(&m, "INBOX [] #");
	assert_int_equal(zs_source_open(m.w.item.handle, &r, &m.w.err), -1);
	assert_int_equal(m.w.err.cause, ZS_NOTFOUND);
	zs_err_clear(&m.w.err);
	walk_to(&m.w, "mail/cur/3.moved:2,");
	assert_int_equal(rename("M/cur/3.moved:2,", "M/.Arch/new/99.other"), 0);
	check_content(&m, "3.moved:2,");
	walk_to(&m.w, "mail/cur/4.twice:2,");
	assert_int_equal(rename("M/cur/4.twice:2,", "M/cur/4.twice:2,F"), 0);
	check_item(&m, "INBOX [] #");
	assert_int_equal(rename("M/cur/4.twice:2,F", "M/cur/4.twice:2,FS"), 0);
	check_content(&m, "4.twice:2,");
	assert_int_equal(m.w.problems.n, 0);
	mail_close(&m);
}

/* A rename while it is read is no change; writing is. */
static void test_changes_while_read(void **state)
{
	struct zs_source_reader *r;
	struct mail m = {0};
	uint8_t buf[64];
	uint64_t hole;
	int changed;
	size_t n;

	(void)state;
	make_maildir("M");
	put_message("M/cur/1.a:2,");
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/cur/1.a:2,");
	for (int writes = 0; writes < 2; writes++) {
		assert_int_equal(zs_source_open(m.w.item.handle, &r, &m.w.err), 0);
		assert_int_equal(zs_source_read(r, buf, 10, &n, &hole, &m.w.err), 0);
		if (!writes)
			assert_int_equal(rename("M/cur/1.a:2,", "M/cur/1.a:2,S"), 0);
		else
			put_file("M/cur/1.a:2,S", "something else");
		assert_int_equal(zs_source_close(&r, &changed, &m.w.err), 0);
		assert_int_equal(changed, writes);
	}
	mail_close(&m);
}

/* The folder itself is renamed away: its messages were not deleted, and nobody may think so. */
static void test_folder_renamed(void **state)
{
	struct zs_source_reader *r = NULL;
	struct mail m = {0};

	(void)state;
	make_maildir("M");
	make_maildir("M/.Sub");
	put_message("M/.Sub/cur/1.a:2,");
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/.Sub/cur/1.a:2,");
	assert_int_equal(rename("M/.Sub", "M/.Other"), 0);
	if (zs_source_open(m.w.item.handle, &r, &m.w.err) < 0) {
		assert_int_equal(m.w.err.cause, ZS_SOURCE);
		zs_err_clear(&m.w.err);
	} else {
		int changed;

		assert_int_equal(zs_source_close(&r, &changed, &m.w.err), 0);
	}
	mail_close(&m);
}

/* Files beside messages: one that is replaced, as Dovecot does, is as good; one that is deleted is left out. */
static void test_control_files(void **state)
{
	struct zs_buf got = ZS_BUF_INIT;
	struct mail m = {0};
	uint64_t holes;
	int changed;

	(void)state;
	make_maildir("M");
	put_file("M/dovecot-uidlist", "old");
	put_file("M/subscriptions", "x");
	mail_open(&m, "maildir:M");
	walk_to(&m.w, "mail/dovecot-uidlist");
	put_file("M/fresh", "new");
	assert_int_equal(rename("M/fresh", "M/dovecot-uidlist"), 0);
	assert_int_equal(read_all(m.w.item.handle, &got, &holes, &changed, &m.w.err), 0);
	assert_true(zs_span_eq(zs_buf_span(&got), zs_span_str("new")));
	assert_false(changed);
	walk_to(&m.w, "mail/subscriptions");
	assert_int_equal(unlink("M/subscriptions"), 0);
	assert_int_equal(read_all(m.w.item.handle, &got, &holes, &changed, &m.w.err), -1);
	assert_int_equal(m.w.err.cause, ZS_NOTFOUND);
	zs_buf_fini(&got);
	mail_close(&m);
}

/* Two files of one name but for the flags are two files as long as both are there. */
static void test_two_of_one_base(void **state)
{
	(void)state;
	make_maildir("M");
	put_message("M/cur/1.a:2,");
	put_message("M/cur/1.a:2,S");
	put_message("M/new/1.a");
	check_all("maildir:M", "mail\nmail/cur\nmail/cur/1.a:2,\nmail/cur/1.a:2,S\nmail/new\nmail/new/1.a\nmail/tmp\n");
}

/* ------------------------------------------------------------------------- identity */

static uint64_t identity_of(const char *path, struct mail *m)
{
	mail_open(m, "maildir:M");
	walk_to(&m->w, path);
	return m->w.item.entry.identity;
}

/* A keyword that gets another name moves the identity of its messages, but their content is known. */
static void test_keyword_renamed(void **state)
{
	const struct timespec wait = {.tv_sec = 2, .tv_nsec = 200000000};
	struct zs_buf storage = ZS_BUF_INIT;
	struct zs_entry old;
	struct mail m = {0};
	uint64_t plain;

	(void)state;
	make_maildir("M");
	put_message("M/cur/1.a:2,a");
	put_message("M/cur/2.b:2,S");
	put_file("M/dovecot-keywords", "0 one\n");
	(void)nanosleep(&wait, NULL); /* what changed just now has no identity */
	old.identity = identity_of("mail/cur/1.a:2,a", &m);
	assert_int_equal(zs_source_fill(m.w.item.handle, &m.w.item.entry, &storage, &m.w.err), 0);
	old = m.w.item.entry;
	walk_to(&m.w, "mail/cur/2.b:2,S");
	plain = m.w.item.entry.identity;
	assert_true(old.identity && plain);
	mail_close(&m);

	assert_int_equal(identity_of("mail/cur/1.a:2,a", &m), old.identity);
	mail_close(&m);
	put_file("M/dovecot-keywords", "0 two\n");
	assert_int_not_equal(identity_of("mail/cur/1.a:2,a", &m), old.identity);
	assert_true(zs_source_same_content(m.w.item.handle, &old));
	check_item(&m, "INBOX [] #two");
	walk_to(&m.w, "mail/cur/2.b:2,S");
	assert_int_equal(m.w.item.entry.identity, plain);
	assert_false(zs_source_same_content(m.w.item.handle, &old));
	mail_close(&m);
	put_message("M/cur/1.a:2,a"); /* written again: read again */
	(void)identity_of("mail/cur/1.a:2,a", &m);
	assert_false(zs_source_same_content(m.w.item.handle, &old));
	mail_close(&m);
	zs_buf_fini(&storage);
}

/* More names than stay in memory. */
static void test_large(void **state)
{
	struct mail m = {0};
	size_t n = 0;
	char name[64];
	int rc;

	(void)state;
	make_maildir("M");
	for (int i = 0; i < 60000; i++) {
		(void)snprintf(name, sizeof name, "M/%s/%d.M%dP12345.a-long-host-name.example.org%s", i % 5 ? "cur" : "new", 1700000000 + i, i,
		    i % 5 ? ":2,S" : "");
		assert_int_equal(close(open(name, O_WRONLY | O_CREAT, 0600)), 0);
	}
	mail_open(&m, "maildir:M");
	while ((rc = walk_next(&m.w)) > 0)
		n++;
	assert_int_equal(rc, 0);
	assert_int_equal(n, 60004);
	assert_int_equal(count_of(&m, "messages"), 60000);
	mail_close(&m);
}

/* Where messages were moving while the lists were read, each is given once, also one that had two names on its way. */
static void test_given_once(void **state)
{
	static const struct { uint64_t ino; unsigned links; int is_given; } steps[] = {
		{7, 1, 1}, {7, 1, 0}, {8, 2, 1}, {8, 1, 0}, {9, 1, 1}, {9, 2, 0}, {10, 2, 1}, {10, 2, 1}, {10, 1, 0},
	};
	struct maildir_account a = {.is_restless = 1}, still = {0};
	struct zs_err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		const struct stat st = {.st_ino = steps[i].ino, .st_nlink = steps[i].links};

		assert_int_equal(maildir_account_give(&a, &st, &err), steps[i].is_given);
		assert_int_equal(maildir_account_give(&still, &st, &err), 1);
	}
	for (uint64_t round = 0; round < 2; round++)
		for (uint64_t ino = 100; ino < 5100; ino++) {
			const struct stat st = {.st_ino = ino, .st_nlink = 1};

			assert_int_equal(maildir_account_give(&a, &st, &err), round == 0);
		}
	free(a.given);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, util_setup, util_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_one), TEST(test_many), TEST(test_layout_fs), TEST(test_incomplete), TEST(test_none), TEST(test_options),
		TEST(test_moves_before_stat), TEST(test_moves_before_open), TEST(test_changes_while_read), TEST(test_folder_renamed),
		TEST(test_control_files), TEST(test_two_of_one_base), TEST(test_keyword_renamed), TEST(test_given_once), TEST(test_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

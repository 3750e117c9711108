/* The IMAP source against a server that does everything wrong: what is read, what is named, what ends it. */
#include "imap_server.h"

#include "../../../src/source/imap_fetch_private.h"

#define ITEMS 600

struct item { char *path; struct zs_entry entry; struct zs_source_handle *handle; };
struct run {
	struct server server;
	struct zs_url url;
	struct zs_source_settings settings;
	struct zs_source *source;
	pthread_mutex_t lock;
	unsigned problems, notes[3];
	char problem_path[512], problem[512], note[3][700]; /* the last ones */
	atomic_int stop;
	struct item items[ITEMS];
	size_t n;
	struct zs_err err;
};

static void on_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	struct run *t = ctx;

	(void)pthread_mutex_lock(&t->lock);
	t->problems++;
	(void)snprintf(t->problem_path, sizeof t->problem_path, "%.*s", (int)path.n, (const char *)path.p);
	(void)snprintf(t->problem, sizeof t->problem, "%s", err->text);
	(void)pthread_mutex_unlock(&t->lock);
}

static void on_note(void *ctx, enum zs_note_level level, const char *text)
{
	struct run *t = ctx;

	(void)pthread_mutex_lock(&t->lock);
	t->notes[level]++;
	(void)snprintf(t->note[level], sizeof t->note[level], "%s", text);
	for (const char *p = text; *p; p++)
		assert_true((unsigned char)*p >= ' ');
	(void)pthread_mutex_unlock(&t->lock);
}

static int on_stop(void *ctx)
{
	return ((struct run *)ctx)->stop;
}

static struct run *run_new(void)
{
	struct run *t = calloc(1, sizeof *t);

	assert_non_null(t);
	(void)pthread_mutex_init(&t->lock, NULL);
	t->settings = (struct zs_source_settings){.problem = on_problem, .ctx = t, .tmp_dir = "/tmp", .note = on_note, .note_ctx = t,
	    .stop = on_stop, .stop_ctx = t};
	return t;
}

/* query begins with "&"; 0 or -1 with t->err */
static int run_make(struct run *t, const char *query, const char *password)
{
	struct zs_server_settings server = {.url = &t->url, .root = zs_span_str("imap")};
	char text[512];

	if (!t->server.port)
		server_start(&t->server);
	if (password)
		server.password = zs_span(password, strlen(password));
	(void)snprintf(text, sizeof text, "imap://user@127.0.0.1:%u/?starttls=no&timeout=2%s", t->server.port, query);
	assert_int_equal(zs_url_parse(text, &t->url, &t->err), 0);
	return zs_source_imap_new(&server, &t->settings, &t->source, &t->err);
}

static int run_prepare(struct run *t)
{
	for (int phase = ZS_PHASE_CONNECT; phase <= ZS_PHASE_SETTLE; phase++)
		if (zs_source_prepare(t->source, (enum zs_source_phase)phase, &t->err) < 0)
			return -1;
	return 0;
}

static void run_open(struct run *t, const char *query)
{
	if (run_make(t, query, "secret") < 0 || run_prepare(t) < 0)
		fail_msg("%s", t->err.text);
}

/* All items; their handles are kept, so that all are fetched ahead.  What the last next said. */
static int run_list(struct run *t)
{
	struct zs_source_item it;
	int rc;

	for (;;) {
		memset(&it, 0, sizeof it);
		if ((rc = zs_source_next(t->source, &it, &t->err)) <= 0)
			return rc;
		assert_true(t->n < ITEMS);
		assert_true(zs_path_valid(it.path));
		if (t->n > 0)
			assert_true(zs_path_cmp(zs_span_str(t->items[t->n - 1].path), it.path) < 0);
		t->items[t->n].path = strndup((const char *)it.path.p, it.path.n);
		t->items[t->n].entry = it.entry;
		t->items[t->n++].handle = it.handle;
	}
}

static void run_drop(struct run *t)
{
	for (size_t i = 0; i < t->n; i++) {
		zs_source_handle_free(t->items[i].handle);
		free(t->items[i].path);
	}
	t->n = 0;
}

static void run_close(struct run *t)
{
	run_drop(t);
	zs_source_free(t->source);
	t->source = NULL;
	zs_url_fini(&t->url);
}

static void run_free(struct run *t)
{
	run_close(t);
	server_stop(&t->server);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

static struct item *item_at(struct run *t, const char *path)
{
	for (size_t i = 0; i < t->n; i++)
		if (strcmp(t->items[i].path, path) == 0)
			return &t->items[i];
	fail_msg("no item %s", path);
	return NULL;
}

/* Reads it in pieces; 0 and its bytes, or -1 with t->err */
static int item_read(struct run *t, struct item *it, struct zs_buf *out)
{
	struct zs_buf storage = ZS_BUF_INIT;
	struct zs_entry e = it->entry;
	uint64_t holes;
	int changed, rc;

	memset(&t->err, 0, sizeof t->err);
	zs_buf_clear(out);
	assert_int_equal(zs_source_fill(it->handle, &e, &storage, &t->err), 0);
	assert_true(e.flags & ZS_ENTRY_HAS_ITEM);
	zs_buf_fini(&storage);
	rc = read_all(it->handle, out, &holes, &changed, &t->err);
	if (rc == 0)
		assert_int_equal(changed, 0);
	return rc;
}

static void item_is(struct run *t, const char *path, uint32_t uid, size_t size)
{
	struct zs_buf got = ZS_BUF_INIT;

	if (item_read(t, item_at(t, path), &got) < 0)
		fail_msg("%s: %s", path, t->err.text);
	assert_int_equal(got.n, size);
	for (size_t i = 0; i < size; i++)
		if (got.p[i] != (uint8_t)mail_byte(uid, i))
			fail_msg("%s differs at %zu", path, i);
	zs_buf_fini(&got);
}

static void item_fails(struct run *t, const char *path, enum zs_cause cause, const char *why)
{
	struct zs_buf got = ZS_BUF_INIT;

	assert_int_equal(item_read(t, item_at(t, path), &got), -1);
	if (t->err.cause != cause || !strstr(t->err.text, why))
		fail_msg("%s: cause %d: %s", path, t->err.cause, t->err.text);
	zs_buf_fini(&got);
}

/* Every message of the folder from..to, with the sizes of server_box. */
static void items_are(struct run *t, const char *folder, uint32_t from, uint32_t to, size_t size)
{
	char path[300];

	for (uint32_t uid = from; uid <= to; uid++) {
		(void)snprintf(path, sizeof path, "imap/%s/%010u.eml", folder, uid);
		item_is(t, path, uid, size + uid - 1);
	}
}

static void manifest_has(struct run *t, const char *text)
{
	struct zs_buf out = ZS_BUF_INIT;

	assert_int_equal(zs_source_manifest(t->source, &out, &t->err), 0);
	assert_true(zs_manifest_valid(zs_buf_span(&out)));
	assert_int_equal(zs_buf_add_u8(&out, 0, &t->err), 0);
	if (!strstr((char *)out.p, text))
		fail_msg("no %s in %s", text, (char *)out.p);
	zs_buf_fini(&out);
}

static unsigned count_log(struct run *t, const char *text)
{
	unsigned n = 0;

	(void)pthread_mutex_lock(&t->server.lock);
	for (const char *p = t->server.log; (p = strstr(p, text)); p++)
		n++;
	(void)pthread_mutex_unlock(&t->server.lock);
	return n;
}

/* -------------------------------------------------------------------- all is well */

static void test_whole(void **state)
{
	struct run *t = run_new();
	struct zs_entry e;
	struct zs_buf storage = ZS_BUF_INIT;
	struct box *b;

	(void)state;
	b = server_box(&t->server, "INBOX", 40, 300);
	b->v[4].flags = "work \\Seen $Label \\Recent \\Answered";
	b->v[4].date = " 7-Feb-2023 10:11:12 +0100";
	b = server_box(&t->server, "B&APw-ro/Ablage", 3, 100);
	b->attributes = "\\HasNoChildren \\Sent \\Subscribed";
	b = server_box(&t->server, "B&APw-ro", 0, 0);
	b->attributes = "\\Noselect";
	(void)server_box(&t->server, "Empty", 0, 0);
	run_open(t, "");
	assert_int_equal(t->notes[ZS_NOTE_INFO], 4); /* the server, three folders */
	assert_int_equal(run_list(t), 0);
	assert_int_equal(t->n, 1 + 4 + 43);
	assert_string_equal(t->items[0].path, "imap");
	assert_int_equal(item_at(t, "imap/B\xc3\xbcro")->entry.kind, ZS_ENTRY_DIR);
	assert_int_equal(item_at(t, "imap/Empty")->entry.mode, 0700);
	items_are(t, "INBOX", 1, 40, 300);
	items_are(t, "B\xc3\xbcro/Ablage", 1, 3, 100);
	e = item_at(t, "imap/INBOX/0000000005.eml")->entry;
	assert_int_equal(e.kind, ZS_ENTRY_FILE);
	assert_int_equal(e.mode, 0600);
	assert_int_equal(e.size, 304);
	assert_int_equal(e.mtime_ns, 1675761072000000000);
	assert_int_equal(zs_source_fill(item_at(t, "imap/INBOX/0000000005.eml")->handle, &e, &storage, &t->err), 0);
	assert_int_equal(e.item_id, 5);
	assert_int_equal(e.item_date_ns, 1675761072000000000);
	assert_true(zs_span_eq(e.item_folder, zs_span_str("INBOX")));
	assert_true(zs_span_eq(e.item_flags, zs_span("answered\0seen", 13)));
	assert_true(zs_span_eq(e.item_tags, zs_span("$Label\0work", 11)));
	assert_int_equal(t->problems, 0);
	assert_int_equal(t->notes[ZS_NOTE_LACK], 0);
	/* nothing that would change the server */
	assert_int_equal(count_log(t, "SELECT"), 0);
	assert_int_equal(count_log(t, "BODY[]"), 0);
	assert_int_equal(count_log(t, "STORE"), 0);
	assert_int_equal(count_log(t, "BODY.PEEK[]"), 43);
	manifest_has(t, "\"fetched\":43,");
	manifest_has(t, "\"special_use\":\"\\\\Sent\",\"subscribed\":true");
	manifest_has(t, "\"id\":{\"name\":\"Fake\",\"version\":\"\"}");
	zs_buf_fini(&storage);
	run_free(t);
}

/* Read one after the other, nothing fetched ahead; many folders; one connection. */
static void test_one_by_one(void **state)
{
	struct run *t = run_new();
	static const char *const names[] = {"a", "b", "c", "c/d", "c/0000000002.eml", "e"};
	struct zs_source_item it;
	unsigned n = 0;
	int rc;

	(void)state;
	for (size_t i = 0; i < 6; i++)
		(void)server_box(&t->server, names[i], 20, 1000 * i + 80);
	run_open(t, "&connections=1");
	while ((rc = zs_source_next(t->source, &it, &t->err)) > 0) {
		struct item one = {NULL, it.entry, it.handle};
		struct zs_buf got = ZS_BUF_INIT;

		if (!it.handle)
			continue;
		assert_int_equal(item_read(t, &one, &got), 0);
		assert_int_equal(got.n, it.entry.size);
		zs_buf_fini(&got);
		zs_source_handle_free(it.handle);
		n++;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(n, 120);
	assert_int_equal(t->server.connections, 1); /* that of the listing */
	run_free(t);
}

struct parallel { struct run *t; unsigned first, step, size; };
static void *read_some(void *arg)
{
	struct parallel *p = arg;
	size_t at = 0;

	for (size_t i = 0; i < p->t->n; i++) {
		struct zs_source_reader *r;
		struct zs_err err = {0};
		uint8_t part[5000];
		uint64_t hole;
		size_t n, total = 0;
		int changed;

		if (!p->t->items[i].handle || at++ % p->step != p->first)
			continue;
		assert_int_equal(zs_source_open(p->t->items[i].handle, &r, &err), 0);
		do {
			assert_int_equal(zs_source_read(r, part, sizeof part, &n, &hole, &err), 0);
			total += n;
		} while (n > 0);
		assert_int_equal(zs_source_close(&r, &changed, &err), 0);
		assert_int_equal(total, p->t->items[i].entry.size);
	}
	return NULL;
}

/* Several readers, several connections, more than what may wait in memory. */
static void test_parallel(void **state)
{
	struct run *t = run_new();
	struct parallel p[4];
	pthread_t threads[4];

	(void)state;
	(void)server_box(&t->server, "INBOX", 200, 120000);
	(void)server_box(&t->server, "Other", 200, 5000);
	run_open(t, "&connections=3");
	assert_int_equal(run_list(t), 0);
	for (unsigned i = 0; i < 4; i++) {
		p[i] = (struct parallel){t, i, 4, 0};
		assert_int_equal(pthread_create(&threads[i], NULL, read_some, &p[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(t->server.connections, 3);
	manifest_has(t, "\"fetched\":400,");
	run_free(t);
}

/* Read from the last to the first, while far less fits into memory: nothing locks up. */
static void test_backwards(void **state)
{
	struct run *t = run_new();
	struct imap_fetch *e;
	char path[64];

	(void)state;
	(void)server_box(&t->server, "INBOX", 60, 50000);
	run_open(t, "");
	assert_int_equal(zs_source_next(t->source, &(struct zs_source_item){0}, &t->err), 1);
	assert_int_equal(zs_source_next(t->source, &(struct zs_source_item){0}, &t->err), 1);
	assert_int_equal(run_list(t), 0);
	e = ((struct imap_body *)t->items[0].handle)->fetch;
	(void)pthread_mutex_lock(&e->lock);
	e->held_max = 200000;
	e->starving_ns = 50000000;
	(void)pthread_mutex_unlock(&e->lock);
	for (unsigned uid = 60; uid >= 1; uid--) {
		(void)snprintf(path, sizeof path, "imap/INBOX/%010u.eml", uid);
		item_is(t, path, uid, 50000 + uid - 1);
	}
	run_free(t);
}

/* Handles that nobody reads are no trouble, whether fetched, on their way or not begun. */
static void test_not_read(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "INBOX", 300, 90000);
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	item_is(t, "imap/INBOX/0000000007.eml", 7, 90006);
	run_drop(t);
	run_free(t);
}

/* Half read, then given up. */
static void test_half_read(void **state)
{
	struct run *t = run_new();
	struct zs_source_reader *r;
	uint8_t part[100];
	uint64_t hole;
	size_t n;
	int changed;

	(void)state;
	(void)server_box(&t->server, "INBOX", 3, 12000000);
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	assert_int_equal(zs_source_open(item_at(t, "imap/INBOX/0000000001.eml")->handle, &r, &t->err), 0);
	assert_int_equal(zs_source_read(r, part, sizeof part, &n, &hole, &t->err), 0);
	assert_true(n > 0);
	assert_int_equal(zs_source_close(&r, &changed, &t->err), 0);
	zs_source_handle_free(item_at(t, "imap/INBOX/0000000001.eml")->handle);
	item_at(t, "imap/INBOX/0000000001.eml")->handle = NULL;
	item_is(t, "imap/INBOX/0000000003.eml", 3, 12000002);
	item_is(t, "imap/INBOX/0000000002.eml", 2, 12000001);
	run_free(t);
}

/* An old server: no extension at all, not even ID. */
static void test_old_server(void **state)
{
	struct run *t = run_new();

	(void)state;
	t->server.capabilities = "IMAP4rev1 AUTH=PLAIN";
	for (int i = 0; i < 5; i++) {
		static const char *const names[] = {"INBOX", "b", "c", "d", "e"};

		(void)server_box(&t->server, names[i], 4, 100);
	}
	t->server.box[2].attributes = "\\Noselect";
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 4, 100);
	items_are(t, "e", 1, 4, 100);
	assert_int_equal(count_log(t, "ID ("), 0);
	assert_int_equal(count_log(t, "STATUS"), 2 * 4);
	assert_int_equal(t->problems, 0);
	run_free(t);
}

/* ----------------------------------------------------------------------- identity */

static uint64_t identity_of(struct run *t, const char *path)
{
	return item_at(t, path)->entry.identity;
}

static void again(struct run *t, const char *query)
{
	run_close(t);
	run_open(t, query);
	assert_int_equal(run_list(t), 0);
}

#define LOCKED(t, statement) do { (void)pthread_mutex_lock(&t->server.lock); statement (void)pthread_mutex_unlock(&t->server.lock); } while (0);

static void test_identity(void **state)
{
	struct run *t = run_new();
	struct zs_entry old;
	struct box *b;
	static const char path[] = "imap/INBOX/0000000002.eml";
	struct zs_buf storage = ZS_BUF_INIT;
	uint64_t first, flagged, other;

	(void)state;
	b = server_box(&t->server, "INBOX", 3, 100);
	b->v[1].flags = "\\Seen work";
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	first = identity_of(t, path);
	assert_int_not_equal(first, 0);
	assert_int_not_equal(first, identity_of(t, "imap/INBOX/0000000003.eml"));
	old = item_at(t, path)->entry;
	assert_int_equal(zs_source_fill(item_at(t, path)->handle, &old, &storage, &t->err), 0);
	old.item_folder = old.item_flags = old.item_tags = zs_span(NULL, 0);
	LOCKED(t, b->v[1].flags = "work \\Recent \\Seen";) /* the same */
	again(t, "");
	assert_int_equal(identity_of(t, path), first);
	LOCKED(t, b->v[1].flags = "work \\Seen \\Flagged";) /* something that can change */
	again(t, "");
	flagged = identity_of(t, path);
	assert_int_not_equal(flagged, first);
	assert_int_equal(zs_source_same_content(item_at(t, path)->handle, &old), 1);
	old.item_id = 3;
	assert_int_equal(zs_source_same_content(item_at(t, path)->handle, &old), 0);
	old.item_id = 2;
	old.item_date_ns++;
	assert_int_equal(zs_source_same_content(item_at(t, path)->handle, &old), 0);
	old.item_date_ns--;
	old.identity = 0; /* it was not stable */
	assert_int_equal(zs_source_same_content(item_at(t, path)->handle, &old), 0);
	old.identity = first;
	LOCKED(t, b->uidvalidity++;) /* other messages */
	again(t, "");
	assert_int_equal(zs_source_same_content(item_at(t, path)->handle, &old), 0);
	LOCKED(t, b->uidvalidity--;)
	again(t, "&master=boss"); /* the same user's, however it logs in */
	assert_int_equal(identity_of(t, path), flagged);
	LOCKED(t, b->name = "Other";) /* another folder */
	again(t, "");
	other = identity_of(t, "imap/Other/0000000002.eml");
	assert_int_not_equal(other >> 32, first >> 32);
	LOCKED(t, b->uidvalidity = 0;)
	again(t, "");
	assert_int_equal(identity_of(t, "imap/Other/0000000002.eml"), 0);
	assert_int_equal(t->notes[ZS_NOTE_WARNING] > 0, 1);
	items_are(t, "Other", 1, 3, 100);
	zs_buf_fini(&storage);
	run_free(t);
}

/* What is said to be the same is not fetched ahead; if it is read all the same, it comes. */
static void test_same_is_not_fetched(void **state)
{
	struct run *t = run_new();
	struct zs_source_item it = {0};
	struct zs_entry old;
	struct zs_buf storage = ZS_BUF_INIT, got = ZS_BUF_INIT;
	struct item one;

	(void)state;
	(void)server_box(&t->server, "INBOX", 2, 100);
	run_open(t, "");
	for (int i = 0; i < 3; i++)
		assert_int_equal(zs_source_next(t->source, &it, &t->err), 1);
	old = it.entry;
	assert_int_equal(zs_source_fill(it.handle, &old, &storage, &t->err), 0);
	assert_int_equal(zs_source_same_content(it.handle, &old), 1);
	one = (struct item){NULL, it.entry, it.handle};
	assert_int_equal(zs_source_next(t->source, &it, &t->err), 1);
	zs_source_handle_free(it.handle); /* taken over from the old tree */
	assert_int_equal(zs_source_next(t->source, &it, &t->err), 0);
	assert_int_equal(count_log(t, "BODY.PEEK"), 0);
	assert_int_equal(item_read(t, &one, &got), 0);
	assert_int_equal(got.n, 100);
	assert_int_equal(count_log(t, "BODY.PEEK"), 1);
	zs_source_handle_free(one.handle);
	zs_buf_fini(&storage);
	zs_buf_fini(&got);
	run_free(t);
}

/* -------------------------------------------------------------------------- names */

static void test_names(void **state)
{
	static const struct { const char *name, *delimiter, *path; } t_names[] = {{"a/b", "\".\"", "imap/a%2Fb"}, {"x.y", "\".\"", "imap/x/y"},
	    {"x/y", "\"/\"", "imap/x/y%+"}, {"..", "NIL", "imap/%2E%2E"}, {"&AAEAGw-", "\"/\"", "imap/%01%1B"},
	    {"line\nend", "\"/\"", "imap/line%0Aend"}, {"a \"quoted\\name", "\"/\"", "imap/a \"quoted\\name"}, {"dir/", "\"/\"", "imap/dir"},
	    {"0000000001.eml", "\"/\"", "imap/%30000000001.eml"}, {"same", "\"/\"", "imap/same"}, {"same", "\"/\"", NULL}};
	struct run *t = run_new();
	size_t dirs = 0;

	(void)state;
	for (size_t i = 0; i < sizeof t_names / sizeof *t_names; i++)
		server_box(&t->server, t_names[i].name, 1, 100 + i)->delimiter = t_names[i].delimiter;
	t->server.box[7].attributes = "\\Noselect";
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	for (size_t i = 0; i < sizeof t_names / sizeof *t_names && t_names[i].path; i++) {
		int found = 0;

		for (size_t k = 0; k < t->n; k++)
			found += t->items[k].entry.kind == ZS_ENTRY_DIR && strncmp(t->items[k].path, t_names[i].path, strlen(t_names[i].path)) == 0;
		if (!found)
			fail_msg("no %s", t_names[i].path);
	}
	for (size_t k = 0; k < t->n; k++)
		dirs += t->items[k].entry.kind == ZS_ENTRY_DIR;
	assert_int_equal(dirs, 1 + 10 + 1); /* and "x" */
	assert_int_equal(t->problems, 0);
	item_is(t, "imap/line%0Aend/0000000001.eml", 1, 105);
	item_is(t, "imap/a \"quoted\\name/0000000001.eml", 1, 106);
	item_is(t, "imap/x/y/0000000001.eml", 1, 101);
	run_free(t);
}

static void test_name_without_literal(void **state)
{
	struct run *t = run_new();

	(void)state;
	t->server.capabilities = "IMAP4rev1 AUTH=PLAIN LIST-EXTENDED LIST-STATUS";
	(void)server_box(&t->server, "line\nend", 2, 100);
	(void)server_box(&t->server, "fine", 2, 100);
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	assert_int_equal(t->problems, 1);
	assert_string_equal(t->problem_path, "imap/line%0Aend");
	items_are(t, "fine", 1, 2, 100);
	run_free(t);
}

/* -------------------------------------------------------------------- bad manners */

static int is_body(const char *command, uint32_t uid)
{
	char want[64];

	(void)snprintf(want, sizeof want, "UID FETCH %u (UID BODY", uid);
	return strncmp(command, want, strlen(want)) == 0;
}

/* hook_state: 0 the UID, 1 how many times, 2 after how many bytes */
static int hook_cut(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;
	struct mail *m;

	(void)tag;
	if (!is_body(command, (uint32_t)v->hook_state[0]) || v->hook_state[1] == 0)
		return 0;
	v->hook_state[1]--;
	m = find_mail(s->open, (uint32_t)v->hook_state[0]);
	say(s, "* 1 FETCH (UID %u BODY[] {%zu}\r\n", m->uid, m->size);
	send_body(s, m, 0, (size_t)v->hook_state[2]);
	return -1;
}

static void cut_at(size_t size, int bytes)
{
	struct run *t = run_new();

	(void)server_box(&t->server, "INBOX", 50, size);
	t->server.hook = hook_cut;
	t->server.hook_state[0] = 20;
	t->server.hook_state[1] = 1;
	t->server.hook_state[2] = bytes;
	run_open(t, "&connections=1");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 50, size);
	manifest_has(t, "\"reconnects\":1}");
	manifest_has(t, "\"fetched\":50,");
	run_free(t);
}

static void test_cut_once(void **state)
{
	(void)state;
	cut_at(500, 0);
	cut_at(500, 519);
	cut_at(200000, 10);
	cut_at(200000, 65536);
	cut_at(200000, 131072);
	cut_at(200000, 200019);
	cut_at(12000000, 11000000); /* more than waits in memory: its reader has had some of it */
}

static void test_cut_always(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "INBOX", 50, 100000);
	t->server.hook = hook_cut;
	t->server.hook_state[0] = 20;
	t->server.hook_state[1] = 1000;
	t->server.hook_state[2] = 99999;
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 19, 100000);
	item_fails(t, "imap/INBOX/0000000020.eml", ZS_SOURCE, "the connection was lost three times");
	items_are(t, "INBOX", 21, 50, 100000);
	run_free(t);
}

/* After the loss it is another message. */
static int hook_other(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;
	int rc = hook_cut(s, tag, command);
	struct mail *m = find_mail(s->open, (uint32_t)v->hook_state[0]);

	if (rc == 0 && is_body(command, (uint32_t)v->hook_state[0])) {
		say(s, "* 1 FETCH (UID %u BODY[] {%zu}\r\n", m->uid, m->size + (size_t)v->hook_state[3]);
		for (size_t i = 0; i < m->size + (size_t)v->hook_state[3]; i++)
			send_bytes(s, "x", 1);
		say(s, ")\r\n%s OK\r\n", tag);
		return 1;
	}
	return rc;
}

static void test_cut_then_other(void **state)
{
	(void)state;
	for (int longer = 0; longer < 2; longer++) {
		struct run *t = run_new();

		(void)server_box(&t->server, "INBOX", 30, 150000);
		t->server.hook = hook_other;
		t->server.hook_state[0] = 20;
		t->server.hook_state[1] = 1;
		t->server.hook_state[2] = 140000;
		t->server.hook_state[3] = longer;
		run_open(t, "");
		assert_int_equal(run_list(t), 0);
		items_are(t, "INBOX", 1, 19, 150000);
		item_fails(t, "imap/INBOX/0000000020.eml", ZS_SOURCE, "another content");
		items_are(t, "INBOX", 21, 30, 150000);
		run_free(t);
	}
}

/* hook_state 0: the UID; 1: how many times; 2: which answer */
static int hook_say(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;
	uint32_t uid = (uint32_t)v->hook_state[0];

	if (!is_body(command, uid) || v->hook_state[1] == 0)
		return 0;
	v->hook_state[1]--;
	switch (v->hook_state[2]) {
	case 0: /* garbage */
		say(s, "* 1 FETCH (UID %u BODY[] {3}\r\nabcdef)\r\n%s OK\r\n", uid, tag);
		return 1;
	case 1:
		say(s, "* BYE out of my sight\r\n");
		return -1;
	case 2:
		say(s, "%s NO [SERVERBUG] internal error\r\n", tag);
		return 1;
	case 3:
		say(s, "%s BAD what\r\n", tag);
		return 1;
	case 4: /* another one's */
		say(s, "* 1 FETCH (UID %u BODY[] {3}\r\nabc)\r\n%s OK\r\n", uid + 1000, tag);
		return 1;
	case 5: /* UID behind it */
		say(s, "* 1 FETCH (BODY[] {3}\r\nabc UID %u)\r\n%s OK\r\n", uid, tag);
		return 1;
	case 6:
		say(s, "* 1 FETCH (UID %u BODY[] NIL)\r\n%s OK\r\n", uid, tag);
		return 1;
	case 7: /* no UID at all */
		say(s, "* 1 FETCH (BODY[] {3}\r\nabc)\r\n%s OK\r\n", tag);
		return 1;
	case 8: /* twice */
		say(s, "* 1 FETCH (UID %u BODY[] {3}\r\nabc)\r\n* 1 FETCH (UID %u BODY[] {3}\r\nabc)\r\n%s OK\r\n", uid, uid, tag);
		return 1;
	case 9:
		say(s, "Z999999 OK\r\n");
		return 1;
	case 10: /* quoted, and news in between */
		say(s, "* 77 EXISTS\r\n* 3 FETCH (FLAGS (\\Seen))\r\n* 1 FETCH (UID %u BODY[] \"abc\")\r\n* X what {2}\r\n()\r\n%s OK\r\n", uid, tag);
		return 1;
	case 11: /* empty */
		say(s, "* 1 FETCH (UID %u BODY[] {0}\r\n)\r\n%s OK\r\n", uid, tag);
		return 1;
	case 13: /* nothing, though it is there */
		say(s, "%s OK\r\n", tag);
		return 1;
	default: /* silence */
		return 1;
	}
}

struct manners { int answer; int times; const char *why; size_t size; }; /* why NULL: it is read, with that size */

static void test_manners(void **state)
{
	static const struct manners cases[] = {{0, 1, NULL, 109}, {0, 9, "makes no sense", 0}, {1, 1, NULL, 109}, {1, 9, "ended the connection: out of my sight", 0},
	    {2, 9, "internal error", 0}, {3, 9, "what", 0}, {4, 1, NULL, 109}, {4, 9, "makes no sense", 0}, {5, 9, NULL, 3}, {7, 9, "makes no sense", 0},
	    {8, 1, NULL, 3}, {9, 1, NULL, 109}, {10, 9, NULL, 3}, {11, 9, NULL, 0}, {13, 9, "does not give it", 0}, {12, 1, NULL, 109}, {12, 9, "did not answer for 2 seconds", 0}};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct run *t = run_new();
		struct zs_buf got = ZS_BUF_INIT;

		(void)server_box(&t->server, "INBOX", 20, 100);
		t->server.hook = hook_say;
		t->server.hook_state[0] = 10;
		t->server.hook_state[1] = cases[i].times;
		t->server.hook_state[2] = cases[i].answer;
		run_open(t, "&connections=1");
		assert_int_equal(run_list(t), 0);
		items_are(t, "INBOX", 1, 9, 100);
		if (cases[i].why) {
			item_fails(t, "imap/INBOX/0000000010.eml", ZS_SOURCE, cases[i].why);
		} else {
			if (item_read(t, item_at(t, "imap/INBOX/0000000010.eml"), &got) < 0)
				fail_msg("answer %d: %s", cases[i].answer, t->err.text);
			assert_int_equal(got.n, cases[i].size);
		}
		items_are(t, "INBOX", 11, 20, 100);
		assert_int_equal(zs_source_next(t->source, &(struct zs_source_item){0}, &t->err), 0);
		zs_buf_fini(&got);
		run_free(t);
	}
}

/* No body at all though it is listed, in every listing: it is not there. */
static void test_nil(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "INBOX", 20, 100);
	t->server.hook = hook_say;
	t->server.hook_state[0] = 10;
	t->server.hook_state[1] = 100;
	t->server.hook_state[2] = 6;
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 9, 100);
	item_fails(t, "imap/INBOX/0000000010.eml", ZS_SOURCE, "gives no content");
	items_are(t, "INBOX", 11, 20, 100);
	run_free(t);
}

/* The server is gone for good: each item says so, then the source. */
static int hook_gone(struct session *s, const char *tag, const char *command)
{
	(void)tag;
	return strncmp(command, "UID FETCH 5 ", 12) == 0 || s->number > 2 ? -1 : 0;
}

static void test_server_gone(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "INBOX", 50, 100);
	run_open(t, "");
	t->server.hook = hook_gone;
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 4, 100);
	for (int i = 6; i < 50; i++) {
		char path[64];

		(void)snprintf(path, sizeof path, "imap/INBOX/%010u.eml", i);
		item_fails(t, path, ZS_SOURCE, "");
	}
	assert_int_equal(zs_source_next(t->source, &(struct zs_source_item){0}, &t->err), -1);
	assert_int_equal(t->err.cause, ZS_SOURCE);
	run_free(t);
}

/* A second connection is refused: one does it all. */
static int hook_limit(struct session *s, const char *tag, const char *command)
{
	if (strncmp(command, "AUTHENTICATE", 12) != 0 || s->number < 2)
		return 0;
	say(s, "%s NO [LIMIT] too many connections\r\n", tag);
	return 1;
}

static void test_connections_refused(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "INBOX", 400, 3000);
	t->server.hook = hook_limit;
	run_open(t, "&connections=4");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 400, 3000);
	manifest_has(t, "\"reconnects\":0}");
	run_free(t);
}

/* Sizes that are not true: what came is kept, and it is said. */
static void test_lies(void **state)
{
	struct run *t = run_new();
	struct box *b;

	(void)state;
	b = server_box(&t->server, "INBOX", 30, 100);
	for (int i = 0; i < 20; i++)
		b->v[i].announced = 5;
	b->v[20].announced = 4000000000;
	run_open(t, "");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 30, 100);
	assert_int_equal(t->problems, 0);
	assert_int_equal(t->notes[ZS_NOTE_WARNING], 11); /* starttls=no, ten of them */
	assert_non_null(strstr(t->note[ZS_NOTE_WARNING], "the server spoke of"));
	manifest_has(t, "\"other_size\":21,");
	assert_int_equal(t->notes[ZS_NOTE_WARNING], 12);
	run_free(t);
}

/* ------------------------------------------------------------ it changes meanwhile */

static void change(struct run *t, void (*how)(struct server *v))
{
	(void)pthread_mutex_lock(&t->server.lock);
	how(&t->server);
	(void)pthread_mutex_unlock(&t->server.lock);
}

static void move_and_delete(struct server *v)
{
	server_move(&v->box[0], 3, &v->box[1]);
	server_move(&v->box[1], 2, &v->box[0]); /* to a folder that comes earlier */
	find_mail(&v->box[0], 5)->is_gone = 1;
	v->box[1].v[v->box[1].n++] = (struct mail){.uid = v->box[1].uidnext++, .size = 500}; /* somebody's new one */
}

static void test_moved(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	(void)server_box(&t->server, "B", 10, 200);
	run_open(t, "");
	change(t, move_and_delete);
	assert_int_equal(run_list(t), 0);
	items_are(t, "A", 1, 4, 100); /* as they were listed */
	item_fails(t, "imap/A/0000000005.eml", ZS_NOTFOUND, "deleted");
	items_are(t, "A", 6, 10, 100);
	items_are(t, "B", 1, 10, 200);
	manifest_has(t, "\"deleted_meanwhile\":1,\"moved_meanwhile\":2,");
	assert_int_equal(t->problems, 0);
	assert_non_null(strstr(t->note[ZS_NOTE_INFO], "1 messages were deleted"));
	run_free(t);
}

static void rename_folder(struct server *v)
{
	v->box[0].name = "Z";
	v->box[0].uidvalidity += 100;
	v->box[1].is_gone = 1;
}

static void test_folder_renamed(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	(void)server_box(&t->server, "B", 2, 5000);
	(void)server_box(&t->server, "C", 2, 7000);
	run_open(t, "");
	change(t, rename_folder);
	assert_int_equal(run_list(t), 0);
	items_are(t, "A", 1, 10, 100);
	item_fails(t, "imap/B/0000000001.eml", ZS_NOTFOUND, "deleted");
	items_are(t, "C", 1, 2, 7000);
	run_free(t);
}

static void renumber(struct server *v)
{
	struct box *b = &v->box[0];

	b->uidvalidity++;
	for (size_t i = 0; i < b->n; i++) {
		struct mail *m = &b->v[i];

		m->date = mail_date(m, m->text);
		m->body = malloc(m->size);
		for (size_t k = 0; k < m->size; k++)
			m->body[k] = mail_byte(m->uid, k);
		m->uid += 500;
	}
	b->v[7].size--; /* one is not the same any more */
	b->uidnext += 500;
}

static void test_renumbered(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	run_open(t, "");
	change(t, renumber);
	assert_int_equal(run_list(t), 0);
	items_are(t, "A", 1, 7, 100);
	item_fails(t, "imap/A/0000000008.eml", ZS_SOURCE, "made anew or renumbered");
	items_are(t, "A", 9, 10, 100);
	run_free(t);
}

/* Between the first listing and the second: new ones are there, old ones not; no message is lost. */
static void arrive(struct server *v)
{
	struct box *b = &v->box[1];

	b->v[b->n++] = (struct mail){.uid = b->uidnext++, .size = 210};
	find_mail(&v->box[0], 4)->is_gone = 1;
	v->box[2].uidvalidity++;
}

static void test_settle(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	(void)server_box(&t->server, "B", 10, 200);
	(void)server_box(&t->server, "C", 10, 300);
	assert_int_equal(run_make(t, "", "secret"), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_CONNECT, &t->err), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_LIST, &t->err), 0);
	change(t, arrive);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_FREEZE, &t->err), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_SETTLE, &t->err), 0);
	assert_int_equal(run_list(t), 0);
	assert_int_equal(t->n, 1 + 3 + 9 + 11 + 10);
	items_are(t, "B", 1, 11, 200);
	items_are(t, "C", 1, 10, 300);
	assert_int_equal(count_log(t, "UID FETCH 11:*"), 1); /* only what is new */
	manifest_has(t, "\"deleted_meanwhile\":0");
	run_free(t);
}

/* The look itself fails: once is nothing. */
static int hook_no_look(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;

	(void)tag;
	if (strncmp(command, "LIST", 4) != 0 || v->hook_state[0]-- <= 0)
		return 0;
	return -1;
}

static void test_look_fails(void **state)
{
	(void)state;
	for (int times = 1; times <= 2; times++) {
		struct run *t = run_new();

		(void)server_box(&t->server, "A", 10, 100);
		(void)server_box(&t->server, "B", 10, 200);
		run_open(t, "");
		t->server.hook_state[0] = times;
		t->server.hook = hook_no_look;
		change(t, move_and_delete);
		assert_int_equal(run_list(t), 0);
		items_are(t, "A", 1, 2, 100);
		items_are(t, "A", 6, 10, 100);
		if (times == 1) {
			items_are(t, "A", 3, 4, 100);
			item_fails(t, "imap/A/0000000005.eml", ZS_NOTFOUND, "deleted");
		} else {
			item_fails(t, "imap/A/0000000003.eml", ZS_SOURCE, "cannot be looked for");
		}
		run_free(t);
	}
}

/* The connection is lost while what arrived is listed; and more arrives than is remembered. */
static int hook_no_arrivals(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;

	(void)tag;
	if (strncmp(command, "UID FETCH 11:*", 14) != 0 || v->hook_state[0]-- <= 0)
		return 0;
	say(s, "* 1 FETCH (UID 11 FLAGS () INTERNALDATE \"01-Jan-2024 00:00:00 +0000\" RFC822.SIZE 102)\r\n");
	return -1;
}

static void test_look_is_cut(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	(void)server_box(&t->server, "B", 10, 200);
	run_open(t, "");
	t->server.hook_state[0] = 1;
	t->server.hook = hook_no_arrivals;
	change(t, move_and_delete);
	assert_int_equal(run_list(t), 0);
	items_are(t, "A", 1, 4, 100);
	item_fails(t, "imap/A/0000000005.eml", ZS_NOTFOUND, "deleted");
	items_are(t, "B", 1, 10, 200);
	run_free(t);
}

static void test_too_many_arrive(void **state)
{
	struct run *t = run_new();
	struct imap_fetch *e;

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	(void)server_box(&t->server, "B", 10, 200);
	run_open(t, "");
	change(t, move_and_delete);
	for (int i = 0; i < 4; i++) { /* directories, then the first message */
		struct zs_source_item it = {0};

		assert_int_equal(zs_source_next(t->source, &it, &t->err), 1);
		if (!it.handle)
			continue;
		e = ((struct imap_body *)it.handle)->fetch;
		e->late_max = 1;
		zs_source_handle_free(it.handle);
	}
	assert_int_equal(run_list(t), 0);
	item_fails(t, "imap/A/0000000005.eml", ZS_SOURCE, "too many arrived");
	items_are(t, "B", 3, 10, 200);
	run_free(t);
}

/* ------------------------------------------------------------------------- listing */

/* A folder about which the server says nothing in advance; and the connection is lost between the listings. */
static int hook_no_status(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;

	if (strncmp(command, "LIST", 4) != 0)
		return 0;
	if (v->hook_state[0]++ == 1)
		return -1;
	for (size_t i = 0; i < v->boxes; i++) {
		say(s, "* LIST () \"/\" %s\r\n", v->box[i].name);
		if (i != 1)
			say_status(s, &v->box[i]);
	}
	say(s, "%s OK\r\n", tag);
	return 1;
}

static void test_no_status(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	(void)server_box(&t->server, "B", 10, 200);
	t->server.hook = hook_no_status;
	run_open(t, "");
	assert_int_equal(t->notes[ZS_NOTE_LACK], 1);
	assert_non_null(strstr(t->note[ZS_NOTE_LACK], "B: the server does not say what is in this folder"));
	assert_int_equal(t->server.connections, 2);
	assert_int_equal(run_list(t), 0);
	items_are(t, "A", 1, 10, 100);
	items_are(t, "B", 1, 10, 200);
	assert_int_equal(t->problems, 0);
	run_free(t);
}

/* Freed at any time. */
static void test_freed_early(void **state)
{
	(void)state;
	for (int items = 0; items < 5; items++) {
		struct run *t = run_new();

		(void)server_box(&t->server, "A", 10, 100);
		assert_int_equal(run_make(t, "", "secret"), 0);
		for (int i = 0; i < items; i++) {
			struct zs_source_item it = {0};

			if (i == 0)
				assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_CONNECT, &t->err), 0);
			assert_int_equal(zs_source_next(t->source, &it, &t->err), 1);
			zs_source_handle_free(it.handle);
		}
		run_free(t);
	}
}

static int hook_list_cut(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;

	(void)tag;
	if (!strstr(command, ":* (UID FLAGS") || !s->open || strcmp(s->open->name, "B") != 0 || v->hook_state[0]-- <= 0)
		return 0;
	for (unsigned i = 0; i < 5; i++)
		say_mail(s, &s->open->v[i], i + 1);
	say(s, "* 6 FETCH (UID 6 FLA");
	return -1;
}

static void test_listing_cut(void **state)
{
	(void)state;
	for (int times = 1; times <= 2; times++) {
		struct run *t = run_new();

		(void)server_box(&t->server, "A", 10, 100);
		(void)server_box(&t->server, "B", 10, 200);
		(void)server_box(&t->server, "C", 10, 300);
		t->server.hook = hook_list_cut;
		t->server.hook_state[0] = times;
		assert_int_equal(run_make(t, "", "secret"), 0);
		assert_int_equal(run_prepare(t), 0);
		assert_int_equal(run_list(t), 0);
		if (times == 1) {
			assert_int_equal(t->n, 34);
			items_are(t, "B", 1, 10, 200);
		} else {
			assert_int_equal(t->n, 24);
			assert_int_equal(t->problems, 1);
			assert_string_equal(t->problem_path, "imap/B");
			assert_non_null(strstr(t->problem, "the server closed the connection"));
		}
		items_are(t, "A", 1, 10, 100);
		items_are(t, "C", 1, 10, 300);
		run_free(t);
	}
}

static int hook_never_list(struct session *s, const char *tag, const char *command)
{
	(void)s;
	(void)tag;
	return strstr(command, ":* (UID FLAGS") ? -1 : 0;
}

static void test_listing_hopeless(void **state)
{
	struct run *t = run_new();
	static const char *const names[] = {"a", "b", "c", "d", "e", "f"};

	(void)state;
	for (int i = 0; i < 6; i++)
		(void)server_box(&t->server, names[i], 4, 100);
	t->server.hook = hook_never_list;
	assert_int_equal(run_make(t, "", "secret"), 0);
	assert_int_equal(run_prepare(t), -1);
	assert_int_equal(t->err.cause, ZS_SOURCE);
	assert_non_null(strstr(t->err.text, "listing c: the server closed the connection"));
	assert_int_equal(t->problems, 2);
	run_free(t);
}

/* hook_state 0: which */
static int hook_bad_folder(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;
	int is_examine = strncmp(command, "EXAMINE \"B\"", 11) == 0;
	int is_fetch = strstr(command, ":* (UID FLAGS") && s->open && strcmp(s->open->name, "B") == 0;

	switch (v->hook_state[0]) {
	case 0:
		if (!is_examine)
			return 0;
		s->open = NULL;
		say(s, "%s NO [NOPERM] not yours\r\n", tag);
		return 1;
	case 1:
		if (!is_fetch)
			return 0;
		say(s, "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 200)\r\n%s NO [SERVERBUG] broken index\r\n", tag);
		return 1;
	case 2: /* it does not list all */
		if (!is_fetch)
			return 0;
		say(s, "* 1 FETCH (UID 1 FLAGS () RFC822.SIZE 200)\r\n%s OK\r\n", tag);
		return 1;
	case 3: /* without sizes and dates, but news */
		if (!is_fetch)
			return 0;
		for (unsigned i = 1; i <= 10; i++)
			say(s, "* %u FETCH (UID %u FLAGS ())\r\n", i, i);
		say(s, "%s OK\r\n", tag);
		return 1;
	default: /* some went while it listed */
		if (!is_fetch)
			return 0;
		for (unsigned i = 0; i < 8; i++)
			say_mail(s, &s->open->v[i], i + 1);
		say(s, "* 10 EXPUNGE\r\n* 9 EXPUNGE\r\n%s OK\r\n", tag);
		return 1;
	}
}

static void test_bad_folder(void **state)
{
	static const char *const why[] = {"not yours", "broken index", "speaks of 10 messages and lists 1", "speaks of 10 messages and lists 0", NULL};

	(void)state;
	for (int i = 0; i < 5; i++) {
		struct run *t = run_new();

		(void)server_box(&t->server, "A", 10, 100);
		(void)server_box(&t->server, "B", 10, 200);
		(void)server_box(&t->server, "C", 10, 300);
		t->server.hook = hook_bad_folder;
		t->server.hook_state[0] = i;
		run_open(t, "");
		assert_int_equal(run_list(t), 0);
		assert_int_equal(t->problems, why[i] != NULL);
		if (why[i]) {
			assert_string_equal(t->problem_path, "imap/B");
			assert_non_null(strstr(t->problem, why[i]));
			assert_int_equal(t->n, 1 + 3 + 20);
			manifest_has(t, "\"state\":\"failed\"");
		} else {
			assert_int_equal(t->n, 1 + 3 + 28);
			items_are(t, "B", 1, 8, 200);
		}
		items_are(t, "A", 1, 10, 100);
		items_are(t, "C", 1, 10, 300);
		run_free(t);
	}
}

/* Only connected: names and sizes, no body is fetched, nothing else is asked of the phases. */
static void test_dry(void **state)
{
	struct run *t = run_new();

	(void)state;
	(void)server_box(&t->server, "A", 10, 100);
	assert_int_equal(run_make(t, "", "secret"), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_CONNECT, &t->err), 0);
	assert_string_equal(t->note[ZS_NOTE_INFO], "A: 10 messages");
	for (;;) {
		struct zs_source_item it = {0};
		int rc = zs_source_next(t->source, &it, &t->err);

		assert_true(rc >= 0);
		if (rc == 0)
			break;
		t->problems += it.entry.kind == ZS_ENTRY_FILE && it.entry.size >= 100;
		zs_source_handle_free(it.handle);
	}
	assert_int_equal(t->problems, 10);
	assert_int_equal(count_log(t, "BODY"), 0);
	run_free(t);
}

/* ---------------------------------------------------------------------- logging in */

static void cannot(const char *query, const char *password, int (*hook)(struct session *, const char *, const char *), const char *why)
{
	struct run *t = run_new();

	(void)server_box(&t->server, "A", 1, 100);
	t->server.hook = hook;
	assert_int_equal(run_make(t, query, password), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_CONNECT, &t->err), -1);
	assert_int_equal(t->err.cause, ZS_SOURCE);
	if (!strstr(t->err.text, why) || strstr(t->err.text, "wrong"))
		fail_msg("%s", t->err.text);
	for (const char *p = t->err.text; *p; p++)
		assert_true((unsigned char)*p >= ' ');
	run_free(t);
}

static int hook_silent(struct session *s, const char *tag, const char *command)
{
	(void)s;
	(void)tag;
	(void)command;
	return 1;
}
static int hook_hangup(struct session *s, const char *tag, const char *command)
{
	(void)s;
	(void)tag;
	(void)command;
	return -1;
}
static int hook_list_no(struct session *s, const char *tag, const char *command)
{
	return strncmp(command, "LIST", 4) == 0 ? (say(s, "%s NO not today\r\n", tag), 1) : 0;
}
static int hook_no_folders(struct session *s, const char *tag, const char *command)
{
	return strncmp(command, "LIST", 4) == 0 ? (say(s, "%s OK\r\n", tag), 1) : 0;
}
static int hook_garbage(struct session *s, const char *tag, const char *command)
{
	return strncmp(command, "LIST", 4) == 0 ? (say(s, "%s what is this\r\n* LIST ((((\r\n", tag), 1) : 0;
}

static int hook_no_words(struct session *s, const char *tag, const char *command)
{
	return strncmp(command, "CAPABILITY", 10) == 0 && s->server->hook_state[0]++ > 0 ? (say(s, "%s NO\r\n", tag), 1) : 0;
}
static int hook_other_tag(struct session *s, const char *tag, const char *command)
{
	(void)tag;
	return strncmp(command, "LIST", 4) == 0 ? (say(s, "Z77 OK\r\n"), 1) : 0;
}
static int hook_long_name(struct session *s, const char *tag, const char *command)
{
	return strncmp(command, "LIST", 4) == 0 ? (say(s, "* LIST () NIL \"%05000d\"\r\n%s OK\r\n", 7, tag), 1) : 0;
}

static void test_cannot_connect(void **state)
{
	(void)state;
	cannot("", "secret", hook_no_words, "CAPABILITY expected");
	cannot("", "secret", hook_other_tag, "the answer to another command");
	cannot("", "secret", hook_long_name, "a name of 5000 bytes");
	cannot("", "wrong", NULL, "[AUTHENTICATIONFAILED] who are you?[31m?");
	cannot("", NULL, NULL, "no password");
	cannot("&auth=cram-md5", "secret", NULL, "no way that can be used");
	cannot("&starttls=yes", "secret", NULL, "does not offer STARTTLS");
	cannot("", "secret", hook_silent, "");
	cannot("", "secret", hook_hangup, "");
	cannot("", "secret", hook_list_no, "not today");
	cannot("", "secret", hook_no_folders, "no folder");
	cannot("&folder=Elsewhere", "secret", NULL, "no folder that the options do not leave out");
	cannot("", "secret", hook_garbage, "makes no sense");
}

/* What can be said to be wrong at once. */
static void test_not_made(void **state)
{
	static const struct { const char *query, *password, *root, *why; } bad[] = {{"", "secret", "/imap", "valid path"}, {"", "sec\nret", "imap", "line's end"},
	    {"&colour=red", "secret", "imap", "unknown option"}};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct run *t = run_new();
		struct zs_server_settings server = {.url = &t->url, .root = zs_span_str(bad[i].root), .password = zs_span_str(bad[i].password)};
		char text[128];

		(void)snprintf(text, sizeof text, "imap://user@127.0.0.1:1/?starttls=no%s", bad[i].query);
		assert_int_equal(zs_url_parse(text, &t->url, &t->err), 0);
		assert_int_equal(zs_source_imap_new(&server, &t->settings, &t->source, &t->err), -1);
		assert_int_equal(t->err.cause, ZS_USAGE);
		if (!strstr(t->err.text, bad[i].why) || strstr(t->err.text, "secret"))
			fail_msg("%s", t->err.text);
		zs_url_fini(&t->url);
		(void)pthread_mutex_destroy(&t->lock);
		free(t);
	}
}

static void test_login(void **state)
{
	static const struct { const char *query, *want, *password, *capabilities; } ways[] = {{"", "|user|secret", "secret", NULL},
	    {"&master=boss", "|user*boss|secret", "secret", NULL}, {"&admin=boss", "user|boss|secret", "secret", NULL},
	    {"&auth=xoauth2", "user=user\1auth=Bearer token\1\1", "token\1\1", "IMAP4rev1 AUTH=XOAUTH2"}};

	(void)state;
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		struct run *t = run_new();

		(void)server_box(&t->server, "A", 1, 100);
		t->server.password = ways[i].password;
		t->server.capabilities = ways[i].capabilities;
		if (run_make(t, ways[i].query, i == 3 ? "token" : "secret") < 0 || run_prepare(t) < 0)
			fail_msg("%s: %s", ways[i].query, t->err.text);
		assert_string_equal(t->server.login, ways[i].want);
		run_free(t);
	}
}

static void test_nobody_there(void **state)
{
	struct run *t = run_new();

	(void)state;
	server_start(&t->server);
	server_stop(&t->server);
	assert_int_equal(run_make(t, "", "secret"), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_CONNECT, &t->err), -1);
	assert_int_equal(t->err.cause, ZS_SOURCE);
	assert_non_null(strstr(t->err.text, "cannot connect to 127.0.0.1"));
	run_close(t);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
}

/* ------------------------------------------------------------------------ stopping */

static void test_stop(void **state)
{
	struct run *t = run_new();
	struct zs_buf got = ZS_BUF_INIT;

	(void)state;
	(void)server_box(&t->server, "INBOX", 20, 100);
	t->server.hook = hook_say;
	t->server.hook_state[0] = 10;
	t->server.hook_state[1] = 100;
	t->server.hook_state[2] = 99; /* silence */
	run_open(t, "&timeout=60");
	assert_int_equal(run_list(t), 0);
	items_are(t, "INBOX", 1, 9, 100);
	t->stop = 1;
	assert_int_equal(item_read(t, item_at(t, "imap/INBOX/0000000010.eml"), &got), -1);
	assert_int_equal(t->err.cause, ZS_STOPPED);
	zs_buf_fini(&got);
	run_free(t);
}

static void test_stop_connecting(void **state)
{
	struct run *t = run_new();
	uint64_t began = zs_monotonic_ns();

	(void)state;
	(void)server_box(&t->server, "INBOX", 20, 100);
	t->server.hook = hook_silent;
	t->stop = 1;
	assert_int_equal(run_make(t, "&timeout=60", "secret"), 0);
	assert_int_equal(zs_source_prepare(t->source, ZS_PHASE_CONNECT, &t->err), -1);
	assert_int_equal(t->err.cause, ZS_STOPPED);
	assert_true(zs_monotonic_ns() - began < 20000000000ull);
	run_free(t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_whole), cmocka_unit_test(test_one_by_one), cmocka_unit_test(test_parallel), cmocka_unit_test(test_backwards),
	    cmocka_unit_test(test_not_read), cmocka_unit_test(test_half_read), cmocka_unit_test(test_old_server), cmocka_unit_test(test_identity),
	    cmocka_unit_test(test_same_is_not_fetched), cmocka_unit_test(test_names), cmocka_unit_test(test_name_without_literal),
	    cmocka_unit_test(test_cut_once), cmocka_unit_test(test_cut_always), cmocka_unit_test(test_cut_then_other), cmocka_unit_test(test_manners),
	    cmocka_unit_test(test_nil), cmocka_unit_test(test_server_gone), cmocka_unit_test(test_connections_refused), cmocka_unit_test(test_lies),
	    cmocka_unit_test(test_moved), cmocka_unit_test(test_folder_renamed), cmocka_unit_test(test_renumbered), cmocka_unit_test(test_settle),
	    cmocka_unit_test(test_look_fails), cmocka_unit_test(test_look_is_cut), cmocka_unit_test(test_too_many_arrive),
	    cmocka_unit_test(test_no_status), cmocka_unit_test(test_freed_early), cmocka_unit_test(test_not_made), cmocka_unit_test(test_listing_cut), cmocka_unit_test(test_listing_hopeless), cmocka_unit_test(test_bad_folder), cmocka_unit_test(test_dry),
	    cmocka_unit_test(test_cannot_connect), cmocka_unit_test(test_login), cmocka_unit_test(test_nobody_there), cmocka_unit_test(test_stop),
	    cmocka_unit_test(test_stop_connecting)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

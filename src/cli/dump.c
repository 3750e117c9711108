/*
 * extract --sql and --ldif: which snapshot, which source in it, what of that, and then one call of work.
 */
#include "dump.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CACHE_BYTES (8u << 20)
#define ROOTS_MAX 64u

struct dump {
	struct session *s;
	int is_ldif, damaged, is_other; /* is_other: the prefix is a source of another type */
	struct zs_snapshot_list snapshots;
	const struct zs_snapshot_row *row;
	struct zs_buf prefix;	/* directory of the source */
	struct zs_strings what; /* databases, tables; or one base */
	struct zs_strings roots; /* of the snapshot's sources of this type */
};

int dump_is_asked(const struct session *s)
{
	return opt_given(s, OPT_SQL) || opt_given(s, OPT_LDIF);
}

static const char *type_name(const struct dump *d)
{
	return d->is_ldif ? "an LDAP source" : "a MariaDB source";
}

/* ------------------------------------------------------------------------- operands */

static int check_options(struct session *s, struct zs_err *err)
{
	static const struct { enum opt_id id; const char *name; } others[] = {{OPT_DIRECTORY, "directory"}, {OPT_TAR, "tar"}, {OPT_STRIP, "strip"},
	    {OPT_EXCLUDE, "exclude"}, {OPT_OVERWRITE, "overwrite"}, {OPT_MESSAGE_ID, "message-id"}, {OPT_NUMERIC_OWNER, "numeric-owner"},
	    {OPT_SYNC, "sync"}, {OPT_DRY_RUN, "dry-run"}, {OPT_JSON, "json"}};

	if (opt_given(s, OPT_SQL) && opt_given(s, OPT_LDIF))
		return zs_fail(err, ZS_USAGE, "--sql or --ldif, not both");
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		if (opt_given(s, others[i].id))
			return zs_fail(err, ZS_USAGE, "--%s does not go with --%s", others[i].name, opt_given(s, OPT_SQL) ? "sql" : "ldif");
	return 0;
}

/* The first operand that names a snapshot is the one; *out_at is argc if none does, with the reason for the first. */
static int find_snapshot(struct dump *d, int argc, char **argv, int *out_at, struct zs_err *err)
{
	struct zs_err later = {0};

	for (int i = 0; i < argc; i++) {
		struct zs_err *why = i == 0 ? err : &later;

		if (zs_place_find(&d->snapshots, argv[i], &d->row, &d->prefix, why) == 0) {
			zs_err_clear(err);
			*out_at = i;
			return 0;
		}
		if (why->cause != ZS_NOTFOUND && why->cause != ZS_USAGE) {
			*err = *why;
			return -1;
		}
		zs_buf_clear(&d->prefix);
	}
	return -1;
}

static int take_operands(struct dump *d, int argc, char **argv, struct zs_err *err)
{
	static char latest[] = "latest";
	const struct zs_strings *given = opt_list(d->s, d->is_ldif ? OPT_LDIF : OPT_SQL);
	char *newest[] = {latest};
	int at;

	for (size_t i = 0; i < given->n; i++)
		if (zs_strings_add(&d->what, zs_span_str(given->v[i]), err) < 0)
			return -1;
	if (argc == 0)
		return find_snapshot(d, 1, newest, &at, err);
	if (find_snapshot(d, argc, argv, &at, err) < 0)
		return -1;
	for (int i = 0; i < argc; i++)
		if (i != at && zs_strings_add(&d->what, zs_span_str(argv[i]), err) < 0)
			return -1;
	if (d->is_ldif && d->what.n > 1)
		return zs_fail(err, ZS_USAGE, "--ldif takes one base, not '%s' and '%s'", d->what.v[0], d->what.v[1]);
	return 0;
}

/* ---------------------------------------------------------------- which source it is */

struct walk { /* "sources.N.name" and ".type" come one after the other */
	struct dump *d;
	char number[16];
	struct zs_buf name;
	int right_type;
	struct zs_err err;
};

static int end_of_source(struct walk *w)
{
	if (w->right_type && w->name.n && w->d->roots.n < ROOTS_MAX &&
	    zs_strings_add(&w->d->roots, zs_buf_span(&w->name), &w->err) < 0)
		return -1;
	w->d->is_other |= !w->right_type && w->name.n && zs_span_eq(zs_buf_span(&w->name), zs_buf_span(&w->d->prefix));
	w->right_type = 0;
	zs_buf_clear(&w->name);
	return 0;
}

static int on_value(void *ctx, const char *key, struct zs_span value)
{
	static const char *const types[] = {"mariadb", "ldap"};
	struct walk *w = ctx;
	size_t n;

	if (strncmp(key, "sources.", 8) != 0)
		return 0;
	key += 8;
	n = strcspn(key, ".");
	if (n == 0 || n >= sizeof w->number || !key[n])
		return 0;
	if (strlen(w->number) != n || memcmp(w->number, key, n) != 0) {
		if (end_of_source(w) < 0)
			return -1;
		memcpy(w->number, key, n);
		w->number[n] = 0;
	}
	if (strcmp(key + n, ".name") == 0) {
		zs_buf_clear(&w->name);
		return zs_buf_add_span(&w->name, value, &w->err);
	}
	if (strcmp(key + n, ".type") == 0)
		w->right_type = zs_span_eq(value, zs_span_str(types[w->d->is_ldif]));
	return 0;
}

static int roots_from_manifest(struct dump *d, struct zs_err *err)
{
	struct zs_span manifest = zs_buf_span(&d->row->snapshot->manifest);
	struct walk w = {.d = d};
	struct zs_err why = {0};
	int rc = 0;

	if (manifest.n > 0)
		rc = zs_manifest_walk(manifest, on_value, &w, &why);
	if (rc == 0)
		rc = end_of_source(&w);
	zs_buf_fini(&w.name);
	if (rc < 0 && w.err.cause != ZS_OK) {
		*err = w.err;
		return -1;
	}
	if (rc < 0) /* the directories will do */
		say(d->s, "warning: %s", why.text);
	return 0;
}

static int on_entry(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	(void)path;
	(void)err;
	*(int *)ctx = e->kind == ZS_ENTRY_DIR;
	return 0;
}

/* 1 if there is such a directory in the snapshot. */
static int is_there(struct dump *d, struct zs_store_reader *r, const char *root, struct zs_err *err)
{
	int is_dir = 0;

	if (zs_list(r, &d->row->snapshot->root, zs_span_str(root), ZS_LIST_SELF, on_entry, &is_dir, err) == 0)
		return is_dir;
	if (err->cause != ZS_NOTFOUND)
		return -1;
	zs_err_clear(err);
	return 0;
}

static int choose_root(struct dump *d, struct zs_store_reader *r, struct zs_err *err)
{
	const char *found = NULL, *usual = d->is_ldif ? "ldap" : "sql";
	char hex[ZS_NAME_HEX];
	size_t count = 0;
	int there;

	(void)zs_name_hex(&d->row->name, hex);
	if (roots_from_manifest(d, err) < 0 || (d->roots.n == 0 && zs_strings_add(&d->roots, zs_span_str(usual), err) < 0))
		return -1;
	for (size_t i = 0; i < d->roots.n; i++) {
		if ((there = is_there(d, r, d->roots.v[i], err)) < 0)
			return -1;
		if (!there)
			continue;
		if (count++ > 0)
			return zs_fail(err, ZS_USAGE, "snapshot %.12s holds more than %s: say %.12s:%s or %.12s:%s", hex, type_name(d), hex,
			    found, hex, d->roots.v[i]);
		found = d->roots.v[i];
	}
	if (!found)
		return zs_fail(err, ZS_NOTFOUND, "snapshot %.12s holds nothing of %s", hex, type_name(d));
	return zs_buf_add_span(&d->prefix, zs_span_str(found), err);
}

static int find_root(struct dump *d, struct zs_err *err)
{
	struct zs_store_reader *r = NULL;
	int rc;

	if (d->prefix.n > 0) {
		if (roots_from_manifest(d, err) < 0)
			return -1;
		return d->is_other ? zs_fail(err, ZS_NOTFOUND, "%.*s in this snapshot is not of %s", (int)d->prefix.n, (const char *)d->prefix.p, type_name(d)) : 0;
	}
	if (zs_store_reader_new(d->s->store, CACHE_BYTES, &r, err) < 0)
		return -1;
	rc = choose_root(d, r, err);
	zs_store_reader_free(r);
	return rc;
}

/* ------------------------------------------------------------------------------ run */

static int write_dump(struct dump *d, struct zs_err *err)
{
	const struct zs_observer *o = &d->s->observer;

	if (d->is_ldif) {
		struct zs_ldif_restore r = {.root = d->row->snapshot->root, .prefix = zs_buf_span(&d->prefix), .observer = o};

		/* Any other word is a profile of the configuration, which has been read. */
		r.profile = strcmp(opt_text(d->s, OPT_PROFILE, ""), "live") == 0 ? ZS_LDIF_LIVE : ZS_LDIF_FULL;
		if (d->what.n > 0)
			r.base = zs_span_str(d->what.v[0]);
		return zs_restore_ldif(d->s->store, &r, STDOUT_FILENO, err);
	}
	return zs_restore_sql(d->s->store,
	    &(struct zs_sql_restore){.root = d->row->snapshot->root, .prefix = zs_buf_span(&d->prefix), .what = &d->what, .observer = o,
		.is_partial = (d->row->snapshot->flags & ZS_SNAPSHOT_PARTIAL) != 0},
	    STDOUT_FILENO, err);
}

static int run(struct dump *d, int argc, char **argv, struct zs_err *err)
{
	const struct zs_snapshot *snap;
	char hex[ZS_NAME_HEX];

	if (check_options(d->s, err) < 0 || session_snapshots(d->s, &d->snapshots, &d->damaged, err) < 0 ||
	    take_operands(d, argc, argv, err) < 0 || find_root(d, err) < 0 || write_dump(d, err) < 0)
		return -1;
	snap = d->row->snapshot;
	if (snap->flags & ZS_SNAPSHOT_PARTIAL)
		say(d->s, "snapshot %.12s is partial: there were %llu problems when it was made (zstore snapshots -v names them)", zs_name_hex(&d->row->name, hex),
		    (unsigned long long)snap->skipped);
	if (d->damaged)
		return EXIT_DAMAGED;
	return snap->flags & ZS_SNAPSHOT_PARTIAL || d->s->problems ? EXIT_SKIPPED : EXIT_OK;
}

int dump_run(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct dump d = {.s = s, .is_ldif = opt_given(s, OPT_LDIF)};
	int rc = run(&d, argc, argv, err);

	zs_strings_fini(&d.what);
	zs_strings_fini(&d.roots);
	zs_buf_fini(&d.prefix);
	zs_snapshot_list_fini(&d.snapshots);
	return rc;
}

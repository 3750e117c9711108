/*
 * What an LDAP source stored, as LDIF: context after context, each put together and filtered.  The lines that were stored apart
 * are put into a file without a name first, as both streams are needed side by side.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zstore/mail.h"
#include "zstore/work.h"

#define CACHE_BYTES (24u << 20)
#define WALK_CACHE_BYTES (4u << 20)
#define OUT_BYTES (256u << 10)

struct restore_ldif {
	struct zs_store *st;
	const struct zs_ldif_restore *s;
	int fd, side_fd; /* side_fd -1: this context has no second stream */
	uint64_t side_at, entries;
	struct zs_store_reader *reader, *walk; /* content; names */
	struct zs_ldif *filter;
	struct zs_buf out;
	struct zs_strings contexts; /* directories below the prefix */
};

/* -------------------------------------------------------------------------- ends */

static int flush(struct restore_ldif *x, struct zs_err *err)
{
	int rc = zs_write_all(x->fd, x->out.p, x->out.n, ZS_TARGET, "standard output", err);

	zs_buf_clear(&x->out);
	return rc;
}

static int put(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct restore_ldif *x = ctx;

	if (zs_buf_add_span(&x->out, bytes, err) < 0)
		return -1;
	return x->out.n >= OUT_BYTES ? flush(x, err) : 0;
}

static int pull(void *ctx, void *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct restore_ldif *x = ctx;

	if (zs_pread_full(x->side_fd, p, n, x->side_at, out_n, ZS_SYSTEM, "temporary file", err) < 0)
		return -1;
	x->side_at += *out_n;
	return 0;
}

static int chunk(void *ctx, const struct zs_id *id, struct zs_span *out, struct zs_err *err)
{
	return zs_store_read(((struct restore_ldif *)ctx)->reader, id, out, err);
}

static int no_hole(void *ctx, uint64_t bytes, struct zs_err *err)
{
	(void)ctx;
	(void)bytes;
	return zs_fail(err, ZS_CORRUPT, "a hole in a stream of LDIF");
}

static int keep_side(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	return zs_write_all(((struct restore_ldif *)ctx)->side_fd, bytes.p, bytes.n, ZS_SYSTEM, "temporary file", err);
}

static int feed(void *ctx, struct zs_span bytes, struct zs_err *err)
{
	struct restore_ldif *x = ctx;
	const struct zs_observer *o = x->s->observer;

	if (o && o->stop && o->stop(o->ctx))
		return zs_fail(err, ZS_STOPPED, "stopped");
	return zs_ldif_feed(x->filter, bytes, err);
}

/* ---------------------------------------------------------------------- contexts */

static int join(struct restore_ldif *x, const struct zs_entry *e, int (*write)(void *, struct zs_span, struct zs_err *), struct zs_err *err)
{
	const struct zs_join_io io = {x, chunk, write, no_hole};

	return e->kind == ZS_ENTRY_FILE ? zs_mail_join(e, &io, err) : zs_fail(err, ZS_CORRUPT, "this is no stream");
}

static int on_side(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct restore_ldif *x = ctx;

	if ((x->side_fd = zs_temp_file(zs_store_tmp_dir(x->st), err)) < 0)
		return -1;
	return join(x, e, keep_side, err) < 0 ? zs_context(err, "%.*s", (int)path.n, (const char *)path.p) : 0;
}

static int on_entries(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct restore_ldif *x = ctx;
	const struct zs_ldif_settings s = {x->s->base, x->s->profile == ZS_LDIF_LIVE, x->side_fd >= 0 ? pull : NULL, put, x};
	uint64_t entries = 0;
	int rc = zs_ldif_new(&s, &x->filter, err);

	if (rc == 0)
		rc = join(x, e, feed, err);
	if (rc == 0)
		rc = zs_ldif_end(x->filter, &entries, err);
	zs_ldif_free(x->filter);
	x->filter = NULL;
	x->entries += entries;
	return rc < 0 ? zs_context(err, "%.*s", (int)path.n, (const char *)path.p) : 0;
}

/* One file of a context: 1 it was there, 0 not, -1. */
static int with_file(struct restore_ldif *x, const char *context, const char *name, zs_list_fn *fn, struct zs_err *err)
{
	struct zs_buf path = ZS_BUF_INIT;
	int rc = zs_buf_add_span(&path, x->s->prefix, err);

	if (rc == 0)
		rc = zs_buf_printf(&path, err, "%s%s/%s", path.n ? "/" : "", context, name);
	if (rc == 0)
		rc = zs_list(x->walk, &x->s->root, zs_buf_span(&path), ZS_LIST_SELF, fn, x, err);
	zs_buf_fini(&path);
	if (rc == 0)
		return 1;
	if (err->cause != ZS_NOTFOUND)
		return -1;
	zs_err_clear(err);
	return 0;
}

/* A context of which only the directory is there: it could not be read to its end.  What there is of others is given. */
static int say_missing(struct restore_ldif *x, const char *context, struct zs_err *err)
{
	const struct zs_observer *o = x->s->observer;
	const struct zs_span dn = zs_span_str(context), base = x->s->base;
	struct zs_err why = {0};

	if (base.n > 0 && !zs_dn_is_below(dn, base) && !zs_dn_is_below(base, dn))
		return 0;
	(void)zs_fail(&why, ZS_SOURCE, "its entries are not in this snapshot: they could not be read when it was made");
	if (o && o->problem)
		o->problem(o->ctx, dn, &why);
	return zs_buf_printf(&x->out, err, "# zstore: incomplete: the entries of %s are not in this snapshot\n\n", context);
}

static int one_context(struct restore_ldif *x, const char *context, struct zs_err *err)
{
	int rc;

	x->side_fd = -1;
	x->side_at = 0;
	rc = with_file(x, context, "volatile.ldif", on_side, err);
	if (rc >= 0)
		rc = with_file(x, context, "entries.ldif", on_entries, err);
	if (rc == 0)
		rc = say_missing(x, context, err);
	if (x->side_fd >= 0)
		(void)close(x->side_fd);
	return rc < 0 ? -1 : 0;
}

static int on_child(void *ctx, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct restore_ldif *x = ctx;

	return e->kind == ZS_ENTRY_DIR ? zs_strings_add(&x->contexts, zs_path_base(path), err) : 0;
}

static int all_contexts(struct restore_ldif *x, struct zs_err *err)
{
	if (zs_list(x->walk, &x->s->root, x->s->prefix, 0, on_child, x, err) < 0)
		return -1;
	for (size_t i = 0; i < x->contexts.n; i++) {
		/* The server's own configuration is loaded on its own (slapadd -n 0). */
		if (x->s->base.n == 0 && strcasecmp(x->contexts.v[i], "cn=config") == 0)
			continue;
		if (one_context(x, x->contexts.v[i], err) < 0)
			return -1;
	}
	if (x->entries == 0 && x->s->base.n > 0)
		return zs_fail(err, ZS_NOTFOUND, "no entry at or below %.*s in this snapshot", (int)x->s->base.n, (const char *)x->s->base.p);
	if (x->entries == 0)
		return zs_fail(err, ZS_NOTFOUND, "no directory in this snapshot");
	return flush(x, err);
}

int zs_restore_ldif(struct zs_store *st, const struct zs_ldif_restore *s, int fd, struct zs_err *err)
{
	struct restore_ldif x = {.st = st, .s = s, .fd = fd, .side_fd = -1};
	int rc = -1;

	if (zs_store_reader_new(st, CACHE_BYTES, &x.reader, err) == 0 && zs_store_reader_new(st, WALK_CACHE_BYTES, &x.walk, err) == 0)
		rc = all_contexts(&x, err);
	zs_store_reader_free(x.reader);
	zs_store_reader_free(x.walk);
	zs_buf_fini(&x.out);
	zs_strings_fini(&x.contexts);
	return rc;
}

/*
 * What a command runs in: the repository that was meant, opened with the secret
 * that was given.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"

int session_repo(struct session *s, const char **out, struct zs_err *err)
{
	const char *repo = env_text("ZSTORE_REPO");

	repo = opt_text(s, OPT_REPO, repo ? repo : settings_text(s, "repository"));
	if (!repo || !*repo)
		return zs_fail(err, ZS_USAGE, "which repository? Say --repo REPO, set ZSTORE_REPO, or choose a profile that names one");
	*out = repo;
	return 0;
}

static int cache_dir(struct session *s, struct zs_err *err)
{
	const char *dir = env_text("ZSTORE_CACHE_DIR"), *xdg = env_text("XDG_CACHE_HOME"), *home = env_text("HOME");
	int n;

	dir = opt_text(s, OPT_CACHE_DIR, dir ? dir : settings_text(s, "cache-dir"));
	if (dir && *dir)
		n = asprintf(&s->cache_dir, "%s", dir);
	else if (xdg && *xdg == '/')
		n = asprintf(&s->cache_dir, "%s/zstore", xdg);
	else if (home)
		n = asprintf(&s->cache_dir, "%s/.cache/zstore", home);
	else
		return zs_fail(err, ZS_USAGE, "no HOME: say --cache-dir DIR for the local index");
	if (n < 0) {
		s->cache_dir = NULL;
		return zs_fail_nomem(err);
	}
	return 0;
}

const char *session_tmp_dir(void)
{
	const char *tmp = env_text("TMPDIR");

	return tmp ? tmp : "/tmp";
}

static void store_warns(void *ctx, const char *text)
{
	say(ctx, "warning: %s", text);
}

static int open_store(struct session *s, struct zs_err *err)
{
	struct zs_store_settings settings = {.cache_dir = s->cache_dir, .tmp_dir = session_tmp_dir(),
	    .warn = store_warns, .warn_ctx = s};

	if (secret_get(s, SECRET_OPEN, 0, &s->secret_buf, &s->secret, err) < 0)
		return -1;
	if (zs_store_open(s->backend, &s->secret, &settings, &s->store, err) == 0)
		return 0;
	/* A recovery code is typed where a passphrase is asked for. */
	if (err->cause != ZS_KEY || s->secret.type != ZS_SECRET_PASSPHRASE || !secret_looks_like_recovery(s->secret.bytes))
		return -1;
	s->secret.type = ZS_SECRET_RECOVERY;
	return zs_store_open(s->backend, &s->secret, &settings, &s->store, err);
}

int session_open(struct session *s, struct zs_err *err)
{
	const char *repo = NULL;

	if (session_repo(s, &repo, err) < 0 || cache_dir(s, err) < 0)
		return -1;
	if (zs_backend_local_open(repo, &s->backend, err) < 0)
		return -1;
	return open_store(s, err);
}

void session_close(struct session *s)
{
	zs_store_free(s->store);
	zs_backend_free(s->backend);
	zs_buf_wipe(&s->secret_buf);
	free(s->cache_dir);
	s->store = NULL;
	s->backend = NULL;
	s->cache_dir = NULL;
}

int session_prepare(struct session *s, struct zs_err *err)
{
	if (zs_codec_init(err) < 0 || progress_start(s, err) < 0)
		return -1;
	if (s->command->needs == NEED_NOTHING)
		return 0;
	if (settings_load(s, err) < 0)
		return -1;
	return s->command->needs == NEED_STORE ? session_open(s, err) : 0;
}

int session_snapshots(struct session *s, struct zs_snapshot_list *out, int *out_damaged, struct zs_err *err)
{
	struct zs_names damaged = {0};
	char hex[ZS_NAME_HEX];
	int rc = zs_store_snapshots(s->store, out, &damaged, err);

	for (size_t i = 0; rc == 0 && i < damaged.n; i++)
		say(s, "snapshot %s is damaged: run 'zstore check'", zs_name_hex(&damaged.v[i], hex));
	*out_damaged = damaged.n > 0;
	zs_names_fini(&damaged);
	return rc;
}

void session_fini(struct session *s)
{
	session_close(s);
	settings_fini(s);
	options_fini(s->values);
}

void say_snapshot(struct zs_err *err, const struct zs_snapshot_row *row)
{
	const struct zs_strings *paths = &row->snapshot->paths;
	char hex[ZS_NAME_HEX];

	if (err->cause == ZS_NOTFOUND)
		(void)zs_context(err, "snapshot %.12s, which is of %.80s%s", zs_name_hex(&row->name, hex), paths->n ? paths->v[0] : "nothing",
		    paths->n > 1 ? " and more" : "");
}

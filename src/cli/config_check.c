/*
 * zstore config check: would a backup of each profile work, and be complete?  The repository is opened, every
 * path looked at, every server connected to; no hook is run, nothing is stored.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_check.h"
#include "sources.h"

enum verdict { COMPLETE, INCOMPLETE, FAILS, WRONG }; /* WRONG: the file says what makes no sense */

struct check {
	struct session *s;
	struct json j;
	enum verdict profile, all;
	unsigned sources, sources_bad; /* of the profile */
	pthread_mutex_t lock; /* guards the notes, which come from any thread */
	struct zs_strings notes;
	struct zs_buf levels; /* a byte for each */
};

static void worse(struct check *c, enum verdict v)
{
	if (v > c->profile)
		c->profile = v;
	if (v > c->all)
		c->all = v;
}

static void count_source(struct check *c, int rc, enum verdict v)
{
	c->sources++;
	c->sources_bad += rc < 0;
	if (rc < 0)
		worse(c, v);
}

/* -------------------------------------------------------------------------- output */

static void line_of(const struct check *c, const char *what, const char *name, const char *state, const struct zs_err *err)
{
	if (c->s->json || (c->s->quiet && !err))
		return;
	printf("  ");
	print_safe(stdout, zs_span_str(what), 40);
	printf("%*s ", strlen(what) < 12 ? 12 - (int)strlen(what) : 0, "");
	print_safe(stdout, zs_span_str(name), 0);
	printf(": ");
	print_safe(stdout, zs_span_str(err ? err->text : state), 0);
	printf("\n");
}

static void json_outcome(struct check *c, const struct zs_err *err)
{
	json_kv_bool(&c->j, "ok", !err);
	if (err)
		json_kv_text(&c->j, "error", err->text);
}

static void show_notes(struct check *c)
{
	static const char *const levels[] = {"info", "warning", "lack"};
	static const char *const shown[] = {"", "warning: ", "LACKS: "};

	if (c->s->json) {
		json_key(&c->j, "notes");
		json_open(&c->j, '[');
	}
	for (size_t i = 0; i < c->notes.n; i++) {
		int level = c->levels.p[i];

		if (c->s->json) {
			json_open(&c->j, '{');
			json_kv_text(&c->j, "level", levels[level]);
			json_kv_text(&c->j, "text", c->notes.v[i]);
			json_close(&c->j, '}');
		} else if (!c->s->quiet || level != ZS_NOTE_INFO) {
			printf("      %s", shown[level]);
			print_safe(stdout, zs_span_str(c->notes.v[i]), 0);
			printf("\n");
		}
	}
	if (c->s->json)
		json_close(&c->j, ']');
}

/* --------------------------------------------------------------------- what is checked */

static int check_repository(struct check *c, struct zs_err *err)
{
	struct zs_snapshot_list snapshots = {0};
	const char *repo = NULL;
	char state[64] = "";
	struct zs_err why = {0};
	int rc, damaged = 0;

	rc = session_repo(c->s, &repo, &why);
	if (rc == 0)
		rc = session_open(c->s, &why);
	if (rc == 0 && (rc = session_snapshots(c->s, &snapshots, &damaged, &why)) == 0)
		(void)snprintf(state, sizeof state, "opens, %zu snapshots%s", snapshots.n, damaged ? ", some DAMAGED" : "");
	zs_snapshot_list_fini(&snapshots);
	session_close(c->s);
	if (rc < 0 && why.cause == ZS_NOMEM)
		return zs_fail_nomem(err);
	if (rc < 0)
		worse(c, FAILS);
	line_of(c, "repository", repo ? repo : "-", state, rc < 0 ? &why : NULL);
	if (c->s->json) {
		json_key(&c->j, "repository");
		json_open(&c->j, '{');
		json_kv_text(&c->j, "location", repo ? repo : "");
		json_outcome(c, rc < 0 ? &why : NULL);
		json_close(&c->j, '}');
	}
	return 0;
}

/* Can it be read at all?  What is below is not looked at. */
static int look_at(const char *path, const char **out_state, struct zs_err *err)
{
	struct stat st;
	int fd;

	if (lstat(path, &st) < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot read it");
	*out_state = S_ISDIR(st.st_mode) ? "a directory" : S_ISREG(st.st_mode) ? "a file" : "neither file nor directory";
	if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
		return 0;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | (S_ISDIR(st.st_mode) ? O_DIRECTORY : O_NONBLOCK));
	if (fd < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot read it");
	(void)close(fd);
	return 0;
}

static void check_path(struct check *c, const char *path)
{
	const char *state = "";
	struct zs_err why = {0};
	int rc = look_at(path, &state, &why);

	count_source(c, rc, INCOMPLETE);
	line_of(c, "path", path, state, rc < 0 ? &why : NULL);
	if (!c->s->json)
		return;
	json_open(&c->j, '{');
	json_kv_text(&c->j, "type", "files");
	json_kv_text(&c->j, "path", path);
	json_outcome(c, rc < 0 ? &why : NULL);
	json_close(&c->j, '}');
}

static void on_note(void *ctx, const struct server *v, enum zs_note_level level, const char *text)
{
	struct check *c = ctx;
	struct zs_err ignored = {0};

	(void)v;
	(void)pthread_mutex_lock(&c->lock);
	if (level == ZS_NOTE_LACK)
		worse(c, INCOMPLETE);
	if (zs_strings_add(&c->notes, zs_span_str(text), &ignored) == 0 && zs_buf_add_u8(&c->levels, (uint8_t)level, &ignored) < 0)
		free(c->notes.v[--c->notes.n]);
	(void)pthread_mutex_unlock(&c->lock);
}

static void no_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	(void)ctx;
	(void)path;
	(void)err;
}

static int check_server(struct check *c, struct server *v, struct zs_err *err)
{
	struct zs_source_settings settings = {.problem = no_problem, .tmp_dir = session_tmp_dir()};
	struct zs_source *source = NULL;
	struct zs_err why = {0};
	int rc;

	zs_buf_clear(&c->levels);
	zs_strings_fini(&c->notes);
	rc = sources_make_one(v, &settings, &source, &why);
	if (rc == 0)
		rc = zs_source_prepare(source, ZS_PHASE_CONNECT, &why);
	zs_source_free(source);
	if (rc < 0 && (why.cause == ZS_NOMEM || why.cause == ZS_STOPPED)) {
		*err = why;
		return -1;
	}
	count_source(c, rc, why.cause == ZS_USAGE ? WRONG : INCOMPLETE);
	line_of(c, v->name, v->url.label, "connects", rc < 0 ? &why : NULL);
	if (c->s->json) {
		json_open(&c->j, '{');
		json_kv_text(&c->j, "type", server_type(v));
		json_kv_text(&c->j, "name", v->name);
		json_kv_text(&c->j, "url", v->url.label);
		json_outcome(c, rc < 0 ? &why : NULL);
	}
	show_notes(c);
	if (c->s->json)
		json_close(&c->j, '}');
	return 0;
}

static int check_sources(struct check *c, struct zs_err *err)
{
	struct sources l = {.s = c->s, .note = on_note, .note_ctx = c};
	struct zs_err why = {0};
	int rc = sources_add_profile(&l, &why), failed = 0;

	if (rc < 0)
		worse(c, WRONG);
	/* A profile may be there for prune and check alone. */
	if (rc < 0 || l.labels.n == 0)
		line_of(c, "source", "-", "none: backup needs operands", rc < 0 ? &why : NULL);
	if (c->s->json) {
		json_key(&c->j, "sources");
		json_open(&c->j, '[');
	}
	for (size_t i = 0; rc == 0 && i < l.paths.n; i++)
		check_path(c, l.paths.v[i]);
	for (size_t i = 0; rc == 0 && failed == 0 && i < l.server_count; i++)
		failed = check_server(c, l.servers[i], err);
	if (c->s->json) {
		json_close(&c->j, ']');
		if (rc < 0)
			json_kv_text(&c->j, "error", why.text);
	}
	sources_fini(&l);
	return failed;
}

static void check_exclude_files(struct check *c)
{
	const struct conf_setting *v = NULL;

	while ((v = conf_next(c->s->conf, c->s->profile, "exclude-from", v))) {
		struct zs_err why = {0};

		if (access(v->value, R_OK) == 0)
			continue;
		(void)zs_fail_sys(&why, ZS_USAGE, errno, "cannot read it");
		worse(c, FAILS);
		line_of(c, "exclude-from", v->value, "", &why);
	}
}

static int check_profile(struct check *c, const struct conf_section *profile, struct zs_err *err)
{
	static const char *const verdicts[] = {"a backup would be complete", "a backup would be INCOMPLETE", "a backup would FAIL",
	    "the configuration is WRONG"};
	static const char *const words[] = {"complete", "incomplete", "fails", "wrong"};
	const char *name = profile ? profile->name : "";

	c->profile = COMPLETE;
	c->sources = c->sources_bad = 0;
	c->s->profile = profile;
	if (c->s->json) {
		json_open(&c->j, '{');
		json_kv_text(&c->j, "profile", name);
	} else if (!c->s->quiet) {
		printf("%s%s\n", profile ? "profile " : "defaults, without a profile", name);
	}
	if (check_repository(c, err) < 0 || check_sources(c, err) < 0)
		return -1;
	check_exclude_files(c);
	if (c->sources > 0 && c->sources == c->sources_bad)
		worse(c, FAILS);
	if (c->s->json) {
		json_kv_text(&c->j, "backup", words[c->profile]);
		json_close(&c->j, '}');
	} else if (!c->s->quiet) {
		printf("  %s\n", verdicts[c->profile]);
	}
	return interrupted() ? zs_fail(err, ZS_STOPPED, "interrupted") : 0;
}

/* ------------------------------------------------------------------------ the whole */

static int say_errors(struct check *c)
{
	const struct conf *conf = c->s->conf;

	for (size_t i = 0; !c->s->json && i < conf->errors.n; i++)
		say(c->s, "%s", conf->errors.v[i]);
	if (!c->s->json && conf->error_count > conf->errors.n)
		say(c->s, "%zu more errors", conf->error_count - conf->errors.n);
	if (c->s->json) {
		json_kv_list(&c->j, "errors", &conf->errors);
		json_kv_bool(&c->j, "ok", 0);
		json_close(&c->j, '}');
		json_end(&c->j);
	}
	return EXIT_USAGE;
}

static int check_profiles(struct check *c, struct zs_err *err)
{
	const struct conf *conf = c->s->conf;
	size_t checked = 0;

	if (settings_profile_name(c->s)) {
		if (settings_choose(c->s, err) < 0)
			return -1;
		return check_profile(c, c->s->profile, err);
	}
	for (size_t i = 0; i < conf->n; i++) {
		if (conf->v[i]->kind != CONF_PROFILE)
			continue;
		checked++;
		if (check_profile(c, conf->v[i], err) < 0)
			return -1;
	}
	return checked ? 0 : check_profile(c, NULL, err);
}

int config_check(struct session *s, struct zs_err *err)
{
	static const int codes[] = {EXIT_OK, EXIT_FAILED, EXIT_FAILED, EXIT_USAGE};
	struct check c = {.s = s};
	int rc;

	(void)pthread_mutex_init(&c.lock, NULL);
	json_begin(&c.j, stdout);
	if (s->json) {
		json_open(&c.j, '{');
		json_kv_list(&c.j, "files", &s->conf->files);
	}
	if (s->conf->error_count > 0) {
		rc = say_errors(&c);
		goto out;
	}
	if (s->json) {
		json_key(&c.j, "profiles");
		json_open(&c.j, '[');
	}
	rc = check_profiles(&c, err);
	if (s->json && rc == 0) {
		json_close(&c.j, ']');
		json_kv_bool(&c.j, "ok", c.all == COMPLETE);
		json_close(&c.j, '}');
		json_end(&c.j);
	}
	if (rc == 0)
		rc = codes[c.all];
out:
	zs_strings_fini(&c.notes);
	zs_buf_fini(&c.levels);
	(void)pthread_mutex_destroy(&c.lock);
	return rc;
}

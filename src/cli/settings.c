/*
 * Which configuration files are read, which profile applies, and how its settings become those of a
 * command: default < file < environment < option.
 */
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "config.h"

#define SYSTEM_FILE "/etc/zstore/zstore.conf"

const char *env_text(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* --------------------------------------------------------------------------- files */

/* It says which commands are run: only its owner, who is the user or root, may write it. */
static int check_writers(int fd, const char *path, struct zs_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return zs_fail_sys(err, ZS_USAGE, errno, "cannot read %s", path);
	if (S_ISDIR(st.st_mode))
		return zs_fail(err, ZS_USAGE, "cannot read %s: it is a directory", path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 022))
		return zs_fail(err, ZS_USAGE, "%s can be changed by others (mode %04o), and names commands that would be run: chmod go-w it", path,
		    st.st_mode & 07777);
	if (S_ISREG(st.st_mode) && st.st_uid != geteuid() && st.st_uid != 0)
		return zs_fail(err, ZS_USAGE, "%s belongs to another user, and names commands that would be run", path);
	return 0;
}

static int read_text(int fd, const char *path, struct zs_buf *out, struct zs_err *err)
{
	size_t n;

	if (zs_buf_reserve(out, CONF_FILE_MAX + 1, err) < 0 ||
	    zs_read_full(fd, out->p, CONF_FILE_MAX + 1, &n, ZS_USAGE, path, err) < 0)
		return -1;
	out->n = n;
	return n > CONF_FILE_MAX ? zs_fail(err, ZS_USAGE, "%s is longer than %u bytes", path, CONF_FILE_MAX) : 0;
}

static int read_one(struct conf *c, int fd, const char *path, struct zs_err *err)
{
	struct zs_buf text = ZS_BUF_INIT;
	int rc = -1;

	if (check_writers(fd, path, err) == 0 && read_text(fd, path, &text, err) == 0)
		rc = conf_read(c, path, zs_buf_span(&text), err);
	zs_buf_fini(&text);
	(void)close(fd);
	return rc;
}

/* One of the usual places: nothing there, or nothing for us, is no error. */
static int read_usual(struct session *s, const char *path, struct zs_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);

	if (fd >= 0)
		return read_one(s->conf, fd, path, err);
	if (errno == ENOENT || errno == ENOTDIR)
		return 0;
	if (errno == EACCES)
		return zs_strings_add(&s->conf_closed, zs_span_str(path), err);
	return zs_fail_sys(err, ZS_USAGE, errno, "cannot read %s", path);
}

static char *user_file(const char *home)
{
	const char *xdg = env_text("XDG_CONFIG_HOME");
	char *out = NULL;
	int n = -1;

	if (xdg && *xdg == '/')
		n = asprintf(&out, "%s/zstore/zstore.conf", xdg);
	else if (home)
		n = asprintf(&out, "%s/.config/zstore/zstore.conf", home);
	return n < 0 ? NULL : out;
}

static int read_files(struct session *s, struct zs_err *err)
{
	const char *path = opt_text(s, OPT_CONFIG, env_text("ZSTORE_CONFIG"));
	char *user;
	int fd, rc;

	if (path) {
		s->conf_path = path;
		fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		return fd < 0 ? zs_fail_sys(err, ZS_USAGE, errno, "cannot read %s", path) : read_one(s->conf, fd, path, err);
	}
	user = user_file(s->conf->home);
	rc = read_usual(s, SYSTEM_FILE, err);
	if (rc == 0 && user)
		rc = read_usual(s, user, err);
	free(user);
	if (rc == 0 && s->conf->files.n == 1)
		s->conf_path = s->conf->files.v[0];
	return rc;
}

int settings_read(struct session *s, struct zs_err *err)
{
	if (!(s->conf = calloc(1, sizeof *s->conf)))
		return zs_fail_nomem(err);
	s->conf->home = env_text("HOME");
	if (read_files(s, err) < 0)
		return -1;
	return conf_check(s->conf, err);
}

/* ------------------------------------------------------------------------ profiles */

int settings_no_file(const struct session *s, struct zs_err *err)
{
	if (s->conf_closed.n > 0)
		return zs_fail(err, ZS_USAGE, "no configuration: %s cannot be read by this user", s->conf_closed.v[0]);
	return zs_fail(err, ZS_USAGE, "there is no configuration file: neither %s nor ~/.config/zstore/zstore.conf; or say --config FILE", SYSTEM_FILE);
}

int settings_has_profiles(const struct session *s)
{
	for (size_t i = 0; i < s->conf->n; i++)
		if (s->conf->v[i]->kind == CONF_PROFILE)
			return 1;
	return 0;
}

static int no_profile(struct session *s, const char *name, struct zs_err *err)
{
	struct zs_buf names = ZS_BUF_INIT;
	struct zs_err ignored = {0};

	if (strcmp(name, "full") == 0 || strcmp(name, "live") == 0)
		return zs_fail(err, ZS_USAGE, "--profile %s goes with extract --ldif", name);
	if (s->conf->files.n == 0) {
		(void)settings_no_file(s, err);
		return zs_context(err, "profile '%s'", name);
	}
	for (size_t i = 0; i < s->conf->n; i++)
		if (s->conf->v[i]->kind == CONF_PROFILE && zs_buf_printf(&names, &ignored, "%s%s", names.n ? ", " : "", s->conf->v[i]->name) < 0)
			break;
	(void)zs_fail(err, ZS_USAGE, "no profile '%s' in %s, which has: %.*s", name, s->conf->files.v[s->conf->files.n - 1],
	    names.n ? (int)(names.n > 200 ? 200 : names.n) : 4, names.n ? (const char *)names.p : "none");
	zs_buf_fini(&names);
	return -1;
}

/* "extract --ldif --profile live" speaks of something else. */
static int is_ldif_form(const struct session *s)
{
	const char *name = opt_text(s, OPT_PROFILE, "");

	return strcmp(s->command->name, "extract") == 0 && opt_given(s, OPT_LDIF) && (strcmp(name, "full") == 0 || strcmp(name, "live") == 0);
}

const char *settings_profile_name(const struct session *s)
{
	const char *env = env_text("ZSTORE_PROFILE");

	return is_ldif_form(s) ? env : opt_text(s, OPT_PROFILE, env);
}

int settings_choose(struct session *s, struct zs_err *err)
{
	const char *name = settings_profile_name(s);
	const struct conf_section *only = NULL;
	size_t count = 0;

	if (!name)
		name = conf_text(s->conf, NULL, "default-profile");
	if (name) {
		s->profile = conf_find(s->conf, CONF_PROFILE, name);
		return s->profile ? 0 : no_profile(s, name, err);
	}
	for (size_t i = 0; i < s->conf->n; i++) {
		if (s->conf->v[i]->kind == CONF_PROFILE) {
			only = s->conf->v[i];
			count++;
		}
	}
	s->profile = count == 1 ? only : NULL;
	return 0;
}

const char *settings_text(const struct session *s, const char *key)
{
	return s->conf ? conf_text(s->conf, s->profile, key) : NULL;
}

/* ------------------------------------------------------------------------ applying */

static const struct { const char *key; enum opt_id id; const char *command; } applied[] = {
    {"exclude", OPT_EXCLUDE, "backup"},
    {"exclude-from", OPT_EXCLUDE_FROM, "backup"},
    {"one-file-system", OPT_ONE_FILE_SYSTEM, "backup"},
    {"tag", OPT_TAG, "backup"},
    {"host", OPT_HOST, "backup"},
    {"compression", OPT_COMPRESSION, "backup"},
    {"threads", OPT_THREADS, "backup"},
    {"threads", OPT_THREADS, "check"},
    {"threads", OPT_THREADS, "extract"},
    {"keep-last", OPT_KEEP_LAST, "prune"},
    {"keep-hourly", OPT_KEEP_HOURLY, "prune"},
    {"keep-daily", OPT_KEEP_DAILY, "prune"},
    {"keep-weekly", OPT_KEEP_WEEKLY, "prune"},
    {"keep-monthly", OPT_KEEP_MONTHLY, "prune"},
    {"keep-yearly", OPT_KEEP_YEARLY, "prune"},
    {"keep-within", OPT_KEEP_WITHIN, "prune"},
    {"keep-tag", OPT_KEEP_TAG, "prune"},
    {"group-by", OPT_GROUP_BY, "prune"},
    {"max-unused", OPT_MAX_UNUSED, "prune"},
};

static int apply_one(struct session *s, const char *key, enum opt_id id, struct zs_err *err)
{
	const struct conf_setting *v = NULL;
	int flag;

	while ((v = conf_next(s->conf, s->profile, key, v))) {
		if (id == OPT_ONE_FILE_SYSTEM) {
			if (parse_flag(v->value, &flag, err) < 0)
				return -1;
			s->values[id].count = flag;
			continue;
		}
		s->values[id].count++;
		s->values[id].text = v->value;
		if (zs_strings_add(&s->values[id].list, zs_span_str(v->value), err) < 0)
			return -1;
	}
	return 0;
}

static int apply(struct session *s, struct zs_err *err)
{
	for (size_t i = 0; i < sizeof applied / sizeof *applied; i++) {
		if (strcmp(applied[i].command, s->command->name) != 0 || opt_given(s, applied[i].id))
			continue;
		if (apply_one(s, applied[i].key, applied[i].id, err) < 0)
			return -1;
	}
	return 0;
}

int settings_load(struct session *s, struct zs_err *err)
{
	if (settings_read(s, err) < 0)
		return -1;
	if (s->conf->error_count > 1)
		return zs_fail(err, ZS_USAGE, "%s (and %zu more: 'zstore config check' names them)", s->conf->errors.n ? s->conf->errors.v[0] : "out of memory",
		    s->conf->error_count - 1);
	if (s->conf->error_count > 0)
		return zs_fail(err, ZS_USAGE, "%s", s->conf->errors.n ? s->conf->errors.v[0] : "out of memory");
	if (settings_choose(s, err) < 0)
		return -1;
	return apply(s, err);
}

void settings_fini(struct session *s)
{
	if (s->conf)
		conf_fini(s->conf);
	free(s->conf);
	s->conf = NULL;
	zs_strings_fini(&s->conf_closed);
}

/*
 * The commands that a profile wants to be run around a backup.  Each is a shell's, in a process group of
 * its own, without our secrets in its environment; what it prints goes to standard error.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "config.h"
#include "hooks.h"

#define GRACE_MS 5000 /* between asking a hook to end and making it */
#define TICK_MS 20

static const char *const names[] = {"before", "after", "failed", "finally"};
static const char *const keys[] = {"hook-before", "hook-after", "hook-failed", "hook-finally"};

/* --------------------------------------------------------------------- environment */

/* Secrets, and what we set ourselves. */
static const char *const hidden[] = {"ZSTORE_PASSPHRASE", "ZSTORE_NEW_PASSPHRASE", "ZSTORE_MARIADB_PASSWORD", "ZSTORE_LDAP_PASSWORD", "ZSTORE_IMAP_PASSWORD",
    "ZSTORE_HOOK", "ZSTORE_PROFILE", "ZSTORE_CONFIG", "ZSTORE_REPO", "ZSTORE_STATUS", "ZSTORE_EXIT_CODE", "ZSTORE_SNAPSHOT",
    "ZSTORE_ERROR"};

static int is_hidden(const char *assignment)
{
	size_t n = strcspn(assignment, "=");

	for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++)
		if (strlen(hidden[i]) == n && memcmp(hidden[i], assignment, n) == 0)
			return 1;
	return 0;
}

static int add_variable(struct zs_strings *env, const char *name, const char *value, struct zs_err *err)
{
	struct zs_buf text = ZS_BUF_INIT;
	int rc = 0;

	if (value)
		rc = zs_buf_printf(&text, err, "%s=%s", name, value) < 0 ? -1 : zs_strings_add(env, zs_buf_span(&text), err);
	zs_buf_fini(&text);
	return rc;
}

static int make_environment(const struct session *s, enum hook which, const struct hook_facts *f, struct zs_strings *env, struct zs_err *err)
{
	char code[16];

	for (char **e = environ; *e; e++)
		if (!is_hidden(*e) && zs_strings_add(env, zs_span_str(*e), err) < 0)
			return -1;
	(void)snprintf(code, sizeof code, "%d", f->exit_code);
	if (add_variable(env, "ZSTORE_HOOK", names[which], err) < 0 || add_variable(env, "ZSTORE_PROFILE", s->profile ? s->profile->name : NULL, err) < 0 ||
	    add_variable(env, "ZSTORE_CONFIG", s->conf_path, err) < 0 || add_variable(env, "ZSTORE_REPO", f->repo, err) < 0 ||
	    add_variable(env, "ZSTORE_STATUS", f->status, err) < 0 || add_variable(env, "ZSTORE_EXIT_CODE", f->status ? code : NULL, err) < 0 ||
	    add_variable(env, "ZSTORE_SNAPSHOT", f->snapshot, err) < 0 || add_variable(env, "ZSTORE_ERROR", f->error, err) < 0)
		return -1;
	return 0;
}

/* ------------------------------------------------------------------------- running */

static int prepare_spawn(posix_spawn_file_actions_t *actions, posix_spawnattr_t *attr)
{
	sigset_t none, usual;
	int sys;

	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	(void)sigaddset(&usual, SIGINT);
	(void)sigaddset(&usual, SIGTERM);
	(void)sigaddset(&usual, SIGHUP);
	sys = posix_spawn_file_actions_addopen(actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!sys)
		sys = posix_spawn_file_actions_adddup2(actions, STDERR_FILENO, STDOUT_FILENO);
	if (!sys)
		sys = posix_spawnattr_setsigmask(attr, &none);
	if (!sys)
		sys = posix_spawnattr_setsigdefault(attr, &usual);
	if (!sys)
		sys = posix_spawnattr_setpgroup(attr, 0);
	if (!sys)
		sys = posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
	return sys;
}

static int spawn_shell(const char *command, char **env, pid_t *out)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	char shell[] = "sh", option[] = "-c", *text = strdup(command);
	char *argv[] = {shell, option, text, NULL};
	int sys;

	if (!text)
		return ENOMEM;
	sys = posix_spawn_file_actions_init(&actions);
	if (sys)
		goto out;
	sys = posix_spawnattr_init(&attr);
	if (sys == 0) {
		sys = prepare_spawn(&actions, &attr);
		if (!sys)
			sys = posix_spawn(out, "/bin/sh", &actions, &attr, argv, env);
		(void)posix_spawnattr_destroy(&attr);
	}
	(void)posix_spawn_file_actions_destroy(&actions);
out:
	free(text);
	return sys;
}

enum ending { ENDED, TIMED_OUT, INTERRUPTED };

/* Until it ends.  A signal ends it too, if it came while the hook ran: one that runs because of it is left alone. */
static enum ending wait_for(pid_t pid, int64_t limit_s, int *out_status)
{
	const struct timespec tick = {.tv_nsec = TICK_MS * 1000 * 1000};
	uint64_t began = zs_monotonic_ns(), asked = 0;
	int was_interrupted = interrupted();
	enum ending how = ENDED;

	for (;;) {
		pid_t got = waitpid(pid, out_status, WNOHANG);
		uint64_t now = zs_monotonic_ns();

		if (got == pid || (got < 0 && errno != EINTR))
			return how;
		if (asked && now - asked > UINT64_C(1000000) * GRACE_MS) {
			(void)kill(-pid, SIGKILL);
		} else if (!asked && !was_interrupted && interrupted()) {
			how = INTERRUPTED;
		} else if (!asked && limit_s > 0 && now - began > UINT64_C(1000000000) * (uint64_t)limit_s) {
			how = TIMED_OUT;
		}
		if (how != ENDED && !asked) {
			(void)kill(-pid, SIGTERM);
			asked = now;
		}
		(void)nanosleep(&tick, NULL);
	}
}

static int judge(enum ending how, int status, int64_t limit_s, const char *what, struct zs_err *err)
{
	if (how == INTERRUPTED)
		return zs_fail(err, ZS_STOPPED, "interrupted while %s ran", what);
	if (how == TIMED_OUT)
		return zs_fail(err, ZS_SYSTEM, "%s did not end within %lld seconds, and was stopped", what, (long long)limit_s);
	if (WIFSIGNALED(status))
		return zs_fail(err, ZS_SYSTEM, "%s was ended by signal %d (%s)", what, WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return zs_fail(err, ZS_SYSTEM, "%s ended with status %d", what, WEXITSTATUS(status));
	return 0;
}

static int run_one(struct session *s, enum hook which, const struct conf_setting *v, char **env, struct zs_err *err)
{
	const char *limit = settings_text(s, "hook-timeout");
	int64_t limit_s = 0;
	char what[320];
	int status = 0, sys;
	enum ending how;
	pid_t pid;

	(void)snprintf(what, sizeof what, "%s (%.200s:%u)", keys[which], s->conf->files.v[v->file], v->line);
	if (limit && parse_timeout(limit, &limit_s, err) < 0)
		return -1;
	if (s->verbose)
		say(s, "%s: %s", keys[which], v->value);
	progress_clear(s);
	stdout_flush();
	sys = spawn_shell(v->value, env, &pid);
	if (sys)
		return zs_fail_sys(err, ZS_SYSTEM, sys, "%s: cannot run /bin/sh", what);
	signals_child(pid);
	how = wait_for(pid, limit_s, &status);
	signals_child(0);
	return judge(how, status, limit_s, what, err);
}

/* An array for exec, of what l owns. */
static char **as_array(const struct zs_strings *l, struct zs_err *err)
{
	char **v = calloc(l->n + 1, sizeof *v);

	if (!v)
		(void)zs_fail_nomem(err);
	for (size_t i = 0; v && i < l->n; i++)
		v[i] = l->v[i];
	return v;
}

int hooks_run(struct session *s, enum hook which, const struct hook_facts *f, struct zs_err *err)
{
	const struct conf_setting *v = s->conf ? conf_next(s->conf, s->profile, keys[which], NULL) : NULL;
	struct zs_strings env = {0};
	char **array = NULL;
	struct zs_err why = {0};
	int rc = 0;

	if (!v)
		return 0;
	if (make_environment(s, which, f, &env, err) < 0 || !(array = as_array(&env, err))) {
		zs_strings_fini(&env);
		return -1;
	}
	for (; v; v = conf_next(s->conf, s->profile, keys[which], v)) {
		if (run_one(s, which, v, array, rc == 0 ? err : &why) == 0)
			continue;
		if (which == HOOK_BEFORE) {
			rc = -1;
			break;
		}
		if (rc < 0)
			say_error(s, &why);
		rc = -1;
	}
	free(array);
	zs_strings_fini(&env);
	return rc;
}

/*
 * A stream that is the standard output of a command.  The command is started when
 * the stream is opened; how it ended decides whether the stream was complete.
 */
#include "source_private.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GRACE_MS 3000 /* between asking a command to end and making it */

struct command {
	char *const *argv;
	pid_t pid; /* 0: not running */
};

static int spawn(struct command *c, int pipe_fd)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attr;
	sigset_t none, usual;
	int sys;

	(void)sigemptyset(&none);
	(void)sigemptyset(&usual);
	(void)sigaddset(&usual, SIGPIPE);
	(void)sigaddset(&usual, SIGINT);
	(void)sigaddset(&usual, SIGTERM);
	(void)sigaddset(&usual, SIGHUP);
	sys = posix_spawn_file_actions_init(&actions);
	if (sys)
		return sys;
	sys = posix_spawnattr_init(&attr);
	if (sys) {
		(void)posix_spawn_file_actions_destroy(&actions);
		return sys;
	}
	sys = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	if (!sys)
		sys = posix_spawn_file_actions_adddup2(&actions, pipe_fd, STDOUT_FILENO);
	if (!sys)
		sys = posix_spawnattr_setsigmask(&attr, &none);
	if (!sys)
		sys = posix_spawnattr_setsigdefault(&attr, &usual);
	if (!sys)
		sys = posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	if (!sys)
		sys = posix_spawnp(&c->pid, c->argv[0], &actions, &attr, c->argv, environ);
	if (sys)
		c->pid = 0;
	(void)posix_spawnattr_destroy(&attr);
	(void)posix_spawn_file_actions_destroy(&actions);
	return sys;
}

static int command_start(void *ctx, int *out_fd, struct zs_err *err)
{
	struct command *c = ctx;
	int fds[2], sys;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return zs_fail_sys(err, ZS_SYSTEM, errno, "cannot make a pipe");
	(void)fcntl(fds[0], F_SETPIPE_SZ, 1 << 20); /* fewer switches; may be refused */
	sys = spawn(c, fds[1]);
	(void)close(fds[1]);
	if (sys) {
		(void)close(fds[0]);
		return zs_fail_sys(err, ZS_SOURCE, sys, "cannot run the command \"%s\"", c->argv[0]);
	}
	*out_fd = fds[0];
	return 0;
}

/* Wait for it: at most limit_ms, or -1 for ever.  1 it ended, 0 not yet. */
static int reap(struct command *c, int limit_ms, int *out_status)
{
	const struct timespec tick = {.tv_nsec = 5 * 1000 * 1000};

	for (int waited = 0;; waited += 5) {
		pid_t got = waitpid(c->pid, out_status, limit_ms < 0 ? 0 : WNOHANG);

		if (got == c->pid || (got < 0 && errno != EINTR)) {
			if (got < 0)
				*out_status = 0; /* somebody else waited for it */
			c->pid = 0;
			return 1;
		}
		if (got == 0 && waited >= limit_ms)
			return 0;
		if (got == 0)
			(void)nanosleep(&tick, NULL);
	}
}

static void end_by_force(struct command *c)
{
	int status;

	(void)kill(c->pid, SIGTERM);
	if (reap(c, GRACE_MS, &status))
		return;
	(void)kill(c->pid, SIGKILL);
	(void)reap(c, -1, &status);
}

static int command_end(void *ctx, int fd, int at_end, struct zs_err *err)
{
	struct command *c = ctx;
	int status = 0;

	(void)close(fd);
	if (!at_end) {
		end_by_force(c);
		return zs_fail(err, ZS_SOURCE, "the output of the command \"%s\" was not read to its end", c->argv[0]);
	}
	(void)reap(c, -1, &status);
	if (WIFSIGNALED(status))
		return zs_fail(err, ZS_SOURCE, "the command \"%s\" was ended by signal %d (%s)", c->argv[0],
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (WEXITSTATUS(status))
		return zs_fail(err, ZS_SOURCE, "the command \"%s\" ended with status %d", c->argv[0],
		    WEXITSTATUS(status));
	return 0;
}

static void command_free(void *ctx)
{
	struct command *c = ctx;

	if (c->pid)
		end_by_force(c);
	free(c);
}

int zs_source_command_new(char *const argv[], struct zs_span path, enum zs_kind content,
    const struct zs_source_settings *settings, struct zs_source **out, struct zs_err *err)
{
	static const struct stream_ops ops = {command_start, command_end, command_free};
	struct command *c;

	(void)settings;
	if (!argv || !argv[0] || !*argv[0])
		return zs_fail(err, ZS_USAGE, "no command to run");
	c = calloc(1, sizeof *c);
	if (!c)
		return zs_fail_nomem(err);
	c->argv = argv;
	return stream_new(&ops, c, path, content, out, err);
}

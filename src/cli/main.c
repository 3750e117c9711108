/*
 * zstore: find the command, read its options, open what it needs, run it, report, and
 * turn the cause of a failure into an exit code.
 */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

int exit_code_of(const struct zs_err *err)
{
	switch (err->cause) {
	case ZS_USAGE:
		return EXIT_USAGE;
	case ZS_CORRUPT:
		return EXIT_DAMAGED;
	case ZS_BUSY:
		return EXIT_BUSY;
	case ZS_KEY:
		return EXIT_KEY;
	default:
		return EXIT_FAILED;
	}
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; cli_commands[i]; i++)
		if (strcmp(cli_commands[i]->name, name) == 0)
			return cli_commands[i];
	return NULL;
}

/* Is the word after this common option its argument?  "--repo", "-r", "-qr": yes; "--repo=X", "-rX", "-q": no. */
static int takes_next(const char *word)
{
	const struct opt *o;

	if (word[1] == '-') {
		for (o = cli_common_options; o->name; o++)
			if (strcmp(word + 2, o->name) == 0)
				return o->arg && o->arg[0] != '[';
		return 0;
	}
	for (const char *letter = word + 1; *letter; letter++)
		for (o = cli_common_options; o->name; o++)
			if (*letter == o->letter && o->arg)
				return letter[1] == 0;
	return 0;
}

/* "zstore -r REPO backup ..." as well as "zstore backup -r REPO ...": where the command's name is, or -1. */
static int command_position(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] != '-')
			return i;
		i += takes_next(argv[i]);
	}
	return -1;
}

int cmd_help(struct session *s, int argc, char **argv, struct zs_err *err)
{
	const struct command *c;

	(void)s;
	if (argc == 0) {
		options_overview();
		return EXIT_OK;
	}
	if (!(c = find_command(argv[0])))
		return zs_fail(err, ZS_USAGE, "no command '%s'; see 'zstore help'", argv[0]);
	options_help(c);
	return EXIT_OK;
}

static int run_command(struct session *s, int argc, char **argv, struct zs_err *err)
{
	int rc;

	if (opt_given(s, OPT_HELP)) {
		options_help(s->command);
		return EXIT_OK;
	}
	if (session_prepare(s, err) < 0)
		return -1;
	rc = s->command->run(s, argc, argv, err);
	progress_end(s);
	if (rc < 0 && err->cause == ZS_STOPPED && strcmp(err->text, "stopped") == 0)
		return zs_fail(err, ZS_STOPPED, "interrupted before it was done");
	return rc;
}

/* Who reads no further, as head(1), knows that; everything else is said. */
static void say_failure(struct session *s, const struct zs_err *err)
{
	if (err->sys != EPIPE)
		say_error(s, err);
}

static int finish(struct session *s, int rc, struct zs_err *err)
{
	struct zs_err late = {0};

	if (rc < 0) {
		say_failure(s, err);
		rc = exit_code_of(err);
	}
	if (stdout_close(&late) < 0 && rc == EXIT_OK) {
		say_failure(s, &late);
		rc = EXIT_FAILED;
	}
	return rc;
}

/* No command: that is right only for --help and --version. */
static int without_command(int argc, char **argv, struct session *s, struct zs_err *err)
{
	if (argc < 2)
		return zs_fail(err, ZS_USAGE, "which command? See 'zstore help'");
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
			return cmd_help(s, 0, NULL, err);
	}
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("zstore %s\n", ZS_PROGRAM_VERSION);
		return EXIT_OK;
	}
	return zs_fail(err, ZS_USAGE, "no command after '%s'; see 'zstore help'", argv[argc - 1]);
}

/* The words around the command's name, without it. */
static char **without(int argc, char **argv, int position, int *out_n)
{
	char **rest = calloc((size_t)argc + 1, sizeof *rest);
	int n = 0;

	for (int i = 1; rest && i < argc; i++)
		if (i != position)
			rest[n++] = argv[i];
	*out_n = n;
	return rest;
}

/*
 * A descriptor that the caller closed must not become a file of the repository: what is printed would go into it.  What
 * takes its place fails as the closed one would.
 */
static void hold_descriptor(int fd, int flags)
{
	if (fcntl(fd, F_GETFD) < 0 && errno == EBADF && open("/dev/null", flags) != fd)
		_exit(EXIT_FAILED);
}

static void process_setup(void)
{
	hold_descriptor(STDIN_FILENO, O_WRONLY);
	hold_descriptor(STDOUT_FILENO, O_RDONLY);
	hold_descriptor(STDERR_FILENO, O_WRONLY);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
	(void)prctl(PR_SET_DUMPABLE, 0); /* no keys in a core file; the sanitizers' leak check cannot live with it */
#endif
	(void)setlocale(LC_CTYPE, "");
	tzset();
	(void)umask(077);
	(void)setvbuf(stderr, NULL, _IOLBF, 4096); /* a message in one piece, whoever else writes there */
	/* Buffers of a mebibyte come and go by the thousand: keep them out of mmap, whose page faults cost more than
	 * the work done in them. */
	(void)mallopt(M_MMAP_THRESHOLD, 32 << 20);
	(void)mallopt(M_TRIM_THRESHOLD, 64 << 20);
	(void)mallopt(M_ARENA_MAX, 2);
	signals_setup();
}

int main(int argc, char **argv)
{
	struct session s;
	struct zs_err err = {0};
	int position = command_position(argc, argv), n = 0, operand_count = 0, rc = -1;
	char **words = NULL, **operands = NULL;

	memset(&s, 0, sizeof s);
	process_setup();
	if (position < 0) {
		rc = without_command(argc, argv, &s, &err);
	} else if (!(s.command = find_command(argv[position]))) {
		zs_fail(&err, ZS_USAGE, "no command '%s'; see 'zstore help'", argv[position]);
	} else if (!(words = without(argc, argv, position, &n))) {
		zs_fail_nomem(&err);
	} else if (options_parse(s.command, n, words, s.values, &operand_count, &operands, &err) == 0) {
		s.json = opt_given(&s, OPT_JSON);
		s.quiet = opt_given(&s, OPT_QUIET);
		s.verbose = opt_given(&s, OPT_VERBOSE);
		rc = run_command(&s, operand_count, operands, &err);
	}
	progress_end(&s);
	rc = finish(&s, rc, &err);
	session_fini(&s);
	free(operands);
	free(words);
	return rc;
}

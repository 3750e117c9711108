/*
 * Parsing by a command's table, and the help text from the same table.  Meaning is
 * left to the commands.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static const struct opt *find_in(const struct opt *table, const char *name, size_t n, char letter)
{
	for (; table->name; table++) {
		if (name ? strlen(table->name) == n && memcmp(table->name, name, n) == 0 : table->letter == letter)
			return table;
	}
	return NULL;
}

static const struct opt *find_option(const struct command *c, const char *name, size_t n, char letter)
{
	const struct opt *o = find_in(c->options, name, n, letter);

	return o ? o : find_in(cli_common_options, name, n, letter);
}

/* "[=WHAT]": an argument that may be left out, and is given with '=' only. */
static int is_optional(const struct opt *o)
{
	return o->arg && o->arg[0] == '[';
}

static int take_value(struct opt_value values[OPT_COUNT], const struct opt *o, const char *text, struct zs_err *err)
{
	struct opt_value *v = &values[o->id];

	if (v->count++ > 0 && !o->repeats && o->arg)
		return zs_fail(err, ZS_USAGE, "--%s given twice", o->name);
	v->text = text;
	return text ? zs_strings_add(&v->list, zs_span_str(text), err) : 0;
}

struct parse {
	const struct command *c;
	int argc, at;
	char **argv;
	struct opt_value *values;
};

static int parse_long(struct parse *p, const char *text, struct zs_err *err)
{
	const char *eq = strchr(text, '=');
	size_t n = eq ? (size_t)(eq - text) : strlen(text);
	const struct opt *o = find_option(p->c, text, n, 0);

	if (!o)
		return zs_fail(err, ZS_USAGE, "unknown option --%.*s; see 'zstore %s --help'", (int)n, text, p->c->name);
	if (!o->arg)
		return eq ? zs_fail(err, ZS_USAGE, "--%s takes no argument", o->name) : take_value(p->values, o, NULL, err);
	if (eq)
		return take_value(p->values, o, eq + 1, err);
	if (is_optional(o))
		return take_value(p->values, o, NULL, err);
	if (p->at == p->argc)
		return zs_fail(err, ZS_USAGE, "--%s needs an argument: %s", o->name, o->arg);
	return take_value(p->values, o, p->argv[p->at++], err);
}

static int parse_letters(struct parse *p, const char *text, struct zs_err *err)
{
	for (; *text; text++) {
		const struct opt *o = find_option(p->c, NULL, 0, *text);

		if (!o)
			return zs_fail(err, ZS_USAGE, "unknown option -%c; see 'zstore %s --help'", *text, p->c->name);
		if (!o->arg) {
			if (take_value(p->values, o, NULL, err) < 0)
				return -1;
			continue;
		}
		if (text[1])
			return take_value(p->values, o, text + 1, err);
		if (p->at == p->argc)
			return zs_fail(err, ZS_USAGE, "-%c needs an argument: %s", *text, o->arg);
		return take_value(p->values, o, p->argv[p->at++], err);
	}
	return 0;
}

static int check_operands(const struct command *c, int n, struct zs_err *err)
{
	if (n < c->min_operands)
		return zs_fail(err, ZS_USAGE, "missing operand: zstore %s %s", c->name, c->operands);
	if (c->max_operands >= 0 && n > c->max_operands)
		return zs_fail(err, ZS_USAGE, "too many operands: zstore %s %s", c->name, c->operands);
	return 0;
}

int options_parse(const struct command *c, int argc, char **argv, struct opt_value values[OPT_COUNT], int *out_argc,
    char ***out_argv, struct zs_err *err)
{
	struct parse p = {c, argc, 0, argv, values};
	char **operands = calloc((size_t)argc + 1, sizeof *operands);
	int n = 0, rc = 0;

	if (!operands)
		return zs_fail_nomem(err);
	while (rc == 0 && p.at < argc) {
		char *text = argv[p.at++];

		if (strcmp(text, "--") == 0)
			break;
		if (text[0] == '-' && text[1] == '-')
			rc = parse_long(&p, text + 2, err);
		else if (text[0] == '-' && text[1])
			rc = parse_letters(&p, text + 1, err);
		else
			operands[n++] = text;
	}
	while (rc == 0 && p.at < argc)
		operands[n++] = argv[p.at++];
	if (rc == 0 && values[OPT_HELP].count == 0)
		rc = check_operands(c, n, err);
	if (rc < 0) {
		free(operands);
		return -1;
	}
	*out_argc = n;
	*out_argv = operands;
	return 0;
}

void options_fini(struct opt_value values[OPT_COUNT])
{
	for (int i = 0; i < OPT_COUNT; i++)
		zs_strings_fini(&values[i].list);
}

/* ----------------------------------------------------------------------- help */

static void help_table(const struct opt *o)
{
	for (; o->name; o++) {
		char left[64];

		(void)snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
		    o->letter ? "," : " ", o->name, o->arg && !is_optional(o) ? " " : "", o->arg ? o->arg : "");
		printf("  %-34s  %s%s\n", left, o->help, o->repeats ? " (repeatable)" : "");
	}
}

void options_help(const struct command *c)
{
	printf("usage: zstore %s [OPTION...] %s\n\n%s\n", c->name, c->operands, c->summary);
	if (c->options->name) {
		printf("\noptions:\n");
		help_table(c->options);
	}
	printf("\ncommon options:\n");
	help_table(cli_common_options);
	printf("\nSee zstore-%s(1).\n", c->name);
}

void options_overview(void)
{
	printf("usage: zstore COMMAND [OPTION...] [OPERAND...]\n\n"
	       "Back up mail servers into an encrypted, deduplicating repository.\n\ncommands:\n");
	for (size_t i = 0; cli_commands[i]; i++)
		printf("  %-11s %s\n", cli_commands[i]->name, cli_commands[i]->summary);
	printf("\ncommon options:\n");
	help_table(cli_common_options);
	printf("\nA snapshot is named by the first digits of its id, 'latest' or 'latest:HOST';\n"
	       "a place in it is SNAPSHOT:PATH.  'zstore COMMAND --help' says more; see zstore(1).\n");
}

/* --------------------------------------------------------------------- values */

int opt_given(const struct session *s, enum opt_id id)
{
	return s->values[id].count > 0;
}

const char *opt_text(const struct session *s, enum opt_id id, const char *otherwise)
{
	return s->values[id].count ? s->values[id].text : otherwise;
}

const struct zs_strings *opt_list(const struct session *s, enum opt_id id)
{
	return &s->values[id].list;
}

int opt_number(const struct session *s, enum opt_id id, int64_t min, int64_t max, int64_t *io_value, struct zs_err *err)
{
	const char *text = opt_text(s, id, NULL);

	return text ? parse_number(text, min, max, io_value, err) : 0;
}

/*
 * snapshots -v: what a snapshot's manifest says of its sources.  What belongs together, as all that is said of one
 * table, stands in one line; of many tables the first few are shown.
 */
#include "manifest_text.h"

#include <stdlib.h>
#include <string.h>

#define LINES_MAX 10u  /* of one list */
#define VALUES_MAX 24u /* in a line */
#define VALUE_COLUMNS 120u

struct printing {
	struct zs_buf line; /* key of the line that is being printed, or left out */
	struct zs_buf list; /* and of the list that it is of */
	uint64_t lines;	    /* of the list */
	uint64_t values;    /* in the line */
	int in_head;	    /* a source's head line has no end yet */
};

static void end_line(struct printing *p)
{
	if (p->values > VALUES_MAX && p->lines <= LINES_MAX)
		printf(", ... and %llu more", (unsigned long long)(p->values - VALUES_MAX));
	if (p->in_head || (p->values > 0 && p->lines <= LINES_MAX))
		printf("\n");
	p->in_head = 0;
	p->values = 0;
	zs_buf_clear(&p->line);
}

static void end_list(struct printing *p)
{
	end_line(p);
	if (p->lines > LINES_MAX)
		printf("        ... and %llu more (--json has all)\n", (unsigned long long)(p->lines - LINES_MAX));
	p->lines = 0;
	zs_buf_clear(&p->list);
}

static void become(struct zs_buf *b, struct zs_span key)
{
	struct zs_err ignored = {0};

	zs_buf_clear(b);
	if (zs_buf_add_span(b, key, &ignored) < 0)
		zs_buf_clear(b); /* costs a line break */
}

/* One value of the line `line` of the list `list`; name may be empty. */
static void value_in(struct printing *p, struct zs_span list, struct zs_span line, const char *name, struct zs_span value)
{
	if (!zs_span_eq(list, zs_buf_span(&p->list))) {
		end_list(p);
		become(&p->list, list);
	}
	if (!zs_span_eq(line, zs_buf_span(&p->line))) {
		end_line(p);
		become(&p->line, line);
		if (++p->lines <= LINES_MAX) {
			printf("        ");
			print_safe(stdout, line, 0);
			printf(": ");
		}
	}
	if (p->values++ >= VALUES_MAX || p->lines > LINES_MAX)
		return;
	if (p->values > 1)
		printf(", ");
	if (*name) {
		print_safe(stdout, zs_span_str(name), 0);
		printf(" ");
	}
	print_safe(stdout, value, VALUE_COLUMNS);
}

/*
 * "tables.7.rows" is of line "tables.7" of the list "tables", "mailboxes.a@b.org.items" of line "mailboxes.a@b.org" of "mailboxes",
 * "server.version" of line "server", "databases.3" of "databases".
 */
static void value_of(struct printing *p, const char *key, struct zs_span value)
{
	size_t head = strcspn(key, "."), digits;
	const char *rest = key[head] ? key + head + 1 : key + head, *last = strrchr(rest, '.');

	digits = strspn(rest, "0123456789");
	if (last && last > rest + digits)
		value_in(p, zs_span(key, head), zs_span(key, (size_t)(last - key)), last + 1, value);
	else if (digits > 0 && rest[digits] == '.')
		value_in(p, zs_span(key, head), zs_span(key, (size_t)(rest - key) + digits), rest + digits + 1, value);
	else
		value_in(p, zs_span(key, head), zs_span(key, head), digits > 0 && !rest[digits] ? "" : rest, value);
}

/* The name makes a head line, to which what comes right after it is added. */
static void of_source(struct printing *p, const char *field, struct zs_span value)
{
	int is_name = strcmp(field, "name") == 0;

	if (is_name) {
		end_list(p);
		p->in_head = 1;
		printf("    source ");
		print_safe(stdout, value, VALUE_COLUMNS);
	} else if (p->in_head && (strcmp(field, "type") == 0 || strcmp(field, "state") == 0)) {
		printf(", ");
		print_safe(stdout, value, VALUE_COLUMNS);
	} else if (value.n > 0 && !(strcmp(field, "problems") == 0 && zs_span_eq(value, zs_span_str("0")))) {
		value_of(p, strncmp(field, "detail.", 7) == 0 ? field + 7 : field, value);
	}
}

static int on_value(void *ctx, const char *key, struct zs_span value)
{
	const char *field;

	if (strncmp(key, "sources.", 8) == 0 && (field = strchr(key + 8, '.')))
		of_source(ctx, field + 1, value);
	else
		value_of(ctx, key, value);
	return 0;
}

void manifest_print(struct session *s, const struct zs_snapshot *snap)
{
	struct printing p = {.lines = 0};
	struct zs_err err = {0};

	if (snap->manifest.n == 0)
		return;
	if (zs_manifest_walk(zs_buf_span(&snap->manifest), on_value, &p, &err) < 0)
		say_error(s, &err);
	end_list(&p);
	zs_buf_fini(&p.line);
	zs_buf_fini(&p.list);
}

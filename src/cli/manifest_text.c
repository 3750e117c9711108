/*
 * snapshots -v: what a snapshot's manifest says of its sources, a value a line.  Where a source tells the same of
 * each of many tables or contexts, only the first few are shown.
 */
#include "manifest_text.h"

#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 12u	  /* values of one list or table */
#define DEPTH_SHOWN 4	  /* "sources.0.detail.tables": what has its own count of values */
#define VALUE_COLUMNS 200u

struct printing {
	struct zs_buf group; /* of the values: their key without what is below DEPTH_SHOWN */
	uint64_t in_group;
	int in_head; /* a head line has no end yet */
};

static void end_head(struct printing *p)
{
	if (p->in_head)
		printf("\n");
	p->in_head = 0;
}

static void end_group(struct printing *p)
{
	if (p->in_group > SHOWN_MAX)
		printf("        ... and %llu more (--json has all)\n", (unsigned long long)(p->in_group - SHOWN_MAX));
	p->in_group = 0;
	zs_buf_clear(&p->group);
}

/* Bytes of key before its component number depth, or all of it. */
static size_t upto(const char *key, int depth)
{
	size_t n = 0;

	for (; key[n]; n++)
		if (key[n] == '.' && --depth == 0)
			break;
	return n;
}

static void value_line(struct printing *p, const char *key, const char *shown, struct zs_span value)
{
	struct zs_span group = zs_span(key, upto(key, DEPTH_SHOWN));
	struct zs_err ignored = {0};

	end_head(p);
	if (!zs_span_eq(group, zs_buf_span(&p->group))) {
		end_group(p);
		if (zs_buf_add_span(&p->group, group, &ignored) < 0)
			zs_buf_clear(&p->group);
	}
	if (++p->in_group > SHOWN_MAX)
		return;
	printf("        ");
	print_safe(stdout, zs_span_str(shown), 0);
	printf(": ");
	print_safe(stdout, value, VALUE_COLUMNS);
	printf("\n");
}

/* The name makes a head line, to which what comes right after it is added. */
static void of_source(struct printing *p, const char *key, const char *field, struct zs_span value)
{
	int is_name = strcmp(field, "name") == 0;

	if (is_name) {
		end_head(p);
		end_group(p);
		p->in_head = 1;
	}
	if (p->in_head && (is_name || strcmp(field, "type") == 0 || strcmp(field, "state") == 0 || strcmp(field, "problems") == 0)) {
		printf(is_name ? "    source " : strcmp(field, "problems") == 0 ? ", problems: " : ", ");
		print_safe(stdout, value, VALUE_COLUMNS);
		return;
	}
	value_line(p, key, strncmp(field, "detail.", 7) == 0 ? field + 7 : field, value);
}

static int on_value(void *ctx, const char *key, struct zs_span value)
{
	struct printing *p = ctx;
	const char *field;

	if (strncmp(key, "sources.", 8) == 0 && (field = strchr(key + 8, '.')))
		of_source(p, key, field + 1, value);
	else
		value_line(p, key, key, value);
	return 0;
}

void manifest_print(struct session *s, const struct zs_snapshot *snap)
{
	struct printing p = {.in_group = 0};
	struct zs_err err = {0};

	if (snap->manifest.n == 0)
		return;
	if (zs_manifest_walk(zs_buf_span(&snap->manifest), on_value, &p, &err) < 0)
		say_error(s, &err);
	end_head(&p);
	end_group(&p);
	zs_buf_fini(&p.group);
}

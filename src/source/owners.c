/*
 * Names of user and group numbers, remembered: asking may go over the network, and
 * a mail store has the same few owners in millions of files.
 */
#include "source_private.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_MAX (1u << 20)

static char *ask(uint32_t id, int is_group, char *buf, size_t n, int *out_sys)
{
	struct passwd pw, *pwp = NULL;
	struct group gr, *grp = NULL;

	*out_sys = is_group ? getgrgid_r(id, &gr, buf, n, &grp) : getpwuid_r(id, &pw, buf, n, &pwp);
	if (*out_sys)
		return NULL;
	if (is_group)
		return grp ? gr.gr_name : NULL;
	return pwp ? pw.pw_name : NULL;
}

/* The name in memory of its own; NULL: it has none, or it cannot be found out. */
static char *look_up(uint32_t id, int is_group)
{
	size_t n = 4096;
	char *name = NULL;
	int sys = ERANGE;

	while (sys == ERANGE && n <= ANSWER_MAX) {
		char *buf = malloc(n), *got;

		if (!buf)
			return NULL;
		got = ask(id, is_group, buf, n, &sys);
		if (got && *got && strlen(got) <= ZS_COMPONENT_MAX)
			name = strdup(got);
		free(buf);
		n *= 4;
	}
	return name;
}

static struct zs_span find(struct owners_slot *slots, uint32_t id, int is_group)
{
	struct owners_slot *s = &slots[(id * 2654435761u) >> 24];

	if (!s->used || s->id != id) {
		free(s->name);
		*s = (struct owners_slot){.name = look_up(id, is_group), .id = id, .used = 1};
	}
	return s->name ? zs_span_str(s->name) : zs_span(NULL, 0);
}

struct zs_span owners_user(struct owners *o, uint32_t uid)
{
	return find(o->users, uid, 0);
}

struct zs_span owners_group(struct owners *o, uint32_t gid)
{
	return find(o->groups, gid, 1);
}

void owners_fini(struct owners *o)
{
	for (unsigned i = 0; i < OWNERS_SLOTS; i++) {
		free(o->users[i].name);
		free(o->groups[i].name);
	}
	memset(o, 0, sizeof *o);
}

/*
 * Which ids an entry's owner has on this machine: by name where there is such a name, else as stored.  Answers are
 * remembered, since a directory service may stand behind each question.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#include "target_private.h"

#define LOOKUP_MAX (4u << 20) /* a group's members can be many */

enum { USERS, GROUPS };
enum { ROW_EMPTY, ROW_KNOWN, ROW_UNKNOWN };

/* One question with a buffer of n bytes: 0 or an error number. */
static int ask(int table, const char *name, char *buf, size_t n, uint32_t *out, int *out_found)
{
	struct passwd pw, *found_pw = NULL;
	struct group gr, *found_gr = NULL;
	int sys;

	if (table == USERS) {
		sys = getpwnam_r(name, &pw, buf, n, &found_pw);
		if (found_pw)
			*out = found_pw->pw_uid;
	} else {
		sys = getgrnam_r(name, &gr, buf, n, &found_gr);
		if (found_gr)
			*out = found_gr->gr_gid;
	}
	*out_found = found_pw || found_gr;
	return sys;
}

/* 1 and the id, or 0. */
static int look_up(int table, const char *name, uint32_t *out)
{
	int found = 0;

	for (size_t n = 4096; n <= LOOKUP_MAX; n *= 4) {
		char *buf = malloc(n);
		int sys;

		if (!buf)
			return 0;
		sys = ask(table, name, buf, n, out, &found);
		free(buf);
		if (sys != ERANGE)
			break;
	}
	return found;
}

static uint32_t id_of(struct zs_files *f, int table, struct zs_span name, uint32_t stored)
{
	struct owner_row *row;
	uint32_t id = stored;

	if (name.n == 0 || name.n >= OWNER_NAME_MAX || memchr(name.p, 0, name.n))
		return stored;
	(void)pthread_mutex_lock(&f->owners_lock);
	row = &f->owners[table][zs_hash64(0, name) % OWNERS_CACHED];
	if (row->state == ROW_EMPTY || strlen(row->name) != name.n || memcmp(row->name, name.p, name.n) != 0) {
		memcpy(row->name, name.p, name.n);
		row->name[name.n] = '\0';
		row->state = look_up(table, row->name, &row->id) ? ROW_KNOWN : ROW_UNKNOWN;
	}
	if (row->state == ROW_KNOWN)
		id = row->id;
	(void)pthread_mutex_unlock(&f->owners_lock);
	return id;
}

void owner_ids(struct zs_files *f, const struct zs_entry *e, uid_t *out_uid, gid_t *out_gid)
{
	*out_uid = e->uid;
	*out_gid = e->gid;
	if (f->numeric_owner)
		return;
	*out_uid = id_of(f, USERS, e->user, e->uid);
	*out_gid = id_of(f, GROUPS, e->group, e->gid);
}

/*
 * Session objects: announcing one, looking whether it stands, listing them, ending them, and telling whether a
 * writer of this host is gone.  No clock: what cannot be known is alive.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_private.h"

#define SESSIONS_BOOT_ID "/proc/sys/kernel/random/boot_id"

/* ------------------------------------------------------------ this host, this boot */

/* A small file of the system, as much as there is; nothing if it cannot be read. */
static int sessions_add_file(struct zs_buf *b, const char *path)
{
	struct zs_err ignored = {0};

	return zs_read_file(path, 4096, b, ZS_SYSTEM, &ignored);
}

/* Not a text, but the same for whatever is told apart by it: 16 bytes of a hash. */
static void sessions_hash(const struct zs_buf *b, uint8_t out[static 16])
{
	struct zs_name hash;

	zs_codec_name(zs_buf_span(b), &hash);
	memcpy(out, hash.b, 16);
}

/* Clones of one image often share a machine id, and containers a kernel: all that tells them apart goes in. */
static int sessions_machine(uint8_t out[static 16], struct zs_err *err)
{
	struct zs_buf b = ZS_BUF_INIT;
	char host[256] = "", space[64] = "";
	int rc;

	/* Without a machine id only this boot can be known again. */
	if (sessions_add_file(&b, "/etc/machine-id") < 0 || b.n < 32)
		(void)sessions_add_file(&b, SESSIONS_BOOT_ID);
	(void)sessions_add_file(&b, "/sys/class/dmi/id/product_uuid");
	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = 0;
	if (readlink("/proc/self/ns/pid", space, sizeof(space) - 1) < 0)
		space[0] = 0;
	rc = zs_buf_printf(&b, err, "|%s|%s", host, space);
	sessions_hash(&b, out);
	zs_buf_fini(&b);
	return rc;
}

static void sessions_boot(uint8_t out[static 16])
{
	struct zs_buf b = ZS_BUF_INIT;

	memset(out, 0, 16);
	if (sessions_add_file(&b, SESSIONS_BOOT_ID) == 0 && b.n > 0)
		sessions_hash(&b, out);
	zs_buf_fini(&b);
}

/* Start time of a process in ticks since boot, 0 if it cannot be known. */
static uint64_t sessions_pid_start(uint64_t pid)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	char path[64];
	char *p;
	uint64_t start = 0;

	snprintf(path, sizeof(path), "/proc/%llu/stat", (unsigned long long)pid);
	if (zs_read_file(path, 65536, &b, ZS_SYSTEM, &ignored) < 0 || zs_buf_add_u8(&b, 0, &ignored) < 0)
		goto out;
	p = strrchr((char *)b.p, ')'); /* the second field may hold anything */
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (p)
		start = strtoull(p + 1, NULL, 10);
out:
	zs_buf_fini(&b);
	return start;
}

int sessions_is_dead(const struct zs_session *s)
{
	static const uint8_t unknown[16];
	uint8_t machine[16], boot[16];
	struct zs_err ignored = {0};
	uint64_t start;

	if (sessions_machine(machine, &ignored) < 0)
		return 0;
	sessions_boot(boot);
	if (memcmp(machine, s->machine, 16) != 0 || memcmp(boot, unknown, 16) == 0 || memcmp(s->boot, unknown, 16) == 0)
		return 0;
	if (memcmp(boot, s->boot, 16) != 0)
		return 1;
	if (s->pid < 1 || s->pid > INT_MAX)
		return 0;
	if (kill((pid_t)s->pid, 0) < 0 && errno == ESRCH)
		return 1;
	start = sessions_pid_start(s->pid);
	return start != 0 && s->pid_start != 0 && start != s->pid_start;
}

/* ------------------------------------------------------------------ one session */

int sessions_announce(struct zs_store *st, enum zs_session_role role, struct zs_name *out_name, struct zs_err *err)
{
	char host[256] = "";
	struct zs_session s = {.role = (uint8_t)role, .host = host};

	if (gethostname(host, sizeof(host) - 1) < 0)
		host[0] = 0;
	if (sessions_machine(s.machine, err) < 0)
		return -1;
	sessions_boot(s.boot);
	s.pid = (uint64_t)getpid();
	s.pid_start = sessions_pid_start(s.pid);
	s.time_ns = zs_now_ns();
	if (records_put_session(st, &s, out_name, err) < 0)
		return zs_context(err, "announcing a session in %s", zs_backend_describe(st->be));
	return 0;
}

int sessions_stands(struct zs_store *st, const struct zs_name *session, struct zs_err *err)
{
	uint64_t bytes;

	return zs_backend_stat(st->be, ZS_OBJ_SESSION, session, &bytes, err);
}

int zs_store_session_end(struct zs_store *st, const struct zs_name *session, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	if (zs_backend_delete(st->be, ZS_OBJ_SESSION, session, err) < 0)
		return zs_context(err, "ending session %s", zs_name_hex(session, hex));
	return 0;
}

/* ------------------------------------------------------------------------ all */

static int sessions_load(struct zs_store *st, const struct zs_names *names, struct zs_session_list *l,
    struct zs_err *err)
{
	for (size_t i = 0; i < names->n; i++) {
		struct zs_session_row *row = &l->v[l->n];

		memset(row, 0, sizeof(*row));
		row->name = names->v[i];
		if (records_get_session(st, &row->name, &row->session, err) == 0) {
			row->is_dead = sessions_is_dead(&row->session);
			l->n++;
			continue;
		}
		if (err->cause != ZS_NOTFOUND)
			return -1;
		zs_err_clear(err); /* it ended while we looked */
	}
	return 0;
}

int zs_store_sessions(struct zs_store *st, struct zs_session_list *out, struct zs_err *err)
{
	struct zs_session_list l = {NULL, 0};
	struct zs_names names = {0};
	int rc = -1;

	if (objects_list(st->be, ZS_OBJ_SESSION, &names, err) < 0)
		return -1;
	l.v = calloc(names.n ? names.n : 1, sizeof(*l.v));
	if (!l.v) {
		zs_fail_nomem(err);
		goto out;
	}
	if (sessions_load(st, &names, &l, err) < 0)
		goto out;
	*out = l;
	l = (struct zs_session_list){NULL, 0};
	rc = 0;
out:
	zs_session_list_fini(&l);
	zs_names_fini(&names);
	return rc;
}

void zs_session_list_fini(struct zs_session_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		zs_format_session_fini(&l->v[i].session);
	free(l->v);
	*l = (struct zs_session_list){NULL, 0};
}

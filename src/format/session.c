/*
 * The small records by which writers and prune stay out of each other's way:
 * sessions, condemned lists, removals.  The protocol is the store's.
 */
#include <stdlib.h>

#include "format_private.h"

enum {
	S_ROLE = 1,
	S_HOST = 3,
	S_MACHINE = 5,
	S_BOOT = 7,
	S_PID = 9,
	S_PID_START = 11,
	S_TIME = 12,
};
enum {
	C_PACKS = 1,
	C_WAITS = 3,
};
enum {
	R_SNAPSHOTS = 1,
	R_SEQUENCE = 3,
	R_TIME = 4,
	R_HOST = 6,
};

static const char session_record[] = "session", condemned_record[] = "condemned list",
		  removal_record[] = "removal record";

/* ------------------------------------------------------------------ sessions */

int zs_format_session_encode(const struct zs_session *s, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;

	fields_begin(&w, session_record, out, err);
	if (s->role < ZS_SESSION_WRITER || s->role > ZS_SESSION_PRUNE)
		fields_refuse(&w, ZS_INTERNAL, "role is not set");
	fields_add_u64(&w, S_ROLE, s->role);
	fields_add_text(&w, S_HOST, s->host);
	fields_add_fixed(&w, S_MACHINE, s->machine, sizeof s->machine);
	fields_add_fixed(&w, S_BOOT, s->boot, sizeof s->boot);
	fields_add_u64(&w, S_PID, s->pid);
	fields_add_u64(&w, S_PID_START, s->pid_start);
	fields_add_i64(&w, S_TIME, s->time_ns);
	return fields_end(&w);
}

static int take_role(const struct fields *f, struct zs_span value, uint8_t *out)
{
	uint64_t v = 0;

	if (fields_u64(f, "role", value, UINT64_MAX, &v) < 0)
		return -1;
	if (v > ZS_SESSION_PRUNE)
		return fields_newer(f, "role");
	*out = (uint8_t)v;
	return 0;
}

static int session_field(const struct fields *f, unsigned tag, struct zs_span value, struct zs_session *s)
{
	switch (tag) {
	case S_ROLE:
		return take_role(f, value, &s->role);
	case S_HOST:
		return fields_text(f, "host", value, &s->host);
	case S_MACHINE:
		return fields_fixed(f, "machine", value, s->machine, sizeof s->machine);
	case S_BOOT:
		return fields_fixed(f, "boot", value, s->boot, sizeof s->boot);
	case S_PID:
		return fields_u64(f, "process", value, UINT64_MAX, &s->pid);
	case S_PID_START:
		return fields_u64(f, "start of the process", value, UINT64_MAX, &s->pid_start);
	case S_TIME:
		return fields_i64(f, "time", value, &s->time_ns);
	}
	return 0;
}

int zs_format_session_decode(struct zs_span s, struct zs_session *out, struct zs_err *err)
{
	const uint64_t known = FIELD(S_ROLE) | FIELD(S_HOST) | FIELD(S_MACHINE) | FIELD(S_BOOT) | FIELD(S_PID) |
			       FIELD(S_PID_START) | FIELD(S_TIME);
	struct zs_session session = {0};
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more;

	fields_open(&f, session_record, s, known, 0, err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (session_field(&f, tag, value, &session) < 0)
			goto fail;
	if (more < 0 || fields_need(&f, FIELD(S_ROLE)) < 0)
		goto fail;
	if (!session.host && !(session.host = fields_dup(zs_span(NULL, 0), err)))
		goto fail;
	*out = session;
	return 0;
fail:
	zs_format_session_fini(&session);
	return -1;
}

void zs_format_session_fini(struct zs_session *s)
{
	free(s->host);
	*s = (struct zs_session){0};
}

/* ------------------------------------------------------------ condemned lists */

static struct zs_span names_span(const struct zs_names *l)
{
	return zs_span(l->v, l->n * ZS_NAME_BYTES);
}

static int take_names(const struct fields *f, const char *what, struct zs_span value, struct zs_names *out)
{
	struct zs_name name;

	if (value.n % ZS_NAME_BYTES)
		return fields_bad(f, what, "have a wrong length");
	for (size_t at = 0; at < value.n; at += ZS_NAME_BYTES) {
		memcpy(name.b, value.p + at, ZS_NAME_BYTES);
		if (zs_names_add(out, &name, f->err) < 0)
			return -1;
	}
	return 0;
}

int zs_format_condemned_encode(const struct zs_condemned *c, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;

	fields_begin(&w, condemned_record, out, err);
	if (!c->has_waits && c->waits_for.n)
		fields_refuse(&w, ZS_INTERNAL, "sessions are named but not said to be known");
	fields_add_bytes(&w, C_PACKS, names_span(&c->packs));
	if (c->has_waits)
		fields_add_any(&w, C_WAITS, names_span(&c->waits_for));
	return fields_end(&w);
}

int zs_format_condemned_decode(struct zs_span s, struct zs_condemned *out, struct zs_err *err)
{
	struct zs_condemned c = {0};
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more, rc = 0;

	fields_open(&f, condemned_record, s, FIELD(C_PACKS) | FIELD(C_WAITS), 0, err);
	while (!rc && (more = fields_next(&f, &tag, &value)) != 0) {
		if (more < 0) {
			rc = -1;
		} else if (tag == C_PACKS) {
			rc = value.n ? take_names(&f, "packs", value, &c.packs) : fields_bad(&f, "packs", "are none");
		} else {
			c.has_waits = 1;
			rc = take_names(&f, "sessions", value, &c.waits_for);
		}
	}
	if (rc < 0)
		zs_format_condemned_fini(&c);
	else
		*out = c;
	return rc;
}

void zs_format_condemned_fini(struct zs_condemned *c)
{
	zs_names_fini(&c->packs);
	zs_names_fini(&c->waits_for);
	*c = (struct zs_condemned){0};
}

/* ------------------------------------------------------------------- removals */

int zs_format_removal_encode(const struct zs_removal *r, struct zs_buf *out, struct zs_err *err)
{
	struct fields_writer w;

	fields_begin(&w, removal_record, out, err);
	fields_add_bytes(&w, R_SNAPSHOTS, names_span(&r->snapshots));
	fields_add_u64(&w, R_SEQUENCE, r->highest_sequence);
	fields_add_i64(&w, R_TIME, r->time_ns);
	fields_add_text(&w, R_HOST, r->host);
	return fields_end(&w);
}

static int removal_field(const struct fields *f, unsigned tag, struct zs_span value, struct zs_removal *r)
{
	switch (tag) {
	case R_SNAPSHOTS:
		return value.n ? take_names(f, "snapshots", value, &r->snapshots)
			       : fields_bad(f, "snapshots", "are none");
	case R_SEQUENCE:
		return fields_u64(f, "highest sequence", value, UINT64_MAX, &r->highest_sequence);
	case R_TIME:
		return fields_i64(f, "time", value, &r->time_ns);
	case R_HOST:
		return fields_text(f, "host", value, &r->host);
	}
	return 0;
}

int zs_format_removal_decode(struct zs_span s, struct zs_removal *out, struct zs_err *err)
{
	struct zs_removal r = {0};
	struct fields f;
	struct zs_span value;
	unsigned tag = 0;
	int more;

	fields_open(
	    &f, removal_record, s, FIELD(R_SNAPSHOTS) | FIELD(R_SEQUENCE) | FIELD(R_TIME) | FIELD(R_HOST), 0, err);
	while ((more = fields_next(&f, &tag, &value)) > 0)
		if (removal_field(&f, tag, value, &r) < 0)
			goto fail;
	if (more < 0)
		goto fail;
	if (!r.host && !(r.host = fields_dup(zs_span(NULL, 0), err)))
		goto fail;
	*out = r;
	return 0;
fail:
	zs_format_removal_fini(&r);
	return -1;
}

void zs_format_removal_fini(struct zs_removal *r)
{
	zs_names_fini(&r->snapshots);
	free(r->host);
	*r = (struct zs_removal){0};
}

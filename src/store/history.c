/*
 * What this client saw last of each host: newest snapshot and its sequence, kept in the cache directory as lines of
 * "sequence name host-in-hex".  Only a memory: a file that is gone or cannot be read is an empty one.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "store_private.h"

#define HISTORY_MAX (4u << 20)

static const char history_magic[] = "zstore seen 1\n";

static int history_add(struct history *h, struct zs_span host, struct history_row **out, struct zs_err *err)
{
	struct history_row *v;

	for (size_t i = 0; i < h->n; i++) {
		if (zs_span_eq(zs_buf_span(&h->v[i].host), host)) {
			*out = &h->v[i];
			return 0;
		}
	}
	v = realloc(h->v, (h->n + 1) * sizeof(*v));
	if (!v)
		return zs_fail_nomem(err);
	h->v = v;
	memset(&v[h->n], 0, sizeof(*v));
	if (zs_buf_add_span(&v[h->n].host, host, err) < 0)
		return -1;
	*out = &v[h->n++];
	return 0;
}

int history_note(struct history *h, const struct zs_name *name, const struct zs_snapshot *s, struct zs_err *err)
{
	struct history_row *row;

	if (history_add(h, zs_span_str(s->host), &row, err) < 0)
		return -1;
	if (s->sequence >= row->sequence) {
		row->sequence = s->sequence;
		row->name = *name;
	}
	return 0;
}

static int history_unhex(const char *hex, struct zs_buf *out, struct zs_err *err)
{
	for (; hex[0] && hex[1]; hex += 2) {
		unsigned v;

		if (sscanf(hex, "%2x", &v) != 1 || zs_buf_add_u8(out, (uint8_t)v, err) < 0)
			return -1;
	}
	return 0;
}

/* A line: 0, or -1 if it is none of ours. */
static int history_parse(struct history *h, char *line, struct zs_err *err)
{
	struct zs_buf host = ZS_BUF_INIT;
	struct history_row *row;
	struct zs_name name;
	char *name_at, *host_at;
	uint64_t sequence;
	int rc = -1;

	name_at = strchr(line, ' ');
	host_at = name_at ? strchr(name_at + 1, ' ') : NULL;
	if (!host_at)
		return -1;
	*name_at++ = 0;
	*host_at++ = 0;
	sequence = strtoull(line, NULL, 10);
	if (zs_name_parse(name_at, &name) < 0 || history_unhex(host_at, &host, err) < 0)
		goto out;
	if (history_add(h, zs_buf_span(&host), &row, err) < 0)
		goto out;
	row->name = name;
	row->sequence = sequence;
	rc = 0;
out:
	zs_buf_fini(&host);
	return rc;
}

int history_load(const struct zs_store *st, struct history *out, struct zs_err *err)
{
	struct zs_buf path = ZS_BUF_INIT, text = ZS_BUF_INIT;
	struct zs_err ignored = {0};
	char *line, *next;

	*out = (struct history){NULL, 0};
	if (open_cache_path(st, "seen", &path, &ignored) < 0 ||
	    zs_read_file((const char *)path.p, HISTORY_MAX, &text, ZS_SYSTEM, &ignored) < 0)
		goto out;
	if (zs_buf_add_u8(&text, 0, err) < 0) {
		zs_buf_fini(&path);
		zs_buf_fini(&text);
		return -1;
	}
	line = (char *)text.p;
	if (strncmp(line, history_magic, strlen(history_magic)) != 0)
		goto out;
	for (line += strlen(history_magic); (next = strchr(line, '\n')); line = next) {
		*next++ = 0;
		if (history_parse(out, line, &ignored) < 0)
			break;
	}
out:
	zs_buf_fini(&path);
	zs_buf_fini(&text);
	return 0;
}

static int history_print(const struct history *h, struct zs_buf *out, struct zs_err *err)
{
	char hex[ZS_NAME_HEX];

	if (zs_buf_add_span(out, zs_span_str(history_magic), err) < 0)
		return -1;
	for (size_t i = 0; i < h->n; i++) {
		const struct history_row *row = &h->v[i];

		if (zs_buf_printf(out, err, "%" PRIu64 " %s ", row->sequence, zs_name_hex(&row->name, hex)) < 0)
			return -1;
		for (size_t k = 0; k < row->host.n; k++) {
			if (zs_buf_printf(out, err, "%02x", row->host.p[k]) < 0)
				return -1;
		}
		if (zs_buf_add_u8(out, '\n', err) < 0)
			return -1;
	}
	return 0;
}

static int history_write(const char *path, struct zs_span text, struct zs_err *err)
{
	int fd, rc;

	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
	rc = zs_write_all(fd, text.p, text.n, ZS_SYSTEM, path, err);
	if (close(fd) < 0 && rc == 0)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
	return rc;
}

void history_save(const struct zs_store *st, const struct history *h)
{
	struct zs_buf path = ZS_BUF_INIT, tmp = ZS_BUF_INIT, text = ZS_BUF_INIT;
	struct zs_err ignored = {0};

	if (open_cache_path(st, "seen", &path, &ignored) < 0 || history_print(h, &text, &ignored) < 0)
		goto out;
	if (zs_buf_printf(&tmp, &ignored, "%s.%ld", (const char *)path.p, (long)getpid()) < 0 ||
	    zs_buf_add_u8(&tmp, 0, &ignored) < 0)
		goto out;
	if (history_write((const char *)tmp.p, zs_buf_span(&text), &ignored) < 0 ||
	    rename((const char *)tmp.p, (const char *)path.p) < 0)
		(void)unlink((const char *)tmp.p);
out:
	zs_buf_fini(&path);
	zs_buf_fini(&tmp);
	zs_buf_fini(&text);
}

void history_fini(struct history *h)
{
	for (size_t i = 0; i < h->n; i++)
		zs_buf_fini(&h->v[i].host);
	free(h->v);
	*h = (struct history){NULL, 0};
}

/*
 * A small JSON writer.  One object a line; strings are always valid UTF-8.
 */
#include <inttypes.h>
#include <string.h>

#include "cli.h"

static void separate(struct json *j)
{
	if (j->after_key) {
		j->after_key = 0;
		return;
	}
	if (j->depth > 0 && !j->first[j->depth])
		(void)fputc(',', j->f);
	j->first[j->depth] = 0;
}

void json_begin(struct json *j, FILE *f)
{
	memset(j, 0, sizeof *j);
	j->f = f;
}

void json_open(struct json *j, char bracket)
{
	separate(j);
	(void)fputc(bracket, j->f);
	j->first[++j->depth] = 1;
}

void json_close(struct json *j, char bracket)
{
	j->depth--;
	(void)fputc(bracket, j->f);
}

void json_bytes(struct json *j, struct zs_span text)
{
	struct zs_buf quoted = ZS_BUF_INIT;
	struct zs_err err = {0};

	separate(j);
	if (zs_buf_json(&quoted, text, &err) == 0)
		(void)fwrite(quoted.p, 1, quoted.n, j->f);
	else
		(void)fputs("null", j->f); /* no memory */
	zs_buf_fini(&quoted);
}

void json_raw(struct json *j, struct zs_span json)
{
	separate(j);
	(void)fwrite(json.p, 1, json.n, j->f);
}

void json_text(struct json *j, const char *text)
{
	json_bytes(j, zs_span_str(text));
}

void json_key(struct json *j, const char *key)
{
	json_text(j, key);
	(void)fputc(':', j->f);
	j->after_key = 1;
}

void json_u64(struct json *j, uint64_t v)
{
	separate(j);
	(void)fprintf(j->f, "%" PRIu64, v);
}

void json_i64(struct json *j, int64_t v)
{
	separate(j);
	(void)fprintf(j->f, "%" PRId64, v);
}

void json_bool(struct json *j, int v)
{
	separate(j);
	(void)fputs(v ? "true" : "false", j->f);
}

void json_time(struct json *j, int64_t ns)
{
	char text[32];

	json_text(j, zs_time_iso(ns, text));
}

void json_end(struct json *j)
{
	(void)fputc('\n', j->f);
	if (j->f == stdout)
		stdout_flush();
	else
		(void)fflush(j->f);
}

static void base64(FILE *f, struct zs_span s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < s.n; i += 3) {
		unsigned v = (unsigned)s.p[i] << 16 | (i + 1 < s.n ? (unsigned)s.p[i + 1] << 8 : 0) | (i + 2 < s.n ? s.p[i + 2] : 0);

		(void)fprintf(f, "%c%c%c%c", digits[v >> 18], digits[v >> 12 & 63], i + 1 < s.n ? digits[v >> 6 & 63] : '=',
		    i + 2 < s.n ? digits[v & 63] : '=');
	}
}

void json_path(struct json *j, const char *key, struct zs_span path)
{
	int valid = 1;

	for (size_t i = 0, len; valid && i < path.n; i += len)
		valid = (len = zs_utf8_length(path.p + i, path.n - i)) > 0;
	json_key(j, key);
	json_bytes(j, path);
	if (valid)
		return;
	separate(j);
	(void)fprintf(j->f, "\"%s_base64\":\"", key);
	base64(j->f, path);
	(void)fputc('"', j->f);
}

void json_kv_text(struct json *j, const char *key, const char *text)
{
	json_key(j, key);
	json_text(j, text);
}

void json_kv_u64(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

void json_kv_bool(struct json *j, const char *key, int v)
{
	json_key(j, key);
	json_bool(j, v);
}

void json_kv_list(struct json *j, const char *key, const struct zs_strings *list)
{
	json_key(j, key);
	json_open(j, '[');
	for (size_t i = 0; i < list->n; i++)
		json_text(j, list->v[i]);
	json_close(j, ']');
}

void json_kv_joined(struct json *j, const char *key, struct zs_span joined)
{
	json_key(j, key);
	json_open(j, '[');
	while (joined.n > 0) {
		const uint8_t *end = memchr(joined.p, 0, joined.n);
		size_t n = end ? (size_t)(end - joined.p) : joined.n;

		json_bytes(j, zs_span(joined.p, n));
		n += end != NULL;
		joined = zs_span(joined.p + n, joined.n - n);
	}
	json_close(j, ']');
}

/* ------------------------------------------------------------------- our rows */

void json_totals(struct json *j, const struct zs_totals *t)
{
	json_kv_u64(j, "entries", t->entries);
	json_kv_u64(j, "files", t->files);
	json_kv_u64(j, "messages", t->messages);
	json_kv_u64(j, "bytes", t->bytes);
}

void json_snapshot(struct json *j, const struct zs_snapshot_row *row)
{
	const struct zs_snapshot *s = row->snapshot;
	char hex[ZS_NAME_HEX], root[ZS_ID_HEX];

	json_open(j, '{');
	json_kv_text(j, "id", zs_name_hex(&row->name, hex));
	json_key(j, "time");
	json_time(j, s->time_ns);
	json_kv_text(j, "host", s->host);
	json_kv_text(j, "user", s->user);
	json_kv_list(j, "paths", &s->paths);
	json_kv_list(j, "tags", &s->tags);
	json_kv_bool(j, "partial", (s->flags & ZS_SNAPSHOT_PARTIAL) != 0);
	json_kv_u64(j, "skipped", s->skipped);
	json_kv_list(j, "reasons", &s->reasons);
	json_totals(j, &s->totals);
	json_kv_u64(j, "added_bytes", s->added_bytes);
	json_kv_u64(j, "sequence", s->sequence);
	json_kv_text(j, "tree", zs_id_hex(&s->root, root));
	json_kv_text(j, "previous", zs_name_hex(&s->previous, hex));
	json_kv_text(j, "program", s->program);
	if (s->manifest.n && zs_manifest_valid(zs_buf_span(&s->manifest))) {
		json_key(j, "manifest");
		json_raw(j, zs_buf_span(&s->manifest));
	}
	json_close(j, '}');
}

static void json_message(struct json *j, const struct zs_entry *e)
{
	json_kv_bool(j, "message", 1);
	json_key(j, "from");
	json_bytes(j, e->from);
	json_key(j, "to");
	json_bytes(j, e->to);
	json_key(j, "subject");
	json_bytes(j, e->subject);
	json_key(j, "message_id");
	json_bytes(j, e->message_id);
	json_kv_joined(j, "attachments", e->attachments);
	if (e->date_ns != INT64_MIN) {
		json_key(j, "date");
		json_time(j, e->date_ns);
	}
}

static void json_item(struct json *j, const struct zs_entry *e)
{
	json_kv_u64(j, "item_id", e->item_id);
	json_key(j, "folder");
	json_bytes(j, e->item_folder);
	json_kv_joined(j, "flags", e->item_flags);
	json_kv_joined(j, "tags", e->item_tags);
	if (e->item_date_ns != INT64_MIN) {
		json_key(j, "received");
		json_time(j, e->item_date_ns);
	}
}

void json_entry(struct json *j, struct zs_span path, const struct zs_entry *e)
{
	static const char *const kinds[] = {"?", "file", "dir", "symlink", "fifo", "socket", "char", "block"};
	char mode[8];

	json_path(j, "path", path);
	json_kv_text(j, "type", kinds[e->kind < 8 ? e->kind : 0]);
	if (e->flags & ZS_ENTRY_HAS_MODE) {
		(void)snprintf(mode, sizeof mode, "%04o", e->mode & 07777);
		json_kv_text(j, "mode", mode);
		json_kv_u64(j, "uid", e->uid);
		json_kv_u64(j, "gid", e->gid);
		json_key(j, "user");
		json_bytes(j, e->user);
		json_key(j, "group");
		json_bytes(j, e->group);
	}
	json_key(j, "mtime");
	json_time(j, e->mtime_ns);
	json_key(j, "mtime_ns");
	json_i64(j, e->mtime_ns);
	if (e->kind == ZS_ENTRY_FILE)
		json_kv_u64(j, "size", e->size);
	if (e->kind == ZS_ENTRY_SYMLINK)
		json_path(j, "target", e->target);
	if (e->flags & ZS_ENTRY_UNSTABLE)
		json_kv_bool(j, "unstable", 1);
	if (e->flags & ZS_ENTRY_MESSAGE)
		json_message(j, e);
	if (e->flags & ZS_ENTRY_HAS_ITEM)
		json_item(j, e);
}

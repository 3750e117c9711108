/*
 * Writes down what each record of format holds.  Equal texts mean equal fields, so
 * round trips are compared by it, and the vectors in store-format/ are made of it.
 */
#ifndef ZSTORE_TEST_DUMP_H
#define ZSTORE_TEST_DUMP_H

#include "json.h"
#include "zstore/format.h"

static inline void dump_texts(struct json *j, const char *key, const struct zs_strings *l)
{
	json_open(j, key, "[");
	for (size_t i = 0; i < l->n; i++)
		json_bytes(j, NULL, zs_span_str(l->v[i]));
	json_close(j, "]");
}

static inline void dump_text(struct json *j, const char *key, const char *text)
{
	json_bytes(j, key, zs_span_str(text ? text : ""));
}

static inline void dump_config(struct json *j, const struct zs_config *c)
{
	json_open(j, "sizes", "[");
	for (unsigned kind = 0; kind < ZS_KINDS; kind++) {
		if (!c->sizes[kind].max_bytes)
			continue;
		json_open(j, NULL, "{");
		json_u64(j, "kind", kind);
		json_u64(j, "min_bytes", c->sizes[kind].min_bytes);
		json_u64(j, "avg_bytes", c->sizes[kind].avg_bytes);
		json_u64(j, "max_bytes", c->sizes[kind].max_bytes);
		json_close(j, "}");
	}
	json_close(j, "]");
	json_u64(j, "block_bytes", c->block_bytes);
	json_u64(j, "pack_bytes", c->pack_bytes);
	json_u64(j, "level", c->level);
	json_u64(j, "created_ns", c->created_ns);
}

static inline void dump_slot(struct json *j, const struct zs_slot *s)
{
	dump_text(j, "label", s->label);
	json_u64(j, "secret", s->secret);
	json_u64(j, "role", s->role);
	json_hex(j, "salt", s->salt, sizeof s->salt);
	json_u64(j, "ops", s->ops);
	json_u64(j, "mem_kib", s->mem_kib);
	json_u64(j, "created_ns", s->created_ns);
	json_bytes(j, "box", s->box);
}

static inline void dump_slot_keys(struct json *j, const struct zs_slot_keys *k)
{
	json_hex(j, "chunk_id", k->chunk_id, 32);
	json_hex(j, "seed", k->seed, 32);
	json_hex(j, "meta", k->meta, 32);
	json_hex(j, "data_public", k->data_public, 32);
	json_hex(j, "data_secret", k->data_secret, 32);
}

static inline void dump_pack_dir(struct json *j, const struct zs_pack_dir *d)
{
	json_open(j, "blocks", "[");
	for (uint32_t i = 0; i < d->block_count; i++) {
		const struct zs_pack_block *b = &d->blocks[i];

		json_open(j, NULL, "{");
		json_u64(j, "kind", b->kind);
		json_u64(j, "stored_bytes", b->stored_bytes);
		json_u64(j, "plain_bytes", b->plain_bytes);
		json_open(j, "chunks", "[");
		for (uint32_t k = 0; k < b->chunk_count; k++) {
			const struct zs_pack_chunk *c = &d->chunks[b->first_chunk + k];

			json_open(j, NULL, "{");
			json_hex(j, "id", c->id.b, ZS_ID_BYTES);
			json_u64(j, "bytes", c->bytes);
			json_close(j, "}");
		}
		json_close(j, "]");
		json_close(j, "}");
	}
	json_close(j, "]");
}

static inline void dump_pack_trailer(struct json *j, const struct zs_pack_trailer *t)
{
	json_u64(j, "dir_offset", t->dir_offset);
	json_u64(j, "dir_stored_bytes", t->dir_stored_bytes);
	json_u64(j, "block_count", t->block_count);
	json_u64(j, "padding_offset", t->padding_offset);
	json_u64(j, "padding_stored_bytes", t->padding_stored_bytes);
}

static inline void dump_index(struct json *j, const struct zs_index_object *o)
{
	json_open(j, "packs", "[");
	for (uint32_t i = 0; i < o->pack_count; i++) {
		const struct zs_index_pack *p = &o->packs[i];

		json_open(j, NULL, "{");
		json_hex(j, "name", p->name.b, ZS_NAME_BYTES);
		json_hex(j, "tag", p->tag, sizeof p->tag);
		json_u64(j, "stored_bytes", p->stored_bytes);
		json_hex(j, "writer", p->writer.b, ZS_NAME_BYTES);
		dump_pack_dir(j, &p->dir);
		json_close(j, "}");
	}
	json_close(j, "]");
}

static inline void dump_totals(struct json *j, const struct zs_totals *t)
{
	json_open(j, "totals", "{");
	json_u64(j, "entries", t->entries);
	json_u64(j, "files", t->files);
	json_u64(j, "messages", t->messages);
	json_u64(j, "bytes", t->bytes);
	json_close(j, "}");
}

static inline void dump_snapshot(struct json *j, const struct zs_snapshot *s)
{
	json_hex(j, "root", s->root.b, ZS_ID_BYTES);
	json_i64(j, "time_ns", s->time_ns);
	dump_text(j, "host", s->host);
	dump_text(j, "user", s->user);
	dump_text(j, "program", s->program);
	dump_texts(j, "tags", &s->tags);
	dump_texts(j, "paths", &s->paths);
	dump_texts(j, "reasons", &s->reasons);
	json_u64(j, "flags", s->flags);
	json_u64(j, "skipped", s->skipped);
	dump_totals(j, &s->totals);
	json_u64(j, "added_bytes", s->added_bytes);
	json_hex(j, "previous", s->previous.b, ZS_NAME_BYTES);
	json_hex(j, "newest_seen", s->newest_seen.b, ZS_NAME_BYTES);
	json_hex(j, "writer", s->writer.b, ZS_NAME_BYTES);
	json_u64(j, "sequence", s->sequence);
	json_bytes(j, "manifest", zs_buf_span(&s->manifest));
}

static inline void dump_session(struct json *j, const struct zs_session *s)
{
	json_u64(j, "role", s->role);
	dump_text(j, "host", s->host);
	json_hex(j, "machine", s->machine, sizeof s->machine);
	json_hex(j, "boot", s->boot, sizeof s->boot);
	json_u64(j, "pid", s->pid);
	json_u64(j, "pid_start", s->pid_start);
	json_i64(j, "time_ns", s->time_ns);
}

static inline void dump_names(struct json *j, const char *key, const struct zs_names *l)
{
	json_open(j, key, "[");
	for (size_t i = 0; i < l->n; i++)
		json_hex(j, NULL, l->v[i].b, ZS_NAME_BYTES);
	json_close(j, "]");
}

static inline void dump_condemned(struct json *j, const struct zs_condemned *c)
{
	dump_names(j, "packs", &c->packs);
	if (c->has_waits)
		dump_names(j, "waits_for", &c->waits_for);
	else
		json_null(j, "waits_for");
}

static inline void dump_removal(struct json *j, const struct zs_removal *r)
{
	dump_names(j, "snapshots", &r->snapshots);
	json_u64(j, "highest_sequence", r->highest_sequence);
	json_i64(j, "time_ns", r->time_ns);
	dump_text(j, "host", r->host);
}

static inline void dump_time(struct json *j, const char *key, int64_t ns)
{
	if (ns == INT64_MIN)
		json_null(j, key);
	else
		json_i64(j, key, ns);
}

static inline void dump_entry_message(struct json *j, const struct zs_entry *e)
{
	json_bytes(j, "from", e->from);
	json_bytes(j, "to", e->to);
	json_bytes(j, "subject", e->subject);
	json_bytes(j, "message_id", e->message_id);
	json_bytes(j, "attachments", e->attachments);
	dump_time(j, "date_ns", e->date_ns);
	json_u64(j, "item_id", e->item_id);
	json_bytes(j, "item_folder", e->item_folder);
	json_bytes(j, "item_flags", e->item_flags);
	json_bytes(j, "item_tags", e->item_tags);
	dump_time(j, "item_date_ns", e->item_date_ns);
}

static inline void dump_entry(struct json *j, const struct zs_entry *e)
{
	json_u64(j, "kind", e->kind);
	json_u64(j, "flags", e->flags);
	json_u64(j, "mode", e->mode);
	json_u64(j, "uid", e->uid);
	json_u64(j, "gid", e->gid);
	json_bytes(j, "user", e->user);
	json_bytes(j, "group", e->group);
	json_i64(j, "mtime_ns", e->mtime_ns);
	json_u64(j, "size", e->size);
	json_u64(j, "rdev", e->rdev);
	json_u64(j, "link_dev", e->link_dev);
	json_u64(j, "link_ino", e->link_ino);
	json_u64(j, "identity", e->identity);
	json_u64(j, "sum", e->sum);
	json_bytes(j, "target", e->target);
	json_bytes(j, "xattrs", e->xattrs);
	json_bytes(j, "inline_data", e->inline_data);
	json_bytes(j, "recipe", e->recipe);
	json_u64(j, "recipe_depth", e->recipe_depth);
	dump_entry_message(j, e);
	json_bytes(j, "extra", e->extra);
}

static inline void dump_op(struct json *j, const struct zs_op *op)
{
	static const char *const names[] = {"?", "skeleton", "take", "raw", "b64", "hole"};

	json_open(j, NULL, "{");
	dump_text(j, "op", names[op->type]);
	json_u64(j, "bytes", op->bytes);
	if (op->type == ZS_OP_SKELETON || op->type == ZS_OP_RAW)
		json_hex(j, "id", op->id.b, ZS_ID_BYTES);
	if (op->type == ZS_OP_B64) {
		json_u64(j, "line", op->line);
		json_u64(j, "crlf", op->crlf);
		json_u64(j, "tail", op->tail);
		json_u64(j, "chunks", op->chunks);
	}
	json_close(j, "}");
}

static inline void dump_row(struct json *j, unsigned level, const struct zs_node_row *row)
{
	json_open(j, NULL, "{");
	json_bytes(j, "path", row->path);
	if (level) {
		json_hex(j, "child", row->child.b, ZS_ID_BYTES);
		dump_totals(j, &row->totals);
	} else {
		json_bytes(j, "entry", row->entry);
	}
	json_close(j, "}");
}

#endif

/*
 * What the valid vectors are made of.  Never edit one: add another.
 */
#ifndef ZSTORE_TEST_VECTORS_VALID_H
#define ZSTORE_TEST_VECTORS_VALID_H

#include "records.h"

struct valid_vector {
	const char *name, *meaning;
	void (*make)(struct zs_buf *out);
};

/* Bytes first, first+1, ... */
static void fill(uint8_t *p, size_t n, unsigned first)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(first + i);
}

static struct zs_id an_id(unsigned first)
{
	struct zs_id id;

	fill(id.b, sizeof id.b, first);
	return id;
}

static struct zs_name a_name(unsigned first)
{
	struct zs_name name;

	fill(name.b, sizeof name.b, first);
	return name;
}

static void add_hex(struct zs_buf *out, const char *hex)
{
	for (; *hex; hex += 2) {
		char two[3] = {hex[0], hex[1], '\0'};
		struct zs_err err;

		record_must(zs_buf_add_u8(out, (uint8_t)strtoul(two, NULL, 16), &err));
	}
}

#define SECONDS INT64_C(1000000000)
#define A_TIME (INT64_C(1763851445) * SECONDS)

/* ------------------------------------------------------------ config, slots */

static void config_full(struct zs_buf *out)
{
	struct zs_config c = {
	    .block_bytes = 1 << 20, .pack_bytes = 48 << 20, .level = 3, .created_ns = (uint64_t)A_TIME + 5};
	struct zs_err err;

	c.sizes[ZS_KIND_TEXT] = (struct zs_config_sizes){4096, 16384, 65536};
	c.sizes[ZS_KIND_ATTACHMENT] = (struct zs_config_sizes){16384, 65536, 262144};
	c.sizes[ZS_KIND_FILE] = (struct zs_config_sizes){16384, 65536, 262144};
	c.sizes[ZS_KIND_SQL] = (struct zs_config_sizes){64, 64, 1 << 20};
	record_must(zs_format_config_encode(&c, out, &err));
}

static void config_smallest(struct zs_buf *out)
{
	struct zs_config c = {.block_bytes = 64 << 10, .pack_bytes = 1 << 20};
	struct zs_err err;

	record_must(zs_format_config_encode(&c, out, &err));
}

static void config_skipped(struct zs_buf *out)
{
	config_smallest(out);
	add_hex(out, "0a03616263"); /* tag 10 */
	add_hex(out, "0a00");	    /* once more, empty */
	add_hex(out, "c80101ff");   /* tag 200 */
}

static void config_object(struct zs_buf *out)
{
	struct zs_name id = a_name(0x40);
	struct zs_err err;

	record_must(zs_format_config_object_encode(&id, zs_span_str("(a box)"), out, &err));
}

static void slot_passphrase(struct zs_buf *out)
{
	struct zs_slot s = {.label = "first",
	    .secret = ZS_SECRET_PASSPHRASE,
	    .role = ZS_ROLE_FULL,
	    .ops = 3,
	    .mem_kib = 262144,
	    .created_ns = (uint64_t)A_TIME,
	    .box = zs_span_str("(a box)")};
	struct zs_err err;

	fill(s.salt, sizeof s.salt, 0x80);
	record_must(zs_format_slot_encode(&s, out, &err));
}

static void slot_write_only(struct zs_buf *out)
{
	struct zs_slot s = {.secret = ZS_SECRET_KEYFILE, .role = ZS_ROLE_WRITE, .ops = 64, .mem_kib = 8,
	    .box = zs_span_str("(a box)")};
	struct zs_err err;

	fill(s.salt, sizeof s.salt, 1);
	record_must(zs_format_slot_encode(&s, out, &err));
}

static void slot_keys(struct zs_buf *out, int full)
{
	struct zs_slot_keys k = {{0}, {0}, {0}, {0}, {0}};
	struct zs_err err;

	fill(k.chunk_id, 32, 1);
	fill(k.seed, 32, 0x21);
	fill(k.meta, 32, 0x41);
	fill(k.data_public, 32, 0x61);
	if (full)
		fill(k.data_secret, 32, 0x81);
	record_must(zs_format_slot_keys_encode(&k, out, &err));
}

static void slot_keys_full(struct zs_buf *out)
{
	slot_keys(out, 1);
}

static void slot_keys_write(struct zs_buf *out)
{
	slot_keys(out, 0);
}

/* -------------------------------------------------------------- packs, index */

static void block_plain(struct zs_buf *out)
{
	struct zs_err err;

	record_must(zs_format_block_head_encode(0, 5, out, &err));
	add_hex(out, "68656c6c6f");
}

static void block_zstd(struct zs_buf *out)
{
	struct zs_err err;

	record_must(zs_format_block_head_encode(1, ZS_BLOCK_MAX, out, &err));
	add_hex(out, "28b52ffd"); /* the payload is not looked at */
}

static void fill_dir(struct zs_pack_dir *d)
{
	struct zs_id a = an_id(0x10), b = an_id(0x20), c = an_id(0x30);
	struct zs_err err;

	record_must(zs_pack_dir_add_block(d, ZS_KIND_HEADER, 700, &err));
	record_must(zs_pack_dir_add_chunk(d, &a, 1000, &err));
	record_must(zs_pack_dir_add_chunk(d, &b, 127, &err));
	record_must(zs_pack_dir_add_block(d, ZS_KIND_ATTACHMENT, (1 << 20) + 21, &err));
	record_must(zs_pack_dir_add_chunk(d, &c, 1 << 20, &err));
}

static void dir_two_blocks(struct zs_buf *out)
{
	struct zs_pack_dir d = {0};
	struct zs_err err;

	fill_dir(&d);
	record_must(zs_format_pack_dir_encode(&d, out, &err));
	zs_pack_dir_fini(&d);
}

static void dir_empty(struct zs_buf *out)
{
	struct zs_pack_dir d = {0};
	struct zs_err err;

	record_must(zs_format_pack_dir_encode(&d, out, &err));
}

static void dir_duplicate(struct zs_buf *out)
{
	struct zs_pack_dir d = {0};
	struct zs_id a = an_id(0x10);
	struct zs_err err;

	record_must(zs_pack_dir_add_block(&d, ZS_KIND_TEXT, 50, &err));
	record_must(zs_pack_dir_add_chunk(&d, &a, 64, &err));
	record_must(zs_pack_dir_add_chunk(&d, &a, 64, &err));
	record_must(zs_format_pack_dir_encode(&d, out, &err));
	zs_pack_dir_fini(&d);
}

static void dir_skipped(struct zs_buf *out)
{
	dir_two_blocks(out);
	add_hex(out, "0202abcd");
}

static void trailer(struct zs_buf *out)
{
	struct zs_pack_trailer t = {.dir_offset = 50331648, .dir_stored_bytes = 70000, .block_count = 48,
	    .padding_offset = 50000000, .padding_stored_bytes = 331648};
	uint8_t b[ZS_PACK_TRAILER_PLAIN];
	struct zs_err err;

	zs_format_pack_trailer_encode(&t, b);
	record_must(zs_buf_add(out, b, sizeof b, &err));
}

static void index_two_packs(struct zs_buf *out)
{
	struct zs_index_object o = {0};
	struct zs_index_pack *p;
	struct zs_err err;

	record_must(zs_index_object_add(&o, &p, &err));
	p->name = a_name(1);
	fill(p->tag, sizeof p->tag, 0x41);
	p->stored_bytes = UINT64_C(5000000000);
	p->writer = a_name(0x81);
	fill_dir(&p->dir);
	record_must(zs_index_object_add(&o, &p, &err));
	p->name = a_name(2);
	p->stored_bytes = 300;
	record_must(zs_format_index_encode(&o, out, &err));
	zs_index_object_fini(&o);
}

static void nothing(struct zs_buf *out)
{
	zs_buf_clear(out);
}

/* ------------------------------------------------- snapshots, small records */

static void add_text(struct zs_strings *l, const char *text)
{
	struct zs_err err;

	record_must(zs_strings_add(l, zs_span_str(text), &err));
}

static void snapshot_full(struct zs_buf *out)
{
	char host[] = "mail.example.org", user[] = "root", program[] = "zstore 0.1.0";
	char json[] = "[1, 2]";
	struct zs_snapshot s = {.root = an_id(0x10),
	    .time_ns = A_TIME,
	    .host = host,
	    .user = user,
	    .program = program,
	    .flags = ZS_SNAPSHOT_PARTIAL,
	    .skipped = 2,
	    .totals = {1000, 900, 800, UINT64_C(6000000000)},
	    .added_bytes = 12345678,
	    .previous = a_name(1),
	    .newest_seen = a_name(2),
	    .writer = a_name(3),
	    .sequence = 17};
	struct zs_err err;

	add_text(&s.tags, "nightly");
	add_text(&s.tags, "");
	add_text(&s.paths, "srv/mail");
	add_text(&s.paths, "etc");
	add_text(&s.reasons, "srv/mail/x: Permission denied");
	record_must(zs_buf_add(&s.manifest, json, sizeof json - 1, &err));
	record_must(zs_format_snapshot_encode(&s, out, &err));
	zs_strings_fini(&s.tags);
	zs_strings_fini(&s.paths);
	zs_strings_fini(&s.reasons);
	zs_buf_fini(&s.manifest);
}

static void snapshot_smallest(struct zs_buf *out)
{
	struct zs_snapshot s = {.root = an_id(0x10), .time_ns = -1};
	struct zs_err err;

	record_must(zs_format_snapshot_encode(&s, out, &err));
}

static void snapshot_skipped(struct zs_buf *out)
{
	snapshot_smallest(out);
	add_hex(out, "1e0131"); /* tag 30 */
}

static void session_writer(struct zs_buf *out)
{
	char host[] = "mail.example.org";
	struct zs_session s = {
	    .role = ZS_SESSION_WRITER, .host = host, .pid = 4711, .pid_start = 99887766, .time_ns = A_TIME};
	struct zs_err err;

	fill(s.machine, 16, 0xa0);
	fill(s.boot, 16, 0xb0);
	record_must(zs_format_session_encode(&s, out, &err));
}

static void session_smallest(struct zs_buf *out)
{
	struct zs_session s = {.role = ZS_SESSION_PRUNE};
	struct zs_err err;

	record_must(zs_format_session_encode(&s, out, &err));
}

static void condemned(struct zs_buf *out, int waits, unsigned sessions)
{
	struct zs_condemned c = {.has_waits = (uint8_t)waits};
	struct zs_name a = a_name(1), b = a_name(0x21), s = a_name(0x90);
	struct zs_err err;

	record_must(zs_names_add(&c.packs, &a, &err));
	record_must(zs_names_add(&c.packs, &b, &err));
	while (sessions--)
		record_must(zs_names_add(&c.waits_for, &s, &err));
	record_must(zs_format_condemned_encode(&c, out, &err));
	zs_format_condemned_fini(&c);
}

static void condemned_fresh(struct zs_buf *out)
{
	condemned(out, 0, 0);
}

static void condemned_no_sessions(struct zs_buf *out)
{
	condemned(out, 1, 0);
}

static void condemned_waits(struct zs_buf *out)
{
	condemned(out, 1, 1);
}

static void removal_two(struct zs_buf *out)
{
	char host[] = "admin";
	struct zs_removal r = {.highest_sequence = 300, .time_ns = A_TIME, .host = host};
	struct zs_name a = a_name(1), b = a_name(0x21);
	struct zs_err err;

	record_must(zs_names_add(&r.snapshots, &a, &err));
	record_must(zs_names_add(&r.snapshots, &b, &err));
	record_must(zs_format_removal_encode(&r, out, &err));
	zs_names_fini(&r.snapshots);
}

/* ------------------------------------------------------------------- entries */

static struct zs_entry an_entry(enum zs_entry_kind kind)
{
	return (struct zs_entry){.kind = (uint8_t)kind,
	    .flags = ZS_ENTRY_HAS_MODE,
	    .mode = 0644,
	    .uid = 1000,
	    .gid = 100,
	    .user = zs_span_str("zimbra"),
	    .group = zs_span_str("users"),
	    .mtime_ns = A_TIME,
	    .date_ns = INT64_MIN,
	    .item_date_ns = INT64_MIN};
}

static void put_entry(const struct zs_entry *e, struct zs_buf *out)
{
	struct zs_err err;

	record_must(zs_format_entry_encode(e, out, &err));
}

static void entry_dir(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_DIR);

	e.mode = 0;
	e.uid = e.gid = 0;
	e.identity = UINT64_C(0x1122334455667788);
	put_entry(&e, out);
}

static void entry_bare(struct zs_buf *out)
{
	struct zs_entry e = {.kind = ZS_ENTRY_FIFO, .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};

	put_entry(&e, out);
}

static void entry_inline(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_FILE);

	e.mtime_ns += 123456789;
	e.inline_data = zs_span_str("hello\n");
	e.size = 6;
	e.identity = 1;
	e.sum = zs_hash64(0, e.inline_data);
	put_entry(&e, out);
}

static void entry_empty(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_FILE);

	e.flags |= ZS_ENTRY_UNSTABLE;
	e.sum = zs_hash64(0, zs_span(NULL, 0));
	put_entry(&e, out);
}

static void entry_message(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_FILE);
	struct zs_op skeleton = {.type = ZS_OP_SKELETON, .id = an_id(0x10), .bytes = 700},
		     take = {.type = ZS_OP_TAKE, .bytes = 700};
	struct zs_buf recipe = ZS_BUF_INIT;
	struct zs_err err;

	record_must(zs_format_op_encode(&skeleton, &recipe, &err));
	record_must(zs_format_op_encode(&take, &recipe, &err));
	e.flags |= ZS_ENTRY_MESSAGE | ZS_ENTRY_HAS_ITEM;
	e.size = 700;
	e.recipe = zs_buf_span(&recipe);
	e.from = zs_span_str("Ann <ann@example.org>");
	e.to = zs_span_str("bob@example.org");
	e.subject = zs_span_str("Gr\xc3\xbc\xc3\x9f\x65");
	e.message_id = zs_span_str("1@example.org");
	e.attachments = zs_span("a.pdf\0b.png", 11);
	e.date_ns = A_TIME - 2 * SECONDS;
	e.item_id = 257;
	e.item_folder = zs_span_str("/Inbox");
	e.item_flags = zs_span_str("read");
	e.item_tags = zs_span("x\0y", 3);
	e.item_date_ns = A_TIME + 1;
	e.identity = UINT64_C(0xfedcba9876543210);
	e.sum = 0x42;
	put_entry(&e, out);
	zs_buf_fini(&recipe);
}

static void entry_item_zero(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_DIR);

	e.flags = ZS_ENTRY_HAS_ITEM;
	put_entry(&e, out);
}

static void entry_symlink(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_SYMLINK);

	e.mode = 0777;
	e.target = zs_span_str("../etc/passwd");
	put_entry(&e, out);
}

static void entry_hard_link(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_FILE);
	struct zs_op hole = {.type = ZS_OP_HOLE, .bytes = UINT64_C(1) << 40};
	struct zs_buf recipe = ZS_BUF_INIT, xattrs = ZS_BUF_INIT;
	struct zs_err err;

	record_must(zs_format_op_encode(&hole, &recipe, &err));
	record_must(zs_format_xattr_add(&xattrs, zs_span_str("user.a"), zs_span_str("1"), &err));
	e.mode = 07777;
	e.uid = e.gid = UINT32_MAX;
	e.size = UINT64_C(1) << 40;
	e.link_ino = 12;
	e.recipe = zs_buf_span(&recipe);
	e.xattrs = zs_buf_span(&xattrs);
	e.sum = 7;
	put_entry(&e, out);
	zs_buf_fini(&recipe);
	zs_buf_fini(&xattrs);
}

static void entry_device(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_CHAR);

	e.rdev = UINT64_MAX;
	e.link_dev = UINT64_MAX;
	e.link_ino = UINT64_MAX;
	put_entry(&e, out);
}

static void entry_before_1970(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_DIR);

	e.mtime_ns = -1;
	e.date_ns = -SECONDS;
	put_entry(&e, out);
}

static void entry_extreme_times(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_DIR);

	e.flags |= ZS_ENTRY_HAS_ITEM;
	e.mtime_ns = INT64_MIN;
	e.date_ns = INT64_MAX;
	e.item_date_ns = INT64_MIN + 1;
	put_entry(&e, out);
}

static void entry_depth(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_FILE);
	struct zs_op raw = {.type = ZS_OP_RAW, .id = an_id(0x30), .bytes = 1 << 20};
	struct zs_buf recipe = ZS_BUF_INIT;
	struct zs_err err;

	record_must(zs_format_op_encode(&raw, &recipe, &err));
	e.size = UINT64_MAX;
	e.recipe = zs_buf_span(&recipe);
	e.recipe_depth = 2;
	put_entry(&e, out);
	zs_buf_fini(&recipe);
}

static void entry_extra(struct zs_buf *out)
{
	struct zs_entry e = an_entry(ZS_ENTRY_DIR);

	e.extra = zs_span("\x02\x03"
			  "abc\x02\x00\x80\x01\x01\xff", 11);
	put_entry(&e, out);
}

static void xattrs_three(struct zs_buf *out)
{
	struct zs_err err;

	record_must(zs_format_xattr_add(out, zs_span_str("security.selinux"), zs_span("\0\1\2", 3), &err));
	record_must(zs_format_xattr_add(out, zs_span_str("user.a"), zs_span(NULL, 0), &err));
	record_must(zs_format_xattr_add(out, zs_span_str("user.ab"), zs_span_str("value"), &err));
}

/* ------------------------------------------------------------ recipes, nodes */

static void put_op(struct zs_buf *out, struct zs_op op)
{
	struct zs_err err;

	record_must(zs_format_op_encode(&op, out, &err));
}

static void recipe_message(struct zs_buf *out)
{
	put_op(out, (struct zs_op){.type = ZS_OP_SKELETON, .id = an_id(0x10), .bytes = 900});
	put_op(out, (struct zs_op){.type = ZS_OP_TAKE, .bytes = 700});
	put_op(out, (struct zs_op){.type = ZS_OP_B64, .line = 76, .crlf = 1, .tail = 1, .bytes = 300000, .chunks = 2});
	put_op(out, (struct zs_op){.type = ZS_OP_RAW, .id = an_id(0x20), .bytes = 200000});
	put_op(out, (struct zs_op){.type = ZS_OP_RAW, .id = an_id(0x30), .bytes = 100000});
	put_op(out, (struct zs_op){.type = ZS_OP_TAKE, .bytes = 200});
}

static void recipe_forms(struct zs_buf *out)
{
	put_op(out, (struct zs_op){.type = ZS_OP_B64, .line = 76, .bytes = 1, .chunks = 1});
	put_op(out, (struct zs_op){.type = ZS_OP_B64, .line = 1, .tail = 1, .bytes = UINT64_MAX, .chunks = UINT64_MAX});
	put_op(out, (struct zs_op){.type = ZS_OP_B64, .line = 998, .crlf = 1, .bytes = 127, .chunks = 127});
	put_op(out, (struct zs_op){.type = ZS_OP_HOLE, .bytes = UINT64_MAX});
	put_op(out, (struct zs_op){.type = ZS_OP_RAW, .id = an_id(0), .bytes = 1 << 20});
	put_op(out, (struct zs_op){.type = ZS_OP_TAKE, .bytes = 1});
}

static void add_leaf(struct zs_node_writer *w, const char *path, const char *entry)
{
	struct zs_node_row row = {.path = zs_span_str(path), .entry = zs_span_str(entry)};
	struct zs_err err;

	record_must(zs_node_writer_add(w, &row, &err));
}

static void finish_node(struct zs_node_writer *w, struct zs_buf *out)
{
	struct zs_err err;

	record_must(zs_node_writer_finish(w, out, &err));
	zs_node_writer_fini(w);
}

static void node_leaf(struct zs_buf *out)
{
	struct zs_node_writer w;

	zs_node_writer_init(&w, 0);
	add_leaf(&w, "srv", "(entry 1)");
	add_leaf(&w, "srv/mail", "(entry 2)");
	add_leaf(&w, "srv/mail/a", "(entry 3)");
	add_leaf(&w, "srv/mail!", "(entry 4)");
	add_leaf(&w, "srv/mail\xff", "(entry 5)");
	add_leaf(&w, "srv!", "(entry 6)");
	add_leaf(&w, "t", "(entry 7)");
	finish_node(&w, out);
}

static void node_empty(struct zs_buf *out)
{
	struct zs_node_writer w;

	zs_node_writer_init(&w, 0);
	finish_node(&w, out);
}

static void node_inner(struct zs_buf *out)
{
	struct zs_node_writer w;
	struct zs_node_row row = {
	    .path = zs_span_str("srv/mail/m"), .child = an_id(0x10), .totals = {100, 90, 80, 700000}};
	struct zs_err err;

	zs_node_writer_init(&w, 3);
	record_must(zs_node_writer_add(&w, &row, &err));
	row = (struct zs_node_row){.path = zs_span_str("srv/mail/z"), .child = an_id(0x20), .totals = {1, 0, 0, 0}};
	record_must(zs_node_writer_add(&w, &row, &err));
	finish_node(&w, out);
}

static const struct valid_vector valid_vectors[] = {
    {"config-full", "several kinds have chunk sizes", config_full},
    {"config-smallest", "everything that may be omitted is; smallest block and pack", config_smallest},
    {"config-skipped", "unknown even tags 10 (twice) and 200 are skipped", config_skipped},
    {"config_object-plain", "head, repository id, box", config_object},
    {"slot-passphrase", "a full slot with a label", slot_passphrase},
    {"slot-write-only", "no label, no time; Argon2id parameters at their edges", slot_write_only},
    {"slot_keys-full", "all five keys", slot_keys_full},
    {"slot_keys-write-only", "the secret half of the data key is omitted", slot_keys_write},
    {"block_head-plain", "an uncompressed block", block_plain},
    {"block_head-zstd", "a compressed block of the greatest length; its payload is not looked at here", block_zstd},
    {"pack_dir-two-blocks", "two blocks of two and one chunks", dir_two_blocks},
    {"pack_dir-empty", "no block", dir_empty},
    {"pack_dir-duplicate", "the same chunk twice is legal", dir_duplicate},
    {"pack_dir-skipped", "unknown even tag 2 behind the ids is skipped", dir_skipped},
    {"pack_trailer-plain", "padding and directory", trailer},
    {"index-two-packs", "the second has neither tag nor writer nor blocks", index_two_packs},
    {"index-empty", "no pack", nothing},
    {"snapshot-full", "every field is there", snapshot_full},
    {"snapshot-smallest", "only the root and a time before 1970", snapshot_smallest},
    {"snapshot-skipped", "unknown even tag 30 is skipped", snapshot_skipped},
    {"session-writer", "every field is there", session_writer},
    {"session-smallest", "only the role, prune", session_smallest},
    {"condemned-fresh", "the sessions have not been looked at: waits_for is not there", condemned_fresh},
    {"condemned-no-sessions", "the sessions have been looked at, there was none: waits_for is there and empty",
	condemned_no_sessions},
    {"condemned-waits", "waits for one session", condemned_waits},
    {"removal-two", "two snapshots removed", removal_two},
    {"removal-empty", "every field is omitted", nothing},
    {"entry-dir", "a directory with an identity; mode, uid and gid are zero", entry_dir},
    {"entry-bare", "nothing but a kind", entry_bare},
    {"entry-inline", "a small file stored inline, mtime with nanoseconds", entry_inline},
    {"entry-empty", "an empty file that changed while it was read", entry_empty},
    {"entry-message", "a message with everything that is known of it", entry_message},
    {"entry-item-zero", "has_item is set, but the item has id 0 and nothing else", entry_item_zero},
    {"entry-symlink", "a symbolic link", entry_symlink},
    {"entry-hard-link", "a file with two names (device 0, inode 12), one hole of 1 TiB, one xattr", entry_hard_link},
    {"entry-device", "a character device, greatest numbers", entry_device},
    {"entry-before-1970", "mtime is one nanosecond before 1970, the date one second", entry_before_1970},
    {"entry-extreme-times", "mtime, date and item date at the edges of 64 bits", entry_extreme_times},
    {"entry-depth", "the recipe is a recipe of a recipe of a recipe", entry_depth},
    {"entry-extra", "unknown even tags 2 (twice) and 128 are kept", entry_extra},
    {"xattrs-empty", "no attribute", nothing},
    {"xattrs-three", "three attributes, one with an empty value", xattrs_three},
    {"recipe-empty", "no op", nothing},
    {"recipe-message", "a skeleton and one base64 body of two chunks", recipe_message},
    {"recipe-forms", "every op with numbers at their edges", recipe_forms},
    {"node-leaf", "a leaf; a slash sorts before every other byte", node_leaf},
    {"node-empty", "the one leaf of an empty tree", node_empty},
    {"node-inner", "an inner node of level 3", node_inner},
};

#endif

/*
 * Entries: one name of a snapshot.  A packed row: kind, a mask of what is there,
 * then the values in the order of the mask's bits, texts first and incompressible
 * bytes last; fields of later versions may follow.  Decoding borrows everything.
 */
#include "format_private.h"

/* What is there.  The values stand in the order of these bits. */
#define M_MODE          (1u << 0)
#define M_UID           (1u << 1)
#define M_GID           (1u << 2)
#define M_USER          (1u << 3)
#define M_GROUP         (1u << 4)
#define M_MTIME         (1u << 5)
#define M_MTIME_NS      (1u << 6)
#define M_SIZE          (1u << 7)
#define M_MESSAGE       (1u << 8)
#define M_UNSTABLE      (1u << 9)
#define M_RDEV          (1u << 10)
#define M_LINK          (1u << 11)
#define M_TARGET        (1u << 12)
#define M_XATTRS        (1u << 13)
#define M_DATE          (1u << 14)
#define M_DATE_NS       (1u << 15)
#define M_ITEM          (1u << 16)
#define M_ITEM_DATE     (1u << 17)
#define M_ITEM_DATE_NS  (1u << 18)
#define M_ITEM_FOLDER   (1u << 19)
#define M_ITEM_FLAGS    (1u << 20)
#define M_ITEM_TAGS     (1u << 21)
#define M_FROM          (1u << 22)
#define M_TO            (1u << 23)
#define M_SUBJECT       (1u << 24)
#define M_MESSAGE_ID    (1u << 25)
#define M_ATTACHMENTS   (1u << 26)
#define M_INLINE        (1u << 27)
#define M_DEPTH         (1u << 28)
#define M_RECIPE        (1u << 29)
#define M_IDENTITY      (1u << 30)
#define M_SUM           (1u << 31)

#define FLAGS_KNOWN (ZS_ENTRY_MESSAGE | ZS_ENTRY_UNSTABLE | ZS_ENTRY_HAS_MODE | ZS_ENTRY_HAS_ITEM)
#define NUMBERS_MAX 200 /* everything in an entry but the bytes of its spans */
#define SECOND 1000000000

static const char record[] = "entry";

/* A time as whole seconds, rounded down, and nanoseconds 0..999999999. */
struct seconds {
	int64_t s;
	uint32_t ns;
};

static struct seconds seconds_split(int64_t ns)
{
	struct seconds t = {ns / SECOND, 0};
	int64_t rest = ns % SECOND;

	if (rest < 0) {
		t.s--;
		rest += SECOND;
	}
	t.ns = (uint32_t)rest;
	return t;
}

static int seconds_join(struct seconds t, int64_t *out)
{
	int64_t ns = t.ns;

	if (t.s < 0) { /* the most negative second does not fit by itself */
		t.s++;
		ns -= SECOND;
	}
	return __builtin_mul_overflow(t.s, (int64_t)SECOND, &t.s) || __builtin_add_overflow(t.s, ns, out) ? -1 : 0;
}

/* ------------------------------------------------------------------- rules */

/* Rules that the form alone does not give.  NULL, or what is wrong. */
static const char *entry_check(const struct zs_entry *e)
{
	int file = e->kind == ZS_ENTRY_FILE;

	if (e->mode > 07777)
		return "mode is out of range";
	if (e->inline_data.n && e->recipe.n)
		return "content is there twice";
	if (!file && (e->inline_data.n || e->recipe.n || (e->flags & ZS_ENTRY_MESSAGE)))
		return "what is no file has content";
	if (file && !e->size != !(e->inline_data.n || e->recipe.n))
		return "size and content do not fit";
	if (e->inline_data.n && (e->inline_data.n != e->size || e->size > ZS_INLINE_MAX))
		return "length of the inline content does not fit";
	if (e->recipe_depth > FORMAT_DEPTH_MAX || (e->recipe_depth && !e->recipe.n))
		return "depth of the recipe is out of range";
	if ((e->target.n != 0) != (e->kind == ZS_ENTRY_SYMLINK))
		return "link target and kind do not fit";
	if (e->rdev && e->kind != ZS_ENTRY_CHAR && e->kind != ZS_ENTRY_BLOCK)
		return "device number and kind do not fit";
	if (e->link_dev && !e->link_ino)
		return "hard link without an inode";
	return NULL;
}

/* ---------------------------------------------------------------- encoding */

static uint32_t bit(int is, uint32_t mask)
{
	return is ? mask : 0;
}

static uint32_t mask_of(const struct zs_entry *e)
{
	int has_mode = (e->flags & ZS_ENTRY_HAS_MODE) != 0, has_item = (e->flags & ZS_ENTRY_HAS_ITEM) != 0;
	struct seconds mtime = seconds_split(e->mtime_ns);
	uint32_t m = 0;

	m |= bit(has_mode, M_MODE) | bit(has_mode && e->uid, M_UID) | bit(has_mode && e->gid, M_GID);
	m |= bit(e->user.n != 0, M_USER) | bit(e->group.n != 0, M_GROUP);
	m |= bit(mtime.s != 0, M_MTIME) | bit(mtime.ns != 0, M_MTIME_NS) | bit(e->size != 0, M_SIZE);
	m |= bit(e->flags & ZS_ENTRY_MESSAGE, M_MESSAGE) | bit(e->flags & ZS_ENTRY_UNSTABLE, M_UNSTABLE);
	m |= bit(e->rdev != 0, M_RDEV) | bit(e->link_ino != 0, M_LINK);
	m |= bit(e->target.n != 0, M_TARGET) | bit(e->xattrs.n != 0, M_XATTRS);
	if (e->date_ns != INT64_MIN)
		m |= M_DATE | bit(e->date_ns % SECOND != 0, M_DATE_NS);
	m |= bit(has_item, M_ITEM);
	if (has_item && e->item_date_ns != INT64_MIN)
		m |= M_ITEM_DATE | bit(e->item_date_ns % SECOND != 0, M_ITEM_DATE_NS);
	m |= bit(has_item && e->item_folder.n, M_ITEM_FOLDER) | bit(has_item && e->item_flags.n, M_ITEM_FLAGS);
	m |= bit(has_item && e->item_tags.n, M_ITEM_TAGS);
	m |= bit(e->from.n != 0, M_FROM) | bit(e->to.n != 0, M_TO) | bit(e->subject.n != 0, M_SUBJECT);
	m |= bit(e->message_id.n != 0, M_MESSAGE_ID) | bit(e->attachments.n != 0, M_ATTACHMENTS);
	m |=
	    bit(e->inline_data.n != 0, M_INLINE) | bit(e->recipe_depth != 0, M_DEPTH) | bit(e->recipe.n != 0, M_RECIPE);
	m |= bit(e->identity != 0, M_IDENTITY) | bit(e->sum != 0, M_SUM);
	return m;
}

/* Seconds since mtime: dates of a message lie close to it. */
static uint8_t *put_date(uint8_t *p, int64_t date_ns, int64_t mtime_s)
{
	struct seconds t = seconds_split(date_ns);

	p = row_put_varint(p, zs_zigzag(t.s - mtime_s));
	if (t.ns) {
		zs_put_u32(p, t.ns);
		p += 4;
	}
	return p;
}

static uint8_t *put_file(uint8_t *p, const struct zs_entry *e, uint32_t mask, struct seconds mtime)
{
	if (mask & M_MODE)
		p = row_put_varint(p, e->mode);
	if (mask & M_UID)
		p = row_put_varint(p, e->uid);
	if (mask & M_GID)
		p = row_put_varint(p, e->gid);
	if (mask & M_USER)
		p = row_put_span(p, e->user);
	if (mask & M_GROUP)
		p = row_put_span(p, e->group);
	if (mask & M_MTIME)
		p = row_put_varint(p, zs_zigzag(mtime.s));
	if (mask & M_MTIME_NS) {
		zs_put_u32(p, mtime.ns);
		p += 4;
	}
	if (mask & M_SIZE)
		p = row_put_varint(p, e->size);
	if (mask & M_RDEV)
		p = row_put_varint(p, e->rdev);
	if (mask & M_LINK) {
		p = row_put_varint(p, e->link_dev);
		p = row_put_varint(p, e->link_ino);
	}
	if (mask & M_TARGET)
		p = row_put_span(p, e->target);
	if (mask & M_XATTRS)
		p = row_put_span(p, e->xattrs);
	return p;
}

static uint8_t *put_message(uint8_t *p, const struct zs_entry *e, uint32_t mask, struct seconds mtime)
{
	if (mask & M_DATE)
		p = put_date(p, e->date_ns, mtime.s);
	if (mask & M_ITEM)
		p = row_put_varint(p, e->item_id);
	if (mask & M_ITEM_DATE)
		p = put_date(p, e->item_date_ns, mtime.s);
	if (mask & M_ITEM_FOLDER)
		p = row_put_span(p, e->item_folder);
	if (mask & M_ITEM_FLAGS)
		p = row_put_span(p, e->item_flags);
	if (mask & M_ITEM_TAGS)
		p = row_put_span(p, e->item_tags);
	if (mask & M_FROM)
		p = row_put_span(p, e->from);
	if (mask & M_TO)
		p = row_put_span(p, e->to);
	if (mask & M_SUBJECT)
		p = row_put_span(p, e->subject);
	if (mask & M_MESSAGE_ID)
		p = row_put_span(p, e->message_id);
	if (mask & M_ATTACHMENTS)
		p = row_put_span(p, e->attachments);
	return p;
}

static uint8_t *put_content(uint8_t *p, const struct zs_entry *e, uint32_t mask)
{
	if (mask & M_INLINE) /* its length is the size */
		p = row_put_bytes(p, e->inline_data.p, e->inline_data.n);
	if (mask & M_DEPTH)
		*p++ = e->recipe_depth;
	if (mask & M_RECIPE)
		p = row_put_span(p, e->recipe);
	if (mask & M_IDENTITY) {
		zs_put_u64(p, e->identity);
		p += 8;
	}
	if (mask & M_SUM) {
		zs_put_u64(p, e->sum);
		p += 8;
	}
	return p;
}

/* Upper bound of the encoded length, or 0 if it exceeds ZS_NODE_MAX. */
static size_t room_for(const struct zs_entry *e)
{
	const struct zs_span spans[] = {e->user, e->group, e->target, e->xattrs, e->inline_data, e->recipe, e->from,
	    e->to, e->subject, e->message_id, e->attachments, e->item_folder, e->item_flags, e->item_tags, e->extra};
	size_t n = NUMBERS_MAX;

	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		if (spans[i].n > ZS_NODE_MAX)
			return 0;
		n += spans[i].n;
	}
	return n;
}

int zs_format_entry_encode(const struct zs_entry *e, struct zs_buf *out, struct zs_err *err)
{
	struct seconds mtime = seconds_split(e->mtime_ns);
	size_t room = room_for(e);
	const char *why = entry_check(e);
	uint32_t mask = mask_of(e);
	uint8_t *start, *p;

	if (e->kind < ZS_ENTRY_FILE || e->kind > ZS_ENTRY_BLOCK || (e->flags & ~(uint32_t)FLAGS_KNOWN))
		why = "kind or flags are unknown";
	if (why)
		return zs_fail(err, ZS_INTERNAL, "%s: %s", record, why);
	if (e->extra.n && fields_check_unknown(record, e->extra, err) < 0)
		return -1;
	if (room && zs_buf_reserve(out, room, err) < 0)
		return -1;
	if (room) {
		start = p = out->p + out->n;
		*p++ = e->kind;
		zs_put_u32(p, mask);
		p = put_file(p + 4, e, mask, mtime);
		p = put_message(p, e, mask, mtime);
		p = put_content(p, e, mask);
		p = row_put_bytes(p, e->extra.p, e->extra.n);
		room = (size_t)(p - start);
	}
	if (!room || room > ZS_NODE_MAX)
		return zs_fail(err, ZS_LIMIT, "%s: is longer than %u bytes", record, ZS_NODE_MAX);
	out->n += room;
	return 0;
}

/* ---------------------------------------------------------------- decoding */

/* A number that would have been left out if it were 0. */
static uint64_t take_number(struct row *r, uint64_t max, const char *what)
{
	uint64_t v = row_varint(r, what);

	if (!v || v > max)
		row_fail(r, what);
	return v;
}

static uint32_t take_mode(struct row *r)
{
	uint64_t mode = row_varint(r, "mode");

	if (mode > 07777)
		row_fail(r, "mode");
	return (uint32_t)mode;
}

static uint32_t take_nanos(struct row *r, const char *what)
{
	struct zs_span b = row_bytes(r, 4, what);
	uint32_t ns = b.n ? zs_get_u32(b.p) : 0;

	if (!ns || ns >= SECOND)
		row_fail(r, what);
	return ns;
}

static uint64_t take_u64(struct row *r, const char *what)
{
	struct zs_span b = row_bytes(r, 8, what);
	uint64_t v = b.n ? zs_get_u64(b.p) : 0;

	if (!v)
		row_fail(r, what);
	return v;
}

static int64_t take_date(struct row *r, int with_nanos, int64_t mtime_s, const char *what)
{
	int64_t delta = zs_unzigzag(row_varint(r, what)), ns = INT64_MIN;
	struct seconds t = {0, 0};
	int overflow = __builtin_add_overflow(mtime_s, delta, &t.s);

	if (with_nanos)
		t.ns = take_nanos(r, what);
	if (overflow || seconds_join(t, &ns) < 0 || ns == INT64_MIN)
		row_fail(r, what);
	return ns;
}

static struct seconds take_mtime(struct row *r, uint32_t mask, int64_t *out_ns)
{
	struct seconds t = {0, 0};

	if (mask & M_MTIME)
		t.s = zs_unzigzag(take_number(r, UINT64_MAX, "mtime"));
	if (mask & M_MTIME_NS)
		t.ns = take_nanos(r, "mtime");
	if (seconds_join(t, out_ns) < 0)
		row_fail(r, "mtime");
	return t;
}

static struct seconds take_file(struct row *r, uint32_t mask, struct zs_entry *e)
{
	struct seconds mtime;

	if (mask & M_MODE) {
		e->flags |= ZS_ENTRY_HAS_MODE;
		e->mode = take_mode(r);
	}
	if (mask & M_UID)
		e->uid = (uint32_t)take_number(r, UINT32_MAX, "uid");
	if (mask & M_GID)
		e->gid = (uint32_t)take_number(r, UINT32_MAX, "gid");
	if (mask & M_USER)
		e->user = row_span(r, "user");
	if (mask & M_GROUP)
		e->group = row_span(r, "group");
	mtime = take_mtime(r, mask, &e->mtime_ns);
	if (mask & M_SIZE)
		e->size = take_number(r, UINT64_MAX, "size");
	if (mask & M_RDEV)
		e->rdev = take_number(r, UINT64_MAX, "device number");
	if (mask & M_LINK) {
		e->link_dev = row_varint(r, "hard link");
		e->link_ino = take_number(r, UINT64_MAX, "hard link");
	}
	if (mask & M_TARGET)
		e->target = row_span(r, "link target");
	if (mask & M_XATTRS)
		e->xattrs = row_span(r, "extended attributes");
	return mtime;
}

static void take_message(struct row *r, uint32_t mask, struct seconds mtime, struct zs_entry *e)
{
	if (mask & M_DATE)
		e->date_ns = take_date(r, (mask & M_DATE_NS) != 0, mtime.s, "date");
	if (mask & M_ITEM) {
		e->flags |= ZS_ENTRY_HAS_ITEM;
		e->item_id = row_varint(r, "item id");
	}
	if (mask & M_ITEM_DATE)
		e->item_date_ns = take_date(r, (mask & M_ITEM_DATE_NS) != 0, mtime.s, "item date");
	if (mask & M_ITEM_FOLDER)
		e->item_folder = row_span(r, "folder");
	if (mask & M_ITEM_FLAGS)
		e->item_flags = row_span(r, "flags");
	if (mask & M_ITEM_TAGS)
		e->item_tags = row_span(r, "tags");
	if (mask & M_FROM)
		e->from = row_span(r, "from");
	if (mask & M_TO)
		e->to = row_span(r, "to");
	if (mask & M_SUBJECT)
		e->subject = row_span(r, "subject");
	if (mask & M_MESSAGE_ID)
		e->message_id = row_span(r, "message id");
	if (mask & M_ATTACHMENTS)
		e->attachments = row_span(r, "attachments");
}

static void take_content(struct row *r, uint32_t mask, struct zs_entry *e)
{
	if (mask & M_INLINE)
		e->inline_data = row_bytes(r, e->size, "inline content");
	if (mask & M_DEPTH) {
		struct zs_span depth = row_bytes(r, 1, "depth of the recipe");

		e->recipe_depth = depth.n ? depth.p[0] : 0;
		if (!e->recipe_depth)
			row_fail(r, "depth of the recipe");
	}
	if (mask & M_RECIPE)
		e->recipe = row_span(r, "recipe");
	if (mask & M_IDENTITY)
		e->identity = take_u64(r, "identity");
	if (mask & M_SUM)
		e->sum = take_u64(r, "sum");
}

/* Bits that stand only together with others. */
static int mask_check(uint32_t m)
{
	return (!(m & (M_UID | M_GID)) || (m & M_MODE)) && (!(m & M_DATE_NS) || (m & M_DATE)) &&
	       (!(m & M_ITEM_DATE_NS) || (m & M_ITEM_DATE)) &&
	       (!(m & (M_ITEM_DATE | M_ITEM_FOLDER | M_ITEM_FLAGS | M_ITEM_TAGS)) || (m & M_ITEM)) &&
	       (!(m & M_INLINE) || (m & M_SIZE));
}

int zs_format_entry_decode(struct zs_span s, struct zs_entry *out, struct zs_err *err)
{
	struct row r = row_open(s);
	struct seconds mtime;
	const char *why;
	uint32_t mask;

	*out = (struct zs_entry){.date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	if (s.n < 5 || s.n > ZS_NODE_MAX)
		return zs_fail(err, ZS_CORRUPT, "%s: has a wrong length", record);
	out->kind = s.p[0];
	mask = zs_get_u32(s.p + 1);
	r.p += 5;
	if (!out->kind || !mask_check(mask))
		return zs_fail(err, ZS_CORRUPT, "%s: kind or mask is damaged", record);
	if (out->kind > ZS_ENTRY_BLOCK)
		return zs_fail(err, ZS_VERSION, "%s: kind %u is unknown to this version", record, out->kind);
	out->flags = (mask & M_MESSAGE ? ZS_ENTRY_MESSAGE : 0) | (mask & M_UNSTABLE ? ZS_ENTRY_UNSTABLE : 0);
	mtime = take_file(&r, mask, out);
	take_message(&r, mask, mtime, out);
	take_content(&r, mask, out);
	if (r.bad)
		return zs_fail(err, ZS_CORRUPT, "%s: %s is damaged", record, r.bad);
	why = entry_check(out);
	if (why)
		return zs_fail(err, ZS_CORRUPT, "%s: %s", record, why);
	out->extra = row_rest(&r);
	return out->extra.n ? fields_check_unknown(record, out->extra, err) : 0;
}

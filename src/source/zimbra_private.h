/*
 * What the parts of the Zimbra source share.  Pure parts (no I/O): zimbra_metadata.c, zimbra_vcard.c, zimbra_calendar.c; files:
 * zimbra_config.c, zimbra_volume.c, zimbra_blob.c.
 */
#ifndef ZS_ZIMBRA_PRIVATE_H
#define ZS_ZIMBRA_PRIVATE_H

#include "source_private.h"

/* ---------------------------------------------------------------------- metadata */

/*
 * The column `metadata`: a dictionary in the text flavour of bencode (lengths in UTF-16 units), or the older key=len:value; form;
 * either as one RFC 2047 B-word if it has characters beyond U+FFFF.  Values are spans of text borrowed from the decoded text,
 * which the object owns.  At most 16 MiB, 1 M values, 32 levels.
 */
enum zimbra_meta_type { ZIMBRA_META_TEXT, ZIMBRA_META_NUMBER, ZIMBRA_META_LIST, ZIMBRA_META_DICT };
struct zimbra_meta;	  /* the whole, owned */
struct zimbra_meta_value; /* a value in it, borrowed */
/* ZS_SOURCE: it is neither form (says at which byte); ZS_NOMEM, ZS_LIMIT. */
int zimbra_metadata_parse(struct zs_span column, struct zimbra_meta **out, struct zs_err *err) ZS_MUST_USE;
void zimbra_metadata_free(struct zimbra_meta *m);
const struct zimbra_meta_value *zimbra_metadata_top(const struct zimbra_meta *m); /* a dictionary */
enum zimbra_meta_type zimbra_metadata_type(const struct zimbra_meta_value *v);
struct zs_span zimbra_metadata_text(const struct zimbra_meta_value *v); /* TEXT: the text; NUMBER: its digits; else empty */
const struct zimbra_meta_value *zimbra_metadata_get(const struct zimbra_meta_value *dict, const char *key); /* NULL: not there */
/* Walk a list or dictionary in its order (*at starts 0): 1, or 0 at the end.  out_key is empty for lists. */
int zimbra_metadata_next(const struct zimbra_meta_value *v, size_t *at, struct zs_span *out_key, const struct zimbra_meta_value **out);

/* A contact as vCard 4.0 (UTF-8, CRLF, folded), from the metadata's fields; appended. uid: the item's uuid or "".  Fields that vCard has no place for
 * become X-ZIMBRA-<NAME>.  Distribution lists (type=group) become KIND:group. */
int zimbra_vcard_write(const struct zimbra_meta_value *top, struct zs_span uid, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* The text/calendar parts of a calendar item's blob (a multipart/digest of messages, any nesting up to 32), decoded to UTF-8 and put one
 * behind the other (a valid iCalendar stream); appended.  1, 0 if there are none. Never fails on broken mail: takes what is there. */
int zimbra_calendar_extract(struct zs_span blob, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------------------------------ localconfig.xml */

/* Keys with ${other} resolved (at most 16 deep) and the defaults of zimbra.md 5.3 for what is not there.  At most 4 MiB, 10,000 keys; a DOCTYPE or
 * entity declarations are refused.  Values are wiped when freed. */
struct zimbra_config;
int zimbra_config_read(const char *path, struct zimbra_config **out, struct zs_err *err) ZS_MUST_USE; /* ZS_SOURCE: names the file, the line */
int zimbra_config_parse(struct zs_span xml, struct zimbra_config **out, struct zs_err *err) ZS_MUST_USE; /* what read does, for tests */
const char *zimbra_config_get(const struct zimbra_config *c, const char *key); /* "" if unknown; borrowed */
void zimbra_config_free(struct zimbra_config *c);

/* ------------------------------------------------------------------ volumes and blobs */

struct zimbra_volume {
	unsigned id, type;	/* type: 1 primary, 2 secondary, 10 index */
	unsigned file_bits, file_group_bits, mailbox_bits, mailbox_group_bits;
	int is_local;		/* store_type 1 (or a schema without it) and path given */
	char *name, *path;	/* owned; path absolute, `server` directory included where configured */
};
struct zimbra_volumes { struct zimbra_volume *v; size_t n; };
void zimbra_volumes_fini(struct zimbra_volumes *v);
const struct zimbra_volume *zimbra_volumes_find(const struct zimbra_volumes *v, unsigned id); /* NULL */

struct zimbra_blob_name { /* which blob: what a row says */
	uint32_t mailbox_id, item_id, mod_content;
	uint64_t size;		/* of the content, not of the file */
	struct zs_span locator; /* "<volume id>", or something external */
	struct zs_span digest;	/* column blob_digest: SHA-256 (44 characters) or SHA-1 (28) in base64 with ',' for '/' */
};
/* The file's path by the rule of zimbra.md 2.1 (appended, with a NUL that is not counted).  ZS_SOURCE: the locator names no local volume, and says so;
 * fallback 1: the old form <item id>.msg. */
int zimbra_volume_path(const struct zimbra_volumes *v, const struct zimbra_blob_name *b, int fallback, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/*
 * Read a blob: the content as its row describes it.  File length == size: plain; else if it begins 1f 8b: gzip, inflated once; else damaged.  Hashes what it
 * gives and compares with size and digest at the end.
 */
struct zimbra_blob;
/* 1; 0: there is no such file (nor the old form of its name); -1 ZS_SOURCE: cannot be opened, no regular file, damaged (names the path). */
int zimbra_blob_open(const struct zimbra_volumes *v, const struct zimbra_blob_name *b, struct zimbra_blob **out, struct zs_err *err) ZS_MUST_USE;
/* *out_n == 0 at the end, then everything was verified; -1 ZS_SOURCE: cut short, broken gzip, size or digest differ (names path, what was expected, what
 * was found).  digest empty: not compared. */
int zimbra_blob_read(struct zimbra_blob *b, void *p, size_t n, size_t *out_n, struct zs_err *err) ZS_MUST_USE;
const struct stat *zimbra_blob_stat(const struct zimbra_blob *b); /* of the open file */
int zimbra_blob_changed(const struct zimbra_blob *b); /* size, mtime or ctime moved since it was opened (fstat) */
void zimbra_blob_free(struct zimbra_blob *b);

#endif

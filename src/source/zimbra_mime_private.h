/*
 * A small reader of MIME for the Zimbra source: leaves of a message, their encodings.  Pure, linear, and never offended by broken mail.
 */
#ifndef ZS_ZIMBRA_MIME_PRIVATE_H
#define ZS_ZIMBRA_MIME_PRIVATE_H

#include "zstore/base.h"

#define ZIMBRA_MIME_LEVELS 32	  /* of multiparts and messages in each other; what is deeper is left out */
#define ZIMBRA_MIME_PARTS 100000u /* headers read of one message; what follows is left out */

enum zimbra_mime_encoding { ZIMBRA_MIME_PLAIN, ZIMBRA_MIME_BASE64, ZIMBRA_MIME_QUOTED };
struct zimbra_mime_part { /* a leaf; all borrowed from the message */
	struct zs_span type;	/* "text/calendar", as written, without parameters; may be empty */
	struct zs_span charset; /* of the parameter; may be empty */
	struct zs_span body;	/* as it stands there */
	enum zimbra_mime_encoding encoding;
};
typedef int zimbra_mime_fn(void *ctx, const struct zimbra_mime_part *part, struct zs_err *err);

/* Each leaf in the order of the message, at any depth.  0, or -1: what fn said. */
int zimbra_mime_walk(struct zs_span message, zimbra_mime_fn *fn, void *ctx, struct zs_err *err) ZS_MUST_USE;
/* Undo the encodings, leniently; appended.  *out_foreign (NULL: not wanted): where the first byte stands that is neither base64 nor a
 * blank; n if there is none.  ZS_NOMEM: *out as before. */
int zimbra_mime_base64(struct zs_span text, struct zs_buf *out, size_t *out_foreign, struct zs_err *err) ZS_MUST_USE;
int zimbra_mime_quoted(struct zs_span text, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;
/* 1 if it is that word, small and capital letters of ASCII being the same. */
int zimbra_mime_is(struct zs_span text, const char *word);

#endif

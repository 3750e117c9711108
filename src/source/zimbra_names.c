/*
 * Names: folders and subjects as parts of paths, flags and tags as they are shown.
 */
#include "zimbra_private.h"

#include <stdio.h>
#include <string.h>

#define SLUG_BYTES 60
#define CUT_BYTES 200 /* of a component that is too long: room for the id is left */

static int is_plain(uint8_t c)
{
	return c >= 0x20 && c != 0x7f && c != '/' && c != '%';
}

int zimbra_names_component(struct zs_span name, uint32_t id, struct zs_buf *out, struct zs_err *err)
{
	int is_dots = (name.n == 1 || name.n == 2) && name.p[0] == '.' && name.p[name.n - 1] == '.';
	size_t before = out->n, cut = 0;

	if (name.n == 0)
		return zs_buf_printf(out, err, "%%~%u", id);
	for (size_t i = 0; i < name.n; i++) {
		int rc = is_plain(name.p[i]) && !is_dots ? zs_buf_add_u8(out, name.p[i], err) : zs_buf_printf(out, err, "%%%02x", name.p[i]);

		if (rc < 0)
			return -1;
		/* Where it could be cut: behind whole characters. */
		if (out->n - before <= CUT_BYTES && (i + 1 == name.n || (name.p[i + 1] & 0xc0) != 0x80))
			cut = out->n;
	}
	if (out->n - before <= ZS_COMPONENT_MAX)
		return 0;
	out->n = cut ? cut : before + CUT_BYTES;
	return zs_buf_printf(out, err, "~%u", id);
}

static int is_odd(uint8_t c)
{
	return c <= 0x20 || c == 0x7f || strchr("/\\:*?\"<>|%~'`", c) != NULL;
}

int zimbra_names_slug(struct zs_span text, struct zs_buf *out, struct zs_err *err)
{
	size_t before = out->n;

	for (size_t i = 0; i < text.n;) {
		size_t n = zs_utf8_length(text.p + i, text.n - i); /* 0: no character */

		if (out->n - before + (n ? n : 1) > SLUG_BYTES)
			break;
		if (n > 1 || (n == 1 && !is_odd(text.p[i]))) {
			if (zs_buf_add(out, text.p + i, n, err) < 0)
				return -1;
		} else if (out->n > before && out->p[out->n - 1] != '-' && zs_buf_add_u8(out, '-', err) < 0) {
			return -1;
		}
		i += n ? n : 1;
	}
	while (out->n > before && (out->p[out->n - 1] == '-' || out->p[out->n - 1] == '.'))
		out->n--;
	return out->n > before ? 0 : zs_buf_printf(out, err, "untitled");
}

int zimbra_names_flags(uint32_t flags, int unread, struct zs_buf *out, struct zs_err *err)
{
	static const char *const names[31] = {"\\Sent", "\\Attached", "\\Answered", "\\Forwarded", "\\Copied", "\\Flagged", "\\Draft", "\\Deleted",
	    "\\Notified", NULL, "\\Urgent", "\\Bulk", "\\Versioned", "\\IdxDeferred", "\\Popped", "\\Note", "\\Priority", "\\Post", "\\Muted",
	    "\\Subscribed", "\\ExcludeFB", "\\Checked", "\\NoInherit", "\\Invite", "\\SyncFolder", "\\Sync", "\\NoInferiors", "\\Archived",
	    "\\Global", "\\InDumpster", "\\Uncached"};
	size_t before = out->n;

	for (unsigned i = 0; i < 31; i++) {
		if (!(flags & 1u << i) || !names[i])
			continue;
		if ((out->n > before && zs_buf_add_u8(out, 0, err) < 0) || zs_buf_add_span(out, zs_span_str(names[i]), err) < 0)
			return -1;
	}
	if (unread < 0)
		return 0;
	if (out->n > before && zs_buf_add_u8(out, 0, err) < 0)
		return -1;
	return zs_buf_add_span(out, zs_span_str(unread ? "\\Unread" : "\\Seen"), err);
}

struct zs_span zimbra_names_tags(struct zs_span s)
{
	if (s.n > 0 && s.p[0] == 0) {
		s.p++;
		s.n--;
	}
	if (s.n > 0 && s.p[s.n - 1] == 0)
		s.n--;
	return s;
}

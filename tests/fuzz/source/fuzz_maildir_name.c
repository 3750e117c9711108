/*
 * Names in a Maildir, a dovecot-keywords file and names of folders: what is found lies in what was given, fits into an
 * entry, and is text.  Three lines: a message's name, a folder's, and the rest is the file.
 */
#include "../../../src/source/maildir_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zs_span take_line(struct zs_span *rest)
{
	const uint8_t *nl = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
	struct zs_span line = zs_span(rest->p, nl ? (size_t)(nl - rest->p) : rest->n);
	size_t used = line.n + (nl != NULL);

	rest->p += used;
	rest->n -= used;
	return line;
}

static void check_folder(struct zs_span path, enum maildir_layout layout)
{
	struct zs_buf out = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (maildir_name_folder(path, layout, &out, &err) < 0)
		abort();
	for (size_t at = 0; at < out.n;) {
		size_t n = zs_utf8_length(out.p + at, out.n - at);

		if (!n)
			abort();
		at += n;
	}
	zs_buf_fini(&out);
}

static void check_item(const struct maildir_name *n, const struct maildir_keywords *k)
{
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .flags = ZS_ENTRY_HAS_ITEM, .date_ns = INT64_MIN, .item_date_ns = n->date_ns}, back;
	struct zs_buf flags = ZS_BUF_INIT, tags = ZS_BUF_INIT, wire = ZS_BUF_INIT;
	struct zs_err err = {0};

	if (maildir_name_flags(n, &flags, &err) < 0 || maildir_name_tags(n, k, &tags, &err) < 0)
		abort();
	e.item_flags = zs_buf_span(&flags);
	e.item_tags = zs_buf_span(&tags);
	if (zs_format_entry_encode(&e, &wire, &err) < 0 || zs_format_entry_decode(zs_buf_span(&wire), &back, &err) < 0)
		abort();
	if (!zs_span_eq(back.item_flags, e.item_flags) || !zs_span_eq(back.item_tags, e.item_tags) || back.item_date_ns != e.item_date_ns)
		abort();
	zs_buf_fini(&flags);
	zs_buf_fini(&tags);
	zs_buf_fini(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_span rest = zs_span(data, size), name = take_line(&rest), folder = take_line(&rest);
	struct maildir_keywords k = {{0}};
	struct maildir_name n, again;
	struct zs_err err = {0};

	maildir_name_parse(name, &n);
	if (n.base.p != name.p || n.base.n > name.n || (n.flags.n && (n.flags.p < name.p || n.flags.p + n.flags.n > name.p + name.n)))
		abort();
	maildir_name_parse(n.base, &again);
	if (name.n && !n.base.n)
		abort();
	if (maildir_keywords_parse(rest, &k, &err) < 0)
		abort();
	check_item(&n, &k);
	check_folder(folder, MAILDIR_AUTO);
	check_folder(folder, MAILDIR_FS);
	maildir_keywords_fini(&k);
	return 0;
}

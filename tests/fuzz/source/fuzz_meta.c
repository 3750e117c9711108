/* The decoder of .meta files: what it accepts lies inside its buffer and fits into an entry, there and back. */
#include "../../../src/source/source_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_buf texts = ZS_BUF_INIT, wire = ZS_BUF_INIT;
	struct zs_entry e = {.kind = ZS_ENTRY_FILE, .flags = ZS_ENTRY_HAS_ITEM, .date_ns = INT64_MIN}, back;
	struct staged_meta m;
	struct zs_err err = {0};

	if (staged_decode(zs_span(data, size), &m, &texts, &err) <= 0)
		goto out;
	if (m.folder_at + m.folder_n > texts.n || m.flags_at + m.flags_n > texts.n || m.tags_at + m.tags_n > texts.n)
		abort();
	e.item_id = m.id;
	e.item_date_ns = m.date_ns;
	e.item_folder = zs_span(texts.p + m.folder_at, m.folder_n);
	e.item_flags = zs_span(texts.p + m.flags_at, m.flags_n);
	e.item_tags = zs_span(texts.p + m.tags_at, m.tags_n);
	if (zs_format_entry_encode(&e, &wire, &err) < 0 || zs_format_entry_decode(zs_buf_span(&wire), &back, &err) < 0)
		abort();
	if (back.item_id != e.item_id || back.item_date_ns != e.item_date_ns ||
	    !zs_span_eq(back.item_folder, e.item_folder) ||
	    !zs_span_eq(back.item_flags, e.item_flags) || !zs_span_eq(back.item_tags, e.item_tags))
		abort();
out:
	zs_buf_fini(&texts);
	zs_buf_fini(&wire);
	return 0;
}

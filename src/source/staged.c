/*
 * The staged layout: <x>.eml is a message, <x>.meta beside it a JSON object with what
 * the mail server knows of it.  Decodes that object; who reads it and when is left
 * to files.c and fill.c.  Built without jansson, messages have no item data.
 */
#include "source_private.h"

#include <string.h>
#ifdef HAVE_JANSSON
#include <jansson.h>
#endif

int staged_is_message(struct zs_span name)
{
	return name.n > 4 && !memcmp(name.p + name.n - 4, ".eml", 4);
}

int staged_sibling(struct zs_span name, char out[static ZS_COMPONENT_MAX + 2])
{
	if (name.n >= ZS_COMPONENT_MAX)
		return -1;
	memcpy(out, name.p, name.n - 4);
	memcpy(out + name.n - 4, ".meta", 6);
	return 0;
}

#ifdef HAVE_JANSSON
/* Strings of an array joined by NUL: 1; 0 something else is in it; -1. */
static int join(const json_t *array, struct zs_buf *out, struct zs_err *err)
{
	size_t count = json_array_size(array);

	for (size_t i = 0; i < count; i++) {
		const json_t *s = json_array_get(array, i);

		if (!json_is_string(s))
			return 0;
		if ((i && zs_buf_add_u8(out, 0, err) < 0) ||
		    zs_buf_add(out, json_string_value(s), json_string_length(s), err) < 0)
			return -1;
	}
	return 1;
}

static int get_list(const json_t *o, const char *key, struct zs_buf *out, size_t *at, size_t *n, struct zs_err *err)
{
	const json_t *v = json_object_get(o, key);
	int rc = 1;

	*at = out->n;
	if (v)
		rc = json_is_array(v) ? join(v, out, err) : 0;
	*n = out->n - *at;
	return rc;
}

static int get_text(const json_t *o, const char *key, struct zs_buf *out, size_t *at, size_t *n, struct zs_err *err)
{
	const json_t *v = json_object_get(o, key);

	*at = out->n;
	*n = 0;
	if (!v)
		return 1;
	if (!json_is_string(v))
		return 0;
	if (zs_buf_add(out, json_string_value(v), json_string_length(v), err) < 0)
		return -1;
	*n = out->n - *at;
	return 1;
}

static int get_date(const json_t *o, int64_t *out)
{
	const json_t *v = json_object_get(o, "date");
	struct zs_err ignored = {0};

	*out = INT64_MIN;
	if (!v)
		return 1;
	return json_is_string(v) && zs_time_parse(json_string_value(v), out, &ignored) == 0;
}

static int decode(const json_t *o, struct staged_meta *meta, struct zs_buf *out, struct zs_err *err)
{
	const json_t *id = json_object_get(o, "id");
	int rc;

	if (!json_is_integer(id) || json_integer_value(id) < 0 || !get_date(o, &meta->date_ns))
		return 0;
	meta->id = (uint64_t)json_integer_value(id);
	rc = get_text(o, "folder", out, &meta->folder_at, &meta->folder_n, err);
	if (rc > 0)
		rc = get_list(o, "flags", out, &meta->flags_at, &meta->flags_n, err);
	if (rc > 0)
		rc = get_list(o, "tags", out, &meta->tags_at, &meta->tags_n, err);
	return rc;
}

int staged_decode(struct zs_span json, struct staged_meta *meta, struct zs_buf *out, struct zs_err *err)
{
	json_t *o;
	int rc;

	memset(meta, 0, sizeof *meta);
	if (json.n > STAGED_META_MAX)
		return 0;
	o = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES, NULL);
	rc = json_is_object(o) ? decode(o, meta, out, err) : 0;
	json_decref(o);
	return rc;
}
#else
int staged_decode(struct zs_span json, struct staged_meta *meta, struct zs_buf *out, struct zs_err *err)
{
	(void)json;
	(void)meta;
	(void)out;
	(void)err;
	return 0;
}
#endif

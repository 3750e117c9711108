/*
 * The files of a vector: <name>.hex holds its bytes, <name>.json what they are.
 * The text is made from the bytes alone (and the meaning, which is for people),
 * so a test can make it again and compare.
 */
#ifndef ZSTORE_TEST_VECTOR_H
#define ZSTORE_TEST_VECTOR_H

#include "records.h"

/* "entry-file-inline" is a vector of the record "entry": the longest name that fits. */
static inline const struct record *vector_record(const char *name)
{
	const char *dash = strchr(name, '-');
	char record[64];

	if (!dash || (size_t)(dash - name) >= sizeof record)
		return NULL;
	memcpy(record, name, (size_t)(dash - name));
	record[dash - name] = '\0';
	return record_find(record);
}

static inline const char *vector_cause(enum zs_cause cause)
{
	return cause == ZS_VERSION ? "version" : cause == ZS_CORRUPT ? "corrupt" : "?";
}

/* The text of a vector.  Returns the cause, ZS_OK where the bytes are valid. */
static inline enum zs_cause vector_text(
    const struct record *rec, const char *meaning, struct zs_span bytes, struct zs_buf *out)
{
	struct zs_buf fields = ZS_BUF_INIT, again = ZS_BUF_INIT;
	struct json whole = {.out = out}, inner = {.out = &fields, .depth = 2, .first = 1};
	struct zs_err err = {.cause = ZS_OK};

	json_open(&whole, NULL, "{");
	json_bytes(&whole, "record", zs_span_str(rec->name));
	json_bytes(&whole, "meaning", zs_span_str(meaning));
	if (rec->run(bytes, &inner, &again, &err) < 0) {
		json_bytes(&whole, "cause", zs_span_str(vector_cause(err.cause)));
	} else {
		json_open(&whole, "fields", "{");
		record_must(zs_buf_add_span(out, zs_buf_span(&fields), &err));
		whole.first = 0;
		json_close(&whole, "}");
	}
	json_close(&whole, "}");
	json_raw(&whole, "\n");
	zs_buf_fini(&fields);
	zs_buf_fini(&again);
	return err.cause;
}

/* Hex digits, blanks and new lines, appended as bytes.  0, or -1: anything else. */
static inline int vector_unhex(struct zs_span text, struct zs_buf *out)
{
	struct zs_err err;
	int high = -1;

	for (size_t i = 0; i < text.n; i++) {
		static const char digits[] = "0123456789abcdef";
		const char *d = text.p[i] ? strchr(digits, text.p[i]) : NULL;

		if (text.p[i] == '\n' || text.p[i] == ' ')
			continue;
		if (!d)
			return -1;
		if (high < 0) {
			high = (int)(d - digits);
			continue;
		}
		record_must(zs_buf_add_u8(out, (uint8_t)(high << 4 | (int)(d - digits)), &err));
		high = -1;
	}
	return high < 0 ? 0 : -1;
}

/* 32 bytes a line. */
static inline void vector_hex(struct zs_span bytes, struct zs_buf *out)
{
	struct zs_err err;

	for (size_t i = 0; i < bytes.n; i++)
		record_must(
		    zs_buf_printf(out, &err, "%02x%s", bytes.p[i], i % 32 == 31 || i + 1 == bytes.n ? "\n" : ""));
}

#endif

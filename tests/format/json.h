/*
 * Just enough JSON to write down what a record decodes to, in one fixed form, so
 * that two texts can be compared byte for byte.  Bytes that are no plain ASCII text
 * are written as "hex:...".
 */
#ifndef ZSTORE_TEST_JSON_H
#define ZSTORE_TEST_JSON_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "zstore/base.h"

struct json {
	struct zs_buf *out;
	int depth;
	int first; /* nothing stands in this object or list yet */
};

static inline void json_raw(struct json *j, const char *text)
{
	struct zs_err err;

	if (zs_buf_add(j->out, text, strlen(text), &err) < 0)
		abort();
}

/* Comma, new line, indentation and, within an object, the key. */
static inline void json_key(struct json *j, const char *key)
{
	json_raw(j, j->first ? "\n" : ",\n");
	for (int i = 0; i < j->depth; i++)
		json_raw(j, "  ");
	if (key) {
		json_raw(j, "\"");
		json_raw(j, key);
		json_raw(j, "\": ");
	}
	j->first = 0;
}

static inline void json_open(struct json *j, const char *key, const char *bracket)
{
	if (j->depth)
		json_key(j, key);
	json_raw(j, bracket);
	j->depth++;
	j->first = 1;
}

static inline void json_close(struct json *j, const char *bracket)
{
	j->depth--;
	if (!j->first) {
		json_raw(j, "\n");
		for (int i = 0; i < j->depth; i++)
			json_raw(j, "  ");
	}
	j->first = 0;
	json_raw(j, bracket);
}

static inline void json_u64(struct json *j, const char *key, uint64_t v)
{
	char text[32];

	json_key(j, key);
	(void)snprintf(text, sizeof text, "%llu", (unsigned long long)v);
	json_raw(j, text);
}

static inline void json_i64(struct json *j, const char *key, int64_t v)
{
	char text[32];

	json_key(j, key);
	(void)snprintf(text, sizeof text, "%lld", (long long)v);
	json_raw(j, text);
}

static inline void json_null(struct json *j, const char *key)
{
	json_key(j, key);
	json_raw(j, "null");
}

static inline int json_is_plain(struct zs_span s)
{
	if (s.n >= 4 && memcmp(s.p, "hex:", 4) == 0)
		return 0;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e || s.p[i] == '"' || s.p[i] == '\\')
			return 0;
	return 1;
}

static inline void json_hex(struct json *j, const char *key, const void *p, size_t n)
{
	const uint8_t *b = p;
	char text[3];

	json_key(j, key);
	json_raw(j, "\"hex:");
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(text, sizeof text, "%02x", b[i]);
		json_raw(j, text);
	}
	json_raw(j, "\"");
}

static inline void json_bytes(struct json *j, const char *key, struct zs_span s)
{
	struct zs_err err;

	if (!json_is_plain(s)) {
		json_hex(j, key, s.p, s.n);
		return;
	}
	json_key(j, key);
	json_raw(j, "\"");
	if (zs_buf_add_span(j->out, s, &err) < 0)
		abort();
	json_raw(j, "\"");
}

#endif

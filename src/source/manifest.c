/*
 * A snapshot's manifest for people: every value in it with the way to it.  What is
 * in it is the sources' own.
 */
#include "zstore/source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_JANSSON
#include <jansson.h>

#define DEPTH_MAX 16

struct walk {
	int (*fn)(void *ctx, const char *key, struct zs_span value);
	void *ctx;
};

static int show(const struct walk *w, const char *key, json_t *value)
{
	char text[64];

	if (json_is_string(value))
		return w->fn(w->ctx, key, zs_span(json_string_value(value), json_string_length(value)));
	if (json_is_integer(value))
		(void)snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
	else if (json_is_real(value))
		(void)snprintf(text, sizeof text, "%g", json_real_value(value));
	else
		(void)snprintf(text, sizeof text, "%s", json_is_true(value) ? "yes" : json_is_false(value) ? "no" : "-");
	return w->fn(w->ctx, key, zs_span_str(text));
}

static int walk_value(const struct walk *w, const char *key, json_t *value, int depth, struct zs_err *err);

static int walk_child(const struct walk *w, const char *key, const char *name, json_t *value, int depth, struct zs_err *err)
{
	char *below = NULL;
	int rc;

	if (asprintf(&below, "%s%s%s", key, *key ? "." : "", name) < 0)
		return zs_fail_nomem(err);
	rc = walk_value(w, below, value, depth + 1, err);
	free(below);
	return rc;
}

static int walk_value(const struct walk *w, const char *key, json_t *value, int depth, struct zs_err *err)
{
	char number[24];
	const char *name;
	json_t *child;
	size_t i;
	int rc = 0;

	if (depth > DEPTH_MAX)
		return zs_fail(err, ZS_CORRUPT, "manifest: nested too deeply");
	if (json_is_array(value)) {
		json_array_foreach(value, i, child) {
			(void)snprintf(number, sizeof number, "%zu", i);
			if (rc == 0)
				rc = walk_child(w, key, number, child, depth, err);
		}
		return rc;
	}
	if (json_is_object(value)) {
		json_object_foreach(value, name, child) {
			if (rc == 0)
				rc = walk_child(w, key, name, child, depth, err);
		}
		return rc;
	}
	return show(w, key, value);
}

static json_t *load(struct zs_span json, struct zs_err *err)
{
	json_error_t why;
	json_t *root = json_loadb((const char *)json.p, json.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &why);

	if (!root)
		(void)zs_fail(err, ZS_CORRUPT, "manifest: %s", why.text);
	return root;
}

int zs_manifest_walk(struct zs_span json, int (*fn)(void *ctx, const char *key, struct zs_span value), void *ctx,
    struct zs_err *err)
{
	struct walk w = {fn, ctx};
	json_t *root = load(json, err);
	int rc;

	if (!root)
		return -1;
	rc = walk_value(&w, "", root, 0, err);
	json_decref(root);
	return rc;
}

int zs_manifest_valid(struct zs_span json)
{
	struct zs_err ignored = {0};
	json_t *root = load(json, &ignored);

	json_decref(root);
	return root != NULL;
}
#else
int zs_manifest_walk(struct zs_span json, int (*fn)(void *ctx, const char *key, struct zs_span value), void *ctx,
    struct zs_err *err)
{
	(void)err;
	return fn(ctx, "manifest", json);
}

int zs_manifest_valid(struct zs_span json)
{
	(void)json;
	return 0; /* nobody can say */
}
#endif

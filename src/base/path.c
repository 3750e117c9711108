/*
 * Paths inside a snapshot: what is valid, their order, their parts, and what a user typed turned into one.  Pure text:
 * nothing here looks at a file system.
 */
#include "zstore/base.h"

#include <string.h>

static int component_valid(const uint8_t *p, size_t n)
{
	if (n < 1 || n > ZS_COMPONENT_MAX || memchr(p, '\0', n))
		return 0;
	return !(p[0] == '.' && (n == 1 || (n == 2 && p[1] == '.')));
}

static size_t component_bytes(const uint8_t *p, size_t n)
{
	const uint8_t *slash = n > 0 ? memchr(p, '/', n) : NULL;

	return slash ? (size_t)(slash - p) : n;
}

int zs_path_valid(struct zs_span path)
{
	size_t at = 0, n;

	if (path.n < 1 || path.n > ZS_PATH_MAX)
		return 0;
	for (;;) {
		n = component_bytes(path.p + at, path.n - at);
		if (!component_valid(path.p + at, n))
			return 0;
		at += n;
		if (at == path.n)
			return 1;
		at++;
	}
}

/* '/' before every other byte, the others in their own order */
static int rank(uint8_t c)
{
	return c == '/' ? 0 : c + 1;
}

int zs_path_cmp(struct zs_span a, struct zs_span b)
{
	size_t n = a.n < b.n ? a.n : b.n, i = 0;

	/* neighbours in a tree share long prefixes: skip them by words */
	for (; n - i >= 8; i += 8) {
		uint64_t wa, wb;

		memcpy(&wa, a.p + i, 8);
		memcpy(&wb, b.p + i, 8);
		if (wa != wb)
			break;
	}
	for (; i < n; i++)
		if (a.p[i] != b.p[i])
			return rank(a.p[i]) - rank(b.p[i]);
	return (a.n > b.n) - (a.n < b.n);
}

int zs_path_below(struct zs_span path, struct zs_span dir)
{
	if (dir.n == 0)
		return path.n > 0;
	return path.n > dir.n + 1 && path.p[dir.n] == '/' && memcmp(path.p, dir.p, dir.n) == 0;
}

struct zs_span zs_path_base(struct zs_span path)
{
	const uint8_t *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;
	size_t skip = slash ? (size_t)(slash - path.p) + 1 : 0;

	return slash ? zs_span(path.p + skip, path.n - skip) : path;
}

struct zs_span zs_path_dir(struct zs_span path)
{
	const uint8_t *slash = path.n > 0 ? memrchr(path.p, '/', path.n) : NULL;

	return zs_span(path.p, slash ? (size_t)(slash - path.p) : 0);
}

static int add_component(struct zs_buf *out, size_t start, const uint8_t *p, size_t n, struct zs_err *err)
{
	size_t sep = out->n > start;

	if (memchr(p, '\0', n))
		return zs_fail(err, ZS_USAGE, "a path cannot hold a zero byte");
	if (n > ZS_COMPONENT_MAX)
		return zs_fail(err, ZS_LIMIT, "path component of %zu bytes; the limit is %d", n, ZS_COMPONENT_MAX);
	if (n + sep > ZS_PATH_MAX - (out->n - start))
		return zs_fail(err, ZS_LIMIT, "path of more than %d bytes", ZS_PATH_MAX);
	if (sep && zs_buf_add_u8(out, '/', err) < 0)
		return -1;
	return zs_buf_add(out, p, n, err);
}

int zs_path_clean(struct zs_span typed, struct zs_buf *out, struct zs_err *err)
{
	size_t start = out->n, at, n;

	for (at = 0; at < typed.n; at += n + 1) {
		const uint8_t *p = typed.p + at;

		n = component_bytes(p, typed.n - at);
		if (n == 0 || (n == 1 && p[0] == '.'))
			continue;
		if (n == 2 && p[0] == '.' && p[1] == '.') {
			if (out->n > start)
				out->n = start + zs_path_dir(zs_span(out->p + start, out->n - start)).n;
			continue;
		}
		if (add_component(out, start, p, n, err) < 0) {
			out->n = start;
			return -1;
		}
	}
	return 0;
}

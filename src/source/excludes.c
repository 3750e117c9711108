/*
 * gitignore-style patterns.  A pattern without an inner slash is compared with the
 * last component, others with the whole path, component by component.  Matching is
 * a loop with one point of return (no recursion, no backtracking in backtracking),
 * so its time is bounded by pattern length times path length.
 */
#include "zstore/source.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define PATTERN_MAX 4096

struct segment { /* between two slashes */
	const uint8_t *p;
	size_t n;
	uint8_t is_any;	    /* "**": any number of components */
	uint8_t is_literal; /* no special character */
};
struct pattern {
	uint8_t *text; /* owned */
	struct segment *segments;
	size_t count;
	uint8_t is_negated, is_dir_only, is_base_only;
};
struct zs_excludes {
	struct pattern *v;
	size_t n;
};

/* ------------------------------------------------------------ one component */

static int in_named_class(const uint8_t *name, size_t n, uint8_t c)
{
	static const struct { const char *name; int (*is)(int); } classes[] = {
		{"alnum", isalnum}, {"alpha", isalpha}, {"blank", isblank}, {"cntrl", iscntrl}, {"digit", isdigit},
		{"graph", isgraph}, {"lower", islower}, {"print", isprint}, {"punct", ispunct}, {"space", isspace},
		{"upper", isupper}, {"xdigit", isxdigit},
	};

	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++) {
		if (strlen(classes[i].name) == n && !memcmp(classes[i].name, name, n))
			return c < 128 && classes[i].is(c);
	}
	return 0;
}

/* At p[*i] == '[': is c in the set?  *i moves behind the ']'.  Checked to be well-formed when it was compiled. */
static int in_set(const uint8_t *p, size_t n, size_t *i, uint8_t c)
{
	size_t at = *i + 1;
	int negated = at < n && (p[at] == '!' || p[at] == '^'), found = 0, first = 1;

	at += (size_t)negated;
	for (; at < n && (first || p[at] != ']'); first = 0) {
		uint8_t low, high;

		if (p[at] == '[' && at + 1 < n && p[at + 1] == ':') {
			const uint8_t *end = memchr(p + at + 2, ':', n - at - 2);

			if (end && end + 1 < p + n && end[1] == ']') {
				found |= in_named_class(p + at + 2, (size_t)(end - p) - at - 2, c);
				at = (size_t)(end - p) + 2;
				continue;
			}
		}
		if (p[at] == '\\' && at + 1 < n)
			at++;
		low = high = p[at++];
		if (at + 1 < n && p[at] == '-' && p[at + 1] != ']') {
			at++;
			if (p[at] == '\\' && at + 1 < n)
				at++;
			high = p[at++];
		}
		found |= c >= low && c <= high;
	}
	*i = at + 1;
	return found != negated;
}

/* Does the pattern's next character, which is no '*', take c?  *i moves behind it. */
static int takes(const uint8_t *p, size_t n, size_t *i, uint8_t c)
{
	if (p[*i] == '?') {
		(*i)++;
		return 1;
	}
	if (p[*i] == '[')
		return in_set(p, n, i, c);
	if (p[*i] == '\\' && *i + 1 < n)
		(*i)++;
	return p[(*i)++] == c;
}

static int match_component(const struct segment *s, const uint8_t *t, size_t n)
{
	size_t i = 0, j = 0, star = SIZE_MAX, from = 0;

	if (s->is_literal)
		return s->n == n && !memcmp(s->p, t, n);
	for (;;) {
		size_t before = i;

		if (i < s->n && s->p[i] == '*') {
			star = ++i;
			from = j;
			if (i == s->n)
				return 1;
			continue;
		}
		if (j == n && i == s->n)
			return 1;
		if (j < n && i < s->n && takes(s->p, s->n, &i, t[j])) {
			j++;
			continue;
		}
		i = before;
		if (star == SIZE_MAX || from >= n)
			return 0;
		i = star; /* the last star takes one more */
		j = ++from;
	}
}

/* ------------------------------------------------------------------ whole paths */

static size_t component_end(struct zs_span path, size_t at)
{
	const uint8_t *slash = memchr(path.p + at, '/', path.n - at);

	return slash ? (size_t)(slash - path.p) : path.n;
}

static int match_path(const struct pattern *p, struct zs_span path)
{
	size_t i = 0, at = 0, any = SIZE_MAX, from = 0; /* at: start of a component, path.n + 1: none is left */

	for (;;) {
		size_t end = at <= path.n ? component_end(path, at) : at;

		if (i < p->count && p->segments[i].is_any) {
			any = ++i;
			from = at;
			if (i == p->count)
				return at <= path.n; /* a last "**" wants something inside */
			continue;
		}
		if (at > path.n && i == p->count)
			return 1;
		if (at <= path.n && i < p->count && match_component(&p->segments[i], path.p + at, end - at)) {
			i++;
			at = end + 1;
			continue;
		}
		if (any == SIZE_MAX || from > path.n)
			return 0;
		i = any;
		from = component_end(path, from) + 1;
		at = from;
	}
}

int zs_excludes_match(const struct zs_excludes *x, struct zs_span path, int is_dir)
{
	struct zs_span base = zs_path_base(path);

	if (!path.n)
		return 0;
	for (size_t k = x->n; k--;) {
		const struct pattern *p = &x->v[k];

		if (p->is_dir_only && !is_dir)
			continue;
		if (p->is_base_only ? match_component(p->segments, base.p, base.n) : match_path(p, path))
			return !p->is_negated;
	}
	return 0;
}

/* --------------------------------------------------------------------- compiling */

/* Sets are closed, and no backslash is the last character. */
static int is_well_formed(const struct segment *s)
{
	for (size_t i = 0; i < s->n;) {
		if (s->p[i] == '\\' && i + 1 == s->n)
			return 0;
		if (s->p[i] == '[') {
			(void)in_set(s->p, s->n, &i, 0);
			if (i > s->n)
				return 0;
		} else {
			i += s->p[i] == '\\' ? 2 : 1;
		}
	}
	return 1;
}

static int has_special(const struct segment *s)
{
	for (size_t i = 0; i < s->n; i++) {
		if (strchr("*?[\\", s->p[i]) && s->p[i])
			return 1;
	}
	return 0;
}

/* 1; 0 it can never match; -1 */
static int cut_segments(struct pattern *p, const uint8_t *t, size_t n, struct zs_err *err)
{
	size_t slashes = 0;

	for (size_t i = 0; i < n; i++)
		slashes += t[i] == '/';
	p->segments = calloc(slashes + 1, sizeof *p->segments);
	if (!p->segments)
		return zs_fail_nomem(err);
	for (size_t at = 0; at <= n;) {
		const uint8_t *slash = memchr(t + at, '/', n - at);
		struct segment s = {.p = t + at, .n = slash ? (size_t)(slash - t) - at : n - at};

		at += s.n + 1;
		if (!s.n)
			continue; /* "//" */
		s.is_any = s.n == 2 && s.p[0] == '*' && s.p[1] == '*';
		s.is_literal = !has_special(&s);
		if (!is_well_formed(&s))
			return 0;
		if (s.is_any && p->count && p->segments[p->count - 1].is_any)
			continue;
		p->segments[p->count++] = s;
	}
	return p->count > 0;
}

static size_t trim_blanks(const char *t, size_t n)
{
	while (n && (t[n - 1] == ' ' || t[n - 1] == '\r')) {
		size_t escapes = 0;

		while (n - 1 > escapes && t[n - 2 - escapes] == '\\')
			escapes++;
		if (escapes & 1)
			break;
		n--;
	}
	return n;
}

/* 1 a pattern; 0 none (a comment, empty, never matches); -1 */
static int compile(struct pattern *p, const char *text, struct zs_err *err)
{
	size_t n = trim_blanks(text, strlen(text)), at = 0;
	const uint8_t *slash;

	if (n > PATTERN_MAX)
		return zs_fail(err, ZS_USAGE, "a pattern is longer than %d bytes: %.40s...", PATTERN_MAX, text);
	if (!n || text[0] == '#')
		return 0;
	p->text = malloc(n);
	if (!p->text)
		return zs_fail_nomem(err);
	memcpy(p->text, text, n);
	if (p->text[0] == '!') {
		p->is_negated = 1;
		at = 1;
	}
	if (n > at && p->text[n - 1] == '/') {
		p->is_dir_only = 1;
		n--;
	}
	slash = memchr(p->text + at, '/', n - at);
	p->is_base_only = !slash;
	if (n > at && p->text[at] == '/')
		at++;
	return cut_segments(p, p->text + at, n - at, err);
}

static void pattern_fini(struct pattern *p)
{
	free(p->text);
	free(p->segments);
	memset(p, 0, sizeof *p);
}

int zs_excludes_new(const struct zs_strings *patterns, struct zs_excludes **out, struct zs_err *err)
{
	struct zs_excludes *x = calloc(1, sizeof *x);
	size_t n = patterns ? patterns->n : 0;

	if (!x)
		return zs_fail_nomem(err);
	x->v = calloc(n ? n : 1, sizeof *x->v);
	if (!x->v) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	for (size_t i = 0; i < n; i++) {
		int rc = compile(&x->v[x->n], patterns->v[i], err);

		x->n++; /* so that it is freed */
		if (rc < 0)
			goto fail;
		if (!rc)
			pattern_fini(&x->v[--x->n]);
	}
	*out = x;
	return 0;
fail:
	zs_excludes_free(x);
	return -1;
}

void zs_excludes_free(struct zs_excludes *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n; i++)
		pattern_fini(&x->v[i]);
	free(x->v);
	free(x);
}

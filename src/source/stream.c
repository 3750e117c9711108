/*
 * A source of one stream under one path, with the directories above it.  Where the
 * bytes come from is a small table: a descriptor that somebody else owns (here), or
 * a command (command.c).
 */
#include "source_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct stream {
	struct zs_source base;
	struct zs_source_handle handle;
	struct zs_source_reader reader;
	const struct stream_ops *ops;
	void *ctx;
	struct zs_buf path;
	size_t given; /* bytes of path whose directories were given; SIZE_MAX: all */
	enum zs_kind content;
	int fd, is_started, at_end;
	int64_t now_ns;
	char text[DIRS_TEXT];
};

static struct stream *of_handle(struct zs_source_handle *h)
{
	return (struct stream *)(void *)((char *)h - offsetof(struct stream, handle));
}

static struct stream *of_reader(struct zs_source_reader *r)
{
	return (struct stream *)(void *)((char *)r - offsetof(struct stream, reader));
}

static int stream_next(struct zs_source *base, struct zs_source_item *out, struct zs_err *err)
{
	struct stream *s = (struct stream *)base;
	size_t from = s->given ? s->given + 1 : 0;
	const uint8_t *slash;

	(void)err;
	if (s->given == SIZE_MAX)
		return 0;
	*out = (struct zs_source_item){.content = s->content};
	out->entry = (struct zs_entry){.kind = ZS_ENTRY_DIR, .flags = ZS_ENTRY_HAS_MODE, .mode = 0755, .uid = geteuid(),
	    .gid = getegid(), .date_ns = INT64_MIN, .item_date_ns = INT64_MIN};
	slash = memchr(s->path.p + from, '/', s->path.n - from);
	if (slash) {
		s->given = (size_t)(slash - s->path.p);
		out->path = zs_span(s->path.p, s->given);
		return 1;
	}
	s->given = SIZE_MAX;
	out->path = zs_buf_span(&s->path);
	out->entry.kind = ZS_ENTRY_FILE;
	out->entry.mode = 0600;
	out->entry.mtime_ns = s->now_ns;
	out->handle = &s->handle;
	out->serial = 1;
	return 1;
}

static void stream_free(struct zs_source *base)
{
	struct stream *s = (struct stream *)base;

	s->ops->free(s->ctx);
	zs_buf_fini(&s->path);
	free(s);
}

static int stream_open(struct zs_source_handle *h, struct zs_source_reader **out, struct zs_err *err)
{
	struct stream *s = of_handle(h);

	if (s->is_started)
		return zs_fail(err, ZS_SOURCE, "%s: a stream can be read once only", s->text);
	if (s->ops->start(s->ctx, &s->fd, err) < 0)
		return zs_context(err, "%s", s->text);
	s->is_started = 1;
	*out = &s->reader;
	return 0;
}

static int stream_read(struct zs_source_reader *r, void *p, size_t n, size_t *out_n, uint64_t *out_hole,
    struct zs_err *err)
{
	struct stream *s = of_reader(r);
	ssize_t got;

	*out_n = 0;
	*out_hole = 0;
	if (s->at_end || !n)
		return 0;
	do
		got = read(s->fd, p, n);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		return zs_fail_sys(err, ZS_SOURCE, errno, "cannot read the stream for %s", s->text);
	s->at_end = got == 0;
	*out_n = (size_t)got;
	return 0;
}

static int stream_close(struct zs_source_reader *r, int *out_changed, struct zs_err *err)
{
	struct stream *s = of_reader(r);
	int fd = s->fd;

	*out_changed = 0;
	s->fd = -1;
	if (s->ops->end(s->ctx, fd, s->at_end, err) < 0)
		return zs_context(err, "%s", s->text);
	return 0;
}

static void stream_handle_free(struct zs_source_handle *h)
{
	(void)h; /* part of the source */
}

static const struct zs_source_ops stream_table = {
	.next = stream_next,
	.free = stream_free,
	.open = stream_open,
	.read = stream_read,
	.close = stream_close,
	.handle_free = stream_handle_free,
};

int stream_new(const struct stream_ops *ops, void *ctx, struct zs_span path, enum zs_kind content,
    struct zs_source **out, struct zs_err *err)
{
	struct stream *s = NULL;
	const char *text;

	if (!zs_path_valid(path)) {
		(void)zs_fail(err, ZS_USAGE, "a stream needs a valid path to be stored under");
		goto fail;
	}
	s = calloc(1, sizeof *s);
	if (!s) {
		(void)zs_fail_nomem(err);
		goto fail;
	}
	*s = (struct stream){.base = {&stream_table}, .handle = {&stream_table}, .reader = {&stream_table}, .ops = ops,
	    .ctx = ctx, .content = content, .fd = -1, .now_ns = zs_now_ns()};
	text = dirs_text_path(path, s->text);
	memmove(s->text, text, strlen(text) + 1);
	if (zs_buf_add_span(&s->path, path, err) < 0)
		goto fail;
	*out = &s->base;
	return 0;
fail:
	ops->free(ctx);
	free(s);
	return -1;
}

/* ------------------------------------------------------------ a given descriptor */

struct given { int fd; };

static int given_start(void *ctx, int *out_fd, struct zs_err *err)
{
	const struct given *g = ctx;

	(void)err;
	*out_fd = g->fd;
	return 0;
}

static int given_end(void *ctx, int fd, int at_end, struct zs_err *err)
{
	(void)ctx;
	(void)fd;
	return at_end ? 0 : zs_fail(err, ZS_SOURCE, "the stream was not read to its end");
}

int zs_source_fd_new(int fd, struct zs_span path, enum zs_kind content, const struct zs_source_settings *settings,
    struct zs_source **out, struct zs_err *err)
{
	static const struct stream_ops ops = {given_start, given_end, free};
	struct given *g = malloc(sizeof *g);

	(void)settings;
	if (!g)
		return zs_fail_nomem(err);
	g->fd = fd;
	return stream_new(&ops, g, path, content, out, err);
}

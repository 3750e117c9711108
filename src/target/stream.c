/*
 * The target that writes contents only, one after the other: extract --stdout.  What has no content leaves no trace.
 */
#include <stdlib.h>

#include "zstore/target.h"

struct stream {
	struct zs_target base;
	int fd;
	uint64_t left; /* of the present entry */
};

static const uint8_t zeros[64 << 10];

static int stream_begin(struct zs_target *t, struct zs_span path, const struct zs_entry *e, struct zs_err *err)
{
	struct stream *s = (struct stream *)t;

	(void)path;
	(void)err;
	s->left = e->kind == ZS_ENTRY_FILE ? e->size : 0;
	return 0;
}

static int stream_write(struct zs_target *t, struct zs_span bytes, struct zs_err *err)
{
	struct stream *s = (struct stream *)t;

	if (bytes.n > s->left)
		return zs_fail(err, ZS_CORRUPT, "an entry has more content than its size says");
	s->left -= bytes.n;
	return zs_write_all(s->fd, bytes.p, bytes.n, ZS_TARGET, "output", err);
}

static int stream_hole(struct zs_target *t, uint64_t bytes, struct zs_err *err)
{
	while (bytes) {
		size_t n = bytes < sizeof zeros ? (size_t)bytes : sizeof zeros;

		if (stream_write(t, zs_span(zeros, n), err) < 0)
			return -1;
		bytes -= n;
	}
	return 0;
}

static int stream_end(struct zs_target *t, struct zs_err *err)
{
	struct stream *s = (struct stream *)t;

	if (s->left)
		return zs_fail(err, ZS_CORRUPT, "an entry has less content than its size says");
	return 0;
}

static int stream_finish(struct zs_target *t, struct zs_err *err)
{
	(void)t;
	(void)err;
	return 0;
}

static void stream_free(struct zs_target *t)
{
	free(t);
}

static const struct zs_target_ops stream_ops = {
	stream_begin, stream_write, stream_hole, stream_end, stream_finish, stream_free,
};

int zs_target_stdout_new(int fd, struct zs_target **out, struct zs_err *err)
{
	struct stream *s = calloc(1, sizeof *s);

	if (!s)
		return zs_fail_nomem(err);
	s->base.ops = &stream_ops;
	s->fd = fd;
	*out = &s->base;
	return 0;
}

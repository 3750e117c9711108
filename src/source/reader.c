/*
 * Reads one file found by the scan: opens it without following anything, makes sure
 * that it is still what was seen, reads at most what it held when it was opened,
 * skips holes, and says in the end whether it changed meanwhile.
 */
#include "source_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define ADVISE_BYTES (4u << 20)

struct reader {
	struct zs_source_reader base;
	const struct files_handle *handle; /* for messages; outlives the reader */
	int fd;
	int is_sparse, is_changed;
	uint64_t at, end;   /* end: size when it was opened */
	uint64_t data_end;  /* sparse: data up to here */
	struct stat opened;
};

static int fail_at(const struct files_handle *h, int sys, const char *what, struct zs_err *err)
{
	char text[DIRS_TEXT];

	return zs_fail_sys(err, ZS_SOURCE, sys, "%s %s", what, dirs_text(h->dir, h->name, text));
}

static int fail_type(const struct files_handle *h, const char *what, struct zs_err *err)
{
	char text[DIRS_TEXT];

	return zs_fail(err, ZS_SOURCE, "%s %s", dirs_text(h->dir, h->name, text), what);
}

static int open_file(const struct files_handle *h, struct zs_err *err)
{
	const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
	int at, closes, fd, sys;

	if (dirs_open(h->dir, &at, &closes) < 0)
		return fail_at(h, errno, "cannot open", err);
	fd = openat(at, h->name, flags | O_NOATIME);
	if (fd < 0 && errno == EPERM)
		fd = openat(at, h->name, flags);
	sys = errno;
	if (closes)
		(void)close(at);
	if (fd >= 0)
		return fd;
	if (sys == ELOOP || sys == ENXIO)
		return fail_type(h, "changed type", err);
	return fail_at(h, sys, sys == ENOENT ? "it vanished:" : "cannot open", err);
}

/*
 * Another file under the same name (saved by renaming, as editors do) is taken as one that changed.  Not so where
 * owner or mode differ from the metadata that we have: restored, it could be seen by people who may not.
 */
static int check_same(struct reader *r, struct zs_err *err)
{
	const struct files_handle *h = r->handle;
	const struct stat *st = &r->opened;

	if (!S_ISREG(st->st_mode))
		return fail_type(h, "changed type", err);
	if (st->st_mode != h->seen.mode || st->st_uid != h->seen.uid || st->st_gid != h->seen.gid)
		return fail_type(h, "was replaced, or got another owner or mode, since it was looked at", err);
	if (st->st_dev == h->seen.dev && st->st_ino == h->seen.ino)
		return 0;
	if (st->st_dev != h->seen.dev || h->seen.is_linked)
		return fail_type(h, "was replaced by another file", err);
	r->is_changed = !(h->lenient & FILES_REPLACED);
	return 0;
}

int reader_open(struct zs_source_handle *base, struct zs_source_reader **out, struct zs_err *err)
{
	struct files_handle *h = (struct files_handle *)base;
	struct reader *r;

	if (!S_ISREG(h->seen.mode))
		return fail_type(h, "is no regular file", err);
	r = calloc(1, sizeof *r);
	if (!r)
		return zs_fail_nomem(err);
	r->base.ops = base->ops;
	r->handle = h;
	r->fd = open_file(h, err);
	if (r->fd < 0)
		goto fail;
	if (fstat(r->fd, &r->opened) < 0) {
		(void)fail_at(h, errno, "cannot stat", err);
		goto fail;
	}
	if (check_same(r, err) < 0)
		goto fail;
	r->end = (uint64_t)r->opened.st_size;
	r->is_sparse = (uint64_t)r->opened.st_blocks * 512 < r->end;
	if (r->end >= ADVISE_BYTES)
		(void)posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	*out = &r->base;
	return 0;
fail:
	if (r->fd >= 0)
		(void)close(r->fd);
	free(r);
	return -1;
}

/* At r->at, the end of known data: is it a hole, and how long?  Anything unclear is read as data. */
static uint64_t hole_here(struct reader *r)
{
	off_t data = lseek(r->fd, (off_t)r->at, SEEK_DATA), hole;
	struct stat st;

	if (data < 0 && errno == ENXIO) { /* a hole up to the end of the file, wherever that is now */
		if (fstat(r->fd, &st) < 0 || (uint64_t)st.st_size <= r->at)
			return 0;
		data = st.st_size;
	}
	if (data < 0 || (uint64_t)data < r->at) {
		r->is_sparse = 0;
		return 0;
	}
	if ((uint64_t)data > r->at)
		return ((uint64_t)data < r->end ? (uint64_t)data : r->end) - r->at;
	hole = lseek(r->fd, data, SEEK_HOLE);
	r->data_end = hole > data ? (uint64_t)hole : r->end;
	return 0;
}

int reader_read(struct zs_source_reader *base, void *p, size_t n, size_t *out_n, uint64_t *out_hole, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	uint64_t stop = r->end;
	size_t got = 0;

	*out_n = 0;
	*out_hole = 0;
	if (r->is_sparse && r->at < r->end && r->at >= r->data_end) {
		*out_hole = hole_here(r);
		r->at += *out_hole;
		if (*out_hole)
			return 0;
	}
	if (r->is_sparse && r->data_end > r->at && r->data_end < stop)
		stop = r->data_end;
	if (n > stop - r->at)
		n = (size_t)(stop - r->at);
	while (got < n) {
		ssize_t k = pread(r->fd, (char *)p + got, n - got, (off_t)r->at);

		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return fail_at(r->handle, errno, "cannot read", err);
		if (!k) { /* cut shorter meanwhile: this is all there is */
			r->end = r->at;
			break;
		}
		got += (size_t)k;
		r->at += (uint64_t)k;
	}
	*out_n = got;
	return 0;
}

int reader_close(struct zs_source_reader *base, int *out_changed, struct zs_err *err)
{
	struct reader *r = (struct reader *)base;
	const struct stat *was = &r->opened;
	struct stat st;
	int rc = 0;

	if (fstat(r->fd, &st) < 0)
		rc = fail_at(r->handle, errno, "cannot stat", err);
	else if (st.st_size != was->st_size || walker_ns(st.st_mtim) != walker_ns(was->st_mtim) ||
	    (walker_ns(st.st_ctim) != walker_ns(was->st_ctim) && !(r->handle->lenient & FILES_RENAMES)))
		r->is_changed = 1;
	*out_changed = r->is_changed;
	(void)close(r->fd);
	free(r);
	return rc;
}

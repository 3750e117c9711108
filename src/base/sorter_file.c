/*
 * The sorter's spill file: sorted runs written through one buffer into an anonymous file, and the order of records.
 * What goes into a run is sorter.c's business, reading runs back is sorter_merge.c's.
 */
#include "base_private.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WHAT "temporary file for sorting"

uint64_t sorter_file_prefix(struct zs_span key)
{
	uint64_t v = 0;
	size_t i;

	if (key.n >= 8) {
		memcpy(&v, key.p, 8);
		return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
	}
	for (i = 0; i < key.n; i++)
		v |= (uint64_t)key.p[i] << (56 - 8 * i);
	return v;
}

int sorter_file_cmp(const struct record *a, const struct record *b)
{
	size_t an, bn, n;
	int c = 0;

	if (a->prefix != b->prefix)
		return a->prefix < b->prefix ? -1 : 1;
	an = record_key_bytes(a->p);
	bn = record_key_bytes(b->p);
	n = an < bn ? an : bn;
	/* the prefix has settled the first 8 bytes */
	if (n > 8)
		c = memcmp(a->p + RECORD_HEADER + 8, b->p + RECORD_HEADER + 8, n - 8);
	return c ? c : (an > bn) - (an < bn);
}

static int flush(struct run_file *f, struct zs_err *err)
{
	if (zs_pwrite_all(f->fd, f->out, f->out_n, f->end - f->out_n, ZS_SYSTEM, WHAT, err) < 0)
		return -1;
	f->out_n = 0;
	return 0;
}

int sorter_file_begin(struct run_file *f, const char *tmp_dir, struct zs_err *err)
{
	if (f->fd < 0)
		f->fd = zs_temp_file(tmp_dir, err);
	if (f->fd < 0)
		return -1;
	f->run_start = f->end;
	return 0;
}

int sorter_file_add(struct run_file *f, const uint8_t *record, struct zs_err *err)
{
	size_t n = record_bytes(record), part;

	if (n > f->record_max)
		f->record_max = n;
	while (n > 0) {
		if (f->out_n == f->out_cap && flush(f, err) < 0)
			return -1;
		part = f->out_cap - f->out_n < n ? f->out_cap - f->out_n : n;
		memcpy(f->out + f->out_n, record, part);
		f->out_n += part;
		f->end += part;
		record += part;
		n -= part;
	}
	return 0;
}

static int make_room(struct run_file *f, struct zs_err *err)
{
	size_t cap = f->run_cap ? f->run_cap * 2 : 16;
	struct run *runs;

	if (f->run_count < f->run_cap)
		return 0;
	runs = reallocarray(f->runs, cap, sizeof(*runs));
	if (!runs)
		return zs_fail_nomem(err);
	f->runs = runs;
	f->run_cap = cap;
	return 0;
}

int sorter_file_end(struct run_file *f, size_t at, size_t replaced, struct zs_err *err)
{
	size_t i, tail;

	assert(at + replaced <= f->run_count);
	if (flush(f, err) < 0 || make_room(f, err) < 0)
		return -1;
	/* the old runs' space is given back where the file system can do it; where not, it only lasts longer */
	for (i = at; i < at + replaced; i++)
		(void)fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)f->runs[i].start,
		    (off_t)(f->runs[i].end - f->runs[i].start));
	tail = f->run_count - at - replaced;
	memmove(f->runs + at + 1, f->runs + at + replaced, tail * sizeof(*f->runs));
	f->runs[at] = (struct run){f->run_start, f->end};
	f->run_count = at + 1 + tail;
	return 0;
}

void sorter_file_fini(struct run_file *f)
{
	if (f->fd >= 0)
		(void)close(f->fd);
	free(f->runs);
	*f = (struct run_file){.fd = -1};
}

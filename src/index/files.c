/*
 * LMDB's data files, looked at from outside before LMDB maps them: a file that is
 * too short would be a SIGBUS, not an error.  Reads the two meta pages (version 1
 * of LMDB's format, in native byte order), sums up files that are not too large.
 */
#include "index_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Larger files are not summed up: an open must stay quick. */
#define FILES_SUM_MAX (64u << 20)
#define FILES_SLACK (64u << 10) /* a page's inner offsets have 16 bits */
#define FILES_STEP (1u << 20)

struct meta { /* what we need of MDB_page and MDB_meta */
	uint16_t flags;
	uint32_t magic, version, page_bytes;
	uint64_t free_root, main_root, last_page, txn;
};

static int data_open(const char *env_dir)
{
	char *path = NULL;
	int fd;

	if (asprintf(&path, "%s/data.mdb", env_dir) < 0)
		return -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	free(path);
	return fd;
}

static int meta_read(int fd, uint64_t at, struct meta *out)
{
	struct zs_err ignored = {0};
	uint8_t b[152];
	size_t n;

	if (zs_pread_full(fd, b, sizeof b, at, &n, ZS_SYSTEM, "index", &ignored) < 0 || n < sizeof b)
		return 0;
	memcpy(&out->flags, b + 10, 2);
	memcpy(&out->magic, b + 16, 4);
	memcpy(&out->version, b + 20, 4);
	memcpy(&out->page_bytes, b + 40, 4);
	memcpy(&out->free_root, b + 80, 8);
	memcpy(&out->main_root, b + 128, 8);
	memcpy(&out->last_page, b + 136, 8);
	memcpy(&out->txn, b + 144, 8);
	return (out->flags & 0x08) && out->magic == 0xBEEFC0DEu && out->version == 1;
}

static int root_fits(uint64_t root, uint64_t last_page)
{
	return root == UINT64_MAX || root <= last_page;
}

int files_plausible(const char *env_dir)
{
	struct meta a, b, *newest;
	struct stat st;
	int fd = data_open(env_dir), ok = 0;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || !meta_read(fd, 0, &a))
		goto out;
	if (a.page_bytes < 512 || a.page_bytes > 65536 || (a.page_bytes & (a.page_bytes - 1)) ||
	    !meta_read(fd, a.page_bytes, &b) || b.page_bytes != a.page_bytes)
		goto out;
	newest = b.txn > a.txn ? &b : &a;
	ok = newest->last_page >= 1 && newest->last_page < (uint64_t)st.st_size / a.page_bytes &&
	    root_fits(newest->free_root, newest->last_page) && root_fits(newest->main_root, newest->last_page);
out:
	(void)close(fd);
	return ok;
}

int files_size_sum(const char *env_dir, uint64_t *out_bytes, uint64_t *out_sum, struct zs_err *err)
{
	struct zs_hasher *h = zs_hasher_new();
	uint8_t *chunk = malloc(FILES_SLACK);
	int fd = data_open(env_dir), rc = -1;
	struct stat st;
	size_t n;

	if (!h || !chunk) {
		zs_fail_nomem(err);
		goto out;
	}
	if (fd < 0 || fstat(fd, &st) < 0) {
		zs_fail_sys(err, ZS_SYSTEM, errno, "%s/data.mdb", env_dir);
		goto out;
	}
	for (n = FILES_SLACK; st.st_size <= (off_t)FILES_SUM_MAX && n == FILES_SLACK;) {
		if (zs_read_full(fd, chunk, FILES_SLACK, &n, ZS_SYSTEM, env_dir, err) < 0)
			goto out;
		zs_hasher_add(h, zs_span(chunk, n));
	}
	*out_bytes = (uint64_t)st.st_size;
	*out_sum = zs_hasher_sum(h);
	rc = 0;
out:
	if (fd >= 0)
		(void)close(fd);
	free(chunk);
	zs_hasher_free(h);
	return rc;
}

void files_extend(MDB_env *env)
{
	MDB_envinfo info;
	MDB_stat page;
	struct stat st;
	uint64_t need;
	int fd;

	if (mdb_env_info(env, &info) || mdb_env_stat(env, &page) || mdb_env_get_fd(env, &fd) || fstat(fd, &st) < 0)
		return;
	need = ((uint64_t)info.me_last_pgno + 1) * page.ms_psize + FILES_SLACK;
	/* LMDB does not write pages that it took and gave back in one transaction, so a file may end before its
	 * last page: that must not look like a file that was cut. */
	if ((uint64_t)st.st_size < need)
		(void)!ftruncate(fd, (off_t)(need + FILES_STEP - need % FILES_STEP));
}

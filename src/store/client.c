/*
 * Who this client is: a random id, made on first use and kept in the cache directory.  It names the writer of packs
 * and snapshots and is no secret.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "store_private.h"

static int client_write(const char *path, struct zs_err *err)
{
	uint8_t id[ZS_NAME_BYTES];
	int fd, rc;

	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
	zs_random(id, sizeof(id));
	rc = zs_write_all(fd, id, sizeof(id), ZS_SYSTEM, path, err);
	if (rc == 0 && fsync(fd) < 0)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
	if (close(fd) < 0 && rc == 0)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
	return rc;
}

/* Complete under a name of its own, then linked: whoever comes second finds the first one's. */
static int client_make(const char *path, struct zs_err *err)
{
	struct zs_buf tmp = ZS_BUF_INIT;
	struct zs_name random;
	char hex[ZS_NAME_HEX];
	int rc = -1;

	zs_random(random.b, sizeof(random.b));
	if (zs_buf_printf(&tmp, err, "%s.%.16s", path, zs_name_hex(&random, hex)) < 0 ||
	    zs_buf_add_u8(&tmp, 0, err) < 0)
		goto out;
	rc = client_write((const char *)tmp.p, err);
	if (rc == 0 && link((const char *)tmp.p, path) < 0 && errno != EEXIST)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "%s", path);
	(void)unlink((const char *)tmp.p);
out:
	zs_buf_fini(&tmp);
	return rc;
}

int client_id(const struct zs_store *st, struct zs_name *out, struct zs_err *err)
{
	struct zs_buf path = ZS_BUF_INIT, content = ZS_BUF_INIT;
	int rc = -1;

	if (!st->cache_dir) {
		zs_fail(err, ZS_SYSTEM, "no cache directory is set; name one with --cache-dir");
		goto out;
	}
	if (zs_make_dirs(st->cache_dir, 0700, err) < 0) {
		zs_context(err, "the cache directory cannot be used (name another one with --cache-dir)");
		goto out;
	}
	if (zs_buf_printf(&path, err, "%s/writer", st->cache_dir) < 0 || zs_buf_add_u8(&path, 0, err) < 0)
		goto out;
	if (access((const char *)path.p, F_OK) < 0 && client_make((const char *)path.p, err) < 0)
		goto out;
	if (zs_read_file((const char *)path.p, sizeof(out->b), &content, ZS_SYSTEM, err) < 0)
		goto out;
	if (content.n != sizeof(out->b)) {
		zs_fail(err, ZS_SYSTEM, "%s is damaged: delete it", (const char *)path.p);
		goto out;
	}
	memcpy(out->b, content.p, sizeof(out->b));
	rc = 0;
out:
	zs_buf_fini(&path);
	zs_buf_fini(&content);
	return rc;
}

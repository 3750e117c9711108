/*
 * zstore init: make a repository, print the recovery code once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "zstore/chunk.h"

static int parse_kind(const char *text, size_t n, enum zs_kind *out)
{
	for (int k = ZS_KIND_TEXT; k < ZS_KINDS; k++) {
		if (k != ZS_KIND_TREE && strlen(zs_kind_name(k)) == n && memcmp(zs_kind_name(k), text, n) == 0) {
			*out = k;
			return 0;
		}
	}
	return -1;
}

/* "attachment=16K,64K,256K" */
static int parse_chunk_size(const char *text, struct zs_config *c, struct zs_err *err)
{
	const char *eq = strchr(text, '=');
	uint64_t v[3];
	enum zs_kind kind;
	char *copy, *save = NULL, *part;
	int n = 0, rc = 0;

	if (!eq || parse_kind(text, (size_t)(eq - text), &kind) < 0)
		return zs_fail(err, ZS_USAGE, "'%s': say text, attachment, file, sql or ldif, as in file=16K,64K,256K", text);
	if (!(copy = strdup(eq + 1)))
		return zs_fail_nomem(err);
	for (part = strtok_r(copy, ",", &save); part && rc == 0 && n < 3; part = strtok_r(NULL, ",", &save))
		rc = parse_size(part, &v[n++], err);
	if (rc == 0 && (n != 3 || part || v[0] < 64 || v[0] > v[1] || v[1] > v[2] || v[2] > ZS_CHUNK_MAX || (v[1] & (v[1] - 1))))
		rc = zs_fail(err, ZS_USAGE, "'%s': 64 <= MIN <= AVG <= MAX <= 1M, AVG a power of two", text);
	free(copy);
	if (rc == 0)
		c->sizes[kind] = (struct zs_config_sizes){(uint32_t)v[0], (uint32_t)v[1], (uint32_t)v[2]};
	return rc;
}

static int size_option(struct session *s, enum opt_id id, uint64_t min, uint64_t max, uint32_t *io, struct zs_err *err)
{
	const char *text = opt_text(s, id, NULL);
	uint64_t v;

	if (!text)
		return 0;
	if (parse_size(text, &v, err) < 0)
		return -1;
	if (v < min || v > max)
		return zs_fail(err, ZS_USAGE, "'%s' is out of range (%llu to %llu bytes)", text, (unsigned long long)min,
		    (unsigned long long)max);
	*io = (uint32_t)v;
	return 0;
}

static int init_config(struct session *s, struct zs_config *c, struct zs_err *err)
{
	const struct zs_strings *sizes = opt_list(s, OPT_CHUNK_SIZE);
	int level;

	zs_store_config_default(c);
	c->created_ns = (uint64_t)zs_now_ns();
	for (size_t i = 0; i < sizes->n; i++)
		if (parse_chunk_size(sizes->v[i], c, err) < 0)
			return -1;
	if (size_option(s, OPT_BLOCK_SIZE, 64 << 10, ZS_BLOCK_MAX, &c->block_bytes, err) < 0 ||
	    size_option(s, OPT_PACK_SIZE, 1 << 20, 1 << 30, &c->pack_bytes, err) < 0)
		return -1;
	if (opt_given(s, OPT_COMPRESSION)) {
		if (parse_compression(opt_text(s, OPT_COMPRESSION, NULL), &level, err) < 0)
			return -1;
		c->level = (uint8_t)level;
	}
	return 0;
}

static int write_code(const char *path, const struct zs_buf *code, struct zs_err *err)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc;

	if (fd < 0)
		return zs_fail_sys(err, ZS_SYSTEM, errno, "cannot make %s for the recovery code", path);
	rc = zs_write_all(fd, code->p, code->n, ZS_SYSTEM, path, err);
	if (rc == 0)
		rc = zs_write_all(fd, "\n", 1, ZS_SYSTEM, path, err);
	if (rc == 0 && fsync(fd) < 0)
		rc = zs_fail_sys(err, ZS_SYSTEM, errno, "cannot write %s", path);
	(void)close(fd);
	return rc;
}

static void init_report(struct session *s, const char *repo, const struct zs_buf *code)
{
	const char *to = opt_text(s, OPT_RECOVERY_TO, NULL);
	struct json j;

	if (s->json) {
		json_begin(&j, stdout);
		json_open(&j, '{');
		json_kv_text(&j, "repository", repo);
		if (code->n && !to) {
			json_key(&j, "recovery_code");
			json_bytes(&j, zs_buf_span(code));
		}
		json_close(&j, '}');
		json_end(&j);
		return;
	}
	if (!s->quiet)
		printf("Repository made: %s\n", repo);
	if (code->n && !to)
		printf("\nRecovery code (print it and keep it apart; it is shown only now, and it opens everything):\n\n    %.*s\n\n",
		    (int)code->n, (const char *)code->p);
}

int cmd_init(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct zs_buf buf = ZS_BUF_INIT, code = ZS_BUF_INIT;
	struct zs_secret secret;
	struct zs_config config;
	const char *repo = argc ? argv[0] : NULL, *to = opt_text(s, OPT_RECOVERY_TO, NULL);
	int no_code = opt_given(s, OPT_NO_RECOVERY), rc = -1;

	if (!repo && session_repo(s, &repo, err) < 0)
		return -1;
	if (init_config(s, &config, err) < 0)
		return -1;
	if (secret_get(s, SECRET_NEW, 0, &buf, &secret, err) < 0 || zs_backend_local_create(repo, &s->backend, err) < 0)
		goto out;
	if (zs_store_init(s->backend, &config, &secret, opt_text(s, OPT_LABEL, "first"), no_code ? NULL : &code, err) < 0)
		goto out;
	rc = EXIT_OK;
	if (to && !no_code && write_code(to, &code, err) < 0) {
		zs_context(err, "the repository was made, but its recovery code is lost (use 'zstore key add --recovery')");
		rc = -1;
	}
	if (rc == EXIT_OK)
		init_report(s, repo, &code);
out:
	zs_buf_wipe(&buf);
	zs_buf_wipe(&code);
	return rc;
}

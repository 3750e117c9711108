/*
 * Makes the vectors of store-format/ and the seeds of the fuzz targets.  Run by hand
 * when a vector is added: make_vectors SOURCE_ROOT.  A vector that is there is never
 * changed: if its bytes or its text would differ, that is an error.
 */
#include <errno.h>
#include <sys/stat.h>

#include "vector.h"
#include "vectors_invalid.h"
#include "vectors_valid.h"

static int failures;

static void complain(const char *path, const char *why)
{
	fprintf(stderr, "make_vectors: %s: %s\n", path, why);
	failures++;
}

/* Write a file, or see that it is there already with the same content. */
static void put_file(const char *path, struct zs_span content)
{
	struct zs_buf old = ZS_BUF_INIT;
	struct zs_err err;
	FILE *f;

	if (zs_read_file(path, 1 << 22, &old, ZS_SYSTEM, &err) == 0) {
		if (!zs_span_eq(zs_buf_span(&old), content))
			complain(path, "is there with another content; a vector is never edited");
		zs_buf_fini(&old);
		return;
	}
	f = fopen(path, "wb");
	if (!f) {
		complain(path, strerror(errno));
		return;
	}
	if ((content.n && fwrite(content.p, 1, content.n, f) != content.n) || fclose(f) != 0)
		complain(path, strerror(errno));
}

static void put_seed(const char *root, const struct record *rec, const char *name, struct zs_span bytes)
{
	static const char *const renamed[][2] = {
	    {"index", "index_object"}, {"recipe", "recipe_ops"}, {"node", "tree_node"}};
	const char *target = rec->name;
	char path[4096];

	for (size_t i = 0; i < sizeof renamed / sizeof *renamed; i++)
		if (strcmp(rec->name, renamed[i][0]) == 0)
			target = renamed[i][1];
	(void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s", root, target);
	if (mkdir(path, 0777) < 0 && errno != EEXIST)
		complain(path, strerror(errno));
	(void)snprintf(path, sizeof path, "%s/tests/fuzz/corpus/%s/%s", root, target, name);
	put_file(path, bytes);
}

static void put_vector(
    const char *root, const char *name, const char *meaning, enum zs_cause expected, struct zs_span bytes)
{
	const struct record *rec = vector_record(name);
	struct zs_buf text = ZS_BUF_INIT, hex = ZS_BUF_INIT;
	const char *dir = expected == ZS_OK ? "valid" : "invalid";
	char path[4096];

	if (!rec) {
		complain(name, "names no record");
		return;
	}
	if (vector_text(rec, meaning, bytes, &text) != expected) {
		complain(name, "does not decode as expected");
		fprintf(stderr, "%.*s", (int)text.n, (const char *)text.p);
	}
	vector_hex(bytes, &hex);
	(void)snprintf(path, sizeof path, "%s/store-format/vectors/%s/%s.json", root, dir, name);
	put_file(path, zs_buf_span(&text));
	(void)snprintf(path, sizeof path, "%s/store-format/vectors/%s/%s.hex", root, dir, name);
	put_file(path, zs_buf_span(&hex));
	put_seed(root, rec, name, bytes);
	zs_buf_fini(&text);
	zs_buf_fini(&hex);
}

int main(int argc, char **argv)
{
	struct zs_buf b = ZS_BUF_INIT;

	if (argc != 2) {
		fprintf(stderr, "usage: make_vectors SOURCE_ROOT\n");
		return 2;
	}
	for (size_t i = 0; i < sizeof valid_vectors / sizeof *valid_vectors; i++) {
		zs_buf_clear(&b);
		valid_vectors[i].make(&b);
		put_vector(argv[1], valid_vectors[i].name, valid_vectors[i].meaning, ZS_OK, zs_buf_span(&b));
	}
	for (size_t i = 0; i < sizeof invalid_vectors / sizeof *invalid_vectors; i++) {
		zs_buf_clear(&b);
		if (vector_unhex(zs_span_str(invalid_vectors[i].hex), &b) < 0)
			complain(invalid_vectors[i].name, "is no hex");
		put_vector(argv[1], invalid_vectors[i].name, invalid_vectors[i].meaning, invalid_vectors[i].cause,
		    zs_buf_span(&b));
	}
	zs_buf_fini(&b);
	return failures ? 1 : 0;
}

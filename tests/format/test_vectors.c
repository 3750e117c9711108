/*
 * Every vector below the directory given: its bytes must decode to the fields, or
 * fail with the cause, that its text says; the valid ones must encode to the same
 * bytes again unless they hold fields that are skipped.
 */
#include <dirent.h>

#include "vector.h"

static int failures;

static void complain(const char *path, const char *why)
{
	fprintf(stderr, "%s: %s\n", path, why);
	failures++;
}

/* The value of "meaning" in the text: the one thing that the bytes do not say. */
static int find_meaning(struct zs_span text, char *out, size_t n)
{
	static const char key[] = "\"meaning\": \"";
	const uint8_t *at = memmem(text.p, text.n, key, sizeof key - 1), *end;

	if (!at)
		return -1;
	at += sizeof key - 1;
	end = memchr(at, '"', text.n - (size_t)(at - text.p));
	if (!end || (size_t)(end - at) >= n)
		return -1;
	memcpy(out, at, (size_t)(end - at));
	out[end - at] = '\0';
	return 0;
}

static void check(const char *dir, const char *name, int valid)
{
	const struct record *rec = vector_record(name);
	struct zs_buf hex = ZS_BUF_INIT, text = ZS_BUF_INIT, bytes = ZS_BUF_INIT, made = ZS_BUF_INIT;
	struct zs_err err = {.cause = ZS_OK};
	char path[4096], json[4096], meaning[1024];

	(void)snprintf(path, sizeof path, "%s/%s.hex", dir, name);
	(void)snprintf(json, sizeof json, "%s/%s.json", dir, name);
	if (!rec || zs_read_file(path, 1 << 22, &hex, ZS_SYSTEM, &err) < 0 ||
	    zs_read_file(json, 1 << 22, &text, ZS_SYSTEM, &err) < 0 || vector_unhex(zs_buf_span(&hex), &bytes) < 0 ||
	    find_meaning(zs_buf_span(&text), meaning, sizeof meaning) < 0) {
		complain(path, err.cause ? err.text : "is no vector");
	} else {
		if ((vector_text(rec, meaning, zs_buf_span(&bytes), &made) == ZS_OK) != valid)
			complain(path, valid ? "was refused" : "was taken");
		else if (!zs_span_eq(zs_buf_span(&made), zs_buf_span(&text)))
			complain(json, "says something else than the decoder");
		record_property(rec, zs_buf_span(&bytes));
	}
	zs_buf_fini(&hex);
	zs_buf_fini(&text);
	zs_buf_fini(&bytes);
	zs_buf_fini(&made);
}

static unsigned check_all(const char *root, const char *sub, int valid)
{
	char dir[2048], name[256];
	struct dirent *e;
	unsigned n = 0;
	DIR *d;

	(void)snprintf(dir, sizeof dir, "%s/%s", root, sub);
	d = opendir(dir);
	if (!d)
		return 0;
	while ((e = readdir(d))) {
		size_t length = strlen(e->d_name);

		if (length < 5 || length >= sizeof name || strcmp(e->d_name + length - 4, ".hex") != 0)
			continue;
		memcpy(name, e->d_name, length - 4);
		name[length - 4] = '\0';
		if (!vector_record(name)) /* of the codec layer: tested there */
			continue;
		check(dir, name, valid);
		n++;
	}
	(void)closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	unsigned valid = 0, invalid = 0;

	if (argc == 2) {
		valid = check_all(argv[1], "valid", 1);
		invalid = check_all(argv[1], "invalid", 0);
	}
	printf("%u valid and %u invalid vectors\n", valid, invalid);
	return failures || valid < 40 || invalid < 40 ? 1 : 0;
}

/*
 * The configuration file's reader: whatever the text is, each setting that it took is, whole, what stands in the line
 * that it names: nothing is cut off, joined or made up by what lies between.
 */
#include "../../../src/cli/config.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct zs_span line_at(struct zs_span text, unsigned number)
{
	while (--number > 0) {
		const uint8_t *end = memchr(text.p, '\n', text.n);

		if (!end)
			abort();
		text = zs_span(end + 1, text.n - (size_t)(end + 1 - text.p));
	}
	if (memchr(text.p, '\n', text.n))
		text.n = (size_t)((const uint8_t *)memchr(text.p, '\n', text.n) - text.p);
	return text;
}

static struct zs_span trim(struct zs_span s)
{
	while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t' || s.p[s.n - 1] == '\r'))
		s.n--;
	return s;
}

static void check_setting(struct zs_span text, const struct conf_setting *v)
{
	struct zs_span line = trim(line_at(text, v->line));
	size_t n = strlen(v->value), key_n = strlen(v->key);

	if (n > line.n || (n > 0 && memcmp(line.p + line.n - n, v->value, n) != 0))
		abort();
	line = trim(zs_span(line.p, line.n - n));
	if (line.n == 0)
		return; /* continued */
	if (line.p[line.n - 1] != '=' && line.p[line.n - 1] != ':')
		abort();
	line = trim(zs_span(line.p, line.n - 1));
	if (line.n != key_n || memcmp(line.p, v->key, key_n) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct zs_span text = zs_span(data, size);
	struct conf c = {0};
	struct zs_err err = {0};

	if (size > CONF_FILE_MAX || conf_read(&c, "f", text, &err) < 0 || conf_check(&c, &err) < 0)
		goto out;
	if (c.settings > CONF_SETTINGS_MAX || c.n > CONF_SECTIONS_MAX || c.errors.n > CONF_ERRORS_MAX || c.errors.n > c.error_count)
		abort();
	if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0)
		text = zs_span(data + 3, size - 3);
	for (size_t i = 0; i < c.n; i++)
		for (size_t k = 0; k < c.v[i]->n; k++)
			check_setting(text, &c.v[i]->v[k]);
out:
	conf_fini(&c);
	return 0;
}

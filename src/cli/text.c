/*
 * Text for people: safe on any terminal, whatever a mail or a file name holds.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <wchar.h>

#include "cli.h"

/* Length of the valid UTF-8 character at p, 0 if there is none; its code point. */
static size_t utf8_at(const uint8_t *p, size_t n, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
	uint32_t c;

	if (len == 0 || len > n || p[0] > 0xf4)
		return 0;
	c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*out = c;
	return len;
}

/* Controls, and what reorders or hides text on a screen. */
static int is_unsafe(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) || c >= 0xe0000;
}

/* The character at p as it may be shown: its bytes taken; *out_columns as wide as it will be. */
static size_t safe_at(const uint8_t *p, size_t n, char out[static 16], size_t *out_columns)
{
	uint32_t c = 0;
	size_t len = utf8_at(p, n, &c);

	if (len == 0)
		(void)snprintf(out, 16, "\\x%02x", p[0]);
	else if (c == '\n' || c == '\t' || c == '\\')
		(void)snprintf(out, 16, "\\%c", c == '\n' ? 'n' : c == '\t' ? 't' : '\\');
	else if (is_unsafe(c))
		(void)snprintf(out, 16, c < 0x100 ? "\\x%02x" : "\\u%04x", (unsigned)c);
	else {
		(void)snprintf(out, 16, "%.*s", (int)len, (const char *)p);
		*out_columns = wcwidth((wchar_t)c) == 2 ? 2 : 1;
		return len;
	}
	*out_columns = strlen(out);
	return len ? len : 1;
}

/* 1 if all of text is shown in so many columns. */
static int safe_fits(struct zs_span text, size_t columns)
{
	size_t width;
	char shown[16];

	for (size_t i = 0; i < text.n; columns -= width) {
		i += safe_at(text.p + i, text.n - i, shown, &width);
		if (width > columns)
			return 0;
	}
	return 1;
}

void print_safe(FILE *f, struct zs_span text, size_t max_columns)
{
	size_t columns = 0, width, len;
	char shown[16];

	for (size_t i = 0; i < text.n; i += len, columns += width) {
		len = safe_at(text.p + i, text.n - i, shown, &width);
		/* The last three columns are for the dots, unless the rest fits. */
		if (max_columns && columns + width + 3 > max_columns &&
		    !safe_fits(zs_span(text.p + i, text.n - i), max_columns - columns)) {
			(void)fputs("...", f);
			return;
		}
		(void)fputs(shown, f);
	}
}

const char *size_text(uint64_t bytes, char out[static 16])
{
	static const char units[] = " KMGTPE";
	double v = (double)bytes;
	int u = 0;

	while (v >= 999.5 && units[u + 1]) {
		v /= 1024;
		u++;
	}
	if (u == 0)
		(void)snprintf(out, 16, "%u B", (unsigned)bytes);
	else
		(void)snprintf(out, 16, v < 9.995 ? "%.2f %ciB" : v < 99.95 ? "%.1f %ciB" : "%.0f %ciB", v, units[u]);
	return out;
}

const char *local_time(int64_t ns, char out[static 32])
{
	time_t t = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0));
	struct tm tm;

	if (ns == INT64_MIN || !localtime_r(&t, &tm) || !strftime(out, 32, "%Y-%m-%d %H:%M:%S", &tm))
		(void)strcpy(out, "-");
	return out;
}

static int stdout_errno; /* of the first failure: stdio tells it only once */

void stdout_flush(void)
{
	errno = 0;
	if (fflush(stdout) != 0 && stdout_errno == 0)
		stdout_errno = errno;
}

int stdout_close(struct zs_err *err)
{
	stdout_flush();
	if (stdout_errno == 0 && !ferror(stdout))
		return 0;
	return zs_fail_sys(err, ZS_SYSTEM, stdout_errno ? stdout_errno : EIO, "cannot write the output");
}

void say(struct session *s, const char *fmt, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	progress_clear(s);
	flockfile(stderr); /* notes come from any thread */
	(void)fputs("zstore: ", stderr);
	print_safe(stderr, zs_span_str(text), 0);
	(void)fputc('\n', stderr);
	funlockfile(stderr);
}

void say_error(struct session *s, const struct zs_err *err)
{
	say(s, "%s", err->text[0] ? err->text : "failed");
	if (err->cause == ZS_CORRUPT)
		say(s, "'zstore check --read-data' names what is damaged; 'man zstore-check' says what can be done about it");
}

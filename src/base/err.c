/*
 * Fills struct zs_err: formats, appends errno's text, prefixes context.  Long texts are shortened in the middle of the
 * chain, never at the cause.  Printing, exit codes and terminal safety beyond control bytes are left to cli.
 */
#include "zstore/base.h"

#include <stdio.h>
#include <string.h>

#define TEXT_MAX sizeof(((struct zs_err *)0)->text)
/* of an older text, what a new context may not push out */
#define KEEP 300

static void make_printable(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			*s = '?';
}

/* head (cut to what is left), ": ", tail; head may be cut, tail is kept up to KEEP bytes */
static void join(char out[TEXT_MAX], const char *head, const char *tail)
{
	size_t tail_n = strnlen(tail, TEXT_MAX - 1), head_n = strnlen(head, TEXT_MAX - 1), room;
	char joined[TEXT_MAX];
	int cut;

	if (tail_n + head_n + 2 >= TEXT_MAX && tail_n > KEEP)
		tail_n = KEEP;
	room = TEXT_MAX - 1 - 2 - tail_n;
	cut = head_n > room;
	if (cut)
		head_n = room - 3;
	(void)snprintf(joined, sizeof(joined), "%.*s%s: %.*s", (int)head_n, head, cut ? "..." : "", (int)tail_n, tail);
	memcpy(out, joined, sizeof(joined));
}

static void format(char out[TEXT_MAX], const char *fmt, va_list ap)
{
	if (vsnprintf(out, TEXT_MAX, fmt, ap) < 0)
		out[0] = '\0';
	make_printable(out);
}

int zs_fail(struct zs_err *err, enum zs_cause cause, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	err->cause = cause;
	err->sys = 0;
	memcpy(err->text, text, sizeof(text));
	return -1;
}

int zs_fail_sys(struct zs_err *err, enum zs_cause cause, int sys, const char *fmt, ...)
{
	char text[TEXT_MAX], reason[128];
	va_list ap;

	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	err->cause = cause;
	err->sys = sys;
	join(err->text, text, strerror_r(sys, reason, sizeof(reason)));
	return -1;
}

int zs_context(struct zs_err *err, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	format(text, fmt, ap);
	va_end(ap);
	join(err->text, text, err->text);
	return -1;
}

int zs_fail_nomem(struct zs_err *err)
{
	return zs_fail(err, ZS_NOMEM, "out of memory");
}

void zs_err_clear(struct zs_err *err)
{
	err->cause = ZS_OK;
	err->sys = 0;
	err->text[0] = '\0';
}

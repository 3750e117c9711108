/*
 * Single lines of an mbox: From_ lines, in all the ways that they are written, and
 * fields of headers.  Pure.
 */
#include "mbox_private.h"

#include <stdio.h>
#include <string.h>

static int is_digit(uint8_t c)
{
	return c >= '0' && c <= '9';
}

int mbox_line_is_from(struct zs_span line)
{
	int clock = 0;

	if (line.n < 5 || memcmp(line.p, "From ", 5))
		return 0;
	for (size_t i = 5; i + 3 < line.n; i++) {
		const uint8_t *p = line.p + i;

		if (is_digit(p[-1]) && p[0] == ':' && is_digit(p[1]))
			clock = 1;
		if (clock && is_digit(p[0]) && is_digit(p[1]) && is_digit(p[2]) && is_digit(p[3]))
			return 1;
	}
	return 0;
}

/* ------------------------------------------------------------------------- dates */

struct from_date { int year, month, day, hour, minute, second, zone; /* zone in minutes */ int has_clock; };

static int month_of(struct zs_span word)
{
	static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

	for (int i = 0; word.n == 3 && i < 12; i++)
		if (memcmp(word.p, names + (size_t)(3 * i), 3) == 0)
			return i + 1;
	return 0;
}

/* All digits, at most four of them: their value, or -1. */
static int number_of(struct zs_span word)
{
	int v = 0;

	if (!word.n || word.n > 4)
		return -1;
	for (size_t i = 0; i < word.n; i++) {
		if (!is_digit(word.p[i]))
			return -1;
		v = v * 10 + (word.p[i] - '0');
	}
	return v;
}

/* hh:mm or hh:mm:ss */
static int take_clock(struct zs_span word, struct from_date *d)
{
	int part[3] = {0};
	size_t at = 0;

	for (int i = 0; i < 3 && at <= word.n; i++) {
		const uint8_t *end = at < word.n ? memchr(word.p + at, ':', word.n - at) : NULL;
		size_t n = end ? (size_t)(end - word.p) - at : word.n - at;

		part[i] = n <= 2 ? number_of(zs_span(word.p + at, n)) : -1;
		if (part[i] < 0)
			return 0;
		at += n + 1;
	}
	if (at <= word.n || part[0] > 23 || part[1] > 59 || part[2] > 60)
		return 0;
	d->hour = part[0];
	d->minute = part[1];
	d->second = part[2] > 59 ? 59 : part[2];
	d->has_clock = 1;
	return 1;
}

static void take_word(struct zs_span word, struct from_date *d)
{
	int sign = word.n == 5 && (word.p[0] == '+' || word.p[0] == '-'), v;

	if (word.n && word.p[word.n - 1] == ',')
		word.n--;
	if (month_of(word)) {
		d->month = month_of(word);
		return;
	}
	if (word.n >= 4 && memchr(word.p, ':', word.n) && take_clock(word, d))
		return;
	v = number_of(sign ? zs_span(word.p + 1, 4) : word);
	if (v < 0)
		return;
	if (sign)
		d->zone = (word.p[0] == '-' ? -1 : 1) * (v / 100 * 60 + v % 100);
	else if (word.n == 4)
		d->year = v;
	else if (word.n <= 2 && v > 0 && v <= 31)
		d->day = v;
}

int64_t mbox_line_date(struct zs_span line)
{
	struct from_date d = {0};
	struct zs_err ignored = {0};
	char text[64];
	int64_t ns;
	size_t at = 5;

	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	while (at < line.n) {
		const uint8_t *end = memchr(line.p + at, ' ', line.n - at);
		size_t n = end ? (size_t)(end - line.p) - at : line.n - at;

		take_word(zs_span(line.p + at, n), &d);
		at += n + 1;
	}
	if (!d.month || !d.day || !d.has_clock || d.year < 1970)
		return INT64_MIN;
	(void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", d.year, d.month, d.day, d.hour, d.minute, d.second);
	if (zs_time_parse(text, &ns, &ignored) < 0 || ns < 0)
		return INT64_MIN;
	return ns - d.zone * INT64_C(60000000000);
}

/* ------------------------------------------------------------------------ fields */

size_t mbox_line_field(struct zs_span line)
{
	size_t i = 0, name;

	while (i < line.n && i <= 76 && line.p[i] > 32 && line.p[i] < 127 && line.p[i] != ':')
		i++;
	name = i;
	while (i < line.n && (line.p[i] == ' ' || line.p[i] == '\t'))
		i++;
	return name && name <= 76 && i < line.n && line.p[i] == ':' ? name : 0;
}

static int is_among(struct zs_span line, const char *const list[])
{
	size_t n = mbox_line_field(line);

	for (; n && *list; list++)
		if (strlen(*list) == n && strncasecmp((const char *)line.p, *list, n) == 0)
			return 1;
	return 0;
}

int mbox_line_is_known(struct zs_span line)
{
	static const char *const known[] = {"Return-Path", "Received", "From", "To", "Date", "Subject", "Message-ID", "Delivered-To",
	    "X-Original-To", "Envelope-To", "Status", "X-Status", "X-UID", "X-UIDL", "X-Mozilla-Status", "X-Account-Key", "MIME-Version",
	    "Content-Type", "Sender", "Reply-To", "DKIM-Signature", "X-Gmail-Labels", "X-GM-THRID", NULL};

	return is_among(line, known);
}

int mbox_line_is_volatile(struct zs_span line)
{
	static const char *const fields[] = {"Status", "X-Status", "X-Keywords", "X-UID", "X-IMAP", "X-IMAPbase", "X-Mozilla-Status",
	    "X-Mozilla-Status2", "X-Mozilla-Keys", "Content-Length", "Lines", NULL};

	return is_among(line, fields);
}

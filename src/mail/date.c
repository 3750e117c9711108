/*
 * RFC 5322 dates, obsolete zones and two-digit years included, to nanoseconds since 1970.
 */
#include <string.h>

#include "mail_private.h"

#define NS 1000000000ll

struct scan { const uint8_t *p, *end; };

/* White space, and comments in parentheses. */
static void skip_space(struct scan *s)
{
	unsigned depth = 0;

	for (; s->p < s->end; s->p++) {
		if (*s->p == '\\' && depth && s->p + 1 < s->end)
			s->p++;
		else if (*s->p == '(')
			depth++;
		else if (*s->p == ')' && depth)
			depth--;
		else if (!depth && *s->p != ' ' && *s->p != '\t' && *s->p != '\r' && *s->p != '\n')
			return;
	}
}

/* Digits: how many (0: none there), at most 9. */
static unsigned number(struct scan *s, int *out)
{
	unsigned n = 0;

	for (*out = 0; s->p < s->end && *s->p >= '0' && *s->p <= '9' && n < 9; n++)
		*out = *out * 10 + (*s->p++ - '0');
	return n;
}

static int accept(struct scan *s, uint8_t c)
{
	skip_space(s);
	if (s->p >= s->end || *s->p != c)
		return 0;
	s->p++;
	skip_space(s);
	return 1;
}

/* A word of letters, lower case, cut to what fits. */
static size_t word(struct scan *s, char *out, size_t size)
{
	size_t n = 0;

	for (; s->p < s->end && (*s->p | 0x20) >= 'a' && (*s->p | 0x20) <= 'z'; s->p++)
		if (n + 1 < size)
			out[n++] = (char)(*s->p | 0x20);
	out[n] = 0;
	return n;
}

static int month_of(const char *name)
{
	static const char names[] = "janfebmaraprmayjunjulaugsepoctnovdec";

	for (int i = 0; i < 12; i++)
		if (!strncmp(name, names + 3 * i, 3))
			return i + 1;
	return 0;
}

static int zone_seconds(struct scan *s)
{
	static const struct { char name[4]; int hours; } zones[] = {
		{"edt", -4}, {"est", -5}, {"cdt", -5}, {"cst", -6}, {"mdt", -6}, {"mst", -7}, {"pdt", -7}, {"pst", -8},
	};
	char name[8];
	int v, sign;

	skip_space(s);
	if (s->p < s->end && (*s->p == '+' || *s->p == '-')) {
		sign = *s->p++ == '-' ? -1 : 1;
		if (number(s, &v) != 4 || v % 100 > 59)
			return 0;
		return sign * (v / 100 * 3600 + v % 100 * 60);
	}
	(void)word(s, name, sizeof name);
	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (!strcmp(name, zones[i].name))
			return zones[i].hours * 3600;
	return 0; /* UT, GMT, Z, and what says nothing */
}

/* Days since 1970 of a date in the Gregorian calendar. */
static int64_t days_of(int year, int month, int day)
{
	int y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3; /* years begin in March */

	return 365ll * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

static int days_in(int year, int month)
{
	if (month == 2)
		return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0 ? 29 : 28;
	return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

static int year_of(struct scan *s)
{
	int year;
	unsigned digits = number(s, &year);

	if (digits < 2 || digits > 4)
		return -1;
	if (digits == 2)
		return year < 50 ? 2000 + year : 1900 + year;
	return digits == 3 ? 1900 + year : year;
}

static int clock_of(struct scan *s, int *hour, int *minute, int *second)
{
	*hour = *minute = *second = 0;
	skip_space(s);
	if (!number(s, hour) || !accept(s, ':') || !number(s, minute))
		return -1;
	if (accept(s, ':') && !number(s, second))
		return -1;
	if (*hour > 23 || *minute > 59 || *second > 60)
		return -1;
	return 0;
}

int64_t zs_mail_date(struct zs_span raw)
{
	struct scan s = {raw.p, raw.n ? raw.p + raw.n : raw.p};
	int day, month, year, hour, minute, second;
	int64_t t;
	char name[12];

	if (!raw.n)
		return INT64_MIN;
	skip_space(&s);
	if (word(&s, name, sizeof name))
		(void)accept(&s, ',');
	skip_space(&s);
	if (!number(&s, &day))
		return INT64_MIN;
	if (!accept(&s, '-'))
		skip_space(&s);
	(void)word(&s, name, sizeof name);
	month = month_of(name);
	if (!accept(&s, '-'))
		skip_space(&s);
	year = year_of(&s);
	if (!month || year < 1678 || year > 2261 || day < 1 || day > days_in(year, month)) /* what 64 bits of ns hold */
		return INT64_MIN;
	if (clock_of(&s, &hour, &minute, &second) < 0)
		return INT64_MIN;
	t = days_of(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
	t -= zone_seconds(&s);
	return t * NS;
}

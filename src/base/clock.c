/*
 * Clocks, and times as text in both directions.  Only a text without a zone looks at the local time zone.
 */
#include "zstore/base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define NS 1000000000
#define DAY 86400

int64_t zs_now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * NS + t.tv_nsec;
}

uint64_t zs_monotonic_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS + (uint64_t)t.tv_nsec;
}

const char *zs_time_iso(int64_t ns, char out[static 32])
{
	time_t sec = (time_t)(ns / NS - (ns % NS < 0));
	struct tm tm;

	if (!gmtime_r(&sec, &tm) || tm.tm_year < -1900 || tm.tm_year > 9999 - 1900 ||
	    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		return strcpy(out, "?");
	return out;
}

/* exactly n digits */
static int take_digits(const char **at, int n, int *out)
{
	int v = 0;

	for (; n > 0; n--, (*at)++) {
		if (**at < '0' || **at > '9')
			return -1;
		v = v * 10 + (**at - '0');
	}
	*out = v;
	return 0;
}

static int take_char(const char **at, char c)
{
	if (**at != c)
		return -1;
	(*at)++;
	return 0;
}

static int month_days(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && leap);
}

static int take_date(const char **at, struct tm *tm)
{
	int year, month, day;

	if (take_digits(at, 4, &year) < 0 || take_char(at, '-') < 0 || take_digits(at, 2, &month) < 0 ||
	    take_char(at, '-') < 0 || take_digits(at, 2, &day) < 0)
		return -1;
	if (month < 1 || month > 12 || day < 1 || day > month_days(year, month))
		return -1;
	tm->tm_year = year - 1900;
	tm->tm_mon = month - 1;
	tm->tm_mday = day;
	return 0;
}

static int take_time(const char **at, struct tm *tm)
{
	if (take_digits(at, 2, &tm->tm_hour) < 0 || take_char(at, ':') < 0 || take_digits(at, 2, &tm->tm_min) < 0)
		return -1;
	if (take_char(at, ':') == 0 && take_digits(at, 2, &tm->tm_sec) < 0)
		return -1;
	return tm->tm_hour < 24 && tm->tm_min < 60 && tm->tm_sec < 60 ? 0 : -1;
}

/* 1 and the offset, 0 none, -1 */
static int take_zone(const char **at, int *out_seconds)
{
	int sign = **at == '-' ? -1 : 1, hours, minutes;

	*out_seconds = 0;
	if (take_char(at, 'Z') == 0)
		return 1;
	if (take_char(at, '+') < 0 && take_char(at, '-') < 0)
		return 0;
	if (take_digits(at, 2, &hours) < 0 || take_char(at, ':') < 0 || take_digits(at, 2, &minutes) < 0)
		return -1;
	if (hours > 23 || minutes > 59)
		return -1;
	*out_seconds = sign * (hours * 3600 + minutes * 60);
	return 1;
}

static int parse_calendar(const char *at, int64_t *out_sec)
{
	struct tm tm = {0};
	int zone = 0, offset = 0;

	if (take_date(&at, &tm) < 0)
		return -1;
	if (*at == 'T' || *at == ' ') {
		at++;
		if (take_time(&at, &tm) < 0)
			return -1;
		zone = take_zone(&at, &offset);
	}
	if (zone < 0 || *at)
		return -1;
	if (zone) {
		*out_sec = (int64_t)timegm(&tm) - offset;
		return 0;
	}
	tm.tm_isdst = -1;
	tm.tm_wday = -1;
	*out_sec = (int64_t)mktime(&tm);
	return tm.tm_wday < 0 ? -1 : 0;
}

/* after the '@' */
static int parse_seconds(const char *at, int64_t *out_ns)
{
	int minus = take_char(&at, '-') == 0, digits = 0;
	int64_t sec = 0, frac = 0, unit = NS / 10;

	for (; *at >= '0' && *at <= '9'; at++, digits++)
		if (__builtin_mul_overflow(sec, 10, &sec) || __builtin_add_overflow(sec, *at - '0', &sec))
			return -1;
	if (digits == 0)
		return -1;
	if (take_char(&at, '.') == 0) {
		if (!*at)
			return -1;
		for (; *at >= '0' && *at <= '9' && unit > 0; at++, unit /= 10)
			frac += (*at - '0') * unit;
	}
	if (*at || __builtin_mul_overflow(minus ? -sec : sec, (int64_t)NS, &sec))
		return -1;
	return __builtin_add_overflow(sec, minus ? -frac : frac, out_ns) ? -1 : 0;
}

int zs_time_parse(const char *text, int64_t *out_ns, struct zs_err *err)
{
	int64_t ns, sec;
	int rc;

	if (text[0] == '@')
		rc = parse_seconds(text + 1, &ns);
	else if ((rc = parse_calendar(text, &sec)) == 0)
		rc = __builtin_mul_overflow(sec, (int64_t)NS, &ns) ? -1 : 0;
	if (rc < 0)
		return zs_fail(err, ZS_USAGE, "\"%s\" is no time; write 2026-11-22, 2026-11-22T23:14:05Z or @seconds",
		    text);
	*out_ns = ns;
	return 0;
}

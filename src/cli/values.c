/*
 * What values of options and of the configuration file look like: numbers, sizes, times.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "values.h"
#include "zstore/work.h"

int parse_number(const char *text, int64_t min, int64_t max, int64_t *out, struct zs_err *err)
{
	char *end;
	long long v;

	errno = 0;
	v = strtoll(text, &end, 10);
	if (errno || end == text || *end || v < min || v > max)
		return zs_fail(err, ZS_USAGE, "'%s' is no number from %lld to %lld", text, (long long)min, (long long)max);
	*out = v;
	return 0;
}

int parse_flag(const char *text, int *out, struct zs_err *err)
{
	static const char *const words[] = {"no", "yes", "false", "true", "off", "on", "0", "1"};

	for (int i = 0; i < 8; i++) {
		if (strcmp(text, words[i]) == 0) {
			*out = i & 1;
			return 0;
		}
	}
	return zs_fail(err, ZS_USAGE, "'%s': say yes or no", text);
}

int parse_timeout(const char *text, int64_t *out_s, struct zs_err *err)
{
	char *end;
	long n;

	errno = 0;
	n = strtol(text, &end, 10);
	if (errno == 0 && end != text && n >= 0 && n <= 1000000) {
		int unit = strcmp(end, "h") == 0 ? 3600 : strcmp(end, "m") == 0 ? 60 : *end == 0 || strcmp(end, "s") == 0 ? 1 : 0;

		*out_s = (int64_t)n * unit;
		if (unit)
			return 0;
	}
	return zs_fail(err, ZS_USAGE, "'%s' is no time limit: say 90s, 10m or 2h", text);
}

int parse_size(const char *text, uint64_t *out, struct zs_err *err)
{
	static const char units[] = "KMGTP";
	char *end;
	double v;
	const char *unit;

	errno = 0;
	v = strtod(text, &end);
	if (errno || end == text || !(v >= 0))
		return zs_fail(err, ZS_USAGE, "'%s' is no size", text);
	if (*end && (unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end))) {
		for (const char *u = units; u <= unit; u++)
			v *= 1024;
		end++;
		if (*end == 'i')
			end++;
	}
	if (*end == 'B' || *end == 'b')
		end++;
	if (*end || v >= 9.2e18)
		return zs_fail(err, ZS_USAGE, "'%s' is no size", text);
	*out = (uint64_t)v;
	return 0;
}

int parse_compression(const char *text, int *out_level, struct zs_err *err)
{
	char *end;
	long level = 3;

	if (strcmp(text, "none") == 0) {
		*out_level = 0;
		return 0;
	}
	if (strncmp(text, "zstd", 4) == 0 && text[4] == ':') {
		level = strtol(text + 5, &end, 10);
		if (end == text + 5 || *end)
			level = 0;
	} else if (strcmp(text, "zstd") != 0) {
		level = 0;
	}
	if (level < 1 || level > 19)
		return zs_fail(err, ZS_USAGE, "'%s': compression is none, zstd or zstd:1 .. zstd:19", text);
	*out_level = (int)level;
	return 0;
}

/* "36h", "14d", "2w", "6m", "1y" and sums of them, "1y6m" */
int parse_within(const char *text, int64_t *out_ns, struct zs_err *err)
{
	static const char units[] = "hdwmy";
	static const int hours[] = {1, 24, 7 * 24, 31 * 24, 366 * 24};
	int64_t sum = 0;
	const char *p = text;

	while (*p) {
		char *end;
		long n = strtol(p, &end, 10);
		const char *u = *end ? strchr(units, *end) : NULL;

		if (end == p || n < 0 || n > 100000 || !u)
			return zs_fail(err, ZS_USAGE, "'%s' is no time span: say 36h, 14d, 2w, 6m, 1y or sums like 1y6m", text);
		sum += (int64_t)n * hours[u - units] * 3600;
		p = end + 1;
	}
	if (sum <= 0 || sum > INT64_C(9000000000))
		return zs_fail(err, ZS_USAGE, "'%s' is no usable time span", text);
	*out_ns = sum * 1000000000;
	return 0;
}

int parse_groups(const char *text, unsigned *out, struct zs_err *err)
{
	static const struct { const char *name; unsigned bit; } names[] = {{"host", ZS_GROUP_HOST}, {"paths", ZS_GROUP_PATHS},
	    {"tags", ZS_GROUP_TAGS}, {"none", 0}};
	const char *p = text;

	*out = 0;
	while (*p) {
		size_t n = strcspn(p, ","), i;

		for (i = 0; i < 4 && (strlen(names[i].name) != n || memcmp(names[i].name, p, n) != 0); i++)
			;
		if (i == 4)
			return zs_fail(err, ZS_USAGE, "--group-by is host, paths, tags (with commas between), or none, not '%s'", text);
		*out |= names[i].bit;
		p += n + (p[n] == ',');
	}
	return 0;
}

int parse_unused(const char *text, uint64_t *out_bytes, unsigned *out_percent, struct zs_err *err)
{
	char *end;
	long percent = strtol(text, &end, 10);

	/* Both limits hold, so the one that was not given is out of reach; all bits set is "repack nothing". */
	*out_bytes = UINT64_MAX - 1;
	*out_percent = 10000;
	if (end != text && strcmp(end, "%") == 0 && percent >= 0 && percent <= 100)
		*out_percent = (unsigned)percent;
	else if (strcmp(text, "unlimited") == 0)
		*out_bytes = UINT64_MAX;
	else
		return parse_size(text, out_bytes, err);
	return 0;
}

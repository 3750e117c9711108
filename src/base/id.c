/*
 * Chunk ids and object names as text, and their order.  How they are computed is left to codec.
 */
#include "zstore/base.h"

#include <string.h>

static void to_hex(const uint8_t *p, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	for (i = 0; i < n; i++) {
		*out++ = digits[p[i] >> 4];
		*out++ = digits[p[i] & 15];
	}
	*out = '\0';
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

const char *zs_id_hex(const struct zs_id *id, char out[static ZS_ID_HEX])
{
	to_hex(id->b, sizeof(id->b), out);
	return out;
}

const char *zs_name_hex(const struct zs_name *name, char out[static ZS_NAME_HEX])
{
	to_hex(name->b, sizeof(name->b), out);
	return out;
}

int zs_name_parse(const char *hex, struct zs_name *out)
{
	struct zs_name name;
	size_t i;

	if (strnlen(hex, ZS_NAME_HEX) != ZS_NAME_HEX - 1)
		return -1;
	for (i = 0; i < ZS_NAME_BYTES; i++) {
		int hi = digit(hex[2 * i]), lo = digit(hex[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return -1;
		name.b[i] = (uint8_t)(hi << 4 | lo);
	}
	*out = name;
	return 0;
}

int zs_id_cmp(const struct zs_id *a, const struct zs_id *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

int zs_name_cmp(const struct zs_name *a, const struct zs_name *b)
{
	return memcmp(a->b, b->b, sizeof(a->b));
}

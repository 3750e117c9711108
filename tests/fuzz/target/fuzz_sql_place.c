/* A stored path, then a newline and what was asked for: names decode to no more bytes than they have, and ask no one twice. */
#include "zstore/target.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *cut = size ? memchr(data, '\n', size) : NULL;
	size_t n = cut ? (size_t)(cut - data) : size;
	struct zs_buf out = ZS_BUF_INIT, current = ZS_BUF_INIT;
	struct zs_sql_place p;
	struct zs_sql_stream s = {&p, 1};
	struct zs_err err = {0};

	if (zs_sql_place_parse(zs_span(data, n), &p, &err) != 1)
		return 0;
	if (p.database.n + p.table.n > n || (unsigned)p.phase >= ZS_SQL_PHASES)
		abort();
	if (cut)
		(void)zs_sql_place_wanted(&p, zs_span(cut + 1, size - n - 1));
	if (p.phase != ZS_SQL_ACCOUNTS && p.phase != ZS_SQL_ROLES && !zs_sql_place_wanted(&p, zs_buf_span(&p.database)))
		abort();
	if (zs_sql_stream_begin(&s, &current, &out, &err) < 0 || zs_sql_stream_end(&s, &out, &err) < 0)
		abort();
	zs_buf_fini(&out);
	zs_buf_fini(&current);
	zs_sql_place_fini(&p);
	return 0;
}

/*
 * The settings of a session for reading: raw bytes, all rows, no time limits, whatever the server's global settings are.
 */
#include "sql_private.h"

#include <string.h>

struct setting {
	const char *text;
	int is_needed; /* else: a server that does not know it does without */
};

/*
 * One by one: servers that lack a variable refuse the whole statement.  DEFAULT would keep a global limit, so values are
 * said in full; system_versioning_asof has no other neutral value than DEFAULT, which is the session's own "now".
 */
static const struct setting settings[] = {
	{"SET NAMES utf8mb4", 1},
	{"SET SESSION character_set_results=NULL", 1},
	{"SET SESSION sql_mode=''", 1},
	{"SET SESSION time_zone='+00:00'", 1},
	{"SET SESSION sql_quote_show_create=1", 1},
	{"SET SESSION sql_select_limit=18446744073709551615", 1},
	{"SET SESSION autocommit=1", 1},
	{"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ", 1},
	{"SET SESSION system_versioning_asof=DEFAULT", 0},
	{"SET SESSION max_statement_time=0", 0},
	{"SET SESSION wait_timeout=86400", 0},
	{"SET SESSION net_write_timeout=3600", 0},
	{"SET SESSION net_read_timeout=3600", 0},
	{"SET SESSION idle_transaction_timeout=0", 0},
	{"SET SESSION idle_readonly_transaction_timeout=0", 0},
	{"SET SESSION idle_write_transaction_timeout=0", 0},
	{"SET SESSION lock_wait_timeout=60", 0},
	{"SET SESSION sql_safe_updates=0", 0},
	{"SET SESSION max_join_size=18446744073709551615", 0},
	{"SET SESSION sort_buffer_size=2097152", 0},
	{"SET SESSION group_concat_max_len=1048576", 0},
};

int sql_session_set(struct sql_conn *c, struct zs_err *err)
{
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		if (sql_conn_exec(c, zs_span_str(settings[i].text), err) == 0)
			continue;
		if (settings[i].is_needed || c->is_lost || err->cause != ZS_SOURCE)
			return zs_context(err, "%s", settings[i].text);
		zs_err_clear(err);
	}
	return 0;
}

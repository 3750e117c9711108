/* Rows and groups, with a client library that is made up here: what the server sends is in a table of this file. */
#include "util.h"

#include "../../../src/source/sql_source_private.h"

#include <errmsg.h>

/* ------------------------------------------------------------------ the made-up library */

#define ROWS_MAX 6000
#define COLUMNS 3

static struct { char *value[COLUMNS]; unsigned long length[COLUMNS]; } rows[ROWS_MAX];
static size_t rows_n, rows_at, cut_at; /* cut_at: the connection is lost before that row */
static unsigned sent_columns, last_errno, fake;
static char *current[COLUMNS];
static unsigned long current_lengths[COLUMNS];

int STDCALL mysql_real_query(MYSQL *m, const char *q, unsigned long n)
{
	(void)m;
	(void)q;
	(void)n;
	rows_at = 0;
	last_errno = 0;
	return 0;
}

MYSQL_RES *STDCALL mysql_use_result(MYSQL *m)
{
	(void)m;
	return (MYSQL_RES *)(void *)&fake;
}

unsigned STDCALL mysql_num_fields(MYSQL_RES *r)
{
	(void)r;
	return sent_columns;
}

MYSQL_ROW STDCALL mysql_fetch_row(MYSQL_RES *r)
{
	(void)r;
	if (rows_at == cut_at)
		last_errno = CR_SERVER_LOST;
	if (rows_at == rows_n || rows_at == cut_at)
		return NULL;
	/* as the library does it: the row before is gone */
	for (unsigned i = 0; i < COLUMNS; i++) {
		free(current[i]);
		current[i] = NULL;
		current_lengths[i] = rows[rows_at].length[i];
		if (!rows[rows_at].value[i])
			continue;
		current[i] = malloc(current_lengths[i] ? current_lengths[i] : 1);
		assert_non_null(current[i]);
		memcpy(current[i], rows[rows_at].value[i], current_lengths[i]);
	}
	rows_at++;
	return current;
}

unsigned long *STDCALL mysql_fetch_lengths(MYSQL_RES *r)
{
	(void)r;
	return current_lengths;
}

unsigned STDCALL mysql_errno(MYSQL *m)
{
	(void)m;
	return last_errno;
}

const char *STDCALL mysql_error(MYSQL *m)
{
	(void)m;
	return last_errno ? "lost\nit" : "";
}

void STDCALL mysql_free_result(MYSQL_RES *r)
{
	(void)r;
}

/* --------------------------------------------------------------------------- the table */

static char names[COLUMNS][8] = {"id", "text", "blob"};
static struct sql_column columns[COLUMNS] = {
	{.name = names[0], .form = SQL_FORM_NUMBER}, {.name = names[1], .form = SQL_FORM_TEXT}, {.name = names[2], .form = SQL_FORM_BYTES},
};
static unsigned key[] = {0};
static const char insert[] = "INSERT INTO `t` (`id`,`text`,`blob`) VALUES\n";

static struct sql_columns table_columns(int has_key)
{
	static uint8_t text[sizeof insert];

	memcpy(text, insert, sizeof insert);
	return (struct sql_columns){.v = columns, .n = COLUMNS, .key = key, .key_n = has_key ? 1 : 0,
	    .insert = {text, sizeof insert - 1, 0}, .first = {text, sizeof insert - 1, 0}};
}

static void set(size_t i, unsigned column, const void *p, size_t n)
{
	free(rows[i].value[column]);
	rows[i].value[column] = NULL;
	rows[i].length[column] = p ? n : 0;
	if (!p)
		return;
	rows[i].value[column] = malloc(n + 1);
	assert_non_null(rows[i].value[column]);
	memcpy(rows[i].value[column], p, n);
}

/* n rows of some 120 bytes; ids from first on, one apart from the next. */
static void fill(size_t n, unsigned first, unsigned apart)
{
	char text[200];

	rows_n = n;
	cut_at = SIZE_MAX;
	sent_columns = COLUMNS;
	for (size_t i = 0; i < n; i++) {
		int k = snprintf(text, sizeof text, "%u", first + (unsigned)i * apart);

		set(i, 0, text, (size_t)k);
		k = snprintf(text, sizeof text, "text of row %u, %0*u", first + (unsigned)i * apart, (int)(20 + i % 90), 7u);
		set(i, 1, text, (size_t)k);
		set(i, 2, i % 5 ? "\0\x01'" : NULL, 3);
	}
}

struct group { size_t at, n; uint64_t tag; };
struct output { struct zs_buf text; struct group *groups; size_t n; uint64_t sum; struct sql_rows rows; };

static int read_rows(struct output *o, const struct sql_columns *c, size_t window, struct zs_err *err)
{
	struct sql_conn conn = {.label = "test"};
	uint8_t *buf = malloc(window);
	uint64_t tag;
	size_t n;
	int rc = sql_rows_begin(&o->rows, &conn, c, err);

	assert_non_null(buf);
	if (rc <= 0)
		goto out;
	assert_int_equal(sql_rows_read(&o->rows, buf, window, &n, err), 0);
	assert_int_equal(n, 0); /* nothing before the first group */
	while ((rc = sql_rows_next_group(&o->rows, &tag, err)) > 0) {
		o->groups = realloc(o->groups, (o->n + 1) * sizeof *o->groups);
		assert_non_null(o->groups);
		o->groups[o->n++] = (struct group){o->text.n, 0, tag};
		do {
			if ((rc = sql_rows_read(&o->rows, buf, window, &n, err)) < 0)
				goto out;
			assert_int_equal(zs_buf_add(&o->text, buf, n, err), 0);
			o->groups[o->n - 1].n += n;
		} while (n > 0);
	}
out:
	o->sum = o->rows.sum ? zs_hasher_sum(o->rows.sum) : 0;
	sql_rows_end(&o->rows);
	free(buf);
	return rc;
}

static void output_fini(struct output *o)
{
	zs_buf_fini(&o->text);
	free(o->groups);
	*o = (struct output){.n = 0};
}

static void must_read(struct output *o, const struct sql_columns *c, size_t window)
{
	struct zs_err err = {0};

	*o = (struct output){.n = 0};
	if (read_rows(o, c, window, &err) < 0)
		fail_msg("%s", err.text);
}

static void end_test(void)
{
	for (size_t i = 0; i < ROWS_MAX; i++)
		for (unsigned k = 0; k < COLUMNS; k++) {
			free(rows[i].value[k]);
			rows[i].value[k] = NULL;
		}
	for (unsigned k = 0; k < COLUMNS; k++) {
		free(current[k]);
		current[k] = NULL;
	}
}

/* -------------------------------------------------------------------------------- tests */

/* Every group is a statement; the sizes are what they should be; the sum is that of the text. */
static void grammar(void **state)
{
	const struct sql_columns c = table_columns(1);
	struct output o;
	size_t total = 0;

	(void)state;
	fill(5000, 1, 1);
	must_read(&o, &c, 256 << 10);
	assert_true(o.n > 80 && o.n < 480); /* 600 KB in groups of 4 KiB on average */
	for (size_t i = 0; i < o.n; i++) {
		const uint8_t *p = o.text.p + o.groups[i].at;

		assert_int_equal(o.groups[i].at, total);
		total += o.groups[i].n;
		assert_memory_equal(p, insert, sizeof insert - 1);
		assert_memory_equal(p + o.groups[i].n - 3, ");\n", 3);
		assert_true(o.groups[i].n < 8 * 4096 + 2000);
		assert_true(i + 1 == o.n || o.groups[i].n > 4096 / 4);
		assert_null(memmem(p, o.groups[i].n - 2, ";\n", 2));
	}
	assert_int_equal(o.rows.rows, 5000);
	assert_int_equal(o.rows.bytes, o.text.n);
	assert_int_equal(o.rows.groups, o.n);
	assert_true(o.sum == zs_hash64(0, zs_buf_span(&o.text)));
	output_fini(&o);
	end_test();
}

/* The reader's window changes nothing. */
static void windows(void **state)
{
	static const size_t list[] = {1, 2, 3, 17, 100, 1000, 5000, 70000, 1 << 20};
	const struct sql_columns c = table_columns(1);
	struct output a, b;
	char *large = calloc(1, 300000);

	(void)state;
	assert_non_null(large);
	fill(300, 1, 1);
	set(100, 2, large, 300000);
	set(200, 1, "\xff\xfe", 2);
	must_read(&a, &c, 512 << 10);
	assert_int_equal(a.rows.odd, 1);
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		must_read(&b, &c, list[i]);
		assert_true(zs_span_eq(zs_buf_span(&a.text), zs_buf_span(&b.text)));
		assert_int_equal(a.n, b.n);
		assert_memory_equal(a.groups, b.groups, a.n * sizeof *a.groups);
		assert_int_equal(b.rows.odd, 1);
		assert_true(a.rows.longest == b.rows.longest && b.rows.longest > 600000);
		output_fini(&b);
	}
	output_fini(&a);
	free(large);
	end_test();
}

static size_t common(const struct output *a, const struct output *b)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t k = 0; k < b->n; k++)
			if (a->groups[i].n == b->groups[k].n && a->groups[i].tag == b->groups[k].tag &&
			    memcmp(a->text.p + a->groups[i].at, b->text.p + b->groups[k].at, a->groups[i].n) == 0) {
				n++;
				break;
			}
	return n;
}

/* A changed row changes its group, a new one its group (or cuts it in two); all others stay. */
static void stability(void **state)
{
	const struct sql_columns c = table_columns(1);
	struct output a, b;

	(void)state;
	fill(5000, 1, 2);
	must_read(&a, &c, 256 << 10);
	set(2500, 1, "another text, of another length altogether, which is the point", 62);
	must_read(&b, &c, 256 << 10);
	assert_int_equal(a.n, b.n);
	assert_int_equal(common(&a, &b), a.n - 1);
	for (size_t i = 0; i < a.n; i++)
		assert_true(a.groups[i].tag == b.groups[i].tag);
	output_fini(&b);
	for (size_t i = rows_n++; i > 1000; i--)
		for (unsigned k = 0; k < COLUMNS; k++)
			set(i, k, rows[i - 1].value[k], rows[i - 1].length[k]);
	set(2501, 1, "text of row 5001, 00000000000000000000000007", 44);
	set(1000, 0, "2000", 4); /* an id between two others */
	must_read(&b, &c, 256 << 10);
	assert_true(common(&a, &b) + 3 >= a.n);
	output_fini(&a);
	output_fini(&b);
	end_test();
}

/* Rows without a key are told apart by all that is in them, and NULL is not ''. */
static void without_key(void **state)
{
	const struct sql_columns c = table_columns(0);
	struct output a, b;

	(void)state;
	fill(1, 1, 1);
	set(0, 1, NULL, 0);
	must_read(&a, &c, 1000);
	set(0, 1, "", 0);
	must_read(&b, &c, 1000);
	assert_true(a.groups[0].tag != b.groups[0].tag);
	output_fini(&b);
	set(0, 1, NULL, 0);
	set(0, 2, "x", 1);
	must_read(&b, &c, 1000);
	assert_true(a.groups[0].tag != b.groups[0].tag);
	output_fini(&a);
	output_fini(&b);
	fill(3000, 1, 1);
	must_read(&a, &c, 100000);
	assert_true(a.n > 10);
	output_fini(&a);
	end_test();
}

static void large_rows(void **state)
{
	const struct sql_columns c = table_columns(1);
	struct output o;
	char *large = calloc(1, 40000);

	(void)state;
	assert_non_null(large);
	fill(10, 1, 1);
	set(3, 2, large, 40000);
	set(4, 2, large, 16385);
	must_read(&o, &c, 1 << 20);
	assert_int_equal(o.n, 4); /* 0..2, 3, 4, 5..9 */
	assert_true(o.groups[1].n > 80000 && o.groups[2].n > 32000);
	output_fini(&o);
	free(large);
	end_test();
}

/* The same key everywhere: only the maximum ends groups. */
static void hostile_keys(void **state)
{
	const struct sql_columns c = table_columns(1);
	struct output o;
	size_t i;

	(void)state;
	fill(5000, 1, 0);
	must_read(&o, &c, 1 << 20);
	for (i = 0; i < o.n; i++)
		assert_true(o.groups[i].n <= 8 * 4096 * 2);
	output_fini(&o);
	end_test();
}

static void cut(void **state)
{
	const struct sql_columns c = table_columns(1);

	(void)state;
	fill(1000, 1, 1);
	for (size_t at = 0; at < 1000; at += 37) {
		struct output o = {.n = 0};
		struct zs_err err = {0};

		cut_at = at;
		assert_int_equal(read_rows(&o, &c, 5000, &err), -1);
		assert_int_equal(err.cause, ZS_SOURCE);
		assert_non_null(strstr(err.text, "lost it"));
		output_fini(&o);
	}
	end_test();
}

static void degenerate(void **state)
{
	const struct sql_columns c = table_columns(1);
	struct output o = {.n = 0};
	struct zs_err err = {0};

	(void)state;
	fill(0, 1, 1);
	assert_int_equal(read_rows(&o, &c, 100, &err), 0);
	assert_int_equal(o.text.n, 0);
	fill(1, 1, 1);
	sent_columns = 2;
	assert_int_equal(read_rows(&o, &c, 100, &err), -1);
	assert_int_equal(err.cause, ZS_SOURCE);
	output_fini(&o);
	end_test();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(grammar), cmocka_unit_test(windows), cmocka_unit_test(stability), cmocka_unit_test(without_key),
		cmocka_unit_test(large_rows), cmocka_unit_test(hostile_keys), cmocka_unit_test(cut), cmocka_unit_test(degenerate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* How values are written: escaping, forms, whole values against pieces. */
#include "util.h"

#include "../../../src/source/sql_source_private.h"

/* What a server makes of the bytes between quotes. */
static size_t unescape(const uint8_t *p, size_t n, uint8_t *out)
{
	size_t k = 0;

	for (size_t i = 0; i < n; i++) {
		assert_int_not_equal(p[i], '\'');
		assert_int_not_equal(p[i], 0);
		assert_int_not_equal(p[i], '\n');
		assert_int_not_equal(p[i], '\r');
		assert_int_not_equal(p[i], 0x1a);
		if (p[i] != '\\') {
			out[k++] = p[i];
			continue;
		}
		assert_true(++i < n);
		out[k++] = p[i] == '0' ? 0 : p[i] == 'n' ? '\n' : p[i] == 'r' ? '\r' : p[i] == 'Z' ? 0x1a : p[i];
		assert_non_null(strchr("0nrZ\\'", p[i]));
	}
	return k;
}

static uint32_t random_next(uint32_t *state)
{
	return *state = *state * 1664525u + 1013904223u;
}

static void escape_once(const uint8_t *p, size_t n)
{
	uint8_t *in = malloc(n ? n : 1), *out = malloc(2 * n + SQL_ESCAPE_SLACK), *back = malloc(n + 1);
	size_t k;

	assert_true(in && out && back);
	memcpy(in, p, n); /* exactly n bytes, so that a sanitizer sees what is read behind them */
	k = sql_escape_bytes(out, in, n);
	assert_true(k >= n && k <= 2 * n);
	assert_int_equal(unescape(out, k, back), n);
	assert_memory_equal(back, p, n);
	assert_int_equal(sql_escape_hex(out, in, n), 2 * n);
	for (size_t i = 0; i < n; i++) {
		char digits[3] = {(char)out[2 * i], (char)out[2 * i + 1], 0};

		assert_int_equal(strtoul(digits, NULL, 16), p[i]);
	}
	free(in);
	free(out);
	free(back);
}

static void escaping(void **state)
{
	static const uint8_t specials[] = {0, '\n', '\r', 0x1a, '\'', '\\', 'a', 0xff};
	uint8_t bytes[300];
	uint32_t seed = 1;

	(void)state;
	for (size_t n = 0; n < sizeof bytes; n++) {
		for (size_t i = 0; i < n; i++)
			bytes[i] = (uint8_t)i;
		escape_once(bytes, n);
		memset(bytes, 'x', n);
		escape_once(bytes, n);
		memset(bytes, '\'', n);
		escape_once(bytes, n);
	}
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = random_next(&seed) >> 24;
		unsigned rate = random_next(&seed) >> 29;

		for (size_t i = 0; i < n; i++) {
			uint32_t r = random_next(&seed) >> 8;

			bytes[i] = r % 8 < rate ? specials[r / 8 % sizeof specials] : (uint8_t)(r >> 8);
		}
		escape_once(bytes, n);
	}
}

static void encodings(void **state)
{
	static const struct { const char *text; int is_ascii, is_utf8; } list[] = {
		{"", 1, 1}, {"a", 1, 1}, {"abcdefgh", 1, 1}, {"abcdefghijklmnopq", 1, 1}, {"\xc3\xa4", 0, 1}, {"abcdefg\xc3\xa4", 0, 1},
		{"abcdefgh\xc3\xa4", 0, 1}, {"abcdefgh\xc3", 0, 0}, {"\xc3\xa4 and then much more of it\xe4", 0, 0}, {"\xf0\x9f\x98\x80", 0, 1},
		{"\x80", 0, 0}, {"\xc0\x80", 0, 0}, {"\xed\xa0\x80", 0, 0}, {"\xf8\x88\x80\x80\x80", 0, 0}, {"aaaaaaaa\xffzzzzzzzzzzzz", 0, 0},
		{"\xe4\xb8\xad\xe6\x96\x87 mixed with ASCII \xe4\xb8\xad", 0, 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		const uint8_t *p = (const uint8_t *)list[i].text;

		assert_int_equal(sql_escape_is_ascii(p, strlen(list[i].text)), list[i].is_ascii);
		assert_int_equal(sql_escape_is_utf8(p, strlen(list[i].text)), list[i].is_utf8);
	}
}

static void digits(void **state)
{
	uint8_t text[24], out[24];

	(void)state;
	for (size_t n = 0; n < 20; n++) {
		memset(text, '0', sizeof text);
		for (size_t i = 0; i < n; i++)
			text[i] = (uint8_t)('0' + (i * 7 + n) % 10);
		assert_int_equal(sql_escape_copy_digits(out, text, n), n >= 1 && n <= 16);
		if (n >= 1 && n <= 16)
			assert_memory_equal(out, text, n);
		for (size_t at = 0; at < n; at++) /* one byte that is no digit, anywhere */
			for (int c = 0; c < 256; c++) {
				uint8_t kept = text[at];

				text[at] = (uint8_t)c;
				assert_int_equal(sql_escape_copy_digits(out, text, n), n <= 16 && c >= '0' && c <= '9');
				text[at] = kept;
			}
	}
}

/* ----------------------------------------------------------------------------- forms */

static void check_value(enum sql_form form, const char *introducer, const char *bytes, size_t n, const char *want)
{
	struct sql_column c = {.name = NULL, .form = form};
	struct sql_value v = {(const uint8_t *)bytes, n};
	uint8_t out[512], *end;
	uint64_t odd = 0;

	(void)snprintf(c.introducer, sizeof c.introducer, "%s", introducer);
	end = sql_format_value(&c, v, out, &odd);
	if ((size_t)(end - out) != strlen(want) || memcmp(out, want, strlen(want)) != 0)
		fail_msg("'%.*s' instead of '%s'", (int)(end - out), (const char *)out, want);
	assert_int_equal(odd, strncmp(want, "_binary", 7) == 0 && form != SQL_FORM_BYTES);
}

#define VALUE(form, introducer, bytes, want) check_value(form, introducer, bytes, sizeof(bytes) - 1, want)

static void forms(void **state)
{
	(void)state;
	VALUE(SQL_FORM_NUMBER, "", "0", "0");
	VALUE(SQL_FORM_NUMBER, "", "-12345", "-12345");
	VALUE(SQL_FORM_NUMBER, "", "18446744073709551615", "18446744073709551615");
	VALUE(SQL_FORM_NUMBER, "", "-1.7976931348623157e308", "-1.7976931348623157e308");
	VALUE(SQL_FORM_NUMBER, "", "00000042", "00000042");
	VALUE(SQL_FORM_NUMBER, "", "1);DROP", "'1);DROP'");
	VALUE(SQL_FORM_NUMBER, "", "1 -- x", "'1 -- x'");
	VALUE(SQL_FORM_NUMBER, "", "1--1", "'1--1'");
	VALUE(SQL_FORM_NUMBER, "", "nan", "'nan'");
	VALUE(SQL_FORM_NUMBER, "", "'", "'\\''");
	VALUE(SQL_FORM_NUMBER, "", "", "''");
	VALUE(SQL_FORM_TEXT, "", "", "''");
	VALUE(SQL_FORM_TEXT, "", "it's\n", "'it\\'s\\n'");
	VALUE(SQL_FORM_TEXT, "", "\xc3\xa4\\", "'\xc3\xa4\\\\'");
	VALUE(SQL_FORM_TEXT, "", "\xe4", "_binary'\xe4'");
	VALUE(SQL_FORM_NARROW, "_latin1 0x", "abc", "'abc'");
	VALUE(SQL_FORM_NARROW, "_latin1 0x", "a\xe4", "_latin1 0x61E4");
	VALUE(SQL_FORM_NARROW, "_latin1 0x", "", "''");
	VALUE(SQL_FORM_WIDE, "_sjis 0x", "\\", "_sjis 0x5C");
	VALUE(SQL_FORM_WIDE, "_ucs2 0x", "\0a", "_ucs2 0x0061");
	VALUE(SQL_FORM_WIDE, "_ucs2 0x", "", "''");
	VALUE(SQL_FORM_BYTES, "", "\0\xff'", "_binary'\\0\xff\\''");
	VALUE(SQL_FORM_BYTES, "", "", "''");
	VALUE(SQL_FORM_HEX, "", "\x02\xaa", "0x02AA");
	VALUE(SQL_FORM_MEMBER, "", "", "0");
	VALUE(SQL_FORM_MEMBER, "", "b", "'b'");
	for (int form = SQL_FORM_NUMBER; form <= SQL_FORM_MEMBER; form++)
		check_value((enum sql_form)form, "_x 0x", NULL, 0, "NULL");
}

/* Whole and in pieces are the same. */
static void pieces(void **state)
{
	static const enum sql_form list[] = {SQL_FORM_BYTES, SQL_FORM_HEX, SQL_FORM_TEXT, SQL_FORM_NARROW, SQL_FORM_WIDE, SQL_FORM_NUMBER};
	enum { N = sizeof list / sizeof *list };
	const size_t sizes[] = {0, 1, SQL_PIECE_BYTES - 1, SQL_PIECE_BYTES, SQL_PIECE_BYTES + 1, 3 * SQL_PIECE_BYTES + 7};
	struct sql_column columns[N];
	uint32_t seed = 7;

	(void)state;
	for (int k = 0; k < N; k++)
		columns[k] = (struct sql_column){.form = list[k], .introducer = "_latin1 0x"};
	for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
		size_t n = sizes[s], room = N * (2 * n + SQL_FORMAT_OVERHEAD + 1) + SQL_ESCAPE_SLACK + 2, at = 0, k;
		uint8_t *value = malloc(n + 1), *whole = malloc(room), *piece = malloc(SQL_PIECE_ROOM), *end = whole;
		const char *row[N];
		unsigned long lengths[N];
		struct sql_piecewise p = {.column = 0};
		uint64_t odd = 0, odd_too = 0;

		assert_true(value && whole && piece);
		for (size_t i = 0; i < n; i++)
			value[i] = (uint8_t)(random_next(&seed) >> 24);
		for (int i = 0; i < N; i++) {
			row[i] = i == 3 && n == 1 ? NULL : (const char *)value;
			lengths[i] = row[i] ? n : 0;
			*end++ = i ? ',' : '(';
			end = sql_format_value(&columns[i], (struct sql_value){(const uint8_t *)row[i], lengths[i]}, end, &odd);
		}
		*end++ = ')';
		while ((k = sql_format_piece(&p, columns, N, row, lengths, piece, &odd_too)) > 0) {
			assert_true(at + k <= (size_t)(end - whole));
			assert_memory_equal(piece, whole + at, k);
			at += k;
		}
		assert_int_equal(at, end - whole);
		assert_int_equal(odd, odd_too);
		free(value);
		free(whole);
		free(piece);
	}
}

static void no_columns(void **state)
{
	struct sql_piecewise p = {.column = 0};
	uint8_t out[SQL_PIECE_ROOM];
	uint64_t odd = 0;

	(void)state;
	assert_int_equal(sql_format_piece(&p, NULL, 0, NULL, NULL, out, &odd), 2);
	assert_memory_equal(out, "()", 2);
	assert_int_equal(sql_format_piece(&p, NULL, 0, NULL, NULL, out, &odd), 0);
}

/* ----------------------------------------------------------------------------- types */

static void check_type(const char *data_type, const char *column_type, const char *charset, enum sql_form form, enum sql_ask ask)
{
	struct sql_type t = {zs_span_str(data_type), zs_span_str(column_type), charset ? zs_span_str(charset) : zs_span(NULL, 0)};
	struct sql_column c = {.form = SQL_FORM_WIDE};
	enum sql_ask got = sql_type_choose(&t, 0, &c);

	if (c.form != form || got != ask)
		fail_msg("%s %s: form %d, asked %d", column_type, charset ? charset : "", (int)c.form, (int)got);
}

static void types(void **state)
{
	static const char *const plain[] = {"tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year"};
	struct sql_type blob = {zs_span_str("longblob"), zs_span_str("longblob"), zs_span(NULL, 0)};
	struct sql_column c = {.form = SQL_FORM_WIDE};

	(void)state;
	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
		check_type(plain[i], plain[i], NULL, SQL_FORM_NUMBER, SQL_ASK_PLAIN);
	check_type("float", "float", NULL, SQL_FORM_NUMBER, SQL_ASK_DOUBLE);
	check_type("double", "double", NULL, SQL_FORM_NUMBER, SQL_ASK_PLAIN);
	check_type("double", "double(10,2)", NULL, SQL_FORM_NUMBER, SQL_ASK_DOUBLE);
	check_type("bit", "bit(3)", NULL, SQL_FORM_HEX, SQL_ASK_PLAIN);
	check_type("varbinary", "varbinary(9)", NULL, SQL_FORM_BYTES, SQL_ASK_PLAIN);
	check_type("point", "point", NULL, SQL_FORM_BYTES, SQL_ASK_PLAIN);
	check_type("datetime", "datetime(6)", NULL, SQL_FORM_TEXT, SQL_ASK_PLAIN);
	check_type("uuid", "uuid", NULL, SQL_FORM_TEXT, SQL_ASK_PLAIN);
	check_type("varchar", "varchar(9)", "utf8mb4", SQL_FORM_TEXT, SQL_ASK_PLAIN);
	check_type("varchar", "varchar(9)", "latin1", SQL_FORM_NARROW, SQL_ASK_PLAIN);
	check_type("varchar", "varchar(9)", "sjis", SQL_FORM_WIDE, SQL_ASK_PLAIN);
	check_type("varchar", "varchar(9)", "not in the list yet", SQL_FORM_TEXT, SQL_ASK_PLAIN); /* no name of an encoding */
	check_type("enum", "enum('a','b c','D')", "utf8mb4", SQL_FORM_MEMBER, SQL_ASK_PLAIN);
	check_type("enum", "enum('a')", "latin1", SQL_FORM_MEMBER, SQL_ASK_PLAIN);
	check_type("set", "set('a','b')", "utf8mb4", SQL_FORM_TEXT, SQL_ASK_PLAIN);
	check_type("enum", "enum('a','b')", "ucs2", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('a','')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('a','A')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('v','W')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('a ','b')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('a''b','c')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('\xc3\xa4')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum('a", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("enum", "enum()", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	check_type("set", "set('a','')", "utf8mb4", SQL_FORM_NUMBER, SQL_ASK_NUMBER);
	assert_int_equal(sql_type_choose(&blob, 1, &c), SQL_ASK_PLAIN);
	assert_int_equal(c.form, SQL_FORM_HEX);
	assert_true(sql_type_is_blob(&blob));
}

static void quoting(void **state)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	assert_int_equal(sql_quote_name(&b, zs_span_str("a`b"), &err), 0);
	assert_int_equal(sql_quote_text(&b, zs_span("x'\\\n\0", 5), &err), 0);
	assert_true(zs_span_eq(zs_buf_span(&b), zs_span_str("`a``b`'x\\'\\\\\\n\\0'")));
	zs_buf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(escaping), cmocka_unit_test(encodings), cmocka_unit_test(digits), cmocka_unit_test(forms),
		cmocka_unit_test(pieces), cmocka_unit_test(no_columns), cmocka_unit_test(types), cmocka_unit_test(quoting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

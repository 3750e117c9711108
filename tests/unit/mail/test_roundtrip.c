/* join(split(x)) == x, and slicing never shows: base64 of every shape, broken in every way, and mutated messages. */
#include "mail_test.h"

static struct world w;
static struct zs_buf m, file;

static int setup(void **state)
{
	(void)state;
	world_init_sizes(&w, 256, 512, 2048);
	add_noise(&file, 40000, 9);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_fini(&w);
	zs_buf_fini(&m);
	zs_buf_fini(&file);
	return 0;
}

static void begin(void)
{
	zs_buf_clear(&m);
	world_forget(&w);
	add_header(&m, "bob@example.org", "multipart/mixed; boundary=b");
	add_text(&m, "--b\r\nContent-Type: x/y\r\n\r\n");
}

/* All decoded bytes must be found as an attachment. */
static void every_line_length(void **state)
{
	(void)state;
	for (uint32_t line = 1; line <= 1000; line++)
		for (unsigned variant = 0; variant < 4; variant++) {
			size_t n = 260 + line % 7 + (line > 300 ? 2700 : 0);
			struct zs_op op;

			begin();
			add_base64(&m, zs_span(file.p, n), line, variant & 1 ? "\r\n" : "\n", 1);
			add_text(&m, variant & 2 ? "\r\n--b--\r\n" : "");
			(void)world_round_trip(&w, zs_buf_span(&m), 0);
			if (line > 998) { /* a last line may be short enough, and then is a run of one */
				assert_in_range(world_ops(&w, ZS_OP_B64, &op), 0, 1);
				continue;
			}
			assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 1);
			assert_int_equal(op.bytes, n);
			assert_int_equal(op.line, line);
			assert_int_equal(op.crlf, variant & 1);
			assert_int_equal(op.tail, 1);
		}
}

static void every_length_and_ending(void **state)
{
	static const char *const ends[] = {"", "\n", "\r\n", "\r", "=\n", "==", "A\n", "AAAA\n", " \n", "!\n", "\n\n",
	    "\n--b--\n", "\0x"};

	(void)state;
	for (size_t n = 1; n < 500; n++)
		for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
			begin();
			add_base64(&m, zs_span(file.p, n), n % 2 ? 76 : 50, i % 2 ? "\n" : "\r\n", 0);
			add_text(&m, ends[i]);
			(void)world_round_trip(&w, zs_buf_span(&m), (uint32_t)(n % 50));
			if (n >= 256 + 57) /* even if the last line is lost */
				assert_int_equal(world_ops(&w, ZS_OP_B64, NULL), 1);
			if (n < 240)
				assert_int_equal(world_ops(&w, ZS_OP_B64, NULL), 0);
		}
}

/* Something stands somewhere in a run that does not belong there. */
static void broken_runs(void **state)
{
	static const char *const what[] = {"\n", "\r\n", "\r", "=", "==", "A", " ", "\t", "-", "_", "\n\n", "\r\r\n",
	    "--b\r\nContent-Type: x\r\n\r\n", "From x 10:00 2006\n"};
	uint64_t seed = 1;

	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		static const uint32_t lines[] = {76, 64, 60, 72, 1, 2, 3, 5, 6, 998, 997, 50};
		const char *stuff = what[dice(&seed) % (sizeof what / sizeof *what)];
		size_t from, at, n = 300 + dice(&seed) % 3000;
		struct zs_err err = {0};

		begin();
		from = m.n;
		add_base64(&m, zs_span(file.p, n), lines[dice(&seed) % 12], i & 1 ? "\r\n" : "\n", 1);
		at = from + dice(&seed) % (m.n - from);
		if (i % 3 == 0) { /* over what was there */
			size_t k = strlen(stuff) < m.n - at ? strlen(stuff) : m.n - at;

			memcpy(m.p + at, stuff, k);
		} else if (i % 3 == 1) { /* or between */
			assert_int_equal(zs_buf_reserve(&m, strlen(stuff), &err), 0);
			memmove(m.p + at + strlen(stuff), m.p + at, m.n - at);
			memcpy(m.p + at, stuff, strlen(stuff));
			m.n += strlen(stuff);
		} else { /* or not */
			memmove(m.p + at, m.p + at + 1, m.n - at - 1);
			m.n--;
		}
		(void)world_round_trip(&w, zs_buf_span(&m), i % 400);
	}
}

/* What was proven before the break is stored decoded. */
static void keeps_what_was_good(void **state)
{
	struct zs_op op;

	(void)state;
	begin();
	add_base64(&m, zs_span(file.p, 57 * 100), 76, "\r\n", 1);
	m.p[m.n - 78 * 40 + 10] = '!';
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 2);
	assert_int_equal(op.bytes, 57 * 39);
	begin();
	add_base64(&m, zs_span(file.p, 3000), 76, "\r\n", 1);
	m.p[m.n - 78 * 3 + 77] = '\n'; /* "\r\n" becomes "\n\n" */
	m.p[m.n - 78 * 3 + 76] = '\n';
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	begin();
	add_base64(&m, zs_span(file.p, 3001), 76, "\n", 0);
	m.p[m.n - 3]++; /* bits that no encoder sets */
	add_text(&m, "\n");
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 1);
	assert_int_equal(op.bytes, 3001 / 57 * 57);
	begin(); /* two runs that meet */
	add_base64(&m, zs_span(file.p, 1000), 76, "\n", 1);
	add_base64(&m, zs_span(file.p, 1000), 60, "\n", 1);
	add_base64(&m, zs_span(file.p, 1000), 60, "\r\n", 1);
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(world_ops(&w, ZS_OP_B64, &op), 3);
}

static void make_message(uint64_t seed)
{
	zs_buf_clear(&m);
	world_forget(&w);
	if (seed % 5 == 0)
		add_text(&m, "From a@b Mon Jan  2 15:04:05 2006\n");
	add_message(&m, "bob@example.org", "=_b", zs_span(file.p, seed % 300), zs_span(file.p + 7, 400 + seed % 900),
	    seed % 3 ? 76 : 1 + (uint32_t)(seed % 998), seed % 2 ? "\n" : "\r\n");
	add_text(&m, "--=_b\nContent-Type: message/rfc822\n\n");
	add_message(&m, "carol@example.org", "inner", zs_span(file.p, seed % 3000), zs_span(file.p, seed % 2000), 64,
	    "\n");
	add_text(&m,
	    "--unannounced\nContent-Type: text/plain\n\n\nFrom a@b Mon Jan  2 15:04:05 2006\nSubject: x\n\ntext");
	add_prose(&m, seed % 2000, seed);
}

static void mutated_messages_in_any_slices(void **state)
{
	uint64_t seed = 77;

	(void)state;
	for (unsigned i = 0; i < 800; i++) {
		struct zs_buf whole = ZS_BUF_INIT;
		struct zs_split_result r, again;
		struct zs_err err = {0};

		make_message(dice(&seed));
		for (unsigned k = dice(&seed) % 6; k; k--) {
			size_t at = dice(&seed) % m.n, to = dice(&seed) % m.n, n = dice(&seed) % 200;

			switch (dice(&seed) % 4) {
			case 0:
				m.p[at] = (uint8_t)dice(&seed);
				break;
			case 1:
				m.n = at + 1;
				break;
			case 2:
				m.p[at] = "\n\r\0-:= "[dice(&seed) % 7];
				break;
			default:
				n = n < m.n - at ? n : m.n - at;
				n = n < m.n - to ? n : m.n - to;
				memmove(m.p + to, m.p + at, n);
			}
		}
		r = world_round_trip(&w, zs_buf_span(&m), 0);
		assert_int_equal(zs_buf_add_span(&whole, zs_buf_span(&w.recipe), &err), 0);
		again = world_split(&w, zs_buf_span(&m), 1 + dice(&seed) % 3000);
		assert_true(zs_span_eq(zs_buf_span(&whole), zs_buf_span(&w.recipe)));
		assert_int_equal(r.is_message, again.is_message);
		zs_buf_fini(&whole);
	}
}

/* Long lines, and slices that fall anywhere about the buffer's edges. */
static void large_and_sliced(void **state)
{
	struct zs_buf whole = ZS_BUF_INIT;
	struct zs_err err = {0};

	(void)state;
	make_message(3);
	add_base64(&m, zs_buf_span(&file), 76, "\r\n", 1);
	for (int i = 0; i < 100; i++)
		add_text(&m, "a line without an end, ");
	add_noise(&m, 70000, 1);
	add_base64(&m, zs_buf_span(&file), 70, "\n", 1);
	add_prose(&m, 60000, 1);
	(void)world_round_trip(&w, zs_buf_span(&m), 0);
	assert_int_equal(zs_buf_add_span(&whole, zs_buf_span(&w.recipe), &err), 0);
	for (uint32_t slice = 1; slice < 200000; slice = slice * 5 + 3) {
		(void)world_split(&w, zs_buf_span(&m), slice);
		assert_true(zs_span_eq(zs_buf_span(&whole), zs_buf_span(&w.recipe)));
	}
	zs_buf_fini(&whole);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_line_length), cmocka_unit_test(every_length_and_ending),
		    cmocka_unit_test(broken_runs),
		cmocka_unit_test(keeps_what_was_good), cmocka_unit_test(mutated_messages_in_any_slices),
		cmocka_unit_test(large_and_sliced),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}

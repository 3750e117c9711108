/* Every record cut at every length, with every bit flipped, with bytes changed at random: an error or the very bytes.
 */
#include "common.h"
#include "../../format/vectors_valid.h"

/* In memory of exactly that size, so that AddressSanitizer sees a read beyond it. */
static void run_exact(const struct record *rec, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	assert_non_null(copy);
	if (n)
		memcpy(copy, p, n);
	record_property(rec, zs_span(copy, n));
	free(copy);
}

static const struct record *record_of(const struct valid_vector *v)
{
	char name[64];
	const char *dash = strchr(v->name, '-');

	memcpy(name, v->name, (size_t)(dash - v->name));
	name[dash - v->name] = '\0';
	return record_find(name);
}

static void sweep(void (*change)(const struct record *, struct zs_buf *))
{
	struct zs_buf b = ZS_BUF_INIT;

	for (size_t i = 0; i < sizeof valid_vectors / sizeof *valid_vectors; i++) {
		zs_buf_clear(&b);
		valid_vectors[i].make(&b);
		change(record_of(&valid_vectors[i]), &b);
	}
	zs_buf_fini(&b);
}

static void cut(const struct record *rec, struct zs_buf *b)
{
	for (size_t n = 0; n <= b->n; n++)
		run_exact(rec, b->p, n);
}

static void flip(const struct record *rec, struct zs_buf *b)
{
	for (size_t i = 0; i < 8 * b->n; i++) {
		b->p[i / 8] ^= (uint8_t)(1 << i % 8);
		run_exact(rec, b->p, b->n);
		b->p[i / 8] ^= (uint8_t)(1 << i % 8);
	}
}

static void scramble(const struct record *rec, struct zs_buf *b)
{
	for (unsigned round = 0; round < 300 && b->n; round++) {
		unsigned at = below((unsigned)b->n);

		b->p[at] = (uint8_t)number();
		run_exact(rec, b->p, b->n - below(2));
	}
}

static void truncation(void **state)
{
	(void)state;
	sweep(cut);
}

static void flipped_bits(void **state)
{
	(void)state;
	sweep(flip);
}

static void random_changes(void **state)
{
	(void)state;
	sweep(scramble);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(truncation),
	    cmocka_unit_test(flipped_bits),
	    cmocka_unit_test(random_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

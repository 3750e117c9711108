/*
 * The text of a recovery code: 145 random bits as 29 Crockford base32 digits and a check digit, in groups of five.
 * The check digit is a polynomial over GF(32): it sees any one wrong digit and any two that changed places.
 */
#include "store_private.h"

#define RECOVERY_DIGITS 30 /* the check digit included */

static const char recovery_alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

static int recovery_digit(uint8_t c)
{
	if (c >= 'a' && c <= 'z')
		c = (uint8_t)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	for (int i = 0; i < 32; i++) {
		if (recovery_alphabet[i] == (char)c)
			return i;
	}
	return -1;
}

/* One step of Horner's rule: multiply by x modulo x^5 + x^2 + 1, add the digit. */
static unsigned recovery_step(unsigned sum, unsigned digit)
{
	sum <<= 1;
	if (sum & 32)
		sum ^= 0x25;
	return sum ^ digit;
}

int zs_store_recovery_code(struct zs_buf *out, struct zs_err *err)
{
	uint8_t random[RECOVERY_DIGITS - 1];
	char text[RECOVERY_DIGITS + RECOVERY_DIGITS / 5];
	unsigned sum = 0;
	size_t n = 0;
	int rc;

	zs_random(random, sizeof(random));
	for (unsigned i = 0; i < RECOVERY_DIGITS; i++) {
		/* The last digit is what brings the sum to zero once it is multiplied by x and added. */
		unsigned digit = i + 1 < RECOVERY_DIGITS ? random[i] & 31u : recovery_step(sum, 0);

		sum = recovery_step(sum, digit);
		if (i > 0 && i % 5 == 0)
			text[n++] = '-';
		text[n++] = recovery_alphabet[digit];
	}
	rc = zs_buf_add(out, text, n, err);
	zs_wipe(random, sizeof(random));
	zs_wipe(text, sizeof(text));
	return rc;
}

static int recovery_collect(struct zs_span typed, char text[static RECOVERY_DIGITS], unsigned *out_sum)
{
	unsigned n = 0, sum = 0;

	for (size_t i = 0; i < typed.n; i++) {
		uint8_t c = typed.p[i];
		int digit;

		if (c == '-' || c == ' ' || c == '\t' || c == '\r' || c == '\n')
			continue;
		digit = recovery_digit(c);
		if (digit < 0 || n == RECOVERY_DIGITS)
			return -1;
		sum = recovery_step(sum, (unsigned)digit);
		text[n++] = recovery_alphabet[digit];
	}
	*out_sum = sum;
	return n == RECOVERY_DIGITS ? 0 : -1;
}

int recovery_normal(struct zs_span typed, struct zs_buf *out, struct zs_err *err)
{
	char text[RECOVERY_DIGITS];
	unsigned sum = 0;
	int rc;

	if (recovery_collect(typed, text, &sum) < 0)
		rc = zs_fail(err, ZS_KEY, "this is no recovery code: %d letters and digits are wanted",
		    RECOVERY_DIGITS);
	else if (sum != 0)
		rc = zs_fail(err, ZS_KEY, "the recovery code is mistyped (its check digit does not fit)");
	else
		rc = zs_buf_add(out, text, RECOVERY_DIGITS, err);
	zs_wipe(text, sizeof(text));
	return rc;
}

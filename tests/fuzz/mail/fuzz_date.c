/* Dates of any bytes: whole seconds between the years that 64 bits hold, and the same with white space around. */
#include "fuzz_mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int64_t t = zs_mail_date(zs_span(data, size)), again;
	uint8_t *p = malloc(size + 2);

	CHECK(p);
	p[0] = ' ';
	if (size)
		memcpy(p + 1, data, size);
	p[size + 1] = '\n';
	again = zs_mail_date(zs_span(p, size + 2));
	free(p);
	CHECK(t == again);
	CHECK(t == INT64_MIN || (t % 1000000000 == 0 && t > -9216000000000000000 && t < 9216000000000000000));
	return 0;
}

/* Decoding of "config": no crash, and what decodes encodes to the same bytes. */
#include "../../format/records.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	record_property(record_find("config"), zs_span(data, size));
	return 0;
}

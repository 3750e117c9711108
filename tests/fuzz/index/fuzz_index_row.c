/*
 * Rows of the local index: bytes from anywhere decode to a location within bounds that encodes to the same bytes, or
 * not at all; so do pack rows.
 */
#include "../../../src/index/index_private.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int ok)
{
	if (!ok)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	MDB_val v = {size, (void *)(uintptr_t)data};
	uint8_t again[ROW_LOCATION_MAX], head[ROW_PACK_HEAD];
	struct zs_location at;
	struct zs_index_pack_info info;
	const uint8_t *objects;
	size_t n;

	if (row_location_decode(v, &at) == 0) {
		must(at.kind > 0 && at.kind < ZS_KINDS && at.chunk_bytes > 0);
		must((uint64_t)at.chunk_offset + at.chunk_bytes <= ZS_BLOCK_MAX);
		must(row_location_encode(&at, again) == size && memcmp(again, data, size) == 0);
	}
	if (row_pack_decode(v, &info, &objects, &n) == 0) {
		must(objects == data + ROW_PACK_HEAD && n * ZS_NAME_BYTES + ROW_PACK_HEAD == size);
		must(info.dead == (n == 0));
		row_pack_encode(&info, head);
		must(memcmp(head, data, sizeof head) == 0);
	}
	return 0;
}

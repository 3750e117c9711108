/* Shared by the tests of src/index: a directory of its own for each test, made-up ids, index objects. */
#ifndef INDEX_HELP_H
#define INDEX_HELP_H

#include "zstore/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELP_UNUSED __attribute__((unused))

HELP_UNUSED static char help_dir[64];

HELP_UNUSED static int help_remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

HELP_UNUSED static int help_setup(void **state)
{
	(void)state;
	/* In memory, if there is such a place: what is tested here is not the disk. */
	strcpy(help_dir, access("/dev/shm", W_OK) == 0 ? "/dev/shm/zs-index-XXXXXX" : "/tmp/zs-index-XXXXXX");
	return mkdtemp(help_dir) ? 0 : -1;
}

HELP_UNUSED static int help_teardown(void **state)
{
	(void)state;
	return nftw(help_dir, help_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

HELP_UNUSED static uint64_t help_random(uint64_t *s)
{
	uint64_t z = (*s += 0x9E3779B97F4A7C15u);

	z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
	z = (z ^ z >> 27) * 0x94D049BB133111EBu;
	return z ^ z >> 31;
}

HELP_UNUSED static struct zs_name help_name(uint64_t n)
{
	struct zs_name name;

	for (int i = 0; i < 4; i++)
		zs_put_u64(name.b + 8 * i, help_random(&n));
	return name;
}

HELP_UNUSED static struct zs_id help_id(uint64_t n)
{
	struct zs_id id;

	n += 1u << 30;
	for (int i = 0; i < 3; i++)
		zs_put_u64(id.b + 8 * i, help_random(&n));
	return id;
}

/* A pack of chunks with ids first .. first + n - 1, `block` chunks a block. */
HELP_UNUSED static void help_pack(struct zs_index_object *o, uint64_t pack, uint64_t first, uint32_t n, uint32_t block)
{
	struct zs_err err = {0};
	struct zs_index_pack *p;
	struct zs_name tag = help_name(pack + 1000000);

	assert_int_equal(zs_index_object_add(o, &p, &err), 0);
	p->name = help_name(pack);
	p->writer = help_name(77);
	memcpy(p->tag, tag.b, 32);
	p->stored_bytes = 1000 + pack;
	for (uint32_t i = 0; i < n; i++) {
		struct zs_id id = help_id(first + i);

		if (i % block == 0)
			assert_int_equal(zs_pack_dir_add_block(&p->dir, ZS_KIND_TEXT, 100000, &err), 0);
		assert_int_equal(zs_pack_dir_add_chunk(&p->dir, &id, 1000 + i % 100, &err), 0);
	}
}

HELP_UNUSED static struct zs_index *help_open(int *out_fresh)
{
	struct zs_name repo = help_name(42);
	struct zs_err err = {0};
	struct zs_index *ix = NULL;

	if (zs_index_open(help_dir, &repo, &ix, out_fresh, &err) < 0)
		fail_msg("%s", err.text);
	return ix;
}

HELP_UNUSED static void help_consume(struct zs_index *ix, uint64_t object, uint64_t pack, uint64_t first, uint32_t n)
{
	struct zs_index_object o = {0};
	struct zs_name name = help_name(object);
	struct zs_err err = {0};

	help_pack(&o, pack, first, n, 16);
	if (zs_index_consume(ix, &name, &o, &err) < 0)
		fail_msg("%s", err.text);
	zs_index_object_fini(&o);
}

/* How many of the ids first .. first + n - 1 are there. */
HELP_UNUSED static uint32_t help_count(struct zs_index *ix, uint64_t first, uint32_t n)
{
	struct zs_index_view *v = NULL;
	struct zs_err err = {0};
	uint32_t found = 0;

	assert_int_equal(zs_index_view_new(ix, &v, &err), 0);
	for (uint32_t i = 0; i < n; i++) {
		struct zs_id id = help_id(first + i);
		struct zs_location at;
		int rc = zs_index_get(v, &id, NULL, 0, &at, &err);

		assert_true(rc >= 0);
		found += (uint32_t)rc;
	}
	zs_index_view_free(v);
	return found;
}

#endif

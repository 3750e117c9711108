/* Calls that fail when a test says so: the linker sends those of the layer and of base here (--wrap, see meson.build). */
#ifndef TEST_ZIMBRA_FAIL_H
#define TEST_ZIMBRA_FAIL_H

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
char *__real_strdup(const char *s);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);
char *__wrap_strdup(const char *s);

static unsigned good_allocations = UINT_MAX, failed_allocations; /* until the first that fails; how many did */

static int allocation_fails(void)
{
	if (good_allocations == UINT_MAX)
		return 0;
	if (good_allocations) {
		good_allocations--;
		return 0;
	}
	failed_allocations++;
	return 1;
}

void *__wrap_malloc(size_t n)
{
	return allocation_fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return allocation_fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return allocation_fails() ? NULL : __real_realloc(p, n);
}

char *__wrap_strdup(const char *s)
{
	return allocation_fails() ? NULL : __real_strdup(s);
}

#endif

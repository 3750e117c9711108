/* A directory of the test's own; in memory where there is a /dev/shm, since these tests sync a lot. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_dir[64];

static inline int scratch_make(void **state)
{
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

	(void)snprintf(scratch_dir, sizeof(scratch_dir), "%s/zs-test-XXXXXX", base);
	(void)state;
	return mkdtemp(scratch_dir) ? 0 : -1;
}

/* good until the fourth call after this one */
static inline const char *scratch_path(const char *name)
{
	static char paths[4][600];
	static unsigned turn;
	char *p = paths[turn++ % 4];

	(void)snprintf(p, sizeof(paths[0]), "%s/%s", scratch_dir, name);
	return p;
}

static inline void scratch_clear(const char *name)
{
	char command[700];

	(void)snprintf(command, sizeof(command), "rm -rf %s/%s", scratch_dir, name);
	if (system(command) != 0)
		abort();
}

static inline int scratch_drop(void **state)
{
	(void)state;
	scratch_clear("");
	return 0;
}

#endif

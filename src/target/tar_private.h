/* What tar.c and links.c share. */
#ifndef ZSTORE_TAR_PRIVATE_H
#define ZSTORE_TAR_PRIVATE_H

#include "zstore/base.h"

struct links;
struct links *links_new(void); /* NULL: no memory */
void links_free(struct links *l);
/* The path under which this file came first (borrowed until the next links_add), or NULL if it is not known. */
const char *links_find(const struct links *l, uint64_t dev, uint64_t ino);
/* Remember it.  What is forgotten for lack of room or memory is only stored once more. */
void links_add(struct links *l, uint64_t dev, uint64_t ino, struct zs_span path);

#endif

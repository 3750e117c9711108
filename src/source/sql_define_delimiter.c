/*
 * A delimiter for a program's text.  The search ends: every candidate that occurs takes some of the text's length.
 */
#include "sql_define_private.h"

#include <stdio.h>
#include <string.h>

void sql_define_delimiter(struct zs_span statement, char out[static 24])
{
	static const char *const usual[] = {";;", "$$", "//"};

	for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) {
		(void)strcpy(out, usual[i]);
		if (!memmem(statement.p, statement.n, out, strlen(out)))
			return;
	}
	for (unsigned long long i = 1; i != 0; i++) {
		(void)snprintf(out, 24, "~%llu~", i);
		if (!memmem(statement.p, statement.n, out, strlen(out)))
			return;
	}
}

/*
 * Runs a fuzz target over the files named on the command line, or over every
 * file of a directory: the ordinary build's way to replay a corpus.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p;
	size_t n;

	if (!f || !(p = malloc(1 << 22)))
		return -1;
	n = fread(p, 1, 1 << 22, f);
	(void)fclose(f);
	p = realloc(p, n ? n : 1); /* exact size: AddressSanitizer sees an overrun */
	(void)LLVMFuzzerTestOneInput(p, n);
	free(p);
	return 0;
}

int main(int argc, char **argv)
{
	int done = 0;

	for (int i = 1; i < argc; i++) {
		DIR *d = opendir(argv[i]);
		struct dirent *e;
		char path[4096];

		if (!d) {
			if (run_file(argv[i]) < 0)
				return 1;
			done++;
			continue;
		}
		while ((e = readdir(d))) {
			if (e->d_name[0] == '.')
				continue;
			(void)snprintf(path, sizeof path, "%s/%s", argv[i], e->d_name);
			if (run_file(path) < 0)
				return 1;
			done++;
		}
		(void)closedir(d);
	}
	printf("%d inputs replayed\n", done);
	return done ? 0 : 1;
}

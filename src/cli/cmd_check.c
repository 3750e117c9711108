/*
 * zstore check, stats and version.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static void on_finding(struct session *s, const char *text)
{
	struct json j;

	progress_clear(s);
	if (!s->json) {
		say(s, "DAMAGED: %s", text);
		return;
	}
	json_begin(&j, stdout);
	json_open(&j, '{');
	json_kv_text(&j, "finding", text);
	json_close(&j, '}');
	json_end(&j);
}

static int finding(void *ctx, const char *text)
{
	on_finding(ctx, text);
	return interrupted() ? -1 : 0;
}

int cmd_check(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct zs_check_settings settings = {.read_data = opt_given(s, OPT_READ_DATA), .observer = &s->observer, .finding = finding, .ctx = s};
	struct zs_check_report r;
	int64_t threads = 0;
	char size[16];
	struct json j;

	(void)argc;
	(void)argv;
	memset(&r, 0, sizeof r);
	if (opt_number(s, OPT_THREADS, 1, 64, &threads, err) < 0)
		return -1;
	settings.threads = (unsigned)threads;
	if (zs_check(s->store, &settings, &r, err) < 0)
		return -1;
	progress_clear(s);
	if (s->json) {
		json_begin(&j, stdout);
		json_open(&j, '{');
		json_kv_u64(&j, "snapshots", r.snapshots);
		json_kv_u64(&j, "entries", r.entries);
		json_kv_u64(&j, "nodes", r.nodes);
		json_kv_u64(&j, "packs", r.packs);
		json_kv_u64(&j, "bytes", r.bytes);
		json_kv_u64(&j, "unreferenced_packs", r.unreferenced_packs);
		json_kv_u64(&j, "findings", r.findings);
		json_kv_bool(&j, "read_data", settings.read_data);
		json_close(&j, '}');
		json_end(&j);
	} else if (!s->quiet) {
		printf("%llu snapshots, %llu entries, %llu packs%s%s: %s\n", (unsigned long long)r.snapshots, (unsigned long long)r.entries,
		    (unsigned long long)r.packs, settings.read_data ? ", read " : "", settings.read_data ? size_text(r.bytes, size) : "",
		    r.findings ? "DAMAGED" : "no errors");
		if (r.unreferenced_packs)
			printf("%llu packs are in no index: left by an interrupted run, the next prune removes them\n",
			    (unsigned long long)r.unreferenced_packs);
	}
	return r.findings ? EXIT_DAMAGED : EXIT_OK;
}

int cmd_stats(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct zs_store_sizes z;
	struct zs_snapshot_list l = {0};
	uint64_t objects = 0, bytes = 0;
	char a[16], b[16];
	struct json j;

	(void)argc;
	(void)argv;
	if (zs_store_snapshots(s->store, &l, NULL, err) < 0)
		return -1;
	zs_snapshot_list_fini(&l);
	if (zs_store_sizes(s->store, &z, err) < 0)
		return -1;
	json_begin(&j, stdout);
	if (s->json)
		json_open(&j, '{');
	for (int t = 0; t < ZS_OBJECTS; t++) {
		objects += z.objects[t];
		bytes += z.bytes[t];
		if (s->json) {
			json_key(&j, zs_object_name(t));
			json_open(&j, '{');
			json_kv_u64(&j, "objects", z.objects[t]);
			json_kv_u64(&j, "bytes", z.bytes[t]);
			json_close(&j, '}');
		} else {
			printf("%-10s %8llu objects  %10s\n", zs_object_name(t), (unsigned long long)z.objects[t], size_text(z.bytes[t], a));
		}
	}
	if (s->json) {
		json_kv_u64(&j, "objects", objects);
		json_kv_u64(&j, "bytes", bytes);
		json_kv_u64(&j, "chunks", z.chunks);
		json_kv_u64(&j, "plain_bytes", z.plain_bytes);
		json_close(&j, '}');
		json_end(&j);
	} else {
		printf("%-10s %8llu objects  %10s\n%llu chunks of %s before compression\n", "all", (unsigned long long)objects,
		    size_text(bytes, a), (unsigned long long)z.chunks, size_text(z.plain_bytes, b));
	}
	return EXIT_OK;
}

int cmd_version(struct session *s, int argc, char **argv, struct zs_err *err)
{
	struct json j;

	(void)argc;
	(void)argv;
	(void)err;
	if (s->json) {
		json_begin(&j, stdout);
		json_open(&j, '{');
		json_kv_text(&j, "version", ZS_PROGRAM_VERSION);
		json_kv_u64(&j, "format", ZS_FORMAT_VERSION);
		json_close(&j, '}');
		json_end(&j);
	} else {
		printf("zstore %s, repository format %d\n", ZS_PROGRAM_VERSION, ZS_FORMAT_VERSION);
	}
	return EXIT_OK;
}

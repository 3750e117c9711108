/*
 * zstore key: the slots that open the repository.
 */
#include <stdlib.h>
#include <string.h>

#include "cli.h"

static int key_list(struct session *s, struct zs_err *err)
{
	static const char *const secrets[] = {"?", "passphrase", "key file", "recovery code"};
	static const char *const roles[] = {"?", "full", "write-only"};
	struct zs_slot_list l = {0};
	char hex[ZS_NAME_HEX], when[32];
	struct json j;

	if (zs_store_slots(s->store, &l, err) < 0)
		return -1;
	json_begin(&j, stdout);
	if (s->json)
		json_open(&j, '[');
	for (size_t i = 0; i < l.n; i++) {
		const struct zs_slot_info *k = &l.v[i];

		if (s->json) {
			json_open(&j, '{');
			json_kv_text(&j, "id", zs_name_hex(&k->name, hex));
			json_kv_text(&j, "label", k->label);
			json_kv_text(&j, "secret", secrets[k->secret < 4 ? k->secret : 0]);
			json_kv_text(&j, "role", roles[k->role < 3 ? k->role : 0]);
			json_key(&j, "created");
			json_time(&j, (int64_t)k->created_ns);
			json_kv_bool(&j, "current", k->current);
			json_close(&j, '}');
			continue;
		}
		printf("%c %.12s  %-13s  %-10s  %s  ", k->current ? '*' : ' ', zs_name_hex(&k->name, hex),
		    secrets[k->secret < 4 ? k->secret : 0], roles[k->role < 3 ? k->role : 0], local_time((int64_t)k->created_ns, when));
		print_safe(stdout, zs_span_str(k->label), 0);
		printf("\n");
	}
	if (s->json) {
		json_close(&j, ']');
		json_end(&j);
	}
	zs_slot_list_fini(&l);
	return EXIT_OK;
}

static void key_report(struct session *s, const char *what, const struct zs_name *name, const struct zs_buf *code)
{
	char hex[ZS_NAME_HEX];
	struct json j;

	if (s->json) {
		json_begin(&j, stdout);
		json_open(&j, '{');
		json_kv_text(&j, what, zs_name_hex(name, hex));
		if (code && code->n) {
			json_key(&j, "recovery_code");
			json_bytes(&j, zs_buf_span(code));
		}
		json_close(&j, '}');
		json_end(&j);
		return;
	}
	if (!s->quiet)
		printf("%s key slot %.12s\n", what, zs_name_hex(name, hex));
	if (code && code->n)
		printf("\nRecovery code (shown only now):\n\n    %.*s\n\n", (int)code->n, (const char *)code->p);
}

static int key_add(struct session *s, int replace, struct zs_err *err)
{
	struct zs_buf buf = ZS_BUF_INIT;
	struct zs_secret secret;
	struct zs_name name;
	int recovery = !replace && opt_given(s, OPT_RECOVERY), rc = -1;

	if (recovery) {
		if (zs_store_recovery_code(&buf, err) < 0)
			goto out;
		secret = (struct zs_secret){.type = ZS_SECRET_RECOVERY, .bytes = zs_buf_span(&buf)};
	} else if (secret_get(s, SECRET_NEW, 1, &buf, &secret, err) < 0) {
		goto out;
	}
	if (replace)
		rc = zs_store_slot_passwd(s->store, &secret, &name, err);
	else
		rc = zs_store_slot_add(s->store, &secret, opt_text(s, OPT_LABEL, recovery ? "recovery" : "added"), &name, err);
	if (rc == 0)
		key_report(s, replace ? "replaced" : "added", &name, recovery ? &buf : NULL);
out:
	zs_buf_wipe(&buf);
	return rc < 0 ? -1 : EXIT_OK;
}

static int key_remove(struct session *s, const char *text, struct zs_err *err)
{
	const struct zs_slot_info *found = NULL;
	struct zs_slot_list l = {0};
	char hex[ZS_NAME_HEX];
	size_t n = strlen(text);
	int rc = -1;

	if (zs_store_slots(s->store, &l, err) < 0)
		return -1;
	for (size_t i = 0; i < l.n; i++) {
		if (n < 4 || strncmp(zs_name_hex(&l.v[i].name, hex), text, n) != 0)
			continue;
		if (found) {
			zs_fail(err, ZS_USAGE, "key slot %s: several begin so", text);
			goto out;
		}
		found = &l.v[i];
	}
	if (!found) {
		zs_fail(err, ZS_NOTFOUND, "no key slot %s (at least four digits; see 'zstore key list')", text);
		goto out;
	}
	rc = zs_store_slot_remove(s->store, &found->name, err);
	if (rc == 0)
		key_report(s, "removed", &found->name, NULL);
out:
	zs_slot_list_fini(&l);
	return rc < 0 ? -1 : EXIT_OK;
}

int cmd_key(struct session *s, int argc, char **argv, struct zs_err *err)
{
	if (strcmp(argv[0], "remove") == 0 && argc == 2)
		return key_remove(s, argv[1], err);
	if (argc == 1 && strcmp(argv[0], "list") == 0)
		return key_list(s, err);
	if (argc == 1 && strcmp(argv[0], "add") == 0)
		return key_add(s, 0, err);
	if (argc == 1 && strcmp(argv[0], "passwd") == 0)
		return key_add(s, 1, err);
	return zs_fail(err, ZS_USAGE, "zstore key list | add | remove SLOT | passwd");
}

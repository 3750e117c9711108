/*
 * Zimbra's localconfig.xml: keys and values, through expat, on a bounded buffer; then ${other} in the values is replaced.  Document
 * types and entities are refused, so the text cannot grow while it is parsed.  What the keys mean is left to the callers.
 */
#include "zimbra_private.h"

#include <errno.h>
#include <expat.h>
#include <stdlib.h>
#include <string.h>

#define FILE_MAX (4u << 20)
#define KEYS_MAX 10000u
#define NAME_MAX_BYTES 255u
#define VALUE_MAX 65536u	/* resolved or not */
#define RESOLVED_MAX (16u << 20) /* of all values together */
#define DEPTH_MAX 16u
#define READ_AHEAD 65536u /* zs_read_file's: with it reserved it does not move what it read */

struct config_key {
	char *name, *value; /* owned; value is wiped */
	unsigned line;	    /* 0: a default */
	unsigned seq;	    /* the last of the same name counts */
	unsigned depth;	    /* 0: not resolved yet; 1: refers to nothing */
	int is_busy;	    /* being resolved: to meet it again is a cycle */
};
struct zimbra_config {
	struct config_key *v; /* sorted by name once it is parsed */
	size_t n, cap, resolved_bytes;
};
struct config_parse {
	XML_Parser xml;
	struct zimbra_config *config;
	struct zs_err *err;
	unsigned depth, line; /* line: of the key */
	int is_failed, in_key, in_value, has_value;
	char name[NAME_MAX_BYTES + 1];
	struct zs_buf value; /* its memory never moves, and is wiped */
};

/* What a key is where the file does not say (LC.java); the empty ones are not here. */
static const struct config_default { const char *name, *value; } defaults[] = {
	{"zimbra_home", "/opt/zimbra"},
	{"zimbra_user", "zimbra"},
	{"zimbra_store_directory", "${zimbra_home}/store"},
	{"zimbra_index_directory", "${zimbra_home}/index"},
	{"zimbra_db_directory", "${zimbra_home}/db"},
	{"zimbra_relative_volume_path", "false"},
	{"zimbra_mailbox_groups", "100"},
	{"zimbra_mailbox_change_checkpoint_frequency", "100"},
	{"zimbra_admin_service_port", "7071"},
	{"mysql_data_directory", "${zimbra_db_directory}/data"},
	{"mysql_socket", "${zimbra_home}/data/tmp/mysql/mysql.sock"},
	{"mysql_port", "7306"},
	{"zimbra_mysql_user", "zimbra"},
	{"ldap_port", "389"},
	{"ldap_is_master", "false"},
	{"ldap_starttls_supported", "0"},
	{"ldap_starttls_required", "true"},
	{"ldap_ldapi_socket_file", "${zimbra_home}/data/ldap/state/run/ldapi"},
	{"zimbra_ldap_userdn", "uid=zimbra,cn=admins,cn=zimbra"},
};

static void wipe_text(char *s)
{
	if (s)
		explicit_bzero(s, strlen(s));
	free(s);
}

static void key_fini(struct config_key *k)
{
	free(k->name);
	wipe_text(k->value);
}

static int add_key(struct zimbra_config *c, const char *name, struct zs_span value, unsigned line, struct zs_err *err)
{
	struct config_key *k;

	if (c->n == c->cap) {
		size_t cap = c->cap ? 2 * c->cap : 64;

		k = realloc(c->v, cap * sizeof *k);
		if (!k)
			return zs_fail_nomem(err);
		c->v = k;
		c->cap = cap;
	}
	k = &c->v[c->n];
	memset(k, 0, sizeof *k);
	k->line = line;
	k->seq = (unsigned)c->n;
	k->name = strdup(name);
	k->value = malloc(value.n + 1);
	if (!k->name || !k->value) {
		free(k->name);
		free(k->value);
		return zs_fail_nomem(err);
	}
	if (value.n)
		memcpy(k->value, value.p, value.n);
	k->value[value.n] = '\0';
	c->n++;
	return 0;
}

/* ------------------------------------------------------------------------ XML */

/* The error is set: no more callbacks. */
static void stop(struct config_parse *p)
{
	p->is_failed = 1;
	(void)XML_StopParser(p->xml, XML_FALSE);
}

static void stop_at(struct config_parse *p, const char *what)
{
	(void)zs_fail(p->err, ZS_SOURCE, "line %lu: %s", (unsigned long)XML_GetCurrentLineNumber(p->xml), what);
	stop(p);
}

static void begin_key(struct config_parse *p, const char **attributes)
{
	const char *name = "";

	for (; *attributes; attributes += 2)
		if (strcmp(attributes[0], "name") == 0)
			name = attributes[1];
	p->in_key = 1;
	p->has_value = 0;
	p->line = (unsigned)XML_GetCurrentLineNumber(p->xml);
	if (!*name)
		stop_at(p, "a <key> without a name");
	else if (strlen(name) > NAME_MAX_BYTES)
		stop_at(p, "the name of a <key> is longer than 255 bytes");
	else
		memcpy(p->name, name, strlen(name) + 1);
}

static void XMLCALL on_start(void *ctx, const char *element, const char **attributes)
{
	struct config_parse *p = ctx;

	if (p->is_failed)
		return;
	p->depth++;
	if (p->depth == 1 && strcmp(element, "localconfig") != 0) {
		stop_at(p, "this is no localconfig.xml: its root is not <localconfig>");
	} else if (p->depth == 2 && strcmp(element, "key") == 0) {
		begin_key(p, attributes);
	} else if (p->depth == 3 && p->in_key && !p->has_value && strcmp(element, "value") == 0) {
		p->in_value = 1;
		zs_buf_clear(&p->value);
	}
}

static void XMLCALL on_text(void *ctx, const char *text, int n)
{
	struct config_parse *p = ctx;

	if (p->is_failed || !p->in_value || p->depth != 3)
		return;
	if ((size_t)n > VALUE_MAX - p->value.n)
		stop_at(p, "a <value> is longer than 65536 bytes");
	else if (zs_buf_add(&p->value, text, (size_t)n, p->err) < 0)
		stop(p);
}

static void XMLCALL on_end(void *ctx, const char *element)
{
	struct config_parse *p = ctx;

	(void)element;
	if (p->is_failed)
		return;
	if (p->depth == 3 && p->in_value) {
		p->in_value = 0;
		p->has_value = 1; /* of several the first one counts, as in Zimbra */
	} else if (p->depth == 2 && p->in_key) {
		p->in_key = 0;
		if (p->has_value && p->config->n >= KEYS_MAX + sizeof defaults / sizeof *defaults)
			stop_at(p, "more than 10000 keys");
		else if (p->has_value && add_key(p->config, p->name, zs_buf_span(&p->value), p->line, p->err) < 0)
			stop(p);
	}
	p->depth--;
}

static void XMLCALL on_doctype(void *ctx, const char *name, const char *system_id, const char *public_id, int has_subset)
{
	struct config_parse *p = ctx;

	(void)name, (void)system_id, (void)public_id, (void)has_subset;
	if (!p->is_failed)
		stop_at(p, "a DOCTYPE: this is not how Zimbra writes the file; document types and entities are refused");
}

static int parse_xml(struct zimbra_config *c, struct zs_span text, struct zs_err *err)
{
	static const XML_Memory_Handling_Suite memory = {malloc, realloc, free};
	struct config_parse p = {.config = c, .err = err, .value = ZS_BUF_INIT};
	enum XML_Status status;
	int rc = -1;

	if (text.n > FILE_MAX)
		return zs_fail(err, ZS_SOURCE, "is larger than %u bytes: this is no localconfig.xml", FILE_MAX);
	if (zs_buf_reserve(&p.value, VALUE_MAX, err) < 0)
		goto out;
	p.xml = XML_ParserCreate_MM(NULL, &memory, NULL);
	if (!p.xml) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	XML_SetUserData(p.xml, &p);
	XML_SetElementHandler(p.xml, on_start, on_end);
	XML_SetCharacterDataHandler(p.xml, on_text);
	XML_SetStartDoctypeDeclHandler(p.xml, on_doctype);
	status = XML_Parse(p.xml, (const char *)text.p, (int)text.n, 1);
	if (p.is_failed)
		goto out;
	if (status == XML_STATUS_OK)
		rc = 0;
	else if (XML_GetErrorCode(p.xml) == XML_ERROR_NO_MEMORY)
		(void)zs_fail_nomem(err);
	else
		(void)zs_fail(err, ZS_SOURCE, "line %lu: this is no well-formed XML: %s",
		    (unsigned long)XML_GetCurrentLineNumber(p.xml), XML_ErrorString(XML_GetErrorCode(p.xml)));
out:
	if (p.xml)
		XML_ParserFree(p.xml);
	zs_buf_wipe(&p.value);
	return rc;
}

/* ------------------------------------------------------------------- resolving */

static int key_cmp(const void *left, const void *right)
{
	const struct config_key *a = left, *b = right;
	int order = strcmp(a->name, b->name);

	return order ? order : a->seq < b->seq ? -1 : 1;
}

/* Of several keys of one name the last one stays. */
static void sort_keys(struct zimbra_config *c)
{
	size_t kept = 0;

	qsort(c->v, c->n, sizeof *c->v, key_cmp);
	for (size_t i = 0; i < c->n; i++) {
		if (i + 1 < c->n && strcmp(c->v[i].name, c->v[i + 1].name) == 0)
			key_fini(&c->v[i]);
		else
			c->v[kept++] = c->v[i];
	}
	c->n = kept;
}

static struct config_key *find_key(const struct zimbra_config *c, struct zs_span name)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const char *at = c->v[mid].name;
		int order = strncmp((const char *)name.p, at, name.n);

		if (order == 0 && at[name.n] == '\0')
			return &c->v[mid];
		if (order > 0)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

/* The next ${name} at *at: 1 with what stands before it, and *at behind it; 0: no more, *at is the rest. */
static int next_reference(const char **at, struct zs_span *out_before, struct zs_span *out_name)
{
	const char *begin = strstr(*at, "${"), *end = begin ? strchr(begin, '}') : NULL;

	if (!end)
		return 0;
	*out_before = zs_span(*at, (size_t)(begin - *at));
	*out_name = zs_span(begin + 2, (size_t)(end - begin - 2));
	*at = end + 1;
	return 1;
}

static int fail_key(const struct config_key *k, const char *what, struct zs_err *err)
{
	if (!k->line)
		return zs_fail(err, ZS_SOURCE, "the default of key %s %s", k->name, what);
	return zs_fail(err, ZS_SOURCE, "line %u: key %s %s", k->line, k->name, what);
}

static int add_limited(const struct config_key *k, struct zs_buf *out, struct zs_span s, struct zs_err *err)
{
	if (s.n > VALUE_MAX - out->n)
		return fail_key(k, "has a value of more than 65536 bytes, once its references are resolved", err);
	return zs_buf_add_span(out, s, err);
}

/* All it refers to is resolved.  What we do not know stays as it is written: Zimbra knows more defaults than we do. */
static int replace_value(struct zimbra_config *c, struct config_key *k, struct zs_buf *scratch, struct zs_err *err)
{
	const char *at = k->value;
	struct zs_span before, name;
	char *value;

	zs_buf_clear(scratch);
	while (next_reference(&at, &before, &name)) {
		const struct config_key *other = find_key(c, name);
		struct zs_span text = other ? zs_span_str(other->value) : zs_span(name.p - 2, name.n + 3);

		if (add_limited(k, scratch, before, err) < 0 || add_limited(k, scratch, text, err) < 0)
			return -1;
	}
	if (add_limited(k, scratch, zs_span_str(at), err) < 0)
		return -1;
	c->resolved_bytes += scratch->n;
	if (c->resolved_bytes > RESOLVED_MAX)
		return fail_key(k, "and others have more than 16 MiB of values, once their references are resolved", err);
	value = malloc(scratch->n + 1);
	if (!value)
		return zs_fail_nomem(err);
	memcpy(value, scratch->p, scratch->n);
	value[scratch->n] = '\0';
	wipe_text(k->value);
	k->value = value;
	return 0;
}

/* Each key once, whatever refers to it: the work is bounded by the text's length. */
static int resolve(struct zimbra_config *c, struct config_key *k, unsigned above, struct zs_buf *scratch, struct zs_err *err)
{
	const char *at = k->value;
	struct zs_span before, name;
	unsigned below = 0;

	if (k->is_busy)
		return fail_key(k, "refers to itself, through its own or other keys' ${...}", err);
	if (k->depth)
		return 0;
	k->is_busy = 1;
	while (next_reference(&at, &before, &name)) {
		struct config_key *other = find_key(c, name);

		if (!other)
			continue;
		if (above + 1 < DEPTH_MAX && resolve(c, other, above + 1, scratch, err) < 0)
			return -1;
		if (above + 1 >= DEPTH_MAX || other->depth >= DEPTH_MAX)
			return fail_key(k, "refers to keys that refer to others, more than 16 deep", err);
		if (other->depth > below)
			below = other->depth;
	}
	if (at != k->value && replace_value(c, k, scratch, err) < 0)
		return -1;
	k->depth = below + 1;
	k->is_busy = 0;
	return 0;
}

static int resolve_all(struct zimbra_config *c, struct zs_err *err)
{
	struct zs_buf scratch = ZS_BUF_INIT;
	int rc = zs_buf_reserve(&scratch, VALUE_MAX, err); /* never moves: no copies of secrets left behind */

	for (size_t i = 0; rc == 0 && i < c->n; i++)
		rc = resolve(c, &c->v[i], 0, &scratch, err);
	zs_buf_wipe(&scratch);
	return rc;
}

/* ------------------------------------------------------------------- contract */

int zimbra_config_parse(struct zs_span xml, struct zimbra_config **out, struct zs_err *err)
{
	struct zimbra_config *c = calloc(1, sizeof *c);

	if (!c)
		return zs_fail_nomem(err);
	for (size_t i = 0; i < sizeof defaults / sizeof *defaults; i++)
		if (add_key(c, defaults[i].name, zs_span_str(defaults[i].value), 0, err) < 0)
			goto fail;
	if (parse_xml(c, xml, err) < 0)
		goto fail;
	sort_keys(c);
	if (resolve_all(c, err) < 0)
		goto fail;
	*out = c;
	return 0;
fail:
	zimbra_config_free(c);
	return -1;
}

static int fail_read(const char *path, struct zs_err *err)
{
	int sys = err->sys;

	if (err->cause == ZS_LIMIT)
		return zs_fail(err, ZS_SOURCE, "%s is larger than %u bytes: this is no localconfig.xml", path, FILE_MAX);
	if (sys == EACCES || sys == EPERM)
		return zs_fail_sys(err, ZS_SOURCE, sys, "cannot read %s (run zstore as the user zimbra or as root)", path);
	if (sys == ENOENT || sys == ENOTDIR)
		return zs_fail_sys(err, ZS_SOURCE, sys, "cannot read %s (is Zimbra installed there?)", path);
	return -1;
}

int zimbra_config_read(const char *path, struct zimbra_config **out, struct zs_err *err)
{
	struct zs_buf text = ZS_BUF_INIT;
	int rc = -1;

	if (zs_buf_reserve(&text, FILE_MAX + READ_AHEAD, err) < 0)
		goto out;
	if (zs_read_file(path, FILE_MAX, &text, ZS_SOURCE, err) < 0) {
		(void)fail_read(path, err);
		goto out;
	}
	rc = zimbra_config_parse(zs_buf_span(&text), out, err);
	if (rc < 0 && err->cause == ZS_SOURCE)
		(void)zs_context(err, "%s", path);
out:
	zs_buf_wipe(&text);
	return rc;
}

const char *zimbra_config_get(const struct zimbra_config *c, const char *key)
{
	const struct config_key *k = find_key(c, zs_span_str(key));

	return k ? k->value : "";
}

void zimbra_config_free(struct zimbra_config *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n; i++)
		key_fini(&c->v[i]);
	free(c->v);
	free(c);
}

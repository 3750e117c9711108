/*
 * Connecting: from localconfig.xml to a database and a directory that can be read, and volumes that are there.
 */
#include "zimbra_private.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define INDEX_VOLUME 10
#define EXTERNAL_STORE 2

static int is_true(const char *text)
{
	return strcmp(text, "true") == 0 || strcmp(text, "TRUE") == 0 || strcmp(text, "1") == 0;
}

/* ------------------------------------------------------------------------- database */

int zimbra_connect_sql(const struct zimbra_source *s, struct sql_conn *out, struct zs_err *err)
{
	const struct zimbra_config *c = s->config;
	const char *socket = zimbra_config_get(c, "mysql_socket"), *host = zimbra_config_get(c, "mysql_bind_address");
	struct sql_login login = {.label = s->options.label, .user = zimbra_config_get(c, "zimbra_mysql_user"), .defaults_file = "none",
	    .password = zs_span_str(zimbra_config_get(c, "zimbra_mysql_password")), .connect_timeout_s = 10, .read_timeout_s = 3600};

	if (*socket && access(socket, F_OK) == 0) {
		login.socket = socket;
	} else {
		login.host = *host ? host : "127.0.0.1";
		login.port = (unsigned)strtoul(zimbra_config_get(c, "mysql_port"), NULL, 10);
	}
	if (sql_conn_open(&login, out, err) == 0)
		return 0;
	return zs_context(err, "Zimbra's database (see mysql_socket, mysql_port, zimbra_mysql_user and zimbra_mysql_password in %s)", s->options.config_path);
}

#define NEEDED "'mailbox_id','id','type','folder_id','date','size','locator','blob_digest','unread','flags','tag_names','name','subject','metadata','mod_metadata','mod_content'"
#define NEEDED_N 16

/* Without these columns it is a Zimbra before 8.0, or none: if no database of mailboxes has them. */
static int check_schema(struct zimbra_source *s, struct zs_err *err)
{
	unsigned all = 0, good = 0;
	struct sql_result r;
	int rc;

	if (!zimbra_schema_find(&s->server_tables, "mailbox"))
		return zs_fail(err, ZS_SOURCE, "this database does not look like Zimbra's: there is no table zimbra.mailbox");
	rc = sql_conn_queryf(&s->conn, &r, err, "SELECT COUNT(*) FROM information_schema.COLUMNS WHERE TABLE_SCHEMA REGEXP '^mboxgroup[0-9]+$' AND TABLE_NAME='mail_item' "
						"AND COLUMN_NAME IN (" NEEDED ") GROUP BY TABLE_SCHEMA");
	if (rc < 0)
		return -1;
	while (sql_result_next(&r)) {
		all++;
		good += sql_result_number(&r, 0) == NEEDED_N;
	}
	sql_result_fini(&r);
	if (all > 0 && good == 0)
		return zs_fail(err, ZS_SOURCE, "no table mail_item has all columns that are needed: Zimbra 8.0 and later can be backed up");
	return 0;
}

/* --------------------------------------------------------------------------- volumes */

/* Absolute, with the server's own directory where there is one. */
static char *volume_root(const struct zimbra_source *s, struct zs_span path, struct zs_err *err)
{
	const char *home = zimbra_config_get(s->config, "zimbra_home"), *id = s->directory.server_id;
	int is_relative = path.n == 0 || path.p[0] != '/' || is_true(zimbra_config_get(s->config, "zimbra_relative_volume_path"));
	struct zs_buf out = ZS_BUF_INIT;

	if (zs_buf_printf(&out, err, "%s%s%.*s%s%s", is_relative ? home : "", is_relative ? "/" : "", (int)path.n, path.n ? (const char *)path.p : "",
		id ? "/" : "", id ? id : "") < 0 ||
	    zs_buf_add_u8(&out, 0, err) < 0) {
		zs_buf_fini(&out);
		return NULL;
	}
	return (char *)out.p;
}

static int take_volume(struct zimbra_source *s, const struct sql_result *r, struct zs_err *err)
{
	struct zimbra_volumes *l = &s->volumes;
	struct zimbra_volume *grown = realloc(l->v, (l->n + 1) * sizeof *grown), *v;
	struct zs_span name = sql_result_get(r, 2), path = sql_result_get(r, 3);

	if (!grown)
		return zs_fail_nomem(err);
	l->v = grown;
	v = &l->v[l->n];
	*v = (struct zimbra_volume){.id = (unsigned)sql_result_number(r, 0), .type = (unsigned)sql_result_number(r, 1),
	    .file_bits = (unsigned)sql_result_number(r, 4), .file_group_bits = (unsigned)sql_result_number(r, 5),
	    .mailbox_bits = (unsigned)sql_result_number(r, 6), .mailbox_group_bits = (unsigned)sql_result_number(r, 7),
	    .is_local = sql_result_number(r, 8) != EXTERNAL_STORE};
	l->n++;
	if (path.n > 0 && memchr(path.p, 0, path.n))
		return zs_fail(err, ZS_SOURCE, "the path of volume %u has a NUL in it", v->id);
	v->name = strndup(name.n ? (const char *)name.p : "", name.n);
	v->path = volume_root(s, path, err);
	return v->name && v->path ? 0 : v->path ? zs_fail_nomem(err) : -1;
}

/* A volume that cannot be read now is said before anything is; whatever was on it is named then, one by one. */
static int check_volumes(struct zimbra_source *s, struct zs_err *err)
{
	size_t seen = 0, good = 0;

	for (size_t i = 0; i < s->volumes.n; i++) {
		const struct zimbra_volume *v = &s->volumes.v[i];

		if (v->type == INDEX_VOLUME)
			continue;
		if (!v->is_local) {
			zimbra_note(s, ZS_NOTE_WARNING, "volume %u (%s) is not local: what is on it is not backed up", v->id, v->name);
			continue;
		}
		seen++;
		if (access(v->path, R_OK | X_OK) == 0) {
			good++;
			zimbra_note(s, ZS_NOTE_INFO, "volume %u (%s): %s can be read", v->id, v->name, v->path);
			continue;
		}
		(void)zs_fail_sys(err, ZS_SOURCE, errno, "volume %u (%s): %s cannot be read: run zstore as the user zimbra or as root", v->id, v->name, v->path);
		zimbra_note(s, ZS_NOTE_LACK, "%s", err->text);
	}
	if (seen > 0 && good == 0)
		return -1;
	zs_err_clear(err);
	return 0;
}

int zimbra_connect_volumes(struct zimbra_source *s, struct zs_err *err)
{
	const char *store_type = zimbra_schema_has(zimbra_schema_find(&s->server_tables, "volume"), "store_type") ? "store_type" : "1";
	struct sql_result r;
	int rc;

	zimbra_volumes_fini(&s->volumes);
	rc = sql_conn_queryf(&s->conn, &r, err, "SELECT id,type,name,path,file_bits,file_group_bits,mailbox_bits,mailbox_group_bits,%s FROM zimbra.volume ORDER BY id",
	    store_type);
	if (rc < 0)
		return -1;
	while (rc == 0 && sql_result_next(&r))
		rc = take_volume(s, &r, err);
	sql_result_fini(&r);
	return rc;
}

/* ------------------------------------------------------------------------- directory */

static char *own_ca(const struct zimbra_source *s)
{
	char path[4096];

	(void)snprintf(path, sizeof path, "%s/conf/ca/ca.pem", zimbra_config_get(s->config, "zimbra_home"));
	return access(path, R_OK) == 0 ? strdup(path) : NULL;
}

int zimbra_connect_directory(struct zimbra_source *s, struct zimbra_directory *out, struct zs_err *err)
{
	const struct zimbra_config *c = s->config;
	const char *uri = zimbra_config_get(c, "ldap_url");
	struct zimbra_login login = {.bind_dn = zimbra_config_get(c, "zimbra_ldap_userdn"), .password = zimbra_config_get(c, "zimbra_ldap_password"),
	    .hostname = zimbra_config_get(c, "zimbra_server_hostname")};
	char made[320], *ca = own_ca(s);
	int rc;

	if (!*uri) {
		(void)snprintf(made, sizeof made, "ldap://%.255s:%.10s", zimbra_config_get(c, "ldap_host"), zimbra_config_get(c, "ldap_port"));
		uri = made;
	}
	login.uri = uri;
	login.ca_file = s->options.ca_file ? s->options.ca_file : ca;
	login.starttls = strncmp(uri, "ldap://", 7) == 0 && is_true(zimbra_config_get(c, "ldap_starttls_supported"));
	login.is_tls = login.starttls || strncmp(uri, "ldaps://", 8) == 0;
	rc = zimbra_directory_read(&login, s->settings, out, err);
	free(ca);
	return rc;
}

int zimbra_connect_all(struct zimbra_source *s, struct zs_err *err)
{
	if (zimbra_config_read(s->options.config_path, &s->config, err) < 0 || zimbra_connect_sql(s, &s->conn, err) < 0 ||
	    zimbra_schema_load(&s->conn, "zimbra", &s->server_tables, err) < 0 || check_schema(s, err) < 0 ||
	    zimbra_manifest_server(s, err) < 0 || zimbra_connect_directory(s, &s->directory, err) < 0 || zimbra_connect_volumes(s, err) < 0)
		return -1;
	zimbra_note(s, ZS_NOTE_INFO, "MariaDB %s, schema %s, %zu accounts in the directory", s->version, s->db_version, s->directory.accounts_n);
	zimbra_mailbox_note(s);
	return check_volumes(s, err);
}

/*
 * The configuration file as data: sections with settings, each checked for its form when it is read.  What a setting
 * does is the commands'.  Nothing here knows a session, so that the reader can be fuzzed alone.
 */
#ifndef ZS_CLI_CONFIG_H
#define ZS_CLI_CONFIG_H

#include "zstore/source.h"

#define CONF_FILE_MAX (256u << 10)
#define CONF_LINE_MAX 4096u	/* bytes, without the newline */
#define CONF_SETTINGS_MAX 4096u /* in all files */
#define CONF_SECTIONS_MAX 256u
#define CONF_NAME_MAX 32u	/* of a profile or a source */
#define CONF_KEY_MAX 48u	/* inih cuts longer ones */
#define CONF_ERRORS_MAX 20u

struct conf_setting {
	char *key, *value; /* owned; value is never NULL, and empty only for a list that is cleared */
	unsigned file, line;
};
enum conf_kind { CONF_DEFAULTS, CONF_PROFILE, CONF_SOURCE };
struct conf_section {
	enum conf_kind kind;
	char *name; /* owned; "" for the defaults */
	unsigned file, line; /* where it stood last */
	struct conf_setting *v;
	size_t n, cap;
};
struct conf {
	const char *home;	  /* what "~/" stands for; borrowed, NULL: nothing */
	struct zs_strings files;  /* in the order read */
	struct zs_strings errors; /* "FILE:LINE: what is wrong", the first CONF_ERRORS_MAX */
	size_t error_count;
	struct conf_section **v;
	size_t n, settings;
};

/* What a value must look like. */
enum conf_form { FORM_TEXT, FORM_COMMAND, FORM_PATH, FORM_LOCATION, FORM_SOURCE, FORM_PATTERN, FORM_FLAG, FORM_KEEP, FORM_THREADS,
	FORM_COMPRESSION, FORM_WITHIN, FORM_GROUPS, FORM_UNUSED, FORM_TIMEOUT, FORM_PROFILE };
struct conf_key {
	const char *name;
	enum conf_form form;
	int repeats;
};
extern const struct conf_key conf_keys[]; /* of profiles; ends with a NULL name */

/*
 * Add a file's text.  What is wrong in it goes to c->errors; a setting of an earlier file gives way to one of this.
 * -1: ZS_NOMEM, or ZS_USAGE if this program was built without inih.
 */
int conf_read(struct conf *c, const char *file, struct zs_span text, struct zs_err *err) ZS_MUST_USE;
/* After all files: what refers to something that is not there goes to c->errors. */
int conf_check(struct conf *c, struct zs_err *err) ZS_MUST_USE;
void conf_fini(struct conf *c);

struct conf_section *conf_find(const struct conf *c, enum conf_kind kind, const char *name); /* or NULL */
/*
 * The settings of one key: those of the profile if it has any, else the defaults'.  after NULL: the first one; NULL at the
 * end.  An empty value clears a list: it is passed over.
 */
const struct conf_setting *conf_next(const struct conf *c, const struct conf_section *profile, const char *key, const struct conf_setting *after);
const char *conf_text(const struct conf *c, const struct conf_section *profile, const char *key); /* or NULL */
/* The URL that a [source] section means, with its options; appended, NUL included. */
int conf_source_url(const struct conf_section *source, struct zs_buf *out, struct zs_err *err) ZS_MUST_USE;

/* ------------------------------------------- between config.c and config_lines.c */

/* Name an error of the file that is being read.  Always -1. */
int conf_complain(struct conf *c, unsigned line, const char *fmt, ...) ZS_PRINTF(3, 4);
/* "profile NAME" of a head line.  NULL: wrong, complained. */
struct conf_section *conf_open(struct conf *c, unsigned line, struct zs_span head);
/* continues: an indented line, which is one more value.  -1: wrong, complained. */
int conf_set(struct conf *c, struct conf_section *section, unsigned line, int continues, const char *key, const char *value) ZS_MUST_USE;
const struct conf_key *conf_key_find(const char *name, size_t n);

#endif

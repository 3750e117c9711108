/*
 * The configuration's text, read with inih.  inih cuts lines that are longer than its buffer, names that
 * are longer than fifty bytes and values at " ;", and passes over what follows a section's head, all
 * without a word: so each line is looked at here before inih sees it, and a long one is handed over in
 * pieces.
 */
#include "config.h"

#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INI_NAME_ROOM 50 /* inih's own limit of a section's head and of a key */

struct lines {
	struct conf *c;
	struct zs_span text;	 /* what is still to be read */
	unsigned line;		 /* number of the line that was read last */
	struct conf_section *section; /* NULL: none, or one that is wrong */
	int skips;		 /* the section is wrong: its settings are passed over */
	int has_key;		 /* an indented line would continue something */
	int bad_key;		 /* but that is wrong */
	struct zs_span rest;	 /* of a long line: what inih has not seen yet */
	/* The setting at hand: complete when the next line begins. */
	int pending, continues;
	struct zs_buf key, value;
	int no_memory;
};

static int is_blank(uint8_t b)
{
	return b == ' ' || b == '\t';
}

/* ------------------------------------------------------------------- from inih */

static int on_setting(void *ctx, const char *section, const char *name, const char *value)
{
	struct lines *l = ctx;
	struct zs_err err = {0};

	(void)section;
	if ((l->pending || l->continues) && (!l->key.p || strcmp(name, (const char *)l->key.p) != 0)) {
		(void)conf_complain(l->c, l->line, "the inih of this program cannot continue lines");
		return 0;
	}
	if (!l->pending) { /* the first piece */
		zs_buf_clear(&l->key);
		zs_buf_clear(&l->value);
		if (zs_buf_add(&l->key, name, strlen(name) + 1, &err) < 0)
			l->no_memory = 1;
	}
	l->pending = 1;
	if (zs_buf_add_span(&l->value, zs_span_str(value), &err) < 0)
		l->no_memory = 1;
	return 1;
}

static void finish_setting(struct lines *l)
{
	struct zs_err err = {0};

	if (!l->pending)
		return;
	l->pending = 0;
	if (zs_buf_add_u8(&l->value, 0, &err) < 0)
		l->no_memory = 1;
	if (!l->no_memory)
		l->bad_key = conf_set(l->c, l->section, l->line, l->continues, (const char *)l->key.p, (const char *)l->value.p) < 0;
}

/* ------------------------------------------------------------------ line by line */

static int check_bytes(struct lines *l, struct zs_span s)
{
	if (s.n > CONF_LINE_MAX)
		return conf_complain(l->c, l->line, "a line of %zu bytes; at most %u are read", s.n, CONF_LINE_MAX);
	for (size_t i = 0; i < s.n; i++) {
		if ((s.p[i] < ' ' && s.p[i] != '\t') || s.p[i] == 0x7f)
			return conf_complain(l->c, l->line, "a control character (byte %u of the line)", (unsigned)i + 1);
		if (s.p[i] == ';' && i > 0 && is_blank(s.p[i - 1]))
			return conf_complain(l->c, l->line, "';' after a blank: a comment needs a line of its own, and in a command the blank must go");
	}
	return 0;
}

static int head_line(struct lines *l, struct zs_span s)
{
	const uint8_t *end = memchr(s.p, ']', s.n);
	struct zs_span head;

	l->section = NULL;
	l->skips = 1;
	l->has_key = l->bad_key = 0;
	if (!end)
		return conf_complain(l->c, l->line, "']' is missing");
	if (end != s.p + s.n - 1)
		return conf_complain(l->c, l->line, "something follows the ']'");
	head = zs_span(s.p + 1, s.n - 2);
	if (head.n >= INI_NAME_ROOM)
		return conf_complain(l->c, l->line, "the name of this section is too long");
	l->section = conf_open(l->c, l->line, head);
	l->skips = l->section == NULL;
	return l->section ? 0 : -1;
}

static int key_line(struct lines *l, struct zs_span s)
{
	size_t n = 0;

	l->has_key = l->bad_key = 1;
	if (l->skips)
		return -1;
	if (!l->section)
		return conf_complain(l->c, l->line, "a setting before the first section");
	while (n < s.n && s.p[n] != '=' && s.p[n] != ':')
		n++;
	if (n == s.n)
		return conf_complain(l->c, l->line, "no '=' in this line");
	while (n > 0 && is_blank(s.p[n - 1]))
		n--;
	if (n == 0)
		return conf_complain(l->c, l->line, "nothing before the '='");
	if (n > CONF_KEY_MAX)
		return conf_complain(l->c, l->line, "unknown setting '%.*s...'", (int)CONF_KEY_MAX, (const char *)s.p);
	l->bad_key = 0;
	l->continues = 0;
	return 0;
}

/* Indented settings are one mistake that would otherwise become values of the setting before. */
static int continued_line(struct lines *l, struct zs_span s)
{
	size_t n = 0;

	if (l->skips || l->bad_key)
		return -1;
	if (!l->has_key)
		return conf_complain(l->c, l->line, "an indented line continues a setting, and there is none before; settings begin in the first column");
	while (n < s.n && s.p[n] != '=' && s.p[n] != ':' && !is_blank(s.p[n]))
		n++;
	if (conf_key_find((const char *)s.p, n)) {
		while (n < s.n && is_blank(s.p[n]))
			n++;
		if (n < s.n && (s.p[n] == '=' || s.p[n] == ':'))
			return conf_complain(l->c, l->line, "an indented line continues the one before; settings begin in the first column");
	}
	l->continues = 1;
	return 0;
}

/* 1: inih shall see it; 0: it is nothing, or was wrong. */
static int look_at(struct lines *l, struct zs_span s)
{
	size_t indent = 0;

	while (s.n > 0 && (is_blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\r'))
		s.n--;
	while (indent < s.n && is_blank(s.p[indent]))
		indent++;
	if (indent == s.n || s.p[indent] == '#' || s.p[indent] == ';')
		return 0;
	if (check_bytes(l, s) < 0) {
		l->has_key = l->bad_key = 1;
		l->skips |= s.p[0] == '['; /* whose settings would be those of the section before */
		return 0;
	}
	if (indent > 0)
		return continued_line(l, zs_span(s.p + indent, s.n - indent)) == 0;
	return (s.p[0] == '[' ? head_line(l, s) : key_line(l, s)) == 0;
}

/* The next line of the text that is worth anything; 0 at the end. */
static int next_line(struct lines *l, struct zs_span *out)
{
	while (l->text.n > 0) {
		const uint8_t *end = memchr(l->text.p, '\n', l->text.n);
		size_t n = end ? (size_t)(end - l->text.p) : l->text.n;
		struct zs_span s = zs_span(l->text.p, n);

		finish_setting(l);
		l->text = zs_span(l->text.p + n + (end != NULL), l->text.n - n - (end != NULL));
		l->line++;
		if (!look_at(l, s))
			continue;
		while (s.n > 0 && (is_blank(s.p[s.n - 1]) || s.p[s.n - 1] == '\r'))
			s.n--;
		*out = s;
		return 1;
	}
	finish_setting(l);
	return 0;
}

/*
 * How much of s to hand over now: all, or up to a place where no blank is lost and nothing looks like a comment; what
 * begins with the key has some of the value too.
 */
static size_t piece_of(struct zs_span s, int has_key, size_t room)
{
	size_t least = 0;

	if (s.n <= room)
		return s.n;
	while (has_key && least < s.n && s.p[least] != '=' && s.p[least] != ':')
		least++;
	for (size_t n = room; n > least + 1; n--)
		if (!is_blank(s.p[n - 1]) && !is_blank(s.p[n]) && s.p[n] != ';' && s.p[n] != '#')
			return n;
	return 0;
}

/* inih asks for a line of at most room bytes, as of fgets(3). */
static char *give_line(char *out, int room, void *ctx)
{
	struct lines *l = ctx;
	int is_more = l->rest.n > 0;
	size_t n;

	if (room < 16 || (!is_more && !next_line(l, &l->rest)))
		return NULL;
	n = piece_of(l->rest, !is_more && !l->continues, (size_t)room - 4);
	if (n == 0) {
		(void)conf_complain(l->c, l->line, "this line is too long");
		l->rest.n = 0;
		l->pending = 0;
		l->bad_key = 1;
		(void)strcpy(out, "\n");
		return out;
	}
	/* What is indented continues the line before. */
	(void)snprintf(out, (size_t)room, "%s%.*s\n", is_more ? "\t" : "", (int)n, (const char *)l->rest.p);
	l->rest = zs_span(l->rest.p + n, l->rest.n - n);
	return out;
}

int conf_read(struct conf *c, const char *file, struct zs_span text, struct zs_err *err)
{
	struct lines l = {.c = c, .text = text};
	size_t before = c->error_count;
	int rc;

	if (zs_strings_add(&c->files, zs_span_str(file), err) < 0)
		return -1;
	if (text.n >= 3 && memcmp(text.p, "\xef\xbb\xbf", 3) == 0)
		l.text = zs_span(text.p + 3, text.n - 3);
	rc = ini_parse_stream(give_line, &l, on_setting, &l);
	finish_setting(&l);
	if (rc != 0 && c->error_count == before)
		(void)conf_complain(c, l.line, "cannot be read");
	zs_buf_fini(&l.key);
	zs_buf_fini(&l.value);
	return l.no_memory ? zs_fail_nomem(err) : 0;
}

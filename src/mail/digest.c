/*
 * What browsing needs of a message: a few header fields as text, the names of attachments.
 * Also remembers announced boundaries and whether a part is a message itself, for lines.c.
 */
#include <string.h>

#include "mail_private.h"

#define TEXT_MAX 512		/* of one field */
#define ATTACHMENTS_MAX 1024	/* of all names together */
#define NAMES_MAX 64		/* parts whose name is looked at */

static const struct { const char *name; enum digest_field field; } fields[] = {
	{"from", DIGEST_FROM}, {"to", DIGEST_TO}, {"subject", DIGEST_SUBJECT}, {"date", DIGEST_DATE},
	{"message-id", DIGEST_MESSAGE_ID}, {"content-type", DIGEST_CONTENT_TYPE},
	{"content-disposition", DIGEST_DISPOSITION},
};

void digest_fini(struct digest *d)
{
	zs_buf_fini(&d->raw);
	zs_buf_fini(&d->type_name);
	zs_buf_fini(&d->file_name);
	zs_buf_fini(&d->attachments);
	for (size_t i = 0; i < sizeof d->text / sizeof *d->text; i++)
		zs_buf_fini(&d->text[i]);
}

void digest_begin(struct digest *d)
{
	zs_buf_clear(&d->attachments);
	for (size_t i = 0; i < sizeof d->text / sizeof *d->text; i++)
		zs_buf_clear(&d->text[i]);
	d->date_ns = INT64_MIN;
	d->blocks = d->names = 0;
	d->boundary_next = 0;
	memset(d->boundary_n, 0, sizeof d->boundary_n);
}

void digest_block(struct digest *d)
{
	d->field = DIGEST_NONE;
	d->nested = 0;
	d->blocks += d->blocks < 2;
	zs_buf_clear(&d->raw);
	zs_buf_clear(&d->type_name);
	zs_buf_clear(&d->file_name);
}

/* ---------------------------------------------------------------- boundaries */

void digest_boundary_add(struct digest *d, struct zs_span b)
{
	while (b.n && (b.p[b.n - 1] == ' ' || b.p[b.n - 1] == '\t'))
		b.n--;
	if (!b.n || b.n > DIGEST_BOUNDARY_MAX)
		return;
	memcpy(d->boundary[d->boundary_next], b.p, b.n);
	d->boundary_n[d->boundary_next] = (uint8_t)b.n;
	d->boundary_next = (d->boundary_next + 1) % DIGEST_BOUNDARIES;
}

int digest_boundary_match(const struct digest *d, struct zs_span line)
{
	while (line.n && (line.p[line.n - 1] == ' ' || line.p[line.n - 1] == '\t'))
		line.n--;
	for (unsigned i = 0; i < DIGEST_BOUNDARIES; i++) {
		size_t n = d->boundary_n[i];

		if (!n || line.n < n + 2 || memcmp(line.p + 2, d->boundary[i], n))
			continue;
		if (line.n == n + 2)
			return 1;
		if (line.n == n + 4 && line.p[n + 2] == '-' && line.p[n + 3] == '-')
			return 2;
	}
	return 0;
}

/* -------------------------------------------------------------------- fields */

static int content_type(struct digest *d, struct zs_span raw, struct zs_err *err)
{
	static const char rfc822[] = "message/rfc822", global[] = "message/global";
	struct zs_buf boundary = ZS_BUF_INIT;
	int rc;

	while (raw.n && (raw.p[0] == ' ' || raw.p[0] == '\t' || raw.p[0] == '\r' || raw.p[0] == '\n'))
		raw = zs_span(raw.p + 1, raw.n - 1);
	d->nested = (raw.n >= sizeof rfc822 - 1 && sniff_equal(raw.p, sizeof rfc822 - 1, rfc822)) ||
	    (raw.n >= sizeof global - 1 && sniff_equal(raw.p, sizeof global - 1, global));
	zs_buf_clear(&d->type_name);
	rc = params_find(raw, "boundary", 0, &boundary, err);
	if (rc > 0)
		digest_boundary_add(d, zs_buf_span(&boundary));
	zs_buf_fini(&boundary);
	if (rc < 0)
		return -1;
	return d->names < NAMES_MAX && params_find(raw, "name", 1, &d->type_name, err) < 0 ? -1 : 0;
}

static int field_end(struct digest *d, struct zs_err *err)
{
	enum digest_field field = d->field;
	struct zs_span raw = zs_buf_span(&d->raw);

	d->field = DIGEST_NONE;
	if (field == DIGEST_CONTENT_TYPE)
		return content_type(d, raw, err);
	if (field == DIGEST_DISPOSITION) {
		zs_buf_clear(&d->file_name);
		return d->names < NAMES_MAX && params_find(raw, "filename", 1, &d->file_name, err) < 0 ? -1 : 0;
	}
	if (field == DIGEST_NONE || d->blocks != 1 || d->text[field].n)
		return 0;
	if (field == DIGEST_DATE) {
		if (d->date_ns == INT64_MIN)
			d->date_ns = zs_mail_date(raw);
		return 0;
	}
	if (field == DIGEST_MESSAGE_ID)
		raw = zs_mail_message_id(raw);
	return zs_mail_header_text(raw, TEXT_MAX, &d->text[field], err);
}

static enum digest_field field_of(struct zs_span s, size_t name_n)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (sniff_equal(s.p, name_n, fields[i].name))
			return fields[i].field;
	return DIGEST_NONE;
}

int digest_line(struct digest *d, struct zs_span s, int start, struct zs_err *err)
{
	size_t room, name;

	if (start && s.n && s.p[0] != ' ' && s.p[0] != '\t') {
		if (field_end(d, err) < 0)
			return -1;
		name = sniff_field(s.p, s.n);
		d->field = name ? field_of(s, name) : DIGEST_NONE;
		if (d->field != DIGEST_NONE) {
			while (s.p[name] != ':')
				name++;
			s = zs_span(s.p + name + 1, s.n - name - 1);
		}
		zs_buf_clear(&d->raw);
	}
	if (d->field == DIGEST_NONE)
		return 0;
	room = DIGEST_FIELD_MAX - d->raw.n;
	return zs_buf_add(&d->raw, s.p, s.n < room ? s.n : room, err);
}

int digest_block_end(struct digest *d, struct zs_err *err)
{
	struct zs_buf *name = &d->file_name;
	size_t from = d->attachments.n;

	if (field_end(d, err) < 0)
		return -1;
	if (!name->n)
		name = &d->type_name;
	if (!name->n)
		return 0;
	d->names++;
	if (from + 1 + name->n > ATTACHMENTS_MAX)
		return 0;
	if (from && zs_buf_add_u8(&d->attachments, 0, err) < 0)
		return -1;
	return zs_buf_add_span(&d->attachments, zs_buf_span(name), err);
}

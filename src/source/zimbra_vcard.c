/*
 * Contacts as vCard 4.0 (RFC 6350).  A table says which property an attribute becomes; what has a form of its own (names,
 * addresses, members of a list) comes before it, and what is in neither becomes X-ZIMBRA-<NAME>, so nothing is left out.
 */
#include "zimbra_mime_private.h"
#include "zimbra_private.h"

#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES 75
#define ADDRESSES_MAX 20 /* numbered ones of a kind */

struct card {
	const struct zimbra_meta_value *fields;
	int is_bare; /* the attributes stand among the item's own keys */
	int is_group;
	struct zs_buf line; /* before it is folded */
	struct zs_buf *out;
};

/* ------------------------------------------------------------------------ lines */

enum escape { AS_TEXT, AS_URI, AS_PARAMETER /* between quotes, RFC 6868 */ };

/* One character at *at; *at moves on.  Control characters are left out, but a line break is one of the text. */
static int add_char(struct card *c, struct zs_span text, size_t *at, enum escape how, struct zs_err *err)
{
	const uint8_t *p = text.p + *at;
	size_t n = zs_utf8_length(p, text.n - *at);

	*at += n ? n : 1;
	if (n == 0)
		return zs_buf_add(&c->line, "\xef\xbf\xbd", 3, err);
	if (how == AS_TEXT && (*p == '\n' || (*p == '\r' && (*at == text.n || text.p[*at] != '\n'))))
		return zs_buf_add(&c->line, "\\n", 2, err);
	if (how == AS_URI && *p == ' ')
		return zs_buf_add(&c->line, "%20", 3, err);
	if (how == AS_PARAMETER && (*p == '\n' || *p == '^' || *p == '"'))
		return zs_buf_add(&c->line, *p == '\n' ? "^n" : *p == '^' ? "^^" : "^'", 2, err);
	if (how != AS_URI && *p == '\t')
		return zs_buf_add_u8(&c->line, ' ', err);
	if (*p < 0x20 || *p == 0x7f || (*p == 0xc2 && p[1] < 0xa0))
		return 0;
	if (how == AS_TEXT && (*p == '\\' || *p == ',' || *p == ';') && zs_buf_add_u8(&c->line, '\\', err) < 0)
		return -1;
	return zs_buf_add(&c->line, p, n, err);
}

static int add_value(struct card *c, struct zs_span text, enum escape how, struct zs_err *err)
{
	for (size_t at = 0; at < text.n;)
		if (add_char(c, text, &at, how, err) < 0)
			return -1;
	return 0;
}

static int begin_line(struct card *c, const char *property, struct zs_err *err)
{
	zs_buf_clear(&c->line);
	return zs_buf_add(&c->line, property, strlen(property), err);
}

/* Folded: no line is longer than 75 bytes, and no character is cut. */
static int end_line(struct card *c, struct zs_err *err)
{
	size_t room = LINE_MAX_BYTES;

	if (zs_buf_reserve(c->out, c->line.n + c->line.n / (LINE_MAX_BYTES - 4) * 3 + 2, err) < 0)
		return -1;
	for (size_t at = 0, n; at < c->line.n; at += n) {
		n = zs_utf8_length(c->line.p + at, c->line.n - at);
		if (n > room) {
			if (zs_buf_add(c->out, "\r\n ", 3, err) < 0)
				return -1;
			room = LINE_MAX_BYTES - 1;
		}
		if (zs_buf_add(c->out, c->line.p + at, n, err) < 0)
			return -1;
		room -= n;
	}
	return zs_buf_add(c->out, "\r\n", 2, err);
}

static int write_line(struct card *c, const char *property, struct zs_span value, enum escape how, struct zs_err *err)
{
	if (begin_line(c, property, err) < 0 || zs_buf_add_u8(&c->line, ':', err) < 0 || add_value(c, value, how, err) < 0)
		return -1;
	return end_line(c, err);
}

/* ----------------------------------------------------------------------- fields */

static int is_word(struct zs_span s, const char *word)
{
	return zs_span_eq(s, zs_span_str(word));
}

/* Nothing but blanks and control characters. */
static int is_empty(struct zs_span s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == 0xc2 && i + 1 < s.n && s.p[i + 1] >= 0x80 && s.p[i + 1] < 0xa0)
			i++;
		else if (s.p[i] > ' ' && s.p[i] != 0x7f)
			return 0;
	return 1;
}

static struct zs_span field(const struct card *c, const char *name)
{
	const struct zimbra_meta_value *v = zimbra_metadata_get(c->fields, name);

	return v ? zimbra_metadata_text(v) : zs_span(NULL, 0);
}

/* Each that has a value. */
static int next_field(const struct card *c, size_t *at, struct zs_span *out_name, struct zs_span *out_value)
{
	const struct zimbra_meta_value *v;

	while (zimbra_metadata_next(c->fields, at, out_name, &v)) {
		*out_value = zimbra_metadata_text(v);
		if (!is_empty(*out_value))
			return 1;
	}
	return 0;
}

/* "email2" is "email": up to two digits. */
static struct zs_span base_name(struct zs_span name)
{
	for (int i = 0; i < 2 && name.n > 1 && name.p[name.n - 1] >= '0' && name.p[name.n - 1] <= '9'; i++)
		name.n--;
	return name;
}

/* ------------------------------------------------------------------------ names */

/* What the number in `fileAs` says; or the text behind "8:". */
static struct zs_span file_as(const struct card *c)
{
	struct zs_span v = field(c, "fileAs");

	if (v.n > 2 && v.p[0] == '8' && v.p[1] == ':')
		return zs_span(v.p + 2, v.n - 2);
	return v.n == 1 && (v.p[0] == '3' || v.p[0] == '6' || v.p[0] == '7') ? field(c, "company") : zs_span(NULL, 0);
}

static int add_first_last(struct card *c, struct zs_err *err)
{
	static const char *const names[] = {"firstName", "middleName", "lastName"};
	size_t before = c->line.n;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct zs_span v = field(c, names[i]);

		if (is_empty(v))
			continue;
		if (c->line.n > before && zs_buf_add_u8(&c->line, ' ', err) < 0)
			return -1;
		if (add_value(c, v, AS_TEXT, err) < 0)
			return -1;
	}
	return c->line.n > before;
}

static struct zs_span any_email(const struct card *c)
{
	static const char *const names[] = {"email", "workEmail", "homeEmail"};
	struct zs_span name, v;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		for (size_t at = 0; next_field(c, &at, &name, &v);)
			if (is_word(base_name(name), names[i]))
				return v;
	return zs_span(NULL, 0);
}

/* A card must have one. */
static int write_fn(struct card *c, struct zs_err *err)
{
	struct zs_span first[] = {field(c, "fullName"), file_as(c)};
	struct zs_span last[] = {field(c, "company"), any_email(c), field(c, "nickname"), zs_span_str("Contact")};
	size_t i;
	int rc;

	for (i = 0; i < 2; i++)
		if (!is_empty(first[i]))
			return write_line(c, "FN", first[i], AS_TEXT, err);
	if (begin_line(c, "FN:", err) < 0 || (rc = add_first_last(c, err)) < 0)
		return -1;
	if (rc > 0)
		return end_line(c, err);
	for (i = 0; is_empty(last[i]);)
		i++;
	return write_line(c, "FN", last[i], AS_TEXT, err);
}

/* Components with ';' between them, if one has a value; suffix: the number behind each name. */
static int write_parts(struct card *c, const char *property, const char *const *names, const char *suffix, struct zs_err *err)
{
	int any = 0;

	if (begin_line(c, property, err) < 0)
		return -1;
	for (size_t i = 0; names[i]; i++) {
		char name[64];
		struct zs_span v;

		(void)snprintf(name, sizeof name, "%s%s", names[i], suffix);
		v = field(c, name);
		if ((i > 0 && zs_buf_add_u8(&c->line, ';', err) < 0) || add_value(c, v, AS_TEXT, err) < 0)
			return -1;
		any |= !is_empty(v);
	}
	return any ? end_line(c, err) : 0;
}

static const char *const name_parts[] = {"lastName", "firstName", "middleName", "namePrefix", "nameSuffix", NULL};
static const char *const org_parts[] = {"company", "department", NULL};

/* -------------------------------------------------------------------- addresses */

struct address_kind { const char *property; const char *parts[6]; };
#define ADDRESS_KINDS 3
static const struct address_kind address_kinds[ADDRESS_KINDS] = {
	{"ADR;TYPE=home:;;", {"homeStreet", "homeCity", "homeState", "homePostalCode", "homeCountry", NULL}},
	{"ADR;TYPE=work:;;", {"workStreet", "workCity", "workState", "workPostalCode", "workCountry", NULL}},
	{"ADR:;;", {"otherStreet", "otherCity", "otherState", "otherPostalCode", "otherCountry", NULL}},
};

static int is_part(const char *const *parts, struct zs_span name)
{
	for (; *parts; parts++)
		if (is_word(name, *parts))
			return 1;
	return 0;
}

/* Is it of one?  Its kind and number; 0: it has none. */
static int is_of_address(struct zs_span name, size_t *out_kind, unsigned *out_number)
{
	struct zs_span base = base_name(name);

	*out_number = 0;
	for (size_t i = base.n; i < name.n; i++)
		*out_number = 10 * *out_number + (unsigned)(name.p[i] - '0');
	if (*out_number > ADDRESSES_MAX || (base.n < name.n && name.p[base.n] == '0'))
		return 0;
	for (*out_kind = 0; *out_kind < ADDRESS_KINDS; ++*out_kind)
		if (is_part(address_kinds[*out_kind].parts, base))
			return 1;
	return 0;
}

static int write_addresses(struct card *c, struct zs_err *err)
{
	uint32_t found[ADDRESS_KINDS] = {0}; /* a bit for each number */
	struct zs_span name, value;
	size_t kind;
	unsigned number;

	for (size_t at = 0; next_field(c, &at, &name, &value);)
		if (is_of_address(name, &kind, &number))
			found[kind] |= UINT32_C(1) << number;
	for (kind = 0; kind < ADDRESS_KINDS; kind++)
		for (number = 0; number <= ADDRESSES_MAX; number++) {
			const struct address_kind *a = &address_kinds[kind];
			char suffix[12] = "";

			if (!(found[kind] >> number & 1))
				continue;
			if (number > 0)
				(void)snprintf(suffix, sizeof suffix, "%u", number);
			if (write_parts(c, a->property, a->parts, suffix, err) < 0)
				return -1;
		}
	return 0;
}

/* ---------------------------------------------------------------------- members */

static int is_mail_char(uint8_t ch)
{
	return (ch >= '0' && ch <= '9') || (ch >= 'A' && ch <= 'Z') || (ch >= 'a' && ch <= 'z') ||
	       (ch && strchr("@.-_+~!$'*", ch) != NULL);
}

/* "Name <address>" or the address alone; what is none is left out (it is in the attribute that is written, too). */
static int write_member(struct card *c, struct zs_span s, struct zs_err *err)
{
	const uint8_t *open = s.n ? memrchr(s.p, '<', s.n) : NULL;
	const uint8_t *close = open ? memchr(open, '>', s.n - (size_t)(open - s.p)) : NULL;

	if (close)
		s = zs_span(open + 1, (size_t)(close - open) - 1);
	while (s.n && (s.p[0] <= ' '))
		s = zs_span(s.p + 1, s.n - 1);
	while (s.n && s.p[s.n - 1] <= ' ')
		s.n--;
	if (s.n < 3 || !memchr(s.p, '@', s.n))
		return 0;
	if (begin_line(c, "MEMBER:mailto:", err) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (zs_buf_printf(&c->line, err, is_mail_char(s.p[i]) ? "%c" : "%%%02X", s.p[i]) < 0)
			return -1;
	return end_line(c, err);
}

/* Addresses with ',' or ';' between them, outside of quotes. */
static int write_list(struct card *c, struct zs_span list, struct zs_err *err)
{
	size_t from = 0;
	int quoted = 0;

	for (size_t at = 0; list.n && at <= list.n; at++) {
		if (at < list.n && list.p[at] == '"')
			quoted = !quoted;
		if (at < list.n && (quoted || (list.p[at] != ',' && list.p[at] != ';')))
			continue;
		if (write_member(c, zs_span(list.p + from, at - from), err) < 0)
			return -1;
		from = at + 1;
	}
	return 0;
}

/* The newer form: metadata in a field, {m: [{t: type, v: value}]}; type I is an address that stands for itself. */
static int write_group_members(struct card *c, struct zs_span encoded, struct zs_err *err)
{
	struct zimbra_meta *m = NULL;
	const struct zimbra_meta_value *list, *member;
	struct zs_span key;
	int rc = zimbra_metadata_parse(encoded, &m, err);

	if (rc < 0 && err->cause == ZS_NOMEM)
		return -1;
	if (rc < 0) {
		zs_err_clear(err);
		return 0;
	}
	list = zimbra_metadata_get(zimbra_metadata_top(m), "m");
	for (size_t at = 0; rc == 0 && list && zimbra_metadata_next(list, &at, &key, &member);) {
		const struct zimbra_meta_value *type = zimbra_metadata_get(member, "t");
		const struct zimbra_meta_value *v = zimbra_metadata_get(member, "v");

		if (type && v && is_word(zimbra_metadata_text(type), "I"))
			rc = write_member(c, zimbra_metadata_text(v), err);
	}
	zimbra_metadata_free(m);
	return rc;
}

/* ------------------------------------------------------------------- properties */

enum kind { TEXT, LINK, URI, DATE, CERTIFICATE };
struct row { const char *name, *property; enum kind kind; };
static const struct row rows[] = { /* in the order of the card; a name stands for its numbered ones, too */
	{"nickname", "NICKNAME", TEXT},
	{"jobTitle", "TITLE", TEXT},
	{"email", "EMAIL", TEXT},
	{"workEmail", "EMAIL;TYPE=work", TEXT},
	{"homeEmail", "EMAIL;TYPE=home", TEXT},
	{"homePhone", "TEL;TYPE=home,voice", TEXT},
	{"workPhone", "TEL;TYPE=work,voice", TEXT},
	{"workAltPhone", "TEL;TYPE=work,voice", TEXT},
	{"mobilePhone", "TEL;TYPE=cell,voice", TEXT},
	{"workMobile", "TEL;TYPE=work,cell,voice", TEXT},
	{"pager", "TEL;TYPE=pager", TEXT},
	{"homeFax", "TEL;TYPE=home,fax", TEXT},
	{"workFax", "TEL;TYPE=work,fax", TEXT},
	{"otherFax", "TEL;TYPE=fax", TEXT},
	{"otherPhone", "TEL;TYPE=voice", TEXT},
	{"carPhone", "TEL;TYPE=voice,x-car", TEXT},
	{"companyPhone", "TEL;TYPE=work,voice,x-company", TEXT},
	{"callbackPhone", "TEL;TYPE=voice,x-callback", TEXT},
	{"assistantPhone", "TEL;TYPE=voice,x-assistant", TEXT},
	{"homeURL", "URL;TYPE=home", LINK},
	{"workURL", "URL;TYPE=work", LINK},
	{"otherURL", "URL", LINK},
	{"birthday", "BDAY", DATE},
	{"anniversary", "ANNIVERSARY", DATE},
	{"imAddress", "IMPP", URI},
	{"image", "PHOTO", URI},
	{"notes", "NOTE", TEXT},
	{"userCertificate", "KEY", CERTIFICATE},
	{"userSMIMECertificate", "KEY", CERTIFICATE},
};

/* X-ZIMBRA-<NAME>; a name that does not fit is told as a parameter. */
static int write_other(struct card *c, struct zs_span name, struct zs_span value, struct zs_err *err)
{
	int fits = name.n > 0;

	if (begin_line(c, "X-ZIMBRA-", err) < 0)
		return -1;
	for (size_t i = 0; i < name.n; i++) {
		uint8_t ch = name.p[i];
		int letter = (ch | 0x20) >= 'a' && (ch | 0x20) <= 'z';
		int good = letter || (ch >= '0' && ch <= '9') || ch == '-';

		fits &= good;
		if (zs_buf_add_u8(&c->line, (uint8_t)(letter ? ch & ~0x20 : good ? ch : '-'), err) < 0)
			return -1;
	}
	if (!fits) {
		if (zs_buf_printf(&c->line, err, "%s;X-NAME=\"", name.n ? "" : "FIELD") < 0)
			return -1;
		if (add_value(c, name, AS_PARAMETER, err) < 0 || zs_buf_add_u8(&c->line, '"', err) < 0)
			return -1;
	}
	if (zs_buf_add_u8(&c->line, ':', err) < 0 || add_value(c, value, AS_TEXT, err) < 0)
		return -1;
	return end_line(c, err);
}

/* "scheme:" and something behind it, without blanks. */
static int is_uri(struct zs_span v)
{
	size_t i = 0;

	while (i < v.n && (((v.p[i] | 0x20) >= 'a' && (v.p[i] | 0x20) <= 'z') ||
			      (i > 0 && ((v.p[i] >= '0' && v.p[i] <= '9') || (v.p[i] && strchr("+-.", v.p[i]))))))
		i++;
	if (i < 2 || i + 1 >= v.n || v.p[i] != ':')
		return 0;
	for (; i < v.n; i++)
		if (v.p[i] <= ' ')
			return 0;
	return 1;
}

/* 1985-04-12 or --04-12, with or without '-' between, as RFC 6350 has it; 0: it is neither. */
static int to_date(struct zs_span v, char out[static 9])
{
	size_t n = 0, at = 0;

	if (v.n >= 2 && v.p[0] == '-' && v.p[1] == '-')
		for (; at < 2; at++)
			out[n++] = '-';
	for (; at < v.n; at++) {
		if (v.p[at] == '-' && (at == 4 || at == 7))
			continue;
		if (v.p[at] < '0' || v.p[at] > '9' || n == 8)
			return 0;
		out[n++] = (char)v.p[at];
	}
	out[n] = 0;
	if (n != (out[0] == '-' ? 6 : 8))
		return 0;
	at = (size_t)(10 * (out[n - 4] - '0') + out[n - 3] - '0'); /* the month */
	n = (size_t)(10 * (out[n - 2] - '0') + out[n - 1] - '0');
	return at >= 1 && at <= 12 && n >= 1 && n <= 31;
}

static int write_certificate(struct card *c, struct zs_span name, struct zs_span value, struct zs_err *err)
{
	for (size_t i = 0; i < value.n; i++) {
		uint8_t ch = value.p[i];

		if (((ch | 0x20) < 'a' || (ch | 0x20) > 'z') && (ch < '0' || ch > '9') &&
		    (ch == 0 || !strchr("+/= \t\r\n", ch)))
			return write_other(c, name, value, err);
	}
	if (begin_line(c, "KEY:data:application/pkix-cert;base64,", err) < 0)
		return -1;
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] > ' ' && zs_buf_add_u8(&c->line, value.p[i], err) < 0)
			return -1;
	return end_line(c, err);
}

static int write_row(struct card *c, const struct row *r, struct zs_span name, struct zs_span value, struct zs_err *err)
{
	char property[32], date[9];

	switch (r->kind) {
	case LINK: /* www.example.com will do */
		return write_line(c, r->property, value, AS_URI, err);
	case URI:
		return is_uri(value) ? write_line(c, r->property, value, AS_URI, err) : write_other(c, name, value, err);
	case DATE:
		if (!is_word(name, r->name)) /* a card has one */
			return write_other(c, name, value, err);
		if (to_date(value, date))
			return write_line(c, r->property, zs_span_str(date), AS_TEXT, err);
		(void)snprintf(property, sizeof property, "%s;VALUE=text", r->property);
		return write_line(c, property, value, AS_TEXT, err);
	case CERTIFICATE:
		return write_certificate(c, name, value, err);
	case TEXT:
		break;
	}
	return write_line(c, is_word(name, "email") ? "EMAIL;PREF=1" : r->property, value, AS_TEXT, err);
}

static int write_rows(struct card *c, struct zs_err *err)
{
	struct zs_span name, value;

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t at = 0; next_field(c, &at, &name, &value);)
			if (is_word(base_name(name), rows[i].name) && write_row(c, &rows[i], name, value, err) < 0)
				return -1;
	return 0;
}

/* ------------------------------------------------------------------------- card */

/* Has it been written already, or is it no attribute of the contact? */
static int is_done(const struct card *c, struct zs_span name)
{
	static const char *const item_keys[] = {"v", "c", "mdver", "ver", "acl", "aclm", "att", "fld", "xd", "p3uid", "f", NULL};

	size_t kind;
	unsigned number;

	if (c->is_bare && is_part(item_keys, name))
		return 1;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (is_word(base_name(name), rows[i].name))
			return 1;
	if (is_part(name_parts, name) || is_part(org_parts, name) || is_word(name, "fullName"))
		return 1;
	if (is_of_address(name, &kind, &number))
		return 1;
	return is_word(name, "type") && c->is_group;
}

static int write_others(struct card *c, struct zs_err *err)
{
	struct zs_span name, value;

	for (size_t at = 0; next_field(c, &at, &name, &value);)
		if (!is_done(c, name) && write_other(c, name, value, err) < 0)
			return -1;
	return 0;
}

static int is_uuid(struct zs_span s)
{
	for (size_t i = 0; s.n == 36 && i < 36; i++)
		if (i == 8 || i == 13 || i == 18 || i == 23 ? s.p[i] != '-' : !strchr("0123456789abcdefABCDEF", s.p[i]) || !s.p[i])
			return 0;
	return s.n == 36;
}

static int write_card(struct card *c, struct zs_span uid, struct zs_err *err)
{
	static const char begin[] = "BEGIN:VCARD\r\nVERSION:4.0\r\n", end[] = "END:VCARD\r\n";

	if (zs_buf_add(c->out, begin, sizeof begin - 1, err) < 0)
		return -1;
	if (!is_empty(uid) && write_line(c, is_uuid(uid) ? "UID:urn:uuid" : "UID;VALUE=text", uid, AS_TEXT, err) < 0)
		return -1;
	if (c->is_group && write_line(c, "KIND", zs_span_str("group"), AS_TEXT, err) < 0)
		return -1;
	if (write_fn(c, err) < 0 || write_parts(c, "N:", name_parts, "", err) < 0)
		return -1;
	if (write_parts(c, "ORG:", org_parts, "", err) < 0 || write_rows(c, err) < 0 || write_addresses(c, err) < 0)
		return -1;
	if (c->is_group && write_list(c, field(c, "dlist"), err) < 0)
		return -1;
	if (c->is_group && write_group_members(c, field(c, "groupMember"), err) < 0)
		return -1;
	if (write_others(c, err) < 0)
		return -1;
	return zs_buf_add(c->out, end, sizeof end - 1, err);
}

int zimbra_vcard_write(const struct zimbra_meta_value *top, struct zs_span uid, struct zs_buf *out, struct zs_err *err)
{
	struct card c = {.fields = zimbra_metadata_get(top, "fld"), .line = ZS_BUF_INIT, .out = out};
	size_t before = out->n;
	int rc;

	if (!c.fields || zimbra_metadata_type(c.fields) != ZIMBRA_META_DICT) {
		c.fields = top;
		c.is_bare = 1;
	}
	c.is_group = is_word(field(&c, "type"), "group");
	if ((rc = write_card(&c, uid, err)) < 0)
		out->n = before;
	zs_buf_fini(&c.line);
	return rc;
}

/*
 * An entry as LDIF (RFC 2849), unfolded: every attribute but those that the server only computes.  What changes by itself at
 * every login goes to a second text, so that the first stays the same bytes.
 */
#include "ldap_private.h"

#include <string.h>
#include <strings.h>

int ldap_ldif_is_safe(struct zs_span v)
{
	if (v.n == 0)
		return 1;
	if (v.p[0] == ' ' || v.p[0] == ':' || v.p[0] == '<' || v.p[v.n - 1] == ' ')
		return 0;
	for (size_t i = 0; i < v.n; i++)
		if (v.p[i] < 0x20 || v.p[i] > 0x7e)
			return 0;
	return 1;
}

static size_t base64(uint8_t *out, const uint8_t *p, size_t n)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint8_t *begin = out;

	for (; n >= 3; p += 3, n -= 3) {
		*out++ = (uint8_t)digits[p[0] >> 2];
		*out++ = (uint8_t)digits[(p[0] & 3) << 4 | p[1] >> 4];
		*out++ = (uint8_t)digits[(p[1] & 15) << 2 | p[2] >> 6];
		*out++ = (uint8_t)digits[p[2] & 63];
	}
	if (n) {
		*out++ = (uint8_t)digits[p[0] >> 2];
		*out++ = (uint8_t)digits[(p[0] & 3) << 4 | (n > 1 ? p[1] >> 4 : 0)];
		*out++ = n > 1 ? (uint8_t)digits[(p[1] & 15) << 2] : '=';
		*out++ = '=';
	}
	return (size_t)(out - begin);
}

int ldap_ldif_line(struct zs_buf *out, struct zs_span name, struct zs_span v, struct zs_err *err)
{
	uint8_t *p;

	if (zs_buf_reserve(out, name.n + v.n / 3 * 4 + 16, err) < 0)
		return -1;
	p = out->p + out->n;
	memcpy(p, name.p, name.n);
	p += name.n;
	*p++ = ':';
	if (!ldap_ldif_is_safe(v)) {
		*p++ = ':';
		*p++ = ' ';
		p += base64(p, v.p, v.n);
	} else if (v.n) {
		*p++ = ' ';
		memcpy(p, v.p, v.n);
		p += v.n;
	}
	*p++ = '\n';
	out->n = (size_t)(p - out->p);
	return 0;
}

/* --------------------------------------------------------------------- attributes */

/* Without options (";binary"), letters' case does not count. */
static int is_name(struct zs_span name, const char *want)
{
	size_t n;

	if (name.n == 0 || ((name.p[0] ^ (uint8_t)want[0]) & ~0x20)) /* most names differ in their first letter */
		return 0;
	n = strlen(want);
	return name.n >= n && strncasecmp((const char *)name.p, want, n) == 0 && (name.n == n || name.p[n] == ';');
}

static int is_one_of(struct zs_span name, const char *const list[])
{
	for (; *list; list++)
		if (is_name(name, *list))
			return 1;
	return 0;
}

static const char *const computed[] = {"entryDN", "hasSubordinates", "numSubordinates", "numAllSubordinates", "subschemaSubentry",
    "auditContext", "contextCSN", NULL};
static const char *const moving[] = {"entryCSN", "modifyTimestamp", "modifiersName", NULL}; /* with every change */

static int is_ephemeral(const struct ldap_text_rules *r, struct zs_span name)
{
	for (size_t i = 0; i < r->ephemeral->n; i++)
		if (is_name(name, r->ephemeral->v[i]))
			return 1;
	return 0;
}

/* Letters, digits, "-", "."; options behind ";".  Anything else is no name, and could be taken for lines of its own. */
static int is_description(const BerValue *name)
{
	for (ber_len_t i = 0; i < name->bv_len; i++) {
		uint8_t c = (uint8_t)name->bv_val[i];

		if (!(c >= '0' && c <= '9') && !((c | 0x20) >= 'a' && (c | 0x20) <= 'z') && !strchr("-.;_", c))
			return 0;
	}
	return name->bv_len > 0;
}

struct attribute { BerValue name; BerVarray values; };
#define ATTRIBUTES_MAX 2000

struct attributes { struct attribute v[ATTRIBUTES_MAX]; size_t n; };

static int add_values(struct zs_buf *out, const struct attribute *a, struct zs_err *err)
{
	for (BerVarray v = a->values; v && v->bv_val; v++)
		if (ldap_ldif_line(out, zs_span(a->name.bv_val, a->name.bv_len), zs_span(v->bv_val, v->bv_len), err) < 0)
			return -1;
	return 0;
}

static int keep(struct zs_buf *out, const struct attribute *a, struct zs_err *err)
{
	zs_buf_clear(out);
	return a->values && a->values->bv_val ? zs_buf_add(out, a->values->bv_val, a->values->bv_len, err) : 0;
}

static int look_at(struct ldap_text *t, const struct attribute *a, struct zs_err *err)
{
	struct zs_span name = zs_span(a->name.bv_val, a->name.bv_len);

	if (is_name(name, "entryUUID"))
		return keep(&t->uuid, a, err);
	if (is_name(name, "entryCSN") || (is_name(name, "modifyTimestamp") && t->csn.n == 0))
		return keep(&t->csn, a, err);
	if (is_name(name, "hasSubordinates"))
		t->has_children = a->values && a->values->bv_val && strcasecmp(a->values->bv_val, "TRUE") == 0;
	t->is_group |= is_name(name, "member") || is_name(name, "uniqueMember");
	return 0;
}

static int write_text(const struct attributes *l, const struct ldap_text_rules *r, struct ldap_text *t, struct zs_err *err)
{
	int has_ephemeral = 0;

	for (size_t i = 0; i < l->n; i++)
		has_ephemeral |= is_ephemeral(r, zs_span(l->v[i].name.bv_val, l->v[i].name.bv_len));
	if (has_ephemeral && zs_buf_add_span(&t->side, zs_buf_span(&t->main), err) < 0)
		return -1;
	for (size_t i = 0; i < l->n; i++) {
		struct zs_span name = zs_span(l->v[i].name.bv_val, l->v[i].name.bv_len);
		int is_side = has_ephemeral && (is_one_of(name, moving) || is_ephemeral(r, name));

		if (look_at(t, &l->v[i], err) < 0)
			return -1;
		if (is_one_of(name, computed) || (r->is_schema && name.n > 3 && strncasecmp((const char *)name.p, "olc", 3) == 0))
			continue;
		if (add_values(is_side ? &t->side : &t->main, &l->v[i], err) < 0)
			return -1;
	}
	return 0;
}

static void clear(struct ldap_text *t)
{
	zs_buf_clear(&t->dn);
	zs_buf_clear(&t->main);
	zs_buf_clear(&t->side);
	zs_buf_clear(&t->csn);
	zs_buf_clear(&t->uuid);
	t->is_group = t->has_children = 0;
}

void ldap_text_fini(struct ldap_text *t)
{
	zs_buf_fini(&t->dn);
	zs_buf_fini(&t->main);
	zs_buf_fini(&t->side);
	zs_buf_fini(&t->csn);
	zs_buf_fini(&t->uuid);
}

int ldap_text_read(LDAP *ld, LDAPMessage *e, const struct ldap_text_rules *r, struct ldap_text *t, struct zs_err *err)
{
	struct attributes l;
	BerElement *ber = NULL;
	BerValue dn;
	int rc;

	l.n = 0;
	clear(t);
	rc = ldap_get_dn_ber(ld, e, &ber, &dn);
	if (rc != LDAP_SUCCESS)
		return zs_fail(err, ZS_SOURCE, "an entry that cannot be read: %s", ldap_err2string(rc));
	if (zs_buf_add(&t->dn, dn.bv_val, dn.bv_len, err) < 0 || ldap_ldif_line(&t->main, zs_span_str("dn"), zs_span(dn.bv_val, dn.bv_len), err) < 0) {
		ber_free(ber, 0);
		return -1;
	}
	for (;;) {
		struct attribute *a = &l.v[l.n];

		rc = ldap_get_attribute_ber(ld, e, ber, &a->name, &a->values);
		if (rc != LDAP_SUCCESS || !a->name.bv_val)
			break;
		if (++l.n == ATTRIBUTES_MAX || !is_description(&a->name)) {
			rc = LDAP_OTHER;
			break;
		}
	}
	if (rc == LDAP_SUCCESS)
		rc = write_text(&l, r, t, err);
	else
		rc = zs_fail(err, ZS_SOURCE, "entry %.*s cannot be read: %s", (int)(t->dn.n < 200 ? t->dn.n : 200), (const char *)t->dn.p,
		    rc != LDAP_OTHER ? ldap_err2string(rc) : l.n == ATTRIBUTES_MAX ? "it has more than 2000 attributes" : "the name of an attribute is none");
	for (size_t i = 0; i < l.n; i++)
		ldap_memfree(l.v[i].values);
	ber_free(ber, 0);
	return rc;
}

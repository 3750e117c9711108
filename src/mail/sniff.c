/*
 * Tells by its first bytes whether a stream is a message, an mbox, or neither, and
 * recognises header fields and From_ lines.  Looks at form only, never at file names.
 */
#include <string.h>

#include "mail_private.h"

#define FIELD_NAME_MAX 76
#define FIELDS_WANTED 2

/* Lower case.  Fields that mail has and that other "key: value" files hardly have in pairs. */
static const char *const known[] = {
	"arc-authentication-results", "arc-message-signature", "arc-seal", "authentication-results", "bcc", "cc",
	"content-disposition", "content-transfer-encoding", "content-type", "date", "delivered-to", "dkim-signature",
	"domainkey-signature", "envelope-to", "errors-to", "from", "in-reply-to", "list-id", "list-post",
	"list-unsubscribe", "mailing-list", "message-id", "mime-version", "organization", "precedence", "received",
	"received-spf", "references", "reply-to", "resent-date", "resent-from", "resent-message-id", "resent-to",
	"return-path", "sender", "status", "subject", "to", "user-agent", "x-mailer", "x-original-to",
	"x-spam-status", "x-status", "x-uid", "x-virus-scanned",
};

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

int sniff_equal(const uint8_t *p, size_t n, const char *text)
{
	size_t i = 0;

	while (i < n && text[i] && lower(p[i]) == (uint8_t)text[i])
		i++;
	return i == n && !text[i];
}

size_t sniff_field(const uint8_t *p, size_t n)
{
	size_t i = 0, name;

	while (i < n && i <= FIELD_NAME_MAX && p[i] > 32 && p[i] < 127 && p[i] != ':')
		i++;
	name = i;
	while (i < n && (p[i] == ' ' || p[i] == '\t'))
		i++;
	return name && name <= FIELD_NAME_MAX && i < n && p[i] == ':' ? name : 0;
}

int sniff_known(const uint8_t *p, size_t name_n)
{
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (lower(p[0]) == (uint8_t)known[i][0] && sniff_equal(p, name_n, known[i]))
			return 1;
	return 0;
}

/* "From ", something, and somewhere a time of day and a year. */
int sniff_from_line(struct zs_span line)
{
	int clock = 0;

	if (line.n < 5 || memcmp(line.p, "From ", 5))
		return 0;
	for (size_t i = 5; i + 3 < line.n; i++) {
		const uint8_t *p = line.p + i;
		int digits = p[0] >= '0' && p[0] <= '9' && p[1] >= '0' && p[1] <= '9';

		if (p[-1] >= '0' && p[-1] <= '9' && digits == 0 && p[0] == ':' && p[1] >= '0' && p[1] <= '9')
			clock = 1;
		if (clock && digits && p[2] >= '0' && p[2] <= '9' && p[3] >= '0' && p[3] <= '9')
			return 1;
	}
	return 0;
}

enum sniff sniff_content(struct zs_span s)
{
	enum sniff kind = SNIFF_MESSAGE;
	unsigned found = 0, wanted = FIELDS_WANTED;
	int first = 1;

	while (s.n) {
		const uint8_t *nl = memchr(s.p, '\n', s.n);
		size_t n = nl ? (size_t)(nl - s.p) + 1 : s.n, name = sniff_field(s.p, n);

		if (first && sniff_from_line(zs_span(s.p, n))) {
			kind = SNIFF_MBOX;
			wanted = 1;
		} else if (name) {
			found += (unsigned)sniff_known(s.p, name);
		} else if (first || (s.p[0] != ' ' && s.p[0] != '\t')) {
			return SNIFF_PLAIN;
		}
		if (found >= wanted)
			return kind;
		first = 0;
		s.p += n;
		s.n -= n;
	}
	return SNIFF_PLAIN;
}

/*
 * The machine that reads a message line by line and says what each line is: header, delimiter, base64, or text.
 * Never keeps more than it is given: what cannot be judged yet stays with the caller.
 */
#include <string.h>

#include "mail_private.h"

#define HEADER_MAX_BYTES (256u << 10)	/* a header that goes on and on is text */
#define MBOX_SECTION_MIN 2048 /* a message with less of a skeleton shares it with the next one */
#define MBOX_SHARED_MIN 1024  /* or does not, if the From_ line says so: a removed one moves few others */
#define CONTENT_FIELD "content-"

struct line {
	struct zs_span s;	/* line end included */
	size_t text_n;		/* without it */
	int whole;		/* ends here */
};

int lines_init(struct lines *l, struct zs_err *err)
{
	memset(l, 0, sizeof *l);
	return run_init(&l->run, err);
}

void lines_fini(struct lines *l)
{
	run_fini(&l->run);
	digest_fini(&l->digest);
}

static void header_begin(struct lines *l)
{
	l->state = LINES_HEADER;
	l->header_bytes = 0;
	digest_block(&l->digest);
}

void lines_begin(struct lines *l, const struct zs_split_params *params, struct section *sec, struct cut *cut, int mbox)
{
	l->params = params;
	l->sec = sec;
	l->cut = cut;
	l->in_line = l->part_start = 0;
	l->after_blank = 1;
	l->mbox = mbox;
	l->messages = !mbox;
	l->no_run = 0;
	l->blank_n = 0;
	digest_begin(&l->digest);
	if (mbox)
		l->state = LINES_TEXT; /* the first From_ line comes */
	else
		header_begin(l);
	cut_begin(cut, params, ZS_KIND_TEXT, sec);
}

/* A text is over: a short one goes to the skeleton. */
static int text_end(struct lines *l, struct zs_err *err)
{
	struct cut *c = l->cut;
	int rc;

	if (!c->cut_bytes && c->n < TEXT_MIN_BYTES)
		rc = section_text(l->sec, zs_span(c->p, c->n), err);
	else
		rc = cut_end(c, err);
	cut_begin(c, l->params, ZS_KIND_TEXT, l->sec);
	return rc;
}

/* The empty line that waits was one of the text. */
static int blank_release(struct lines *l, struct zs_err *err)
{
	size_t n = l->blank_n;

	l->blank_n = 0;
	return n ? cut_add(l->cut, zs_span(l->blank, n), err) : 0;
}

static int header_end(struct lines *l, struct zs_err *err)
{
	int nested = l->digest.nested;

	if (digest_block_end(&l->digest, err) < 0)
		return -1;
	if (nested)
		header_begin(l);
	else
		l->state = LINES_TEXT;
	l->part_start = 1;
	return 0;
}

static int line_at(const struct lines *l, struct zs_span p, int last, struct line *out)
{
	size_t look = !l->in_line && p.n > LINES_MAX ? LINES_MAX : p.n;
	const uint8_t *nl = memchr(p.p, '\n', look);

	out->whole = 1;
	if (nl) {
		out->s = zs_span(p.p, (size_t)(nl - p.p) + 1);
		out->text_n = out->s.n - 1;
		if (out->text_n && nl[-1] == '\r')
			out->text_n--;
		return 1;
	}
	if (!l->in_line && p.n < LINES_MAX && !last)
		return 0;
	out->s = zs_span(p.p, look);
	out->text_n = look;
	out->whole = look == p.n && last && (l->in_line || look < LINES_MAX);
	return 1;
}

/* ------------------------------------------------------------------- header */

static int is_header_line(const struct lines *l, const struct line *line)
{
	const uint8_t *p = line->s.p;

	if (p[0] == '-' && line->s.n > 1 && p[1] == '-')
		return 0;
	if (p[0] == ' ' || p[0] == '\t')
		return l->header_bytes > 0;
	if (sniff_field(p, line->s.n))
		return 1;
	return !l->header_bytes && line->text_n > 6 && (!memcmp(p, "From ", 5) || !memcmp(p, ">From ", 6));
}

/* 1: the line is dealt with; 0: it is none of the header, which is over. */
static int header_line(struct lines *l, const struct line *line, struct zs_err *err)
{
	if (!l->in_line && !line->text_n) {
		if (section_text(l->sec, line->s, err) < 0 || header_end(l, err) < 0)
			return -1;
		l->after_blank = 1;
		return 1;
	}
	if (!l->in_line && (!is_header_line(l, line) || l->header_bytes >= HEADER_MAX_BYTES)) {
		l->digest.nested = 0;
		if (header_end(l, err) < 0)
			return -1;
		l->part_start = 0;
		return 0;
	}
	l->header_bytes += line->s.n;
	if (section_text(l->sec, line->s, err) < 0 || digest_line(&l->digest, line->s, !l->in_line, err) < 0)
		return -1;
	l->in_line = !line->whole;
	return 1;
}

/* --------------------------------------------------------------------- text */

enum joint { JOINT_NONE, JOINT_PART, JOINT_CLOSE, JOINT_MESSAGE, JOINT_HEADER, JOINT_RUN, JOINT_UNKNOWN };

/* A line that begins with "--": a boundary that was announced, or one that is followed by part headers. */
static enum joint judge_delimiter(struct lines *l, const struct line *line, struct zs_span after, int last)
{
	struct zs_span text = zs_span(line->s.p, line->text_n);
	int match;

	if (!line->whole)
		return JOINT_NONE;
	match = digest_boundary_match(&l->digest, text);
	if (match)
		return match == 2 ? JOINT_CLOSE : JOINT_PART;
	if (after.n < sizeof CONTENT_FIELD - 1)
		return last ? JOINT_NONE : JOINT_UNKNOWN;
	if (text.n < 3 || !sniff_equal(after.p, sizeof CONTENT_FIELD - 1, CONTENT_FIELD))
		return JOINT_NONE;
	digest_boundary_add(&l->digest, zs_span(text.p + 2, text.n - 2));
	return JOINT_PART;
}

#define NEXT_FIELD_LOOK 80

static enum joint judge_from_line(const struct line *line, struct zs_span after, int last)
{
	if (!line->whole || !sniff_from_line(line->s))
		return JOINT_NONE;
	if (after.n < NEXT_FIELD_LOOK && !last)
		return JOINT_UNKNOWN;
	return sniff_field(after.p, after.n < NEXT_FIELD_LOOK ? after.n : NEXT_FIELD_LOOK) ? JOINT_MESSAGE : JOINT_NONE;
}

static enum joint judge(struct lines *l, const struct line *line, struct zs_span p, int last)
{
	struct zs_span after = zs_span(p.p + line->s.n, p.n - line->s.n);
	size_t name, skip;

	if (line->text_n >= 2 && p.p[0] == '-' && p.p[1] == '-')
		return judge_delimiter(l, line, after, last);
	if (l->mbox && l->after_blank && p.p[0] == 'F') {
		enum joint j = judge_from_line(line, after, last);

		if (j != JOINT_NONE)
			return j;
	}
	if (l->part_start && (name = sniff_field(p.p, line->s.n)) && sniff_known(p.p, name))
		return JOINT_HEADER;
	if (l->no_run || !base64_is(p.p[0]))
		return JOINT_NONE;
	switch (run_probe(&l->run, p, last, &skip)) {
	case RUN_MORE:
		return JOINT_UNKNOWN;
	case RUN_YES:
		return JOINT_RUN;
	case RUN_NO:
		break;
	}
	l->no_run = skip;
	return JOINT_NONE;
}

/* In an mbox an empty line waits: before a From_ line, or at the end, it belongs to the mbox and not to the message's text. */
static int blank_hold(struct lines *l, const struct line *line, struct zs_err *err)
{
	if (blank_release(l, err) < 0)
		return -1;
	l->blank_n = line->s.n;
	memcpy(l->blank, line->s.p, line->s.n);
	return 1;
}

static int delimiter(struct lines *l, const struct line *line, enum joint j, struct zs_err *err)
{
	if (blank_release(l, err) < 0 || text_end(l, err) < 0 || section_text(l->sec, line->s, err) < 0)
		return -1;
	if (j == JOINT_CLOSE)
		l->part_start = 0;
	else
		header_begin(l);
	l->after_blank = 0;
	l->no_run = 0;
	return 1;
}

/* Is the section before this From_ line, or the end, one of its own? */
static int section_is_own(const struct lines *l, struct zs_span line)
{
	size_t n = l->sec->skeleton.n;

	return n >= MBOX_SECTION_MIN || l->messages == 0 || (n >= MBOX_SHARED_MIN && (zs_hash64(0, line) & 3) == 0);
}

/*
 * A From_ line, or the end of an mbox.  With the empty line before it, it stands between two sections, so that each
 * message has the chunks that it has elsewhere, and one that is removed or gets another status moves no other.
 */
static int between_messages(struct lines *l, struct zs_span line, struct zs_err *err)
{
	uint8_t bytes[sizeof l->blank + LINES_MAX] = {0};
	struct zs_span all = zs_span(bytes, l->blank_n + line.n);

	memcpy(bytes, l->blank, l->blank_n);
	if (line.n)
		memcpy(bytes + l->blank_n, line.p, line.n);
	l->blank_n = 0;
	if (text_end(l, err) < 0)
		return -1;
	if (!all.n)
		return 0;
	return section_is_own(l, line) ? section_apart(l->sec, ZS_KIND_HEADER, all, err) : section_text(l->sec, all, err);
}

static int message(struct lines *l, const struct line *line, struct zs_err *err)
{
	if (between_messages(l, line->s, err) < 0)
		return -1;
	l->messages++;
	header_begin(l);
	l->after_blank = 0;
	l->no_run = 0;
	return 1;
}

static int text_line(struct lines *l, const struct line *line, enum joint j, struct zs_err *err)
{
	switch (j) {
	case JOINT_PART:
	case JOINT_CLOSE:
		return delimiter(l, line, j, err);
	case JOINT_MESSAGE:
		return message(l, line, err);
	case JOINT_HEADER:
		l->part_start = 0;
		if (blank_release(l, err) < 0 || text_end(l, err) < 0)
			return -1;
		header_begin(l);
		return 0;
	case JOINT_RUN:
		if (blank_release(l, err) < 0 || text_end(l, err) < 0)
			return -1;
		cut_begin(l->cut, l->params, ZS_KIND_ATTACHMENT, l->sec);
		section_run_begin(l->sec);
		l->state = LINES_RUN;
		return 0;
	case JOINT_NONE:
	case JOINT_UNKNOWN:
		break;
	}
	l->after_blank = !l->in_line && !line->text_n;
	l->in_line = !line->whole;
	l->part_start = 0;
	l->no_run -= l->no_run < line->s.n ? l->no_run : line->s.n;
	if (l->mbox && l->after_blank && line->whole)
		return blank_hold(l, line, err);
	return blank_release(l, err) < 0 || cut_add(l->cut, line->s, err) < 0 ? -1 : 1;
}

/* ---------------------------------------------------------------------- all */

static int run_over(struct lines *l, struct zs_err *err)
{
	if (cut_end(l->cut, err) < 0 || section_run_end(l->sec, l->run.line, l->run.crlf, l->run.tail, err) < 0)
		return -1;
	cut_begin(l->cut, l->params, ZS_KIND_TEXT, l->sec);
	l->state = LINES_TEXT;
	l->in_line = !l->run.tail; /* what follows is the rest of the run's last line */
	l->after_blank = l->part_start = 0;
	l->no_run = 0;
	return 0;
}

/* One line, or what is there of a run: *out_used 0 and result 0 if more bytes are needed. */
static int step(struct lines *l, struct zs_span p, int last, size_t *out_used, struct zs_err *err)
{
	enum joint j = JOINT_NONE;
	struct line line;
	int rc, done;

	*out_used = 0;
	if (l->state == LINES_RUN) {
		if (run_take(&l->run, l->cut, p, last, out_used, &done, err) < 0)
			return -1;
		return done ? (run_over(l, err) < 0 ? -1 : 1) : 0;
	}
	if (!line_at(l, p, last, &line))
		return 0;
	if (l->state == LINES_HEADER) {
		rc = header_line(l, &line, err);
	} else {
		if (!l->in_line)
			j = judge(l, &line, p, last);
		if (j == JOINT_UNKNOWN)
			return 0;
		rc = text_line(l, &line, j, err);
	}
	if (rc < 0)
		return -1;
	*out_used = rc ? line.s.n : 0;
	return 1;
}

int lines_feed(struct lines *l, struct zs_span p, int last, size_t *out_used, struct zs_err *err)
{
	size_t n;
	int rc = 1;

	*out_used = 0;
	while (*out_used < p.n && rc > 0) {
		rc = step(l, zs_span(p.p + *out_used, p.n - *out_used), last, &n, err);
		if (rc < 0)
			return -1;
		*out_used += n;
	}
	if (!last)
		return 0;
	if (l->state == LINES_HEADER) {
		l->digest.nested = 0;
		if (header_end(l, err) < 0)
			return -1;
	}
	if (l->state == LINES_RUN && run_over(l, err) < 0)
		return -1;
	l->in_line = 0;
	return between_messages(l, zs_span(NULL, 0), err);
}

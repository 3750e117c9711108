/*
 * An IMAP server for tests, on loopback: as much of it as the source asks for, with mail in memory, and a hook by which a
 * test makes it lie, stop, or send something else.  One thread for each connection.
 */
#ifndef TEST_IMAP_SERVER_H
#define TEST_IMAP_SERVER_H

#include "util.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

struct mail { /* of one message */
	uint32_t uid;
	const char *flags, *date; /* date NULL: one made of the UID */
	char *body;		  /* owned; NULL: made of uid and size */
	size_t size;		  /* of the body */
	size_t announced;	  /* RFC822.SIZE; 0: the true one */
	int is_gone;
	char text[40];		  /* for date */
};
struct box {
	const char *name; /* as on the wire, without quotes */
	const char *attributes, *delimiter; /* "\"/\"", "NIL" */
	unsigned uidvalidity, uidnext;
	struct mail *v;
	size_t n;
	int is_gone;
};
struct session {
	struct server *server;
	int fd;
	unsigned number; /* of connections, from 1 */
	struct box *open;
	int bodies;	 /* given on this connection */
	char line[8192];
	size_t line_n, line_at;
};
struct server {
	int fd;
	unsigned port;
	const char *capabilities; /* NULL: a usual set */
	const char *greeting, *password; /* NULL: usual */
	struct box box[16];
	size_t boxes;
	/* 1: dealt with; 0: as usual; -1: the connection ends.  Any thread, under the lock. */
	int (*hook)(struct session *s, const char *tag, const char *command);
	int hook_state[8]; /* the hook's own */
	pthread_mutex_t lock;
	pthread_t threads[128], acceptor;
	int fds[128];
	unsigned connections, ending;
	char log[1 << 16]; /* every command, one a line, without its tag */
	size_t log_n;
	char login[512];   /* what AUTHENTICATE said */
};

/* ------------------------------------------------------------------------- sending */

UNUSED static void send_bytes(struct session *s, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(s->fd, p, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		p = (const char *)p + sent;
		n -= (size_t)sent;
	}
}

UNUSED static void say(struct session *s, const char *fmt, ...)
{
	char text[8192];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	send_bytes(s, text, (size_t)n);
}

/* Byte i of a message that was not given as text. */
UNUSED static char mail_byte(uint32_t uid, size_t i)
{
	static const char head[] = "From: a@b.c\r\nSubject: made\r\n\r\n";

	if (i < sizeof head - 1)
		return head[i];
	return i % 71 == 69 ? '\r' : i % 71 == 70 ? '\n' : (char)('a' + (i / 7 + uid * 31 + i / 4001) % 26);
}

UNUSED static void send_body(struct session *s, const struct mail *m, size_t from, size_t to)
{
	char part[4096];

	if (m->body) {
		send_bytes(s, m->body + from, to - from);
		return;
	}
	while (from < to) {
		size_t n = 0;

		for (; n < sizeof part && from + n < to; n++)
			part[n] = mail_byte(m->uid, from + n);
		send_bytes(s, part, n);
		from += n;
	}
}

UNUSED static const char *mail_date(const struct mail *m, char out[40])
{
	if (m->date)
		return m->date;
	(void)snprintf(out, 40, "%02u-Jan-2024 %02u:%02u:%02u +0000", 1 + m->uid % 28, m->uid % 24, m->uid % 60, m->uid / 60 % 60);
	return out;
}

/* ----------------------------------------------------------------------- commands */

UNUSED static struct box *find_box(struct server *v, const char *name)
{
	for (size_t i = 0; i < v->boxes; i++)
		if (!v->box[i].is_gone && strcmp(v->box[i].name, name) == 0)
			return &v->box[i];
	return NULL;
}

UNUSED static struct mail *find_mail(struct box *b, uint32_t uid)
{
	for (size_t i = 0; b && i < b->n; i++)
		if (b->v[i].uid == uid && !b->v[i].is_gone)
			return &b->v[i];
	return NULL;
}

UNUSED static unsigned count_mail(const struct box *b)
{
	unsigned n = 0;

	for (size_t i = 0; i < b->n; i++)
		n += !b->v[i].is_gone;
	return n;
}

/* The first string of the text, quotes undone. */
UNUSED static const char *unquoted(const char *p, char out[1024])
{
	size_t n = 0;

	if (*p != '"') {
		while (*p && *p != ' ' && n < 1023)
			out[n++] = *p++;
	} else {
		for (p++; *p && *p != '"' && n < 1023; p++)
			out[n++] = *p == '\\' ? *++p : *p;
	}
	out[n] = 0;
	return out;
}

UNUSED static void say_name(struct session *s, const char *name)
{
	if (strpbrk(name, "\r\n")) {
		say(s, "{%zu}\r\n%s", strlen(name), name);
		return;
	}
	say(s, "\"");
	for (; *name; name++)
		say(s, *name == '"' || *name == '\\' ? "\\%c" : "%c", *name);
	say(s, "\"");
}

UNUSED static void say_status(struct session *s, const struct box *b)
{
	say(s, "* STATUS ");
	say_name(s, b->name);
	say(s, " (MESSAGES %u UIDNEXT %u UIDVALIDITY %u)\r\n", count_mail(b), b->uidnext, b->uidvalidity);
}

UNUSED static void do_list(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;

	for (size_t i = 0; i < v->boxes; i++) {
		struct box *b = &v->box[i];

		if (b->is_gone)
			continue;
		say(s, "* LIST (%s) %s ", b->attributes ? b->attributes : "", b->delimiter ? b->delimiter : "\"/\"");
		say_name(s, b->name);
		say(s, "\r\n");
		if (strstr(command, "STATUS") && !(b->attributes && strstr(b->attributes, "\\Noselect")))
			say_status(s, b);
	}
	say(s, "%s OK listed\r\n", tag);
}

UNUSED static void do_examine(struct session *s, const char *tag, const char *command)
{
	char name[1024];

	s->open = find_box(s->server, unquoted(command + 8, name));
	if (!s->open) {
		say(s, "%s NO [NONEXISTENT] no such folder\r\n", tag);
		return;
	}
	say(s, "* FLAGS (\\Seen)\r\n* %u EXISTS\r\n* OK [UIDVALIDITY %u] valid\r\n* OK [UIDNEXT %u] next\r\n%s OK [READ-ONLY] opened\r\n",
	    count_mail(s->open), s->open->uidvalidity, s->open->uidnext, tag);
}

UNUSED static void say_mail(struct session *s, const struct mail *m, unsigned number)
{
	char date[40];

	say(s, "* %u FETCH (UID %u FLAGS (%s) INTERNALDATE \"%s\" RFC822.SIZE %zu)\r\n", number, m->uid, m->flags ? m->flags : "",
	    mail_date(m, date), m->announced ? m->announced : m->size);
}

UNUSED static void say_body(struct session *s, const struct mail *m)
{
	say(s, "* %u FETCH (UID %u BODY[] {%zu}\r\n", m->uid, m->uid, m->size);
	send_body(s, m, 0, m->size);
	say(s, ")\r\n");
	s->bodies++;
}

UNUSED static void do_fetch(struct session *s, const char *tag, const char *command)
{
	uint32_t uid = (uint32_t)strtoul(command + 10, NULL, 10);
	const struct mail *m;
	unsigned number = 0;

	if (!s->open) {
		say(s, "%s BAD no folder is open\r\n", tag);
		return;
	}
	if (strstr(command, ":*")) {
		for (size_t i = 0; i < s->open->n; i++)
			if (!s->open->v[i].is_gone && (number++, s->open->v[i].uid >= uid || i + 1 == s->open->n))
				say_mail(s, &s->open->v[i], number);
	} else if ((m = find_mail(s->open, uid))) {
		if (strstr(command, "BODY"))
			say_body(s, m);
		else
			say(s, "* 1 FETCH (UID %u)\r\n", uid);
	}
	say(s, "%s OK fetched\r\n", tag);
}

/* A line; a literal in it becomes a string in quotes. */
UNUSED static int next_line(struct session *s)
{
	unsigned literal = 0;
	char c;

	s->line_n = 0;
	while (recv(s->fd, &c, 1, 0) == 1) {
		char *brace;

		if (literal > 0 && literal-- == 1)
			s->line[s->line_n++] = c, c = '"';
		else if (c == '\n' && literal == 0) {
			s->line_n -= s->line_n > 0 && s->line[s->line_n - 1] == '\r';
			s->line[s->line_n] = 0;
			brace = strrchr(s->line, '{');
			if (!brace || sscanf(brace, "{%u+}", &literal) != 1 || literal == 0)
				return 1;
			s->line_n = (size_t)(brace - s->line);
			c = '"';
		}
		if (s->line_n < sizeof s->line - 2)
			s->line[s->line_n++] = c;
	}
	return 0;
}

UNUSED static int unbase64(const char *p, char *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	unsigned bits = 0, count = 0;
	int n = 0;

	for (; *p && *p != '='; p++) {
		bits = bits << 6 | (unsigned)(strchr(digits, *p) - digits);
		count += 6;
		if (count >= 8) {
			count -= 8;
			out[n++] = (char)(bits >> count & 255);
		}
	}
	for (int i = 0; i < n; i++)
		if (!out[i])
			out[i] = '|';
	out[n] = 0;
	return n;
}

UNUSED static void do_login(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;
	char said[512];
	const char *password = v->password ? v->password : "secret";
	size_t n;

	(void)command;
	(void)pthread_mutex_unlock(&v->lock);
	say(s, "+ \r\n");
	if (!next_line(s))
		s->line[0] = 0;
	(void)pthread_mutex_lock(&v->lock);
	(void)unbase64(s->line, said);
	(void)snprintf(v->login, sizeof v->login, "%s", said);
	n = strlen(said);
	if (n >= strlen(password) && strcmp(said + n - strlen(password), password) == 0)
		say(s, "%s OK welcome\r\n", tag);
	else
		say(s, "%s NO [AUTHENTICATIONFAILED] who are you\x1b[31m?\r\n", tag);
}

UNUSED static const char *server_words(const struct server *v)
{
	return v->capabilities ? v->capabilities : "IMAP4rev1 AUTH=PLAIN ID LIST-EXTENDED LIST-STATUS LITERAL+ SPECIAL-USE";
}

/* 0: the connection ends. */
UNUSED static int do_command(struct session *s, const char *tag, const char *command)
{
	struct server *v = s->server;
	char name[1024];
	int done = v->hook ? v->hook(s, tag, command) : 0;

	if (done)
		return done > 0;
	if (strncmp(command, "CAPABILITY", 10) == 0)
		say(s, "* CAPABILITY %s\r\n%s OK that is all\r\n", server_words(v), tag);
	else if (strncmp(command, "AUTHENTICATE ", 13) == 0)
		do_login(s, tag, command);
	else if (strncmp(command, "ID ", 3) == 0)
		say(s, "* ID (\"name\" \"Fake\" \"version\" NIL)\r\n%s OK known\r\n", tag);
	else if (strncmp(command, "LIST ", 5) == 0)
		do_list(s, tag, command);
	else if (strncmp(command, "STATUS ", 7) == 0 && find_box(v, unquoted(command + 7, name)))
		say_status(s, find_box(v, name)), say(s, "%s OK status\r\n", tag);
	else if (strncmp(command, "EXAMINE ", 8) == 0)
		do_examine(s, tag, command);
	else if (strncmp(command, "UID FETCH ", 10) == 0)
		do_fetch(s, tag, command);
	else if (strncmp(command, "LOGOUT", 6) == 0)
		return say(s, "* BYE bye\r\n%s OK\r\n", tag), 0;
	else
		say(s, "%s BAD what?\r\n", tag);
	return 1;
}

UNUSED static void *session_main(void *arg)
{
	struct session *s = arg;
	struct server *v = s->server;

	say(s, "%s\r\n", v->greeting ? v->greeting : "* OK Fake ready");
	while (next_line(s)) {
		char *command = strchr(s->line, ' '), tag[32], line[8192];
		int goes_on;

		if (!command)
			break;
		*command++ = 0;
		(void)snprintf(tag, sizeof tag, "%.31s", s->line);
		(void)snprintf(line, sizeof line, "%s", command);
		(void)pthread_mutex_lock(&v->lock);
		if (v->log_n + strlen(line) + 2 < sizeof v->log)
			v->log_n += (size_t)snprintf(v->log + v->log_n, sizeof v->log - v->log_n, "%s\n", line);
		goes_on = do_command(s, tag, line);
		(void)pthread_mutex_unlock(&v->lock);
		if (!goes_on)
			break;
	}
	/* what was sent is to arrive: with something unread, closing would take it back */
	(void)shutdown(s->fd, SHUT_WR);
	while (recv(s->fd, s->line, sizeof s->line, 0) > 0)
		;
	free(s);
	return NULL;
}

UNUSED static void *acceptor_main(void *arg)
{
	struct server *v = arg;
	int fd, one = 1;

	while ((fd = accept(v->fd, NULL, NULL)) >= 0) {
		struct session *s = calloc(1, sizeof *s);

		(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		(void)pthread_mutex_lock(&v->lock);
		*s = (struct session){.server = v, .fd = fd, .number = v->connections + 1};
		v->fds[v->connections] = fd;
		(void)pthread_create(&v->threads[v->connections++], NULL, session_main, s);
		(void)pthread_mutex_unlock(&v->lock);
		if (v->connections == 128)
			break;
	}
	return NULL;
}

UNUSED static void server_start(struct server *v)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof a;

	assert_int_equal(pthread_mutex_init(&v->lock, NULL), 0);
	v->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(v->fd, (struct sockaddr *)&a, sizeof a), 0);
	assert_int_equal(listen(v->fd, 16), 0);
	assert_int_equal(getsockname(v->fd, (struct sockaddr *)&a, &n), 0);
	v->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&v->acceptor, NULL, acceptor_main, v), 0);
}

UNUSED static void server_stop(struct server *v)
{
	(void)shutdown(v->fd, SHUT_RDWR);
	(void)pthread_join(v->acceptor, NULL);
	for (unsigned i = 0; i < v->connections; i++) {
		(void)shutdown(v->fds[i], SHUT_RDWR);
		(void)pthread_join(v->threads[i], NULL);
		(void)close(v->fds[i]);
	}
	(void)close(v->fd);
	for (size_t i = 0; i < v->boxes; i++) {
		for (size_t k = 0; k < v->box[i].n; k++)
			free(v->box[i].v[k].body);
		free(v->box[i].v);
	}
	(void)pthread_mutex_destroy(&v->lock);
}

/* A folder with n messages of size bytes, UIDs from 1. */
UNUSED static struct box *server_box(struct server *v, const char *name, size_t n, size_t size)
{
	struct box *b = &v->box[v->boxes++];

	assert_true(v->boxes <= 16);
	*b = (struct box){.name = name, .uidvalidity = 1000 + (unsigned)v->boxes, .uidnext = (unsigned)n + 1, .n = n};
	b->v = calloc(n + 64, sizeof *b->v); /* some may arrive */
	for (size_t i = 0; i < n; i++)
		b->v[i] = (struct mail){.uid = (uint32_t)i + 1, .size = size + i};
	return b;
}

/* Move a message as MOVE does: another UID, the same date and content.  Under the lock. */
UNUSED static void server_move(struct box *from, uint32_t uid, struct box *to)
{
	struct mail *m = find_mail(from, uid), *n = &to->v[to->n++];

	*n = *m;
	n->uid = to->uidnext++;
	if (!n->body) { /* the bytes depend on the UID that it had */
		n->body = malloc(n->size);
		for (size_t i = 0; i < n->size; i++)
			n->body[i] = mail_byte(uid, i);
	}
	if (!n->date)
		n->date = mail_date(m, n->text);
	m->is_gone = 1;
	m->body = NULL;
}

#endif

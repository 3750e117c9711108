/*
 * One connection: libcurl does what has to do with TLS and logging in (CURLOPT_CONNECT_ONLY), after that only bytes go
 * through it and all IMAP is ours.  Waiting is in short slices, so that whoever wants to stop need not wait long.
 */
#include "imap_private.h"

#include <curl/curl.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define SLICE_MS 250
#define LOGOUT_MS 2000
#define GREETING_MAX 1024

/* ------------------------------------------------------------------------ signals */

/* A peer that is gone must not end the program: SIGPIPE is kept back from this thread while libcurl runs. */
struct quiet { sigset_t before; int was_blocked; };

static void quiet_begin(struct quiet *q)
{
	sigset_t pipe;

	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	(void)pthread_sigmask(SIG_BLOCK, &pipe, &q->before);
	q->was_blocked = sigismember(&q->before, SIGPIPE) == 1;
}

static void quiet_end(const struct quiet *q)
{
	static const struct timespec at_once = {0, 0};
	sigset_t pipe;

	if (q->was_blocked)
		return;
	(void)sigemptyset(&pipe);
	(void)sigaddset(&pipe, SIGPIPE);
	while (sigtimedwait(&pipe, NULL, &at_once) > 0)
		;
	(void)pthread_sigmask(SIG_SETMASK, &q->before, NULL);
}

/* ------------------------------------------------------------------ bytes in and out */

static int is_cancelled(const struct imap_conn *c, struct zs_err *err)
{
	if (c->cancel && atomic_load(c->cancel))
		return zs_fail(err, ZS_STOPPED, "stopped");
	return imap_options_stopped(c->account, err);
}

static int conn_wait(struct imap_conn *c, short events, struct zs_err *err)
{
	struct pollfd p = {.fd = c->fd, .events = events};
	uint64_t deadline = zs_monotonic_ns() + (uint64_t)c->account->timeout_ms * 1000000;

	for (;;) {
		if (is_cancelled(c, err) < 0)
			return -1;
		if (poll(&p, 1, SLICE_MS) > 0)
			return 0;
		if (zs_monotonic_ns() > deadline)
			return zs_fail(err, ZS_SOURCE, "the server did not answer for %llu seconds",
			    (unsigned long long)c->account->timeout_ms / 1000);
	}
}

static int conn_fill(void *ctx, uint8_t *p, size_t n, size_t *out_n, struct zs_err *err)
{
	struct imap_conn *c = ctx;
	struct quiet q;
	CURLcode rc;

	for (;;) {
		quiet_begin(&q);
		rc = curl_easy_recv(c->easy, p, n, out_n);
		quiet_end(&q);
		if (rc == CURLE_OK && *out_n > 0)
			return 0;
		if (rc == CURLE_OK)
			return zs_fail(err, ZS_SOURCE, "the server closed the connection");
		if (rc != CURLE_AGAIN)
			return zs_fail(err, ZS_SOURCE, "the connection to the server was lost: %s", curl_easy_strerror(rc));
		if (conn_wait(c, POLLIN, err) < 0)
			return -1;
	}
}

int imap_conn_flush(struct imap_conn *c, struct zs_err *err)
{
	struct quiet q;
	CURLcode rc;
	size_t n;

	for (size_t at = 0; at < c->out.n; at += n) {
		n = 0;
		quiet_begin(&q);
		rc = curl_easy_send(c->easy, c->out.p + at, c->out.n - at, &n);
		quiet_end(&q);
		if (rc == CURLE_AGAIN) {
			if (conn_wait(c, POLLOUT, err) < 0)
				return -1;
		} else if (rc != CURLE_OK) {
			return zs_fail(err, ZS_SOURCE, "the connection to the server was lost: %s", curl_easy_strerror(rc));
		}
	}
	zs_buf_clear(&c->out);
	return 0;
}

/* ---------------------------------------------------------------------- logging in */

/* Lines of the server while libcurl logs in: the greeting, and the last one, which says why it failed. */
static size_t on_line(char *p, size_t size, size_t n, void *ctx)
{
	struct imap_conn *c = ctx;
	struct zs_buf *to = c->greeting.n ? &c->last_line : &c->greeting;
	struct zs_err ignored = {0};
	size_t len = size * n;

	while (len > 0 && (p[len - 1] == '\n' || p[len - 1] == '\r'))
		len--;
	zs_buf_clear(to);
	if (zs_buf_add(to, p, len > GREETING_MAX ? GREETING_MAX : len, &ignored) < 0)
		return 0;
	return size * n;
}

static int on_progress(void *ctx, curl_off_t a, curl_off_t b, curl_off_t x, curl_off_t y)
{
	struct zs_err ignored = {0};

	(void)a;
	(void)b;
	(void)x;
	(void)y;
	return is_cancelled(ctx, &ignored) < 0;
}

/* Why libcurl could not: with the server's own words where it said something. */
static int login_failed(const struct imap_conn *c, CURLcode rc, const char *detail, struct zs_err *err)
{
	const struct imap_account *a = c->account;
	const char *last = (const char *)c->last_line.p;
	size_t skip = 0, n = c->last_line.n;
	char said[200], host[128];

	if (is_cancelled(c, err) < 0)
		return -1;
	while (skip < n && last[skip] != ' ')
		skip++; /* the tag */
	(void)imap_names_text(zs_span(c->last_line.p + skip, n - skip), said, sizeof said);
	(void)imap_names_text(zs_span_str(a->url->host), host, sizeof host);
	if (rc == CURLE_LOGIN_DENIED && strncasecmp(said, " NO", 3) != 0 && strncasecmp(said, " BAD", 4) != 0)
		return zs_fail(err, ZS_SOURCE, "cannot log in at %s: the server offers no way that can be used (auth=)", host);
	if (rc == CURLE_LOGIN_DENIED)
		return zs_fail(err, ZS_SOURCE, "cannot log in at %s:%s; check user and password, and what the server allows (auth=)", host, said);
	if (rc == CURLE_PEER_FAILED_VERIFICATION || rc == CURLE_SSL_CACERT_BADFILE)
		return zs_fail(err, ZS_SOURCE, "cannot trust %s: %s; name the authority's certificate with ca-file=FILE", host, detail);
	if (rc == CURLE_USE_SSL_FAILED)
		return zs_fail(err, ZS_SOURCE, "%s does not offer STARTTLS: use imaps://, or starttls=no if the network can be trusted", host);
	return zs_fail(err, ZS_SOURCE, "cannot connect to %s: %s", host, *detail ? detail : curl_easy_strerror(rc));
}

static char *make_url(const struct zs_url *u, struct zs_err *err)
{
	CURLU *url = curl_url();
	struct zs_buf host = ZS_BUF_INIT;
	char port[12], *text = NULL, *copy = NULL;
	const char *colon = strchr(u->host, ':');

	(void)snprintf(port, sizeof port, "%u", u->port);
	if (!url || zs_buf_printf(&host, err, "%s%s%s%c", colon ? "[" : "", u->host, colon ? "]" : "", 0) < 0) {
		(void)zs_fail_nomem(err);
		goto out;
	}
	if (curl_url_set(url, CURLUPART_SCHEME, u->scheme, 0) || curl_url_set(url, CURLUPART_HOST, (const char *)host.p, 0) ||
	    (u->port && curl_url_set(url, CURLUPART_PORT, port, 0)) || curl_url_get(url, CURLUPART_URL, &text, 0)) {
		(void)zs_fail(err, ZS_USAGE, "%s: this is no name of a host", u->label);
		goto out;
	}
	if (!(copy = strdup(text)))
		(void)zs_fail_nomem(err);
out:
	curl_free(text);
	curl_url_cleanup(url);
	zs_buf_fini(&host);
	return copy;
}

static int set_login(CURL *e, const struct imap_account *a)
{
	CURLcode bad = curl_easy_setopt(e, CURLOPT_USERNAME, a->login);

	bad |= curl_easy_setopt(e, a->is_token ? CURLOPT_XOAUTH2_BEARER : CURLOPT_PASSWORD, a->password);
	if (a->authzid)
		bad |= curl_easy_setopt(e, CURLOPT_SASL_AUTHZID, a->authzid);
	if (a->mechanism)
		bad |= curl_easy_setopt(e, CURLOPT_LOGIN_OPTIONS, a->mechanism);
	return bad == CURLE_OK;
}

static int set_options(struct imap_conn *c, const char *url, char *detail)
{
	const struct imap_account *a = c->account;
	CURL *e = c->easy;
	CURLcode bad = curl_easy_setopt(e, CURLOPT_URL, url);

	bad |= curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "imap,imaps");
	bad |= curl_easy_setopt(e, CURLOPT_CONNECT_ONLY, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_PROXY, ""); /* whatever the environment says */
	bad |= curl_easy_setopt(e, CURLOPT_ERRORBUFFER, detail);
	bad |= curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)a->timeout_ms);
	bad |= curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)a->timeout_ms);
	bad |= curl_easy_setopt(e, CURLOPT_NOPROGRESS, 0L);
	bad |= curl_easy_setopt(e, CURLOPT_XFERINFOFUNCTION, on_progress);
	bad |= curl_easy_setopt(e, CURLOPT_XFERINFODATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_line);
	bad |= curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
	bad |= curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_USE_SSL, a->tls == IMAP_PLAIN ? (long)CURLUSESSL_NONE : (long)CURLUSESSL_ALL);
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L);
	bad |= curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L);
	bad |= curl_easy_setopt(e, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	if (a->ca_file) {
		bad |= curl_easy_setopt(e, CURLOPT_CAINFO, a->ca_file);
		bad |= curl_easy_setopt(e, CURLOPT_CAPATH, NULL); /* this authority, and no other */
	}
	return bad == CURLE_OK && set_login(e, a);
}

static int conn_login(struct imap_conn *c, struct zs_err *err)
{
	char detail[CURL_ERROR_SIZE] = "", *url;
	curl_socket_t fd = CURL_SOCKET_BAD;
	struct quiet q;
	CURLcode rc;

	if (!(url = make_url(c->account->url, err)))
		return -1;
	if (!(c->easy = curl_easy_init()) || !set_options(c, url, detail)) {
		free(url);
		return zs_fail_nomem(err);
	}
	quiet_begin(&q);
	rc = curl_easy_perform(c->easy);
	quiet_end(&q);
	free(url);
	(void)curl_easy_setopt(c->easy, CURLOPT_ERRORBUFFER, NULL);
	if (rc != CURLE_OK)
		return login_failed(c, rc, detail, err);
	if (curl_easy_getinfo(c->easy, CURLINFO_ACTIVESOCKET, &fd) != CURLE_OK || fd == CURL_SOCKET_BAD)
		return zs_fail(err, ZS_SOURCE, "the server closed the connection");
	c->fd = fd;
	return 0;
}

/* --------------------------------------------------------------- what the server can do */

static void note_words(struct imap_conn *c)
{
	static const struct { const char *word; unsigned cap; } known[] = {
	    {"ID", IMAP_CAP_ID}, {"LIST-EXTENDED", IMAP_CAP_LIST_EXTENDED}, {"LIST-STATUS", IMAP_CAP_LIST_STATUS},
	    {"SPECIAL-USE", IMAP_CAP_SPECIAL_USE}, {"CONDSTORE", IMAP_CAP_CONDSTORE}, {"QRESYNC", IMAP_CAP_CONDSTORE},
	    {"LITERAL+", IMAP_CAP_LITERAL_PLUS}};

	for (size_t i = 0; i < c->words.n; i++)
		if (c->words.p[i] == ' ')
			c->words.p[i] = 0;
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (imap_reply_among(zs_buf_span(&c->words), known[i].word))
			c->caps |= known[i].cap;
}

static int on_hello(void *ctx, const struct imap_reply *r, struct zs_err *err)
{
	struct imap_conn *c = ctx;
	struct zs_buf *to = r->type == IMAP_CAPABILITY ? &c->words : r->type == IMAP_ID ? &c->id : NULL;

	if (!to)
		return 0;
	zs_buf_clear(to);
	return zs_buf_add_span(to, zs_buf_span(&r->text), err);
}

static int conn_hello(struct imap_conn *c, struct zs_err *err)
{
	int rc;

	if (imap_conn_add(c, err, "CAPABILITY") < 0 || (rc = imap_conn_run(c, on_hello, c, err)) < 0)
		return -1;
	if (rc == 0 || c->words.n == 0)
		return imap_stream_garbage(&c->in, "CAPABILITY", err);
	note_words(c);
	if (!(c->caps & IMAP_CAP_ID))
		return 0;
	if (imap_conn_add(c, err, "ID (\"name\" \"zstore\" \"version\" \"" ZS_PROGRAM_VERSION "\")") < 0)
		return -1;
	return imap_conn_run(c, on_hello, c, err) < 0 ? -1 : 0;
}

/* ------------------------------------------------------------------------ the whole */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_begin(void)
{
	(void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

int imap_conn_new(const struct imap_account *a, const atomic_int *cancel, struct imap_conn **out, struct zs_err *err)
{
	struct imap_conn *c;

	if (!a->password)
		return zs_fail(err, ZS_SOURCE, "no password for %s: say password-file=FILE or password-command=COMMAND", a->login);
	(void)pthread_once(&curl_once, curl_begin);
	if (!(c = calloc(1, sizeof *c)))
		return zs_fail_nomem(err);
	c->account = a;
	c->cancel = cancel;
	c->fd = -1;
	if (imap_stream_init(&c->in, conn_fill, c, err) < 0 || conn_login(c, err) < 0 || conn_hello(c, err) < 0) {
		imap_conn_free(c);
		return -1;
	}
	*out = c;
	return 0;
}

void imap_conn_free(struct imap_conn *c)
{
	struct quiet q;

	if (!c)
		return;
	/* libcurl would say LOGOUT and wait for an answer. */
	if (c->fd >= 0)
		(void)shutdown(c->fd, SHUT_RDWR);
	quiet_begin(&q);
	curl_easy_cleanup(c->easy);
	quiet_end(&q);
	imap_stream_fini(&c->in);
	imap_reply_fini(&c->reply);
	zs_buf_fini(&c->out);
	zs_buf_fini(&c->greeting);
	zs_buf_fini(&c->last_line);
	zs_buf_fini(&c->words);
	zs_buf_fini(&c->id);
	free(c);
}

void imap_conn_logout(struct imap_conn *c)
{
	struct pollfd p;
	struct zs_err ignored = {0};

	if (!c)
		return;
	p = (struct pollfd){.fd = c->fd, .events = POLLIN};
	if (imap_conn_add(c, &ignored, "LOGOUT") == 0 && imap_conn_flush(c, &ignored) == 0)
		(void)poll(&p, 1, LOGOUT_MS); /* BYE, or nothing */
	imap_conn_free(c);
}

/* ------------------------------------------------------------------------- commands */

int imap_conn_add(struct imap_conn *c, struct zs_err *err, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	return zs_buf_printf(&c->out, err, "Z%u %s\r\n", ++c->tag, text);
}

static int add_quoted(struct zs_buf *out, struct zs_span s, struct zs_err *err)
{
	if (zs_buf_add_u8(out, '"', err) < 0)
		return -1;
	for (size_t i = 0; i < s.n; i++)
		if (((s.p[i] == '"' || s.p[i] == '\\') && zs_buf_add_u8(out, '\\', err) < 0) || zs_buf_add_u8(out, s.p[i], err) < 0)
			return -1;
	return zs_buf_add_u8(out, '"', err);
}

int imap_conn_add_named(struct imap_conn *c, const char *verb, struct zs_span name, const char *rest, struct zs_err *err)
{
	int is_literal = memchr(name.p, 0, name.n) || memchr(name.p, '\r', name.n) || memchr(name.p, '\n', name.n);
	int rc;

	if (is_literal && (!(c->caps & IMAP_CAP_LITERAL_PLUS) || memchr(name.p, 0, name.n)))
		return zs_fail(err, ZS_LIMIT, "the folder's name has a line's end or a NUL in it and cannot be said to this server");
	if (zs_buf_printf(&c->out, err, "Z%u %s ", ++c->tag, verb) < 0)
		return -1;
	if (is_literal)
		rc = zs_buf_printf(&c->out, err, "{%zu+}\r\n", name.n) < 0 ? -1 : zs_buf_add_span(&c->out, name, err);
	else
		rc = add_quoted(&c->out, name, err);
	return rc < 0 ? -1 : zs_buf_printf(&c->out, err, "%s\r\n", rest);
}

int imap_conn_read(struct imap_conn *c, const struct imap_sink *sink, struct zs_err *err)
{
	char said[160];

	if (imap_reply_read(&c->in, &c->reply, sink, err) < 0)
		return -1;
	if (c->reply.type != IMAP_BYE)
		return 0;
	return zs_fail(err, ZS_SOURCE, "the server ended the connection: %s",
	    imap_names_text(zs_buf_span(&c->reply.text), said, sizeof said));
}

int imap_conn_finish(struct imap_conn *c, uint32_t tag, imap_conn_fn *fn, void *ctx, struct zs_err *err)
{
	const struct imap_reply *r = &c->reply;

	for (;;) {
		if (imap_conn_read(c, NULL, err) < 0)
			return -1;
		if (r->tag == tag) {
			/* CAPABILITY may come as a code of the result too */
			return r->type == IMAP_OK;
		}
		if (r->tag || r->type == IMAP_CONTINUE)
			return imap_stream_garbage(&c->in, "the answer to another command", err);
		if (fn && fn(ctx, r, err) < 0)
			return -1;
	}
}

int imap_conn_run(struct imap_conn *c, imap_conn_fn *fn, void *ctx, struct zs_err *err)
{
	if (imap_conn_flush(c, err) < 0)
		return -1;
	return imap_conn_finish(c, c->tag, fn, ctx, err);
}

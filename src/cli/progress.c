/*
 * Signs of life on standard error: one line on a terminal, JSON lines if asked for,
 * nothing into a pipe.  Also names problems as they come, and notices Ctrl-C.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli.h"

enum style { STYLE_NONE, STYLE_LINE, STYLE_JSON };

struct progress {
	enum style style;
	uint64_t began_ns, shown_ns;
	int on_screen;
	pthread_mutex_t lock; /* guards on_screen and the terminal */
};

static volatile sig_atomic_t signal_seen, child;

void signals_child(pid_t pid)
{
	child = (sig_atomic_t)pid;
}

static void on_signal(int sig)
{
	/* The second one ends us at once, and a hook with us. */
	if (signal_seen) {
		if (child > 0)
			(void)kill(-(pid_t)child, SIGTERM);
		_exit(128 + sig);
	}
	signal_seen = sig;
}

static void on_pipe(int sig)
{
	(void)sig; /* a handler, not SIG_IGN: children start with the default */
}

void signals_setup(void)
{
	struct sigaction a;
	int was_ignored;

	(void)sigaction(SIGHUP, NULL, &a);
	was_ignored = a.sa_handler == SIG_IGN; /* nohup(1) */
	memset(&a, 0, sizeof a);
	a.sa_handler = on_signal;
	(void)sigaction(SIGINT, &a, NULL);
	(void)sigaction(SIGTERM, &a, NULL);
	if (!was_ignored)
		(void)sigaction(SIGHUP, &a, NULL);
	a.sa_handler = on_pipe;
	(void)sigaction(SIGPIPE, &a, NULL);
}

int interrupted(void)
{
	return signal_seen != 0;
}

static int asked_to_stop(void *ctx)
{
	(void)ctx;
	return signal_seen != 0;
}

static void show_json(const struct zs_progress *p, uint64_t elapsed_ns)
{
	struct json j;

	json_begin(&j, stderr);
	json_open(&j, '{');
	json_kv_text(&j, "phase", p->phase ? p->phase : "");
	json_kv_u64(&j, "elapsed_ms", elapsed_ns / 1000000);
	json_kv_u64(&j, "files", p->files);
	json_kv_u64(&j, "files_total", p->files_total);
	json_kv_u64(&j, "bytes", p->bytes);
	json_kv_u64(&j, "bytes_total", p->bytes_total);
	json_kv_u64(&j, "stored_bytes", p->stored_bytes);
	json_kv_u64(&j, "problems", p->problems);
	if (p->current.n)
		json_path(&j, "current", p->current);
	json_close(&j, '}');
	json_end(&j);
}

static unsigned columns(void)
{
	struct winsize w;

	return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 1 ? w.ws_col : 80;
}

static void show_line(const struct zs_progress *p, uint64_t elapsed_ns)
{
	char line[256], done[16], rate[16], eta[32] = "", percent[16] = "";
	double s = (double)elapsed_ns / 1e9;
	int n;

	(void)size_text(p->bytes, done);
	(void)size_text(s > 0 ? (uint64_t)((double)p->bytes / s) : 0, rate);
	if (p->bytes_total > 0 && p->bytes > 0 && p->bytes < p->bytes_total) {
		unsigned left = (unsigned)(s * (double)(p->bytes_total - p->bytes) / (double)p->bytes);

		(void)snprintf(percent, sizeof percent, " %u%%", (unsigned)(100.0 * (double)p->bytes / (double)p->bytes_total));
		(void)snprintf(eta, sizeof eta, ", %u:%02u left", left / 60, left % 60);
	}
	n = snprintf(line, sizeof line, "%s%s  %llu files, %s, %s/s%s  ", p->phase ? p->phase : "", percent,
	    (unsigned long long)p->files, done, rate, eta);
	/* A line that wraps could not be taken back: cut it at the last column but one. */
	(void)fprintf(stderr, "\r\033[K%.*s", (int)columns() - 1, line);
	if (n > 0 && (unsigned)n + 10 < columns())
		print_safe(stderr, p->current, columns() - (unsigned)n - 1);
	(void)fflush(stderr);
}

static void on_progress(void *ctx, const struct zs_progress *p)
{
	struct session *s = ctx;
	struct progress *pr = s->progress;
	uint64_t now = zs_monotonic_ns(), every = pr->style == STYLE_JSON ? 1000000000 : 100000000;

	if (now - pr->shown_ns < every)
		return;
	pr->shown_ns = now;
	(void)pthread_mutex_lock(&pr->lock);
	if (pr->style == STYLE_JSON) {
		show_json(p, now - pr->began_ns);
	} else {
		show_line(p, now - pr->began_ns);
		pr->on_screen = 1;
	}
	(void)pthread_mutex_unlock(&pr->lock);
}

/* Most texts name the path already, as "PATH: reason" or "cannot open PATH: reason". */
static int names_path(struct zs_span text, struct zs_span path)
{
	const uint8_t *at = path.n ? memmem(text.p, text.n, path.p, path.n) : NULL;
	const uint8_t *end = at ? at + path.n : NULL;

	return at && (at == text.p || at[-1] == ' ' || at[-1] == '/') && end < text.p + text.n && *end == ':';
}

static void on_problem(void *ctx, struct zs_span path, const struct zs_err *err)
{
	struct session *s = ctx;

	progress_clear(s);
	(void)pthread_mutex_lock(&s->progress->lock);
	s->problems++;
	flockfile(stderr);
	(void)fputs("zstore: ", stderr);
	if (!names_path(zs_span_str(err->text), path)) {
		print_safe(stderr, path, 0);
		(void)fputs(": ", stderr);
	}
	print_safe(stderr, zs_span_str(err->text), 0);
	(void)fputc('\n', stderr);
	funlockfile(stderr);
	(void)pthread_mutex_unlock(&s->progress->lock);
}

static int style_of(struct session *s, enum style *out, struct zs_err *err)
{
	const char *how = opt_text(s, OPT_PROGRESS, "auto");

	if (strcmp(how, "json") == 0)
		*out = STYLE_JSON;
	else if (strcmp(how, "none") == 0)
		*out = STYLE_NONE;
	else if (strcmp(how, "auto") == 0)
		*out = isatty(STDERR_FILENO) && !s->quiet ? STYLE_LINE : STYLE_NONE;
	else
		return zs_fail(err, ZS_USAGE, "--progress is auto, json or none, not '%s'", how);
	return 0;
}

int progress_start(struct session *s, struct zs_err *err)
{
	enum style style = STYLE_NONE;

	if (style_of(s, &style, err) < 0)
		return -1;
	if (!(s->progress = calloc(1, sizeof *s->progress)))
		return zs_fail_nomem(err);
	s->progress->style = style;
	s->progress->began_ns = s->progress->shown_ns = zs_monotonic_ns();
	(void)pthread_mutex_init(&s->progress->lock, NULL);
	s->observer = (struct zs_observer){s, style == STYLE_NONE ? NULL : on_progress, on_problem, asked_to_stop};
	return 0;
}

void progress_clear(struct session *s)
{
	struct progress *pr = s->progress;

	if (!pr)
		return;
	(void)pthread_mutex_lock(&pr->lock);
	if (pr->on_screen) {
		(void)fputs("\r\033[K", stderr);
		(void)fflush(stderr); /* before what follows on standard output */
	}
	pr->on_screen = 0;
	(void)pthread_mutex_unlock(&pr->lock);
}

void progress_end(struct session *s)
{
	progress_clear(s);
	if (s->progress)
		(void)pthread_mutex_destroy(&s->progress->lock);
	free(s->progress);
	s->progress = NULL;
}

/*
 * Passphrases, key files and recovery codes from files, commands, the environment or
 * the terminal.  Never from argv, never into a message.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "cli.h"

#define SECRET_MAX (64u << 10)
#define KEY_FILE_BYTES 64

static int check_rights(int fd, const char *path, const char *what, struct zs_err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return zs_fail_sys(err, ZS_KEY, errno, "%s %s", what, path);
	if (S_ISREG(st.st_mode) && (st.st_mode & 077))
		return zs_fail(err, ZS_KEY, "%s %s can be read by others (mode %04o): chmod 600 it", what, path, st.st_mode & 07777);
	if (S_ISREG(st.st_mode) && st.st_uid != geteuid() && st.st_uid != 0)
		return zs_fail(err, ZS_KEY, "%s %s belongs to another user", what, path);
	return 0;
}

static int read_secret_file(const char *path, const char *what, struct zs_buf *buf, struct zs_err *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), rc = -1;
	size_t n = 0;

	if (fd < 0)
		return zs_fail_sys(err, ZS_KEY, errno, "%s %s", what, path);
	if (check_rights(fd, path, what, err) < 0 || zs_buf_reserve(buf, SECRET_MAX, err) < 0)
		goto out;
	if (zs_read_full(fd, buf->p, SECRET_MAX, &n, ZS_KEY, path, err) < 0)
		goto out;
	buf->n = n;
	if (n == SECRET_MAX)
		zs_fail(err, ZS_KEY, "%s %s is too long", what, path);
	else if (n == 0)
		zs_fail(err, ZS_KEY, "%s %s is empty", what, path);
	else
		rc = 0;
out:
	(void)close(fd);
	return rc;
}

static int make_key_file(const char *path, struct zs_err *err)
{
	static const char hex[] = "0123456789abcdef";
	uint8_t raw[KEY_FILE_BYTES];
	char text[2 * KEY_FILE_BYTES + 1];
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600), rc = -1;

	if (fd < 0 && errno == EEXIST)
		return 0;
	if (fd < 0)
		return zs_fail_sys(err, ZS_SYSTEM, errno, "cannot make key file %s", path);
	zs_random(raw, sizeof raw);
	for (size_t i = 0; i < sizeof raw; i++) {
		text[2 * i] = hex[raw[i] >> 4];
		text[2 * i + 1] = hex[raw[i] & 15];
	}
	text[2 * KEY_FILE_BYTES] = '\n';
	if (zs_write_all(fd, text, sizeof text, ZS_SYSTEM, path, err) == 0 && fsync(fd) < 0)
		zs_fail_sys(err, ZS_SYSTEM, errno, "cannot write key file %s", path);
	else if (err->cause == ZS_OK)
		rc = 0;
	(void)close(fd);
	zs_wipe(raw, sizeof raw);
	zs_wipe(text, sizeof text);
	return rc;
}

static void cut_line(struct zs_buf *b)
{
	uint8_t *nl = memchr(b->p, '\n', b->n);

	if (nl)
		b->n = (size_t)(nl - b->p);
	if (b->n && b->p[b->n - 1] == '\r')
		b->n--;
}

static int from_command(const char *command, const char *what, struct zs_buf *buf, struct zs_err *err)
{
	FILE *f = popen(command, "re");
	size_t n;
	int status;

	if (!f)
		return zs_fail_sys(err, ZS_KEY, errno, "cannot run the %s command", what);
	if (zs_buf_reserve(buf, SECRET_MAX, err) < 0) {
		(void)pclose(f);
		return -1;
	}
	n = fread(buf->p, 1, SECRET_MAX, f);
	buf->n = n;
	status = pclose(f);
	if (status != 0)
		return zs_fail(err, ZS_KEY, "the %s command failed (status %d)", what, WIFEXITED(status) ? WEXITSTATUS(status) : status);
	cut_line(buf);
	return buf->n ? 0 : zs_fail(err, ZS_KEY, "the %s command printed nothing", what);
}

static int read_tty_line(int fd, struct zs_buf *buf, struct zs_err *err)
{
	char c;
	ssize_t n;

	/* The room is made at once: a buffer that grows would leave copies behind. */
	if (zs_buf_reserve(buf, SECRET_MAX, err) < 0)
		return -1;
	while ((n = read(fd, &c, 1)) == 1 && c != '\n' && buf->n < SECRET_MAX)
		buf->p[buf->n++] = (uint8_t)c;
	if (n < 0)
		return interrupted() ? zs_fail(err, ZS_STOPPED, "interrupted") : zs_fail_sys(err, ZS_KEY, errno, "terminal");
	return 0;
}

static int ask(const char *prompt, struct zs_buf *buf, struct zs_err *err)
{
	struct termios was, quiet;
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC), rc;

	if (fd < 0)
		return zs_fail(err, ZS_KEY, "no passphrase: give --key-file, --passphrase-file, --passphrase-command or ZSTORE_PASSPHRASE");
	(void)dprintf(fd, "%s: ", prompt);
	(void)tcgetattr(fd, &was);
	quiet = was;
	quiet.c_lflag &= ~(tcflag_t)ECHO;
	(void)tcsetattr(fd, TCSAFLUSH, &quiet);
	rc = read_tty_line(fd, buf, err);
	(void)tcsetattr(fd, TCSAFLUSH, &was);
	(void)dprintf(fd, "\n");
	(void)close(fd);
	if (rc == 0 && buf->n == 0)
		rc = zs_fail(err, ZS_KEY, "an empty passphrase");
	return rc;
}

static int ask_twice(struct zs_buf *buf, struct zs_err *err)
{
	struct zs_buf again = ZS_BUF_INIT;
	int rc = ask("New passphrase", buf, err);

	if (rc == 0)
		rc = ask("The same again", &again, err);
	if (rc == 0 && !zs_span_eq(zs_buf_span(buf), zs_buf_span(&again)))
		rc = zs_fail(err, ZS_KEY, "the two passphrases differ");
	zs_buf_wipe(&again);
	return rc;
}

/* Which of the ways apply; second: the new secret of "key add" and "key passwd". */
struct ways { const char *key_file, *passphrase_file, *command, *passphrase; };

static struct ways ways_of(struct session *s, int second)
{
	if (second)
		return (struct ways){opt_text(s, OPT_NEW_KEY_FILE, NULL), opt_text(s, OPT_NEW_PASSPHRASE_FILE, NULL), NULL,
		    env_text("ZSTORE_NEW_PASSPHRASE")};
	if (opt_given(s, OPT_KEY_FILE) || opt_given(s, OPT_PASSPHRASE_FILE) || opt_given(s, OPT_PASSPHRASE_COMMAND))
		return (struct ways){opt_text(s, OPT_KEY_FILE, NULL), opt_text(s, OPT_PASSPHRASE_FILE, NULL),
		    opt_text(s, OPT_PASSPHRASE_COMMAND, NULL), NULL};
	if (env_text("ZSTORE_KEY_FILE") || env_text("ZSTORE_PASSPHRASE_FILE") || env_text("ZSTORE_PASSPHRASE_COMMAND") ||
	    env_text("ZSTORE_PASSPHRASE"))
		return (struct ways){env_text("ZSTORE_KEY_FILE"), env_text("ZSTORE_PASSPHRASE_FILE"), env_text("ZSTORE_PASSPHRASE_COMMAND"),
		    env_text("ZSTORE_PASSPHRASE")};
	return (struct ways){settings_text(s, "key-file"), settings_text(s, "passphrase-file"), settings_text(s, "passphrase-command"), NULL};
}

int secret_get(struct session *s, enum secret_use use, int second, struct zs_buf *buf, struct zs_secret *out, struct zs_err *err)
{
	struct ways w = ways_of(s, second);
	int rc;

	*out = (struct zs_secret){.type = ZS_SECRET_PASSPHRASE};
	if (w.key_file) {
		out->type = ZS_SECRET_KEYFILE;
		rc = use == SECRET_NEW ? make_key_file(w.key_file, err) : 0;
		if (rc == 0)
			rc = read_secret_file(w.key_file, "key file", buf, err);
	} else if (w.passphrase_file) {
		rc = read_secret_file(w.passphrase_file, "passphrase file", buf, err);
		if (rc == 0)
			cut_line(buf);
	} else if (w.command) {
		rc = from_command(w.command, "passphrase", buf, err);
	} else if (w.passphrase) {
		rc = zs_buf_add(buf, w.passphrase, strlen(w.passphrase), err);
	} else {
		rc = use == SECRET_NEW ? ask_twice(buf, err) : ask("Passphrase", buf, err);
	}
	if (rc == 0 && buf->n == 0)
		rc = zs_fail(err, ZS_KEY, "an empty passphrase");
	out->bytes = zs_buf_span(buf);
	return rc;
}

int password_get(const struct password_ways *ways, struct zs_buf *buf, struct zs_err *err)
{
	const char *value = ways->variable ? env_text(ways->variable) : NULL;

	if (ways->file) {
		if (read_secret_file(ways->file, "password file", buf, err) < 0)
			return -1;
		cut_line(buf);
		return buf->n ? 1 : zs_fail(err, ZS_KEY, "password file %s: its first line is empty", ways->file);
	}
	if (ways->command)
		return from_command(ways->command, "password", buf, err) < 0 ? -1 : 1;
	if (!value)
		return 0;
	return zs_buf_add(buf, value, strlen(value), err) < 0 ? -1 : 1;
}

/* Only letters, digits and at least four dashes or blanks between groups: worth a try as a code. */
int secret_looks_like_recovery(struct zs_span text)
{
	unsigned symbols = 0;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'))
			symbols++;
		else if (c != '-' && c != ' ')
			return 0;
	}
	return symbols >= 20 && symbols <= 64;
}

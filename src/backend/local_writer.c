/*
 * Names of temporary files, and the proof that their writer is dead.  A name carries host, machine, boot, pid
 * namespace, pid and the process's start; any doubt means alive.  Removing the files is left to local_list.c.
 */
#include "backend_private.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define VERSION "1"

/* the text of a small file up to its first white space; "" if it cannot be had */
static void read_word(const char *path, char *out, size_t max)
{
	struct zs_buf b = ZS_BUF_INIT;
	struct zs_err err;
	size_t n;

	out[0] = '\0';
	if (zs_read_file(path, 4096, &b, ZS_SYSTEM, &err) == 0) {
		for (n = 0; n < b.n && n + 1 < max && b.p[n] > ' '; n++)
			out[n] = (char)b.p[n];
		out[n] = '\0';
	}
	zs_buf_fini(&b);
}

/* field 22 of /proc/PID/stat: 1, or 0 if unknown.  The command (field 2) may hold anything, also ')' and blanks. */
static int read_start(uint64_t pid, uint64_t *out)
{
	struct zs_buf b = ZS_BUF_INIT;
	char path[64], *p;
	struct zs_err err;
	int field, rc = 0;

	(void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
	if (zs_read_file(path, 65536, &b, ZS_SYSTEM, &err) < 0 || zs_buf_add_u8(&b, 0, &err) < 0)
		goto out;
	p = strrchr((char *)b.p, ')');
	for (field = 2; p && field < 22; field++) {
		p = strchr(p, ' ');
		if (p)
			p++;
	}
	if (p && *p >= '0' && *p <= '9') {
		*out = strtoull(p, NULL, 10);
		rc = 1;
	}
out:
	zs_buf_fini(&b);
	return rc;
}

static uint64_t own_pid_ns(void)
{
	struct stat st;
	char self[32];
	ssize_t n = readlink("/proc/self", self, sizeof(self) - 1);

	if (n <= 0)
		return 0;
	self[n] = '\0';
	/* a /proc of another namespace would say wrong things about our pids */
	if (strtoull(self, NULL, 10) != (uint64_t)getpid() || stat("/proc/self/ns/pid", &st) < 0)
		return 0;
	return (uint64_t)st.st_ino;
}

void local_writer_self(struct local_writer *w)
{
	struct utsname u;
	char id[64], *p;

	*w = (struct local_writer){.pid = (uint64_t)getpid()};
	if (uname(&u) < 0 || !u.nodename[0])
		(void)strcpy(u.nodename, "unknown");
	(void)snprintf(w->host, sizeof(w->host), "%.64s", u.nodename);
	for (p = w->host; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_", *p))
			*p = '_';
	read_word("/etc/machine-id", id, sizeof(id));
	w->machine = id[0] ? zs_hash64(0, zs_span_str(id)) : 0;
	read_word("/proc/sys/kernel/random/boot_id", w->boot, sizeof(w->boot));
	w->pid_ns = own_pid_ns();
	if (!read_start(w->pid, &w->start))
		w->pid_ns = 0;
}

void local_writer_name(const struct local_writer *w, uint64_t serial, char out[static LOCAL_TEMP_NAME])
{
	(void)snprintf(out, LOCAL_TEMP_NAME,
	    VERSION ",%s,%016" PRIx64 ",%s,%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64, w->host, w->machine, w->boot,
	    w->pid_ns, w->pid, w->start, serial);
}

static int take_number(char **rest, int base, uint64_t *out)
{
	char *field = strsep(rest, ","), *end;

	if (!field || !*field || strspn(field, "0123456789abcdef") != strlen(field))
		return -1;
	errno = 0;
	*out = strtoull(field, &end, base);
	return *end || errno ? -1 : 0;
}

static int take_text(char **rest, char *out, size_t max)
{
	char *field = strsep(rest, ",");

	if (!field || strlen(field) >= max)
		return -1;
	(void)strcpy(out, field);
	return 0;
}

static int parse(const char *name, struct local_writer *out)
{
	char copy[LOCAL_TEMP_NAME], version[8], *rest = copy;
	uint64_t serial;

	if (strlen(name) >= sizeof(copy))
		return -1;
	(void)strcpy(copy, name);
	if (take_text(&rest, version, sizeof(version)) < 0 || strcmp(version, VERSION) != 0)
		return -1;
	if (take_text(&rest, out->host, sizeof(out->host)) < 0 || take_number(&rest, 16, &out->machine) < 0 ||
	    take_text(&rest, out->boot, sizeof(out->boot)) < 0 || take_number(&rest, 10, &out->pid_ns) < 0 ||
	    take_number(&rest, 10, &out->pid) < 0 || take_number(&rest, 10, &out->start) < 0 ||
	    take_number(&rest, 10, &serial) < 0)
		return -1;
	return rest || out->pid < 1 || out->pid > INT32_MAX ? -1 : 0;
}

int local_writer_dead(const struct local_writer *self, const char *name)
{
	struct local_writer w;
	uint64_t start;

	if (parse(name, &w) < 0 || strcmp(w.host, self->host) != 0 || w.machine != self->machine)
		return 0;
	if (!w.boot[0] || !self->boot[0])
		return 0;
	/* the same machine has started anew since; the host's name alone would not say that it is the same */
	if (strcmp(w.boot, self->boot) != 0)
		return w.machine != 0;
	if (w.pid_ns == 0 || w.pid_ns != self->pid_ns)
		return 0;
	if (kill((pid_t)w.pid, 0) < 0 && errno == ESRCH)
		return 1;
	return read_start(w.pid, &start) && start != w.start;
}

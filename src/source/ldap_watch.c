/*
 * Connecting comes to an end: libldap waits without limit in a TLS handshake, and asking it not to block does not help there.  So a
 * thread waits beside it, and shuts the socket down when the time is over.
 */
#include "ldap_private.h"

#include <errno.h>
#include <lber.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

struct ldap_watch {
	struct ldap_conncb callback;
	LDAP *ld;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t ended;
	struct timespec until;
	int fd; /* -1: none */
	int has_ended, is_late;
};

static int on_connect(LDAP *ld, Sockbuf *sb, LDAPURLDesc *server, struct sockaddr *address, struct ldap_conncb *callback)
{
	struct ldap_watch *w = callback->lc_arg;
	ber_socket_t fd = -1;

	(void)ld;
	(void)server;
	(void)address;
	(void)ber_sockbuf_ctrl(sb, LBER_SB_OPT_GET_FD, &fd);
	(void)pthread_mutex_lock(&w->lock);
	w->fd = fd;
	if (w->is_late) /* one more address of the same server */
		(void)shutdown(fd, SHUT_RDWR);
	(void)pthread_mutex_unlock(&w->lock);
	return 0;
}

/* Before the socket is closed. */
static void on_close(LDAP *ld, Sockbuf *sb, struct ldap_conncb *callback)
{
	struct ldap_watch *w = callback->lc_arg;

	(void)ld;
	(void)sb;
	(void)pthread_mutex_lock(&w->lock);
	w->fd = -1;
	(void)pthread_mutex_unlock(&w->lock);
}

static void *watch(void *ctx)
{
	struct ldap_watch *w = ctx;

	(void)pthread_mutex_lock(&w->lock);
	while (!w->has_ended && !w->is_late)
		w->is_late = pthread_cond_timedwait(&w->ended, &w->lock, &w->until) == ETIMEDOUT && !w->has_ended;
	if (w->is_late && w->fd >= 0)
		(void)shutdown(w->fd, SHUT_RDWR);
	(void)pthread_mutex_unlock(&w->lock);
	return NULL;
}

int ldap_watch_begin(LDAP *ld, unsigned seconds, struct ldap_watch **out, struct zs_err *err)
{
	struct ldap_watch *w = calloc(1, sizeof *w);
	pthread_condattr_t monotonic;
	int rc;

	if (!w)
		return zs_fail_nomem(err);
	w->ld = ld;
	w->fd = -1;
	w->callback = (struct ldap_conncb){.lc_add = on_connect, .lc_del = on_close, .lc_arg = w};
	(void)clock_gettime(CLOCK_MONOTONIC, &w->until);
	w->until.tv_sec += (time_t)seconds;
	(void)pthread_mutex_init(&w->lock, NULL);
	(void)pthread_condattr_init(&monotonic);
	(void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&w->ended, &monotonic);
	(void)pthread_condattr_destroy(&monotonic);
	if ((rc = pthread_create(&w->thread, NULL, watch, w)) != 0) {
		(void)pthread_cond_destroy(&w->ended);
		(void)pthread_mutex_destroy(&w->lock);
		free(w);
		return zs_fail_sys(err, ZS_SYSTEM, rc, "cannot start a thread");
	}
	(void)ldap_set_option(ld, LDAP_OPT_CONNECT_CB, &w->callback);
	*out = w;
	return 0;
}

int ldap_watch_end(struct ldap_watch *w)
{
	int is_late;

	(void)pthread_mutex_lock(&w->lock);
	w->has_ended = 1;
	(void)pthread_cond_signal(&w->ended);
	(void)pthread_mutex_unlock(&w->lock);
	(void)pthread_join(w->thread, NULL);
	(void)ldap_get_option(w->ld, LDAP_OPT_CONNECT_CB, &w->callback); /* which takes it out */
	is_late = w->is_late;
	(void)pthread_cond_destroy(&w->ended);
	(void)pthread_mutex_destroy(&w->lock);
	free(w);
	return is_late;
}

/*
 * The entries being restored, in an anonymous file: path and entry one after the other, and beside it a byte of
 * state for each.  So a restore of any number of files needs the memory of a few.
 */
#include <string.h>
#include <unistd.h>

#include "restore_private.h"

#define HEAD 24u /* number, path length, entry length */
#define TAIL_BYTES (256u << 10)
#define READ_BYTES 2048u /* of a record at first: most are shorter */
#define RECORD_MAX (HEAD + ZS_PATH_MAX + ZS_NODE_MAX)

static const char what[] = "temporary file";

int restore_list_init(struct list *l, const char *tmp_dir, struct zs_err *err)
{
	*l = (struct list){.fd = -1, .states_fd = -1};
	l->fd = zs_temp_file(tmp_dir, err);
	if (l->fd < 0)
		return -1;
	l->states_fd = zs_temp_file(tmp_dir, err);
	return l->states_fd < 0 ? -1 : 0;
}

void restore_list_fini(struct list *l)
{
	if (l->fd >= 0)
		(void)close(l->fd);
	if (l->states_fd >= 0)
		(void)close(l->states_fd);
	zs_buf_fini(&l->tail);
	*l = (struct list){.fd = -1, .states_fd = -1};
}

int restore_list_pack(struct zs_buf *out, struct list_place place, struct zs_span path, struct zs_span encoded,
    struct zs_err *err)
{
	uint8_t head[HEAD];

	zs_put_u64(head, place.number);
	zs_put_u64(head + 8, place.at);
	zs_put_u32(head + 16, (uint32_t)path.n);
	zs_put_u32(head + 20, (uint32_t)encoded.n);
	if (zs_buf_reserve(out, HEAD + path.n + encoded.n, err) < 0 || zs_buf_add(out, head, HEAD, err) < 0 ||
	    zs_buf_add_span(out, path, err) < 0)
		return -1;
	return zs_buf_add_span(out, encoded, err);
}

/* The length of the record that begins so, or 0. */
static size_t record_bytes(struct zs_span s)
{
	return s.n < HEAD ? 0 : (size_t)HEAD + zs_get_u32(s.p + 16) + zs_get_u32(s.p + 20);
}

int restore_list_unpack(struct zs_span *s, struct list_entry *out, struct zs_err *err)
{
	size_t n = record_bytes(*s), path_n;

	if (!n || n > s->n)
		return zs_fail(err, ZS_SYSTEM, "%s: it is not what was written", what);
	path_n = zs_get_u32(s->p + 16);
	out->place = (struct list_place){zs_get_u64(s->p), zs_get_u64(s->p + 8)};
	out->path = zs_span(s->p + HEAD, path_n);
	if (zs_format_entry_decode(zs_span(s->p + HEAD + path_n, n - HEAD - path_n), &out->entry, err) < 0)
		return -1;
	*s = zs_span(s->p + n, s->n - n);
	return 0;
}

int restore_list_flush(struct list *l, struct zs_err *err)
{
	if (l->tail.n && zs_pwrite_all(l->fd, l->tail.p, l->tail.n, l->written, ZS_SYSTEM, what, err) < 0)
		return -1;
	l->written += l->tail.n;
	zs_buf_clear(&l->tail);
	return 0;
}

int restore_list_add(struct list *l, struct zs_span path, struct zs_span encoded, struct list_place *out, struct zs_err *err)
{
	*out = (struct list_place){l->count, l->written + l->tail.n};
	if (restore_list_pack(&l->tail, *out, path, encoded, err) < 0)
		return -1;
	l->count++;
	return l->tail.n >= TAIL_BYTES ? restore_list_flush(l, err) : 0;
}

int restore_list_read(const struct list *l, struct list_place place, struct zs_buf *buf, struct list_entry *out,
    struct zs_err *err)
{
	size_t want = READ_BYTES, got, need;
	struct zs_span s;

	if (place.at >= l->written)
		return 0;
	for (;;) {
		zs_buf_clear(buf);
		if (zs_buf_reserve(buf, want, err) < 0 || zs_pread_full(l->fd, buf->p, want, place.at, &got, ZS_SYSTEM,
		    what, err) < 0)
			return -1;
		buf->n = got;
		need = record_bytes(zs_buf_span(buf));
		if (need <= got || need > RECORD_MAX || got < want)
			break;
		want = need;
	}
	s = zs_buf_span(buf);
	if (restore_list_unpack(&s, out, err) < 0)
		return -1;
	buf->n = need;
	return 1;
}

struct list_place restore_list_after(const struct list_entry *e, const struct zs_buf *buf)
{
	return (struct list_place){e->place.number + 1, e->place.at + buf->n};
}

int restore_list_state(const struct list *l, uint64_t number, enum restore_list_state *out, struct zs_err *err)
{
	uint8_t byte = LIST_NEW;
	size_t got;

	if (zs_pread_full(l->states_fd, &byte, 1, number, &got, ZS_SYSTEM, what, err) < 0)
		return -1;
	*out = got ? (enum restore_list_state)byte : LIST_NEW;
	return 0;
}

int restore_list_set_state(const struct list *l, uint64_t number, enum restore_list_state state, struct zs_err *err)
{
	uint8_t byte = (uint8_t)state;

	return zs_pwrite_all(l->states_fd, &byte, 1, number, ZS_SYSTEM, what, err);
}

void restore_list_key(uint8_t out[static 8], uint64_t v)
{
	for (unsigned i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> (56 - 8 * i));
}

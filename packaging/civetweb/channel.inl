/*
 * A channel is one connection of the server, from accept to close: its socket, TLS, the bytes that came
 * and are not used up yet, and those that are to go and have not gone. CivetWeb is included with this
 * file by our patch.
 *
 * Nothing here waits, but for the one case of channel_read with may_block. Bytes that wait are on the
 * heap, as many as came and never as many as were announced, and all of them together are bounded.
 */

#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <sys/timerfd.h>

/* So long a worker waits for a client that has just sent a part of a handshake, or got an answer. It is the
 * listening sockets' receive timeout, which connections inherit. */
#define OWN_WAIT_MS (20)
/* What a worker reads into, and what it encrypts into. A request that is there as a whole, and an answer
 * that is taken at once, need no memory of their own. */
#define SCRATCH_SIZE (32 * 1024)
/* Of lasting bytes and of a source so many are encrypted at a time: a record. */
#define PIECE_BYTES (16 * 1024)
/* Room for a piece of a source, at least. */
#define PIECE_MIN_BYTES (4 * 1024)

enum channel_state {
	CHANNEL_HANDSHAKE, /* of TLS */
	CHANNEL_HEAD,      /* for a request: new, idle, or with a part of its head */
	CHANNEL_BODY,      /* for the rest of a body that the application wants */
	CHANNEL_WRITE,     /* for the client to take the rest of an answer */
	CHANNEL_LINGER     /* for the client to close; what it sends is dropped */
};

struct bytes {
	char *ptr;
	size_t len, size;
};

struct scratch {
	char in[SCRATCH_SIZE], out[SCRATCH_SIZE];
	char plain[PIECE_BYTES]; /* of a source, before it is encrypted */
};

struct request_body {
	int64_t announced; /* Content-Length; 0 with chunks */
	int is_chunked;
	int is_whole; /* with chunks: all of them are decoded */
	int is_suspended;
	int has_trailer; /* left unread: the connection ends with this request */
	struct chunks chunks;
	size_t len;   /* decoded so far, behind the head */
	size_t end;   /* with chunks that are whole: where the next request begins */
	size_t limit; /* what the application takes */
	size_t first; /* so much of it is awaited; 0: all */
	struct mg_pace pace; /* of those bytes */
	/* Of one that is read while it comes, where `announced` or `len` and `limit` are what is left: */
	uint64_t left_ns; /* of the client's time to send it */
	enum mg_body_state verdict;
};

struct channel {
	/* Guarded by the mutex of struct waiting. */
	struct channel *prev, *next; /* the younger and the older one */

	/* Constant while it is open. */
	uint32_t generation; /* another one for every connection the slot has had */
	struct waiting *waiting;
	int sock;
	int is_tls;
	int port; /* of the listening socket it came by */

	/* The holder's: a worker's, or who closes it. */
	enum channel_state state;
	int is_registered; /* with the epoll, if disarmed */
	int is_served;  /* it is between two requests: it becomes the youngest when it is given */
	int is_newcomer; /* and counted as such: see hold_back */
	int is_own;     /* its client has just spoken: its worker may wait for more for a moment */
	int is_late;    /* its time is over, and a worker is to tell the client */
	int is_leaving; /* that is so because somebody needs its place or its memory: it closes with its answer */
	int is_unfinished; /* counted as such */
	int is_paused;     /* the application waits for something else: see mg_pause */
	mg_left left;      /* of what is paused */
	int keep;       /* after what is being written */
	int expects_more; /* of the request: its body was not read to its end */
	int is_gone;      /* the peer is: sending has failed */
	int is_cut;       /* an answer did not find room to wait, or the peer was gone */
	int may_block;  /* while TLS reads */
	int has_ended_tls; /* close_notify was sent, or tried to be */
	uint32_t events;
	uint64_t deadline_ns; /* 0: begins when it is waited for */
	SSL *ssl;
	struct bytes in;  /* as they are read: with TLS, plain */
	struct bytes out; /* as they are sent: with TLS, encrypted */
	struct {
		const char *ptr;
		size_t len;
	} lasting; /* behind them, the application's, as it wrote them */
	struct mg_source source; /* behind them; next is NULL: there is none, or no more */
	struct scratch *scratch; /* of the worker that holds it; in.ptr and out.ptr may be in there */
	size_t head_len;
	struct request_body body;
	int64_t linger_left;
	int handled; /* requests so far */
	union usa peer;
	char remote_addr[IP_ADDR_STR_LEN];
	union {
		char bytes[MG_REQUEST_MEMORY];
		int64_t align;
	} memory; /* the application's, for one request */
};


static uint64_t
mono_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}


/* ---- bytes on the heap ---- */

static void count_bytes(struct waiting *waiting, int64_t more);
static int reserve_bytes(struct waiting *waiting, size_t size);

/* Passwords and tokens are among them. */
static void
bytes_free(struct waiting *waiting, struct bytes *bytes)
{
	if (bytes->ptr != NULL) {
		explicit_bzero(bytes->ptr, bytes->len);
		mg_free(bytes->ptr);
		count_bytes(waiting, -(int64_t)bytes->size);
	}
	memset(bytes, 0, sizeof(*bytes));
}


static int
is_borrowed(const struct channel *channel, const struct bytes *bytes)
{
	const struct scratch *scratch = channel->scratch;

	return (scratch != NULL)
	       && ((bytes->ptr == scratch->in) || (bytes->ptr == scratch->out));
}


/* A copy in a place of that size. False: there is no memory for it, or no room among the bytes that may wait. */
static int
bytes_move(struct channel *channel, struct bytes *bytes, size_t size)
{
	struct waiting *waiting = channel->waiting;
	struct bytes larger = {NULL, bytes->len, size};

	if (!reserve_bytes(waiting, size)) {
		return 0;
	}
	larger.ptr = (char *)mg_malloc(size);
	if (larger.ptr == NULL) {
		count_bytes(waiting, -(int64_t)size);
		return 0;
	}
	if (bytes->len > 0) {
		memcpy(larger.ptr, bytes->ptr, bytes->len);
	}
	if (is_borrowed(channel, bytes)) {
		explicit_bzero(bytes->ptr, bytes->len);
	} else {
		bytes_free(waiting, bytes);
	}
	*bytes = larger;
	return 1;
}


/* Only the first `len` are left. */
static int
bytes_shrink(struct channel *channel, struct bytes *bytes, size_t len)
{
	struct bytes smaller = {(char *)mg_malloc(len), len, len};

	if (smaller.ptr == NULL) {
		return 0;
	}
	memcpy(smaller.ptr, bytes->ptr, len);
	bytes_free(channel->waiting, bytes);
	count_bytes(channel->waiting, (int64_t)len);
	*bytes = smaller;
	return 1;
}


/* Room for so many more. They grow by doubling, but beyond `most` only as far as they must. */
static int
bytes_reserve(struct channel *channel, struct bytes *bytes, size_t more, size_t most)
{
	const size_t wanted = bytes->len + more;
	size_t size;

	if ((bytes->ptr == NULL) && (channel->scratch != NULL)) {
		bytes->ptr = (bytes == &channel->in) ? channel->scratch->in
		                                     : channel->scratch->out;
		bytes->size = SCRATCH_SIZE;
	}
	if (wanted <= bytes->size) {
		return 1;
	}
	size = (2 * bytes->size < most) ? 2 * bytes->size : most;
	return bytes_move(channel, bytes, (wanted > size) ? wanted : size);
}


/* Nothing of them is left. */
static void
bytes_empty(struct channel *channel, struct bytes *bytes)
{
	if (is_borrowed(channel, bytes)) {
		explicit_bzero(bytes->ptr, bytes->len);
		memset(bytes, 0, sizeof(*bytes));
	} else {
		bytes_free(channel->waiting, bytes);
	}
}


/* The first `used` are done with. Where the others lay nothing of them is left, either. */
static void
bytes_consume(struct channel *channel, struct bytes *bytes, size_t used)
{
	const size_t left = bytes->len - used;

	if (left == 0) {
		bytes_empty(channel, bytes);
		return;
	}
	memmove(bytes->ptr, bytes->ptr + used, left);
	explicit_bzero(bytes->ptr + left, used);
	bytes->len = left;
}


static int
keep_bytes(struct channel *channel, struct bytes *bytes)
{
	if (bytes->len == 0) {
		bytes_empty(channel, bytes);
	}
	return !is_borrowed(channel, bytes) || bytes_move(channel, bytes, bytes->len);
}


/* The channel's bytes leave the worker's memory. What TLS does not need while it waits, 34 KiB, is freed. */
static int
channel_keep_bytes(struct channel *channel)
{
	if ((channel->ssl != NULL) && (channel->state == CHANNEL_HEAD)) {
		(void)SSL_free_buffers(channel->ssl);
	}
	return keep_bytes(channel, &channel->in) && keep_bytes(channel, &channel->out);
}


/* ---- TLS ---- */

static int channel_append(struct channel *channel, const char *buf, size_t size);
static int channel_flush(struct channel *channel);

/* OpenSSL's own BIO for sockets would raise SIGPIPE, send in many pieces, and wait always or never. */
static int
tls_bio_read(BIO *bio, char *buf, int size)
{
	struct channel *channel = (struct channel *)BIO_get_data(bio);
	int n;

	if (channel->may_block && (channel->out.len > 0)) {
		(void)channel_flush(channel); /* the client waits for it */
	}
	n = (int)recv(channel->sock,
	              buf,
	              (size_t)size,
	              channel->may_block ? 0 : MSG_DONTWAIT);
	/* Once: OpenSSL asks again and again for the rest of a record, which may come byte by byte */
	channel->may_block = 0;
	BIO_clear_retry_flags(bio);
	if ((n < 0) && (ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR))) {
		BIO_set_retry_read(bio);
	}
	channel->is_own |= (n > 0);
	return n;
}


/* What is encrypted waits for channel_flush: end of handshake, answer and farewell make one send. */
static int
tls_bio_write(BIO *bio, const char *buf, int size)
{
	BIO_clear_retry_flags(bio);
	return channel_append((struct channel *)BIO_get_data(bio), buf, (size_t)size) ? size
	                                                                             : -1;
}


static long
tls_bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return (command == BIO_CTRL_FLUSH);
}


static BIO_METHOD *
tls_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK,
	                                  "connection");

	if (method != NULL) {
		BIO_meth_set_read(method, tls_bio_read);
		BIO_meth_set_write(method, tls_bio_write);
		BIO_meth_set_ctrl(method, tls_bio_ctrl);
	}
	return method;
}


static int
channel_begin_tls(struct channel *channel, SSL_CTX *ssl_ctx, BIO_METHOD *method)
{
	BIO *bio = BIO_new(method);

	channel->ssl = SSL_new(ssl_ctx);
	if ((bio == NULL) || (channel->ssl == NULL)) {
		BIO_free(bio);
		return 0;
	}
	BIO_set_data(bio, channel);
	BIO_set_init(bio, 1);
	SSL_set_bio(channel->ssl, bio, bio);
	SSL_set_mode(channel->ssl,
	             SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(channel->ssl, 1);
	return 1;
}


/* What an operation of OpenSSL that did not go well waits for. False: it is no use to wait. */
static int
tls_wants(struct channel *channel, int result)
{
	switch (SSL_get_error(channel->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		channel->events = EPOLLIN | EPOLLRDHUP;
		return 1;
	default:
		return 0;
	}
}


/* ---- reading and writing ---- */

enum { CHANNEL_AGAIN = 0, CHANNEL_GONE = -1 };

/*
 * More bytes behind those that are there. How many; CHANNEL_AGAIN: none now, and channel->events is what
 * to wait for; CHANNEL_GONE: there will be no more. With may_block it waits for OWN_WAIT_MS.
 */
static int
channel_read(struct channel *channel, int may_block)
{
	struct bytes *in = &channel->in;
	const size_t size = in->size - in->len;
	int n;

	if (channel->ssl != NULL) {
		ERR_clear_error();
		channel->may_block = may_block;
		n = SSL_read(channel->ssl, in->ptr + in->len, (int)size);
		channel->may_block = 0;
		if (n <= 0) {
			n = tls_wants(channel, n) ? CHANNEL_AGAIN : CHANNEL_GONE;
		}
	} else {
		n = (int)recv(channel->sock,
		              in->ptr + in->len,
		              size,
		              may_block ? 0 : MSG_DONTWAIT);
		if (n == 0) {
			n = CHANNEL_GONE;
		} else if (n < 0) {
			n = (ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR)) ? CHANNEL_AGAIN
			                                               : CHANNEL_GONE;
		}
		channel->events = EPOLLIN | EPOLLRDHUP;
	}
	if (n > 0) {
		in->len += (size_t)n;
	}
	return n;
}


/* Has TLS taken bytes from the socket that nobody has read? The epoll does not know of them. */
static int
channel_has_pending(const struct channel *channel)
{
	return (channel->ssl != NULL) && SSL_has_pending(channel->ssl);
}


/* What became of a send: how many bytes went; CHANNEL_AGAIN and CHANNEL_GONE as above. */
static int
judge_sent(struct channel *channel, ssize_t n)
{
	if (n > 0) {
		return (int)n;
	}
	if ((n == 0) || ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR)) {
		return CHANNEL_AGAIN;
	}
	channel->is_gone = 1;
	return CHANNEL_GONE;
}


/* As many as the client takes now. */
static int
channel_send_some(struct channel *channel, const char *buf, size_t size)
{
	return judge_sent(channel,
	                  send(channel->sock,
	                       buf,
	                       (size < INT_MAX) ? size : INT_MAX,
	                       MSG_DONTWAIT | MSG_NOSIGNAL));
}


/* 1: no lasting bytes are left. */
static int
send_lasting(struct channel *channel)
{
	while (channel->lasting.len > 0) {
		const int n =
		    channel_send_some(channel, channel->lasting.ptr, channel->lasting.len);

		if (n <= 0) {
			channel->events = EPOLLOUT;
			return n;
		}
		channel->lasting.ptr += n;
		channel->lasting.len -= (size_t)n;
	}
	return 1;
}


/* 1: nothing is left to be sent; with TLS, nothing that is encrypted. */
static int
channel_flush(struct channel *channel)
{
	struct bytes *out = &channel->out;
	size_t sent = 0;

	while (sent < out->len) {
		const int n = channel_send_some(channel, out->ptr + sent, out->len - sent);

		if (n <= 0) {
			bytes_consume(channel, out, sent);
			channel->events = EPOLLOUT;
			return n;
		}
		sent += (size_t)n;
	}
	bytes_empty(channel, out);
	return (channel->ssl != NULL) ? 1 : send_lasting(channel);
}


/* Behind what is to be sent. What does not fit into the worker's memory goes out first, or as much of it
 * as the client takes. */
static int
channel_append(struct channel *channel, const char *buf, size_t size)
{
	struct bytes *out = &channel->out;

	if ((out->len > 0) && (out->len + size > SCRATCH_SIZE)
	    && (channel_flush(channel) == CHANNEL_GONE)) {
		return 0;
	}
	if (!bytes_reserve(channel, out, size, SIZE_MAX)) {
		return 0;
	}
	memcpy(out->ptr + out->len, buf, size);
	out->len += size;
	return 1;
}


/* Sends what the client takes now, and keeps the rest; with TLS it keeps all, for what comes next to go
 * out with it: see channel_flush. False: the client will not get it. */
static int
channel_write(struct channel *channel, const char *buf, size_t size)
{
	int n = 1;

	if (channel->ssl != NULL) {
		ERR_clear_error();
		while ((size > 0) && (n > 0)) {
			n = SSL_write(channel->ssl, buf, (size < INT_MAX) ? (int)size : INT_MAX);
			channel->is_gone |=
			    (n <= 0) && (SSL_get_error(channel->ssl, n) == SSL_ERROR_SSL);
			buf += (n > 0) ? n : 0;
			size -= (n > 0) ? (size_t)n : 0;
		}
		return (size == 0);
	}
	while ((size > 0) && (channel->out.len == 0) && (n > 0)) {
		n = channel_send_some(channel, buf, size);
		buf += (n > 0) ? n : 0;
		size -= (n > 0) ? (size_t)n : 0;
	}
	return (n != CHANNEL_GONE)
	       && ((size == 0) || channel_append(channel, buf, size));
}


/* As channel_write, of two pieces. What the client takes at once is copied nowhere. */
static int
channel_write_both(struct channel *channel,
                   const char *buf,
                   size_t size,
                   const char *more,
                   size_t more_size)
{
	struct iovec pieces[2] = {{(void *)(uintptr_t)buf, size},
	                          {(void *)(uintptr_t)more, more_size}};
	struct msghdr message;
	size_t sent = 0, sent_more;
	int n;

	if ((channel->ssl == NULL) && (channel->out.len == 0) && (size + more_size < INT_MAX)) {
		memset(&message, 0, sizeof(message));
		message.msg_iov = pieces;
		message.msg_iovlen = 2;
		n = judge_sent(channel,
		               sendmsg(channel->sock, &message, MSG_DONTWAIT | MSG_NOSIGNAL));
		if (n == CHANNEL_GONE) {
			return 0;
		}
		sent = (size_t)n;
	}
	sent_more = (sent > size) ? sent - size : 0;
	sent -= sent_more;
	return channel_write(channel, buf + sent, size - sent)
	       && channel_write(channel, more + sent_more, more_size - sent_more);
}


/* With TLS what goes out next: a piece of the lasting bytes, and behind the last one of an answer that ends
 * its connection the farewell. False: there is nothing more. */
static int
channel_encrypt_next(struct channel *channel)
{
	const size_t left = channel->lasting.len;

	if (channel->ssl == NULL) {
		return 0;
	}
	ERR_clear_error();
	if (left > 0) {
		const int n = SSL_write(channel->ssl,
		                        channel->lasting.ptr,
		                        (left < PIECE_BYTES) ? (int)left : PIECE_BYTES);

		channel->is_gone |= (n <= 0);
		channel->lasting.ptr += (n > 0) ? n : 0;
		channel->lasting.len -= (n > 0) ? (size_t)n : 0;
		return 1;
	}
	if (channel->keep || channel->has_ended_tls) {
		return 0;
	}
	/* Once: after an error of TLS it says nothing, and does not say that it has */
	channel->has_ended_tls = 1;
	(void)SSL_shutdown(channel->ssl);
	return 1;
}


static int
has_output(const struct channel *channel)
{
	return (channel->out.len > 0) || (channel->lasting.len > 0)
	       || (channel->source.next != NULL);
}

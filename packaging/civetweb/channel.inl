/*
 * A channel is one connection of the server, from accept to close: its socket, TLS, the bytes that came
 * and are not used up yet, and those that are to go and have not gone. CivetWeb is included with this
 * file by our patch.
 *
 * Nothing here waits, but for the one case of channel_read with may_block. Bytes that wait are on the
 * heap, as many as came and never as many as were announced, and all of them together are bounded.
 */

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

/* So long a worker waits for the next request of a connection it has just served. It is the listening
 * sockets' receive timeout, which connections inherit. */
#define OWN_WAIT_MS (20)
/* What a worker reads into. A request that is there as a whole needs no memory of its own. */
#define SCRATCH_SIZE (32 * 1024)
/* All bytes that wait, of all connections, unless mg_limit_waiting says otherwise. */
#define WAITING_BYTES_MAX ((int64_t)64 * 1024 * 1024)

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
	enum mg_body_state verdict;
};

struct channel {
	/* Guarded by the mutex of struct waiting. */
	struct channel *prev, *next; /* the younger and the older one */
	uint32_t generation;         /* another one for every connection the slot has had */
	int is_open;
	int is_held; /* by a worker, or by the master to close it */

	/* The holder's, and under the mutex the master's while nobody holds it. */
	enum channel_state state;
	struct waiting *waiting;
	const struct socket *listener;
	int sock;
	int is_watched; /* by the epoll, if disarmed */
	int is_renewed; /* it has earned to be the youngest */
	int is_late;    /* its time is over, and a worker is to tell the client */
	int is_unfinished; /* counted as such */
	int keep;       /* after what is being written */
	int expects_more; /* of the request: its body was not read to its end */
	int may_block;  /* while TLS reads */
	uint32_t events;
	uint64_t deadline_ns; /* 0: begins when it is waited for */
	SSL *ssl;
	struct bytes in, out;
	char *scratch; /* of the worker that holds it; in.ptr may be that */
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

static int64_t *waiting_bytes(struct waiting *waiting);
static int64_t waiting_bytes_max(const struct waiting *waiting);

/* Passwords and tokens are among them. */
static void
bytes_free(struct waiting *waiting, struct bytes *bytes)
{
	if (bytes->ptr != NULL) {
		explicit_bzero(bytes->ptr, bytes->len);
		mg_free(bytes->ptr);
		__atomic_fetch_sub(waiting_bytes(waiting),
		                   (int64_t)bytes->size,
		                   __ATOMIC_RELAXED);
	}
	memset(bytes, 0, sizeof(*bytes));
}


/* A copy in a place of that size. False: there is no memory for it, or all bytes that may wait do. */
static int
bytes_move(struct waiting *waiting, struct bytes *bytes, size_t size, int is_borrowed)
{
	struct bytes larger = {NULL, bytes->len, size};
	const int64_t total = __atomic_add_fetch(waiting_bytes(waiting),
	                                         (int64_t)size,
	                                         __ATOMIC_RELAXED);

	if (total <= waiting_bytes_max(waiting)) {
		larger.ptr = (char *)mg_malloc(size);
	}
	if (larger.ptr == NULL) {
		__atomic_fetch_sub(waiting_bytes(waiting), (int64_t)size, __ATOMIC_RELAXED);
		return 0;
	}
	if (bytes->len > 0) {
		memcpy(larger.ptr, bytes->ptr, bytes->len);
	}
	if (is_borrowed) {
		explicit_bzero(bytes->ptr, bytes->len);
	} else {
		bytes_free(waiting, bytes);
	}
	*bytes = larger;
	return 1;
}


/* Room for so many more. */
static int
bytes_reserve(struct waiting *waiting, struct bytes *bytes, size_t more, int is_borrowed)
{
	const size_t wanted = bytes->len + more;

	if (wanted <= bytes->size) {
		return 1;
	}
	return bytes_move(waiting,
	                  bytes,
	                  (wanted > 2 * bytes->size) ? wanted : 2 * bytes->size,
	                  is_borrowed);
}


static int
is_borrowed(const struct channel *channel)
{
	return (channel->in.ptr != NULL) && (channel->in.ptr == channel->scratch);
}


/* The channel's bytes leave the worker's memory. */
static int
channel_keep_bytes(struct channel *channel)
{
	if (is_borrowed(channel) && (channel->in.len == 0)) {
		memset(&channel->in, 0, sizeof(channel->in));
	}
	return !is_borrowed(channel)
	       || bytes_move(channel->waiting, &channel->in, channel->in.len, 1);
}


/* The first `used` bytes are done with: a request and what of its body is there. */
static void
channel_consume(struct channel *channel, size_t used)
{
	struct bytes *in = &channel->in;
	const size_t left = in->len - used;

	if (used > channel->head_len) {
		/* It may be a password */
		explicit_bzero(in->ptr + channel->head_len, used - channel->head_len);
	}
	if (left > 0) {
		memmove(in->ptr, in->ptr + used, left);
		in->len = left;
	} else if (is_borrowed(channel)) {
		in->len = 0;
	} else {
		bytes_free(channel->waiting, in);
	}
}


/* ---- TLS ---- */

/* OpenSSL's own BIO for sockets would raise SIGPIPE, and either always wait or never. */
static int
tls_bio_read(BIO *bio, char *buf, int size)
{
	struct channel *channel = (struct channel *)BIO_get_data(bio);
	const int n =
	    (int)recv(channel->sock,
	              buf,
	              (size_t)size,
	              channel->may_block ? 0 : MSG_DONTWAIT);

	/* Once: OpenSSL asks again and again for the rest of a record, which may come byte by byte */
	channel->may_block = 0;
	BIO_clear_retry_flags(bio);
	if ((n < 0) && (ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR))) {
		BIO_set_retry_read(bio);
	}
	return n;
}


static int
tls_bio_write(BIO *bio, const char *buf, int size)
{
	const struct channel *channel = (const struct channel *)BIO_get_data(bio);
	const int n = (int)
	    send(channel->sock, buf, (size_t)size, MSG_DONTWAIT | MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if ((n < 0) && (ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR))) {
		BIO_set_retry_write(bio);
	}
	return n;
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
	             SSL_MODE_ENABLE_PARTIAL_WRITE
	                 | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER
	                 | SSL_MODE_RELEASE_BUFFERS);
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
	case SSL_ERROR_WANT_WRITE:
		channel->events = EPOLLOUT;
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


/* As many as the client takes now; CHANNEL_AGAIN and CHANNEL_GONE as above. */
static int
channel_send_some(struct channel *channel, const char *buf, size_t size)
{
	const size_t part = (size < INT_MAX) ? size : INT_MAX;
	int n;

	if (channel->ssl != NULL) {
		ERR_clear_error();
		n = SSL_write(channel->ssl, buf, (int)part);
		if (n <= 0) {
			n = tls_wants(channel, n) ? CHANNEL_AGAIN : CHANNEL_GONE;
		}
		return n;
	}
	n = (int)send(channel->sock, buf, part, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n <= 0) {
		channel->events = EPOLLOUT;
		n = ((n == 0) || ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR)) ? CHANNEL_AGAIN
		                                                           : CHANNEL_GONE;
	}
	return n;
}


/* 1: all is sent. */
static int
channel_flush(struct channel *channel)
{
	struct bytes *out = &channel->out;
	size_t sent = 0;
	int n = 1;

	while ((sent < out->len)
	       && ((n = channel_send_some(channel, out->ptr + sent, out->len - sent))
	           > 0)) {
		sent += (size_t)n;
	}
	if (sent < out->len) {
		memmove(out->ptr, out->ptr + sent, out->len - sent);
		out->len -= sent;
		return n;
	}
	bytes_free(channel->waiting, out);
	return 1;
}


/* Sends what the client takes now, and keeps the rest. False: it will not get it. */
static int
channel_write(struct channel *channel, const char *buf, size_t size)
{
	int n = 1;

	while ((size > 0) && (channel->out.len == 0)) {
		n = channel_send_some(channel, buf, size);
		if (n <= 0) {
			break;
		}
		buf += n;
		size -= (size_t)n;
	}
	if ((n == CHANNEL_GONE)
	    || ((size > 0)
	        && !bytes_reserve(channel->waiting, &channel->out, size, 0))) {
		return 0;
	}
	if (size > 0) {
		memcpy(channel->out.ptr + channel->out.len, buf, size);
		channel->out.len += size;
	}
	return 1;
}

/*
 * What a worker does with a channel: one step after the other, each without waiting, until the channel
 * has to wait or is closed. CivetWeb is included with this file by our patch; for a server it replaces
 * CivetWeb's own way of serving a connection from beginning to end.
 *
 * The worker's mg_connection is what the application sees of a request. It belongs to the channel from
 * the request's head to its end; then the channel keeps what it needs, and the worker goes on.
 */

#include "chunks.inl"

#include "request_head.inl"

#include "channel.inl"

#include "source.inl"

#include "waiting.inl"

#include "request.inl"

#include "body_stream.inl"

/* How long, and for how many bytes, a connection that is closed takes in what the client is still
 * sending. A client that sends first and reads then has to get rid of all its bytes. */
#define LINGER_MS (1000)
#define LINGER_BYTES ((int64_t)64 * 1024 * 1024)
/* What one step takes in at most, before it is somebody else's turn. */
#define STEP_BYTES (1024 * 1024)

/* An answer is not given more time than this, and one piece, before others get the worker. */
#define STEP_NS (1000000)

enum step {
	STEP_ON,   /* the next one, at once */
	STEP_WAIT, /* for channel->events */
	STEP_CLOSE
};


/* It goes to the end of the queue of those who have something to say. */
static enum step
wait_for_turn(struct channel *channel)
{
	channel->events = EPOLLIN | EPOLLOUT;
	return STEP_WAIT;
}


static int
is_over(const struct channel *channel)
{
	return channel->is_late
	       || ((channel->deadline_ns != 0) && (mono_now_ns() >= channel->deadline_ns));
}


/* ---- closing ---- */

/*
 * Closing a socket that has unread bytes makes the kernel send a reset, which can overtake the answer
 * (413, 400) the client has yet to read. So the rest of a request that was not read is taken in and
 * dropped, until the client closes or one of the limits above is reached.
 */
static enum step
end_channel(struct channel *channel)
{
	int unread = 0;

	SSL_free(channel->ssl);
	channel->ssl = NULL;
	if (!channel->expects_more
	    && ((ioctl(channel->sock, FIONREAD, &unread) != 0) || (unread == 0))) {
		return STEP_CLOSE;
	}
	(void)shutdown(channel->sock, SHUT_WR);
	bytes_empty(channel, &channel->in);
	channel->state = CHANNEL_LINGER;
	channel->is_late = 0;
	channel->deadline_ns = mono_now_ns() + (uint64_t)LINGER_MS * 1000000;
	channel->linger_left = LINGER_BYTES;
	return STEP_ON;
}


static enum step
step_linger(struct channel *channel)
{
	int64_t taken = 0;

	while ((channel->linger_left > 0) && !is_over(channel)) {
		const ssize_t n =
		    recv(channel->sock, channel->scratch->in, SCRATCH_SIZE, MSG_DONTWAIT);

		channel->events = EPOLLIN | EPOLLRDHUP;
		if (n <= 0) {
			return ((n < 0) && (ERROR_TRY_AGAIN(ERRNO) || (ERRNO == EINTR)))
			           ? STEP_WAIT
			           : STEP_CLOSE;
		}
		explicit_bzero(channel->scratch->in, (size_t)n);
		channel->linger_left -= n;
		taken += n;
		if (taken >= STEP_BYTES) {
			return wait_for_turn(channel);
		}
	}
	return STEP_CLOSE;
}


/* ---- requests ---- */

/* What was written and can go out now does. STEP_ON: all of it. */
static enum step
flush_answer(struct channel *channel)
{
	const size_t before = channel->out.len;
	const int sent = channel_flush(channel);

	credit_bytes(channel, before - channel->out.len);
	if (sent == CHANNEL_AGAIN) {
		return is_over(channel) ? STEP_CLOSE : STEP_WAIT;
	}
	return ((sent == CHANNEL_GONE) || channel->is_gone) ? STEP_CLOSE : STEP_ON;
}


/* Is there more to be sent, from a source or by TLS? Then it is ready. */
static int
prepare_more(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;

	if ((channel->source.next != NULL) && (channel->lasting.len == 0)) {
		if (channel_take_piece(conn)) {
			return 1;
		}
		if (channel->source.next != NULL) {
			return 0; /* it has failed, or TLS has */
		}
	}
	return channel_encrypt_next(channel);
}


/* A first piece that is at hand goes out with what was written before it. False: the source has failed. */
static int
prepare_first(struct mg_connection *conn)
{
	struct mg_source *source = &conn->channel->source;

	if (!source->is_at_hand) {
		return 1;
	}
	source->is_at_hand = 0;
	return prepare_more(conn) || (source->next == NULL);
}


/* The rest of an answer, or all of it. */
static enum step
step_write(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const uint64_t begun_ns = mono_now_ns();
	size_t taken = 0;

	if (!prepare_first(conn)) {
		(void)flush_answer(channel);
		return STEP_CLOSE;
	}
	do {
		const enum step step = flush_answer(channel);

		if (step != STEP_ON) {
			return step;
		}
		if ((taken >= STEP_BYTES)
		    || ((taken > 0) && (mono_now_ns() - begun_ns >= STEP_NS))) {
			channel->events = EPOLLOUT;
			return STEP_WAIT;
		}
		if (!prepare_more(conn)) {
			break;
		}
		taken += channel->out.len;
	} while (!is_over(channel));
	if (has_output(channel)) {
		return STEP_CLOSE; /* its time is over, or the source has failed */
	}
	count_unfinished(channel, 0);
	channel->deadline_ns = 0;
	channel->state = CHANNEL_HEAD;
	return channel->keep ? STEP_ON : end_channel(channel);
}


/* The request is over but for the sending of its answer. */
static enum step
finish_request(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const int is_whole = is_body_here(channel);
	const size_t used = is_whole ? request_end(channel) : channel->in.len;

	channel->keep = !conn->must_close && is_whole
	                && STOP_FLAG_IS_ZERO(&conn->phys_ctx->stop_flag);
	channel->expects_more = !is_whole;
	bytes_consume(channel, &channel->in, used);
	channel->head_len = 0;
	memset(&channel->body, 0, sizeof(channel->body));
	memset(&channel->memory, 0, sizeof(channel->memory));
	channel->handled++;
	channel->is_served = channel->is_own = 1;
	if (channel->keep) {
		end_newcomer(channel, 0);
	}
	channel->is_late = 0;
	channel->deadline_ns = 0;
	channel->state = CHANNEL_WRITE;
	channel->deadline_ns = conn->write_deadline_ns;
	return step_write(conn);
}


/* A head that is none, or has not come in time. */
static enum step
refuse_head(struct mg_connection *conn, int status)
{
	struct channel *channel = conn->channel;

	begin_request_info(conn);
	conn->must_close = 1;
	if (conn->phys_ctx->callbacks.http_error != NULL) {
		conn->phys_ctx->callbacks.http_error(conn, status, "Bad request");
	}
	channel->body.announced = (status == 408) ? 0 : INT64_MAX; /* nobody knows what is to come */
	return finish_request(conn);
}


static enum step
serve_request(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const int status = read_request(conn);

	if (status != 0) {
		return refuse_head(conn, status);
	}
	channel->body.is_suspended = 0;
	conn->phys_ctx->callbacks.begin_request(conn);
	if (channel->body.is_suspended) {
		channel->state = CHANNEL_BODY;
		return STEP_ON;
	}
	return finish_request(conn);
}


/* The application would pause again, and nobody had its place or its memory. */
static enum step
refuse_paused(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;

	channel->is_paused = 0;
	if (channel->left != NULL) {
		channel->left(conn);
	}
	channel->state = CHANNEL_HEAD;
	return refuse_head(conn, 503);
}


/* What came cannot wait for the rest. */
static enum step
refuse_for_memory(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;

	if (channel->state != CHANNEL_BODY) {
		return refuse_head(conn, 503);
	}
	if (channel->is_paused) {
		return refuse_paused(conn);
	}
	channel->state = CHANNEL_HEAD;
	channel->body.verdict = MG_BODY_NO_ROOM;
	return serve_request(conn);
}


/* ---- steps ---- */

static enum step
step_handshake(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const struct waiting *waiting = channel->waiting;
	int result;

	if ((channel->ssl == NULL)
	    && !channel_begin_tls(channel, conn->dom_ctx->ssl_ctx, waiting->tls_method)) {
		mg_cry_internal(conn, "TLS: %s", ssl_error());
		return STEP_CLOSE;
	}
	SSL_set_app_data(channel->ssl, (char *)conn);
	ERR_clear_error();
	result = SSL_accept(channel->ssl);
	if ((result != 1) && tls_wants(channel, result) && may_wait_here(channel)) {
		channel->may_block = 1;
		result = SSL_accept(channel->ssl);
		channel->may_block = 0;
	}
	if (result == 1) {
		channel->state = CHANNEL_HEAD;
		channel->deadline_ns = mono_now_ns() + waiting->request_timeout_ns;
		return STEP_ON;
	}
	if (tls_wants(channel, result)) {
		return STEP_WAIT;
	}
	if (SSL_get_error(channel->ssl, result) != SSL_ERROR_SYSCALL) {
		mg_cry_internal(conn, "TLS handshake: %s", ssl_error());
	}
	(void)channel_flush(channel); /* it may say why */
	return STEP_CLOSE;
}


/* The status for a head that is larger than we take: 414 if not even its first line has come to its end (an
 * empty line may stand before it), else 431. */
static int
head_too_large(const struct mg_connection *conn, const struct bytes *in)
{
	return (memchr(in->ptr + 2, '\n', (size_t)conn->buf_size - 2) == NULL) ? 414 : 431;
}


/* Nothing came now. */
static enum step
wait_for_head(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const struct waiting *waiting = channel->waiting;

	if (is_over(channel)) {
		return (channel->in.len > 0) ? refuse_head(conn, 408) : STEP_CLOSE;
	}
	if (channel->deadline_ns == 0) {
		channel->deadline_ns = mono_now_ns()
		                       + ((channel->in.len > 0) ? waiting->request_timeout_ns
		                                                : waiting->keep_alive_timeout_ns);
	}
	return STEP_WAIT;
}


/* Of the bytes that are there: 0, they begin with a whole head; or the status that refuses them; or -1, it is
 * not whole. */
static int
judge_head(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const struct bytes *in = &channel->in;
	const int seen = (in->len < INT_MAX) ? (int)in->len : INT_MAX;
	const int length = (seen == 0) ? 0 : head_length(in->ptr, seen);

	if (length < 0) {
		return 400;
	}
	if ((length > conn->buf_size) || ((length == 0) && (seen >= conn->buf_size))) {
		return head_too_large(conn, in);
	}
	channel->head_len = (size_t)length;
	return (length > 0) ? 0 : -1;
}


/* From its first byte on, and on a new connection, a head has request_timeout_ms in all, however its
 * bytes are spread. */
static enum step
step_head(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	struct bytes *in = &channel->in;
	const int may_block = may_wait_here(channel);

	if (channel->is_leaving) {
		return refuse_head(conn, 503); /* of which nothing is left */
	}
	/* Between two requests, when others need the worker */
	if (channel->is_served && !may_block && (in->len > 0)) {
		return wait_for_turn(channel);
	}
	if (channel->is_served && !may_block && !channel_has_pending(channel)) {
		channel->events = EPOLLIN | EPOLLRDHUP;
		return wait_for_head(conn);
	}
	for (;;) {
		const int is_first = (in->len == 0);
		const int status = judge_head(conn);
		int n;

		if (status > 0) {
			return refuse_head(conn, status);
		}
		if (status == 0) {
			channel->is_late = 0; /* the rest came just as its time was over */
			return serve_request(conn);
		}
		if (!bytes_reserve(channel, in, 1024, SIZE_MAX)) {
			return refuse_head(conn, 503);
		}
		n = channel_read(channel, is_first && may_block);
		if (n == CHANNEL_AGAIN) {
			return wait_for_head(conn);
		}
		if (n == CHANNEL_GONE) {
			return (in->len > 0) ? refuse_head(conn, 400) : STEP_CLOSE;
		}
		if (is_first && (channel->handled > 0)) {
			channel->deadline_ns = 0;
		}
	}
}


/* See mg_pause. */
static enum step
step_pause(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;

	if (mg_peer_is_gone(conn)) {
		return STEP_CLOSE;
	}
	if (!is_over(channel)) {
		channel->events = EPOLLRDHUP;
		return STEP_WAIT;
	}
	if (channel->is_leaving) {
		return refuse_paused(conn);
	}
	channel->is_paused = 0;
	channel->is_late = 0;
	channel->deadline_ns = 0;
	channel->state = CHANNEL_HEAD;
	return serve_request(conn);
}


static enum step
step_body(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	enum body_result result = BODY_DONE;

	if (channel->is_paused) {
		return step_pause(conn);
	}
	if (channel->body.verdict == MG_BODY_UNKNOWN) {
		result = fill_body(channel, may_wait_here(channel));
	}
	if ((result == BODY_AGAIN) && !is_over(channel)) {
		return STEP_WAIT;
	}
	if (result == BODY_TURN) {
		return wait_for_turn(channel);
	}
	if (result == BODY_AGAIN) {
		channel->body.verdict = channel->is_leaving ? MG_BODY_NO_ROOM : MG_BODY_LATE;
	}
	channel->state = CHANNEL_HEAD;
	return serve_request(conn);
}


static enum step
take_step(struct mg_connection *conn)
{
	switch (conn->channel->state) {
	case CHANNEL_HANDSHAKE:
		return step_handshake(conn);
	case CHANNEL_HEAD:
		return step_head(conn);
	case CHANNEL_BODY:
		return step_body(conn);
	case CHANNEL_WRITE:
		return step_write(conn);
	case CHANNEL_LINGER:
	default:
		return step_linger(conn->channel);
	}
}


/* ---- workers ---- */

/* What is to be sent goes out before the channel waits for something else. */
static enum step
flush_before_wait(struct channel *channel)
{
	const uint32_t events = channel->events;
	int sent;

	if ((channel->state == CHANNEL_WRITE) || (channel->out.len == 0)) {
		return STEP_WAIT;
	}
	sent = channel_flush(channel);
	channel->events = events | ((sent == CHANNEL_AGAIN) ? EPOLLOUT : 0);
	return (sent == CHANNEL_GONE) ? STEP_CLOSE : STEP_WAIT;
}


/* STEP_WAIT: nothing of the channel is in the worker's memory. */
static enum step
prepare_to_wait(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	enum step step = flush_before_wait(channel);

	if ((step != STEP_WAIT) || channel_keep_bytes(channel)) {
		return step;
	}
	if ((channel->state != CHANNEL_HEAD) && (channel->state != CHANNEL_BODY)) {
		return STEP_CLOSE;
	}
	step = refuse_for_memory(conn);
	return ((step == STEP_WAIT) && !channel_keep_bytes(channel)) ? STEP_CLOSE : step;
}


/* Until the channel is somebody else's. */
static void
serve_channel(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	struct waiting *waiting = channel->waiting;
	struct scratch *scratch = channel->scratch;
	enum given given;
	enum step step;

	conn->is_attached = 0;
	for (;;) {
		step = take_step(conn);
		if (step == STEP_WAIT) {
			step = prepare_to_wait(conn);
		}
		if (step == STEP_WAIT) {
			end_newcomer(channel, 1);
			channel->scratch = NULL;
			channel->is_own = 0;
			given = waiting_give(waiting, channel);
			if (given == GIVEN) {
				break;
			}
			channel->scratch = scratch;
			step = (given == GIVEN_BACK) ? STEP_ON : STEP_CLOSE;
		}
		if (step == STEP_CLOSE) {
			if (channel->is_paused && (channel->left != NULL)) {
				channel->left(conn);
			}
			end_newcomer(channel, 1);
			waiting_close(waiting, channel);
			break;
		}
	}
	conn->channel = NULL;
	detach(conn);
}


/* Returns when the server stops. */
static void
serve_connections(struct mg_connection *conn)
{
	struct waiting *waiting = conn->phys_ctx->waiting;
	struct scratch *scratch = (struct scratch *)mg_malloc(sizeof(*scratch));

	if (scratch == NULL) {
		mg_cry_internal(conn, "%s", "Out of memory: a worker cannot begin");
		return;
	}
	conn->connection_type = CONNECTION_TYPE_REQUEST;
	conn->protocol_type = PROTOCOL_TYPE_HTTP1;
	conn->client.sock = INVALID_SOCKET;
	while ((conn->channel = waiting_take(waiting)) != NULL) {
		conn->channel->scratch = scratch;
		serve_channel(conn);
	}
	mg_free(scratch);
}

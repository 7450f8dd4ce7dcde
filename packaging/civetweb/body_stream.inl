/*
 * Bodies of requests that are read while they come. CivetWeb is included with this file by our patch.
 *
 * The head is dropped when the body is opened: what the channel holds from then on begins with what was decoded
 * and not read yet. New bytes are taken when all of that is read, so there are never more than the worker's
 * memory holds, or than were awaited first.
 */

/* The worker's: how often it looks whether the server stops. */
#define READ_LOOK_MS (100)


static void
begin_stream(struct channel *channel)
{
	struct request_body *body = &channel->body;
	const uint64_t now_ns = mono_now_ns();

	bytes_consume(channel, &channel->in, channel->head_len);
	if (body->end > 0) {
		body->end -= channel->head_len;
	}
	channel->head_len = 0;
	body->left_ns =
	    (channel->deadline_ns > now_ns) ? channel->deadline_ns - now_ns : 0;
	body->first = 0;
}


/* Was the last chunk decoded, or all that was announced? */
static int
is_ended(const struct request_body *body)
{
	return body->is_chunked ? (body->end > 0) : (body->announced == 0);
}


enum mg_body_state
mg_body_open(struct mg_connection *conn,
             size_t limit,
             size_t first,
             const struct mg_pace *pace,
             uint64_t deadline_ns)
{
	struct channel *channel = conn->channel;
	struct request_body *body = &channel->body;

	if (body->verdict == MG_BODY_UNKNOWN) {
		body->limit = limit;
		body->first = first;
		body->pace = *pace;
		channel->deadline_ns = deadline_ns;
		credit_body(channel, channel->in.len - channel->head_len);
		if (fill_body(channel, 0) != BODY_DONE) {
			say_continue(conn);
			return suspend(conn, channel->deadline_ns);
		}
		if (body->verdict == MG_BODY_UNKNOWN) {
			body->verdict = MG_BODY_WHOLE; /* as far as it is awaited */
		}
	}
	if (body->verdict == MG_BODY_WHOLE) {
		begin_stream(channel);
	}
	return body->verdict;
}


int
mg_body_is_here(struct mg_connection *conn)
{
	const struct channel *channel = conn->channel;

	return channel->body.is_chunked
	           ? is_ended(&channel->body)
	           : channel->body.announced <= (int64_t)channel->in.len;
}


/* Those that were decoded, as many as there is room for. */
static int
take_decoded(struct channel *channel, char *buf, size_t size)
{
	struct request_body *body = &channel->body;
	const size_t here = decoded_bytes(channel);
	const size_t n = (here < size) ? here : size;

	memcpy(buf, channel->in.ptr, n);
	bytes_consume(channel, &channel->in, n);
	if (body->is_chunked) {
		body->len -= n;
		body->limit -= n;
		body->end -= (body->end > 0) ? n : 0;
	} else {
		body->announced -= (int64_t)n;
	}
	return (int)n;
}


/* For bytes, or for the next look. Time counts only here. */
static void
wait_for_client(struct channel *channel)
{
	struct pollfd peer = {channel->sock, POLLIN, 0};
	const uint64_t begun_ns = mono_now_ns();
	const uint64_t left_ms = channel->body.left_ns / 1000000 + 1;
	uint64_t waited_ns;

	(void)poll(&peer, 1, (left_ms < READ_LOOK_MS) ? (int)left_ms : READ_LOOK_MS);
	waited_ns = mono_now_ns() - begun_ns;
	channel->body.left_ns -=
	    (waited_ns < channel->body.left_ns) ? waited_ns : channel->body.left_ns;
}


/* More bytes, which are not decoded yet; waits for them. */
static enum mg_body_state
receive_more(struct mg_connection *conn, const struct mg_pace *pace)
{
	struct channel *channel = conn->channel;
	struct request_body *body = &channel->body;
	int n;

	(void)bytes_reserve(channel, &channel->in, 1, SIZE_MAX); /* the worker's memory */
	while ((n = channel_read(channel, 0)) == CHANNEL_AGAIN) {
		if (channel_flush(channel) == CHANNEL_GONE) {
			return MG_BODY_BROKEN;
		}
		if (body->left_ns == 0) {
			return MG_BODY_LATE;
		}
		if (!STOP_FLAG_IS_ZERO(&conn->phys_ctx->stop_flag)) {
			return MG_BODY_STOPPED;
		}
		wait_for_client(channel);
	}
	if (n == CHANNEL_GONE) {
		return MG_BODY_BROKEN;
	}
	body->left_ns += (uint64_t)n * pace->ns_a_byte;
	if (body->left_ns > pace->ahead_ns) {
		body->left_ns = pace->ahead_ns;
	}
	return MG_BODY_WHOLE;
}


int
mg_body_read(struct mg_connection *conn,
             char *buf,
             size_t size,
             const struct mg_pace *pace,
             enum mg_body_state *why_out)
{
	struct channel *channel = conn->channel;
	struct request_body *body = &channel->body;

	while ((body->verdict == MG_BODY_WHOLE) && (decoded_bytes(channel) == 0)
	       && !is_ended(body)) {
		body->verdict = receive_more(conn, pace);
		if ((body->verdict == MG_BODY_WHOLE) && body->is_chunked) {
			(void)look_at_chunks(channel);
		}
	}
	*why_out = body->verdict;
	if (body->verdict != MG_BODY_WHOLE) {
		return -1;
	}
	return (decoded_bytes(channel) > 0) ? take_decoded(channel, buf, size) : 0;
}


/* POLLRDHUP tells it also where bytes are waiting that nobody has read. */
int
mg_peer_is_gone(struct mg_connection *conn)
{
	struct pollfd peer = {conn->channel->sock, POLLRDHUP, 0};

	return conn->channel->is_gone || (poll(&peer, 1, 0) > 0);
}


void
mg_pause(struct mg_connection *conn, uint64_t until_ns, mg_left left)
{
	conn->channel->is_paused = 1;
	conn->channel->left = left;
	(void)suspend(conn, until_ns);
}


/* That the peer is gone shows when it is answered. */
void
mg_write_interim(struct mg_connection *conn, const char *head, size_t size)
{
	(void)channel_write(conn->channel, head, size);
}

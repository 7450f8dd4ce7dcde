/*
 * From the bytes of a channel to a request of CivetWeb's interface: the head, what there is of the body,
 * and the answer. CivetWeb is included with this file by our patch.
 *
 * A request that waits for its body is begun again when that is there: its head is read once more, from
 * bytes that were left as they came. What is cut into words is a copy.
 */

/* A body that nobody asked for is looked for once, and up to this size, before the connection is given up. */
#define UNREAD_BODY_MAX (64 * 1024)
/* A body is read in pieces of this size, and at most so much before it is somebody else's turn. */
#define BODY_READ_BYTES (16 * 1024)
#define BODY_STEP_BYTES (1024 * 1024)


/* ---- the head ---- */

static char *
cut_at(char *p, char end)
{
	p = strchr(p, end);
	*p = '\0';
	return p + 1;
}


/* A field's line, up to its CR; where the next one begins. */
static char *
cut_field(char *p, struct mg_header *field)
{
	char *end;

	field->name = p;
	p = cut_at(p, ':');
	p += strspn(p, " \t");
	field->value = p;
	end = strchr(p, '\r');
	p = end + 2;
	while ((end > field->value) && ((end[-1] == ' ') || (end[-1] == '\t'))) {
		end--;
	}
	*end = '\0';
	return p;
}


/* The head is as head_status wants it, so that each of these characters is there. */
static void
cut_head(char *p, struct mg_request_info *info)
{
	info->request_method = p;
	p = cut_at(p, ' ');
	info->request_uri = p;
	p = cut_at(p, ' ');
	info->http_version = p + 5;
	p = cut_at(p, '\r') + 1;
	for (info->num_headers = 0; *p != '\r'; info->num_headers++) {
		p = cut_field(p, &info->http_headers[info->num_headers]);
	}
}


static const char *
field_of(const struct mg_request_info *info, const char *name)
{
	return get_header(info->http_headers, info->num_headers, name);
}


/* What the head says of the body; 0, or the status that refuses it. */
static int
read_framing(struct mg_request_info *info, struct request_body *body)
{
	const char *coding = field_of(info, "Transfer-Encoding");
	const char *length = field_of(info, "Content-Length");

	if (coding != NULL) {
		body->is_chunked = 1;
		return (mg_strcasecmp(coding, "chunked") == 0) ? 0 : 400;
	}
	if (length == NULL) {
		return 0;
	}
	info->content_length = body->announced = head_content_length(length);
	return (body->announced >= 0) ? 0 : 400;
}


/* The field is a list, and a list may come in several lines (RFC 9110, section 5.3). */
static int
has_connection_option(const struct mg_request_info *info, const char *option)
{
	int i;

	for (i = 0; i < info->num_headers; i++) {
		const struct mg_header *field = &info->http_headers[i];
		if ((mg_strcasecmp(field->name, "Connection") == 0)
		    && header_has_option(field->value, option)) {
			return 1;
		}
	}
	return 0;
}


/* Kept unless one of us says otherwise (RFC 9112, section 9.3). */
static int
may_keep(const struct mg_connection *conn)
{
	const struct mg_request_info *info = &conn->request_info;

	if (!conn->channel->waiting->keeps || has_connection_option(info, "close")) {
		return 0;
	}
	return (strcmp(info->http_version, "1.1") == 0)
	       || has_connection_option(info, "keep-alive");
}


/* The first request of this channel since the worker took it. */
static void
attach(struct mg_connection *conn)
{
	const struct channel *channel = conn->channel;
	struct mg_request_info *info = &conn->request_info;
	void *data = NULL;

	info->remote_port = ntohs(USA_IN_PORT_UNSAFE(&channel->peer));
	info->server_port = channel->port;
	info->is_ssl = channel->is_tls;
	memcpy(info->remote_addr, channel->remote_addr, sizeof(info->remote_addr));
	conn->is_attached = 1;
	if (conn->phys_ctx->callbacks.init_connection != NULL) {
		conn->phys_ctx->callbacks.init_connection(conn, &data);
	}
	mg_set_user_connection_data(conn, data);
}


/* The channel is somebody else's, or closed. */
static void
detach(struct mg_connection *conn)
{
	if (conn->is_attached && (conn->phys_ctx->callbacks.connection_closed != NULL)) {
		conn->phys_ctx->callbacks.connection_closed(conn);
	}
	conn->is_attached = 0;
}


static void
begin_request_info(struct mg_connection *conn)
{
	struct mg_request_info *info = &conn->request_info;
	struct channel *channel = conn->channel;

	if (channel->remote_addr[0] == '\0') {
		sockaddr_to_string(channel->remote_addr,
		                   sizeof(channel->remote_addr),
		                   &channel->peer);
	}
	if (!conn->is_attached) {
		attach(conn);
	}
	info->request_method = info->request_uri = info->http_version = NULL;
	info->local_uri = info->local_uri_raw = info->query_string = NULL;
	info->num_headers = 0;
	info->content_length = -1;
	conn->must_close = 0;
	conn->write_deadline_ns = 0;
	conn->content_len = 0; /* for CivetWeb's own reading of bodies: there is none */
	conn->is_chunked = 0;
}


/* The head that lies at the beginning of the channel's bytes. 0, or the status that refuses it. */
static int
read_request(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	struct mg_request_info *info = &conn->request_info;
	const char *head = channel->in.ptr;
	const size_t empty = head_skip_empty_line(head, channel->head_len);
	const int is_again = channel->body.is_suspended;
	int status = head_status(head, (int)channel->head_len, MG_MAX_HEADERS);

	begin_request_info(conn);
	if (status != 0) {
		return status;
	}
	memcpy(conn->buf, head + empty, channel->head_len - empty);
	cut_head(conn->buf, info);
	if ((strcmp(info->http_version, "1.0") != 0)
	    && (strcmp(info->http_version, "1.1") != 0)) {
		return 505;
	}
	if (is_again) {
		if (!channel->body.is_chunked) {
			info->content_length = channel->body.announced;
		}
	} else {
		memset(&channel->body, 0, sizeof(channel->body));
		status = read_framing(info, &channel->body);
	}
	conn->must_close = !may_keep(conn);
	/* Every form of request target goes to the application as it came, which says what it takes. */
	info->query_string = strchr(info->request_uri, '?');
	if (info->query_string != NULL) {
		*(char *)info->query_string++ = '\0';
	}
	info->local_uri = info->local_uri_raw = info->request_uri;
	return status;
}


/* ---- the body ---- */

enum body_result {
	BODY_AGAIN, /* there is more to come, and none of it is there */
	BODY_TURN,  /* more may be there, but it is somebody else's turn */
	BODY_DONE   /* body.verdict says how */
};

static enum body_result
body_ends(struct request_body *body, enum mg_body_state verdict)
{
	body->verdict = verdict;
	return BODY_DONE;
}


/* Where the request ends and the next one begins; its body is here. */
static size_t
request_end(const struct channel *channel)
{
	const struct request_body *body = &channel->body;

	return body->is_chunked ? body->end : channel->head_len + (size_t)body->announced;
}


/* Looks at the bytes that are there. BODY_AGAIN: they are not all. */
static enum body_result
look_at_chunks(struct channel *channel)
{
	struct request_body *body = &channel->body;
	struct bytes *in = &channel->in;
	size_t from = channel->head_len + body->len, to = from;
	const enum chunks_result result =
	    chunks_decode(&body->chunks, in->ptr, in->len, &from, &to);

	body->len = to - channel->head_len;
	if (result == CHUNKS_BROKEN) {
		return body_ends(body, MG_BODY_BROKEN);
	}
	if (body->len > body->limit) {
		return body_ends(body, MG_BODY_TOO_LARGE);
	}
	if (result == CHUNKS_MORE) {
		/* Behind the body there is only framing, and all of it is used */
		explicit_bzero(in->ptr + to, in->len - to);
		in->len = to;
		return BODY_AGAIN;
	}
	body->end = from;
	body->is_whole = (result == CHUNKS_WHOLE);
	return body_ends(body, MG_BODY_WHOLE);
}


static enum body_result
look_at_body(struct channel *channel)
{
	struct request_body *body = &channel->body;

	if (body->is_chunked) {
		return look_at_chunks(channel);
	}
	if ((uint64_t)body->announced > body->limit) {
		return body_ends(body, MG_BODY_TOO_LARGE);
	}
	if (channel->in.len - channel->head_len < (size_t)body->announced) {
		return BODY_AGAIN;
	}
	body->len = (size_t)body->announced;
	return body_ends(body, MG_BODY_WHOLE);
}


/* Of the body, here and behind the head. */
static size_t
decoded_bytes(const struct channel *channel)
{
	const struct request_body *body = &channel->body;
	const size_t here = channel->in.len - channel->head_len;

	if (body->is_chunked) {
		return body->len;
	}
	return ((int64_t)here < body->announced) ? here : (size_t)body->announced;
}


/* Room for what is to come next; not for more than was announced. */
static int
reserve_for_body(struct channel *channel)
{
	const struct request_body *body = &channel->body;
	size_t most = SIZE_MAX, more = BODY_READ_BYTES;

	if (!body->is_chunked) {
		most = request_end(channel);
		if (most - channel->in.len < more) {
			more = most - channel->in.len;
		}
	}
	return bytes_reserve(channel, &channel->in, more, most);
}


/* Of a body that is awaited in part: its bytes move its deadline on. */
static void
credit_body(struct channel *channel, size_t n)
{
	const struct mg_pace *pace = &channel->body.pace;
	const uint64_t most_ns = mono_now_ns() + pace->ahead_ns;

	if (channel->body.first > 0) {
		channel->deadline_ns += (uint64_t)n * pace->ns_a_byte;
		if (channel->deadline_ns > most_ns) {
			channel->deadline_ns = most_ns;
		}
	}
}


/* What comes is taken in until the body is whole or nothing more is there, now or with may_block in a
 * moment. */
static enum body_result
fill_body(struct channel *channel, int may_block)
{
	struct request_body *body = &channel->body;
	int64_t taken = 0;

	for (;;) {
		const enum body_result result = look_at_body(channel);
		int n;

		if (result != BODY_AGAIN) {
			return result;
		}
		if ((body->first > 0) && (decoded_bytes(channel) >= body->first)) {
			return body_ends(body, MG_BODY_WHOLE); /* as far as it is awaited */
		}
		if (taken >= BODY_STEP_BYTES) {
			return BODY_TURN;
		}
		if (!reserve_for_body(channel)) {
			return body_ends(body, MG_BODY_NO_ROOM);
		}
		n = channel_read(channel, may_block);
		if (n == CHANNEL_AGAIN) {
			return BODY_AGAIN;
		}
		if (n == CHANNEL_GONE) {
			return body_ends(body, MG_BODY_BROKEN);
		}
		credit_body(channel, (size_t)n);
		taken += n;
	}
}


/* Is the request's body all there, wanted or not? Otherwise the connection cannot be kept; nor can one that
 * was told to leave. */
static int
is_body_here(struct channel *channel)
{
	struct request_body *body = &channel->body;

	if (channel->is_leaving) {
		return 0;
	}
	if (body->is_chunked) {
		return body->is_whole;
	}
	if ((body->announced > (int64_t)(channel->in.len - channel->head_len))
	    && (body->announced <= UNREAD_BODY_MAX)) {
		body->limit = UNREAD_BODY_MAX;
		(void)fill_body(channel, 0);
	}
	return body->announced <= (int64_t)(channel->in.len - channel->head_len);
}


/* RFC 9110, section 10.1.1; an HTTP/1.0 client does not know the answer. */
static void
say_continue(struct mg_connection *conn)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";
	const struct mg_request_info *info = &conn->request_info;

	if ((field_of(info, "Expect") != NULL) && (strcmp(info->http_version, "1.1") == 0)) {
		(void)channel_write(conn->channel, text, sizeof(text) - 1);
	}
}


/* For the rest of the body. */
static enum mg_body_state
suspend(struct mg_connection *conn, uint64_t deadline_ns)
{
	conn->channel->body.is_suspended = 1;
	count_unfinished(conn->channel, 1);
	conn->channel->deadline_ns = deadline_ns;
	return MG_BODY_AWAITED;
}


enum mg_body_state
mg_body(struct mg_connection *conn,
        size_t limit,
        uint64_t deadline_ns,
        const char **bytes_out,
        size_t *size_out)
{
	struct channel *channel = conn->channel;
	struct request_body *body = &channel->body;

	*bytes_out = "";
	*size_out = 0;
	if (body->verdict == MG_BODY_UNKNOWN) {
		body->limit = limit;
		if (fill_body(channel, 0) != BODY_DONE) {
			say_continue(conn);
			return suspend(conn, deadline_ns);
		}
	}
	if (body->verdict == MG_BODY_WHOLE) {
		*bytes_out = channel->in.ptr + channel->head_len;
		*size_out = body->len;
	}
	return body->verdict;
}


void *
mg_request_memory(struct mg_connection *conn)
{
	return conn->channel->memory.bytes;
}


/* ---- the answer ---- */

int
mg_will_keep_alive(struct mg_connection *conn)
{
	return !conn->must_close && STOP_FLAG_IS_ZERO(&conn->phys_ctx->stop_flag)
	       && is_body_here(conn->channel);
}


void
mg_set_write_deadline(struct mg_connection *conn, uint64_t mono_ns)
{
	conn->write_deadline_ns = mono_ns;
}


/* So many more bytes are written, and may wait for the client. */
static void
note_output(struct mg_connection *conn, size_t size)
{
	const struct channel *channel = conn->channel;

	if (has_output(channel)) {
		count_unfinished(conn->channel, 1);
		if (conn->write_deadline_ns == 0) {
			conn->write_deadline_ns =
			    mono_now_ns() + channel->waiting->request_timeout_ns;
		}
	}
	conn->num_bytes_sent += (int64_t)size;
}


/* How many bytes were written, or how that has failed. */
static int
end_write(struct mg_connection *conn, int is_written, size_t size)
{
	struct channel *channel = conn->channel;

	if (!is_written) {
		conn->must_close = 1;
		channel->is_cut = 1;
		errno = channel->is_gone ? EPIPE : ENOMEM;
		return -1;
	}
	note_output(conn, size);
	return (int)size;
}


/* mg_write for a server's connection. */
static int
connection_write(struct mg_connection *conn, const void *buf, size_t size)
{
	return end_write(conn, channel_write(conn->channel, (const char *)buf, size), size);
}


int
mg_write_ahead(struct mg_connection *conn, const void *buf, size_t size)
{
	struct channel *channel = conn->channel;

	return end_write(conn,
	                 (channel->ssl != NULL)
	                     ? channel_write(channel, (const char *)buf, size)
	                     : channel_append(channel, (const char *)buf, size),
	                 size);
}


int
mg_write_both(struct mg_connection *conn,
              const void *buf,
              size_t size,
              const void *more,
              size_t more_size)
{
	return end_write(conn,
	                 channel_write_both(conn->channel,
	                                    (const char *)buf,
	                                    size,
	                                    (const char *)more,
	                                    more_size),
	                 size + more_size);
}


void
mg_write_lasting(struct mg_connection *conn, const void *buf, size_t size)
{
	conn->channel->lasting.ptr = (const char *)buf;
	conn->channel->lasting.len = size;
	note_output(conn, size);
}


void
mg_write_source(struct mg_connection *conn, const struct mg_source *source)
{
	conn->channel->source = *source;
	note_output(conn, 0);
}

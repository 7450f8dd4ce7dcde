/*
 * Answers that are made while they are sent. CivetWeb is included with this file by our patch.
 *
 * A source is asked for the next piece when the client has taken the one before, so that a client that takes
 * nothing holds one piece, and no worker. The deadline moves on with what is taken.
 */

/* By its holder: the source is told, and is no more. */
static void
close_source(struct channel *channel, int is_whole)
{
	const struct mg_source source = channel->source;

	memset(&channel->source, 0, sizeof(channel->source));
	if (source.next != NULL) {
		source.close(source.with, is_whole);
	}
}


/* Of a source's answer the client has taken so much. */
static void
credit_bytes(struct channel *channel, size_t size)
{
	const struct mg_source *source = &channel->source;

	if ((source->next != NULL) && (size > 0)) {
		const uint64_t most_ns = mono_now_ns() + source->pace.ahead_ns;

		channel->deadline_ns += (uint64_t)size * source->pace.ns_a_byte;
		if (channel->deadline_ns > most_ns) {
			channel->deadline_ns = most_ns;
		}
	}
}


/* The next piece of the source, to be sent, behind what is there: nothing, or what was written ahead of the first
 * one. False: there is none, and the source is still there if it has failed. */
static int
channel_take_piece(struct mg_connection *conn)
{
	struct channel *channel = conn->channel;
	const struct mg_source *source = &channel->source;
	const uint64_t asked_ns = mono_now_ns();
	struct bytes *out = &channel->out;
	int n;

	if (channel->ssl != NULL) {
		n = source->next(conn, source->with, channel->scratch->plain, PIECE_BYTES);
	} else {
		if (!bytes_reserve(channel, out, PIECE_MIN_BYTES, SIZE_MAX)) { /* mostly the worker's memory */
			return 0;
		}
		n = source->next(conn, source->with, out->ptr + out->len, out->size - out->len);
	}
	channel->deadline_ns += mono_now_ns() - asked_ns;
	if (n == MG_SOURCE_END) {
		close_source(channel, 1);
	}
	if (n <= 0) {
		return 0;
	}
	if (channel->ssl != NULL) {
		return channel_write(channel, channel->scratch->plain, (size_t)n);
	}
	out->len += (size_t)n;
	return 1;
}

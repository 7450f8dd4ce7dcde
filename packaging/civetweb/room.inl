/*
 * Channels that are closed while nobody works on them: because their time is over, to make room for a new
 * connection, and to make room for bytes. CivetWeb is included with this file by our patch.
 */

/* The master closes so many at a time. */
#define CLOSE_AT_ONCE (64)
/* Of so many sockets at most it is asked, under the mutex, whether something has come; who waits for a request
 * behind them stays this time. */
#define SILENT_LOOKS (64)


/* Or has it said something, and waits for a worker? */
static int
is_silent_still(const struct channel *channel)
{
	char byte;

	return !(channel->events & EPOLLOUT)
	       && (recv(channel->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
	       && ERROR_TRY_AGAIN(ERRNO);
}


/* By its holder: a worker is to tell the client. */
static void
make_late(struct channel *channel)
{
	channel->is_late = 1;
	channel->deadline_ns = UINT64_MAX;
	__atomic_store_n(&channel->waiting->dues_ns[slot_of(channel)],
	                 UINT64_MAX,
	                 __ATOMIC_RELAXED);
	make_ready(channel);
}


/* Has it said a part of something, and does not get on? */
static int
is_half(const struct channel *channel)
{
	return (channel->state == CHANNEL_BODY)
	       || ((channel->state == CHANNEL_HEAD) && (channel->in.len > 0));
}


/* True: it is held, and its time is over. */
static int
is_to_be_closed(struct channel *channel, uint64_t now_ns)
{
	if (!hold_if_free(channel)) {
		return 0;
	}
	if ((now_ns < channel->deadline_ns)
	    || ((channel->state == CHANNEL_HEAD) && (channel->in.len == 0)
	        && !is_silent_still(channel))) {
		put_back(channel);
		return 0;
	}
	if (is_half(channel)) {
		make_late(channel);
		return 0;
	}
	return 1;
}


/* The master's part. */
static void
waiting_expire(struct waiting *waiting)
{
	struct channel *over[CLOSE_AT_ONCE], *channel;
	int i, count;

	do {
		const uint64_t now_ns = mono_now_ns();

		count = 0;
		pthread_mutex_lock(&waiting->mutex);
		for (channel = waiting->oldest; channel && (count < CLOSE_AT_ONCE);
		     channel = channel->prev) {
			if ((now_ns >= __atomic_load_n(&waiting->dues_ns[slot_of(channel)],
			                               __ATOMIC_RELAXED))
			    && is_to_be_closed(channel, now_ns)) {
				over[count++] = channel;
			}
		}
		pthread_mutex_unlock(&waiting->mutex);
		for (i = 0; i < count; i++) {
			waiting_close(waiting, over[i]);
		}
	} while (count == CLOSE_AT_ONCE);
}


/* How readily a channel gives up its place to a new one; 0: not at all. */
static int
readiness_to_go(const struct channel *channel, int *looks)
{
	if (channel->is_late) {
		return 0; /* a worker is about to tell it */
	}
	switch (channel->state) {
	case CHANNEL_HANDSHAKE:
	case CHANNEL_LINGER:
		return 3;
	case CHANNEL_HEAD:
		return (((*looks)-- > 0) && is_silent_still(channel)) ? 3 : 0;
	case CHANNEL_BODY:
		return 2;
	case CHANNEL_WRITE:
	default:
		return channel->is_leaving ? 3 : 1; /* it was told, and does not listen */
	}
}


/* Who has been silent for longest, held; NULL: nobody is. */
static struct channel *
hold_oldest_silent_locked(struct waiting *waiting)
{
	struct channel *channel, *found = NULL;
	int readiness = 0, looks = SILENT_LOOKS;

	for (channel = waiting->oldest; channel && (readiness < 3);
	     channel = channel->prev) {
		int its;

		if (!hold_if_free(channel)) {
			continue;
		}
		its = readiness_to_go(channel, &looks);
		if (its <= readiness) {
			put_back(channel);
			continue;
		}
		if (found != NULL) {
			put_back(found);
		}
		found = channel;
		readiness = its;
	}
	return found;
}


/* By its holder, who has it no more: a worker is to tell the client that it cannot stay. */
static void
tell_to_leave_locked(struct waiting *waiting, struct channel *channel)
{
	waiting->leaving++;
	__atomic_fetch_add(&waiting->evicted, 1, __ATOMIC_RELAXED);
	channel->is_leaving = 1;
	make_late(channel);
}


/* Closes the oldest silent one while there are `too_many` connections. True: there is room now. */
static int
waiting_make_room(struct waiting *waiting, int too_many)
{
	struct channel *oldest = NULL;
	int has_room;

	pthread_mutex_lock(&waiting->mutex);
	has_room = (waiting->open < too_many);
	if (!has_room) {
		oldest = hold_oldest_silent_locked(waiting);
	}
	if ((oldest != NULL) && (oldest->state == CHANNEL_BODY)) {
		if (waiting->leaving > 0) {
			put_back(oldest); /* another one is on its way already */
		} else {
			tell_to_leave_locked(waiting, oldest);
		}
		oldest = NULL;
	}
	pthread_mutex_unlock(&waiting->mutex);
	if (oldest != NULL) {
		__atomic_fetch_add(&waiting->evicted, 1, __ATOMIC_RELAXED);
		waiting_close(waiting, oldest);
		has_room = 1;
	}
	return has_room;
}


/* ---- bytes ---- */

/*
 * The channel whose bytes have waited for longest, which is that whose time is over first, and which was
 * not tried before: held. NULL: there is none.
 */
static struct channel *
hold_oldest_bytes_locked(struct waiting *waiting, uint64_t *tried_ns)
{
	struct channel *channel;

	do {
		uint64_t due_ns = UINT64_MAX;
		int slot;

		channel = NULL;
		for (slot = 0; slot < waiting->fresh; slot++) {
			const uint64_t its_ns =
			    __atomic_load_n(&waiting->dues_ns[slot], __ATOMIC_RELAXED);

			if ((its_ns > *tried_ns) && (its_ns < due_ns)
			    && (__atomic_load_n(&waiting->drops[slot], __ATOMIC_RELAXED) > 0)) {
				due_ns = its_ns;
				channel = &waiting->slots[slot];
			}
		}
		*tried_ns = due_ns;
	} while ((channel != NULL) && !hold_if_free(channel));
	return channel;
}


/* Of a request that has not come as a whole only what tells the client is left: the head, if that is not
 * most of it. Who is paused is refused without it. False: the client cannot be told. */
static int
drop_half_request(struct channel *channel)
{
	struct bytes *in = &channel->in;

	if (channel->is_paused || ((channel->state == CHANNEL_HEAD) && (in->len > 0))) {
		bytes_free(channel->waiting, in);
		return 1;
	}
	if ((channel->state != CHANNEL_BODY) || (in->size / 2 < channel->head_len)) {
		return 0;
	}
	channel->body.verdict = MG_BODY_NO_ROOM;
	return bytes_shrink(channel, in, channel->head_len);
}


/* Drops so many of the bytes that have waited for longest, while there are any. */
static void
drop_bytes(struct waiting *waiting, int64_t too_many)
{
	uint64_t tried_ns = 0;

	while (too_many > 0) {
		struct channel *channel;
		int is_told = 0;

		pthread_mutex_lock(&waiting->mutex);
		channel = hold_oldest_bytes_locked(waiting, &tried_ns);
		if (channel != NULL) {
			const int64_t size = droppable_bytes(channel);

			is_told = (size == 0) || drop_half_request(channel);
			too_many -= is_told ? size - droppable_bytes(channel) : size;
			if (size == 0) {
				put_back(channel);
			} else if (is_told) {
				tell_to_leave_locked(waiting, channel);
			}
		}
		pthread_mutex_unlock(&waiting->mutex);
		if (channel == NULL) {
			return;
		}
		if (!is_told) {
			__atomic_fetch_add(&waiting->evicted, 1, __ATOMIC_RELAXED);
			waiting_close(waiting, channel);
		}
	}
}


/* So many more bytes are to wait; others make room. False: they cannot. */
static int
reserve_bytes(struct waiting *waiting, size_t size)
{
	const int64_t max = __atomic_load_n(&waiting->bytes_max, __ATOMIC_RELAXED);
	const int64_t total =
	    __atomic_add_fetch(&waiting->bytes, (int64_t)size, __ATOMIC_RELAXED);

	if ((total > max) && ((int64_t)size <= max)) {
		drop_bytes(waiting, total - max);
	}
	if (__atomic_load_n(&waiting->bytes, __ATOMIC_RELAXED) <= max) {
		return 1;
	}
	count_bytes(waiting, -(int64_t)size);
	return 0;
}

/*
 * Channels that are closed while nobody works on them: because their time is over, and to make room for a
 * new connection. CivetWeb is included with this file by our patch.
 */

/* The master closes so many at a time. */
#define CLOSE_AT_ONCE (64)


/* Or has it said something, and waits for a worker? */
static int
is_silent_still(const struct channel *channel)
{
	char byte;

	return !(channel->events & EPOLLOUT)
	       && (recv(channel->sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
	       && ERROR_TRY_AGAIN(ERRNO);
}


/* A worker is to see to it, now. */
static void
wake_locked(struct waiting *waiting, struct channel *channel)
{
	channel->is_late = 1;
	channel->deadline_ns = UINT64_MAX;
	(void)arm_locked(waiting, channel, EPOLLIN | EPOLLOUT);
}


/* Its time is over. True: it is held now, to be closed. */
static int
expire_locked(struct waiting *waiting, struct channel *channel)
{
	const int is_half = (channel->state == CHANNEL_BODY)
	                    || ((channel->state == CHANNEL_HEAD) && (channel->in.len > 0));

	if (is_half) {
		wake_locked(waiting, channel); /* the client gets an answer */
		return 0;
	}
	if ((channel->state == CHANNEL_HEAD) && !is_silent_still(channel)) {
		return 0;
	}
	hold_locked(waiting, channel);
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
			if (!channel->is_held && (now_ns >= channel->deadline_ns)
			    && expire_locked(waiting, channel)) {
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
readiness_to_go(const struct channel *channel)
{
	if (channel->is_held) {
		return 0;
	}
	switch (channel->state) {
	case CHANNEL_HANDSHAKE:
	case CHANNEL_LINGER:
		return 3;
	case CHANNEL_HEAD:
		return is_silent_still(channel) ? 3 : 0;
	case CHANNEL_BODY:
		return channel->is_late ? 0 : 2;
	case CHANNEL_WRITE:
	default:
		return 1;
	}
}


/* Who has been silent for longest, held; NULL: nobody is. A request that waits for its body is told. */
static struct channel *
waiting_oldest_silent(struct waiting *waiting)
{
	struct channel *channel, *found = NULL;
	int readiness = 0, is_one_going = 0;

	pthread_mutex_lock(&waiting->mutex);
	for (channel = waiting->oldest; channel && (readiness < 3);
	     channel = channel->prev) {
		const int its = readiness_to_go(channel);

		is_one_going |= !channel->is_held && (channel->state == CHANNEL_BODY)
		                && channel->is_late;
		if (its > readiness) {
			readiness = its;
			found = channel;
		}
	}
	if ((found != NULL) && (found->state == CHANNEL_BODY)) {
		/* One at a time: its place is free once a worker has told it */
		if (!is_one_going) {
			wake_locked(waiting, found);
		}
		found = NULL;
	}
	if (found != NULL) {
		hold_locked(waiting, found);
		__atomic_store_n(&waiting->evicted, waiting->evicted + 1, __ATOMIC_RELAXED);
	}
	pthread_mutex_unlock(&waiting->mutex);
	return found;
}


static int
waiting_evict(struct waiting *waiting)
{
	struct channel *oldest = waiting_oldest_silent(waiting);

	if (oldest == NULL) {
		return 0;
	}
	waiting_close(waiting, oldest);
	return 1;
}

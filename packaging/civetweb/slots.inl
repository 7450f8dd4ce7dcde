/*
 * Where channels are: slots, a list by age, and an epoll. CivetWeb is included with this file by our patch.
 *
 * Slots are never freed, and an event of the epoll names slot and generation. Who wants a channel holds it
 * first, under the mutex: its event may have been overtaken by the master, which closes those whose time
 * is over, or by a worker that needs the place for a new connection. Armed is a channel for one event
 * only, so that no two workers get it.
 */

/* Connections, unless mg_limit_waiting says less. */
#define CHANNELS_MAX (8192)
struct waiting {
	pthread_mutex_t mutex;
	/* Guarded by the mutex; the counts may be read without. */
	struct channel *youngest, *oldest; /* all that are open, by their last whole request */
	struct channel *free_slots;        /* by next */
	int fresh;                         /* slots from here on have never been used */
	int open, held;
	int is_paused; /* listening sockets are disarmed: there is no room */
	int64_t evicted;
	/* Atomic. */
	int idle_workers;
	int unfinished; /* requests that wait: for their body, or for their answer to be taken */
	int64_t bytes, bytes_max;
	int64_t accepted;
	int max;
	/* Set before there are workers. */
	struct mg_context *ctx;
	struct channel *slots;
	int slot_count;
	int epoll_fd;
	int stop_fd; /* an eventfd in the epoll, for all workers */
	int keeps;
	uint64_t request_timeout_ns, keep_alive_timeout_ns;
	BIO_METHOD *tls_method;
};

/* What an event names: generation and slot of a channel, or with generation 0 one of these. */
#define EVENT_STOP (0)
#define EVENT_LISTENER(index) ((index) + 1)


static int64_t *
waiting_bytes(struct waiting *waiting)
{
	return &waiting->bytes;
}


static int64_t
waiting_bytes_max(const struct waiting *waiting)
{
	return __atomic_load_n(&waiting->bytes_max, __ATOMIC_RELAXED);
}


static void
count_locked(int *count, int more)
{
	__atomic_store_n(count, *count + more, __ATOMIC_RELAXED);
}


/* ---- the list, under the mutex ---- */

static void
list_remove_locked(struct waiting *waiting, struct channel *channel)
{
	*(channel->prev ? &channel->prev->next : &waiting->youngest) = channel->next;
	*(channel->next ? &channel->next->prev : &waiting->oldest) = channel->prev;
	channel->prev = channel->next = NULL;
}


static void
list_add_locked(struct waiting *waiting, struct channel *channel)
{
	channel->prev = NULL;
	channel->next = waiting->youngest;
	*(waiting->youngest ? &waiting->youngest->prev : &waiting->oldest) = channel;
	waiting->youngest = channel;
}


static void
hold_locked(struct waiting *waiting, struct channel *channel)
{
	channel->is_held = 1;
	count_locked(&waiting->held, 1);
}


/* Arms the channel. False: it cannot be watched. */
static int
arm_locked(struct waiting *waiting, struct channel *channel, uint32_t events)
{
	struct epoll_event event;
	const int operation = channel->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	memset(&event, 0, sizeof(event));
	event.events = events | EPOLLONESHOT;
	event.data.u64 = ((uint64_t)channel->generation << 32)
	                 | (uint64_t)(channel - waiting->slots);
	channel->is_watched = 1;
	return epoll_ctl(waiting->epoll_fd, operation, channel->sock, &event) == 0;
}


static void
arm_listener(struct waiting *waiting, unsigned index, int operation)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = EPOLLIN | EPOLLONESHOT;
	event.data.u64 = EVENT_LISTENER(index);
	(void)epoll_ctl(waiting->epoll_fd,
	                operation,
	                waiting->ctx->listening_sockets[index].sock,
	                &event);
}


static void
arm_listeners(struct waiting *waiting, int operation)
{
	unsigned i;

	for (i = 0; i < waiting->ctx->num_listening_sockets; i++) {
		arm_listener(waiting, i, operation);
	}
}


/* ---- opening and closing ---- */

static struct channel *
take_slot_locked(struct waiting *waiting)
{
	struct channel *channel = waiting->free_slots;

	if (channel != NULL) {
		waiting->free_slots = channel->next;
	} else if (waiting->fresh < waiting->slot_count) {
		channel = &waiting->slots[waiting->fresh++];
	}
	return channel;
}


/* A slot for a new connection, held; NULL: there is none. */
static struct channel *
waiting_open(struct waiting *waiting)
{
	struct channel *channel;

	pthread_mutex_lock(&waiting->mutex);
	channel = take_slot_locked(waiting);
	if (channel != NULL) {
		const uint32_t generation = channel->generation;

		memset(channel, 0, sizeof(*channel));
		channel->generation = (generation < UINT32_MAX) ? generation + 1 : 1;
		channel->waiting = waiting;
		channel->is_open = channel->is_held = 1;
		count_locked(&waiting->open, 1);
		count_locked(&waiting->held, 1);
		list_add_locked(waiting, channel);
	}
	pthread_mutex_unlock(&waiting->mutex);
	return channel;
}


/* By its holder. Between its last worker and its next one a request counts as unfinished. */
static void
count_unfinished(struct channel *channel, int is_unfinished)
{
	__atomic_fetch_add(&channel->waiting->unfinished,
	                   is_unfinished - channel->is_unfinished,
	                   __ATOMIC_SEQ_CST);
	channel->is_unfinished = is_unfinished;
}


/* By its holder. */
static void
waiting_close(struct waiting *waiting, struct channel *channel)
{
	int was_paused;

	if ((channel->ssl != NULL) && (channel->state == CHANNEL_HEAD)) {
		(void)SSL_shutdown(channel->ssl);
	}
	count_unfinished(channel, 0);
	SSL_free(channel->ssl);
	close(channel->sock);
	if (!is_borrowed(channel)) {
		bytes_free(waiting, &channel->in);
	}
	bytes_free(waiting, &channel->out);

	pthread_mutex_lock(&waiting->mutex);
	list_remove_locked(waiting, channel);
	channel->is_open = channel->is_held = 0;
	channel->next = waiting->free_slots;
	waiting->free_slots = channel;
	count_locked(&waiting->open, -1);
	count_locked(&waiting->held, -1);
	was_paused = waiting->is_paused;
	waiting->is_paused = 0;
	pthread_mutex_unlock(&waiting->mutex);
	if (was_paused) {
		arm_listeners(waiting, EPOLL_CTL_MOD);
	}
}


/*
 * The channel waits for channel->events, or its deadline, and may be anybody's from here on. False: it
 * cannot be watched, and is the caller's still.
 */
static int
waiting_give(struct waiting *waiting, struct channel *channel)
{
	int is_given;

	if (channel->deadline_ns == 0) {
		channel->deadline_ns = mono_now_ns() + waiting->request_timeout_ns;
	}
	pthread_mutex_lock(&waiting->mutex);
	is_given = arm_locked(waiting, channel, channel->events);
	if (is_given) {
		if (channel->is_renewed) {
			channel->is_renewed = 0;
			list_remove_locked(waiting, channel);
			list_add_locked(waiting, channel);
		}
		channel->is_held = 0;
		count_locked(&waiting->held, -1);
	}
	pthread_mutex_unlock(&waiting->mutex);
	return is_given;
}

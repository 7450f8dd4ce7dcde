/*
 * Channels that wait without a thread. CivetWeb is included with this file by our patch.
 *
 * An epoll watches the listening sockets and every channel that no worker works on: one that waits for a
 * request, for the rest of a handshake, a head or a body, for the client to take its answer or to close.
 * A worker that has nothing to do waits there, takes one step with whoever is ready, and gives the
 * channel back if that was not enough. So a client that is slow, or says nothing, costs no worker.
 */

#include "slots.inl"

#include "room.inl"

/* How often the master looks whose time is over, and whether the server stops. */
#define LOOK_MS (100)


/* There is no room: more connections wait in the kernel until a channel is closed, or the master looks. */
static void
pause_accepting(struct waiting *waiting)
{
	pthread_mutex_lock(&waiting->mutex);
	waiting->is_paused = 1;
	pthread_mutex_unlock(&waiting->mutex);
}


static int
is_out_of_descriptors(int error)
{
	return (error == EMFILE) || (error == ENFILE) || (error == ENOBUFS)
	       || (error == ENOMEM);
}


/* A new connection, held; NULL: there is none after all. */
static struct channel *
waiting_accept(struct waiting *waiting, unsigned index)
{
	const struct socket *listener = &waiting->ctx->listening_sockets[index];
	struct channel *channel;
	union usa peer;
	socklen_t len = sizeof(peer);
	int sock;

	if ((__atomic_load_n(&waiting->open, __ATOMIC_RELAXED)
	     >= __atomic_load_n(&waiting->max, __ATOMIC_RELAXED))
	    && !waiting_evict(waiting)) {
		pause_accepting(waiting);
		return NULL;
	}
	sock = accept4(listener->sock, &peer.sa, &len, SOCK_CLOEXEC);
	if ((sock < 0) && is_out_of_descriptors(ERRNO) && !waiting_evict(waiting)) {
		pause_accepting(waiting);
		return NULL;
	}
	/* Before this one is served, so that another worker can take the next one */
	arm_listener(waiting, index, EPOLL_CTL_MOD);
	if (sock < 0) {
		return NULL;
	}
	channel = waiting_open(waiting);
	if (channel == NULL) {
		close(sock);
		return NULL;
	}
	__atomic_fetch_add(&waiting->accepted, 1, __ATOMIC_RELAXED);
	channel->sock = sock;
	channel->peer = peer;
	channel->listener = listener;
	channel->deadline_ns = mono_now_ns() + waiting->request_timeout_ns;
	channel->state = listener->is_ssl ? CHANNEL_HANDSHAKE : CHANNEL_HEAD;
	return channel;
}


/* The channel an event named, unless that has been overtaken. */
static struct channel *
waiting_hold(struct waiting *waiting, uint64_t name)
{
	struct channel *channel = &waiting->slots[name & UINT32_MAX];

	pthread_mutex_lock(&waiting->mutex);
	if (channel->is_open && !channel->is_held
	    && (channel->generation == (uint32_t)(name >> 32))) {
		hold_locked(waiting, channel);
	} else {
		channel = NULL;
	}
	pthread_mutex_unlock(&waiting->mutex);
	return channel;
}


/* Waits for a channel that is ready, new ones included, and makes it the worker's. NULL: the server
 * stops. */
static struct channel *
waiting_take(struct waiting *waiting)
{
	for (;;) {
		struct channel *channel = NULL;
		struct epoll_event event;
		int n;

		__atomic_fetch_add(&waiting->idle_workers, 1, __ATOMIC_RELAXED);
		n = epoll_wait(waiting->epoll_fd, &event, 1, -1);
		__atomic_fetch_sub(&waiting->idle_workers, 1, __ATOMIC_RELAXED);
		if (!STOP_FLAG_IS_ZERO(&waiting->ctx->stop_flag)) {
			return NULL; /* whoever is open is closed by waiting_free */
		}
		if (n != 1) {
			continue;
		}
		if ((event.data.u64 >> 32) != 0) {
			channel = waiting_hold(waiting, event.data.u64);
		} else if (event.data.u64 != EVENT_STOP) {
			channel = waiting_accept(waiting, (unsigned)event.data.u64 - 1);
		}
		if (channel != NULL) {
			return channel;
		}
	}
}


/* Is there nobody who waits for others than their own client? */
static int
is_worker_needed(const struct waiting *waiting)
{
	return __atomic_load_n(&waiting->idle_workers, __ATOMIC_RELAXED) == 0;
}


/* ---- life ---- */

static uint64_t
option_ns(const struct mg_context *ctx, int option)
{
	const char *value = ctx->dd.config[option];

	if ((value == NULL) || (atoi(value) <= 0)) {
		value = config_options[option].default_value;
	}
	return (uint64_t)atoi(value) * 1000000;
}


/* Only when all threads but the caller's are gone. */
static void
waiting_free(struct mg_context *ctx)
{
	struct waiting *waiting = ctx->waiting;

	if (waiting == NULL) {
		return;
	}
	waiting->is_paused = 0;
	while (waiting->youngest) {
		struct channel *channel = waiting->youngest;

		if (!channel->is_held) {
			hold_locked(waiting, channel);
		}
		waiting_close(waiting, channel);
	}
	if (waiting->epoll_fd >= 0) {
		close(waiting->epoll_fd);
	}
	if (waiting->stop_fd >= 0) {
		close(waiting->stop_fd);
	}
	BIO_meth_free(waiting->tls_method);
	pthread_mutex_destroy(&waiting->mutex);
	mg_free(waiting->slots);
	mg_free(waiting);
	ctx->waiting = NULL;
}


static int
waiting_init(struct mg_context *ctx, struct waiting *waiting)
{
	struct epoll_event stop;

	/* Workers that accept at the same time may be over the limit by one each */
	waiting->slot_count = CHANNELS_MAX + (int)ctx->cfg_worker_threads;
	waiting->slots =
	    (struct channel *)mg_calloc((size_t)waiting->slot_count, sizeof(struct channel));
	waiting->tls_method = tls_bio_method();
	waiting->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	waiting->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if ((waiting->slots == NULL) || (waiting->tls_method == NULL)) {
		return 0;
	}
	memset(&stop, 0, sizeof(stop));
	stop.events = EPOLLIN;
	stop.data.u64 = EVENT_STOP;
	return (waiting->epoll_fd >= 0) && (waiting->stop_fd >= 0)
	       && (epoll_ctl(waiting->epoll_fd, EPOLL_CTL_ADD, waiting->stop_fd, &stop)
	           == 0);
}


static int
waiting_new(struct mg_context *ctx)
{
	struct waiting *waiting = (struct waiting *)mg_calloc(1, sizeof(*waiting));

	if (waiting == NULL) {
		return 0;
	}
	if (pthread_mutex_init(&waiting->mutex, NULL) != 0) {
		mg_free(waiting);
		return 0;
	}
	ctx->waiting = waiting;
	waiting->ctx = ctx;
	waiting->max = CHANNELS_MAX;
	waiting->bytes_max = WAITING_BYTES_MAX;
	waiting->request_timeout_ns = option_ns(ctx, REQUEST_TIMEOUT);
	waiting->keep_alive_timeout_ns = option_ns(ctx, KEEP_ALIVE_TIMEOUT);
	waiting->keeps = (mg_strcasecmp(ctx->dd.config[ENABLE_KEEP_ALIVE], "yes") == 0);
	return waiting_init(ctx, waiting);
}


/* Before it listens: what it has set its connections inherit. */
static void
prepare_listener(const struct mg_context *ctx, const struct socket *listener)
{
	const struct timeval own_wait = {0, OWN_WAIT_MS * 1000};
	const int on = 1;

	set_non_blocking_mode(listener->sock); /* which they do not inherit */
	(void)setsockopt(listener->sock,
	                 SOL_SOCKET,
	                 SO_RCVTIMEO,
	                 &own_wait,
	                 sizeof(own_wait));
	(void)setsockopt(listener->sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if ((ctx->dd.config[CONFIG_TCP_NODELAY] != NULL)
	    && (strcmp(ctx->dd.config[CONFIG_TCP_NODELAY], "1") == 0)) {
		(void)set_tcp_nodelay(listener, 1);
	}
}


/* All the master does until the server stops: workers accept connections themselves. */
static void
waiting_watch(struct mg_context *ctx)
{
	struct waiting *waiting = ctx->waiting;

	arm_listeners(waiting, EPOLL_CTL_ADD);
	while (STOP_FLAG_IS_ZERO(&ctx->stop_flag)) {
		int was_paused;

		mg_sleep(LOOK_MS);
		waiting_expire(waiting);
		pthread_mutex_lock(&waiting->mutex);
		was_paused = waiting->is_paused;
		waiting->is_paused = 0;
		pthread_mutex_unlock(&waiting->mutex);
		if (was_paused) {
			arm_listeners(waiting, EPOLL_CTL_MOD);
		}
	}
	(void)eventfd_write(waiting->stop_fd, 1);
}


void
mg_get_waiting_stats(const struct mg_context *ctx, struct mg_waiting_stats *stats_out)
{
	const struct waiting *waiting = ctx->waiting;

	stats_out->accepted = __atomic_load_n(&waiting->accepted, __ATOMIC_RELAXED);
	stats_out->evicted = __atomic_load_n(&waiting->evicted, __ATOMIC_RELAXED);
	stats_out->bytes = __atomic_load_n(&waiting->bytes, __ATOMIC_RELAXED);
	stats_out->waiting = __atomic_load_n(&waiting->open, __ATOMIC_RELAXED)
	                     - __atomic_load_n(&waiting->held, __ATOMIC_RELAXED);
	stats_out->unfinished = __atomic_load_n(&waiting->unfinished, __ATOMIC_SEQ_CST);
}


void
mg_limit_waiting(struct mg_context *ctx, int connections, int64_t bytes)
{
	__atomic_store_n(&ctx->waiting->max,
	                 (connections < CHANNELS_MAX) ? connections : CHANNELS_MAX,
	                 __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->waiting->bytes_max, bytes, __ATOMIC_RELAXED);
}

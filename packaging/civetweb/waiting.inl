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

/* So long a worker may be busy with a new connection before it is not waited for any more. */
#define ADMIT_MS (5)
/* Workers that wait in the epoll, for each processor. */
#define WATCHERS_A_PROCESSOR (2)
/* Workers that may be busy with new connections, for each processor. */
#define PLACES_A_PROCESSOR (4)
/* So much of what a client does not take the kernel keeps for it. Left to itself it keeps megabytes for each,
 * and once the memory of all its sockets is used up (tcp_mem) nobody's bytes get on. */
#define UNSENT_BYTES (32 * 1024)
/* How often the master looks whose time is over, and whether the server stops. */
#define LOOK_MS (100)


static int
is_out_of_descriptors(int error)
{
	return (error == EMFILE) || (error == ENFILE) || (error == ENOBUFS)
	       || (error == ENOMEM);
}


/* ---- new connections ---- */

/*
 * Workers that were all woken at once for a new connection each spend most of their time on waking up: 64
 * of them take twice as long for a request as 8 do. So while as many as there are places work on new
 * connections the listening sockets stay disarmed, until one of them is done. They may hash passwords or
 * wait for Redis: so ADMIT_MS later as many again are admitted, and so on.
 */

/* Listening sockets that are disarmed for that reason are armed. */
static void
admit(struct waiting *waiting)
{
	arm_some(waiting, __atomic_exchange_n(&waiting->held_back, 0, __ATOMIC_SEQ_CST));
}


static int
has_place(const struct waiting *waiting)
{
	return __atomic_load_n(&waiting->newcomers, __ATOMIC_SEQ_CST)
	       < __atomic_load_n(&waiting->places, __ATOMIC_SEQ_CST);
}


static void
hold_back(struct waiting *waiting, unsigned index)
{
	const struct itimerspec soon = {{0, 0}, {0, ADMIT_MS * 1000000}};

	__atomic_fetch_or(&waiting->held_back, (uint64_t)1 << index, __ATOMIC_SEQ_CST);
	if (has_place(waiting)) {
		admit(waiting); /* the last one was done just now */
	} else if (!__atomic_exchange_n(&waiting->is_timed, 1, __ATOMIC_SEQ_CST)) {
		(void)timerfd_settime(waiting->timer_fd, 0, &soon, NULL);
	}
}


/* Somebody has been held back for ADMIT_MS. */
static void
admit_more(struct waiting *waiting)
{
	const int newcomers = __atomic_load_n(&waiting->newcomers, __ATOMIC_SEQ_CST);

	__atomic_store_n(&waiting->is_timed, 0, __ATOMIC_SEQ_CST);
	__atomic_store_n(&waiting->places,
	                 newcomers + waiting->places_at_first,
	                 __ATOMIC_SEQ_CST);
	admit(waiting);
}


/* By its holder: the channel is no newcomer any more. Who does not come back at once for the next one lets
 * others have it. */
static void
end_newcomer(struct channel *channel, int comes_back)
{
	struct waiting *waiting = channel->waiting;

	if (!channel->is_newcomer) {
		return;
	}
	channel->is_newcomer = 0;
	if (__atomic_sub_fetch(&waiting->newcomers, 1, __ATOMIC_SEQ_CST)
	    < waiting->places_at_first) {
		__atomic_store_n(&waiting->places, waiting->places_at_first, __ATOMIC_SEQ_CST);
	}
	if (!comes_back && (__atomic_load_n(&waiting->held_back, __ATOMIC_SEQ_CST) != 0)) {
		admit(waiting);
	}
}


static void
begin_channel(struct channel *channel, int sock, const struct socket *listener, const union usa *peer)
{
	struct waiting *waiting = channel->waiting;

	channel->sock = sock;
	channel->peer = *peer;
	/* Copies: at the stop the listening sockets go before the workers do */
	channel->is_tls = listener->is_ssl;
	channel->port = ntohs(USA_IN_PORT_UNSAFE(&listener->lsa));
	channel->deadline_ns = mono_now_ns() + waiting->request_timeout_ns;
	channel->state = channel->is_tls ? CHANNEL_HANDSHAKE : CHANNEL_HEAD;
	channel->is_newcomer = 1;
	__atomic_fetch_add(&waiting->newcomers, 1, __ATOMIC_SEQ_CST);
	__atomic_fetch_add(&waiting->accepted, 1, __ATOMIC_RELAXED);
}


/*
 * By the worker that was woken for that listening socket: is there room for one more? False: connections
 * wait in the kernel until a channel is closed or given back, or the master looks; then the socket is armed.
 */
static int
find_room(struct waiting *waiting, unsigned index, int max)
{
	const uint64_t listener = (uint64_t)1 << index;

	if (waiting_make_room(waiting, max)) {
		return 1;
	}
	__atomic_fetch_or(&waiting->paused, listener, __ATOMIC_SEQ_CST);
	/* Whoever gave a channel back before that did not see it. Whoever did has woken another worker. */
	return waiting_make_room(waiting, max)
	       && (__atomic_fetch_and(&waiting->paused, ~listener, __ATOMIC_SEQ_CST) & listener);
}


/* A new connection, held; NULL: there is none after all, or no room. */
static struct channel *
accept_one(struct waiting *waiting, unsigned index)
{
	const struct socket *listener = &waiting->ctx->listening_sockets[index];
	const int max = __atomic_load_n(&waiting->max, __ATOMIC_RELAXED);
	struct channel *channel = NULL;
	union usa peer;
	socklen_t len = sizeof(peer);
	int sock;

	if ((__atomic_load_n(&waiting->open, __ATOMIC_RELAXED) >= max)
	    && !find_room(waiting, index, max)) {
		return NULL;
	}
	sock = accept4(listener->sock, &peer.sa, &len, SOCK_CLOEXEC);
	if ((sock < 0) && is_out_of_descriptors(ERRNO) && !find_room(waiting, index, 0)) {
		return NULL;
	}
	if (sock >= 0) {
		channel = waiting_open(waiting);
		if (channel == NULL) {
			close(sock);
		} else {
			begin_channel(channel, sock, listener, &peer);
		}
	}
	/* Before this one is served, so that another worker can take the next one */
	if (has_place(waiting)) {
		arm_listener(waiting, index, EPOLL_CTL_MOD);
	} else {
		hold_back(waiting, index);
	}
	return channel;
}


static struct channel *
waiting_accept(struct waiting *waiting, unsigned index)
{
	struct channel *channel = NULL;

	if (use_listeners(waiting)) {
		channel = accept_one(waiting, index);
		leave_listeners(waiting);
	}
	return channel;
}


/* A new connection on a listening socket that is held back, if there is a place; NULL: there is none. It
 * costs nobody's waking up. */
static struct channel *
accept_held_back(struct waiting *waiting)
{
	uint64_t listeners = __atomic_load_n(&waiting->held_back, __ATOMIC_SEQ_CST);
	struct channel *channel = NULL;
	unsigned i;

	for (i = 0; (listeners != 0) && (channel == NULL) && has_place(waiting); i++) {
		const uint64_t bit = (uint64_t)1 << i;

		if ((listeners & bit)
		    && (__atomic_fetch_and(&waiting->held_back, ~bit, __ATOMIC_SEQ_CST) & bit)) {
			channel = waiting_accept(waiting, i);
		}
		listeners &= ~bit;
	}
	return channel;
}


/* ---- taking ---- */

/*
 * Every event wakes one thread that waits in the epoll, and so does every new connection while an earlier
 * one has not been accepted yet, though there may be nothing for it. So few wait there, and the others
 * on a bench; who leaves nobody behind in the epoll calls for one of them.
 */
static void
enter_epoll(struct waiting *waiting)
{
	while (__atomic_add_fetch(&waiting->watchers, 1, __ATOMIC_SEQ_CST)
	       > waiting->watchers_max) {
		__atomic_fetch_add(&waiting->benched, 1, __ATOMIC_SEQ_CST);
		if (__atomic_sub_fetch(&waiting->watchers, 1, __ATOMIC_SEQ_CST) > 0) {
			while ((sem_wait(&waiting->bench) != 0) && (ERRNO == EINTR)) {
			}
		}
		__atomic_fetch_sub(&waiting->benched, 1, __ATOMIC_SEQ_CST);
	}
}


static void
leave_epoll(struct waiting *waiting)
{
	if ((__atomic_sub_fetch(&waiting->watchers, 1, __ATOMIC_SEQ_CST) == 0)
	    && (__atomic_load_n(&waiting->benched, __ATOMIC_SEQ_CST) > 0)) {
		(void)sem_post(&waiting->bench);
	}
}


/* What an event names. NULL: nothing that is still there. */
static struct channel *
take_event(struct waiting *waiting, uint64_t name)
{
	const uint32_t slot = (uint32_t)name, generation = (uint32_t)(name >> 32);

	if (generation != 0) {
		return hold_by_event(waiting, slot, generation) ? &waiting->slots[slot] : NULL;
	}
	if (name == EVENT_TIMER) {
		admit_more(waiting);
	} else if (name != EVENT_STOP) {
		return waiting_accept(waiting, slot - 1);
	}
	return NULL;
}


/* Waits for a channel that is ready, new ones included, and makes it the worker's. NULL: the server
 * stops. */
static struct channel *
waiting_take(struct waiting *waiting)
{
	struct channel *channel = accept_held_back(waiting);

	while (channel == NULL) {
		struct epoll_event event;
		int n;

		__atomic_fetch_add(&waiting->idle_workers, 1, __ATOMIC_RELAXED);
		enter_epoll(waiting);
		n = STOP_FLAG_IS_ZERO(&waiting->ctx->stop_flag)
		        ? epoll_wait(waiting->epoll_fd, &event, 1, -1)
		        : 0;
		leave_epoll(waiting);
		__atomic_fetch_sub(&waiting->idle_workers, 1, __ATOMIC_RELAXED);
		if (!STOP_FLAG_IS_ZERO(&waiting->ctx->stop_flag)) {
			return NULL; /* whoever is open is closed by waiting_free */
		}
		if (n == 1) {
			channel = take_event(waiting, event.data.u64);
		}
	}
	return channel;
}


/* Are all workers busy, or waiting for their own client? Then nobody takes what is ready. */
static int
is_worker_needed(const struct waiting *waiting)
{
	return __atomic_load_n(&waiting->idle_workers, __ATOMIC_RELAXED) == 0;
}


/* May the worker wait for its client, for OWN_WAIT_MS? That saves a tenth of the time of a request, and
 * half of a handshake's. */
static int
may_wait_here(const struct channel *channel)
{
	return channel->is_own && !is_worker_needed(channel->waiting);
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
	__atomic_store_n(&waiting->paused, 0, __ATOMIC_SEQ_CST);
	while (waiting->youngest) {
		struct channel *channel = waiting->youngest;

		(void)hold_if_free(channel);
		waiting_close(waiting, channel);
	}
	if (waiting->epoll_fd >= 0) {
		close(waiting->epoll_fd);
	}
	if (waiting->stop_fd >= 0) {
		close(waiting->stop_fd);
	}
	if (waiting->timer_fd >= 0) {
		close(waiting->timer_fd);
	}
	BIO_meth_free(waiting->tls_method);
	pthread_mutex_destroy(&waiting->mutex);
	sem_destroy(&waiting->bench);
	mg_free(waiting->words);
	mg_free(waiting->dues_ns);
	mg_free(waiting->drops);
	mg_free(waiting->slots);
	mg_free(waiting);
	ctx->waiting = NULL;
}


static int
watch_event(struct waiting *waiting, int fd, uint32_t events, uint64_t name)
{
	struct epoll_event event;

	memset(&event, 0, sizeof(event));
	event.events = events;
	event.data.u64 = name;
	return (fd >= 0) && (epoll_ctl(waiting->epoll_fd, EPOLL_CTL_ADD, fd, &event) == 0);
}


static int
waiting_init(struct mg_context *ctx, struct waiting *waiting)
{
	size_t count;

	/* Workers that accept at the same time may be over the limit by one each */
	waiting->slot_count = MG_CONNECTIONS_MAX + (int)ctx->cfg_worker_threads;
	count = (size_t)waiting->slot_count;
	waiting->slots = (struct channel *)mg_calloc(count, sizeof(struct channel));
	waiting->words = (uint64_t *)mg_calloc(count, sizeof(uint64_t));
	waiting->dues_ns = (uint64_t *)mg_calloc(count, sizeof(uint64_t));
	waiting->drops = (int64_t *)mg_calloc(count, sizeof(int64_t));
	waiting->tls_method = tls_bio_method();
	waiting->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	waiting->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	waiting->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	waiting->watchers_max = WATCHERS_A_PROCESSOR * get_nprocs();
	waiting->places = waiting->places_at_first = PLACES_A_PROCESSOR * get_nprocs();
	if ((waiting->slots == NULL) || (waiting->words == NULL)
	    || (waiting->dues_ns == NULL) || (waiting->drops == NULL)
	    || (waiting->tls_method == NULL)) {
		return 0;
	}
	return (waiting->epoll_fd >= 0)
	       && watch_event(waiting, waiting->stop_fd, EPOLLIN, EVENT_STOP)
	       && watch_event(waiting, waiting->timer_fd, EPOLLIN | EPOLLET, EVENT_TIMER);
}


static int
waiting_new(struct mg_context *ctx)
{
	struct waiting *waiting = (struct waiting *)mg_calloc(1, sizeof(*waiting));

	if (waiting == NULL) {
		return 0;
	}
	if (sem_init(&waiting->bench, 0, 0) != 0) {
		mg_free(waiting);
		return 0;
	}
	if (pthread_mutex_init(&waiting->mutex, NULL) != 0) {
		sem_destroy(&waiting->bench);
		mg_free(waiting);
		return 0;
	}
	ctx->waiting = waiting;
	waiting->ctx = ctx;
	waiting->max = MG_CONNECTIONS_MAX;
	waiting->bytes_max = MG_WAITING_BYTES;
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
	const int on = 1, unsent = UNSENT_BYTES;

	set_non_blocking_mode(listener->sock); /* which they do not inherit */
	(void)setsockopt(listener->sock,
	                 SOL_SOCKET,
	                 SO_RCVTIMEO,
	                 &own_wait,
	                 sizeof(own_wait));
	(void)setsockopt(listener->sock, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	(void)setsockopt(listener->sock,
	                 IPPROTO_TCP,
	                 TCP_NOTSENT_LOWAT,
	                 &unsent,
	                 sizeof(unsent));
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
	unsigned i;

	for (i = 0; i < ctx->num_listening_sockets; i++) {
		arm_listener(waiting, i, EPOLL_CTL_ADD);
	}
	while (STOP_FLAG_IS_ZERO(&ctx->stop_flag)) {
		mg_sleep(LOOK_MS);
		waiting_expire(waiting);
		resume_accepting(waiting);
	}
	(void)eventfd_write(waiting->stop_fd, 1);
	for (i = 0; i < ctx->cfg_worker_threads; i++) {
		(void)sem_post(&waiting->bench);
	}
	while (__atomic_load_n(&waiting->listener_users, __ATOMIC_SEQ_CST) > 0) {
		mg_sleep(1);
	}
}


void
mg_get_waiting_stats(const struct mg_context *ctx, struct mg_waiting_stats *stats_out)
{
	const struct waiting *waiting = ctx->waiting;

	stats_out->accepted = __atomic_load_n(&waiting->accepted, __ATOMIC_RELAXED);
	stats_out->evicted = __atomic_load_n(&waiting->evicted, __ATOMIC_RELAXED);
	stats_out->cut = __atomic_load_n(&waiting->cut, __ATOMIC_RELAXED);
	stats_out->bytes = __atomic_load_n(&waiting->bytes, __ATOMIC_RELAXED);
	stats_out->open = __atomic_load_n(&waiting->open, __ATOMIC_RELAXED);
	stats_out->waiting =
	    stats_out->open - __atomic_load_n(&waiting->held, __ATOMIC_RELAXED);
	stats_out->unfinished = __atomic_load_n(&waiting->unfinished, __ATOMIC_SEQ_CST);
}


void
mg_limit_waiting(struct mg_context *ctx, int connections, int64_t bytes)
{
	__atomic_store_n(&ctx->waiting->max,
	                 (connections < MG_CONNECTIONS_MAX) ? connections : MG_CONNECTIONS_MAX,
	                 __ATOMIC_RELAXED);
	__atomic_store_n(&ctx->waiting->bytes_max, bytes, __ATOMIC_RELAXED);
}

/*
 * Where channels are: slots, a list by age, and an epoll. CivetWeb is included with this file by our patch.
 *
 * Slots are never freed, and an event of the epoll names slot and generation. Who wants a channel holds it
 * first, by one word that names both: its event may have been overtaken by the master, which closes those
 * whose time is over, or by a worker that needs the place for a new connection. A channel is armed for one
 * event while it is held still, and released after that; an event that comes in between is written
 * into the word, and the holder goes on. So no lock is held across a system call, whoever wakes up finds
 * what it was woken for, and no event is lost.
 */

/* A slot's word: its generation, and these bits. A slot that is free is held by nobody. */
#define WORD_HELD ((uint64_t)1)
#define WORD_FIRED ((uint64_t)2) /* its event came while it was held */
#define WORD_OF(generation) ((uint64_t)(generation) << 2)

struct waiting {
	pthread_mutex_t mutex;
	/* Guarded by the mutex; the counts may be read without. */
	struct channel *youngest, *oldest; /* all that are open, by their last whole request */
	struct channel *free_slots;        /* by next */
	int fresh;                         /* slots from here on have never been used */
	int open;
	int leaving; /* of these, told to make room */
	/* Atomic. */
	uint64_t *words;   /* one a slot */
	uint64_t *dues_ns; /* one a slot: deadline_ns, when it was given */
	int64_t *drops;    /* one a slot: bytes that may be dropped while nobody holds it, when it was given */
	int held;
	uint64_t paused; /* listening sockets, a bit each, that are disarmed because there is no room */
	int idle_workers;
	int watchers, benched; /* workers: see enter_epoll */
	int listener_users; /* threads: see use_listeners */
	int newcomers; /* new connections that a worker works on */
	int places;    /* for them */
	uint64_t held_back; /* listening sockets, a bit each: see hold_back */
	int is_timed;       /* timer_fd is */
	int unfinished; /* requests that wait: for their body, or for their answer to be taken */
	int64_t bytes, bytes_max;
	int64_t accepted, evicted, cut;
	int max;
	/* Set before there are workers. */
	struct mg_context *ctx;
	struct channel *slots;
	int slot_count;
	int epoll_fd;
	int stop_fd; /* an eventfd in the epoll, for all workers */
	int timer_fd;
	sem_t bench;
	int watchers_max;
	int places_at_first;
	int keeps;
	uint64_t request_timeout_ns, keep_alive_timeout_ns;
	BIO_METHOD *tls_method;
};

/* What an event names: generation and slot of a channel, or with generation 0 one of these. */
#define EVENT_STOP (0)
#define EVENT_TIMER (UINT32_MAX)
#define EVENT_LISTENER(index) ((index) + 1)


static void
count_bytes(struct waiting *waiting, int64_t more)
{
	__atomic_fetch_add(&waiting->bytes, more, __ATOMIC_RELAXED);
}


static void
count_locked(int *count, int more)
{
	__atomic_store_n(count, *count + more, __ATOMIC_RELAXED);
}


/* ---- holding ---- */

static size_t
slot_of(const struct channel *channel)
{
	return (size_t)(channel - channel->waiting->slots);
}


static uint64_t *
word_of(const struct channel *channel)
{
	return &channel->waiting->words[slot_of(channel)];
}


static int
change_word(uint64_t *word, uint64_t *from, uint64_t to)
{
	return __atomic_compare_exchange_n(
	    word, from, to, 0, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE); /* before `paused` is looked at */
}


static void
count_held(struct waiting *waiting, int more)
{
	__atomic_fetch_add(&waiting->held, more, __ATOMIC_RELAXED);
}


/* For who got its event. False: it is another's, or another connection, by now. */
static int
hold_by_event(struct waiting *waiting, uint32_t slot, uint32_t generation)
{
	uint64_t *word = &waiting->words[slot];
	uint64_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	while ((now & ~(WORD_HELD | WORD_FIRED)) == WORD_OF(generation)) {
		const int is_held = (now & WORD_HELD) != 0;

		if (change_word(word, &now, now | (is_held ? WORD_FIRED : WORD_HELD))) {
			count_held(waiting, !is_held);
			return !is_held;
		}
	}
	return 0;
}


/* For who has found it in the list, under the mutex. */
static int
hold_if_free(struct channel *channel)
{
	uint64_t *word = word_of(channel);
	uint64_t now = __atomic_load_n(word, __ATOMIC_ACQUIRE);

	if ((now & WORD_HELD) || !change_word(word, &now, now | WORD_HELD)) {
		return 0;
	}
	count_held(channel->waiting, 1);
	return 1;
}


/* Nothing of it may be touched from here on. False: its event has come meanwhile, and it is the caller's
 * still. */
static int
release(struct channel *channel)
{
	struct waiting *waiting = channel->waiting;
	uint64_t *word = word_of(channel);
	const uint64_t generation = WORD_OF(channel->generation);
	uint64_t now = generation | WORD_HELD;

	count_held(waiting, -1);
	if (change_word(word, &now, generation)) {
		return 1;
	}
	count_held(waiting, 1);
	__atomic_store_n(word, generation | WORD_HELD, __ATOMIC_RELEASE);
	return 0;
}


/* ---- the epoll ---- */

/* By its holder. False: it cannot be watched. */
static int
arm(struct channel *channel, uint32_t events)
{
	struct epoll_event event;
	const int operation = channel->is_registered ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

	memset(&event, 0, sizeof(event));
	event.events = events | EPOLLONESHOT;
	event.data.u64 = ((uint64_t)channel->generation << 32) | slot_of(channel);
	channel->is_registered = 1;
	return epoll_ctl(channel->waiting->epoll_fd, operation, channel->sock, &event) == 0;
}


/* By its holder: some worker is to take it, now. */
static void
make_ready(struct channel *channel)
{
	do {
		(void)arm(channel, EPOLLIN | EPOLLOUT);
	} while (!release(channel));
}


/* By who has held it to have a look, and has not changed it. */
static void
put_back(struct channel *channel)
{
	if (!release(channel)) {
		make_ready(channel);
	}
}


/* True: the listening sockets are there until leave_listeners. The master frees them when the server stops
 * and nobody is in between. */
static int
use_listeners(struct waiting *waiting)
{
	__atomic_fetch_add(&waiting->listener_users, 1, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&waiting->ctx->stop_flag, __ATOMIC_SEQ_CST) == 0) {
		return 1;
	}
	__atomic_fetch_sub(&waiting->listener_users, 1, __ATOMIC_SEQ_CST);
	return 0;
}


static void
leave_listeners(struct waiting *waiting)
{
	__atomic_fetch_sub(&waiting->listener_users, 1, __ATOMIC_SEQ_CST);
}


static void
arm_listener(struct waiting *waiting, unsigned index, int operation)
{
	struct epoll_event event;

	if (!use_listeners(waiting)) {
		return;
	}
	memset(&event, 0, sizeof(event));
	event.events = EPOLLIN | EPOLLONESHOT;
	event.data.u64 = EVENT_LISTENER(index);
	(void)epoll_ctl(waiting->epoll_fd,
	                operation,
	                waiting->ctx->listening_sockets[index].sock,
	                &event);
	leave_listeners(waiting);
}


/* Those listening sockets whose bits are set. */
static void
arm_some(struct waiting *waiting, uint64_t listeners)
{
	unsigned i;

	for (i = 0; i < waiting->ctx->num_listening_sockets; i++) {
		if (listeners & ((uint64_t)1 << i)) {
			arm_listener(waiting, i, EPOLL_CTL_MOD);
		}
	}
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
		__atomic_store_n(word_of(channel),
		                 WORD_OF(channel->generation) | WORD_HELD,
		                 __ATOMIC_RELEASE);
		count_locked(&waiting->open, 1);
		count_held(waiting, 1);
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


/* A channel has gone, or may be told to: who waits in the kernel for room is looked at again. */
static void
resume_accepting(struct waiting *waiting)
{
	if (__atomic_load_n(&waiting->paused, __ATOMIC_SEQ_CST) != 0) {
		arm_some(waiting, __atomic_exchange_n(&waiting->paused, 0, __ATOMIC_SEQ_CST));
	}
}


/* By its holder. */
static void
waiting_close(struct waiting *waiting, struct channel *channel)
{
	const struct linger reset = {1, 0};

	if ((channel->ssl != NULL) && (channel->state == CHANNEL_HEAD)) {
		(void)SSL_shutdown(channel->ssl);
		(void)channel_flush(channel);
	}
	if (channel->is_cut || ((channel->state == CHANNEL_WRITE) && has_output(channel))) {
		__atomic_fetch_add(&waiting->cut, 1, __ATOMIC_RELAXED);
	}
	if (channel->source.next != NULL) {
		/* An answer may end where its connection does: a reset shows that this one did not */
		(void)setsockopt(channel->sock, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
		close_source(channel, 0);
	}
	count_unfinished(channel, 0);
	SSL_free(channel->ssl);
	close(channel->sock);
	bytes_empty(channel, &channel->in);
	bytes_empty(channel, &channel->out);

	pthread_mutex_lock(&waiting->mutex);
	list_remove_locked(waiting, channel);
	channel->next = waiting->free_slots;
	waiting->free_slots = channel;
	count_locked(&waiting->open, -1);
	waiting->leaving -= channel->is_leaving;
	count_held(waiting, -1);
	pthread_mutex_unlock(&waiting->mutex);
	resume_accepting(waiting);
}


/* By its holder. Who has said all, and only waits for a worker, keeps its bytes. */
static int64_t
droppable_bytes(const struct channel *channel)
{
	const int is_half = (channel->state == CHANNEL_HEAD) || (channel->state == CHANNEL_BODY);

	return (is_half && (channel->events & EPOLLOUT)) ? 0
	           : (int64_t)(channel->in.size + channel->out.size);
}


enum given { GIVEN, GIVEN_BACK, NOT_GIVEN };

/*
 * The channel waits for channel->events, or its deadline, and may be anybody's from here on. GIVEN_BACK: it
 * is ready already, and the caller's still. NOT_GIVEN: it cannot be watched.
 */
static enum given
waiting_give(struct waiting *waiting, struct channel *channel)
{
	if (channel->deadline_ns == 0) {
		channel->deadline_ns = mono_now_ns() + waiting->request_timeout_ns;
	}
	__atomic_store_n(&waiting->dues_ns[slot_of(channel)],
	                 channel->deadline_ns,
	                 __ATOMIC_RELAXED);
	__atomic_store_n(&waiting->drops[slot_of(channel)],
	                 droppable_bytes(channel),
	                 __ATOMIC_RELAXED);
	if (channel->is_served) {
		channel->is_served = 0;
		pthread_mutex_lock(&waiting->mutex);
		list_remove_locked(waiting, channel);
		list_add_locked(waiting, channel);
		pthread_mutex_unlock(&waiting->mutex);
	}
	if (!arm(channel, channel->events)) {
		return NOT_GIVEN;
	}
	if (!release(channel)) {
		return GIVEN_BACK;
	}
	resume_accepting(waiting);
	return GIVEN;
}

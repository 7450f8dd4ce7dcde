/*
 * Connections that wait for their next request without a thread. CivetWeb is included with this file
 * by our patch.
 *
 * An epoll watches every connection that is new, or idle between two requests; a worker that has
 * nothing to do waits there and serves whoever has something to say. So any number of connections
 * may be kept, and when more are busy than there are workers each gets one request after another.
 * Between two requests nothing of a connection is in memory but what struct parked has; with part of
 * a request read it stays with its worker.
 *
 * A struct parked belongs to the connection for its whole life, and both to the one worker that the
 * epoll tells of the socket, which is armed for one event. The list, guarded by the mutex, is for the
 * master alone, which makes those speak who have been silent for too long, so that a worker closes them.
 */

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

/* No more than that, and never the descriptors that others need. */
#define PARKED_MAX (8192)
#define DESCRIPTORS_APART (256)

struct parked {
	struct parked *prev, *next;
	struct socket client;
	SSL *ssl;            /* NULL: none, or no handshake yet */
	uint64_t expires_ns; /* then it has been silent for long enough */
	time_t birth_time;
	int handled_requests;
	int is_watched; /* by the epoll, if disarmed */
	char remote_addr[sizeof(((struct mg_request_info *)0)->remote_addr)];
};


static int
parking_init(struct mg_context *ctx)
{
	struct parking *parking = &ctx->parking;
	struct epoll_event stop = {0};
	struct rlimit limit;
	rlim_t others = (rlim_t)ctx->cfg_worker_threads + DESCRIPTORS_APART;

	parking->max = 1;
	parking->silence_ns =
	    (uint64_t)atoi(ctx->dd.config[REQUEST_TIMEOUT]) * 1000000;
	if ((getrlimit(RLIMIT_NOFILE, &limit) == 0) && (limit.rlim_cur > others)) {
		parking->max = (limit.rlim_cur - others < PARKED_MAX)
		                   ? (int)(limit.rlim_cur - others)
		                   : PARKED_MAX;
	}
	if (pthread_mutex_init(&parking->mutex, NULL) != 0) {
		return 0;
	}
	parking->is_open = 1;
	parking->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	parking->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	stop.events = EPOLLIN;
	return (parking->epoll_fd >= 0) && (parking->stop_fd >= 0)
	       && (epoll_ctl(parking->epoll_fd, EPOLL_CTL_ADD, parking->stop_fd, &stop)
	           == 0);
}


static void
parking_unlink_locked(struct parking *parking, struct parked *parked)
{
	if (parked->prev) {
		parked->prev->next = parked->next;
	} else {
		parking->first = parked->next;
	}
	if (parked->next) {
		parked->next->prev = parked->prev;
	}
	parked->prev = parked->next = NULL;
	__atomic_store_n(&parking->count, parking->count - 1, __ATOMIC_RELAXED);
}


static void
parking_link_locked(struct parking *parking, struct parked *parked)
{
	parked->prev = NULL;
	parked->next = parking->first;
	if (parking->first) {
		parking->first->prev = parked;
	}
	parking->first = parked;
	__atomic_store_n(&parking->count, parking->count + 1, __ATOMIC_RELAXED);
}


/* From here on it may be anybody's. False: it cannot be watched, and is the caller's still. */
static int
parking_add(struct parking *parking, struct parked *parked)
{
	struct epoll_event event = {0};
	const int operation = parked->is_watched ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
	int is_in;

	event.events = EPOLLIN | EPOLLRDHUP | EPOLLONESHOT;
	event.data.ptr = parked;
	parked->is_watched = 1;
	pthread_mutex_lock(&parking->mutex);
	is_in =
	    (epoll_ctl(parking->epoll_fd, operation, parked->client.sock, &event)
	     == 0);
	if (is_in) {
		parking_link_locked(parking, parked);
	}
	pthread_mutex_unlock(&parking->mutex);
	return is_in;
}


/* No worker has it. */
static void
parked_close(struct parked *parked)
{
	if (parked->ssl != NULL) {
		SSL_shutdown(parked->ssl);
		SSL_free(parked->ssl);
	}
	closesocket(parked->client.sock);
	mg_free(parked);
}


/* Only when all threads but the caller's are gone. */
static void
parking_fini(struct mg_context *ctx)
{
	struct parking *parking = &ctx->parking;

	if (!parking->is_open) {
		return;
	}
	while (parking->first) {
		struct parked *parked = parking->first;

		parking_unlink_locked(parking, parked);
		parked_close(parked);
	}
	if (parking->epoll_fd >= 0) {
		close(parking->epoll_fd);
	}
	if (parking->stop_fd >= 0) {
		close(parking->stop_fd);
	}
	pthread_mutex_destroy(&parking->mutex);
}


/* The stop flag is set; workers that wait shall see it. */
static void
parking_stop(struct mg_context *ctx)
{
	(void)eventfd_write(ctx->parking.stop_fd, 1);
}


/* Or has it said something, and waits for a worker? */
static int
is_silent_still(const struct parked *parked)
{
	char byte;

	return (recv(parked->client.sock, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0)
	       && ERROR_TRY_AGAIN(ERRNO);
}


/*
 * Ends the silence of those who have been silent for too long; closing them is left to the worker that
 * is told. The master's part.
 */
static void
parking_expire(struct mg_context *ctx)
{
	struct parking *parking = &ctx->parking;
	const uint64_t now_ns = mg_get_current_time_ns();
	struct parked *parked;

	if (now_ns < parking->next_look_ns) {
		return;
	}
	parking->next_look_ns = now_ns + (uint64_t)SOCKET_TIMEOUT_QUANTUM * 1000000;
	pthread_mutex_lock(&parking->mutex);
	for (parked = parking->first; parked; parked = parked->next) {
		if ((now_ns >= parked->expires_ns) && is_silent_still(parked)) {
			parked->expires_ns = UINT64_MAX;
			(void)shutdown(parked->client.sock, SHUTDOWN_RD);
		}
	}
	pthread_mutex_unlock(&parking->mutex);
}


/* A new connection, from the master. While there is no room for it, more wait in the kernel. */
static void
parking_admit(struct mg_context *ctx, const struct socket *client)
{
	struct parking *parking = &ctx->parking;
	struct parked *parked = (struct parked *)mg_calloc(1, sizeof(*parked));

	while ((mg_get_parked_connections(ctx) >= parking->max)
	       && STOP_FLAG_IS_ZERO(&ctx->stop_flag)) {
		mg_sleep(10);
		parking_expire(ctx);
	}
	if (parked == NULL) {
		closesocket(client->sock);
		return;
	}
	parked->client = *client;
	parked->client.parked = parked;
	parked->birth_time = time(NULL);
	sockaddr_to_string(parked->remote_addr,
	                   sizeof(parked->remote_addr),
	                   &client->rsa);
	parked->expires_ns = mg_get_current_time_ns() + ctx->parking.silence_ns;
	if (!parking_add(parking, parked)) {
		parked_close(parked);
	}
}


/* May the worker leave its connection? The next request has to be all that is missing. */
static int
may_park(const struct mg_connection *conn)
{
	return (conn->client.parked != NULL) && (conn->data_len == 0)
	       && ((conn->ssl == NULL) || (SSL_pending(conn->ssl) == 0))
	       && STOP_FLAG_IS_ZERO(&conn->phys_ctx->stop_flag);
}


/* Are there connections without a worker, and no worker that waits for them? */
static int
is_worker_needed(const struct mg_context *ctx)
{
	return (__atomic_load_n(&ctx->parking.count, __ATOMIC_RELAXED) > 0)
	       && (__atomic_load_n(&ctx->parking.idle_workers, __ATOMIC_RELAXED) == 0);
}


/*
 * The worker's connection waits for its next request without the worker, until expires_ns; the
 * application hears of it as of a connection that has ended. False: it is still the worker's.
 */
static int
park(struct mg_connection *conn, uint64_t expires_ns)
{
	struct parked *parked = conn->client.parked;

	parked->ssl = conn->ssl;
	parked->expires_ns = expires_ns;
	parked->handled_requests = conn->handled_requests;
	if (!parking_add(&conn->phys_ctx->parking, parked)) {
		return 0;
	}
	/* Another worker may have it by now */
	conn->client.sock = INVALID_SOCKET;
	conn->client.parked = NULL;
	conn->ssl = NULL;
	if (conn->phys_ctx->callbacks.connection_closed != NULL) {
		conn->phys_ctx->callbacks.connection_closed(conn);
	}
	return 1;
}


/* Waits for a connection that has something to say, and makes it the worker's. False: the server
 * stops. */
static int
parking_take(struct mg_context *ctx, struct mg_connection *conn)
{
	struct parking *parking = &ctx->parking;

	for (;;) {
		struct epoll_event event;
		struct parked *parked;
		int n;

		__atomic_fetch_add(&parking->idle_workers, 1, __ATOMIC_RELAXED);
		n = epoll_wait(parking->epoll_fd, &event, 1, -1);
		__atomic_fetch_sub(&parking->idle_workers, 1, __ATOMIC_RELAXED);
		if (!STOP_FLAG_IS_ZERO(&ctx->stop_flag)) {
			return 0; /* whoever is on the list is closed by parking_fini */
		}
		if ((n != 1) || (event.data.ptr == NULL)) {
			continue;
		}
		parked = (struct parked *)event.data.ptr;
		pthread_mutex_lock(&parking->mutex);
		parking_unlink_locked(parking, parked);
		pthread_mutex_unlock(&parking->mutex);
		if (parked->expires_ns == UINT64_MAX) {
			/* What it said since is not to be half read and refused: to the
			 * client this is a connection that was closed while idle */
			parked_close(parked);
			continue;
		}
		conn->client = parked->client;
		conn->ssl = parked->ssl;
		if (conn->ssl != NULL) {
			SSL_set_app_data(conn->ssl, (char *)conn);
		}
		conn->conn_birth_time = parked->birth_time;
		memcpy(conn->request_info.remote_addr,
		       parked->remote_addr,
		       sizeof(parked->remote_addr));
		conn->is_resumed = (parked->handled_requests > 0);
		conn->is_ready = 1;
		return 1;
	}
}


int
mg_get_parked_connections(const struct mg_context *ctx)
{
	return __atomic_load_n(&ctx->parking.count, __ATOMIC_RELAXED);
}


int
mg_is_body_here(const struct mg_connection *conn)
{
	const int64_t missing =
	    (int64_t)conn->request_len + conn->content_len - conn->data_len;
	int unread = 0;

	if (conn->is_chunked != 0) {
		return 0;
	}
	return (missing <= 0)
	       || ((conn->ssl == NULL)
	           && (ioctl(conn->client.sock, FIONREAD, &unread) == 0)
	           && (unread >= missing));
}

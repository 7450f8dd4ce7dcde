#include "scripted_origin.h"

#include "patience.h"

#include <arpa/inet.h>
#include <check.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { REQUESTS_MAX = 65536, CONNECTIONS_MAX = 8192, ANSWERS_MAX = 1024, BODY_KEPT = 1 << 20 };

struct origin_connection {
    struct scripted_origin *origin;
    int number, fd;
    SSL *tls;
    pthread_t thread;
    bool is_closed; /* guarded by the origin's mutex */
    char input[16384];
    size_t from, to;
};

struct kept_body {
    char *bytes;
    size_t size, room;
};

struct origin_record {
    struct origin_request request;
    bool is_whole;
};

struct scripted_origin {
    struct scripted_origin_options options;
    char url[256], unix_path[108];
    int listener, stop, port; /* `stop` becomes readable at the end */
    SSL_CTX *tls;
    atomic_int resumed;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    /* guarded by the mutex */
    struct origin_connection *connections[CONNECTIONS_MAX];
    int connection_count;
    struct origin_record *records[REQUESTS_MAX];
    size_t record_count;
    struct origin_answer answers[ANSWERS_MAX], usual;
    size_t answer_count, next_answer;
    bool is_released, is_stopping;
};

/* ---- bytes ---- */

static bool refill(struct origin_connection *connection)
{
    connection->from = connection->to = 0;
    int got = connection->tls
                  ? SSL_read(connection->tls, connection->input, sizeof connection->input)
                  : (int)read(connection->fd, connection->input, sizeof connection->input);
    connection->to = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* -1: the end. */
static int next_byte(struct origin_connection *connection)
{
    if (connection->from == connection->to && !refill(connection))
        return -1;
    return (unsigned char)connection->input[connection->from++];
}

static bool transmit(struct origin_connection *connection, const char *bytes, size_t size)
{
    while (size > 0) {
        int part = size > 65536 ? 65536 : (int)size;
        int sent = connection->tls ? SSL_write(connection->tls, bytes, part)
                                   : (int)send(connection->fd, bytes, (size_t)part, MSG_NOSIGNAL);
        if (sent <= 0)
            return false;
        bytes += sent;
        size -= (size_t)sent;
    }
    return true;
}

/* ---- a request ---- */

/* Up to the empty line; NULL: the other side has closed. */
static char *read_head(struct origin_connection *connection)
{
    size_t size = 0, room = 4096;
    char *head = malloc(room + 1);

    for (;;) {
        int byte = next_byte(connection);
        if (byte < 0) {
            free(head);
            return NULL;
        }
        if (size == room)
            head = realloc(head, (room *= 2) + 1);
        head[size++] = (char)byte;
        head[size] = '\0';
        if (size >= 4 && strcmp(head + size - 4, "\r\n\r\n") == 0)
            return head;
    }
}

/* Of what was read before the last `part`. */
static void keep_part(struct origin_connection *connection, struct origin_request *request,
                      struct kept_body *kept, size_t part)
{
    size_t room = request->body_size < BODY_KEPT ? BODY_KEPT - (size_t)request->body_size : 0;
    size_t size = part < room ? part : room;

    while (kept->size + size + 1 > kept->room) {
        kept->room = kept->room == 0 ? 256 : 2 * kept->room;
        kept->bytes = realloc(kept->bytes, kept->room);
    }
    memcpy(kept->bytes + kept->size, connection->input + connection->from, size);
    kept->size += size;
}

static bool read_part(struct origin_connection *connection, struct origin_request *request,
                      struct kept_body *kept, int64_t size)
{
    while (size > 0) {
        if (connection->from == connection->to && !refill(connection))
            return false;
        size_t part = connection->to - connection->from;
        if ((int64_t)part > size)
            part = (size_t)size;
        keep_part(connection, request, kept, part);
        request->body_size += (int64_t)part;
        connection->from += part;
        size -= (int64_t)part;
    }
    return true;
}

static bool read_line(struct origin_connection *connection, char line[128])
{
    size_t size = 0;

    for (;;) {
        int byte = next_byte(connection);
        if (byte < 0 || size > 120)
            return false;
        line[size++] = (char)byte;
        line[size] = '\0';
        if (size >= 2 && strcmp(line + size - 2, "\r\n") == 0)
            return true;
    }
}

static bool read_chunks(struct origin_connection *connection, struct origin_request *request,
                        struct kept_body *kept)
{
    char line[128];

    for (;;) {
        if (!read_line(connection, line))
            return false;
        int64_t size = strtoll(line, NULL, 16);
        if (size == 0)
            break;
        if (!read_part(connection, request, kept, size) || !read_line(connection, line))
            return false;
    }
    while (read_line(connection, line)) {
        if (strcmp(line, "\r\n") == 0)
            return true;
    }
    return false;
}

static void read_body(struct origin_connection *connection, struct origin_request *request)
{
    const char *length = strcasestr(request->head, "\r\nContent-Length:");
    struct kept_body kept = {0};
    bool is_whole = true;

    if (strcasestr(request->head, "\r\nTransfer-Encoding: chunked\r\n"))
        is_whole = read_chunks(connection, request, &kept);
    else if (length)
        is_whole = read_part(connection, request, &kept,
                             strtoll(length + strlen("\r\nContent-Length:"), NULL, 10));
    if (kept.bytes)
        kept.bytes[kept.size] = '\0';
    request->body = kept.bytes ? kept.bytes : strdup("");
    request->is_cut = !is_whole;
}

/* ---- an answer ---- */

static struct origin_answer pick(struct scripted_origin *origin, struct origin_record *record)
{
    pthread_mutex_lock(&origin->mutex);
    ck_assert_uint_lt(origin->record_count, REQUESTS_MAX);
    origin->records[origin->record_count++] = record;
    struct origin_answer answer = origin->next_answer < origin->answer_count
                                      ? origin->answers[origin->next_answer++]
                                      : origin->usual;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->mutex);
    return answer;
}

static void await_release(struct scripted_origin *origin)
{
    pthread_mutex_lock(&origin->mutex);
    while (!origin->is_released && !origin->is_stopping)
        pthread_cond_wait(&origin->changed, &origin->mutex);
    pthread_mutex_unlock(&origin->mutex);
}

static bool transmit_filler(struct origin_connection *connection, int64_t size)
{
    enum { PART = 65536 };
    char *filler = malloc(PART);
    bool is_good = true;

    memset(filler, 'x', PART);
    for (int64_t left = size; is_good && left > 0; left -= PART)
        is_good = transmit(connection, filler, left < PART ? (size_t)left : PART);
    free(filler);
    return is_good;
}

static bool transmit_slowly(struct origin_connection *connection,
                            const struct origin_answer *answer)
{
    if (answer->drip_ms == 0)
        return transmit(connection, answer->bytes, answer->size);
    for (size_t i = 0; i < answer->size; i++) {
        if (!transmit(connection, answer->bytes + i, 1))
            return false;
        poll(NULL, 0, answer->drip_ms);
    }
    return true;
}

/* False: the connection ends. */
static bool play(struct origin_connection *connection, const struct origin_answer *answer)
{
    static const struct linger at_once = {.l_onoff = 1};
    bool is_good;

    if (answer->is_held)
        await_release(connection->origin);
    poll(NULL, 0, answer->delay_ms);
    is_good = !answer->bytes || transmit_slowly(connection, answer);
    is_good = is_good && transmit_filler(connection, answer->filler_size);
    if (answer->then == ORIGIN_RESETS)
        setsockopt(connection->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    while (is_good && answer->then == ORIGIN_IS_SILENT)
        is_good = refill(connection);
    return is_good && answer->then == ORIGIN_KEEPS;
}

/* False: the connection ends. */
static bool serve_one(struct origin_connection *connection)
{
    struct scripted_origin *origin = connection->origin;
    char *head = read_head(connection), *made = NULL;

    if (!head)
        return false;
    struct origin_record *record = calloc(1, sizeof *record);
    record->request = (struct origin_request){.head = head, .connection = connection->number};
    struct origin_answer answer = pick(origin, record);
    bool is_good = !answer.early || transmit(connection, answer.early, strlen(answer.early));
    if (answer.skips_body)
        record->request.body = strdup("");
    else
        read_body(connection, &record->request);
    pthread_mutex_lock(&origin->mutex);
    record->is_whole = true;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->mutex);
    is_good = is_good && !record->request.is_cut;
    if (is_good && origin->options.answer)
        made = origin->options.answer(origin->options.arg, &record->request);
    if (made)
        answer = (struct origin_answer){.bytes = made, .size = strlen(made)};
    if (is_good)
        is_good = play(connection, &answer);
    free(made);
    return is_good;
}

static void *serve(void *arg)
{
    struct origin_connection *connection = arg;
    struct scripted_origin *origin = connection->origin;

    if (origin->tls) {
        connection->tls = SSL_new(origin->tls);
        SSL_set_fd(connection->tls, connection->fd);
    }
    if (!connection->tls || SSL_accept(connection->tls) == 1) {
        if (connection->tls && SSL_session_reused(connection->tls))
            atomic_fetch_add(&origin->resumed, 1);
        while (serve_one(connection))
            continue;
        if (connection->tls)
            SSL_shutdown(connection->tls);
    }
    SSL_free(connection->tls);
    pthread_mutex_lock(&origin->mutex);
    close(connection->fd);
    connection->is_closed = true;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->mutex);
    return NULL;
}

static void *accept_all(void *arg)
{
    struct scripted_origin *origin = arg;
    struct pollfd polled[2] = {{.fd = origin->stop, .events = POLLIN},
                               {.fd = origin->listener, .events = POLLIN}};

    while (poll(polled, 2, -1) >= 0 && polled[0].revents == 0) {
        struct origin_connection *connection = calloc(1, sizeof *connection);
        connection->origin = origin;
        connection->fd = accept(origin->listener, NULL, NULL);
        if (connection->fd < 0) {
            free(connection);
            continue;
        }
        pthread_mutex_lock(&origin->mutex);
        ck_assert_int_lt(origin->connection_count, CONNECTIONS_MAX);
        connection->number = origin->connection_count++;
        origin->connections[connection->number] = connection;
        ck_assert_int_eq(pthread_create(&connection->thread, NULL, serve, connection), 0);
        pthread_cond_broadcast(&origin->changed);
        pthread_mutex_unlock(&origin->mutex);
    }
    return NULL;
}

/* ---- from outside ---- */

static void use_certificate(struct scripted_origin *origin)
{
    char path[400];

    origin->tls = SSL_CTX_new(TLS_server_method());
    ck_assert_ptr_nonnull(origin->tls);
    snprintf(path, sizeof path, "%s.pem", origin->options.certificate);
    ck_assert_int_eq(SSL_CTX_use_certificate_file(origin->tls, path, SSL_FILETYPE_PEM), 1);
    snprintf(path, sizeof path, "%s.key", origin->options.certificate);
    ck_assert_int_eq(SSL_CTX_use_PrivateKey_file(origin->tls, path, SSL_FILETYPE_PEM), 1);
}

static void listen_unix(struct scripted_origin *origin)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    ck_assert_uint_lt(strlen(origin->options.unix_path), sizeof address.sun_path);
    memcpy(address.sun_path, origin->options.unix_path, strlen(origin->options.unix_path));
    memcpy(origin->unix_path, address.sun_path, sizeof origin->unix_path);
    origin->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(origin->listener, (struct sockaddr *)&address, sizeof address), 0);
    snprintf(origin->url, sizeof origin->url, "unix:%s", origin->unix_path);
}

static void listen_tcp(struct scripted_origin *origin)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                  .sin_port = htons((uint16_t)origin->options.port)};
    socklen_t size = sizeof address;
    int on = 1;

    origin->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(origin->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(origin->listener, (struct sockaddr *)&address, size), 0);
    ck_assert_int_eq(getsockname(origin->listener, (struct sockaddr *)&address, &size), 0);
    origin->port = ntohs(address.sin_port);
    snprintf(origin->url, sizeof origin->url, "%s://127.0.0.1:%d", origin->tls ? "https" : "http",
             origin->port);
}

static struct origin_answer copy_answer(const struct origin_answer *answer)
{
    struct origin_answer copy = *answer;
    size_t size = answer->bytes && answer->size == 0 ? strlen(answer->bytes) : answer->size;

    if (answer->bytes) {
        char *bytes = malloc(size + 1);
        memcpy(bytes, answer->bytes, size);
        copy.bytes = bytes;
        copy.size = size;
    }
    copy.early = answer->early ? strdup(answer->early) : NULL;
    return copy;
}

static void free_answer(struct origin_answer *answer)
{
    free((void *)(uintptr_t)answer->bytes);
    free((void *)(uintptr_t)answer->early);
}

struct scripted_origin *scripted_origin_start(const struct scripted_origin_options *options)
{
    struct scripted_origin *origin = calloc(1, sizeof *origin);
    const struct origin_answer usual = {.bytes =
                                            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"};

    ck_assert_ptr_nonnull(origin);
    if (options)
        origin->options = *options;
    signal(SIGPIPE, SIG_IGN);
    if (origin->options.certificate)
        use_certificate(origin);
    if (origin->options.unix_path)
        listen_unix(origin);
    else
        listen_tcp(origin);
    ck_assert_int_eq(listen(origin->listener, 1024), 0);
    origin->stop = eventfd(0, EFD_CLOEXEC);
    pthread_mutex_init(&origin->mutex, NULL);
    pthread_cond_init(&origin->changed, NULL);
    origin->usual = copy_answer(&usual);
    ck_assert_int_eq(pthread_create(&origin->thread, NULL, accept_all, origin), 0);
    return origin;
}

static void free_script(struct scripted_origin *origin)
{
    for (size_t i = 0; i < origin->answer_count; i++)
        free_answer(&origin->answers[i]);
    free_answer(&origin->usual);
    for (size_t i = 0; i < origin->record_count; i++) {
        free((void *)(uintptr_t)origin->records[i]->request.head);
        free((void *)(uintptr_t)origin->records[i]->request.body);
        free(origin->records[i]);
    }
}

void scripted_origin_stop(struct scripted_origin **origin)
{
    struct scripted_origin *stopped = *origin;

    *origin = NULL;
    if (!stopped)
        return;
    ck_assert_int_eq(eventfd_write(stopped->stop, 1), 0);
    pthread_join(stopped->thread, NULL);
    pthread_mutex_lock(&stopped->mutex);
    stopped->is_stopping = true;
    for (int i = 0; i < stopped->connection_count; i++) {
        if (!stopped->connections[i]->is_closed)
            shutdown(stopped->connections[i]->fd, SHUT_RDWR);
    }
    pthread_cond_broadcast(&stopped->changed);
    pthread_mutex_unlock(&stopped->mutex);
    for (int i = 0; i < stopped->connection_count; i++) {
        pthread_join(stopped->connections[i]->thread, NULL);
        free(stopped->connections[i]);
    }
    free_script(stopped);
    close(stopped->listener);
    close(stopped->stop);
    if (stopped->unix_path[0])
        unlink(stopped->unix_path);
    SSL_CTX_free(stopped->tls);
    pthread_mutex_destroy(&stopped->mutex);
    pthread_cond_destroy(&stopped->changed);
    free(stopped);
}

const char *scripted_origin_url(const struct scripted_origin *origin)
{
    return origin->url;
}

int scripted_origin_port(const struct scripted_origin *origin)
{
    return origin->port;
}

void scripted_origin_say(struct scripted_origin *origin, const struct origin_answer *answer)
{
    pthread_mutex_lock(&origin->mutex);
    ck_assert_uint_lt(origin->answer_count, ANSWERS_MAX);
    origin->answers[origin->answer_count++] = copy_answer(answer);
    pthread_mutex_unlock(&origin->mutex);
}

void scripted_origin_always(struct scripted_origin *origin, const struct origin_answer *answer)
{
    pthread_mutex_lock(&origin->mutex);
    /* A connection may be playing it: what was usual before is kept until the end, as one that was used up. */
    ck_assert_uint_lt(origin->answer_count, ANSWERS_MAX);
    memmove(origin->answers + origin->next_answer + 1, origin->answers + origin->next_answer,
            (origin->answer_count - origin->next_answer) * sizeof *origin->answers);
    origin->answers[origin->next_answer++] = origin->usual;
    origin->answer_count++;
    origin->usual = copy_answer(answer);
    pthread_mutex_unlock(&origin->mutex);
}

void scripted_origin_release(struct scripted_origin *origin)
{
    pthread_mutex_lock(&origin->mutex);
    origin->is_released = true;
    pthread_cond_broadcast(&origin->changed);
    pthread_mutex_unlock(&origin->mutex);
}

/* ---- what it saw ---- */

size_t scripted_origin_count(struct scripted_origin *origin)
{
    pthread_mutex_lock(&origin->mutex);
    size_t count = origin->record_count;
    pthread_mutex_unlock(&origin->mutex);
    return count;
}

int scripted_origin_resumed(struct scripted_origin *origin)
{
    return atomic_load(&origin->resumed);
}

int scripted_origin_connections(struct scripted_origin *origin)
{
    pthread_mutex_lock(&origin->mutex);
    int count = origin->connection_count;
    pthread_mutex_unlock(&origin->mutex);
    return count;
}

static void await_change(struct scripted_origin *origin, const char *what)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += PATIENCE_S;
    ck_assert_msg(pthread_cond_timedwait(&origin->changed, &origin->mutex, &until) == 0,
                  "the origin waited in vain for %s", what);
}

void scripted_origin_wait_count(struct scripted_origin *origin, size_t count)
{
    pthread_mutex_lock(&origin->mutex);
    while (origin->record_count < count)
        await_change(origin, "requests");
    pthread_mutex_unlock(&origin->mutex);
}

const struct origin_request *scripted_origin_request(struct scripted_origin *origin, size_t index)
{
    pthread_mutex_lock(&origin->mutex);
    while (origin->record_count <= index || !origin->records[index]->is_whole)
        await_change(origin, "a request");
    const struct origin_request *request = &origin->records[index]->request;
    pthread_mutex_unlock(&origin->mutex);
    return request;
}

void scripted_origin_wait_closed(struct scripted_origin *origin, int connection)
{
    pthread_mutex_lock(&origin->mutex);
    while (origin->connection_count <= connection || !origin->connections[connection]->is_closed)
        await_change(origin, "the end of a connection");
    pthread_mutex_unlock(&origin->mutex);
}

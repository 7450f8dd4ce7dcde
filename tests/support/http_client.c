#include "http_client.h"
#include "patience.h"

#include <curl/curl.h>

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define GIVE_UP_MS  ((long)PATIENCE_MS)
#define VALUES_KEPT 16
#define VALUE_SIZE  8300 /* the longest header we ask for carries a token */

struct bytes {
    char *data;
    size_t size;
};

struct http_client {
    CURL *curl;
    char base[128];
    const char *ca_file;
    bool keep_alive;
    struct bytes head, body;
    char failure[CURL_ERROR_SIZE];
    struct http_reply reply;
};

struct raw {
    int fd;
    struct bytes in; /* received and not yet returned */
    struct bytes head, body;
    struct http_reply reply;
};

__attribute__((noreturn)) static void die(const char *what)
{
    fprintf(stderr, "http_client: %s: %s\n", what, strerror(errno));
    abort();
}

static void bytes_add(struct bytes *bytes, const void *data, size_t size)
{
    bytes->data = realloc(bytes->data, bytes->size + size + 1);
    if (!bytes->data)
        die("no memory");
    if (size > 0)
        memcpy(bytes->data + bytes->size, data, size);
    bytes->size += size;
    bytes->data[bytes->size] = '\0';
}

static void bytes_set(struct bytes *bytes, const void *data, size_t size)
{
    bytes->size = 0;
    bytes_add(bytes, data, size);
}

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- headers ---- */

/* The start of the value of the next header called `name` at or behind `from`, or NULL. */
static const char *find_header(const char *from, const char *name)
{
    size_t size = strlen(name);
    for (const char *line = strchr(from, '\n'); line && line[1] != '\0';
         line = strchr(line + 1, '\n'))
        if (strncasecmp(line + 1, name, size) == 0 && line[1 + size] == ':')
            return line + 2 + size;
    return NULL;
}

const char *http_header(const struct http_reply *reply, const char *name)
{
    static _Thread_local char values[VALUES_KEPT][VALUE_SIZE];
    static _Thread_local unsigned next;
    const char *start = reply->head ? find_header(reply->head, name) : NULL;
    if (!start)
        return NULL;
    start += strspn(start, " \t");
    size_t size = strcspn(start, "\r\n");
    while (size > 0 && (start[size - 1] == ' ' || start[size - 1] == '\t'))
        size--;
    char *value = values[next++ % VALUES_KEPT];
    if (size >= VALUE_SIZE)
        size = VALUE_SIZE - 1;
    memcpy(value, start, size);
    value[size] = '\0';
    return value;
}

int http_header_count(const struct http_reply *reply, const char *name)
{
    int count = 0;
    for (const char *at = reply->head; at && (at = find_header(at, name)); count++)
        ;
    return count;
}

/* ---- libcurl ---- */

static void start_curl(void)
{
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        die("curl_global_init");
}

static size_t on_bytes(char *data, size_t one, size_t size, void *into)
{
    bytes_add(into, data, one * size);
    return one * size;
}

struct http_client *http_client_new(const char *base_url)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, start_curl);
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        die("no memory");
    client->curl = curl_easy_init();
    if (!client->curl)
        die("curl_easy_init");
    client->keep_alive = true;
    snprintf(client->base, sizeof client->base, "%s", base_url);
    curl_easy_setopt(client->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(client->curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(client->curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(client->curl, CURLOPT_TIMEOUT_MS, GIVE_UP_MS);
    curl_easy_setopt(client->curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(client->curl, CURLOPT_ERRORBUFFER, client->failure);
    curl_easy_setopt(client->curl, CURLOPT_WRITEFUNCTION, on_bytes);
    curl_easy_setopt(client->curl, CURLOPT_WRITEDATA, &client->body);
    curl_easy_setopt(client->curl, CURLOPT_HEADERFUNCTION, on_bytes);
    curl_easy_setopt(client->curl, CURLOPT_HEADERDATA, &client->head);
    return client;
}

void http_client_free(struct http_client **client)
{
    if (!*client)
        return;
    curl_easy_cleanup((*client)->curl);
    free((*client)->head.data);
    free((*client)->body.data);
    free(*client);
    *client = NULL;
}

void http_client_trust(struct http_client *client, const char *ca_file)
{
    curl_easy_setopt(client->curl, CURLOPT_SSL_VERIFYPEER, ca_file ? 1L : 0L);
    curl_easy_setopt(client->curl, CURLOPT_SSL_VERIFYHOST, ca_file ? 2L : 0L);
    curl_easy_setopt(client->curl, CURLOPT_CAINFO, ca_file);
}

void http_client_limit_tls(struct http_client *client, const char *version)
{
    bool old = strcmp(version, "1.1") == 0;
    curl_easy_setopt(client->curl, CURLOPT_SSLVERSION,
                     (long)CURL_SSLVERSION_TLSv1_0 | (old ? (long)CURL_SSLVERSION_MAX_TLSv1_1
                                                          : (long)CURL_SSLVERSION_MAX_TLSv1_2));
    /* At its default security level OpenSSL does not offer the old versions at all. */
    curl_easy_setopt(client->curl, CURLOPT_SSL_CIPHER_LIST, "ALL:@SECLEVEL=0");
}

void http_client_keep_alive(struct http_client *client, bool keep)
{
    client->keep_alive = keep;
}

static bool sends_length(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static void set_body(CURL *curl, const char *method, const void *body, size_t body_size)
{
    curl_easy_setopt(curl, CURLOPT_HTTPGET, 1L); /* forgets the request before */
    if (body || sends_length(method)) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body_size);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? (const char *)body : "");
    }
    curl_easy_setopt(curl, CURLOPT_NOBODY, strcmp(method, "HEAD") == 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static struct curl_slist *header_list(const char *const *headers)
{
    bool has_type = false;
    struct curl_slist *list = curl_slist_append(NULL, "Expect:");
    for (; headers && *headers; headers++) {
        list = curl_slist_append(list, *headers);
        has_type = has_type || strncasecmp(*headers, "Content-Type:", 13) == 0;
    }
    /* libcurl would say it is a form. */
    return has_type ? list : curl_slist_append(list, "Content-Type:");
}

const struct http_reply *http_send(struct http_client *client, const char *method,
                                   const char *target, const char *const *headers, const void *body,
                                   size_t body_size)
{
    size_t size = strlen(client->base) + strlen(target) + 1;
    char *url = malloc(size);
    if (!url)
        die("no memory");
    snprintf(url, size, "%s%s", client->base, target);
    struct curl_slist *list = header_list(headers);

    bytes_set(&client->head, NULL, 0);
    bytes_set(&client->body, NULL, 0);
    client->failure[0] = '\0';
    set_body(client->curl, method, body, body_size);
    curl_easy_setopt(client->curl, CURLOPT_URL, url);
    curl_easy_setopt(client->curl, CURLOPT_HTTPHEADER, list);
    curl_easy_setopt(client->curl, CURLOPT_FORBID_REUSE, client->keep_alive ? 0L : 1L);
    curl_easy_setopt(client->curl, CURLOPT_FRESH_CONNECT, client->keep_alive ? 0L : 1L);
    int64_t start = now_ms();
    CURLcode code = curl_easy_perform(client->curl);
    curl_slist_free_all(list);
    free(url);

    long status = 0, connects = 0;
    curl_easy_getinfo(client->curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_getinfo(client->curl, CURLINFO_NUM_CONNECTS, &connects);
    client->reply = (struct http_reply){
        .status = code == CURLE_OK ? (int)status : 0,
        .head = client->head.data,
        .body = client->body.data,
        .body_size = client->body.size,
        .failure = code == CURLE_OK     ? NULL
                   : client->failure[0] ? client->failure
                                        : curl_easy_strerror(code),
        .is_reused = connects == 0,
        .elapsed_ms = (int)(now_ms() - start),
    };
    return &client->reply;
}

const struct http_reply *http_call(struct http_client *client, const char *method,
                                   const char *target, const char *credential)
{
    return http_send(client, method, target, (const char *const[]){credential, NULL}, NULL, 0);
}

const struct http_reply *http_get(struct http_client *client, const char *target,
                                  const char *credential)
{
    return http_call(client, "GET", target, credential);
}

const struct http_reply *http_post(struct http_client *client, const char *target,
                                   const char *credential)
{
    return http_call(client, "POST", target, credential);
}

const struct http_reply *http_post_json(struct http_client *client, const char *target,
                                        const char *credential, const char *json)
{
    return http_send(client, "POST", target,
                     (const char *const[]){"Content-Type: application/json", credential, NULL},
                     json, strlen(json));
}

/* ---- bare sockets ---- */

struct raw *raw_open(int port)
{
    struct raw *raw = calloc(1, sizeof *raw);
    if (!raw)
        die("no memory");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    raw->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (raw->fd < 0 || connect(raw->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("connect");
    bytes_set(&raw->in, NULL, 0);
    return raw;
}

void raw_close(struct raw **raw)
{
    if (!*raw)
        return;
    close((*raw)->fd);
    free((*raw)->in.data);
    free((*raw)->head.data);
    free((*raw)->body.data);
    free(*raw);
    *raw = NULL;
}

bool raw_send(struct raw *raw, const void *bytes, size_t size)
{
    for (const char *at = bytes; size > 0;) {
        ssize_t sent = send(raw->fd, at, size, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0 && (errno == EPIPE || errno == ECONNRESET))
            return false;
        if (sent < 0)
            die("send");
        at += sent;
        size -= (size_t)sent;
    }
    return true;
}

void raw_print(struct raw *raw, const char *format, ...)
{
    char *text;
    va_list args;
    va_start(args, format);
    int size = vasprintf(&text, format, args);
    va_end(args);
    if (size < 0)
        die("no memory");
    raw_send(raw, text, (size_t)size);
    free(text);
}

void raw_finish(struct raw *raw)
{
    shutdown(raw->fd, SHUT_WR);
}

/* 1: something came; 0: the peer closed or reset; -1: nothing in time. */
static int receive(struct raw *raw, int64_t deadline_ms)
{
    struct pollfd entry = {.fd = raw->fd, .events = POLLIN};
    int64_t left = deadline_ms - now_ms();
    int ready = poll(&entry, 1, left > 0 ? (int)left : 0);
    if (ready < 0 && errno == EINTR)
        return receive(raw, deadline_ms);
    if (ready <= 0)
        return -1;
    char chunk[4096];
    ssize_t size = recv(raw->fd, chunk, sizeof chunk, 0);
    if (size <= 0)
        return 0;
    bytes_add(&raw->in, chunk, (size_t)size);
    return 1;
}

static size_t body_length(const struct http_reply *reply)
{
    const char *length = http_header(reply, "Content-Length");
    bool none = reply->status < 200 || reply->status == 204 || reply->status == 304;
    return none || !length ? 0 : strtoul(length, NULL, 10);
}

static const struct http_reply *give_up(struct raw *raw, const char *failure)
{
    raw->reply.status = 0;
    raw->reply.failure = failure;
    return &raw->reply;
}

static const struct http_reply *read_reply(struct raw *raw, int timeout_ms, bool to_head)
{
    int64_t start = now_ms(), deadline_ms = start + timeout_ms;
    const char *end;
    raw->reply = (struct http_reply){.body = ""};
    while (!(end = memmem(raw->in.data, raw->in.size, "\r\n\r\n", 4))) {
        int got = receive(raw, deadline_ms);
        if (got == 0 && raw->in.size == 0)
            return NULL;
        if (got <= 0)
            return give_up(raw, got < 0 ? "no whole head in time" : "closed within the head");
    }
    size_t head_size = (size_t)(end - raw->in.data) + 4;
    bytes_set(&raw->head, raw->in.data, head_size);
    raw->reply.head = raw->head.data;
    if (sscanf(raw->head.data, "HTTP/1.1 %3d ", &raw->reply.status) != 1)
        return give_up(raw, "no HTTP/1.1 status line");
    size_t size = to_head ? 0 : body_length(&raw->reply);
    while (raw->in.size < head_size + size) {
        int got = receive(raw, deadline_ms);
        if (got <= 0)
            return give_up(raw, got < 0 ? "no whole body in time" : "closed within the body");
    }
    bytes_set(&raw->body, raw->in.data + head_size, size);
    raw->in.size -= head_size + size;
    memmove(raw->in.data, raw->in.data + head_size + size, raw->in.size + 1);
    raw->reply.body = raw->body.data;
    raw->reply.body_size = size;
    raw->reply.elapsed_ms = (int)(now_ms() - start);
    return &raw->reply;
}

const struct http_reply *raw_reply(struct raw *raw, int timeout_ms)
{
    return read_reply(raw, timeout_ms, false);
}

const struct http_reply *raw_reply_to_head(struct raw *raw, int timeout_ms)
{
    return read_reply(raw, timeout_ms, true);
}

bool raw_is_closed(struct raw *raw, int timeout_ms)
{
    return raw->in.size == 0 && receive(raw, now_ms() + timeout_ms) == 0;
}

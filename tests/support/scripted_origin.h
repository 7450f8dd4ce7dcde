/*
 * An HTTP server that says what a test wrote for it, to the byte, and remembers what it was sent. It serves many
 * connections at once and keeps them. What goes wrong inside it ends the test.
 */
#ifndef SUPPORT_SCRIPTED_ORIGIN_H
#define SUPPORT_SCRIPTED_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct scripted_origin;

/* What was sent to it. Never changed, and kept until the end. */
struct origin_request {
    const char *head; /* request line and fields, with the empty line; NUL-terminated */
    const char *body; /* without its framing; NUL-terminated. The first megabyte of it */
    int64_t body_size;
    bool is_cut;    /* its body did not come whole */
    int connection; /* 0, 1, … in order of arrival */
};

enum origin_then {
    ORIGIN_KEEPS, /* and waits for the next request */
    ORIGIN_CLOSES,
    ORIGIN_RESETS,   /* the client sees an error, not an end */
    ORIGIN_IS_SILENT /* until the other side has had enough */
};

struct origin_answer {
    const char *bytes;   /* status line, fields, body; NULL: nothing */
    size_t size;         /* 0: up to its NUL */
    int64_t filler_size; /* so many letters x behind it */
    enum origin_then then;
    const char *early; /* text that comes first, before the request's body is read; NULL: none */
    bool skips_body;   /* of the request */
    bool is_held;      /* until scripted_origin_release; not what is early */
    int delay_ms;      /* the answer takes so long; not what is early */
    int drip_ms;       /* between any two bytes; 0: all at once */
};

struct scripted_origin_options {
    const char *certificate; /* for https: `certificate`.pem and .key; NULL: none */
    const char *unix_path;   /* NULL: a port of 127.0.0.1 */
    int port;                /* 0: a free one */
    /* Makes the answer, which is freed with free(); NULL: as it was told. Called by many threads. */
    char *(*answer)(void *arg, const struct origin_request *request);
    void *arg;
};

/* Runs threads: start it in the process that uses it. NULL: a free port, no TLS. */
struct scripted_origin *scripted_origin_start(const struct scripted_origin_options *options);
/* Closes every connection and waits for the threads. */
void scripted_origin_stop(struct scripted_origin **origin);
/* http://127.0.0.1:port, https://…, unix:/path */
const char *scripted_origin_url(const struct scripted_origin *origin);
int scripted_origin_port(const struct scripted_origin *origin);

/* The answer to the next request that no other answer is meant for. Copied. */
void scripted_origin_say(struct scripted_origin *origin, const struct origin_answer *answer);
/* What every request is answered with for which there is none; at first, 200 and "hello". */
void scripted_origin_always(struct scripted_origin *origin, const struct origin_answer *answer);
#define ORIGIN_SAY(origin, ...) \
    scripted_origin_say(origin, &(struct origin_answer){.bytes = __VA_ARGS__})
/* Lets go whoever is held, and who comes later. */
void scripted_origin_release(struct scripted_origin *origin);

/* Requests whose heads have come. They only rise. */
size_t scripted_origin_count(struct scripted_origin *origin);
int scripted_origin_connections(struct scripted_origin *origin);
/* Of the connections those that have taken up a TLS session of before. */
int scripted_origin_resumed(struct scripted_origin *origin);
/* Waits until there are so many. */
void scripted_origin_wait_count(struct scripted_origin *origin, size_t count);
/* Waits until that request has come with its body, or a part of it. */
const struct origin_request *scripted_origin_request(struct scripted_origin *origin, size_t index);
/* Waits until the other side has closed that connection. */
void scripted_origin_wait_closed(struct scripted_origin *origin, int connection);

#endif

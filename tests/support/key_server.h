/*
 * A web server that publishes a key set, or misbehaves: on a free port of 127.0.0.1, with a thread
 * of its own, one connection at a time. Whatever is asked for, the answer is the same. All functions
 * may be called at any time from the test's thread; failures end the test.
 */
#ifndef SUPPORT_KEY_SERVER_H
#define SUPPORT_KEY_SERVER_H

#include <stddef.h>

struct key_server;

/* `certificate`: DIRECTORY/NAME of self_signed_write, for https; NULL: plain http. `port` 0: a free one. */
struct key_server *key_server_start(const char *certificate, int port);
void key_server_stop(struct key_server **server);

int key_server_port(const struct key_server *server);
/* "http://127.0.0.1:PORT/keys" or "https://…". */
const char *key_server_url(const struct key_server *server);
/* How many connections there have been that sent something. */
int key_server_count(struct key_server *server);
void key_server_wait_count(struct key_server *server, int count);

/* 200 with this body; until something else is said the answer is {"keys":[]}. */
void key_server_publish(struct key_server *server, const char *body);
/* These bytes as they are; byte by byte with drip_ms between them where that is > 0. */
void key_server_say(struct key_server *server, const void *bytes, size_t size, int drip_ms);
/* Reads and never answers. */
void key_server_mute(struct key_server *server);

#endif

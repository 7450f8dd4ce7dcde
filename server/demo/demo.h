/*
 * `serve --demo`: a private redis-server and everything else the server needs in ./.cachewarden, so
 * that it runs with no set-up at all and leaves nothing anywhere else.
 */
#ifndef SERVER_DEMO_DEMO_H
#define SERVER_DEMO_DEMO_H

#include "config/config.h"

#include <sys/types.h>

struct demo;

/*
 * Makes the folder (mode 0700), sees to it that no other demo runs in it, and starts redis-server on a
 * Unix socket there; returns once it answers. The child dies with this process. To be called
 * before there are other threads. ERR_CONFLICT: another demo runs here; ERR_UPSTREAM_DOWN,
 * ERR_BAD_INPUT: error->caller is one line that says what to do, too.
 */
CW_MUST_CHECK enum err demo_open(struct demo **demo_out, struct error *error);
/* Ends redis-server and waits for it. */
void demo_close(struct demo **demo);

/* The settings of the demo, which beat all others. Borrowed. */
const struct config_override *demo_overrides(const struct demo *demo, size_t *count_out);
/* redis-server, for whoever hears of a child's end. */
pid_t demo_redis(const struct demo *demo);

/* Makes or finds the accounts and the API key; their secrets are kept in the folder (0600). */
CW_MUST_CHECK enum err demo_prepare(struct demo *demo, struct app *app, struct error *error);
/* Tells on standard output where the demo is, who may sign in, and what to paste. */
void demo_print(const struct demo *demo, const struct listen_address *listen, int port);

#endif

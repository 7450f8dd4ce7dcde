/* The server that runs on this machine with the same settings, asked over HTTP. */
#ifndef SERVER_CLI_LOCAL_SERVER_H
#define SERVER_CLI_LOCAL_SERVER_H

#include "config/config.h"

#include "cachewarden/work.h"

enum { LOCAL_SERVER_ASK_MS = 3000 };

/* Where its first listener without TLS is, "http://127.0.0.1:8000", in the arena; {NULL,0}: all have TLS, or a port
 * that the kernel chooses, or memory is out. */
struct str local_server_url(struct arena *arena, const struct config *config);

struct local_server_answer {
    int status;
    struct str body;   /* the first 16 KiB of it, in the arena of the work */
    bool is_unreached; /* after an error: nobody listens there */
};

/* GET of a path, without credentials. Ends within LOCAL_SERVER_ASK_MS, whatever the work's deadline is. Errors of
 * http_peer_send. */
CW_MUST_CHECK enum err local_server_get(const struct config *config, struct str url,
                                        struct str target, const struct work *work,
                                        struct local_server_answer *answer_out);

#endif

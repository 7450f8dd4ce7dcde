/* What the files of the demo share. */
#ifndef SERVER_DEMO_DEMO_PRIVATE_H
#define SERVER_DEMO_DEMO_PRIVATE_H

#include "demo/demo.h"

enum {
    DEMO_PATH_SIZE = 4096,
    DEMO_PASSWORD_BYTES = 12, /* random, as hex */
    DEMO_KEY_SIZE = 160,
    DEMO_OVERRIDES = 6
};

struct demo {
    char path[DEMO_PATH_SIZE]; /* of the folder */
    int folder;                /* the same, opened */
    int lock;                  /* held by us and by redis-server */
    pid_t redis;
    char redis_url[3 * DEMO_PATH_SIZE];
    struct config_override overrides[DEMO_OVERRIDES];

    /* Kept in the file `credentials`, so that a second start has the same. */
    char admin_password[2 * DEMO_PASSWORD_BYTES + 1];
    char demo_password[2 * DEMO_PASSWORD_BYTES + 1];
    char api_key[DEMO_KEY_SIZE];
    int64_t demo_user_id;
};

#endif

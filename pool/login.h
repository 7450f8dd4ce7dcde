/* As whom connections authenticate. It may be replaced while connections are made. */
#ifndef POOL_LOGIN_H
#define POOL_LOGIN_H

#include "cachewarden/lock.h"
#include "cachewarden/redis.h"

struct login {
    struct lock lock;         /* guards the rest */
    struct redis_address who; /* user and password alone */
};

/* Takes both over from the address. */
void login_init(struct login *login, struct redis_address *address);
void login_fini(struct login *login);

/* Those of the address from here on, copied; *changed_out: they are others. ERR_NO_MEMORY: nothing has changed. */
CW_MUST_CHECK enum err login_set(struct login *login, const struct redis_address *address,
                                 bool *changed_out);

#endif

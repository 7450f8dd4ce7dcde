#include "login.h"

void login_init(struct login *login, struct redis_address *address)
{
    lock_init(&login->lock, LOCK_RANK_LEAF, "login");
    login->who =
        (struct redis_address){.username = address->username, .password = address->password};
    address->username = address->password = NULL;
}

void login_fini(struct login *login)
{
    redis_address_fini(&login->who);
    lock_fini(&login->lock);
}

enum err login_set(struct login *login, const struct redis_address *address, bool *changed_out)
{
    lock_acquire(&login->lock);
    enum err err = redis_address_copy_login(address, &login->who, changed_out);
    lock_release(&login->lock);
    return err;
}

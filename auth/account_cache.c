#include "account_cache.h"

#include <stdlib.h>

/* In use within one second; more are asked of the database, not wrong. At most 2.5 MiB. */
enum { ACCOUNTS_MAX = 4096, NAMES_MAX = 1024 };

struct account_cache {
    struct users *users;
    struct ttl_cache *by_id;   /* struct account */
    struct ttl_cache *by_name; /* int64_t: the id; 0: nobody's */
    size_t admin_group_len;
    char admin_group[];
};

enum err account_cache_new(struct users *users, struct str admin_group,
                           struct account_cache **cache_out)
{
    struct account_cache *cache = calloc(1, sizeof *cache + admin_group.len);

    *cache_out = NULL;
    if (!cache)
        return ERR_NO_MEMORY;
    cache->users = users;
    cache->admin_group_len = admin_group.len;
    if (admin_group.len > 0)
        memcpy(cache->admin_group, admin_group.ptr, admin_group.len);
    if (ttl_cache_new("accounts", ACCOUNTS_MAX, sizeof(struct account), &cache->by_id) != ERR_OK ||
        ttl_cache_new("account names", NAMES_MAX, sizeof(int64_t), &cache->by_name) != ERR_OK) {
        account_cache_free(&cache);
        return ERR_NO_MEMORY;
    }
    *cache_out = cache;
    return ERR_OK;
}

void account_cache_free(struct account_cache **cache)
{
    if (!*cache)
        return;
    ttl_cache_free(&(*cache)->by_id);
    ttl_cache_free(&(*cache)->by_name);
    free(*cache);
    *cache = NULL;
}

struct str account_admin_group(const struct account_cache *cache)
{
    return (struct str){cache->admin_group, cache->admin_group_len};
}

static bool is_member(const struct user *user, struct str group)
{
    for (size_t i = 0; i < user->group_count; i++) {
        if (group.len > 0 && str_eq(user->groups[i], group))
            return true;
    }
    return false;
}

/* users_add lets no longer names in; another program's row might have one. */
static enum err fill(const struct account_cache *cache, const struct user *user,
                     struct account *account)
{
    *account = (struct account){
        .id = user->id,
        .exists = true,
        .is_usable = user->is_active && !user->is_deleted,
        .is_superuser = user->is_superuser,
        .is_admin_member = is_member(user, account_admin_group(cache)),
        .tokens_not_before_s = user->tokens_not_before_s,
        .username_len = (unsigned char)user->username.len,
        .email_len = (unsigned char)user->email.len,
        .kept_family_len = (unsigned char)user->tokens_kept_family.len,
        .incarnation_len = (unsigned char)user->incarnation.len,
    };
    if (user->username.len > sizeof account->username || user->email.len > sizeof account->email ||
        user->tokens_kept_family.len > sizeof account->kept_family ||
        user->incarnation.len > sizeof account->incarnation)
        return ERR_INTERNAL;
    if (user->username.len > 0)
        memcpy(account->username, user->username.ptr, user->username.len);
    if (user->email.len > 0)
        memcpy(account->email, user->email.ptr, user->email.len);
    if (user->incarnation.len > 0)
        memcpy(account->incarnation, user->incarnation.ptr, user->incarnation.len);
    if (user->tokens_kept_family.len > 0)
        memcpy(account->kept_family, user->tokens_kept_family.ptr, user->tokens_kept_family.len);
    return ERR_OK;
}

static enum err load_account(void *arg, struct str key, void *record_out, struct error *error)
{
    const struct account_cache *cache = arg;
    struct user user;
    int64_t id;

    memcpy(&id, key.ptr, sizeof id);
    struct arena *arena = arena_new(2048, 0);
    if (!arena)
        return ERR_NO_MEMORY;
    enum err err = users_find_by_id(cache->users, arena, id, &user, error);
    if (!err) {
        err = fill(cache, &user, record_out);
    } else if (err == ERR_NOT_FOUND) {
        *(struct account *)record_out = (struct account){.id = id};
        err = ERR_OK;
    }
    arena_free(&arena);
    return err;
}

static enum err load_id(void *arg, struct str key, void *record_out, struct error *error)
{
    const struct account_cache *cache = arg;
    struct user user;

    struct arena *arena = arena_new(2048, 0);
    if (!arena)
        return ERR_NO_MEMORY;
    enum err err = users_find_by_name(cache->users, arena, key, &user, error);
    if (!err || err == ERR_NOT_FOUND) {
        const int64_t id = err ? 0 : user.id;
        memcpy(record_out, &id, sizeof id);
        err = ERR_OK;
    }
    arena_free(&arena);
    return err;
}

static struct str key_of(const int64_t *id)
{
    return (struct str){(const char *)id, sizeof *id};
}

enum err account_by_id(struct account_cache *cache, int64_t id, int64_t now_ns, int64_t stale_ns,
                       struct account *account_out, struct error *error)
{
    const struct ttl_cache_source source = {load_account, cache, stale_ns, false};

    return ttl_cache_fetch(cache->by_id, key_of(&id), now_ns, &source, account_out, error);
}

enum err account_again(struct account_cache *cache, int64_t id, int64_t now_ns,
                       struct account *account_out, struct error *error)
{
    const struct ttl_cache_source source = {load_account, cache, TTL_CACHE_STALE_NS, true};

    return ttl_cache_fetch(cache->by_id, key_of(&id), now_ns, &source, account_out, error);
}

enum err account_by_name(struct account_cache *cache, struct str username, int64_t now_ns,
                         bool believes_absence, struct account *account_out, struct error *error)
{
    struct ttl_cache_source source = {load_id, cache, TTL_CACHE_STALE_NS, false};
    int64_t id = 0;

    *account_out = (struct account){0};
    /* Nobody has a name that is not one; and the table has no room for it. */
    if (user_check_username(username, NULL) != ERR_OK)
        return ERR_NOT_FOUND;
    enum err err = ttl_cache_fetch(cache->by_name, username, now_ns, &source, &id, error);
    if (!err && id == 0 && believes_absence)
        return ERR_NOT_FOUND;
    if (!err && id > 0)
        err = account_by_id(cache, id, now_ns, TTL_CACHE_STALE_NS, account_out, error);
    if (err || (id > 0 && account_out->is_usable))
        return err;
    /* The account behind a remembered name may be deleted by now, and the name another's; or it was
     * not there yet when its name or id was asked for. */
    source.is_doubted = true;
    err = ttl_cache_fetch(cache->by_name, username, now_ns, &source, &id, error);
    if (!err)
        err = id > 0 ? account_again(cache, id, now_ns, account_out, error) : ERR_NOT_FOUND;
    return !err && !account_out->exists ? ERR_NOT_FOUND : err;
}

void account_forget(struct account_cache *cache, int64_t id)
{
    ttl_cache_forget(cache->by_id, key_of(&id));
}

void account_forget_all(struct account_cache *cache)
{
    ttl_cache_forget_all(cache->by_id);
    ttl_cache_forget_all(cache->by_name);
}

/* Accounts as every request needs them, remembered for a second (ttl_cache.h). Thread-safe. */
#ifndef AUTH_ACCOUNT_CACHE_H
#define AUTH_ACCOUNT_CACHE_H

#include "ttl_cache.h"

#include "cachewarden/users.h"

struct account {
    int64_t id;
    bool exists;    /* there is, or was, an account with this id */
    bool is_usable; /* active and not deleted */
    bool is_superuser;
    bool is_admin_member; /* of the admin group */
    int64_t tokens_not_before_s;
    unsigned char username_len, email_len, kept_family_len, incarnation_len;
    char username[150];
    char email[254];
    char kept_family[32]; /* our own families have 32 hex digits */
    char incarnation[USERS_INCARNATION_SIZE];
};

/* Empty where there is no account. */
static inline struct str account_incarnation(const struct account *account)
{
    return (struct str){account->incarnation, account->incarnation_len};
}

struct account_cache;

/* `users` is borrowed, `admin_group` copied. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err account_cache_new(struct users *users, struct str admin_group,
                                         struct account_cache **cache_out);
void account_cache_free(struct account_cache **cache);

/* ERR_OK also for an id nobody has (`exists` is false). Errors of users.h. While the database is away
 * what was known so long ago will do: TTL_CACHE_STALE_NS, or what the caller can allow. */
CW_MUST_CHECK enum err account_by_id(struct account_cache *cache, int64_t id, int64_t now_ns,
                                     int64_t stale_ns, struct account *account_out,
                                     struct error *error);
/* The same, asked of the database now: what is remembered does not fit what the caller shows, who may
 * know of a change that is younger than it. */
CW_MUST_CHECK enum err account_again(struct account_cache *cache, int64_t id, int64_t now_ns,
                                     struct account *account_out, struct error *error);
/*
 * ERR_NOT_FOUND: nobody has that name, or nobody any more. Before that is said the database is asked,
 * for the account may have been made a moment ago; `believes_absence`: unless it was asked within the
 * last second.
 */
CW_MUST_CHECK enum err account_by_name(struct account_cache *cache, struct str username,
                                       int64_t now_ns, bool believes_absence,
                                       struct account *account_out, struct error *error);

/* Lives with the cache. */
struct str account_admin_group(const struct account_cache *cache);

void account_forget(struct account_cache *cache, int64_t id);
void account_forget_all(struct account_cache *cache);

#endif

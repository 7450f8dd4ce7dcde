/* Signing in and up, and making API keys: what people do rarely, with a password or a shell. */
#include "identity_private.h"

#include "last_use.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/password.h"
#include "cachewarden/principal.h"
#include "cachewarden/random.h"

/* Old parameters rise with the next sign-in. Failing at that must not fail the sign-in. */
static void renew_hash(struct identity *identity, struct arena *arena, const struct user *user,
                       struct str password, int64_t deadline_ns)
{
    struct str encoded;

    enum err err = password_hash(arena, password, deadline_ns, &encoded);
    if (!err)
        err = users_replace_hash(identity->users, user->id, user->password_hash, encoded, NULL);
    if (err)
        log_event(LOG_LEVEL_WARN, "users.rehash_failed", LOG_INT("user", user->id),
                  LOG_CSTR("error", err_name(err)));
}

static enum err find_by(struct identity *identity, struct arena *arena, struct str name,
                        bool by_email, struct user *user_out, struct error *error)
{
    *user_out = (struct user){0};
    /* What cannot be a name is nobody's: no look-up, but the time of one that failed. */
    if ((by_email ? user_check_email(name, NULL) : user_check_username(name, NULL)) != ERR_OK)
        return ERR_NOT_FOUND;
    return by_email ? users_find_by_email(identity->users, arena, name, user_out, error)
                    : users_find_by_name(identity->users, arena, name, user_out, error);
}

enum err identity_login(struct identity *identity, struct work work, struct str name, bool by_email,
                        struct str password, struct user *user_out)
{
    struct user user;
    bool is_old = false;

    *user_out = (struct user){0};
    enum err err = find_by(identity, work.arena, name, by_email, &user, work.error);
    if (err && err != ERR_NOT_FOUND)
        return err;
    /* Without an account that may sign in the hash is empty, and password_verify takes its time all
     * the same. */
    bool may_sign_in = !err && user.is_active && !user.is_deleted;
    err = password_verify(may_sign_in ? user.password_hash : STR_NONE, password, work.deadline_ns,
                          &is_old);
    user_out->id = user.id; /* whose it is not */
    if (err == ERR_UNAUTHENTICATED || (!err && !may_sign_in))
        return error_set(work.error, ERR_UNAUTHENTICATED,
                         "No active account found with the given credentials");
    if (err == ERR_BUSY)
        return error_set(work.error, err, "Too many sign-ins at once, try again in a moment.");
    if (err)
        return error_set_detail(work.error, err, "password of user %lld cannot be checked",
                                (long long)user.id);
    /* What this node remembers may be older than what was just read. */
    identity_forget(identity, user.id);
    last_use_note_login(identity->last_use, user.id, user.last_login_at_s, clock_wall_s());
    if (is_old)
        renew_hash(identity, work.arena, &user, password, work.deadline_ns);
    *user_out = user;
    return ERR_OK;
}

/* Before the costly hash; users_add says the same again for those who race. */
static enum err check_is_free(struct identity *identity, struct arena *arena, struct str username,
                              struct str email, struct error *error)
{
    struct user other;
    enum err err = users_find_by_name(identity->users, arena, username, &other, error);

    if (!err)
        return error_set(error, ERR_CONFLICT, "A user with that username already exists.");
    if (err == ERR_NOT_FOUND)
        err = users_find_by_email(identity->users, arena, email, &other, error);
    if (!err)
        return error_set(error, ERR_CONFLICT, "A user with that email already exists.");
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err identity_add_account(struct identity *identity, struct work work, struct user *user,
                              struct str password)
{
    enum err err;

    user->is_active = true;
    user->created_at_s = clock_wall_s();
    user->incarnation = random_hex(work.arena, USERS_INCARNATION_SIZE / 2);
    if ((err = user_check_username(user->username, work.error)) != ERR_OK ||
        (err = user_check_email(user->email, work.error)) != ERR_OK ||
        (err = password_check_strength(password, user->username, user->email, work.error)) !=
            ERR_OK ||
        (err = check_is_free(identity, work.arena, user->username, user->email, work.error)) !=
            ERR_OK)
        return err;
    for (size_t i = 0; i < user->group_count; i++)
        if ((err = user_check_group(user->groups[i], work.error)) != ERR_OK)
            return err;
    if (!user->incarnation.ptr)
        return ERR_NO_MEMORY;
    err = password_hash(work.arena, password, work.deadline_ns, &user->password_hash);
    if (err == ERR_BUSY)
        return error_set(work.error, err, "Too many sign-ins at once, try again in a moment.");
    if (!err)
        err = users_add(identity->users, user, &user->id, work.error);
    /* A request that named this id a moment ago was told that nobody has it. */
    if (!err)
        identity_forget(identity, user->id);
    return err;
}

enum err identity_register(struct identity *identity, struct work work, struct str username,
                           struct str email, struct str password, struct user *user_out)
{
    struct user user = {.username = username, .email = email};
    enum err err = identity_add_account(identity, work, &user, password);

    *user_out = (struct user){0};
    if (err)
        return err;
    last_use_note_login(identity->last_use, user.id, 0, user.created_at_s);
    /* Not read back: who was told that it failed would find the name taken. */
    *user_out = user;
    return ERR_OK;
}

enum err identity_amend_account(struct identity *identity, struct work work, int64_t id,
                                const struct users_amendment *amendment, struct str password,
                                struct user *user_out)
{
    struct users_amendment whole = *amendment;
    enum err err = ERR_OK;

    *user_out = (struct user){0};
    if (password.ptr) {
        struct user user;
        err = users_find_by_id(identity->users, work.arena, id, &user, work.error);
        if (!err && user.is_deleted)
            err = ERR_NOT_FOUND;
        if (!err)
            err =
                password_check_strength(password, user.username,
                                        whole.email.len > 0 ? whole.email : user.email, work.error);
        if (!err)
            err = password_hash(work.arena, password, work.deadline_ns, &whole.password_hash);
        if (err == ERR_BUSY)
            return error_set(work.error, err, "Too many sign-ins at once, try again in a moment.");
    }
    if (err)
        return err;
    err = users_amend(identity->users, work.arena, id, &whole, user_out, work.error);
    /* Also when the outcome is unknown: it may have been changed. */
    identity_forget(identity, id);
    return err;
}

static enum err check_key(struct identity *identity, struct arena *arena, const struct api_key *key,
                          int64_t now_s, struct error *error)
{
    const unsigned known = SCOPE_FLUSH | SCOPE_ENTRIES | SCOPE_METRICS | SCOPE_ADMIN | SCOPE_USER;
    struct user owner;

    enum err err = api_key_check_name("name", key->name, error);
    if (!err && key->space.len > 0)
        err = api_key_check_name("namespace", key->space, error);
    if (err)
        return err;
    if ((key->scopes & ~known) != 0)
        return error_set(error, ERR_BAD_INPUT,
                         "scope: there are flush, entries, metrics, admin and user");
    if ((key->scopes & SCOPE_USER) != 0 && key->owner_id == 0)
        return error_set(error, ERR_BAD_INPUT,
                         "scope: a key with the scope user needs an owner to act as");
    if (key->expires_at_s != 0 && key->expires_at_s <= now_s)
        return error_set(error, ERR_BAD_INPUT, "expires: it must be in the future");
    if (key->owner_id == 0)
        return ERR_OK;
    err = users_find_by_id(identity->users, arena, key->owner_id, &owner, error);
    if (err == ERR_NOT_FOUND || (!err && (owner.is_deleted || !owner.is_active)))
        return error_set(error, ERR_BAD_INPUT, "user: there is no active account with this id");
    return err;
}

enum err identity_create_key(struct identity *identity, struct arena *arena, struct api_key *key,
                             int64_t now_s, struct str *secret_out, struct error *error)
{
    struct str whole;

    *secret_out = STR_NONE;
    enum err err = check_key(identity, arena, key, now_s, error);
    if (!err)
        err = api_key_make(arena, &key->id, &whole, &key->secret_digest);
    if (err)
        return err;
    key->created_at_s = now_s;
    key->revoked_at_s = 0;
    key->last_used_at_s = 0;
    err = api_keys_add(identity->users, key, error);
    if (err == ERR_NOT_FOUND)
        return error_set(error, ERR_BAD_INPUT, "user: there is no active account with this id");
    if (!err)
        *secret_out = whole;
    return err;
}

enum err identity_revoke_key(struct identity *identity, struct str id, int64_t now_s,
                             struct error *error)
{
    enum err err = api_keys_revoke_id(identity->users, id, now_s, error);

    /* Also when the outcome is unknown: it may be revoked. */
    key_cache_forget(identity->keys, id);
    return err;
}

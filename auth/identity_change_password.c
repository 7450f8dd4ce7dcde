/* A password changed by its owner, and what ends with it. */
#include "identity_private.h"

#include "account_cache.h"

#include "cachewarden/password.h"

static enum err say_busy(struct error *error)
{
    return error_set(error, ERR_BUSY, "Too many sign-ins at once, try again in a moment.");
}

/* "password: it must …" is about new_password here. */
static enum err check_new(struct arena *arena, struct str password, const struct user *user,
                          struct error *error)
{
    enum err err = password_check_strength(password, user->username, user->email, error);

    if (err != ERR_BAD_INPUT)
        return err;
    struct str said = str_dup(arena, str_from(error->caller));
    return error_set(error, err, "new_%s", said.ptr ? said.ptr : "password: it is too weak.");
}

/* Only a password that is kept here can be changed here. */
static enum err find_owner(struct identity *identity, struct arena *arena, int64_t user_id,
                           struct user *user_out, struct error *error)
{
    enum err err = users_find_by_id(identity->users, arena, user_id, user_out, error);

    if (err == ERR_NOT_FOUND || (!err && (user_out->is_deleted || !user_out->is_active)))
        return error_set(error, ERR_FORBIDDEN, "The password of this account is not kept here.");
    return err;
}

struct change {
    struct identity *identity;
    struct work work;
    int64_t user_id;
    struct str old_password, new_password, kept_family;
};

/* One attempt. ERR_NOT_FOUND: the hash was replaced while this one was checked. */
static enum err try_change(const struct change *change)
{
    struct arena *arena = change->work.arena;
    struct error *error = change->work.error;
    struct str encoded;
    struct user user;
    bool is_old;
    enum err err = find_owner(change->identity, arena, change->user_id, &user, error);

    if (err)
        return err;
    /* The old one first: a stranger at an open terminal learns nothing about the new one's worth. */
    err = password_verify(user.password_hash, change->old_password, change->work.deadline_ns,
                          &is_old);
    if (err == ERR_UNAUTHENTICATED)
        return error_set_detail(error, err, "the old password is wrong");
    if (!err)
        err = check_new(arena, change->new_password, &user, error);
    if (!err)
        err = password_hash(arena, change->new_password, change->work.deadline_ns, &encoded);
    if (err == ERR_BUSY)
        return say_busy(error);
    if (!err)
        err = users_change_password(change->identity->users, change->user_id, user.password_hash,
                                    encoded, change->kept_family, error);
    return err;
}

/*
 * The database compares the hash that was checked with the one it holds, so that of several changes
 * at once one wins. Who loses checks the old password against the new hash: it is wrong by now,
 * unless a sign-in only hashed the same password anew.
 */
enum err identity_change_password(struct identity *identity, struct work work, int64_t user_id,
                                  struct str old_password, struct str new_password,
                                  struct str kept_family)
{
    const size_t family_max = sizeof((struct account *)NULL)->kept_family;
    const struct change change = {
        .identity = identity,
        .work = work,
        .user_id = user_id,
        .old_password = old_password,
        .new_password = new_password,
        .kept_family = kept_family.len <= family_max ? kept_family : STR_NONE,
    };

    enum err err = try_change(&change);
    if (err == ERR_NOT_FOUND)
        err = try_change(&change);
    if (err == ERR_NOT_FOUND)
        err = error_set_detail(work.error, ERR_UNAUTHENTICATED, "the password is being changed");
    /* Also when the outcome is unknown: it may have been changed. */
    identity_forget(identity, user_id);
    return err;
}

enum err identity_void_tokens(struct identity *identity, int64_t user_id, struct error *error)
{
    enum err err = users_void_tokens(identity->users, user_id, error);

    identity_forget(identity, user_id);
    return err;
}

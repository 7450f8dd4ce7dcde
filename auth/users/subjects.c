/* Accounts of those whom another issuer vouches for. */
#include "users/users_private.h"

#include "cachewarden/clock.h"
#include "cachewarden/log.h"
#include "cachewarden/random.h"

enum {
    TEXT_MAX_SIZE = 255, /* as claims have it */
    NAME_BYTES = 16,     /* random: no name that is taken, none that somebody could take before */
};

static enum err check_text(struct str text, const char *what, struct error *error)
{
    if (text.len >= 1 && text.len <= TEXT_MAX_SIZE && str_is_utf8(text) && !str_has_control(text))
        return ERR_OK;
    return error_set(error, ERR_BAD_INPUT,
                     "%s: it must have 1 to 255 bytes of UTF-8 without control characters.", what);
}

/* ERR_NOT_FOUND: there is none yet. */
static enum err find(struct users *users, struct str issuer, struct str subject, int64_t *id_out,
                     struct error *error)
{
    struct users_result result = {0};
    struct arena *arena = arena_new(512, 0);

    if (!arena)
        return ERR_NO_MEMORY;
    enum err err = users_run(users, USERS_READ,
                             USERS_QUERY(SUBJECT_FIND, USERS_STR(issuer), USERS_STR(subject)),
                             arena, &result, error);
    if (!err && result.row_count == 0)
        err = ERR_NOT_FOUND;
    if (!err)
        *id_out = users_integer(&result, 0, 0);
    arena_free(&arena);
    return err;
}

/* RFC 2606 section 2: no mail ever goes to .invalid. */
static enum err insert_account(struct users *users, struct users_connection *connection,
                               struct arena *arena, int64_t *id_out, struct error *error)
{
    struct users_result result = {0};
    struct str random = random_hex(arena, NAME_BYTES);
    struct str incarnation = users_new_incarnation(arena);
    struct str username = str_format(arena, "x-%.*s", STR_ARG(random));
    struct str email = str_format(arena, "x-%.*s@users.invalid", STR_ARG(random));

    if (!random.ptr || !username.ptr || !email.ptr || !incarnation.ptr)
        return ERR_NO_MEMORY;
    enum err err = users->driver->run(
        connection,
        USERS_QUERY(ACCOUNT_ADD, USERS_STR(username), USERS_STR(username), USERS_STR(email),
                    USERS_STR(email), USERS_STR(STR("")), USERS_INT(false), USERS_INT(true),
                    USERS_INT(clock_wall_s()), USERS_STR(incarnation)),
        arena, &result, error);
    if (err)
        return err;
    if (result.row_count != 1)
        return error_set_detail(error, ERR_INTERNAL, "users database: an insert gave no id");
    *id_out = users_integer(&result, 0, 0);
    return ERR_OK;
}

/* ERR_CONFLICT: somebody else was first, and nothing has changed. */
static enum err add(struct users *users, struct str issuer, struct str subject, int64_t *id_out,
                    struct error *error)
{
    struct users_connection *connection = NULL;
    struct users_result result = {0};
    struct arena *arena = arena_new(1024, 0);

    if (!arena)
        return ERR_NO_MEMORY;
    enum err err = users_begin(users, USERS_WRITE, &connection, error);
    if (!err) {
        err = insert_account(users, connection, arena, id_out, error);
        if (!err)
            err = users->driver->run(
                connection,
                USERS_QUERY(SUBJECT_ADD, USERS_STR(issuer), USERS_STR(subject), USERS_INT(*id_out)),
                NULL, &result, error);
        if (!err && result.changed == 0)
            err = ERR_CONFLICT;
        err = users_end(users, &connection, err, error);
    }
    arena_free(&arena);
    return err;
}

enum err users_find_subject(struct users *users, struct str issuer, struct str subject,
                            int64_t *id_out, struct error *error)
{
    *id_out = 0;
    enum err err = check_text(issuer, "issuer", error);
    if (!err)
        err = check_text(subject, "subject", error);
    return err ? err : find(users, issuer, subject, id_out, error);
}

enum err users_provision(struct users *users, struct str issuer, struct str subject,
                         int64_t *id_out, struct error *error)
{
    enum err err = users_find_subject(users, issuer, subject, id_out, error);
    if (err != ERR_NOT_FOUND)
        return err;
    err = add(users, issuer, subject, id_out, error);
    if (!err)
        log_event(LOG_LEVEL_INFO, "users.provisioned", LOG_STR("issuer", issuer),
                  LOG_STR("subject", subject), LOG_INT("user_id", *id_out));
    if (err == ERR_CONFLICT)
        err = find(users, issuer, subject, id_out, error);
    if (err)
        *id_out = 0;
    /* Rows are never removed, so the winner's is there. */
    return err == ERR_NOT_FOUND ? ERR_INTERNAL : err;
}

enum err users_subject_of(struct users *users, struct arena *arena, int64_t id,
                          struct str *issuer_out, struct str *subject_out, struct error *error)
{
    struct users_result result = {0};

    *issuer_out = *subject_out = STR_NONE;
    enum err err =
        users_run(users, USERS_READ, USERS_QUERY(SUBJECT_OF, USERS_INT(id)), arena, &result, error);
    if (err)
        return err;
    if (result.row_count == 0)
        return ERR_NOT_FOUND;
    *issuer_out = users_bytes(&result, 0, 0);
    *subject_out = users_bytes(&result, 0, 1);
    return ERR_OK;
}

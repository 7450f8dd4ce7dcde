/*
 * Accounts for those who look after them: found, made, changed, deleted, signed out. The rules are those of the
 * command line (identity_add_account, identity_amend_account). Admins need not be superusers, so users_amend guards
 * superusers from them.
 */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "cachewarden/clock.h"
#include "cachewarden/limits.h"
#include "cachewarden/log.h"
#include "identity/revoke.h"
#include "identity/sign_in.h"

#include <inttypes.h>
#include <string.h>

/* As many as somebody may name in one request; an account may be in more. */
enum { GROUPS_MAX = 64 };

/* ---- answers ---- */

static void write_time(struct json_writer *json, const char *name, int64_t time_s)
{
    char text[CLOCK_RFC3339_SIZE];

    json_name(json, name);
    if (time_s > 0)
        json_write_string(json, clock_rfc3339(time_s * 1000, text));
    else
        json_write_null(json);
}

static void write_account(struct json_writer *json, const struct user *user)
{
    json_open_object(json);
    sign_in_write_user_members(json, user);
    json_add_bool(json, "active", user->is_active);
    write_time(json, "created_at", user->created_at_s);
    write_time(json, "last_login_at", user->last_login_at_s);
    json_close_object(json);
}

static enum err answer(struct call *call, const struct user *user)
{
    write_account(&call->reply.json, user);
    return call_finish(call);
}

static int64_t wanted_id(const struct call *call)
{
    return call_param(call, "id")->integer;
}

static struct str target_of(const struct call *call, int64_t id)
{
    return str_format(call->arena, "user:%" PRId64, id);
}

static enum err say_unknown(struct call *call)
{
    return error_set(&call->error, ERR_NOT_FOUND, "There is no such account.");
}

/* ---- looking ---- */

enum err op_users_list(struct call *call)
{
    const struct param_value *active = call_param(call, "active");
    size_t limit = (size_t)call_param(call, "limit")->integer, count = 0;
    const struct users_filter filter = {
        .after = call_param(call, "after")->integer,
        .text = call_param(call, "q")->text,
        .wants_active = active->given,
        .is_active = active->integer != 0,
    };
    struct json_writer *json = &call->reply.json;
    struct user *users;
    enum err err =
        users_find(call->app->users, call->arena, &filter, limit + 1, &users, &count, &call->error);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_name(json, "users");
    json_open_array(json);
    for (size_t i = 0; i < count && i < limit; i++)
        write_account(json, &users[i]);
    json_close_array(json);
    json_name(json, "next");
    if (count > limit)
        json_write_integer(json, users[limit - 1].id);
    else
        json_write_null(json);
    json_close_object(json);
    return call_finish(call);
}

static enum err find(struct call *call, struct user *user_out)
{
    enum err err =
        users_find_by_id(call->app->users, call->arena, wanted_id(call), user_out, &call->error);

    return err == ERR_NOT_FOUND || (err == ERR_OK && user_out->is_deleted) ? say_unknown(call)
                                                                           : err;
}

enum err op_users_show(struct call *call)
{
    struct user user;
    enum err err = find(call, &user);

    return err == ERR_OK ? answer(call, &user) : err;
}

/* ---- what a body says ---- */

/* As the database has them: sorted by their bytes, each once. */
static void sort_in(struct str *groups, size_t *count, struct str group)
{
    size_t at = 0;

    for (int order = -1; at < *count; at++) {
        size_t len = groups[at].len < group.len ? groups[at].len : group.len;
        order = memcmp(groups[at].ptr, group.ptr, len);
        if (order == 0 && groups[at].len == group.len)
            return;
        if (order > 0 || (order == 0 && groups[at].len > group.len))
            break;
    }
    memmove(&groups[at + 1], &groups[at], (*count - at) * sizeof *groups);
    groups[at] = group;
    (*count)++;
}

static enum err refuse_groups(struct call *call)
{
    return error_set(&call->error, ERR_BAD_INPUT,
                     "groups: This field must be a list of at most %d names.", GROUPS_MAX);
}

static enum err read_groups(struct call *call, const struct str **groups_out, size_t *count_out)
{
    const struct json *list = json_get(call->fields, "groups");
    struct str *groups = arena_calloc(call->arena, GROUPS_MAX + 1, sizeof *groups);
    enum err err = ERR_OK;

    *groups_out = groups;
    *count_out = 0;
    if (!groups)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for groups");
    if (!list)
        return ERR_OK;
    if (json_kind(list) != JSON_ARRAY || json_count(list) > GROUPS_MAX)
        return refuse_groups(call);
    for (size_t i = 0; err == ERR_OK && i < json_count(list); i++) {
        if (json_kind(json_at(list, i)) != JSON_STRING)
            return refuse_groups(call);
        err = user_check_group(json_string(json_at(list, i)), &call->error);
        if (err == ERR_OK)
            sort_in(groups, count_out, json_string(json_at(list, i)));
    }
    return err;
}

/* Whether the body says anything about it; if so, what. */
static enum err read_flag(struct call *call, const char *name, bool *is_given_out, bool *value_out)
{
    *is_given_out = json_get(call->fields, name) != NULL;
    return call_field_boolean(call, name, value_out);
}

/* ---- making one ---- */

static enum err read_new(struct call *call, struct user *user, struct str *password_out)
{
    static const char *const known[] = {"username",     "email",  "password",
                                        "is_superuser", "groups", NULL};
    enum err err = call_fields_only(call, known);

    if (err == ERR_OK)
        err = call_field_string(call, "username", &user->username);
    if (err == ERR_OK)
        err = call_field_string(call, "email", &user->email);
    if (err == ERR_OK)
        err = call_field_string(call, "password", password_out);
    if (err == ERR_OK)
        err = call_field_boolean(call, "is_superuser", &user->is_superuser);
    if (err == ERR_OK)
        err = read_groups(call, &user->groups, &user->group_count);
    return err;
}

static enum err say_busy(struct call *call)
{
    return error_set(&call->error, ERR_BUSY, "too many passwords are being hashed at once");
}

enum err op_users_create(struct call *call)
{
    struct user user = {0};
    struct str password;
    enum err err = read_new(call, &user, &password);

    if (err == ERR_OK && user.is_superuser && !call->principal.is_superuser)
        err = error_set(&call->error, ERR_FORBIDDEN, "is_superuser: Only a superuser makes one.");
    if (err != ERR_OK)
        return err;
    err = identity_add_account(call->app->identity, call_work(call), &user, password);
    audit_call(call, user.id > 0 ? target_of(call, user.id) : user.username, err, -1);
    if (err != ERR_OK)
        return err == ERR_BUSY ? say_busy(call) : err;
    call->reply.outcome = OUTCOME_CREATED;
    call->reply.location = str_format(call->arena, "/api/v1/users/%" PRId64, user.id);
    return answer(call, &user);
}

/* ---- changing one ---- */

static enum err read_changes(struct call *call, struct users_amendment *changes,
                             struct str *password_out)
{
    static const char *const known[] = {"email",  "password", "is_superuser",
                                        "groups", "active",   NULL};
    enum err err = call_fields_only(call, known);

    *password_out = STR_NONE;
    if (err == ERR_OK && json_count(call->fields) == 0)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "The body says nothing to change: give email, password, is_superuser, "
                         "groups or active.");
    if (err == ERR_OK)
        err = call_field_optional(call, "email", &changes->email);
    if (err == ERR_OK)
        err = call_field_optional(call, "password", password_out);
    if (err == ERR_OK)
        err = read_flag(call, "is_superuser", &changes->sets_superuser, &changes->is_superuser);
    if (err == ERR_OK)
        err = read_flag(call, "active", &changes->sets_active, &changes->is_active);
    changes->sets_groups = json_get(call->fields, "groups") != NULL;
    if (err == ERR_OK)
        err = read_groups(call, &changes->groups, &changes->group_count);
    return err;
}

/* Who gets a new password or comes back was locked out more often than not. The account is changed in any case. */
static void unlock(struct call *call, const struct user *user)
{
    struct error error = {0};
    enum err err =
        limits_unlock(call->app, (struct work){call->arena, call->deadline_ns, &error}, user);

    if (err != ERR_OK)
        log_event(LOG_LEVEL_WARN, "auth.still_locked_out", LOG_INT("user_id", user->id),
                  LOG_CSTR("error", err_name(err)), LOG_CSTR("detail", error.detail),
                  LOG_STR("request_id", call->request_id));
}

enum err op_users_change(struct call *call)
{
    struct users_amendment changes = {.is_guarded = true,
                                      .by_superuser = call->principal.is_superuser};
    struct str password;
    struct user user;
    enum err err = read_changes(call, &changes, &password);

    if (err != ERR_OK)
        return err;
    err = identity_amend_account(call->app->identity, call_work(call), wanted_id(call), &changes,
                                 password, &user);
    audit_call(call, target_of(call, wanted_id(call)), err, -1);
    if (err == ERR_NOT_FOUND)
        return say_unknown(call);
    if (err != ERR_OK)
        return err == ERR_BUSY ? say_busy(call) : err;
    if (password.len > 0 || (changes.sets_active && changes.is_active))
        unlock(call, &user);
    return answer(call, &user);
}

enum err op_users_delete(struct call *call)
{
    const struct users_amendment end = {
        .is_guarded = true, .by_superuser = call->principal.is_superuser, .is_deletion = true};
    struct user user;
    enum err err = identity_amend_account(call->app->identity, call_work(call), wanted_id(call),
                                          &end, STR_NONE, &user);

    audit_call(call, target_of(call, wanted_id(call)), err, -1);
    if (err == ERR_NOT_FOUND)
        return say_unknown(call);
    if (err == ERR_OK)
        call->reply.outcome = OUTCOME_NO_CONTENT;
    return err;
}

/* ---- signing one out ---- */

/*
 * Redis tells the other nodes, and of tokens of other issuers, too. The users database dates the next tokens behind
 * the cut, and remembers what Redis may lose.
 */
static enum err end_sessions(struct call *call, const struct user *user)
{
    const struct revocation revocation =
        revocation_of_everything(call, user->id, user->incarnation, user->tokens_not_before_s, 0);
    enum err err = revoke_check_ahead(call, user->tokens_not_before_s);

    if (err == ERR_OK)
        err = revoke_all(call, &revocation, 1, REVOKE_OR_FAIL, &call->error);
    return err == ERR_OK ? identity_void_tokens(call->app->identity, user->id, &call->error) : err;
}

enum err op_users_logout(struct call *call)
{
    struct user user;
    enum err err = find(call, &user);

    if (err != ERR_OK)
        return err;
    err = end_sessions(call, &user);
    audit_call(call, target_of(call, user.id), err, -1);
    if (err == ERR_OK)
        call->reply.outcome = OUTCOME_NO_CONTENT;
    return err;
}

/* Accounts: register, sign in, refresh, who am I. */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/app.h"
#include "cachewarden/call.h"
#include "identity/session.h"
#include "identity/sign_in.h"

#include <inttypes.h>

/* What a sign-in is to bring. A page whose session is all it needs gets no tokens that a script could
 * take away. */
enum wanted { WANTED_TOKENS, WANTED_BOTH, WANTED_SESSION };

static enum err answer_session(struct call *call, const struct user *user)
{
    struct json_writer *json = &call->reply.json;
    enum err err = session_begin_alone(call, user);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_name(json, "user");
    sign_in_write_user(json, user);
    json_close_object(json);
    return call_finish(call);
}

static void add_tokens(struct call *call, const struct token_pair *pair)
{
    struct json_writer *json = &call->reply.json;

    json_add_string(json, "access_token", pair->access);
    json_add_string(json, "refresh_token", pair->refresh);
    json_add_string(json, "token_type", STR("bearer"));
    json_add_integer(json, "expires_in", token_access_ttl_s(identity_tokens(call->app->identity)));
}

static enum err answer_signed_in(struct call *call, const struct user *user, enum wanted wanted)
{
    struct json_writer *json = &call->reply.json;
    struct token_pair pair;
    enum err err = sign_in(call, user, &pair);

    if (err == ERR_OK && wanted == WANTED_BOTH)
        err = session_begin(call, user, &pair);
    if (err != ERR_OK)
        return err;
    json_open_object(json);
    add_tokens(call, &pair);
    json_name(json, "user");
    sign_in_write_user(json, user);
    json_close_object(json);
    return call_finish(call);
}

enum err op_auth_register(struct call *call)
{
    static const char *const known[] = {"username", "email", "password", NULL};
    struct str username, email, password;
    struct user user;

    if (!atomic_load(&call->app->registration_open))
        return error_set(&call->error, ERR_FORBIDDEN, "Registration is closed.");
    enum err err = call_fields_only(call, known);
    if (err == ERR_OK)
        err = call_field_string(call, "username", &username);
    if (err == ERR_OK)
        err = call_field_string(call, "email", &email);
    if (err == ERR_OK)
        err = call_field_string(call, "password", &password);
    if (err == ERR_OK)
        err = identity_register(call->app->identity, call_work(call), username, email, password,
                                &user);
    if (err == ERR_BUSY)
        return error_set(&call->error, err, "too many sign-ins at once");
    if (err != ERR_OK)
        return err;

    /* Only what happened: anybody may try, and a flood of refusals would push real records out. */
    audit_call(call, str_format(call->arena, "user:%" PRId64, user.id), ERR_OK, -1);
    call->reply.outcome = OUTCOME_CREATED;
    return answer_signed_in(call, &user, WANTED_TOKENS);
}

/* Which member names the account. */
static enum err read_login_name(struct call *call, struct str *name_out, bool *by_email_out)
{
    struct str username, email;
    enum err err = call_field_optional(call, "username", &username);

    if (err == ERR_OK)
        err = call_field_optional(call, "email", &email);
    if (err != ERR_OK)
        return err;
    if (username.len > 0 && email.len > 0)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "username, email: Give one of them, not both.");
    if (username.len == 0 && email.len == 0)
        return error_set(&call->error, ERR_BAD_INPUT,
                         "username: This field is required (or email).");
    *by_email_out = email.len > 0;
    *name_out = *by_email_out ? email : username;
    return ERR_OK;
}

/*
 * A page elsewhere must not sign its visitor in as somebody of its choice: a sign-in that sets a
 * cookie comes from a page of ours (login CSRF).
 */
static enum err read_session(struct call *call, enum wanted *wanted_out)
{
    bool wants_both = false;
    enum err err = ERR_OK;

    *wanted_out = WANTED_SESSION;
    if (!str_eq(json_string(json_get(call->fields, "session")), STR("only"))) {
        err = call_field_boolean(call, "session", &wants_both);
        *wanted_out = wants_both ? WANTED_BOTH : WANTED_TOKENS;
    }
    if (err == ERR_OK && *wanted_out != WANTED_TOKENS && !call->is_same_origin)
        return error_set(&call->error, ERR_FORBIDDEN, "CSRF Failed");
    return err;
}

enum err op_auth_login(struct call *call)
{
    static const char *const known[] = {"username", "email", "password", "session", NULL};
    struct str name, password;
    bool by_email = false;
    enum wanted wanted;
    struct user user;
    enum err err = call_fields_only(call, known);

    if (err == ERR_OK)
        err = read_login_name(call, &name, &by_email);
    if (err == ERR_OK)
        err = call_field_string(call, "password", &password);
    if (err == ERR_OK)
        err = read_session(call, &wanted);
    if (err == ERR_OK)
        err = sign_in_check_password(call, name, by_email, password, &user);
    if (err != ERR_OK)
        return err;
    return wanted == WANTED_SESSION ? answer_session(call, &user)
                                    : answer_signed_in(call, &user, wanted);
}

enum err op_auth_refresh(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct token_pair pair;
    struct str refresh;
    enum err err = call_only_field(call, "refresh_token", &refresh);

    if (err == ERR_OK)
        err = refresh_trade(call, refresh, &pair);
    if (err != ERR_OK)
        return err;
    json_open_object(json);
    add_tokens(call, &pair);
    json_close_object(json);
    return call_finish(call);
}

/* Identities may live elsewhere (simplejwt with the same secret): then the token is all we know. */
static enum err find_user(struct call *call, struct user *user)
{
    const struct principal *principal = &call->principal;

    *user = (struct user){.id = principal->user_id, .username = principal->subject};
    if (principal->is_stranger)
        return ERR_OK;
    return users_find_by_id(call->app->users, call->arena, principal->user_id, user, &call->error);
}

static enum err list_groups(struct call *call, struct str names, struct user *user)
{
    struct str *groups = arena_calloc(call->arena, names.len, sizeof *groups), name;

    if (!groups)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for groups");
    user->groups = groups;
    user->group_count = 0;
    while (names.len > 0 && str_split(&names, '\n', &name))
        groups[user->group_count++] = name;
    return ERR_OK;
}

/* The rights in force: those of the principal, wherever they come from. */
enum err op_auth_me(struct call *call)
{
    const struct principal *principal = &call->principal;
    struct user user;
    enum err err = find_user(call, &user);

    if (err != ERR_OK)
        return err;
    user.is_superuser = principal->is_superuser;
    if (principal->kind == PRINCIPAL_API_KEY) {
        user.group_count = 0; /* its owner's give it nothing */
    } else if (principal->has_claimed_groups) {
        err = list_groups(call, principal->claimed_groups, &user);
        if (err != ERR_OK)
            return err;
    }
    sign_in_write_user(&call->reply.json, &user);
    return call_finish(call);
}

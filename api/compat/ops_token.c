/* The token endpoints in the shape of Django's simplejwt. */
#include "ops.h"

#include "cachewarden/app.h"
#include "identity/sign_in.h"

static enum err answer_pair(struct call *call, const struct token_pair *pair)
{
    struct json_writer *json = &call->reply.json;

    json_open_object(json);
    json_add_string(json, "access", pair->access);
    json_add_string(json, "refresh", pair->refresh);
    json_close_object(json);
    return call_finish(call);
}

enum err op_token_obtain(struct call *call)
{
    static const char *const known[] = {"username", "password", NULL};
    struct str username, password;
    struct token_pair pair;
    struct user user;
    enum err err = call_fields_only(call, known);

    if (err == ERR_OK)
        err = call_field_string(call, "username", &username);
    if (err == ERR_OK)
        err = call_field_string(call, "password", &password);
    if (err == ERR_OK)
        err = sign_in_check_password(call, username, false, password, &user);
    if (err == ERR_OK)
        err = sign_in(call, &user, &pair);
    return err == ERR_OK ? answer_pair(call, &pair) : err;
}

enum err op_token_refresh(struct call *call)
{
    struct token_pair pair;
    struct str refresh;
    enum err err = call_only_field(call, "refresh", &refresh);

    if (err == ERR_OK)
        err = refresh_trade(call, refresh, &pair);
    return err == ERR_OK ? answer_pair(call, &pair) : err;
}

/* An access token is good when the server would let it in: the same walk as for a request. */
static enum err verify_access(struct call *call, struct str token)
{
    struct principal principal;
    struct credentials credentials = {.authorization =
                                          str_format(call->arena, "Bearer %.*s", STR_ARG(token))};

    if (!credentials.authorization.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a token");
    return identity_authenticate(call->app->identity, call_work(call), &credentials, call->now_s,
                                 &principal);
}

enum err op_token_verify(struct call *call)
{
    struct str token;
    enum err err = call_only_field(call, "token", &token);

    if (err != ERR_OK)
        return err;
    /* Blanks around it are the header's to allow (RFC 9110 section 5.5), not the token's. */
    bool is_bare = str_trim(token).len == token.len;
    err = is_bare ? verify_access(call, token) : ERR_UNAUTHENTICATED;
    if (err == ERR_UNAUTHENTICATED) {
        error_clear(&call->error);
        err = refresh_check(call, token);
    }
    if (err != ERR_OK)
        return err;
    json_open_object(&call->reply.json);
    json_close_object(&call->reply.json);
    return call_finish(call);
}

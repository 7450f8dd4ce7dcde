/*
 * API keys for those who look after them: looked at, made, revoked. The rules are those of the command line
 * (api_keys.h, identity_create_key). Nobody gives by a key what they may not do themselves: who is no superuser makes
 * none that acts as one, and a key none that outlives it.
 */
#include "ops.h"

#include "audit/calls.h"
#include "cachewarden/api_keys.h"
#include "cachewarden/app.h"
#include "cachewarden/call.h"

/* ---- looking ---- */

enum err op_keys_list(struct call *call)
{
    size_t limit = (size_t)call_param(call, "limit")->integer, count = 0;
    struct json_writer *json = &call->reply.json;
    struct api_key *keys;
    enum err err = api_keys_page(call->app->users, call_work(call), call_param(call, "after")->text,
                                 limit + 1, &keys, &count);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_name(json, "keys");
    json_open_array(json);
    for (size_t i = 0; i < count && i < limit; i++) {
        json_open_object(json);
        api_key_write_all(json, call->arena, &keys[i], call->now_s);
        json_close_object(json);
    }
    json_close_array(json);
    json_name(json, "next");
    if (count > limit)
        json_write_string(json, keys[limit - 1].id);
    else
        json_write_null(json);
    json_close_object(json);
    return call_finish(call);
}

/* ---- what a body says ---- */

static enum err refuse(struct call *call, const char *why)
{
    return error_set(&call->error, ERR_BAD_INPUT, "%s", why);
}

static enum err read_scopes(struct call *call, unsigned *scopes_out)
{
    const struct json *list = json_get(call->fields, "scopes");

    if (!list)
        return refuse(call, "scopes: This field is required.");
    if (json_kind(list) != JSON_ARRAY || json_count(list) == 0)
        return refuse(call, "scopes: This field must be a list of " API_KEY_SCOPES_TEXT ".");
    for (size_t i = 0; i < json_count(list); i++) {
        unsigned scope = scope_from_name(json_string(json_at(list, i)));
        if (!scope)
            return refuse(call,
                          "scopes: There is no such scope. They are " API_KEY_SCOPES_TEXT ".");
        *scopes_out |= scope;
    }
    return ERR_OK;
}

static enum err read_space(struct call *call, struct str *space_out)
{
    struct str text;
    enum err err = call_field_optional(call, "namespace", &text);

    if (err == ERR_OK && text.ptr && !api_key_take_space(text, space_out))
        err = refuse(call, "namespace: It is app:NAME. In that of an account works a key with the "
                           "scope user and a user_id.");
    return err;
}

static enum err read_expiry(struct call *call, int64_t *expires_at_s_out)
{
    const struct json *days = json_get(call->fields, "expires_days");

    if (!days || api_key_take_days(json_integer(days), call->now_s, expires_at_s_out))
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT,
                     "expires_days: Must be a whole number from 1 to %d.", API_KEY_DAYS_MAX);
}

static enum err read_owner(struct call *call, const struct api_key *key, int64_t *owner_id_out)
{
    const struct json *id = json_get(call->fields, "user_id");

    *owner_id_out = json_integer(id);
    if (id && *owner_id_out < 1)
        return refuse(call, "user_id: Must be the id of an account.");
    if (!id && key->scopes & SCOPE_USER)
        return refuse(call, "user_id: A key with the scope user acts as an account. Say which.");
    return ERR_OK;
}

static enum err read_new(struct call *call, struct api_key *key)
{
    static const char *const known[] = {"name",         "scopes",  "namespace",
                                        "expires_days", "user_id", NULL};
    enum err err = call_fields_only(call, known);

    if (err == ERR_OK)
        err = call_field_string(call, "name", &key->name);
    if (err == ERR_OK)
        err = read_scopes(call, &key->scopes);
    if (err == ERR_OK)
        err = read_space(call, &key->space);
    if (err == ERR_OK)
        err = read_expiry(call, &key->expires_at_s);
    if (err == ERR_OK)
        err = read_owner(call, key, &key->owner_id);
    if (err == ERR_OK && api_key_lacks_space(key))
        err = refuse(call,
                     "namespace: A key with the scope entries works in a namespace. Say which.");
    return err;
}

/* ---- making one ---- */

static enum err refuse_owner(struct call *call)
{
    return refuse(call, "user_id: There is no active account of this id.");
}

/* Everybody's own account is theirs; that of a superuser is a superuser's. */
static enum err check_owner(struct call *call, const struct api_key *key)
{
    const struct principal *caller = &call->principal;
    bool is_own = !caller->is_stranger && caller->user_id == key->owner_id;
    struct user owner;

    if (key->owner_id == 0)
        return ERR_OK;
    enum err err =
        users_find_by_id(call->app->users, call->arena, key->owner_id, &owner, &call->error);
    if (err == ERR_NOT_FOUND || (err == ERR_OK && (owner.is_deleted || !owner.is_active)))
        return refuse_owner(call);
    if (err == ERR_OK && owner.is_superuser && !caller->is_superuser && !is_own)
        err = error_set(&call->error, ERR_FORBIDDEN,
                        "user_id: Only a superuser makes a key of a superuser's account.");
    return err;
}

static enum err check_end(struct call *call, const struct api_key *key)
{
    const struct principal *caller = &call->principal;
    bool ends = caller->kind == PRINCIPAL_API_KEY && caller->expires_at_s > 0;

    if (!ends || (key->expires_at_s > 0 && key->expires_at_s <= caller->expires_at_s))
        return ERR_OK;
    return error_set(&call->error, ERR_FORBIDDEN,
                     "expires_days: A key makes none that is good for longer than itself.");
}

static struct str target_of(const struct call *call, const struct api_key *key)
{
    return str_format(call->arena, "key:%.*s", STR_ARG(key->name));
}

enum err op_keys_create(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct api_key key = {0};
    struct str secret;
    enum err err = read_new(call, &key);

    if (err == ERR_OK)
        err = check_owner(call, &key);
    if (err == ERR_OK)
        err = check_end(call, &key);
    if (err != ERR_OK)
        return err;
    err = identity_create_key(call->app->identity, call->arena, &key, call->now_s, &secret,
                              &call->error);
    audit_call(call, target_of(call, &key), err, -1);
    if (err == ERR_CONFLICT)
        return error_set(&call->error, err,
                         "There is or was an API key of this name. Take another one.");
    if (err != ERR_OK)
        return err;
    call->reply.outcome = OUTCOME_CREATED;
    call->reply.location = str_format(call->arena, "/api/v1/keys/%.*s", STR_ARG(key.id));
    json_open_object(json);
    api_key_write(json, call->arena, &key);
    json_add_string(json, "secret", secret);
    json_close_object(json);
    return call_finish(call);
}

/* ---- revoking one ---- */

static enum err say_unknown(struct call *call)
{
    return error_set(&call->error, ERR_NOT_FOUND, "There is no such API key.");
}

enum err op_keys_revoke(struct call *call)
{
    struct str id = call_param(call, "id")->text;
    struct api_key key;
    enum err err = api_keys_find(call->app->users, call->arena, id, &key, &call->error);

    if (err == ERR_OK) {
        err = identity_revoke_key(call->app->identity, id, call->now_s, &call->error);
        audit_call(call, target_of(call, &key), err, -1);
    }
    if (err == ERR_OK)
        call->reply.outcome = OUTCOME_NO_CONTENT;
    return err == ERR_NOT_FOUND ? say_unknown(call) : err;
}

#include "cachewarden/call.h"

#include "cachewarden/die.h"
#include "cachewarden/routes.h"

#include <stdio.h>

/* Most answers are one small object; larger ones grow. */
enum { BODY_RESERVE = 256 };

void call_init(struct call *call, struct app *app, const struct route *route, struct arena *arena)
{
    *call = (struct call){.app = app, .route = route, .arena = arena};
    call->reply.cache_enabled = UNKNOWN;
    call->reply.age_s = -1;
    call->reply.ttl_s = -1;
    strbuf_init(&call->reply.body, arena, BODY_RESERVE);
    json_writer_init(&call->reply.json, &call->reply.body);
}

void call_give_content(struct call *call, struct str content, struct str media_type)
{
    call->reply.has_content = true;
    call->reply.content = content;
    call->reply.media_type = media_type;
}

void call_give_source(struct call *call, const struct body_source *source, struct str media_type)
{
    call->reply.source = *source;
    call->reply.media_type = media_type;
}

void call_give_foreign(struct call *call, int status, struct http_field *fields, size_t field_count,
                       const struct body_source *body, int64_t length)
{
    struct reply *reply = &call->reply;

    reply->foreign_status = status;
    reply->foreign_length = length;
    reply->fields = fields;
    reply->field_count = field_count;
    if (body)
        reply->source = *body;
}

enum err call_read_body(struct call *call, char *buffer, size_t size, size_t *len_out)
{
    const struct work work = call_work(call);

    return call->body_source->next(call->body_source->with, &work, buffer, size, len_out);
}

enum err call_finish(struct call *call)
{
    if (call->reply.body.failed)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "the answer does not fit");
    return ERR_OK;
}

const struct param_value *call_param(const struct call *call, const char *name)
{
    for (size_t i = 0; i < call->param_count; i++) {
        if (strcmp(call->params[i].name, name) == 0)
            return &call->params[i];
    }
    /* Our own mistake: the operation and its row disagree. Going on would act on a wrong value. */
    die("route %s has no parameter %s", call->route ? call->route->name : "?", name);
}

enum err call_field_optional(struct call *call, const char *name, struct str *value_out)
{
    const struct json *field = json_get(call->fields, name);

    *value_out = STR_NONE;
    if (!field)
        return ERR_OK;
    if (json_kind(field) != JSON_STRING)
        return error_set(&call->error, ERR_BAD_INPUT, "%s: This field must be a string.", name);
    struct str value = json_string(field);
    if (value.len == 0)
        return error_set(&call->error, ERR_BAD_INPUT, "%s: This field may not be blank.", name);
    /* For libraries in C the text would end there. */
    if (memchr(value.ptr, '\0', value.len))
        return error_set(&call->error, ERR_BAD_INPUT, "%s: This field may not contain NUL.", name);
    *value_out = value;
    return ERR_OK;
}

enum err call_field_string(struct call *call, const char *name, struct str *value_out)
{
    enum err err = call_field_optional(call, name, value_out);

    if (err == ERR_OK && value_out->len == 0)
        return error_set(&call->error, ERR_BAD_INPUT, "%s: This field is required.", name);
    return err;
}

enum err call_field_boolean(struct call *call, const char *name, bool *value_out)
{
    const struct json *field = json_get(call->fields, name);

    *value_out = field && (json_bool(field) || str_eq(json_string(field), STR("true")));
    if (!field || *value_out || json_kind(field) == JSON_BOOL ||
        str_eq(json_string(field), STR("false")))
        return ERR_OK;
    return error_set(&call->error, ERR_BAD_INPUT, "%s: This field must be true or false.", name);
}

enum err call_refuse_name(struct call *call, struct str name, const char *why)
{
    /* Cut: the client chose the length, and the text has a size. */
    struct str shown = name.len > 0 ? str_sub(name, 0, 64) : STR("(empty name)");
    enum err err = error_set(&call->error, ERR_BAD_INPUT, "%.*s: %s", STR_ARG(shown), why);

    snprintf(call->error.detail, sizeof call->error.detail, "(a name of the client's): %s", why);
    return err;
}

struct known_fields {
    const char *const *names;
    struct str unknown;
};

static bool field_is_known(struct str name, const struct json *value, void *arg)
{
    struct known_fields *known = arg;

    (void)value;
    for (const char *const *candidate = known->names; *candidate; candidate++) {
        if (str_eq(name, str_from(*candidate)))
            return true;
    }
    known->unknown = name;
    return false;
}

enum err call_fields_only(struct call *call, const char *const *names)
{
    /* A pointer of its own, so that an unknown member named "" is told from none. */
    struct known_fields known = {names, {NULL, 0}};

    json_each(call->fields, field_is_known, &known);
    return known.unknown.ptr ? call_refuse_name(call, known.unknown, "Unknown field. Leave it out.")
                             : ERR_OK;
}

enum err call_only_field(struct call *call, const char *name, struct str *value_out)
{
    const char *const known[] = {name, NULL};
    enum err err = call_fields_only(call, known);

    return err == ERR_OK ? call_field_string(call, name, value_out) : err;
}

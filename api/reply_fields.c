/* Fields that an operation adds to the head of its answer. */
#include "cachewarden/arena.h"
#include "cachewarden/call.h"

/* Those that the edge writes, or that are about the connection: two of one would be anybody's guess. */
static const char *const own_names[] = {
    "Connection", "Content-Length", "Content-Type", "Keep-Alive",        "Proxy-Connection",
    "TE",         "Trailer",        "Upgrade",      "Transfer-Encoding", "X-Request-Id",
};

static bool is_token_character(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct str name)
{
    for (size_t i = 0; i < name.len; i++) {
        if (!is_token_character(name.ptr[i]))
            return false;
    }
    return name.len > 0;
}

static bool is_own(struct str name)
{
    for (size_t i = 0; i < sizeof own_names / sizeof *own_names; i++) {
        if (str_eq_nocase(name, str_from(own_names[i])))
            return true;
    }
    return false;
}

static bool is_value(struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return false;
    }
    return true;
}

bool call_takes_field(struct str name, struct str value)
{
    return is_token(name) && !is_own(name) && is_value(value);
}

enum err call_add_field(struct call *call, struct str name, struct str value)
{
    struct reply *reply = &call->reply;

    if (!call_takes_field(name, value) || reply->field_count == REPLY_FIELDS_MAX)
        return error_set_detail(&call->error, ERR_INTERNAL,
                                "a field that an answer does not take, or one too many");
    if (!reply->fields)
        reply->fields = arena_alloc(call->arena, REPLY_FIELDS_MAX * sizeof *reply->fields);
    if (!reply->fields)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a field");
    reply->fields[reply->field_count++] = (struct http_field){name, value};
    return ERR_OK;
}

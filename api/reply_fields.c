/* Fields that an operation adds to the head of its answer. */
#include "cachewarden/arena.h"
#include "cachewarden/call.h"
#include "cachewarden/xsrf.h"

/*
 * What the edge alone says: the framing, what is about the connection, and what this service says of a caller and
 * their cache, which whoever reads it believes. A '-' at the end stands for all that begin so.
 */
static const char *const own_names[] = {
    "Connection",       "Content-Length",    "Content-Type",
    "Keep-Alive",       "Proxy-Connection",  "TE",
    "Trailer",          "Transfer-Encoding", "Upgrade",
    "X-Request-Id",     "X-User-Id",         "X-Cache",
    "X-Cache-",         "RateLimit-",        "Access-Control-",
    "WWW-Authenticate",
};

/* Set-Cookie may come twice, but not with these: a browser would take them for a session of ours. */
static const char *const own_cookies[] = {COOKIE_SESSION "=", COOKIE_XSRF "="};

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
        struct str own = str_from(own_names[i]);
        bool is_begin = own.ptr[own.len - 1] == '-';
        if (str_eq_nocase(is_begin ? str_sub(name, 0, own.len) : name, own))
            return true;
    }
    return false;
}

static bool is_own_cookie(struct str name, struct str value)
{
    if (!str_eq_nocase(name, STR("Set-Cookie")))
        return false;
    while (value.len > 0 && (value.ptr[0] == ' ' || value.ptr[0] == '\t'))
        value = str_sub(value, 1, value.len - 1);
    for (size_t i = 0; i < sizeof own_cookies / sizeof *own_cookies; i++) {
        if (str_starts(value, str_from(own_cookies[i])))
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
    return is_token(name) && !is_own(name) && !is_own_cookie(name, value) && is_value(value);
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

/* Emptying two of the named caches, each by a route with an answer of its own. */
#include "ops.h"

#include "caches/targets.h"

enum err op_messages_flush(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct flush_result result;
    enum err err = caches_flush_recorded(call, STR("messages"), &result);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_add_bool(json, "flushed", true);
    json_add_integer(json, "keysRemoved", result.removed);
    json_close_object(json);
    return call_finish(call);
}

enum err op_search_clear(struct call *call)
{
    struct json_writer *json = &call->reply.json;
    struct flush_result result;
    enum err err = caches_flush_recorded(call, STR("search"), &result);

    if (err != ERR_OK)
        return err;
    json_open_object(json);
    json_add_string(json, "message", STR("Search cache cleared"));
    json_close_object(json);
    return call_finish(call);
}

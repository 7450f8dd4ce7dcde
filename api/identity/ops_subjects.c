/* Users of other issuers: which number theirs have here. */
#include "ops.h"

#include "cachewarden/app.h"
#include "cachewarden/call.h"

enum err op_subjects_find(struct call *call)
{
    struct str issuer = call_param(call, "issuer")->text;
    struct str subject = call_param(call, "subject")->text;
    int64_t id = 0;

    enum err err = users_find_subject(call->app->users, issuer, subject, &id, &call->error);
    if (err == ERR_NOT_FOUND)
        return error_set(&call->error, err, "Nobody of that name came here from this issuer yet.");
    if (err != ERR_OK)
        return err;
    json_open_object(&call->reply.json);
    json_add_integer(&call->reply.json, "user_id", id);
    json_close_object(&call->reply.json);
    return call_finish(call);
}

#include "limits/attempt.h"

#include "cachewarden/app.h"
#include "limits/limits_private.h"
#include "limits/network.h"
#include "limits/shared.h"

static struct str digest(const struct call *call, struct str field, struct str name)
{
    struct strbuf text;

    strbuf_init(&text, call->arena, field.len + name.len);
    strbuf_add(&text, field);
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        strbuf_add_char(&text, c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c);
    }
    return text.failed ? STR_NONE
                       : token_name_digest(identity_tokens(call->app->identity), call->arena,
                                           strbuf_str(&text));
}

struct str limits_name_digest(const struct call *call, struct str name)
{
    return digest(call, STR_NONE, name);
}

static int64_t max_of(const struct call *call)
{
    return atomic_load_explicit(&call->app->limits->login_failures, memory_order_relaxed);
}

/* One more than has failed, because this attempt is not among them yet. */
static enum err judge_so_far(struct call *call, struct limit_window failed)
{
    failed.count++;
    return failed.count > max_of(call) ? limit_judge(call, max_of(call), failed) : ERR_OK;
}

/*
 * By what was typed into which field, not by whose account it is: a counter that a name and an email shared
 * would tell that both belong to one account, and whose name is somebody's email could clear theirs.
 */
enum err limits_attempt(struct call *call, struct str name, bool by_email,
                        struct limit_attempt *attempt_out)
{
    char buffer[LIMIT_NETWORK_SIZE];

    attempt_out->is_on = limits_are_on(call->app->limits);
    if (!attempt_out->is_on)
        return ERR_OK;
    struct str hex = digest(call, by_email ? STR("e:") : STR("n:"), name);
    if (!hex.ptr)
        return error_set_detail(&call->error, ERR_NO_MEMORY, "no memory for a name");
    attempt_out->key = key_limit_failures(hex, limit_network(call->client_address, buffer));
    return judge_so_far(call, limits_look(call, &attempt_out->key, LIMIT_FAILURE_WINDOW_MS));
}

enum err limits_attempted(struct call *call, const struct limit_attempt *attempt, enum err outcome)
{
    if (!attempt->is_on || (outcome != ERR_OK && outcome != ERR_UNAUTHENTICATED))
        return outcome;
    if (outcome == ERR_UNAUTHENTICATED) {
        struct limit_window failed = limits_count(call, &attempt->key, LIMIT_FAILURE_WINDOW_MS);
        return failed.count > max_of(call) ? limit_judge(call, max_of(call), failed) : outcome;
    }
    struct limit_window failed = limits_look(call, &attempt->key, LIMIT_FAILURE_WINDOW_MS);
    enum err err = judge_so_far(call, failed);
    if (err == ERR_OK && failed.count > 0)
        limits_forget(call, &attempt->key);
    return err;
}

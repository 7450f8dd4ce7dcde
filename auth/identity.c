#include "identity_private.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/log.h"

#include <inttypes.h>
#include <stdlib.h>

/*
 * The longest that a token may have been given, by settings of today or before: what is revoked is kept for
 * as long, because settings that were made shorter may be made longer again. Several nodes that remember it
 * at once may lose the longer of two; the next start of that node brings it back.
 */
static int64_t remember_longest_ttl(struct users *users, const struct token_options *tokens)
{
    static const struct str name = STR("tokens_longest_s");
    int64_t today_s = tokens->refresh_ttl_s > tokens->session_ttl_s ? tokens->refresh_ttl_s
                                                                    : tokens->session_ttl_s;
    struct arena *arena = arena_new(512, 0);
    struct error error = {0};
    int64_t before_s = 0;
    struct str text;

    if (!arena)
        return today_s;
    enum err err = users_fact_get(users, arena, name, &text, &error);
    if (err == ERR_OK && !str_to_int64(text, 1, INT32_MAX, &before_s))
        before_s = 0;
    if ((err == ERR_OK || err == ERR_NOT_FOUND) && before_s < today_s) {
        text = str_format(arena, "%" PRId64, today_s);
        err = text.ptr ? users_fact_set(users, name, text, &error) : ERR_NO_MEMORY;
    }
    if (err != ERR_OK && err != ERR_NOT_FOUND)
        log_event(LOG_LEVEL_WARN, "auth.lifetimes_unknown", LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
    arena_free(&arena);
    return before_s > today_s ? before_s : today_s;
}

enum err identity_new(const struct identity_options *options, struct identity **identity_out,
                      struct error *error)
{
    struct identity *identity = calloc(1, sizeof *identity);
    enum err err;

    *identity_out = NULL;
    if (!identity)
        return ERR_NO_MEMORY;
    const struct issuers_options issuers = {
        .specs = options->issuers,
        .spec_count = options->issuer_count,
        .own_name = options->tokens.issuer,
        .admin_group = options->admin_group,
        .users = options->users,
        .leeway_s = options->tokens.leeway_s,
    };
    struct token_options tokens = options->tokens;
    tokens.longest_ttl_s = remember_longest_ttl(options->users, &tokens);
    tokens.shared = (struct claimed_rights_rules){
        options->shared.superuser_claim, options->shared.groups_claim, options->admin_group};
    identity->users = options->users;
    identity->shared_accounts_are_local = options->shared.accounts_are_local;
    if ((err = tokens_new(&tokens, &identity->tokens, error)) != ERR_OK ||
        (err = issuers_new(&issuers, &identity->issuers, error)) != ERR_OK ||
        (err = account_cache_new(options->users, options->admin_group, &identity->accounts)) !=
            ERR_OK ||
        (err = key_cache_new(options->users, &identity->keys)) != ERR_OK ||
        (err = last_use_new(options->users, &identity->last_use)) != ERR_OK ||
        (err = stranger_watch_new(options->users, identity->accounts, &identity->strangers)) !=
            ERR_OK ||
        (err = revocations_new(&identity->revocations)) != ERR_OK) {
        identity_free(&identity);
        return err;
    }
    *identity_out = identity;
    return ERR_OK;
}

void identity_free(struct identity **identity)
{
    if (!*identity)
        return;
    revocations_free(&(*identity)->revocations);
    last_use_free(&(*identity)->last_use);
    key_cache_free(&(*identity)->keys);
    stranger_watch_free(&(*identity)->strangers);
    account_cache_free(&(*identity)->accounts);
    issuers_free(&(*identity)->issuers);
    tokens_free(&(*identity)->tokens);
    free(*identity);
    *identity = NULL;
}

enum err identity_watch(struct identity *identity, struct error *error)
{
    return issuers_start(identity->issuers, error);
}

void identity_await(struct identity *identity, int64_t deadline_ns)
{
    (void)issuers_wait(identity->issuers, deadline_ns);
}

enum err identity_set_issuers(struct identity *identity, const struct issuer_spec *issuers,
                              size_t issuer_count, struct error *error)
{
    return issuers_set(identity->issuers, issuers, issuer_count, error);
}

enum err identity_set_secrets(struct identity *identity, const struct secrets *secrets,
                              bool *changed_out, struct error *error)
{
    return tokens_set_secrets(identity->tokens, secrets, changed_out, error);
}

const struct tokens *identity_tokens(const struct identity *identity)
{
    return identity->tokens;
}

struct revocations *identity_revocations(const struct identity *identity)
{
    return identity->revocations;
}

struct users *identity_users(const struct identity *identity)
{
    return identity->users;
}

void identity_forget(struct identity *identity, int64_t user_id)
{
    if (user_id > 0) {
        account_forget(identity->accounts, user_id);
        return;
    }
    account_forget_all(identity->accounts);
    key_cache_forget_all(identity->keys);
}

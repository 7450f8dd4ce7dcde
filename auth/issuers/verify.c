/* The tokens of other issuers: chosen by `iss`, proven by the issuer's keys, remembered. */
#include "issuers/issuers_private.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "token: %s", why);
}

/* The issuer of that name and the key the token means, both held. A key that is not there may have
 * been published since the last fetch. */
static enum err choose_key(struct issuers *issuers, struct str name, const struct jws *jws,
                           struct issuer **issuer_out, struct issuer_keys **keys_out,
                           struct error *error)
{
    struct issuer *issuer = NULL;
    const char *why = "there are no keys of its issuer yet";
    bool has_key = false;

    lock_acquire(&issuers->lock);
    for (size_t i = 0; i < issuers->list.count && !issuer; i++) {
        if (str_eq(issuers->list.items[i]->spec.name, name))
            issuer = issuer_hold(issuers->list.items[i]);
    }
    if (issuer && issuer->keys) {
        has_key = issuer_keys_find(issuer->keys, jws, &why) != NULL;
        *keys_out = issuer_keys_hold(issuer->keys);
    }
    if (issuer && !has_key && issuer->spec.jwks_url.len > 0 &&
        refetch_want(&issuer->refetch, clock_mono_ns()))
        lock_cond_broadcast(&issuers->changed);
    lock_release(&issuers->lock);
    *issuer_out = issuer;
    if (!issuer)
        return ERR_NOT_FOUND;
    return has_key ? ERR_OK : refuse(error, why);
}

static enum err prove(struct issuers *issuers, struct arena *arena, const struct jws *jws,
                      struct issuer_claims *claims, struct issuer **issuer_out, struct error *error)
{
    struct issuer_keys *keys = NULL;
    const char *why;
    struct str name = issuer_claims_peek(arena, jws->payload);

    enum err err = choose_key(issuers, name, jws, issuer_out, &keys, error);
    if (!err)
        err = jws_verify(issuer_keys_find(keys, jws, &why), jws, error);
    if (!err)
        err = issuer_claims_read(&(*issuer_out)->spec, &issuers->rules, arena, jws->payload, claims,
                                 error);
    if (!err && claims->claims.token.id.len == 0)
        err = jws_id(arena, jws, &claims->claims.token.id);
    issuer_keys_release(&keys);
    return err;
}

static enum err judge(const struct issuers *issuers, const struct issuer_claims *claims,
                      int64_t now_s, struct error *error)
{
    const struct claims_rules rules = {.leeway_s = issuers->rules.leeway_s};

    return claims_judge(&rules, &claims->claims, TOKEN_ACCESS, now_s, error);
}

static enum err verify(struct issuers *issuers, struct arena *arena, struct str compact,
                       int64_t now_s, struct issuer_claims *claims, struct error *error)
{
    struct issuer *issuer = NULL;
    struct jws jws;

    enum err err = jws_parse(arena, compact, &jws, error);
    if (err)
        return err == ERR_UNAUTHENTICATED ? ERR_NOT_FOUND : err;
    err = prove(issuers, arena, &jws, claims, &issuer, error);
    if (!err && !jws_is_jwt(&jws))
        err = refuse(error, "typ is not JWT");
    if (!err)
        err = judge(issuers, claims, now_s, error);
    /* Only for one that is good now: an expired token makes no account. */
    if (!err && issuer->spec.accounts == ISSUER_ACCOUNTS_PROVISION)
        err = users_provision(issuers->users, issuer->spec.name, claims->user,
                              &claims->claims.token.user_id, error);
    issuer_release(&issuer);
    return err;
}

enum err issuers_verify(struct issuers *issuers, struct arena *arena, struct str compact,
                        int64_t now_s, struct issuer_claims *claims, struct error *error)
{
    unsigned char digest[DIGEST_SHA256_SIZE];
    /* Before the keys are looked at: what changes meanwhile makes the record an old one. */
    int64_t generation = atomic_load(&issuers->generation);

    *claims = (struct issuer_claims){0};
    if (atomic_load(&issuers->count) == 0)
        return ERR_NOT_FOUND;
    enum err err = verify(issuers, arena, compact, now_s, claims, error);
    if (!err && digest_sha256(compact, digest) == ERR_OK)
        issuer_cache_remember(issuers->cache, digest, generation, now_s, claims);
    return err;
}

enum err issuers_recall(struct issuers *issuers, struct arena *arena, struct str compact,
                        int64_t now_s, struct issuer_claims *claims, struct error *error)
{
    unsigned char digest[DIGEST_SHA256_SIZE];

    if (atomic_load(&issuers->count) == 0 || compact.len > JWS_MAX_SIZE ||
        digest_sha256(compact, digest) != ERR_OK ||
        !issuer_cache_recall(issuers->cache, arena, digest, atomic_load(&issuers->generation),
                             now_s, claims))
        return ERR_NOT_FOUND;
    return judge(issuers, claims, now_s, error);
}

/* Whose token it is, and whether it is good for that account as it is now. */
#include "identity_private.h"

#include "cachewarden/clock.h"

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "%s", why);
}

/* Whether the number in it is one of ours. Somebody else counts their own users. */
static bool has_our_number(const struct identity *identity, const struct issuer_claims *proven)
{
    if (proven->is_foreign)
        return proven->accounts != ISSUER_ACCOUNTS_NONE;
    return proven->claims.token.is_own || identity->shared_accounts_are_local;
}

static bool is_number(struct str text, int64_t number)
{
    int64_t read;

    return str_to_int64(text, 1, INT64_MAX, &read) && read == number;
}

/* By a username of ours as `sub`. ERR_NOT_FOUND: nobody here has that name. */
static enum err find_named(struct identity *identity, struct issuer_claims *proven,
                           struct account *account_out, struct error *error)
{
    const struct token_claims *claims = &proven->claims.token;
    enum err err = account_by_name(identity->accounts, claims->subject, clock_mono_ns(),
                                   claims->user_id > 0, account_out, error);

    if (err)
        return err;
    if (claims->user_id > 0 && claims->user_id != account_out->id)
        return refuse(error, "token: user_id and sub name different accounts");
    proven->claims.token.rights = (struct claimed_rights){0};
    return ERR_OK;
}

enum err identity_find_account(struct identity *identity, struct issuer_claims *proven,
                               int64_t now_s, struct account *account_out, struct error *error)
{
    const struct token_claims *claims = &proven->claims.token;
    enum err err = ERR_NOT_FOUND;

    if (claims->user_id > 0 && has_our_number(identity, proven))
        return account_by_id(identity->accounts, claims->user_id, clock_mono_ns(),
                             TTL_CACHE_STALE_NS, account_out, error);
    if (!proven->is_foreign && claims->subject.len > 0 &&
        !is_number(claims->subject, claims->user_id))
        err = find_named(identity, proven, account_out, error);
    if (err != ERR_NOT_FOUND)
        return err;
    if (claims->user_id == 0)
        return refuse(error, "token: sub is not a username");
    stranger_watch_note(identity->strangers, claims->user_id, now_s);
    *account_out = (struct account){.id = claims->user_id};
    return ERR_OK;
}

/* A token that names an account by id and by name has to mean the same one by both. */
static bool is_same_account(const struct account *account, const struct token_claims *claims)
{
    if (claims->user_id == 0 || claims->subject.len == 0)
        return true;
    return str_eq_nocase(claims->subject, (struct str){account->username, account->username_len}) ||
           is_number(claims->subject, account->id);
}

struct str identity_family_of(const struct token_claims *claims)
{
    return claims->is_own ? claims->family : STR_NONE;
}

/* Never a browser's session: whoever copied its cookie would stay in with it. It got another. */
static bool is_kept(const struct account *account, const struct token_claims *claims)
{
    struct str kept = {account->kept_family, account->kept_family_len};

    return claims->use != TOKEN_SESSION && kept.len > 0 && str_eq(identity_family_of(claims), kept);
}

/* Whether the token is good for the account as it is now. Another issuer's `sub` is no username of
 * ours. */
static enum err check_account(const struct account *account, const struct token_claims *claims,
                              bool is_foreign, struct error *error)
{
    if (!account->exists)
        return claims->is_own ? refuse(error, "token: its account does not exist") : ERR_OK;
    if (!account->is_usable)
        return refuse(error, "token: its account is deactivated or deleted");
    if (claims->is_own && !str_eq(claims->incarnation, account_incarnation(account)))
        return refuse(error,
                      "token: made for another account of this id, or before it was deactivated");
    if (!is_foreign && !is_same_account(account, claims))
        return refuse(error, "token: user_id and sub name different accounts");
    if (claims->issued_at_s >= account->tokens_not_before_s || is_kept(account, claims))
        return ERR_OK;
    if (claims->issued_at_s == 0)
        return refuse(error, "token: does not say when it was issued (iat), and older ones of its "
                             "account were ended");
    return refuse(error, "token: issued before those of its account were ended (a new password, a "
                         "logout everywhere, a deactivation, or a users database put back)");
}

/*
 * What is remembered of an account may be a second older than the token: it was made, or activated again,
 * a moment ago, and signed in to on another node. A token as young as that is not refused before the
 * database was asked. An older token was there before the account was remembered, so asking again would
 * change nothing.
 */
static bool may_be_younger(const struct token_claims *claims, int64_t now_s)
{
    const int64_t young_s = 60; /* clocks of nodes differ */

    return claims->issued_at_s > now_s - young_s;
}

enum err identity_check_account(struct identity *identity, const struct issuer_claims *proven,
                                int64_t now_s, struct account *account, struct error *error)
{
    const struct token_claims *claims = &proven->claims.token;
    struct error again;

    enum err err = check_account(account, claims, proven->is_foreign, error);
    if (err != ERR_UNAUTHENTICATED || !may_be_younger(claims, now_s))
        return err;
    error_clear(&again);
    err = account_again(identity->accounts, account->id, clock_mono_ns(), account, &again);
    if (!err)
        err = check_account(account, claims, proven->is_foreign, &again);
    if (error)
        *error = again;
    return err;
}

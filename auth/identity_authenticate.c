/* From credentials to a principal; see identity.h. */
#include "identity_private.h"

#include "cachewarden/arena.h"
#include "cachewarden/clock.h"
#include "cachewarden/xsrf.h"
#include "ttl_cache.h"

#include <inttypes.h>

static enum err refuse(struct error *error, const char *why)
{
    return error_set_detail(error, ERR_UNAUTHENTICATED, "%s", why);
}

static enum err check_revoked(struct identity *identity, const struct account *account,
                              const struct token_claims *claims, struct error *error)
{
    struct revocation_subject subject = {
        .token_id = claims->id,
        .family = identity_family_of(claims),
        .is_own = identity_family_of(claims).len > 0,
        .user_id = account->id,
        .incarnation = account_incarnation(account),
        .issuer = claims->issuer,
        .issued_at_s = claims->issued_at_s,
    };

    bool is_known = revocations_are_known(identity->revocations);

    if (!revocations_cover(identity->revocations, &subject))
        return is_known ? ERR_OK
                        : error_set_detail(error, ERR_BUSY, "what is revoked is not known yet");
    subject.issued_at_s = INT64_MAX;
    if (claims->issued_at_s == 0 && !revocations_cover(identity->revocations, &subject))
        return refuse(error, "token: does not say when it was issued (iat), and its user was "
                             "logged out everywhere");
    return refuse(error, "token: revoked");
}

/* Whose token it is: one of our own (or minted with our secret), or another issuer's. The own one
 * is tried first, so what it is refused for is the reason unless another issuer is named. */
static enum err verify_token(struct identity *identity, struct work work, struct str token,
                             enum token_use use, int64_t now_s, struct issuer_claims *proven)
{
    bool may_be_foreign = use == TOKEN_ACCESS;
    enum err err = ERR_NOT_FOUND;
    struct error why;

    if (may_be_foreign)
        err = issuers_recall(identity->issuers, work.arena, token, now_s, proven, work.error);
    if (err != ERR_NOT_FOUND)
        return err;
    *proven = (struct issuer_claims){0};
    err = token_verify(identity->tokens, work, token, use, now_s, &proven->claims.token);
    if (err != ERR_UNAUTHENTICATED || !may_be_foreign)
        return err;
    error_clear(&why);
    enum err other = issuers_verify(identity->issuers, work.arena, token, now_s, proven, &why);
    if (other == ERR_NOT_FOUND)
        return err;
    if (work.error)
        *work.error = why;
    return other;
}

/* A stranger's name in records must not be that of an account: no username has blanks. */
static struct str name_stranger(struct arena *arena, const struct token_claims *claims)
{
    if (claims->subject.len > 0)
        return str_format(arena, "%.*s, %" PRId64 " (elsewhere)", STR_ARG(claims->subject),
                          claims->user_id);
    return str_format(arena, "%" PRId64 " (elsewhere)", claims->user_id);
}

/* Texts of an account that exists come from the database; rights, too, but for those that the
 * configuration leaves to claims. */
static enum err make_user(struct arena *arena, const struct account *account,
                          const struct token_claims *claims, struct principal *principal)
{
    const struct claimed_rights *rights = &claims->rights;
    bool is_superuser = rights->has_superuser ? rights->is_superuser : account->is_superuser;
    bool is_member = rights->has_groups ? rights->is_admin_member : account->is_admin_member;

    *principal = (struct principal){
        .kind = PRINCIPAL_USER,
        .credential = claims->use == TOKEN_SESSION ? CREDENTIAL_SESSION : CREDENTIAL_BEARER,
        .user_id = account->id,
        .is_stranger = !account->exists,
        .issuer = claims->issuer,
        .subject = claims->subject,
        .is_superuser = is_superuser,
        .is_admin = is_superuser || is_member,
        .has_claimed_groups = rights->has_groups,
        .claimed_groups = str_dup(arena, (struct str){rights->groups, rights->groups_len}),
        .token_id = claims->id,
        .family = identity_family_of(claims),
        .issued_at_s = claims->issued_at_s,
        .expires_at_s = claims->expires_at_s,
    };
    if (!principal->claimed_groups.ptr)
        return ERR_NO_MEMORY;
    if (!account->exists) {
        principal->name = name_stranger(arena, claims);
        return principal->name.ptr ? ERR_OK : ERR_NO_MEMORY;
    }
    principal->name = str_dup(arena, (struct str){account->username, account->username_len});
    principal->email = str_dup(arena, (struct str){account->email, account->email_len});
    principal->incarnation = str_dup(arena, account_incarnation(account));
    return principal->name.ptr && principal->email.ptr && principal->incarnation.ptr
               ? ERR_OK
               : ERR_NO_MEMORY;
}

/*
 * RFC 6750 section 2.1; the scheme's case does not matter (RFC 9110 section 11.1). False: another
 * scheme, which is between the caller and a proxy on the way and no credential here.
 */
static bool take_bearer(struct str authorization, struct str *token_out)
{
    struct str rest = authorization, scheme;

    if (!str_split(&rest, ' ', &scheme) || !str_eq_nocase(scheme, STR("Bearer")))
        return false;
    *token_out = str_trim(rest);
    return true;
}

static enum err authenticate_token(struct identity *identity, struct work work, struct str token,
                                   enum token_use use, int64_t now_s, struct principal *principal)
{
    struct issuer_claims proven;
    const struct token_claims *claims = &proven.claims.token;
    struct account account;

    enum err err = verify_token(identity, work, token, use, now_s, &proven);
    if (!err)
        err = identity_find_account(identity, &proven, now_s, &account, work.error);
    if (!err)
        err = identity_check_account(identity, &proven, now_s, &account, work.error);
    if (!err)
        err = check_revoked(identity, &account, claims, work.error);
    return err ? err : make_user(work.arena, &account, claims, principal);
}

/* A key lives as long as its owner does, whatever its scopes. */
static enum err check_owner(struct identity *identity, const struct key_record *record,
                            int64_t stale_ns, struct account *owner_out, struct error *error)
{
    *owner_out = (struct account){0};
    if (record->owner_id == 0)
        return ERR_OK;
    enum err err = account_by_id(identity->accounts, record->owner_id, clock_mono_ns(), stale_ns,
                                 owner_out, error);
    /* Asked for before it was there, perhaps: a key's owner always was. */
    if (!err && !owner_out->exists)
        err =
            account_again(identity->accounts, record->owner_id, clock_mono_ns(), owner_out, error);
    if (!err && !owner_out->is_usable)
        return refuse(error, "API key: its owner is deactivated or deleted");
    return err;
}

static enum err make_key(struct arena *arena, struct str id, const struct key_record *record,
                         const struct account *owner, struct principal *principal)
{
    /* The owner's rights are not the key's: SCOPE_ADMIN alone makes it an admin. */
    *principal = (struct principal){
        .kind = PRINCIPAL_API_KEY,
        .credential = CREDENTIAL_API_KEY,
        .user_id = (record->scopes & SCOPE_USER) != 0 ? owner->id : 0,
        .name = str_dup(arena, (struct str){record->name, record->name_len}),
        .is_admin = (record->scopes & SCOPE_ADMIN) != 0,
        .scopes = record->scopes,
        .space = str_dup(arena, (struct str){record->space, record->space_len}),
        .token_id = str_dup(arena, id),
        .expires_at_s = record->expires_at_s,
    };
    if (principal->user_id > 0) {
        principal->email = str_dup(arena, (struct str){owner->email, owner->email_len});
        principal->incarnation = str_dup(arena, account_incarnation(owner));
    }
    return principal->name.ptr && principal->space.ptr && principal->token_id.ptr ? ERR_OK
                                                                                  : ERR_NO_MEMORY;
}

static enum err authenticate_key(struct identity *identity, struct work work, struct str whole,
                                 int64_t now_s, int64_t stale_ns, struct principal *principal)
{
    struct key_record record;
    struct account owner;
    struct str id;

    enum err err =
        api_key_verify(identity->keys, whole, (struct key_times){now_s, clock_mono_ns(), stale_ns},
                       &id, &record, work.error);
    if (!err)
        err = check_owner(identity, &record, stale_ns, &owner, work.error);
    if (!err)
        err = make_key(work.arena, id, &record, &owner, principal);
    if (!err)
        last_use_note_key(identity->last_use, id, record.last_used_at_s, now_s);
    return err;
}

/* ---- one caller, whatever it showed ---- */

/* In the order in which one of several that mean the same user is the principal. */
enum { BEARER, KEY, KEY_OF_SCRAPER, SESSION, CREDENTIALS };

struct shown {
    bool is_given;
    struct str text; /* of the credential alone */
    enum err err;
    struct principal principal;
};

/* How long a watcher's key is good without the users database: through the longest night. */
#define SCRAPER_STALE_NS (24 * 3600 * NS_PER_S)

static enum err authenticate(struct identity *identity, struct work work, struct shown *shown,
                             int which, bool from_scraper, int64_t now_s)
{
    if (which == KEY || which == KEY_OF_SCRAPER)
        return authenticate_key(identity, work, shown->text, now_s,
                                from_scraper ? SCRAPER_STALE_NS : TTL_CACHE_STALE_NS,
                                &shown->principal);
    return authenticate_token(identity, work, shown->text,
                              which == SESSION ? TOKEN_SESSION : TOKEN_ACCESS, now_s,
                              &shown->principal);
}

/* Keys without an owner have no user, and two of them are two callers. */
static bool is_same_caller(const struct principal *a, const struct principal *b)
{
    bool are_keys = a->kind == PRINCIPAL_API_KEY && b->kind == PRINCIPAL_API_KEY;

    return a->user_id == b->user_id && a->is_stranger == b->is_stranger &&
           (!are_keys || str_eq(a->token_id, b->token_id));
}

/*
 * Those that mean the same user count as the first; which of two others is meant is not guessed,
 * nor whether one that is good was meant where another is not.
 */
static enum err agree(const struct shown shown[CREDENTIALS], const struct shown **first_out,
                      struct error *error)
{
    const struct shown *first = NULL;
    bool is_one_bad = false, is_same = true;

    for (int i = 0; i < CREDENTIALS; i++) {
        if (!shown[i].is_given)
            continue;
        if (shown[i].err)
            is_one_bad = true;
        else if (!first)
            first = &shown[i];
        else if (!is_same_caller(&shown[i].principal, &first->principal))
            is_same = false;
    }
    *first_out = first;
    if (first && (is_one_bad || !is_same))
        return error_set(error, ERR_BAD_INPUT, "Conflicting credentials.");
    return is_one_bad ? ERR_UNAUTHENTICATED : ERR_OK;
}

enum err identity_authenticate(struct identity *identity, struct work work,
                               const struct credentials *credentials, int64_t now_s,
                               struct principal *principal_out)
{
    struct shown shown[CREDENTIALS] = {
        [KEY] = {.is_given = credentials->api_key.len > 0, .text = credentials->api_key},
        [SESSION] = {.is_given = credentials->has_session, .text = credentials->session},
    };
    const struct shown *first;

    if (credentials->from_scraper)
        shown[KEY_OF_SCRAPER].is_given = api_key_of_authorization(
            work.arena, credentials->authorization, &shown[KEY_OF_SCRAPER].text);
    if (!shown[KEY_OF_SCRAPER].is_given)
        shown[BEARER].is_given = take_bearer(credentials->authorization, &shown[BEARER].text);
    *principal_out = (struct principal){0};
    for (int i = 0; i < CREDENTIALS; i++) {
        if (!shown[i].is_given)
            continue;
        shown[i].err = authenticate(identity, work, &shown[i], i, credentials->from_scraper, now_s);
        /* Neither good nor bad: whoever is meant, it cannot be said now. */
        if (shown[i].err && shown[i].err != ERR_UNAUTHENTICATED)
            return shown[i].err;
    }
    enum err err = agree(shown, &first, work.error);
    if (!err && first == &shown[SESSION] && !credentials->is_safe)
        err = xsrf_check(work.arena, first->principal.token_id, &credentials->proof, work.error);
    if (!err && first)
        *principal_out = first->principal;
    return err;
}

#include "cachewarden/permit.h"

static bool is_signed_in_user(const struct principal *principal)
{
    return principal->kind == PRINCIPAL_USER && principal->user_id > 0;
}

static bool is_key_with(const struct principal *principal, enum scope scope)
{
    return principal->kind == PRINCIPAL_API_KEY && (principal->scopes & (unsigned)scope) != 0;
}

/* An admin is a user whose account says so, or a key made for it; a principal of no kind is
 * neither. */
static bool is_admin(const struct principal *principal)
{
    return (is_signed_in_user(principal) && principal->is_admin) ||
           is_key_with(principal, SCOPE_ADMIN);
}

/* A user, or a key that acts as its owner. */
static bool is_somebody(const struct principal *principal)
{
    return is_signed_in_user(principal) ||
           (is_key_with(principal, SCOPE_USER) && principal->user_id > 0);
}

/* `user` routes act on the principal's own things only, whoever it is: admins have routes of their
 * own. */
static bool acts_as_itself(const struct principal *principal, struct permit_target target)
{
    return is_somebody(principal) && target.app.len == 0 && !target.is_gateway &&
           (target.user_id == 0 || target.user_id == principal->user_id);
}

static bool acts_in_its_namespace(const struct principal *principal, struct permit_target target)
{
    bool has_one = is_key_with(principal, SCOPE_ENTRIES) && principal->space.len > 0;

    return has_one && target.user_id == 0 && !target.is_gateway &&
           (target.app.len == 0 || str_eq(target.app, principal->space));
}

/* What the gateway has stored is nobody's own: an application that changes what it was made from may drop it. */
static bool acts_on_gateway(const struct principal *principal, struct permit_target target)
{
    return target.is_gateway && is_key_with(principal, SCOPE_ENTRIES);
}

static bool is_allowed(enum permit permit, const struct permit_policy *policy,
                       const struct principal *principal, struct permit_target target)
{
    switch (permit) {
    case PERMIT_DENY:
        return false;
    case PERMIT_PUBLIC:
        return true;
    case PERMIT_USER:
        return acts_as_itself(principal, target);
    case PERMIT_ADMIN:
        return is_admin(principal);
    case PERMIT_SCOPE_FLUSH:
        return is_admin(principal) || is_key_with(principal, SCOPE_FLUSH);
    case PERMIT_ENTRIES:
        return is_admin(principal) || acts_as_itself(principal, target) ||
               acts_in_its_namespace(principal, target) || acts_on_gateway(principal, target);
    case PERMIT_SCOPE_METRICS:
        return is_admin(principal) || is_key_with(principal, SCOPE_METRICS);
    case PERMIT_STARTER:
        return is_admin(principal) || is_somebody(principal) ||
               is_key_with(principal, SCOPE_FLUSH) || is_key_with(principal, SCOPE_ENTRIES);
    case PERMIT_FLUSH_MESSAGES:
        return is_admin(principal) || is_key_with(principal, SCOPE_FLUSH) ||
               (policy && policy->flush_for_authenticated && is_signed_in_user(principal));
    }
    return false;
}

enum permit_answer permit_decide(enum permit permit, const struct permit_policy *policy,
                                 const struct principal *principal, struct permit_target target)
{
    if (is_allowed(permit, policy, principal, target))
        return PERMIT_YES;
    /* A row without a permission is our mistake: no sign-in would help. */
    if (permit != PERMIT_DENY && principal->kind == PRINCIPAL_ANONYMOUS)
        return PERMIT_NO_CREDENTIAL;
    return PERMIT_NO;
}

const char *permit_name(enum permit permit)
{
    switch (permit) {
    case PERMIT_DENY:
        return "deny";
    case PERMIT_PUBLIC:
        return "public";
    case PERMIT_USER:
        return "user";
    case PERMIT_ADMIN:
        return "admin";
    case PERMIT_SCOPE_FLUSH:
        return "scope:flush";
    case PERMIT_ENTRIES:
        return "user or scope:entries";
    case PERMIT_SCOPE_METRICS:
        return "scope:metrics";
    case PERMIT_STARTER:
        return "starter";
    case PERMIT_FLUSH_MESSAGES:
        return "scope:flush or policy";
    }
    return "unknown";
}

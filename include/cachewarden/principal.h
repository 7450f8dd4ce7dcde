/* Who is calling, as far as it has been proven. Made by identity_authenticate alone; read by permit
 * and the operations. */
#ifndef CACHEWARDEN_PRINCIPAL_H
#define CACHEWARDEN_PRINCIPAL_H

#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

enum principal_kind { PRINCIPAL_ANONYMOUS = 0, PRINCIPAL_USER, PRINCIPAL_API_KEY };
enum credential_kind {
    CREDENTIAL_NONE = 0,
    CREDENTIAL_BEARER,
    CREDENTIAL_API_KEY,
    CREDENTIAL_SESSION,
    CREDENTIAL_OPERATOR
};

/* What an API key may do; bits. */
enum scope {
    SCOPE_FLUSH = 1u << 0,   /* empty named caches */
    SCOPE_ENTRIES = 1u << 1, /* the cache service in the key's namespace */
    SCOPE_ADMIN = 1u << 2,   /* everything an admin may */
    SCOPE_USER = 1u << 3,    /* act as the key's owner on `user` routes */
    SCOPE_METRICS = 1u << 4  /* read this node's counters */
};

/* Strings live in the arena the principal was made with. */
struct principal {
    enum principal_kind kind;
    enum credential_kind credential;
    int64_t user_id;  /* > 0: the account (or a key's owner when it has SCOPE_USER); 0: none */
    bool is_stranger; /* user_id is not of an account here: it names a cache, and nothing else */
    struct str
        incarnation; /* of that account (users.h); empty: there is none, or it is elsewhere */
    struct str
        issuer; /* of a token of another issuer: as token.h has it. Whose number a stranger's is */
    /* username, or the API key's name; of a stranger something that neither can be */
    struct str name;
    struct str subject; /* what the token says as `sub`, or empty */
    struct str email;
    bool is_superuser;
    bool is_admin; /* superuser, member of auth.admin_group, or an API key with SCOPE_ADMIN */
    /* Claims say what groups it is in, not the users database: their names, each with a line feed behind. */
    bool has_claimed_groups;
    struct str claimed_groups;
    unsigned scopes;  /* enum scope bits; API keys only */
    struct str space; /* API keys: the namespace it was created for, or empty */
    /* jti of the access token, or the API key's id; for the audit and for revocation */
    struct str token_id;
    struct str family; /* family of a token of our own; empty: the token is another's */
    int64_t issued_at_s;
    int64_t expires_at_s; /* of the credential; 0: none */
};

/* "bearer", "api_key", "session", "operator", "none": for audit and logs. */
const char *credential_name(enum credential_kind kind);
/* One scope's bit by its name ("flush"), 0 when there is no such scope. */
unsigned scope_from_name(struct str name);
/* Names of the bits, comma-separated, in the arena. */
struct str scope_names(struct arena *arena, unsigned scopes);

#endif

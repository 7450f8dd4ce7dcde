/* The rights that a token of somebody else says its user has, where configuration names the claims. */
#ifndef AUTH_TOKENS_CLAIMED_RIGHTS_H
#define AUTH_TOKENS_CLAIMED_RIGHTS_H

#include "cachewarden/json.h"
#include "cachewarden/token.h"

/*
 * The claim of that very name, as "https://id.example/groups" is one; else dots lead to a member of
 * a member, as in Keycloak's "realm_access.roles". A member may have dots in its name, as the client has in
 * "resource_access.my.app.roles"; of two ways the one with the shorter names counts. NULL: there is none,
 * or no memory.
 */
const struct json *claim_find(struct arena *arena, const struct json *payload, struct str name);

/* Claims without a name say nothing. One of the wrong kind is a right that is not there. */
struct claimed_rights claimed_rights_read(struct arena *arena, const struct json *payload,
                                          const struct claimed_rights_rules *rules);

#endif

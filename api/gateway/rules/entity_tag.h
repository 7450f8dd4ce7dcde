/*
 * Entity tags of others, as they were sent (RFC 9110, section 8.8.3): W/"…" or "…". Upstreams send malformed ones; such
 * a tag is weakly the same as one that is written in the same way, and strongly the same as none. Pure.
 */
#ifndef API_GATEWAY_RULES_ENTITY_TAG_H
#define API_GATEWAY_RULES_ENTITY_TAG_H

#include "gateway/rules/fields.h"

bool entity_tag_is_strong(struct str tag);
bool entity_tags_match_weakly(struct str a, struct str b);
bool entity_tags_match_strongly(struct str a, struct str b);

/* Whether one of the tags in all lines of If-None-Match is weakly the same, or "*" is there. */
bool entity_tag_is_listed(const struct http_fields *fields, struct str name, struct str tag);

#endif

/* "Did you mean …?" for misspelt settings, commands and options. Pure. */
#ifndef SERVER_CONFIG_SUGGEST_H
#define SERVER_CONFIG_SUGGEST_H

#include "cachewarden/str.h"

/* Letters to add, drop, change or swap to make one of the other; SIZE_MAX for words that are too
 * long to be names. */
size_t suggest_distance(struct str a, struct str b);
/* Whether a distance from `word` is worth a guess. */
bool suggest_is_near(size_t distance, struct str word);

#endif

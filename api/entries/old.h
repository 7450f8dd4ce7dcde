/*
 * What is out of date, and in the way of something that may be stored only where nothing is. Redis removes nothing on
 * the condition that it is out of date. But it knows commands that fail on another type: GETDEL takes a text and never
 * a counter, and HDEL takes the numbers of versions that are over and never that of this one.
 *
 * A text is taken only if it is out of date by numbers that were read after it. What was stored in its place meanwhile
 * is put back, unless it is out of date as well.
 *
 * What nobody here stores, such as a list, was put there by hand. It is out of date, too.
 */
#ifndef API_ENTRIES_OLD_H
#define API_ENTRIES_OLD_H

#include "entries/look.h"
#include "keyspace.h"

/* Removes the text there, of which `head` was seen. *is_good_out: it is not out of date, or another one is there by now
 * that is not. One that cannot be put back, because something came meanwhile, was a miss. */
CW_MUST_CHECK enum err old_remove_text(const struct entry_request *request,
                                       const struct label_key *key, const struct value *head,
                                       int64_t now_ms, bool *is_good_out);

/* Whether it is what nobody here stores: what GETRANGE and HGETALL answered at once. */
bool old_is_foreign(const struct value *text, const struct value *all, int64_t version);
/* Removes it, whatever it is: what is stored between the look and this goes with it. */
CW_MUST_CHECK enum err old_take_foreign(const struct entry_request *request,
                                        const struct label_key *key);

/* Removes what entry_ask_head has seen (its replies begin at `first`); *is_good_out as above. `version` is one that was
 * current: counters of it stay. */
CW_MUST_CHECK enum err old_remove(const struct entry_request *request, const struct label_key *key,
                                  const struct pipeline *seen, size_t first, int64_t version,
                                  int64_t now_ms, bool *is_good_out);

#endif

/*
 * What is out of date, and in the way of something that may be stored only where nothing is. Redis removes nothing on
 * the condition that it is out of date. But it knows commands that fail on another type: GETDEL takes a text and never
 * a counter, and HDEL takes the numbers of versions that are over and never that of this one. A text that is good
 * after all, because it came since the look, is put back.
 *
 * What nobody here stores, such as a list, was put there by hand. It is out of date, too.
 */
#ifndef API_ENTRIES_OLD_H
#define API_ENTRIES_OLD_H

#include "entries/look.h"
#include "keyspace.h"

/* Removes the text there, unless it is good. *is_good_out: it was, and is there again. One that cannot be put back,
 * because something came meanwhile, was a miss. */
CW_MUST_CHECK enum err old_take_text(struct entry_look *look, const struct label_key *key,
                                     int64_t now_ms, bool *is_good_out);

/* Whether it is what nobody here stores: what GETRANGE and HGETALL answered at once. */
bool old_is_foreign(const struct value *text, const struct value *all, int64_t version);
/* Removes it, whatever it is: what is stored between the look and this goes with it. */
CW_MUST_CHECK enum err old_take_foreign(const struct entry_look *look, const struct label_key *key);

/* Removes what entry_ask_head has seen (its replies begin at `first`) and entry_judge_head called not good. */
CW_MUST_CHECK enum err old_remove(struct entry_look *look, const struct label_key *key,
                                  const struct pipeline *seen, size_t first, int64_t now_ms,
                                  bool *is_good_out);

#endif

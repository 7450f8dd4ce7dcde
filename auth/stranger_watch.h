/*
 * Notices strangers whose number is that of an account here, and writes it down in the users database,
 * where `doctor` reads it. A stranger's request needs no database and waits for none that is away: a
 * number is looked up once a minute. Thread-safe.
 */
#ifndef AUTH_STRANGER_WATCH_H
#define AUTH_STRANGER_WATCH_H

#include "account_cache.h"

struct stranger_watch;

/* Both are borrowed. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err stranger_watch_new(struct users *users, struct account_cache *accounts,
                                          struct stranger_watch **watch_out);
void stranger_watch_free(struct stranger_watch **watch);

/* Somebody else's user came with this number. */
void stranger_watch_note(struct stranger_watch *watch, int64_t number, int64_t now_s);

#endif

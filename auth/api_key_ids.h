/*
 * Which ids API keys have, so that made-up keys cost the database next to nothing: a few a second are
 * looked up there, because a key may have been made a moment ago; once there are more, an id that nobody
 * has is told by memory alone, which is read anew at most once a second. Thread-safe.
 */
#ifndef AUTH_API_KEY_IDS_H
#define AUTH_API_KEY_IDS_H

#include "cachewarden/users.h"

/* Unknown ids that are looked up in each second. */
#define API_KEY_IDS_BURST 8

struct api_key_ids;

/* `users` is borrowed. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err api_key_ids_new(struct users *users, struct api_key_ids **ids_out);
void api_key_ids_free(struct api_key_ids **ids);

/*
 * False: no key had this id a second ago, and the database need not be asked. True: one has, or who
 * knows; also while the database is away. now_ns: clock_mono_ns. `id` is API_KEY_ID_SIZE hex digits.
 */
bool api_key_ids_may_exist(struct api_key_ids *ids, struct str id, int64_t now_ns);

/* What is in memory may be out of date. */
void api_key_ids_forget(struct api_key_ids *ids);

#endif

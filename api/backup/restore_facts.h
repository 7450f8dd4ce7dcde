/* What becomes of the facts of a users database when a backup is put back there (restore.h). */
#ifndef API_BACKUP_RESTORE_FACTS_H
#define API_BACKUP_RESTORE_FACTS_H

#include "backup/control_rows.h"
#include "cachewarden/users_copy.h"

struct restored_facts {
    bool may_become;
    int64_t term, reserved; /* the highest of both sides, so far */
    int64_t longest_s;      /* how long tokens live there; 0: it does not say */
    char install[64];       /* that was backed up; cut */
    bool has_become;
};

/* Lines of facts of the backup, while they are read. ERR_BAD_INPUT: one is none. */
CW_MUST_CHECK enum err restore_facts_take(struct arena *arena, struct str lines,
                                          struct restored_facts *facts, struct error *error);
/*
 * When all was read and the import holds the database. The longest lifetime of tokens is the longer of both. Which
 * installation it is stays, but where it may become the one that was backed up. The numbers that no version has passed
 * go on from the higher of both sides, in a term that nobody has begun; so every node begins the one after it
 * (version_guard_doubt). All other facts stay as they are here: they speak of this place.
 */
CW_MUST_CHECK enum err restore_facts_put(struct users_import *import, struct arena *arena,
                                         const struct control_marks *marks,
                                         struct restored_facts *facts, struct error *error);

#endif

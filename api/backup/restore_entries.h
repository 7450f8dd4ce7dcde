/*
 * Entries of a backup, when it is put back: last, after the new term has begun. They are as old as the backup, so they
 * come back only where nothing remembers what became of them since (docs/design/backup.md). What becomes of them
 * undoes nothing.
 */
#ifndef API_BACKUP_RESTORE_ENTRIES_H
#define API_BACKUP_RESTORE_ENTRIES_H

#include "backup/entries_rows.h"
#include "backup/restore.h"

/* What their manifest says. */
struct restore_entries {
    bool are_there;
    char install[33], dataset[33], store[33];
};

void restore_entries_note(const struct archive_about *about, struct restore_entries *entries);

/* The rows of members, one after the other: is each of them one, and does it belong where it stands? */
struct restore_entries_check {
    struct entries_lines lines;
    int64_t alive, expired;
};
CW_MUST_CHECK enum err restore_entries_check(struct restore_entries_check *check,
                                             struct arena *arena, struct str lines,
                                             struct error *error);
/* They were only tried: what would become of them, as far as the archive tells. */
void restore_entries_tell(const struct restore_order *order, const struct restore_entries *entries,
                          const struct restore_entries_check *check,
                          struct backup_entries_counts *counts);

/* After the control data was told: those of the backup `id`, if they may come back. */
void restore_entries(const struct restore_order *order, const char *id,
                     const struct restore_entries *entries, struct backup_entries_counts *counts);

#endif

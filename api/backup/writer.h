/*
 * Writes an archive (archive.h) to a descriptor, member by member as they come, so that memory stays flat. For one
 * thread.
 * What it wrote is whole only after backup_writer_finish, and on the disk only after an fsync of the caller's.
 */
#ifndef API_BACKUP_WRITER_H
#define API_BACKUP_WRITER_H

#include "backup/archive_key.h"

struct backup_writer;

/*
 * Writes to `fd` from where it stands, an empty regular file. Borrows it, the key and the texts of `about` until it is
 * freed. ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err backup_writer_open(int fd, const struct archive_key *key,
                                          const struct archive_about *about,
                                          struct backup_writer **writer_out, struct error *error);
/*
 * A member: whole lines, `rows` of them, each with "\n" behind, ARCHIVE_MEMBER_SIZE_MAX bytes at most. Members of a
 * kind in a row, kinds in their order; an empty one is none. ERR_TOO_LARGE: there are more than ARCHIVE_MEMBERS_MAX;
 * ERR_UPSTREAM_DOWN: the file takes no more, and the text says why; ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err backup_writer_add(struct backup_writer *writer, enum archive_kind kind,
                                         struct str lines, size_t rows, struct error *error);
/* The end: manifest, HMAC, seal. Errors as above. */
CW_MUST_CHECK enum err backup_writer_finish(struct backup_writer *writer,
                                            const struct archive_counts *counts,
                                            struct archive_file *file_out, struct error *error);
/* Harmless for NULL. */
void backup_writer_free(struct backup_writer **writer);

#endif

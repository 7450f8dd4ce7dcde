/*
 * Reads an archive (archive.h) and believes nothing: the seal over the whole file first, then each member's name,
 * kind and size, and at the end the manifest, its HMAC and the digests of all members. Whoever acts on rows before
 * the end must be able to undo that. ERR_UNPROCESSABLE with the reason refuses. For one thread.
 */
#ifndef API_BACKUP_READER_H
#define API_BACKUP_READER_H

#include "backup/archive_key.h"
#include "cachewarden/backup.h"

struct backup_reader;

/*
 * Reads all of the regular file behind `fd`, by positions, and checks its seal. Borrows both. ERR_UNPROCESSABLE,
 * ERR_UPSTREAM_DOWN (it could not be read), ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err backup_reader_open(int fd, const struct archive_key *key,
                                          struct backup_reader **reader_out, struct error *error);
/* The same, for who gives it up when `watch` does not want it any more: here and below ERR_BUSY then. */
CW_MUST_CHECK enum err backup_reader_open_watched(int fd, const struct archive_key *key,
                                                  const struct backup_watch *watch,
                                                  struct backup_reader **reader_out,
                                                  struct error *error);
/*
 * The next member, whole lines, good until the next call. *is_over_out: there is none, and everything was as it should
 * be. Errors as above.
 */
CW_MUST_CHECK enum err backup_reader_next(struct backup_reader *reader, enum archive_kind *kind_out,
                                          struct str *lines_out, bool *is_over_out,
                                          struct error *error);
/* Reads what is left to the end. ERR_OK: everything was as it should be. */
CW_MUST_CHECK enum err backup_reader_drain(struct backup_reader *reader, struct error *error);
/* All of it: the lines of each member of that kind go to `take`, whose error ends it. Errors as above too. */
CW_MUST_CHECK enum err backup_reader_each(int fd, const struct archive_key *key,
                                          enum archive_kind kind,
                                          enum err (*take)(void *with, struct str lines,
                                                           struct error *error),
                                          void *with, struct error *error);
/* After the end. It lives as long as the reader. */
const struct archive_manifest *backup_reader_manifest(const struct backup_reader *reader);
const struct archive_file *backup_reader_file(const struct backup_reader *reader);
/* Harmless for NULL. */
void backup_reader_free(struct backup_reader **reader);

#endif

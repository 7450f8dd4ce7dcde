/*
 * The bytes of an archive (archive.h) behind their seal. All of the file is read once and compared with the seal, so
 * whoever reads on gets bytes that were written with this key, or an error. It knows of encryption, and nothing
 * of what the bytes mean. For one thread.
 */
#ifndef API_BACKUP_SEALED_H
#define API_BACKUP_SEALED_H

#include "backup/archive_key.h"
#include "cachewarden/backup.h"

#include <sys/types.h>

struct sealed;

/*
 * Reads all of the regular file behind `fd`, by positions, and checks its seal, while `watch` wants it (NULL: always).
 * Borrows them. ERR_UNPROCESSABLE with the reason, ERR_UPSTREAM_DOWN (it could not be read), ERR_BUSY (it is
 * stopping), ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err sealed_open(int fd, const struct archive_key *key,
                                   const struct backup_watch *watch, struct sealed **sealed_out,
                                   struct error *error);
/* Up to `size` bytes of what the seal is of, at `at`, which is not behind its end: how many, 0 at the end. -1 with
 * errno: sealed_explain. */
ssize_t sealed_read(struct sealed *sealed, void *buffer, size_t size, int64_t at);
/* Why a read failed with this errno. */
CW_MUST_CHECK enum err sealed_explain(const struct sealed *sealed, int reason, struct error *error);
const struct archive_file *sealed_file(const struct sealed *sealed);
/* Harmless for NULL. */
void sealed_free(struct sealed **sealed);

#endif

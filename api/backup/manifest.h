/* The manifest as it stands in the archive: JSON. */
#ifndef API_BACKUP_MANIFEST_H
#define API_BACKUP_MANIFEST_H

#include "backup/archive.h"
#include "cachewarden/work.h"

/* Appends it. The strbuf fails when memory is out. */
void manifest_write(const struct archive_manifest *manifest, struct strbuf *out);

/* What an archive of a format above ARCHIVE_FORMAT_PLAIN begins with: a manifest of its format alone. */
void manifest_write_format(int64_t format, struct strbuf *out);
/* Whether it is one of those; a format that this program does not read is refused by manifest_read. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err manifest_is_format(struct str text, struct work work, bool *is_one_out);

/*
 * Texts and members of *manifest_out lie in work.arena. Its members are in their order and inside the bounds of
 * archive.h. Other names than ours are ignored: a later program may add some. ERR_UNPROCESSABLE with the reason,
 * also for a format that is not ours; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err manifest_read(struct str text, struct work work,
                                     struct archive_manifest *manifest_out);

#endif

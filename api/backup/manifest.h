/* The manifest as it stands in the archive: JSON. */
#ifndef API_BACKUP_MANIFEST_H
#define API_BACKUP_MANIFEST_H

#include "backup/archive.h"
#include "cachewarden/work.h"

/* Appends it. The strbuf fails when memory is out. */
void manifest_write(const struct archive_manifest *manifest, struct strbuf *out);

/*
 * Texts and members of *manifest_out lie in work.arena. Its members are in their order and inside the bounds of
 * archive.h. Other names than ours are ignored: a later program may add some. ERR_UNPROCESSABLE with the reason,
 * also for a format that is not ours; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err manifest_read(struct str text, struct work work,
                                     struct archive_manifest *manifest_out);

#endif

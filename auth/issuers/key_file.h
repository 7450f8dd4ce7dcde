/* Small files with keys: read whole, and told apart from what they were. */
#ifndef AUTH_ISSUERS_KEY_FILE_H
#define AUTH_ISSUERS_KEY_FILE_H

#include "cachewarden/digest.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

/* What a file looks like from outside. */
struct key_file_stamp {
    bool exists;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec modified, changed;
    unsigned char digest[DIGEST_SHA256_SIZE]; /* of what was read; of a look zeros */
};

/*
 * Reads a regular file, up to `size` bytes of it: a caller that gives one byte more than it accepts
 * notices too much. ERR_UPSTREAM_DOWN: it cannot be read; the caller's text names it. The memory is
 * the caller's to wipe, after an error too. *stamp_out is how the file that was read looked, and no other that has
 * taken its place by now.
 */
CW_MUST_CHECK enum err key_file_read(const char *path, char *memory, size_t size, size_t *size_out,
                                     struct key_file_stamp *stamp_out, struct error *error);

void key_file_look(const char *path, struct key_file_stamp *stamp_out);
/* From outside. */
bool key_file_same(const struct key_file_stamp *a, const struct key_file_stamp *b);
/* The same bytes were read, or none both times. */
bool key_file_same_text(const struct key_file_stamp *a, const struct key_file_stamp *b);
/*
 * Times of files have steps: one that changed within the last seconds before now_s may change again and
 * look the same. False for a time that is ahead of the clock by more than that: it would be true for as long.
 */
bool key_file_is_young(const struct key_file_stamp *stamp, int64_t now_s);

#endif

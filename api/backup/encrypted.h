/*
 * An archive that only those read who know backup.passphrase: "cwcrypt1" and a salt, then all the bytes of a plain
 * archive, its seal included, in chunks of ENCRYPTED_CHUNK (cipher.h). It keeps the name of a plain one. Every byte of
 * it is proven by the chunk that it is in, or, of the head, by each of them.
 */
#ifndef API_BACKUP_ENCRYPTED_H
#define API_BACKUP_ENCRYPTED_H

#include "cachewarden/cipher.h"

#include <sys/types.h>

enum { ENCRYPTED_MAGIC = 8, ENCRYPTED_HEAD = ENCRYPTED_MAGIC + CIPHER_SALT_SIZE };
enum { ENCRYPTED_CHUNK = 64 * 1024 };

/* Whether a file begins as one: of its first ENCRYPTED_MAGIC bytes. */
bool encrypted_is_one(const char magic[ENCRYPTED_MAGIC]);

/* ---- writing ---- */

struct encrypted_writer;

/* `put` takes the bytes of the file. Errors of cipher_key_new. */
CW_MUST_CHECK enum err encrypted_writer_new(struct str passphrase,
                                            enum err (*put)(void *with, struct str bytes),
                                            void *with, struct encrypted_writer **writer_out);
/* Errors of `put`; ERR_INTERNAL. */
CW_MUST_CHECK enum err encrypted_writer_add(struct encrypted_writer *writer, struct str plain);
CW_MUST_CHECK enum err encrypted_writer_end(struct encrypted_writer *writer);
void encrypted_writer_free(struct encrypted_writer **writer);

/* ---- reading ---- */

struct encrypted_reader;

/* Of the file behind `fd`, which is `size` long. Errors of cipher_key_new; ERR_UNAUTHENTICATED: it is too short to be
 * one; ERR_UPSTREAM_DOWN with errno: it cannot be read. */
CW_MUST_CHECK enum err encrypted_reader_new(int fd, int64_t size, struct str passphrase,
                                            struct encrypted_reader **reader_out);
/* How long the plain archive is. */
int64_t encrypted_reader_size(const struct encrypted_reader *reader);
/* As pread of the plain archive. *is_false_out, with -1: it was read, but with another passphrase, or it is damaged. */
ssize_t encrypted_reader_read(struct encrypted_reader *reader, void *buffer, size_t size,
                              int64_t at, bool *is_false_out);
void encrypted_reader_free(struct encrypted_reader **reader);

#endif

#include "backup/encrypted.h"

#include "cachewarden/random.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

static const char magic[ENCRYPTED_MAGIC] = {'c', 'w', 'c', 'r', 'y', 'p', 't', '1'};
enum { SEALED_CHUNK = ENCRYPTED_CHUNK + CIPHER_TAG_SIZE };

bool encrypted_is_one(const char begin[ENCRYPTED_MAGIC])
{
    return memcmp(begin, magic, sizeof magic) == 0;
}

/* ---- writing ---- */

struct encrypted_writer {
    struct cipher_key *key;
    enum err (*put)(void *with, struct str bytes);
    void *with;
    bool has_begun;
    char head[ENCRYPTED_HEAD];
    uint64_t number;
    size_t used;
    char plain[ENCRYPTED_CHUNK];
    unsigned char chunk[SEALED_CHUNK];
};

enum err encrypted_writer_new(struct str passphrase, enum err (*put)(void *with, struct str bytes),
                              void *with, struct encrypted_writer **writer_out)
{
    struct encrypted_writer *writer = calloc(1, sizeof *writer);
    unsigned char salt[CIPHER_SALT_SIZE];

    *writer_out = NULL;
    if (!writer)
        return ERR_NO_MEMORY;
    random_bytes(salt, sizeof salt);
    memcpy(writer->head, magic, sizeof magic);
    memcpy(writer->head + sizeof magic, salt, sizeof salt);
    writer->put = put;
    writer->with = with;
    enum err err = cipher_key_new(passphrase, salt, &writer->key);
    if (err == ERR_OK)
        *writer_out = writer;
    else
        encrypted_writer_free(&writer);
    return err;
}

void encrypted_writer_free(struct encrypted_writer **writer)
{
    if (!*writer)
        return;
    cipher_key_free(&(*writer)->key);
    free(*writer);
    *writer = NULL;
}

static enum err put_chunk(struct encrypted_writer *writer, bool is_last)
{
    const struct cipher_place place = {
        writer->number, is_last, {writer->head, sizeof writer->head}};
    enum err err = writer->has_begun ? ERR_OK : writer->put(writer->with, place.head);

    writer->has_begun = true;
    if (err == ERR_OK)
        err = cipher_encrypt(writer->key, &place, (struct str){writer->plain, writer->used},
                             writer->chunk);
    if (err == ERR_OK)
        err = writer->put(writer->with, (struct str){(const char *)writer->chunk,
                                                     writer->used + CIPHER_TAG_SIZE});
    writer->number++;
    writer->used = 0;
    return err;
}

/* A chunk goes out when a byte behind it comes, so that the last one is never empty. */
enum err encrypted_writer_add(struct encrypted_writer *writer, struct str plain)
{
    while (plain.len > 0) {
        if (writer->used == ENCRYPTED_CHUNK) {
            enum err err = put_chunk(writer, false);
            if (err != ERR_OK)
                return err;
        }
        size_t room = ENCRYPTED_CHUNK - writer->used, size = plain.len < room ? plain.len : room;
        memcpy(writer->plain + writer->used, plain.ptr, size);
        writer->used += size;
        plain = str_sub(plain, size, plain.len);
    }
    return ERR_OK;
}

enum err encrypted_writer_end(struct encrypted_writer *writer)
{
    return put_chunk(writer, true);
}

/* ---- reading ---- */

struct encrypted_reader {
    int fd;
    struct cipher_key *key;
    char head[ENCRYPTED_HEAD];
    int64_t chunks, size; /* of the plain archive */
    int64_t number;       /* of the chunk in `plain`; -1: none */
    size_t length;
    char chunk[SEALED_CHUNK];
    unsigned char plain[ENCRYPTED_CHUNK];
};

static bool read_wholly(int fd, char *buffer, size_t size, int64_t at)
{
    size_t have = 0;

    while (have < size) {
        ssize_t got = pread(fd, buffer + have, size - have, at + (int64_t)have);
        if (got < 0 && errno == EINTR)
            continue;
        if (got == 0) /* it became shorter */
            errno = ENODATA;
        if (got <= 0)
            return false;
        have += (size_t)got;
    }
    return true;
}

enum err encrypted_reader_new(int fd, int64_t size, struct str passphrase,
                              struct encrypted_reader **reader_out)
{
    int64_t sealed = size - ENCRYPTED_HEAD, rest = sealed % SEALED_CHUNK;

    *reader_out = NULL;
    if (sealed <= CIPHER_TAG_SIZE || (rest > 0 && rest <= CIPHER_TAG_SIZE))
        return ERR_UNAUTHENTICATED;

    struct encrypted_reader *reader = calloc(1, sizeof *reader);
    if (!reader)
        return ERR_NO_MEMORY;
    reader->fd = fd;
    reader->number = -1;
    reader->chunks = sealed / SEALED_CHUNK + (rest > 0 ? 1 : 0);
    reader->size = sealed - reader->chunks * CIPHER_TAG_SIZE;
    enum err err = ERR_UPSTREAM_DOWN;
    if (read_wholly(fd, reader->head, sizeof reader->head, 0))
        err = cipher_key_new(passphrase, (const unsigned char *)reader->head + ENCRYPTED_MAGIC,
                             &reader->key);
    if (err == ERR_OK)
        *reader_out = reader;
    else
        encrypted_reader_free(&reader);
    return err;
}

void encrypted_reader_free(struct encrypted_reader **reader)
{
    if (!*reader)
        return;
    cipher_key_free(&(*reader)->key);
    free(*reader);
    *reader = NULL;
}

int64_t encrypted_reader_size(const struct encrypted_reader *reader)
{
    return reader->size;
}

static bool load(struct encrypted_reader *reader, int64_t number, bool *is_false_out)
{
    bool is_last = number == reader->chunks - 1;
    const struct cipher_place place = {
        (uint64_t)number, is_last, {reader->head, sizeof reader->head}};
    int64_t left = reader->size - number * ENCRYPTED_CHUNK;
    size_t length = is_last ? (size_t)left : ENCRYPTED_CHUNK;

    if (number == reader->number)
        return true;
    reader->number = -1;
    if (!read_wholly(reader->fd, reader->chunk, length + CIPHER_TAG_SIZE,
                     ENCRYPTED_HEAD + number * SEALED_CHUNK))
        return false;
    if (cipher_decrypt(reader->key, &place, (struct str){reader->chunk, length + CIPHER_TAG_SIZE},
                       reader->plain) != ERR_OK) {
        *is_false_out = true;
        return false;
    }
    reader->number = number;
    reader->length = length;
    return true;
}

ssize_t encrypted_reader_read(struct encrypted_reader *reader, void *buffer, size_t size,
                              int64_t at, bool *is_false_out)
{
    *is_false_out = false;
    if (at >= reader->size)
        return 0;
    if (!load(reader, at / ENCRYPTED_CHUNK, is_false_out))
        return -1;

    size_t from = (size_t)(at % ENCRYPTED_CHUNK), have = reader->length - from;
    size_t taken = size < have ? size : have;
    memcpy(buffer, reader->plain + from, taken);
    return (ssize_t)taken;
}

/*
 * What a file in the folder of backups may hold, under a good seal: the input stands where the compressed tar does,
 * as it is, and once more inside zstd, so that a fuzzer that knows nothing of zstd gets at the tar. Whatever it is, it
 * is refused with a reason or read to its end, and no member is longer than it may be.
 */
#include "backup/reader.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { INPUT_MAX = 256 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static const struct archive_key *key(void)
{
    static struct archive_key *made;

    if (!made)
        must(archive_key_new(
                 &(struct secrets){.current = STR("a secret of archives that is long enough")},
                 &made, NULL) == ERR_OK);
    return made;
}

static void seal(int fd, struct str bytes)
{
    unsigned char end[ARCHIVE_SEAL_SIZE], digest[DIGEST_SHA256_SIZE];
    struct digest *running;

    archive_seal_begin(key(), end);
    must(digest_new(&running) == ERR_OK && digest_add(running, bytes) == ERR_OK);
    must(digest_add(running, (struct str){(const char *)end, ARCHIVE_SEAL_HEAD}) == ERR_OK);
    must(digest_so_far(running, digest) == ERR_OK);
    digest_free(&running);
    must(archive_key_sign(key(), (struct str){(const char *)digest, sizeof digest},
                          end + ARCHIVE_SEAL_HEAD, NULL) == ERR_OK);
    must(pwrite(fd, bytes.ptr, bytes.len, 0) == (ssize_t)bytes.len);
    must(pwrite(fd, end, sizeof end, (off_t)bytes.len) == (ssize_t)sizeof end);
}

static void read_sealed(struct str bytes)
{
    int fd = memfd_create("archive", MFD_CLOEXEC);
    struct backup_reader *reader;
    struct error error;
    enum archive_kind kind;
    struct str lines;
    bool is_over = false;

    if (fd < 0)
        return;
    seal(fd, bytes);
    enum err err = backup_reader_open(fd, key(), &reader, &error);
    while (err == ERR_OK && !is_over) {
        err = backup_reader_next(reader, &kind, &lines, &is_over, &error);
        must(err != ERR_OK || is_over ||
             (kind < ARCHIVE_KINDS && lines.len >= 1 && lines.len <= ARCHIVE_MEMBER_SIZE_MAX));
    }
    must(err == ERR_OK || err == ERR_UNPROCESSABLE || err == ERR_NO_MEMORY);
    must(err != ERR_UNPROCESSABLE || error.caller[0] != '\0');
    backup_reader_free(&reader);
    close(fd);
}

/* Little-endian, of that many bytes. */
static char *put(char *at, uint32_t number, int bytes)
{
    for (int i = 0; i < bytes; i++)
        *at++ = (char)(number >> 8 * i & 0xff);
    return at;
}

/* The bytes as they are in one frame of zstd (RFC 8878), of blocks that are not compressed: a compressor would take
 * longer than all the rest. */
static void read_in_zstd(struct str bytes)
{
    enum { BLOCK_MAX = 128 * 1024, IS_LAST = 1, SINGLE_SEGMENT_WITH_SIZE = 0xa0 };
    static char room[INPUT_MAX + 64];
    char *at = put(room, 0xfd2fb528, 4);

    at = put(at, SINGLE_SEGMENT_WITH_SIZE, 1);
    at = put(at, (uint32_t)bytes.len, 4);
    for (size_t done = 0, now; done < bytes.len; done += now) {
        now = bytes.len - done < BLOCK_MAX ? bytes.len - done : BLOCK_MAX;
        at = put(at, (uint32_t)now << 3 | (done + now == bytes.len ? IS_LAST : 0), 3);
        memcpy(at, bytes.ptr + done, now);
        at += now;
    }
    read_sealed((struct str){room, (size_t)(at - room)});
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};

    if (size == 0 || size > INPUT_MAX)
        return 0;
    read_sealed(bytes);
    read_in_zstd(bytes);
    return 0;
}

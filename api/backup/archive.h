/*
 * A backup is one file: a tar (pax) in zstd that any tar opens. Its members are regular files of JSON lines, at most
 * ARCHIVE_MEMBER_SIZE_MAX bytes each, in this order, and behind them the manifest and its HMAC:
 *
 *     users/accounts-000001.jsonl … users/facts-000001.jsonl, control/data-000001.jsonl …, manifest.json, manifest.hmac
 *
 * That is format 1. Format 2 has entries of the cache service, too, as cache/entries-000001.jsonl … before the control
 * data. It begins with a manifest that says no more than its format, and the HMAC of that: so a program that knows
 * format 1 alone refuses it for its format, and not for a member that it does not know.
 *
 * Behind the tar stands the seal of the whole file (archive_key.h), in a frame that zstd skips. So one pass over
 * the bytes tells whether the file is whole and ours, before anything in it is decompressed or parsed.
 */
#ifndef API_BACKUP_ARCHIVE_H
#define API_BACKUP_ARCHIVE_H

#include "cachewarden/digest.h"

enum { ARCHIVE_FORMAT_PLAIN = 1, ARCHIVE_FORMAT_ENTRIES = 2 };

/* The order of members, too. Up to ARCHIVE_FACTS the tables of users_copy.h. */
enum archive_kind {
    ARCHIVE_ACCOUNTS = 0,
    ARCHIVE_GROUPS,
    ARCHIVE_SUBJECTS,
    ARCHIVE_API_KEYS,
    ARCHIVE_SWITCHES,
    ARCHIVE_FACTS,
    ARCHIVE_ENTRIES, /* before what they are judged by: docs/design/backup.md */
    ARCHIVE_CONTROL,
    ARCHIVE_KINDS
};

enum {
    ARCHIVE_MEMBER_SIZE_MAX =
        1024 * 1024, /* so a member is built and read in memory, and its size is known before */
    /* So the manifest is no longer than a member, and has no more values than JSON may have: some sixteen million
     * accounts. What a reader takes is bounded by both together. */
    ARCHIVE_MEMBERS_MAX = 6000,
    ARCHIVE_ID_SIZE = 26, /* "20260131T000000Z-01234567" and a NUL: 25 and 1 */
    ARCHIVE_NAME_SIZE = 48,
};

#define ARCHIVE_MANIFEST "manifest.json"
#define ARCHIVE_HMAC     "manifest.hmac"

/* What is known before the first row is read. */
struct archive_about {
    struct str id;
    int64_t created_at_s;
    struct str program; /* its version */
    struct str users_driver;
    int64_t schema; /* of the users database */
    struct str install_id;
    struct str redis_version;
    struct str
        dataset; /* the control data that entries were judged by; empty: there are no entries */
    struct str store; /* the Redis that entries had of their own; empty: none */
};

/* What was counted on the way, for people. */
struct archive_counts {
    int64_t users; /* accounts that are not deleted */
    int64_t api_keys;
    int64_t control_keys;
    int64_t entries;
};

struct archive_member {
    enum archive_kind kind;
    int number; /* of the members of its kind, from 1 */
    int64_t size;
    unsigned char sha256[DIGEST_SHA256_SIZE];
};

struct archive_manifest {
    int64_t format;
    struct archive_about about;
    struct archive_counts counts;
    int64_t rows[ARCHIVE_KINDS]; /* lines */
    struct archive_member *members;
    size_t member_count;
};

/* The file: its size, and the SHA-256 of all its bytes. */
struct archive_file {
    int64_t size;
    unsigned char sha256[DIGEST_SHA256_SIZE];
};

/* "accounts", as in the names of members. */
const char *archive_kind_name(enum archive_kind kind);
void archive_member_name(char name_out[ARCHIVE_NAME_SIZE], enum archive_kind kind, int number);
/* Whether a member of this name may follow `last` (member_count 0: none did): which it is then. */
bool archive_member_follows(struct str name, const struct archive_member *last,
                            struct archive_member *next_out);

/* A new id, such as 20260131T000000Z-01234567, of a backup that is begun at that second. */
void archive_id_make(char id_out[ARCHIVE_ID_SIZE], int64_t created_at_s);
/* False: it has not the form of an id. Else when that backup was begun. Ids sort by that time. */
bool archive_id_read(struct str id, int64_t *created_at_s_out);

#endif

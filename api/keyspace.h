/*
 * The only maker of Redis key names. A key is a small value on the stack: making one cannot fail,
 * so no command ever runs on half a name. Pure, no locks. Every key of ours starts with "cw:".
 */
#ifndef API_KEYSPACE_H
#define API_KEYSPACE_H

#include "cachewarden/app.h"
#include "cachewarden/audit.h"
#include "cachewarden/namespace.h"
#include "cachewarden/str.h"

#include <stdbool.h>
#include <stdint.h>

/* The longest is key_scratch of an application with a name of 64. */
#define KEY_MAX_SIZE 96

/* The longest `jti` a refresh token may have to be looked up; ours have 32 hex digits. */
#define KEY_TOKEN_ID_MAX_SIZE 64

struct key {
    size_t len;
    char bytes[KEY_MAX_SIZE];
};

static inline struct str key_str(const struct key *key)
{
    return (struct str){key->bytes, key->len};
}

/* Hash: an account's clears, how many of them restores of backups have put there ("raised"), and its switch of each
 * term ("off:<term>"; "switched" stays: it was off since the data has its id). user_id > 0. */
struct key key_user(int64_t user_id);
/* The same of any namespace; an application's has clears only. */
struct key key_namespace(const struct namespace *space);
/* Whether a key is one of these two, and whose; the name stays where it is. */
bool key_read_namespace(struct str key, struct namespace *space_out);
/* Hash: how often each model of the namespace was cleared (entries/models.h). */
struct key key_models(const struct namespace *space);

/*
 * Keys that end with a label: any bytes, as they are. Longer than the others, so a type of their own.
 * All keys of a namespace share a hash tag.
 */
#define KEY_LABEL_MAX 512
struct label_key {
    size_t len;
    char bytes[KEY_MAX_SIZE + KEY_LABEL_MAX];
};

static inline struct str label_key_str(const struct label_key *key)
{
    return (struct str){key->bytes, key->len};
}

/* What a label holds: a string, or a hash that is a counter. 1 to KEY_LABEL_MAX bytes. */
struct label_key key_entry(const struct namespace *space, struct str label);
/* String: somebody fills this label; gone by itself. */
struct label_key key_fill(const struct namespace *space, struct str label);
/* String: somebody puts something in the place of what is out of date there; gone by itself. */
struct label_key key_turn(const struct namespace *space, struct str label);
/* What key_entry of every label begins with. */
struct key key_entries(const struct namespace *space);
/* What the gateway keeps under a digest of what it is an answer to (gateway/key.h): a string. */
#define KEY_DIGEST_SIZE 16
struct key key_response(const struct namespace *space, const unsigned char digest[KEY_DIGEST_SIZE]);
/* String: somebody fetches that for all nodes; gone by itself. */
struct key key_fetch(const struct namespace *space, const unsigned char digest[KEY_DIGEST_SIZE]);
/* Number: what misses of a route of the gateway have asked for lately; of a digest of its prefix. Gone by itself. */
struct key key_refill(const struct namespace *space, const unsigned char digest[KEY_DIGEST_SIZE]);
/* A fresh random name beside the namespace's entries; whoever writes it lets it expire. */
struct key key_scratch(const struct namespace *space);

struct key key_dataset(void); /* hash: which control data set this is, and the epoch */
/* String: a random number, where entries have a Redis of their own: another one when what lay there was lost. */
struct key key_store(void);
struct key key_audit(enum audit_part part); /* stream of what was done */

struct key key_revoked(void);     /* sorted set: what is revoked, by when that has expired */
struct key key_last_voided(void); /* string: the latest second up to which tokens are void */
struct key key_highest_id(void);  /* string: the highest number that an account was given */
struct key key_events(void);      /* stream of the same, as it happens */

/* Sorted set: an account's families of tokens, by when their refresh tokens expire. user_id > 0. */
struct key key_user_families(int64_t user_id);

/* The record of a token. `token_id` must be key_is_token_id. */
struct key key_token(struct str token_id);
/* 1 to 64 of A-Z a-z 0-9 - _: the form our own ids have. Others were not made here. */
bool key_is_token_id(struct str token_id);

/* Hash of who emptied a named cache last. `cache` must be key_is_cache_name. */
struct key key_last_flush(struct str cache);
/* 1 to 64 of A-Z a-z 0-9 . _ -, as PARAM_NAME. */
bool key_is_cache_name(struct str name);

/*
 * Counters of limits (limit_name()), in the slot of the user they are about; of addresses as
 * limits/network.h writes them; of failed sign-ins by a digest of the name, in hex, 32 digits.
 */
struct key key_limit_user(const char *limit, int64_t user_id);
/* Of whoever has the number elsewhere; `issuer` as token.h has it. */
struct key key_limit_stranger(const char *limit, int64_t user_id, struct str issuer);
struct key key_limit_network(const char *limit, struct str network);
/* Of an API key, by its id. */
struct key key_limit_key(const char *limit, struct str key_id);
/* `family` must be key_is_token_id. */
struct key key_limit_family(const char *limit, struct str family);
struct key key_limit_failures(struct str name_digest, struct str network);
/* From which networks sign-ins with the name failed. */
struct key key_limit_failing(struct str name_digest);

/*
 * Jobs: a hash of the running ones, a sorted set of the last ones, who works on them, and a hash of each.
 * `id` must be key_is_job_id: 32 hex digits, lower case.
 */
struct key key_jobs(void);
struct key key_jobs_recent(void);
struct key key_jobs_runner(void);
struct key key_job(struct str id);
bool key_is_job_id(struct str id);

/* A fresh random name for a test of Redis itself; whoever writes it lets it expire. */
struct key key_probe(void);

/* What SCAN is to look for, to find all keys of namespaces; and what each begins with. */
#define KEY_NAMESPACES      STR("cw:{*}")
#define KEY_NAMESPACES_FROM STR("cw:{")
/* The same of all entries; other keys may be among them. */
#define KEY_ENTRIES STR("cw:{*}:e:*")

/* Whether a key lies in our own part of the keyspace, which no named cache may empty. */
bool key_is_ours(struct str key);
/* Whether names that begin with `prefix` may be ours. */
bool key_prefix_reaches_ours(struct str prefix);

#endif

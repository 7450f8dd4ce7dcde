/*
 * The users database: accounts, groups, API keys and a few facts about this installation. One
 * function table, drivers behind it: SQLite for a single node, PostgreSQL for one or many. Every
 * function may be called by any thread; SQL runs with bound parameters only. No lock is held by the
 * caller. A database that does not answer is given up on within seconds, and then refused at once
 * but for one attempt a second.
 *
 * Common errors: ERR_NOT_FOUND; ERR_CONFLICT (the error's caller text names the field);
 * ERR_UPSTREAM_DOWN (database unreachable, busy beyond its timeout, or full: nothing changed);
 * ERR_UNCERTAIN (a change was sent and its outcome is not known; never tried again by itself);
 * ERR_NO_MEMORY; ERR_INTERNAL. Texts for the caller never hold SQL.
 */
#ifndef CACHEWARDEN_USERS_H
#define CACHEWARDEN_USERS_H

#include "cachewarden/arena.h"
#include "cachewarden/error.h"
#include "cachewarden/str.h"
#include "cachewarden/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct users;

struct user {
    int64_t id;               /* never used again once the account is deleted */
    struct str username;      /* 1 to 150 of A-Z a-z 0-9 @ . + - _ ; unique whatever the case */
    struct str email;         /* unique whatever the case */
    struct str password_hash; /* encoded argon2id; never leaves auth/ and the driver */
    bool is_superuser;
    bool is_active;
    bool is_deleted;
    const struct str *groups; /* sorted by name */
    size_t group_count;
    int64_t created_at_s; /* users_add: 0 is now; an incarnation that is empty is made there */
    int64_t
        last_login_at_s; /* with a password, to the minute; 0: never. users_add takes no notice of it */
    /* Tokens issued before are void. Set with the password; 0: none are. */
    int64_t tokens_not_before_s;
    struct str tokens_kept_family; /* but not those of this family; empty: there is none */
    /*
     * Random, made with the account, and made anew when it is deactivated: tokens of ours are good for
     * the one they name. An older copy of the database, put back, may give an id once more; it never
     * gives this. USERS_INCARNATION_SIZE digits.
     */
    struct str incarnation;
};

#define USERS_INCARNATION_SIZE 16 /* hex digits; 64 bits, which nobody has to guess */

struct api_key {
    struct str id;            /* public part of cwk_<id>_<secret>; 12 lower-case hex digits or so */
    struct str name;          /* unique */
    struct str secret_digest; /* SHA-256 of the secret, 32 bytes */
    unsigned scopes;          /* enum scope bits */
    struct str space;         /* namespace, or empty */
    int64_t owner_id;         /* --user, or 0 */
    int64_t created_at_s;
    int64_t expires_at_s;   /* 0: never */
    int64_t revoked_at_s;   /* 0: not revoked */
    int64_t last_used_at_s; /* coarse; 0: never */
};

/*
 * Opens `sqlite:PATH` (created 0600 with its folder 0700 when absent) or `postgresql://…`,
 * `postgres://…` (libpq's URLs; the database has to be there, its tables go into the first schema
 * of the search path), and migrates it to this version's schema; several programs may do so at
 * once. ERR_BAD_INPUT: not a URL we know; ERR_CONFLICT: the schema is newer than this program;
 * ERR_UPSTREAM_DOWN: cannot be opened, or is another program's. The caller's text says which
 * database and why, without a password: it is meant for an operator.
 */
CW_MUST_CHECK enum err users_open(struct str url, struct users **users_out, struct error *error);
/* No account gets an id below `first_id` from here on, whichever program makes it; those that have one
 * keep it. A lower one changes nothing. */
CW_MUST_CHECK enum err users_set_first_id(struct users *users, int64_t first_id,
                                          struct error *error);
/* Form only: ERR_BAD_INPUT, with a text that repeats nothing of the URL. */
CW_MUST_CHECK enum err users_check_url(struct str url, struct error *error);
/*
 * New connections use the user and password of `url` from now on (PostgreSQL), whose rest is that of the URL that was
 * opened. If they are others (*changed_out) one connection is tried: those of before are replaced when it can be made,
 * and used on when not, as the log tells. Waits for it, seconds at most. ERR_BAD_INPUT; ERR_NO_MEMORY.
 */
CW_MUST_CHECK enum err users_renew_login(struct users *users, struct str url, bool *changed_out,
                                         struct error *error);
void users_close(struct users **users);
/* "sqlite" or "postgresql". */
const char *users_driver_name(const struct users *users);

/* Facts about a number that an account here and a user of somebody else have both; in decimal. */
#define USERS_FACT_STRANGER      "stranger"        /* the number that came last */
#define USERS_FACT_STRANGER_SEEN "stranger_seen_s" /* and when */

/* What became of backups (backup_result.h), and since when they are made by themselves. */
#define USERS_FACT_BACKUP_LAST  "backup_last"
#define USERS_FACT_BACKUP_GOOD  "backup_good"
#define USERS_FACT_BACKUP_SINCE "backup_since_s"

enum { USERS_INSTALL_SIZE = 64, USERS_SIGHT_TEXT_SIZE = 384 };

/* What a look at a database tells that nobody has opened. */
struct users_sight {
    const char *driver; /* users_driver_name */
    int version;        /* of the schema that is there; 0: none yet */
    int known;          /* the version this program makes of it when it opens it */
    /* Where the version is the known one: the facts above (0, or empty: there are none), and the fact
     * install_id, by which control data in Redis tells whose it is (else empty). */
    int64_t stranger, stranger_seen_s, backup_since_s;
    char install[USERS_INSTALL_SIZE];
    char backup_last[USERS_SIGHT_TEXT_SIZE], backup_good[USERS_SIGHT_TEXT_SIZE];
};
/* Reads which schema a database has: makes nothing, migrates nothing, leaves no file behind. Errors as
 * users_open, also where the account that asks may not write or make what users_open would; and ERR_NOT_FOUND: there is
 * no such SQLite file yet. *sight_out then has what is known. */
CW_MUST_CHECK enum err users_look(struct str url, struct users_sight *sight_out,
                                  struct error *error);

/*
 * Another process that has the SQLite file open now, a server, say; USERS_PROCESS_ELSEWHERE: one in another container,
 * which has no number here; 0: there is none, or nobody can tell (PostgreSQL). Only while this process has not opened
 * it: the look would drop SQLite's locks.
 */
#define USERS_PROCESS_ELSEWHERE ((pid_t)-1)
pid_t users_other_process(struct str url);

/* Whether it answers a trivial query now and is still the database that was opened. */
CW_MUST_CHECK enum err users_ping(struct users *users, struct error *error);

/* Did it not answer when it was asked last (ERR_UPSTREAM_DOWN)? Any thread; asks nobody. */
bool users_is_away(const struct users *users);
/* Since when (clock_mono_ns); 0: it is not. */
int64_t users_away_since_ns(const struct users *users);

/* Form only, no look-up: ERR_BAD_INPUT names the field and how to correct it. */
CW_MUST_CHECK enum err user_check_username(struct str username, struct error *error);
CW_MUST_CHECK enum err user_check_email(struct str email, struct error *error);
CW_MUST_CHECK enum err user_check_group(struct str group, struct error *error);

/* Adds an account (is_active, no groups unless given; all in one transaction); *id_out gets its id.
 * ERR_CONFLICT: "A user with that username already exists." / "… email already exists." */
CW_MUST_CHECK enum err users_add(struct users *users, const struct user *user, int64_t *id_out,
                                 struct error *error);

/* The highest id that an account has, or had; 0: there was none. */
CW_MUST_CHECK enum err users_highest_id(struct users *users, struct arena *arena, int64_t *id_out,
                                        struct error *error);
/* The latest tokens_not_before_s of them all. It never falls, but by an older database. */
CW_MUST_CHECK enum err users_last_voided(struct users *users, struct arena *arena,
                                         int64_t *second_out, struct error *error);
/* Of every account: tokens issued before are void, and what was voided last is later than it was. */
CW_MUST_CHECK enum err users_void_all_tokens(struct users *users, int64_t not_before_s,
                                             struct error *error);

/* Deleted accounts are ERR_NOT_FOUND to the finders but for users_find_by_id, which tells
 * (is_deleted). */
CW_MUST_CHECK enum err users_find_by_id(struct users *users, struct arena *arena, int64_t id,
                                        struct user *user_out, struct error *error);
CW_MUST_CHECK enum err users_find_by_name(struct users *users, struct arena *arena,
                                          struct str username, struct user *user_out,
                                          struct error *error);
CW_MUST_CHECK enum err users_find_by_email(struct users *users, struct arena *arena,
                                           struct str email, struct user *user_out,
                                           struct error *error);
/* All accounts that are not deleted, by id; in the arena. */
CW_MUST_CHECK enum err users_list(struct users *users, struct arena *arena, struct user **users_out,
                                  size_t *count_out, struct error *error);

/* Which accounts a list is of. */
struct users_filter {
    int64_t after;   /* those with a higher id; 0: all */
    struct str text; /* what the name or the email contains, whatever the case; empty: anything */
    bool wants_active, is_active; /* only those that are, or are not */
};
/* At most `limit` accounts, by id, as users_list. The text is looked for in each account from `after` on
 * until there are enough: the keys of names and emails help only who looks for the whole. */
CW_MUST_CHECK enum err users_find(struct users *users, struct arena *arena,
                                  const struct users_filter *filter, size_t limit,
                                  struct user **users_out, size_t *count_out, struct error *error);

/* Remembers a sign-in; callers do this at most once a minute an account. */
CW_MUST_CHECK enum err users_note_login(struct users *users, int64_t id, int64_t now_s,
                                        struct error *error);

/*
 * What is to change about an account: wholly, or not at all. ERR_BAD_INPUT names the field; ERR_CONFLICT: the
 * email is taken.
 *
 * `is_guarded`: somebody asks who may not do everything. Then the last active superuser cannot be made
 * anything else (ERR_CONFLICT), and unless `by_superuser` an account that is a superuser is not changed, nor
 * one made of another (ERR_FORBIDDEN). Of several that would take the last ones at once, one fails.
 */
struct users_amendment {
    bool is_guarded, by_superuser;
    struct str email;         /* empty: stays */
    struct str password_hash; /* empty: stays; else as users_set_password */
    bool sets_superuser, is_superuser;
    bool sets_groups; /* these and no others */
    const struct str *groups;
    size_t group_count;
    bool sets_active, is_active; /* as users_set_active */
    bool is_deletion;            /* as users_delete; nothing else is looked at then but the guard */
};
/* *user_out is the account as it is now, in the arena; of a deletion as it was. Both may be NULL. */
CW_MUST_CHECK enum err users_amend(struct users *users, struct arena *arena, int64_t id,
                                   const struct users_amendment *amendment, struct user *user_out,
                                   struct error *error);

/*
 * A new password: tokens issued up to now are void. tokens_not_before_s is then a second ahead, so
 * that it covers this very second: tokens issued at once have to be dated with it.
 */
CW_MUST_CHECK enum err users_set_password(struct users *users, int64_t id, struct str password_hash,
                                          struct error *error);
/*
 * The same by the owner, who knew the old one: tokens of `kept_family` (empty: none) stay good.
 * ERR_NOT_FOUND: the hash is not `old_hash` any more, nothing changed. Of many that change the same
 * password at once one succeeds.
 */
CW_MUST_CHECK enum err users_change_password(struct users *users, int64_t id, struct str old_hash,
                                             struct str new_hash, struct str kept_family,
                                             struct error *error);
/*
 * Tokens issued up to now are void, whatever their family; dates as above. But the date of the next tokens is
 * never moved further than so far ahead of the clock: those dated with it already stay good.
 */
#define USERS_VOID_AHEAD_S 10
CW_MUST_CHECK enum err users_void_tokens(struct users *users, int64_t id, struct error *error);
/* The same password hashed anew: tokens stay good. ERR_NOT_FOUND: the hash is not `old_hash` any
 * more, nothing changed. */
CW_MUST_CHECK enum err users_replace_hash(struct users *users, int64_t id, struct str old_hash,
                                          struct str new_hash, struct error *error);
CW_MUST_CHECK enum err users_set_superuser(struct users *users, int64_t id, bool is_superuser,
                                           struct error *error);
/* Deactivated, an account loses all its tokens for ever: activated again, it has none. */
CW_MUST_CHECK enum err users_set_active(struct users *users, int64_t id, bool is_active,
                                        struct error *error);
/* Adds to or takes out of a group; doing it twice is fine. */
CW_MUST_CHECK enum err users_set_group(struct users *users, int64_t id, struct str group,
                                       bool is_member, struct error *error);
/* Several of them at once: given or taken wholly, or not at all. */
struct users_rights {
    bool superuser; /* is among them */
    const struct str *groups;
    size_t group_count;
};
CW_MUST_CHECK enum err users_set_rights(struct users *users, int64_t id,
                                        const struct users_rights *rights, bool granted,
                                        struct error *error);
/* Marks the account deleted for ever: name and email come free, the id does not, its API keys are
 * revoked. */
CW_MUST_CHECK enum err users_delete(struct users *users, int64_t id, struct error *error);

/*
 * The account of another issuer's user, made on first sight: without groups and password, and with
 * a name and an email that nobody could have taken before, or signs in by. Issuer and subject
 * together are who it is; many nodes that ask at once get one id. It may be deactivated or deleted
 * by now, and stays so. 1 to 255 bytes of UTF-8 without control characters each: ERR_BAD_INPUT.
 */
CW_MUST_CHECK enum err users_provision(struct users *users, struct str issuer, struct str subject,
                                       int64_t *id_out, struct error *error);

/* Whom they are here, if they were here before; else ERR_NOT_FOUND. ERR_BAD_INPUT as above. */
CW_MUST_CHECK enum err users_find_subject(struct users *users, struct str issuer,
                                          struct str subject, int64_t *id_out, struct error *error);
/* The other way round. ERR_NOT_FOUND: the account is nobody else's user. */
CW_MUST_CHECK enum err users_subject_of(struct users *users, struct arena *arena, int64_t id,
                                        struct str *issuer_out, struct str *subject_out,
                                        struct error *error);

/* ERR_CONFLICT: the name is taken, be it by a revoked key; ERR_NOT_FOUND: there is no such owner. */
CW_MUST_CHECK enum err api_keys_add(struct users *users, const struct api_key *key,
                                    struct error *error);
CW_MUST_CHECK enum err api_keys_find(struct users *users, struct arena *arena, struct str id,
                                     struct api_key *key_out, struct error *error);
CW_MUST_CHECK enum err api_keys_list(struct users *users, struct arena *arena,
                                     struct api_key **keys_out, size_t *count_out,
                                     struct error *error);
/* Up to `limit` of them, revoked ones among them, behind the id `after` (empty: from the first) in the order of ids. */
CW_MUST_CHECK enum err api_keys_page(struct users *users, struct work work, struct str after,
                                     size_t limit, struct api_key **keys_out, size_t *count_out);
/* The id of every key that was ever made, in no order; texts and array in the arena. */
CW_MUST_CHECK enum err api_keys_ids(struct users *users, struct arena *arena, struct str **ids_out,
                                    size_t *count_out, struct error *error);
/* By name; a second time is ERR_NOT_FOUND only when no such key was ever made. */
CW_MUST_CHECK enum err api_keys_revoke(struct users *users, struct str name, int64_t now_s,
                                       struct error *error);
/* The same by id. */
CW_MUST_CHECK enum err api_keys_revoke_id(struct users *users, struct str id, int64_t now_s,
                                          struct error *error);
/* Remembers the use; callers do this at most once a minute a key. */
CW_MUST_CHECK enum err api_keys_touch(struct users *users, struct str id, int64_t now_s,
                                      struct error *error);

/* Small facts: "install_id" (made at the first opening), and what is kept about the control data. ERR_NOT_FOUND
 * when absent. */
CW_MUST_CHECK enum err users_fact_get(struct users *users, struct arena *arena, struct str name,
                                      struct str *value_out, struct error *error);
CW_MUST_CHECK enum err users_fact_set(struct users *users, struct str name, struct str value,
                                      struct error *error);
/* Only when it holds `old` ({NULL,0}: is not there) at this moment; else ERR_CONFLICT. Of many that
 * do so at once one succeeds. */
CW_MUST_CHECK enum err users_fact_replace(struct users *users, struct str name, struct str old,
                                          struct str value, struct error *error);

/*
 * ---- switches of caches: those that are off, kept here for when Redis loses them ----
 *
 * Of accounts, and of people known elsewhere. On is what everybody is that is not among them.
 */
CW_MUST_CHECK enum err users_switch_set(struct users *users, int64_t user_id, bool is_off,
                                        struct error *error);
CW_MUST_CHECK enum err users_switch_is_off(struct users *users, int64_t user_id, bool *is_off_out,
                                           struct error *error);
struct users_ids {
    int64_t *ids; /* in the arena; NULL: none */
    size_t count;
};
/* Up to `limit` of the users whose switch is off, by id, behind `after`. */
CW_MUST_CHECK enum err users_switches_off(struct users *users, struct arena *arena, int64_t after,
                                          size_t limit, struct users_ids *off_out,
                                          struct error *error);

#endif

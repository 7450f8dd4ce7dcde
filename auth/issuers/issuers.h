/*
 * The issuers in force: their keys, kept fresh by one thread, and the verification of their tokens.
 * A request never waits for a file or a server: it finds keys in memory or is refused.
 *
 * Where keys come from a server, the last good set is used while fetches fail, for a day at most;
 * refetch.h says when they are made. A file is looked at every second, and read when it changed.
 */
#ifndef AUTH_ISSUERS_ISSUERS_H
#define AUTH_ISSUERS_ISSUERS_H

#include "issuers/issuer_claims.h"

#include "cachewarden/users.h"

struct issuers;

struct issuers_options {
    const struct issuer_spec *specs; /* copied */
    size_t spec_count;
    struct str own_name;    /* auth.issuer: no other may have it; copied */
    struct str admin_group; /* copied */
    struct users *users;    /* borrowed: for those who are provisioned */
    int64_t leeway_s;
    int fetch_timeout_ms; /* 0: ten seconds */
    int look_ms;          /* how soon a changed file is noticed; 0: a second */
};

/* Reads files, fetches nothing; one that cannot be used keeps its issuer out until it can. ERR_BAD_INPUT:
 * issuer_check of one of them, or two with one name. */
CW_MUST_CHECK enum err issuers_new(const struct issuers_options *options,
                                   struct issuers **issuers_out, struct error *error);
/* Ends the thread first, which may take a second or so while it fetches. */
void issuers_free(struct issuers **issuers);

/* Starts the thread; once. */
CW_MUST_CHECK enum err issuers_start(struct issuers *issuers, struct error *error);
/* Waits until every server has been asked once since the start, whatever came of it. False: not
 * before deadline_ns. */
bool issuers_wait(struct issuers *issuers, int64_t deadline_ns);

/*
 * Other issuers from here on; files are read, and servers asked, anew. Keys of a source that is still
 * configured stay in use until it has others. ERR_BAD_INPUT: nothing has changed. Every token is proven
 * again.
 */
CW_MUST_CHECK enum err issuers_set(struct issuers *issuers, const struct issuer_spec *specs,
                                   size_t spec_count, struct error *error);

/*
 * Verifies an access token of one of the issuers. claims.token.user_id is > 0 when it is good: users
 * that are to be provisioned have been. ERR_NOT_FOUND: it does not say that it is of one of them, or
 * is no token at all; ERR_UNAUTHENTICATED with the reason in error->detail; ERR_UPSTREAM_DOWN: the
 * users database is needed and out of reach; ERR_NO_MEMORY, ERR_INTERNAL.
 */
CW_MUST_CHECK enum err issuers_verify(struct issuers *issuers, struct arena *arena,
                                      struct str compact, int64_t now_s,
                                      struct issuer_claims *claims_out, struct error *error);
/* The short way: of a token that was good before, whether it is now. ERR_NOT_FOUND: it is not
 * remembered. */
CW_MUST_CHECK enum err issuers_recall(struct issuers *issuers, struct arena *arena,
                                      struct str compact, int64_t now_s,
                                      struct issuer_claims *claims_out, struct error *error);

#endif

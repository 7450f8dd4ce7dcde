/*
 * Reads into this node's list (revocations.h) what Redis holds of revocations, and proves that nothing is
 * missing. All of it is in the sorted set cw:revoked, which takes long to read; what is new is in the
 * stream cw:events, which is trimmed. So:
 *
 * - A reading of all begins with the end of the stream. What is added from then on comes as an event, and
 *   whoever adds writes the set first; so the pages and the events together leave nothing out.
 * - The last event that was read has to be there still when the next ones are asked for. If it is not, some
 *   between may have been trimmed away unread.
 * - Every look counts what has not expired. Redis may hold no less than this node saw there (something was
 *   lost), and no more than this node has (something came without an event).
 * - Every answer says whose data it is, and which: nothing is learnt from the data of another users
 *   database, and data that is another than before is read from the beginning. Data without a record of
 *   that is read like ours, and never written to: most likely it is ours, and what is revoked by somebody
 *   else speaks of none of our tokens.
 * - A key of another type counts as one that is not there.
 *
 * Where one of these does not hold, all is read again: a page with each look, so that news need not wait
 * for it. One thread.
 */
#ifndef API_IDENTITY_REVOCATION_READER_H
#define API_IDENTITY_REVOCATION_READER_H

#include "cachewarden/redis.h"
#include "cachewarden/revocations.h"
#include "control/dataset.h"
#include "control/version_guard.h"

/* What Redis held when it was asked last. */
enum revocation_data {
    REVOCATION_DATA_NONE, /* no record of whose data it is: it was lost, and may be about to be made anew */
    REVOCATION_DATA_FOREIGN,
    REVOCATION_DATA_OURS
};

struct revocation_reader {
    /* Borrowed; set before the first call, the rest is 0. */
    struct redis *control;
    struct version_guard *guard;
    struct revocations *list;
    struct arena *arena; /* of one round trip */
    int64_t budget_ms;   /* for one round trip */

    /* To be read by whoever owns it. */
    enum revocation_data data;
    bool has_answer; /* Redis told, the last time it was asked, what it holds */
    bool is_proven;  /* all of it has been read, and the counts were compared since */
    bool has_more;   /* the next look is to follow at once */
    size_t held;     /* members that had not expired when Redis was asked last */

    /* Which data it is. */
    char dataset[DATASET_ID_SIZE];
    int64_t term;
    uint64_t replication_id;

    bool is_whole;  /* all that Redis holds has been read, and news from there on */
    bool has_place; /* in the stream */
    char place[48]; /* the last event read: "<ms>-<number>", 41 characters at most */
    size_t page_from;

    size_t unreadable; /* members that nobody can read, when all were read last */
    bool
        is_suspicious; /* some seem to be lost; what has expired here is not counted the next time */
    bool has_failed;   /* since all was read; while it is read, what was read stays */
};

/* One round trip: news, a count, and the next page while not all is read. Errors of redis_run: an outage
 * may hide a Redis that lost its last seconds, so all is read again after one, the news first.
 * ERR_NO_MEMORY: what was not learnt is read again. A second round trip removes a key of another type, where
 * that may be written. */
CW_MUST_CHECK enum err revocation_reader_look(struct revocation_reader *reader,
                                              struct error *error);

/* Whether what was read last is ours and complete, so that something may be put back or removed. *replication_id_out
 * is for pipeline_require. */
bool revocation_reader_may_write(const struct revocation_reader *reader,
                                 uint64_t *replication_id_out);

#endif

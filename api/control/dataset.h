/*
 * The dataset, which is the hash cw:dataset in Redis, says which data this is, and holds the
 * epoch, so that whoever loses one loses both.
 *
 *   term      "<term>:<install id of the users database>"
 *   epoch     clears of everybody, and the jumps that a loss of data costs
 *   id        random; another one whenever the data was lost, not when it may only be older
 *   before    the id before it
 *   seen      when what was lost was last seen, in seconds
 *   replication_id
 *             the Redis it was written to (redis_replication_id_of)
 *   reserved  what the users database had reserved then, for when that one is put back older
 *   restored  "<term>:<user id>": up to there the switches have been put back
 *   spent     how many refresh tokens were spent; below what a node has seen, some of that was lost
 *   intact    the term since which nothing was lost; 0: nothing ever was, or all of it
 *   uncleared the epoch of the term, while nobody has cleared for all since the data has its id; else one below it
 *   entries   "<id>:<n>": the first n entries of that backup were put back, or tried, since the data has its id
 *
 * A token issued while Redis was out of reach is good once Redis is back, even if it came back empty:
 * nobody can have spent or revoked it in between. One from before `seen` may have been, and so may a
 * recorded one of a term before `intact`.
 */
#ifndef API_CONTROL_DATASET_H
#define API_CONTROL_DATASET_H

#include "cachewarden/arena.h"
#include "cachewarden/pipeline.h"

#define DATASET_ID_SIZE 32 /* hex digits of 128 bits; install ids have as many */

/* Strings point into the reply. */
struct dataset {
    bool is_whole;  /* it is all there: of us, or of another installation */
    bool has_epoch; /* it is there, and a number from 0 up */
    int64_t term, epoch, seen_at_s, reserved, restored, spent, intact;
    struct str install, id, before;
    uint64_t replication_id;
};

/* Adds one command; its reply is dataset_take's. What holds something else counts as absent. */
void dataset_ask(struct pipeline *pipeline);
void dataset_take(const struct value *reply, struct dataset *dataset_out);

/* Add the commands that write what a term changes, the epoch's first, and what is known of a loss. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err dataset_write_term(struct pipeline *pipeline, struct arena *arena,
                                          const struct dataset *dataset);
CW_MUST_CHECK enum err dataset_write_loss(struct pipeline *pipeline, const struct dataset *dataset);
/* Adds the command that notes how far the switches of this term have been put back. */
CW_MUST_CHECK enum err dataset_write_restored(struct pipeline *pipeline, struct arena *arena,
                                              int64_t term, int64_t restored);

/* "<term>:<install>"; false: it is not that. */
bool dataset_read_term(struct str text, int64_t *term_out, struct str *install_out);
bool dataset_is_id(struct str id);

/* Adds the command whose reply says whether nobody has cleared for all since the data has its id; where there is no
 * epoch nobody has either, but that is no data. False: somebody may have. */
void dataset_ask_uncleared(struct pipeline *pipeline);
bool dataset_is_uncleared(const struct value *reply, bool *is_there_out);
/* Adds the command that notes the epoch of a term that began so. */
void dataset_write_uncleared(struct pipeline *pipeline, int64_t epoch);

/* Entries of a backup that were put back since the data has its id. */
struct dataset_entries {
    struct str backup; /* its id; empty: none were */
    int64_t count;     /* its first ones: with them it was begun */
};
void dataset_ask_entries(struct pipeline *pipeline);
/* Texts point into the reply. What is no such note counts as one of no backup that there is. */
void dataset_take_entries(const struct value *reply, struct dataset_entries *entries_out);
/* Adds the command that notes it. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err dataset_write_entries(struct pipeline *pipeline, struct arena *arena,
                                             const struct dataset_entries *entries);

/* For a token without a record: asks, and says whether one issued for the data `id` may be good under
 * the data that is there. *is_there_out: there is any. */
void dataset_ask_ids(struct pipeline *pipeline);
bool dataset_allows(const struct value *reply, struct str id, int64_t issued_at_s,
                    bool *is_there_out);
/* The same reply: whether what was issued then was issued for the data that is there, not for what was
 * lost before. */
bool dataset_existed_at(const struct value *reply, int64_t issued_at_s);
/* The same reply: whether nothing was lost since that term, so that a token of it was not spent in what
 * was. */
bool dataset_is_intact(const struct value *reply, int64_t term);

/* Adds the command that counts a refresh token that is spent; it answers how many those are now, which is
 * for version_guard_note_spent. */
void dataset_count_spent(struct pipeline *pipeline);

#endif

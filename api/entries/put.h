/*
 * A fill while it is made: what put.c shares with the files for its two special cases. Where it may be stored only
 * where nothing is, that is put_if_absent.c; where it is refused, give_up.c.
 */
#ifndef API_ENTRIES_PUT_H
#define API_ENTRIES_PUT_H

#include "entries/look.h"
#include "keyspace.h"

enum store {
    STORE_NOTHING = 0,
    STORE_IN_PLACE,  /* of whatever is there */
    STORE_IF_ABSENT, /* where nothing is, good or out of date */
    STORE_DROP       /* what is there goes */
};

struct put {
    const struct entry_request *request;
    const struct entry_fill *fill;
    struct label_key key;
    struct key scratch; /* of a number that may be stored only where nothing is */
    struct lease lease;
    bool has_lease;
    bool is_number;
    enum err admission;       /* what is to be said, if it would be stored */
    bool is_kept;             /* something was stored, be it void */
    struct envelope envelope; /* with the numbers it is to carry */
    enum store store;         /* of this try */
    struct str bytes;         /* what is stored by it */
    size_t stored_at;         /* the reply that says whether it was */
};

/* Makes the bytes of a try, with the numbers that put->envelope has now. ERR_NO_MEMORY. */
CW_MUST_CHECK enum err put_encode(struct put *put, enum store store);

/* The commands of a try; what is stored by it is behind them. */
enum { PUT_MULTI, PUT_HEAD };
/* Adds one step: what is stored takes the place of what the head tells of, and of nothing that came since. Whoever
 * waits for this fill is told behind it. */
void put_add_step(struct put *put, struct pipeline *pipeline);
/* The look that such a step is a part of; where entries have a Redis of their own it comes first. */
struct entry_look put_look(struct put *put);
/* The numbers it is to carry, now that a look knows those of now. False: something was cleared since the lease. */
bool put_stamp(struct put *put, const struct entry_look *look);
/* The same at a later look. Those of a lease stay as the first look found them good: what is stored with them is served
 * while they are current, and void only when they are not. */
bool put_stamp_again(struct put *put, const struct entry_look *look);
/* Whether they are those that a try was made with. */
bool put_has_numbers_of(const struct put *put, const struct envelope *tried);
/* Whether the try stored something. */
bool put_was_stored(const struct put *put, const struct pipeline *pipeline);

/* The cache is off: what is there goes. */
CW_MUST_CHECK enum err put_drop(struct put *put);

/* Stores it where nothing is, or something out of date, after a look. ERR_PRECONDITION: something good is there. */
CW_MUST_CHECK enum err put_if_absent(struct put *put, struct entry_look *look,
                                     struct entry_stored *stored_out);
/* That refusal. */
CW_MUST_CHECK enum err put_refuse_present(struct error *error);

/* Cleans up after a fill that ended with `err`. Whoever waits for it need not. */
void put_give_up(const struct put *put, enum err err);

#endif

/*
 * Keeps versions from going back and from repeating, whatever happens to Redis. ARCHITECTURE.md,
 * "Versions that never repeat", has the reasoning; in short:
 *
 * - Every operation on versions brings back, in its one round trip, what tells whether the control
 *   data is the one this node has agreed to: where the answer came from (pipeline_origin), the epoch,
 *   and its witness. keeper_trusts compares that with a few words in memory.
 * - What is not trusted is not shown. keeper_settle looks closer and mends: it reads the marker and
 *   the floor, begins a new era above the floor if the data was lost or may be older, and only then
 *   lets the operation be run again.
 * - Nobody ever writes a lower epoch: it is made with SET NX and moved with INCRBY.
 *
 * Any thread. No lock is held while Redis or the database is asked; one thread settles at a time,
 * the others wait for it.
 */
#ifndef API_CONTROL_KEEPER_H
#define API_CONTROL_KEEPER_H

#include "cachewarden/pool.h"
#include "identity/marker.h"

struct keeper;

struct keeper_options {
    struct pool *control; /* with asks_origin; borrowed as all here */
    struct users *users;
    struct marker *marker;
};

/* Asks Redis nothing, and becomes the gate of the pool: nothing is written to control data that was
 * not agreed to. Errors of users_fact_get. */
CW_MUST_CHECK enum err keeper_new(const struct keeper_options *options, struct keeper **keeper_out,
                                  struct error *error);
void keeper_free(struct keeper **keeper);

/* Control data of another users database is taken over, once: with a new era, because its ids are
 * other people's. Before anything is settled. */
void keeper_adopt(struct keeper *keeper);

/* Redis loses nothing at a restart: where an answer came from does not matter. Before anything is
 * settled. */
void keeper_rely(struct keeper *keeper);

/* For a program that does one thing and ends: if those that serve do not look at where an answer
 * came from, it does not either, and begins no era on that account. Before anything is settled. */
void keeper_follow(struct keeper *keeper);

/* What one round trip brought back, beside the account's own. */
struct keeper_sight {
    uint64_t origin;
    bool has_epoch; /* both numbers are there */
    int64_t epoch, witness;
};

/* Whether what was read is of the control data agreed to, and this version, which is made of it,
 * may be shown. A few loads; no system call. */
bool keeper_trusts(struct keeper *keeper, const struct keeper_sight *sight, int64_t version);

/* Whether control data was ever agreed to. */
bool keeper_has_settled(struct keeper *keeper);

/*
 * Makes sure that the control data is sound now, mending it if need be; what was read before is to
 * be read again. Two round trips when there is nothing to mend. Errors of pipeline_run and of the
 * users database; ERR_UPSTREAM_REFUSED as well when the data belongs to another users database
 * (the caller's text says so and what to do); ERR_TIMEOUT.
 */
CW_MUST_CHECK enum err keeper_settle(struct keeper *keeper, int64_t deadline_ns,
                                     struct error *error);

/* The last look found control data of another users database: error gets the text of that. */
bool keeper_is_foreign(struct keeper *keeper, struct error *error);

#endif

/*
 * Keeps versions from going back and from repeating, whatever happens to Redis, and every write from
 * control data that is not ours. docs/design/versions.md has the reasoning; in short:
 *
 * - Every operation on versions brings back, in its one round trip, what tells whether the control
 *   data is the one this node has agreed to. version_guard_trusts compares that with what the node
 *   knew before it asked: a few words in memory.
 * - What is not trusted is not shown. version_guard_reconcile looks closer, and repairs: it begins a
 *   new term above the reserved number if the data was lost or may be older. Then the operation is
 *   done again: what it wrote before was written in a term that is over. Only where the data had
 *   merely come into a newer term than this node knew, it was done in that.
 * - The epoch is only ever moved by increments.
 *
 * Any thread. No lock is held while Redis or the database is asked; one thread reconciles at a time,
 * the others wait for it, each no longer than its own deadline.
 */
#ifndef API_CONTROL_VERSION_GUARD_H
#define API_CONTROL_VERSION_GUARD_H

#include "cachewarden/redis.h"
#include "cachewarden/users.h"
#include "cachewarden/work.h"
#include "control/observation.h"

struct version_guard;

/* Asks Redis nothing, and becomes the gate of the pool (with asks_replication_id): nothing is written to
 * control data that was not agreed to. Both are borrowed. Errors of users_fact_get. */
CW_MUST_CHECK enum err version_guard_new(struct redis *control, struct users *users,
                                         struct version_guard **guard_out, struct error *error);
void version_guard_free(struct version_guard **guard);
/* Before anything is asked: how long a term that another node has begun, and not yet written to Redis, is left
 * to it. After that the node is taken for dead, and the next term begins. */
void version_guard_set_patience(struct version_guard *guard, int64_t patience_ms);

/* These three before anything is asked. Control data of another users database is taken over, once,
 * with a new term, because its ids are other people's. */
void version_guard_adopt(struct version_guard *guard);
/* Redis loses nothing at a restart: where an answer came from does not matter. */
void version_guard_rely(struct version_guard *guard);
/* For a program that does one thing and ends: if those that serve do not look at where an answer came
 * from, it does not either, and begins no term on that account. */
void version_guard_follow(struct version_guard *guard);

/* Whether something may be written where there is something to repair. PASSIVE waits a while for
 * another node to do it. */
enum version_guard_mode { VERSION_GUARD_REPAIRS, VERSION_GUARD_PASSIVE };
/* Servers look four times a second, and repair at once. */
#define VERSION_GUARD_PASSIVE_MS 2000

/* What a node knows at one moment. */
struct version_knowledge {
    int64_t term;
    uint64_t replication_id;
    int64_t epoch; /* the highest one seen */
    /* The switches of users up to this id are in Redis; those above are only in the users database. */
    int64_t restored;
};

/* The last account whose switch was put back: this, when none is left. */
#define ALL_RESTORED INT64_MAX
static inline bool version_is_all_restored(const struct version_knowledge *known)
{
    return known->restored == ALL_RESTORED;
}

/* Of `work` the guard needs no memory: it has its own. To be asked before Redis is. Agrees to the
 * control data first where nothing was agreed to. Errors of version_guard_reconcile. */
CW_MUST_CHECK enum err version_guard_know(struct version_guard *guard, enum version_guard_mode mode,
                                          struct work work, struct version_knowledge *known_out);

/* Whether what was observed is of the control data agreed to, and no older than what was known. */
bool version_guard_trusts(struct version_guard *guard, const struct version_knowledge *known,
                          const struct observation *seen);

/* Makes of it the version to show, which no loss of data can bring back. *version_out is 0: the term has
 * changed meanwhile, and it is to be looked at again. ERR_UPSTREAM_REFUSED: no clears could
 * have brought a number there. */
CW_MUST_CHECK enum err version_guard_show(struct version_guard *guard, enum version_guard_mode mode,
                                          struct work work, const struct version_knowledge *known,
                                          const struct observation *seen, int64_t *version_out);

/*
 * Makes sure that the control data is sound now, repairing it if need be. Two round trips when there
 * is nothing to repair. Errors of redis_run and of the users database; ERR_UPSTREAM_REFUSED as well
 * when the data belongs to another users database (the caller's text says so and what to do);
 * ERR_NOT_FOUND: passive, and no node ever wrote anything; ERR_TIMEOUT.
 */
CW_MUST_CHECK enum err version_guard_reconcile(struct version_guard *guard,
                                               enum version_guard_mode mode, struct work work);

/*
 * The term in the users database is not the one that was agreed to, or may not be: rows were put back there (a restore
 * moves the term with them, so that no node can miss it). The next reconciling reads it, and begins the term after it.
 * `own_term`: the caller has moved it there, and waits for nobody else to go on; 0: who knows.
 */
void version_guard_doubt(struct version_guard *guard, int64_t own_term);
/* Doubts if the users database names another term. For the thread that restores; every second or so. */
void version_guard_look_at_users(struct version_guard *guard);

/* Puts the next portion of switches back into Redis, where a new term has left them out. One thread.
 * True: there is more to do, and this node is the one to do it. */
bool version_guard_restore(struct version_guard *guard, int64_t deadline_ns);

/* The last look found control data of another users database: error gets the text of that. */
bool version_guard_is_foreign(struct version_guard *guard, struct error *error);

/* It is the id of our users database: control data that names it is ours. */
bool version_guard_is_install(const struct version_guard *guard, struct str install);
/* What the gate of the pool says as long as it need ask nobody: false where nothing was agreed to, or what
 * is there is another's. *replication_id_out is for pipeline_require. */
bool version_guard_may_write(struct version_guard *guard, uint64_t *replication_id_out);

/* What was agreed to, as far as it decides whether something in Redis may be missing or be another's:
 * when one of these is another one, all that was read from Redis is to be read again. */
struct version_guard_basis {
    int64_t term; /* 0: nothing was agreed to */
    uint64_t replication_id;
};
struct version_guard_basis version_guard_basis(const struct version_guard *guard);

/* So many refresh tokens were spent: Redis said so. Who finds fewer there knows that some were lost. */
void version_guard_note_spent(struct version_guard *guard, int64_t spent);

/* False for a moment after a new term began: another node may know that what this one believes to be
 * whole has lost something. */
bool version_guard_is_settled(const struct version_guard *guard);

/* The id of the control data that Redis held when it was looked at last; false: it held none. */
#define VERSION_GUARD_ID_SIZE 32
bool version_guard_dataset(struct version_guard *guard, char id_out[VERSION_GUARD_ID_SIZE]);
/* The id this node agreed to last, whether it is there now or not; kept in the users database, so that one
 * started while Redis is down goes on with it. In the arena; {NULL,0} when memory is out. */
struct str version_guard_last_dataset(struct version_guard *guard, struct arena *arena);

#endif

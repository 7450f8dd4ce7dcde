#include "cachewarden/password.h"

#include "cachewarden/clock.h"
#include "cachewarden/lock.h"
#include "cachewarden/random.h"

#include <argon2.h>
#include <pthread.h>
#include <unistd.h>

/* OWASP's first choice for argon2id; 15 ms and 19 MiB a hash here. */
enum {
    MEMORY_KIB = 19456,
    PASSES = 2,
    LANES = 1,
    SALT_SIZE = 16,
    HASH_SIZE = 32,
    ENCODED_MAX_SIZE = 128,
};

/* What a stored hash may ask for. The database is ours, but a row gone wrong must not eat the
 * machine. */
enum { MEMORY_MAX_KIB = 1024 * 1024, PASSES_MAX = 64, LANES_MAX = 16 };

/*
 * The gate: as many hashes at once as there are cores, because more would only make all of them
 * slower and take 19 MiB each. Who comes then waits, and holds a worker thread while waiting; so that
 * a flood of sign-ins leaves threads for everybody else, the gate never holds more than seven in
 * eight of them. Those whom it holds sleep, and a flood that sleeps is not in the way of others: of
 * those who are turned away at once the next is at the door at once.
 */
static struct {
    struct lock lock;
    struct lock_cond place_came_free;
    unsigned cores;   /* set once */
    unsigned workers; /* guarded by lock, as are the rest */
    unsigned running;
    unsigned waiting;
    unsigned granted; /* places given to waiters that have not woken yet; counted in `running` */
    uint64_t hashes, refusals; /* since the start */
} gate;
static pthread_once_t gate_once = PTHREAD_ONCE_INIT;

/* What a program without a server of its own has, and tests. */
enum { FEW_WORKERS = 16 };

static void gate_set_up(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    lock_init(&gate.lock, LOCK_RANK_HASHING, "password hashing");
    lock_cond_init(&gate.place_came_free);
    gate.cores = cores < 1 ? 1 : (unsigned)cores;
    gate.workers = FEW_WORKERS;
}

void password_set_workers(unsigned workers)
{
    pthread_once(&gate_once, gate_set_up);
    lock_acquire(&gate.lock);
    gate.workers = workers;
    lock_release(&gate.lock);
}

/* How many threads may be in here, running or waiting. */
static unsigned gate_room(void) CW_NEEDS_LOCK(&gate.lock)
{
    unsigned room = gate.workers - (gate.workers + 7) / 8;

    return room > 0 ? room : 1;
}

static bool gate_has_place(void) CW_NEEDS_LOCK(&gate.lock)
{
    return gate.running < gate.cores && gate.running < gate_room();
}

/* A place is handed to who waits for it: a newcomer cannot snatch it. */
static enum err gate_wait(int64_t deadline_ns) CW_NEEDS_LOCK(&gate.lock)
{
    bool is_in_time = true;

    gate.waiting++;
    while (gate.granted == 0 && is_in_time)
        is_in_time = lock_cond_wait(&gate.place_came_free, &gate.lock, deadline_ns);
    gate.waiting--;
    if (gate.granted == 0)
        return ERR_BUSY;
    gate.granted--;
    return ERR_OK;
}

static enum err gate_enter(int64_t deadline_ns)
{
    enum err err = ERR_OK;

    pthread_once(&gate_once, gate_set_up);
    lock_acquire(&gate.lock);
    if (gate_has_place())
        gate.running++;
    else if (gate.running + gate.waiting - gate.granted >= gate_room())
        err = ERR_BUSY;
    else
        err = gate_wait(deadline_ns);
    if (err == ERR_OK)
        gate.hashes++;
    else
        gate.refusals++;
    lock_release(&gate.lock);
    return err;
}

static void gate_leave(void)
{
    lock_acquire(&gate.lock);
    if (gate.waiting > gate.granted) {
        gate.granted++;
        lock_cond_signal(&gate.place_came_free);
    } else {
        gate.running--;
    }
    lock_release(&gate.lock);
}

void password_stats_read(struct password_stats *stats_out)
{
    pthread_once(&gate_once, gate_set_up);
    lock_acquire(&gate.lock);
    *stats_out = (struct password_stats){.places = gate.cores,
                                         .running = gate.running - gate.granted,
                                         .waiting = gate.waiting,
                                         .hashes = gate.hashes,
                                         .refusals = gate.refusals};
    lock_release(&gate.lock);
}

enum err password_hash(struct arena *arena, struct str password, int64_t deadline_ns,
                       struct str *encoded_out)
{
    unsigned char salt[SALT_SIZE];

    *encoded_out = STR_NONE;
    char *encoded = arena_alloc(arena, ENCODED_MAX_SIZE);
    if (!encoded)
        return ERR_NO_MEMORY;
    enum err err = gate_enter(deadline_ns);
    if (err)
        return err;
    random_bytes(salt, sizeof salt);
    int result = argon2id_hash_encoded(PASSES, MEMORY_KIB, LANES, password.ptr, password.len, salt,
                                       sizeof salt, HASH_SIZE, encoded, ENCODED_MAX_SIZE);
    gate_leave();
    if (result == ARGON2_MEMORY_ALLOCATION_ERROR)
        return ERR_NO_MEMORY;
    if (result != ARGON2_OK)
        return ERR_INTERNAL;
    *encoded_out = str_from(encoded);
    return ERR_OK;
}

struct argon2_parameters {
    int64_t memory_kib, passes, lanes;
};

/* "m=19456" from the front of *rest; the separator behind it goes too. */
static bool take_parameter(struct str *rest, char separator, struct str name, int64_t max,
                           int64_t *value_out)
{
    struct str part;

    return str_split(rest, separator, &part) && str_starts(part, name) &&
           str_to_int64(str_sub(part, name.len, part.len), 1, max, value_out);
}

/* $argon2id$v=19$m=19456,t=2,p=1$salt$hash: the parameters. The library checks the rest. */
static bool read_parameters(struct str encoded, struct argon2_parameters *parameters_out)
{
    struct str prefix = STR("$argon2id$v=19$");
    struct str rest = str_sub(encoded, prefix.len, encoded.len);

    return str_starts(encoded, prefix) && encoded.len < ENCODED_MAX_SIZE &&
           take_parameter(&rest, ',', STR("m="), MEMORY_MAX_KIB, &parameters_out->memory_kib) &&
           take_parameter(&rest, ',', STR("t="), PASSES_MAX, &parameters_out->passes) &&
           take_parameter(&rest, '$', STR("p="), LANES_MAX, &parameters_out->lanes);
}

/* As much work as a real one, for names nobody has: the time must not tell who has an account. */
static enum err refuse_slowly(struct str password, int64_t deadline_ns)
{
    static const unsigned char salt[SALT_SIZE];
    unsigned char hash[HASH_SIZE];

    enum err err = gate_enter(deadline_ns);
    if (err)
        return err;
    int result = argon2id_hash_raw(PASSES, MEMORY_KIB, LANES, password.ptr, password.len, salt,
                                   sizeof salt, hash, sizeof hash);
    gate_leave();
    secret_wipe(hash, sizeof hash);
    if (result == ARGON2_MEMORY_ALLOCATION_ERROR)
        return ERR_NO_MEMORY;
    return result == ARGON2_OK ? ERR_UNAUTHENTICATED : ERR_INTERNAL;
}

enum err password_verify(struct str encoded, struct str password, int64_t deadline_ns,
                         bool *rehash_out)
{
    struct argon2_parameters parameters;
    char text[ENCODED_MAX_SIZE];

    *rehash_out = false;
    /* Nobody has a longer one: a megabyte is not hashed to find that out. */
    if (password.len > PASSWORD_MAX_SIZE)
        return refuse_slowly(str_sub(password, 0, PASSWORD_MAX_SIZE), deadline_ns);
    if (encoded.len == 0)
        return refuse_slowly(password, deadline_ns);
    if (!read_parameters(encoded, &parameters))
        return ERR_INTERNAL;
    memcpy(text, encoded.ptr, encoded.len);
    text[encoded.len] = '\0';

    enum err err = gate_enter(deadline_ns);
    if (err)
        return err;
    int result = argon2id_verify(text, password.ptr, password.len);
    gate_leave();
    secret_wipe(text, sizeof text);
    switch (result) {
    case ARGON2_OK:
        *rehash_out = parameters.memory_kib != MEMORY_KIB || parameters.passes != PASSES ||
                      parameters.lanes != LANES;
        return ERR_OK;
    case ARGON2_VERIFY_MISMATCH:
        return ERR_UNAUTHENTICATED;
    case ARGON2_MEMORY_ALLOCATION_ERROR:
        return ERR_NO_MEMORY;
    default:
        return ERR_INTERNAL;
    }
}

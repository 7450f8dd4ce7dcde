/*
 * A hash table that is read without a lock. Readers look at atomic words only: the hash of what is
 * revoked, and the last second in which a token it speaks of may have been issued. Whoever adds
 * holds the lock and writes the words of a free slot, hash last. Two things move words about:
 * growing puts a new table beside the old one, which stays until the end (all old ones together are
 * smaller than the newest); a clean-up writes the table anew, with `version` odd meanwhile, and a
 * reader that finds it odd or changed looks again under the lock.
 *
 * Hashes are of 64 bits and keyed by a secret of the process. Two different names with one hash
 * would refuse a good token; with a million revocations that is one token in 10^13.
 */
#include "tokens/revocations_private.h"

#include "cachewarden/random.h"

#include <stdlib.h>

enum { FIRST_SLOTS = 1024, SLOTS_PER_ENTRY = 2 };

/* ---- hashes ---- */

static uint64_t mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9fb21c651e98df25);
    return hash ^ (hash >> 32);
}

static uint64_t mix_text(uint64_t hash, struct str text)
{
    uint64_t word;

    hash = mix(hash, text.len);
    while (text.len >= sizeof word) {
        memcpy(&word, text.ptr, sizeof word);
        hash = mix(hash, word);
        text.ptr += sizeof word;
        text.len -= sizeof word;
    }
    if (text.len == 0)
        return hash;
    word = 0;
    memcpy(&word, text.ptr, text.len);
    return mix(hash, word);
}

/* Never 0, which stands for a free slot. */
static uint64_t hash_of(uint64_t key, enum revocation_kind kind, struct str name, int64_t user_id,
                        struct str whose)
{
    uint64_t hash = mix_text(mix(key, (uint64_t)kind), name);

    hash = mix(mix_text(mix(hash, (uint64_t)user_id), whose), key);
    return hash == 0 ? 1 : hash;
}

static uint64_t hash_revocation(const struct revocations *revocations,
                                const struct revocation *revocation)
{
    return hash_of(revocations->key, revocation->kind, revocation->name, revocation->user_id,
                   revocation->whose);
}

/* Up to which second tokens are void, as it is kept in the slot. */
static int64_t cut_of(const struct revocation *revocation)
{
    return revocation->kind == REVOKED_USER ? revocation->cut_s : INT64_MAX;
}

/* ---- life ---- */

static struct revocations_table *table_new(size_t slots, struct revocations_table *older)
{
    struct revocations_table *table = calloc(1, sizeof *table + slots * sizeof table->slots[0]);

    if (table) {
        table->mask = slots - 1;
        table->older = older;
    }
    return table;
}

enum err revocations_new(struct revocations **revocations_out)
{
    struct revocations *revocations = calloc(1, sizeof *revocations);
    struct revocations_table *table = table_new(FIRST_SLOTS, NULL);

    *revocations_out = NULL;
    if (!revocations || !table) {
        free(revocations);
        free(table);
        return ERR_NO_MEMORY;
    }
    random_bytes(&revocations->key, sizeof revocations->key);
    atomic_init(&revocations->table, table);
    lock_init(&revocations->lock, LOCK_RANK_LEAF, "revocations");
    *revocations_out = revocations;
    return ERR_OK;
}

void revocations_free(struct revocations **revocations)
{
    struct revocations *freed = *revocations;

    if (!freed)
        return;
    for (size_t i = 0; i < atomic_load(&freed->count); i++)
        free(freed->entries[i].texts);
    free(freed->entries);
    for (struct revocations_table *table = atomic_load(&freed->table), *older; table;
         table = older) {
        older = table->older;
        free(table);
    }
    lock_fini(&freed->lock);
    free(freed);
    *revocations = NULL;
}

/* ---- reading ---- */

/*
 * Loads are acquires, so each is made before the next; the writers' releases pair with them. A user may
 * have a few slots (one for each number of days), so the walk goes on to the first free one.
 */
static bool look_up(struct revocations *revocations, uint64_t hash, int64_t issued_at_s)
{
    struct revocations_table *table =
        atomic_load_explicit(&revocations->table, memory_order_acquire);

    for (size_t i = hash & table->mask, steps = 0; steps <= table->mask;
         i = (i + 1) & table->mask, steps++) {
        uint64_t found = atomic_load_explicit(&table->slots[i].hash, memory_order_acquire);
        if (found == 0)
            return false;
        if (found == hash &&
            issued_at_s <= atomic_load_explicit(&table->slots[i].cut_s, memory_order_acquire))
            return true;
    }
    return false;
}

static bool look_up_token(struct revocations *revocations, const struct revocation_subject *subject)
{
    uint64_t hash = subject->is_own
                        ? hash_of(revocations->key, REVOKED_TOKEN, subject->token_id, 0, STR_NONE)
                        : hash_of(revocations->key, REVOKED_FOREIGN, subject->token_id,
                                  subject->user_id, subject->issuer);

    return look_up(revocations, hash, subject->issued_at_s);
}

static bool look_up_all(struct revocations *revocations, const struct revocation_subject *subject)
{
    const uint64_t key = revocations->key;
    const int64_t issued_at_s = subject->issued_at_s;
    struct str whose = subject->incarnation.len > 0 ? subject->incarnation : subject->issuer;

    return (subject->token_id.len > 0 && look_up_token(revocations, subject)) ||
           (subject->family.len > 0 &&
            look_up(revocations, hash_of(key, REVOKED_FAMILY, subject->family, 0, STR_NONE),
                    issued_at_s)) ||
           (subject->user_id > 0 &&
            look_up(revocations, hash_of(key, REVOKED_USER, STR_NONE, subject->user_id, whose),
                    issued_at_s));
}

bool revocations_cover(struct revocations *revocations, const struct revocation_subject *subject)
{
    uint64_t before = atomic_load_explicit(&revocations->version, memory_order_acquire);

    /* Most of the time nothing is revoked. A clean-up only lowers the count to what it keeps. */
    if (atomic_load_explicit(&revocations->count, memory_order_acquire) == 0)
        return false;
    if (before % 2 == 0) {
        bool is_covered = look_up_all(revocations, subject);
        if (atomic_load_explicit(&revocations->version, memory_order_acquire) == before)
            return is_covered;
    }
    lock_acquire(&revocations->lock);
    bool is_covered = look_up_all(revocations, subject);
    lock_release(&revocations->lock);
    return is_covered;
}

bool revocations_are_known(const struct revocations *revocations)
{
    return !atomic_load_explicit(&revocations->is_incomplete, memory_order_acquire);
}

void revocations_set_known(struct revocations *revocations, bool is_known)
{
    atomic_store_explicit(&revocations->is_incomplete, !is_known, memory_order_release);
}

size_t revocations_count(struct revocations *revocations)
{
    return atomic_load(&revocations->count);
}

/* ---- writing, under the lock ---- */

static int64_t kept_s(const struct revocation *revocation)
{
    return revocation->expires_at_s - revocation->cut_s;
}

/* Whether they are written down as the same member. What is two members is two here, too: who counts both
 * sides must count the same. */
static bool is_same(const struct revocation *a, const struct revocation *b)
{
    return a->kind == b->kind && a->user_id == b->user_id && str_eq(a->name, b->name) &&
           str_eq(a->whose, b->whose) && (a->kind != REVOKED_USER || kept_s(a) == kept_s(b));
}

/* Its slot, or NULL. */
struct revocations_slot *revocations_find_locked(struct revocations *revocations,
                                                 const struct revocation *wanted)
    CW_NEEDS_LOCK(&revocations->lock)
{
    struct revocations_table *table = atomic_load(&revocations->table);
    uint64_t hash = hash_revocation(revocations, wanted), found;

    for (size_t i = hash & table->mask; (found = atomic_load(&table->slots[i].hash)) != 0;
         i = (i + 1) & table->mask) {
        if (found == hash &&
            is_same(&revocations->entries[table->slots[i].entry].revocation, wanted))
            return &table->slots[i];
    }
    return NULL;
}

/* Into a free slot: there always is one, the table is half empty. */
static void place(const struct revocations *revocations, struct revocations_table *table,
                  size_t entry)
{
    const struct revocation *revocation = &revocations->entries[entry].revocation;
    uint64_t hash = hash_revocation(revocations, revocation);
    size_t i = hash & table->mask;

    while (atomic_load_explicit(&table->slots[i].hash, memory_order_relaxed) != 0)
        i = (i + 1) & table->mask;
    table->slots[i].entry = entry;
    atomic_store_explicit(&table->slots[i].cut_s, cut_of(revocation), memory_order_release);
    atomic_store_explicit(&table->slots[i].hash, hash, memory_order_release);
}

/* Room for one more entry, and for its slot. */
static enum err make_room_locked(struct revocations *revocations) CW_NEEDS_LOCK(&revocations->lock)
{
    struct revocations_table *table = atomic_load(&revocations->table);
    size_t count = atomic_load(&revocations->count);

    if (count == revocations->capacity) {
        size_t capacity = count > 0 ? count * 2 : 64;
        struct revocations_entry *entries =
            reallocarray(revocations->entries, capacity, sizeof *entries);
        if (!entries)
            return ERR_NO_MEMORY;
        revocations->entries = entries;
        revocations->capacity = capacity;
    }
    if ((count + 1) * SLOTS_PER_ENTRY <= table->mask + 1)
        return ERR_OK;
    struct revocations_table *larger = table_new((table->mask + 1) * 2, table);
    if (!larger)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < count; i++)
        place(revocations, larger, i);
    atomic_store_explicit(&revocations->table, larger, memory_order_release);
    return ERR_OK;
}

/* The later expiry holds, and with it the later cut. What has changed is not in Redis yet. */
static void extend_locked(struct revocations *revocations, struct revocations_slot *slot,
                          const struct revocation *revocation, bool is_saved)
    CW_NEEDS_LOCK(&revocations->lock)
{
    struct revocations_entry *entry = &revocations->entries[slot->entry];
    bool was_saved = entry->is_saved;

    if (revocation->expires_at_s > entry->revocation.expires_at_s) {
        entry->revocation.expires_at_s = revocation->expires_at_s;
        entry->revocation.cut_s = revocation->cut_s;
        entry->is_saved = is_saved;
        atomic_store_explicit(&slot->cut_s, cut_of(revocation), memory_order_release);
    } else if (revocation->expires_at_s == entry->revocation.expires_at_s) {
        entry->is_saved = was_saved || is_saved;
    }
    revocations->unsaved += (size_t)was_saved - (size_t)entry->is_saved;
}

static bool copy_texts(struct revocations_entry *entry)
{
    struct str *name = &entry->revocation.name, *whose = &entry->revocation.whose;

    if (name->len + whose->len == 0)
        return true;
    entry->texts = malloc(name->len + whose->len);
    if (!entry->texts)
        return false;
    if (name->len > 0)
        memcpy(entry->texts, name->ptr, name->len);
    if (whose->len > 0)
        memcpy(entry->texts + name->len, whose->ptr, whose->len);
    name->ptr = entry->texts;
    whose->ptr = entry->texts + name->len;
    return true;
}

static enum err insert_locked(struct revocations *revocations, const struct revocation *revocation,
                              bool is_saved) CW_NEEDS_LOCK(&revocations->lock)
{
    size_t count = atomic_load(&revocations->count);
    enum err err = make_room_locked(revocations);
    if (err != ERR_OK)
        return err;

    struct revocations_entry *entry = &revocations->entries[count];
    *entry = (struct revocations_entry){*revocation, is_saved, NULL};
    if (!copy_texts(entry))
        return ERR_NO_MEMORY;
    place(revocations, atomic_load(&revocations->table), count);
    revocations->unsaved += is_saved ? 0 : 1;
    atomic_store(&revocations->count, count + 1);
    return ERR_OK;
}

enum err revocations_add(struct revocations *revocations, const struct revocation *revocation,
                         bool is_saved)
{
    enum err err = ERR_OK;

    lock_acquire(&revocations->lock);
    struct revocations_slot *slot = revocations_find_locked(revocations, revocation);
    if (slot)
        extend_locked(revocations, slot, revocation, is_saved);
    else
        err = insert_locked(revocations, revocation, is_saved);
    lock_release(&revocations->lock);
    return err;
}

/* Drops what is over from the entries; whether there was any. */
static bool compact_locked(struct revocations *revocations, int64_t now_s)
    CW_NEEDS_LOCK(&revocations->lock)
{
    size_t count = atomic_load(&revocations->count), kept = 0;

    for (size_t i = 0; i < count; i++) {
        struct revocations_entry *entry = &revocations->entries[i];
        if (entry->revocation.expires_at_s > now_s) {
            revocations->entries[kept++] = *entry;
            continue;
        }
        revocations->unsaved -= entry->is_saved ? 0 : 1;
        free(entry->texts);
    }
    atomic_store(&revocations->count, kept);
    return kept < count;
}

void revocations_expire(struct revocations *revocations, int64_t now_s)
{
    lock_acquire(&revocations->lock);
    if (compact_locked(revocations, now_s)) {
        struct revocations_table *table = atomic_load(&revocations->table);
        /* Odd before the first word moves: the stores below are releases. */
        uint64_t version = atomic_fetch_add(&revocations->version, 1);
        for (size_t i = 0; i <= table->mask; i++)
            atomic_store_explicit(&table->slots[i].hash, 0, memory_order_release);
        for (size_t i = 0; i < atomic_load(&revocations->count); i++)
            place(revocations, table, i);
        atomic_store_explicit(&revocations->version, version + 2, memory_order_release);
    }
    lock_release(&revocations->lock);
}

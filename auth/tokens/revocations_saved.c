/* Which of the revocations Redis holds; see revocations.h. */
#include "tokens/revocations_private.h"

void revocations_doubt(struct revocations *revocations)
{
    lock_acquire(&revocations->lock);
    revocations->unsaved = atomic_load(&revocations->count);
    for (size_t i = 0; i < revocations->unsaved; i++)
        revocations->entries[i].is_saved = false;
    lock_release(&revocations->lock);
}

enum err revocations_unsaved(struct revocations *revocations, struct arena *arena, int64_t now_s,
                             size_t max, struct revocation **list_out, size_t *count_out)
{
    struct revocation *list = arena_calloc(arena, max, sizeof *list);
    enum err err = list ? ERR_OK : ERR_NO_MEMORY;
    size_t found = 0;

    lock_acquire(&revocations->lock);
    size_t all = atomic_load(&revocations->count);
    size_t wanted = revocations->unsaved < max ? revocations->unsaved : max;
    for (size_t i = 0; err == ERR_OK && found < wanted && i < all; i++) {
        const struct revocations_entry *entry = &revocations->entries[i];
        if (entry->is_saved || entry->revocation.expires_at_s <= now_s)
            continue;
        list[found] = entry->revocation;
        list[found].name = str_dup(arena, entry->revocation.name);
        list[found].whose = str_dup(arena, entry->revocation.whose);
        if (!list[found].name.ptr || !list[found].whose.ptr)
            err = ERR_NO_MEMORY;
        found++;
    }
    lock_release(&revocations->lock);
    *list_out = list;
    *count_out = err == ERR_OK ? found : 0;
    return err;
}

size_t revocations_saved_count(struct revocations *revocations)
{
    lock_acquire(&revocations->lock);
    size_t count = atomic_load(&revocations->count) - revocations->unsaved;
    lock_release(&revocations->lock);
    return count;
}

/* One that has become later meanwhile has to be saved again. */
void revocations_saved(struct revocations *revocations, const struct revocation *list, size_t count)
{
    lock_acquire(&revocations->lock);
    for (size_t i = 0; i < count; i++) {
        struct revocations_slot *slot = revocations_find_locked(revocations, &list[i]);
        struct revocations_entry *entry = slot ? &revocations->entries[slot->entry] : NULL;
        if (!entry || entry->is_saved || entry->revocation.expires_at_s != list[i].expires_at_s)
            continue;
        entry->is_saved = true;
        revocations->unsaved--;
    }
    lock_release(&revocations->lock);
}

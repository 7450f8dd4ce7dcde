/* All that are in the folder. */
#include "backup/catalogue_private.h"

#include "cachewarden/log.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The id in a file's name; false: it is none of ours. */
static bool id_of(const char *name, bool is_draft, char id_out[ARCHIVE_ID_SIZE])
{
    struct str id = str_from(name);
    int64_t at_s;

    if (is_draft && !str_starts(id, STR(".")))
        return false;
    id = str_sub(id, is_draft ? 1 : 0, id.len);
    if (!str_ends(id, STR(CATALOGUE_SUFFIX)))
        return false;
    id.len -= sizeof CATALOGUE_SUFFIX - 1;
    if (!archive_id_read(id, &at_s))
        return false;
    memcpy(id_out, id.ptr, id.len);
    id_out[id.len] = '\0';
    return true;
}

enum err catalogue_walk(const struct catalogue *catalogue, int folder, bool drafts,
                        enum err (*each)(const char *id, void *with), void *with,
                        struct error *error)
{
    char id[ARCHIVE_ID_SIZE];
    int again = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *listing = again >= 0 ? fdopendir(again) : NULL;
    enum err err = ERR_OK;

    if (!listing) {
        err = catalogue_folder_failed(catalogue, "read", error);
        if (again >= 0)
            close(again);
        return err;
    }
    for (const struct dirent *entry; err == ERR_OK;) {
        errno = 0; /* which tells a failure from the end */
        entry = readdir(listing);
        if (!entry && errno != 0)
            err = catalogue_folder_failed(catalogue, "read", error);
        if (!entry)
            break;
        if (id_of(entry->d_name, drafts, id))
            err = each(id, with);
    }
    closedir(listing);
    return err;
}

struct ids {
    struct arena *arena;
    char (*ids)[ARCHIVE_ID_SIZE];
    size_t count, room;
};

static enum err collect(const char *id, void *with)
{
    struct ids *ids = with;

    if (ids->count == ids->room) {
        size_t room = ids->room > 0 ? 2 * ids->room : 16;
        void *more =
            arena_grow(ids->arena, ids->ids, ids->room * sizeof *ids->ids, room * sizeof *ids->ids);
        if (!more)
            return ERR_NO_MEMORY;
        ids->ids = more;
        ids->room = room;
    }
    memcpy(ids->ids[ids->count++], id, ARCHIVE_ID_SIZE);
    return ERR_OK;
}

static int newest_first(const void *a, const void *b)
{
    return strcmp(b, a);
}

static void add_broken(struct catalogue_listing *listing, const char *id, const char *reason)
{
    struct backup_broken *broken = &listing->broken[listing->broken_count++];

    snprintf(broken->id, sizeof broken->id, "%s", id);
    snprintf(broken->reason, sizeof broken->reason, "%.*s", (int)sizeof broken->reason - 1, reason);
    log_event(LOG_LEVEL_WARN, "backup.not_whole", LOG_CSTR("id", id), LOG_CSTR("reason", reason));
}

static enum err add(struct catalogue *catalogue, int folder, const char *id,
                    const struct backup_watch *watch, struct catalogue_listing *listing)
{
    struct error error;
    int fd;
    enum err err = catalogue_open_file(folder, id, &fd, &error);

    if (err == ERR_OK)
        err = catalogue_look_at(catalogue, fd, id, false, watch, &listing->backups[listing->count],
                                &error);
    if (err == ERR_OK)
        listing->count++;
    else if (err == ERR_UNPROCESSABLE || err == ERR_UPSTREAM_DOWN)
        add_broken(listing, id, error.caller);
    else if (err != ERR_NOT_FOUND) /* removed meanwhile */
        return err;
    return ERR_OK;
}

static enum err list_folder(struct catalogue *catalogue, int folder,
                            const struct backup_watch *watch, struct work work,
                            struct catalogue_listing *listing)
{
    struct ids ids = {.arena = work.arena};
    enum err err = catalogue_walk(catalogue, folder, false, collect, &ids, work.error);

    if (err == ERR_OK) {
        listing->backups = arena_calloc(work.arena, ids.count, sizeof *listing->backups);
        listing->broken = arena_calloc(work.arena, ids.count, sizeof *listing->broken);
        err = listing->backups && listing->broken ? ERR_OK : ERR_NO_MEMORY;
    }
    if (err == ERR_OK && ids.count > 0)
        qsort(ids.ids, ids.count, sizeof *ids.ids, newest_first);
    if (err == ERR_OK)
        catalogue_forget_others(catalogue, ids.ids, ids.count);
    for (size_t i = 0; i < ids.count && err == ERR_OK; i++)
        err = add(catalogue, folder, ids.ids[i], watch, listing);
    if (err == ERR_NO_MEMORY)
        return error_set_detail(work.error, err, "no memory for the list of backups");
    if (err == ERR_BUSY)
        return error_set(work.error, err, "The backups were not all read: it is stopping.");
    return err;
}

enum err catalogue_list(struct catalogue *catalogue, const struct backup_watch *watch,
                        struct work work, struct catalogue_listing *listing_out)
{
    int folder;
    enum err err = catalogue_open_folder(catalogue, &folder, work.error);

    *listing_out = (struct catalogue_listing){.count = 0};
    if (err == ERR_NOT_FOUND)
        return ERR_OK;
    if (err != ERR_OK)
        return err;
    err = list_folder(catalogue, folder, watch, work, listing_out);
    close(folder);
    return err;
}

#include "backup/results.h"

#include "cachewarden/log.h"

void backup_results_init(struct backup_results *results)
{
    *results = (struct backup_results){.since_s = 0};
    lock_init(&results->lock, LOCK_RANK_LEAF, "results of backups");
}

void backup_results_fini(struct backup_results *results)
{
    lock_fini(&results->lock);
}

static void take(struct backup_results *results, const struct backup_result *result)
{
    lock_acquire(&results->lock);
    if (result->at_s >= results->last.at_s)
        results->last = *result;
    if (result->is_good && result->at_s >= results->good.at_s)
        results->good = *result;
    lock_release(&results->lock);
}

static void keep(struct users *users, const char *fact, struct str text)
{
    struct error error = {0};
    enum err err = users_fact_set(users, str_from(fact), text, &error);

    if (err != ERR_OK)
        log_event(LOG_LEVEL_WARN, "backup.not_noted", LOG_CSTR("fact", fact),
                  LOG_STR("value", text), LOG_CSTR("error", err_name(err)),
                  LOG_CSTR("detail", error.detail));
}

void backup_results_note(struct backup_results *results, struct users *users,
                         const struct backup_result *result)
{
    char text[BACKUP_RESULT_SIZE];
    struct str value = backup_result_write(result, text);

    take(results, result);
    lock_acquire(&results->lock);
    *(result->is_good ? &results->made : &results->failed) += 1;
    lock_release(&results->lock);
    keep(users, USERS_FACT_BACKUP_LAST, value);
    if (result->is_good)
        keep(users, USERS_FACT_BACKUP_GOOD, value);
}

void backup_results_begin(struct backup_results *results, struct users *users, int64_t now_s)
{
    char digits[STR_INT64_SIZE];

    lock_acquire(&results->lock);
    results->since_s = now_s;
    lock_release(&results->lock);
    keep(users, USERS_FACT_BACKUP_SINCE, str_of_int64(digits, now_s));
}

/* What makes no sense is as if it were not there. */
static enum err load_one(struct backup_results *results, struct users *users, struct arena *arena,
                         const char *fact, struct error *error)
{
    struct backup_result result;
    struct str text;
    enum err err = users_fact_get(users, arena, str_from(fact), &text, error);

    if (err == ERR_OK && backup_result_read(text, &result))
        take(results, &result);
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

enum err backup_results_load(struct backup_results *results, struct users *users,
                             struct arena *arena, struct error *error)
{
    int64_t since_s = 0;
    struct str text;
    enum err err = load_one(results, users, arena, USERS_FACT_BACKUP_GOOD, error);

    if (err == ERR_OK)
        err = load_one(results, users, arena, USERS_FACT_BACKUP_LAST, error);
    if (err != ERR_OK)
        return err;
    err = users_fact_get(users, arena, STR(USERS_FACT_BACKUP_SINCE), &text, error);
    if (err == ERR_OK && str_to_int64(text, 0, INT64_MAX, &since_s)) {
        lock_acquire(&results->lock);
        results->since_s = since_s;
        lock_release(&results->lock);
    }
    return err == ERR_NOT_FOUND ? ERR_OK : err;
}

void backup_results_get(struct backup_results *results, struct backup_results *copy_out)
{
    lock_acquire(&results->lock);
    copy_out->last = results->last;
    copy_out->good = results->good;
    copy_out->since_s = results->since_s;
    copy_out->made = results->made;
    copy_out->failed = results->failed;
    lock_release(&results->lock);
}

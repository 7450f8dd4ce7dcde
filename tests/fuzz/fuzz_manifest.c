/* What a manifest may say, whoever wrote it: what is taken is inside the bounds, and the same once written again. */
#include "backup/manifest.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check(struct str text, struct arena *arena)
{
    struct archive_manifest manifest, again;
    struct error error;
    struct strbuf out;
    enum err err = manifest_read(text, (struct work){.arena = arena, .error = &error}, &manifest);

    must(err == ERR_OK || err == ERR_UNPROCESSABLE || err == ERR_NO_MEMORY);
    if (err != ERR_OK)
        return;
    must(manifest.member_count <= ARCHIVE_MEMBERS_MAX);
    for (size_t i = 0; i < manifest.member_count; i++)
        must(manifest.members[i].size >= 1 && manifest.members[i].size <= ARCHIVE_MEMBER_SIZE_MAX);
    strbuf_init(&out, arena, 4096);
    manifest_write(&manifest, &out);
    must(out.failed ||
         manifest_read(strbuf_str(&out), (struct work){.arena = arena, .error = &error}, &again) !=
             ERR_UNPROCESSABLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena *arena = arena_new(4096, (size_t)32 << 20);

    if (arena)
        check((struct str){(const char *)data, size}, arena);
    arena_free(&arena);
    return 0;
}

/*
 * Runs a fuzz target without a fuzzer: once over every file of the folders named, and over the
 * prefixes of each, which is where parsers read one byte too far. Of long files these are every one
 * of the first bytes, and then one in THEN_EVERY, which is at another place in each block of a tar.
 */
#include <dirent.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { INPUT_MAX = 1 << 20, PREFIXES_MAX = 4096, EVERY_ONE = 640, THEN_EVERY = 13 };

/* In memory of exactly that size, so that AddressSanitizer sees the byte too far. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size > 0 ? size : 1);

    if (copy == NULL)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static int replay_file(const char *path, uint8_t *buffer)
{
    FILE *file = fopen(path, "rb");
    size_t size;

    if (file == NULL) {
        perror(path);
        return -1;
    }
    size = fread(buffer, 1, INPUT_MAX, file);
    fclose(file);
    for (size_t part = 0; part < size && part < PREFIXES_MAX;
         part += part < EVERY_ONE ? 1 : THEN_EVERY)
        run(buffer, part);
    run(buffer, size);
    return 0;
}

static int replay_folder(const char *folder, uint8_t *buffer)
{
    DIR *dir = opendir(folder);
    int count = 0;

    if (dir == NULL) {
        perror(folder);
        return -1;
    }
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (replay_file(path, buffer) != 0) {
            count = -1;
            break;
        }
        count++;
    }
    closedir(dir);
    return count;
}

int main(int argc, char **argv)
{
    uint8_t *buffer = malloc(INPUT_MAX);
    int total = 0;

    if (buffer == NULL)
        return EXIT_FAILURE;
    for (int i = 1; i < argc; i++) {
        int count = replay_folder(argv[i], buffer);

        if (count < 0) {
            free(buffer);
            return EXIT_FAILURE;
        }
        total += count;
    }
    free(buffer);
    printf("%d inputs\n", total);
    return total > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

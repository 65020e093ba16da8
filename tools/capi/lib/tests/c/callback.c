/* What a sound device calls, ten thousand times: for programs that count what the calls cost.
 *
 *   callback SCENE FRAMES                    between two lines, for strace and callgrind
 *   LD_PRELOAD=./count.so callback SCENE FRAMES     says what the calls allocated
 */
#include "mynah.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Of count.so, where it is loaded. */
__attribute__((weak)) void count_begins(void);
__attribute__((weak)) void count_ends(unsigned long *allocated, unsigned long *freed);

enum { CALLS = 10000, WARM = 1000, RATE_HZ = 48000 };

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, mynah_error());
    exit(1);
}

static void say(const char *line) {
    if (write(1, line, strlen(line)) < 0) exit(2);
}

int main(int count, char **words) {
    static char scene[1 << 16];
    static float samples[4096], heard[4096];
    mynah_config config;
    mynah_session_config of_session;
    mynah_engine *engine;
    mynah_session *session;
    mynah_pulled pulled;
    unsigned long allocated = 0, freed = 0, refused = 0, sounded = 0;
    size_t length, frames, since_tick = 0, at;
    uint64_t now_us = 0;
    int call;
    FILE *file = count == 3 ? fopen(words[1], "rb") : NULL;
    if (!file) return 2;
    length = fread(scene, 1, sizeof scene, file);
    fclose(file);
    frames = (size_t)atoi(words[2]);
    mynah_config_init(&config, sizeof config);
    config.drive = MYNAH_DRIVE_VIRTUAL;
    if (mynah_open(&config, scene, length, &engine)) fail("open");
    mynah_session_config_init(&of_session, sizeof of_session);
    of_session.name = "device";
    of_session.input_rate_hz = RATE_HZ;
    of_session.input_channels = 1;
    if (mynah_session_open(engine, &of_session, &session)) fail("session");
    for (at = 0; at < frames; at++) samples[at] = 0.25f;
    for (call = 0; call < WARM + CALLS; call++) {
        if (call == WARM) {
            say("calls: begin\n");
            sounded = 0;
        }
        if (count_begins && call >= WARM) count_begins();
        refused += mynah_push(session, samples, frames) != MYNAH_OK;
        if (mynah_pull(session, heard, frames, &pulled)) fail("pull");
        if (count_ends && call >= WARM) count_ends(&allocated, &freed);
        sounded += pulled.frames;
        since_tick += frames;
        /* A game's frame: about every 16 ms. */
        if (since_tick * 1000 >= 16 * RATE_HZ) {
            now_us += since_tick * 1000000 / RATE_HZ;
            since_tick = 0;
            if (mynah_tick(engine, now_us)) fail("tick");
        }
    }
    say("calls: end\n");
    printf("%d calls of %zu frames: %s %lu allocated, %lu freed, %lu refused, %lu frames heard\n", CALLS, frames,
           count_begins ? "counted," : "not counted,", allocated, freed, refused, sounded);
    mynah_close(engine);
    return sounded < (unsigned long)CALLS * frames * 9 / 10;
}

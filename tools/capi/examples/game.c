/* A game with voice, in C11 or C++: a player talks with a character, in real time.
 *
 *   cargo build --release -p libmynah
 *   cc -O2 -o game tools/capi/examples/game.c -Itools/capi -Ltarget/release -lmynah -lpthread -lm
 *   LD_LIBRARY_PATH=target/release ./game scenes/barge_in.ron tests/recordings/turns.wav
 *
 * Three threads: a sound device pushes what the player says (here a recording) and pulls what the character says, 10 ms at a
 * time; the game hears of events once a frame; the library ticks by itself.
 *
 *   ./game --story SCENE CALL.wav OUT.f32    the same call in virtual time: every event, and the character's samples
 *   ./game --layout                          sizes and offsets of all structs
 */
#ifndef __cplusplus
#define _POSIX_C_SOURCE 200809L
#endif
#include "mynah.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* A recording: 16-bit PCM. */
typedef struct {
    uint32_t rate_hz, channels;
    size_t frames;
    int16_t *samples;
} wav;

static void fail(const char *what) {
    fprintf(stderr, "%s: %s\n", what, mynah_error());
    exit(1);
}

static void check(mynah_status status, const char *what) {
    if (status != MYNAH_OK) {
        fprintf(stderr, "%s\n", mynah_status_text(status));
        fail(what);
    }
}

static char *read_file(const char *path, size_t *length) {
    FILE *file = fopen(path, "rb");
    long size;
    char *bytes;
    if (!file || fseek(file, 0, SEEK_END) || (size = ftell(file)) < 0) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    rewind(file);
    bytes = (char *)malloc((size_t)size + 1);
    if (!bytes || fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        fprintf(stderr, "%s: cannot be read\n", path);
        exit(2);
    }
    fclose(file);
    bytes[size] = 0;
    *length = (size_t)size;
    return bytes;
}

static uint32_t number(const char *bytes, int count) {
    uint32_t value = 0;
    int at;
    for (at = count - 1; at >= 0; at--) value = value << 8 | (unsigned char)bytes[at];
    return value;
}

static wav read_wav(const char *path) {
    size_t length, at = 12;
    const char *bytes = read_file(path, &length);
    wav found = {0, 0, 0, NULL};
    while (at + 8 <= length) {
        size_t size = number(bytes + at + 4, 4);
        if (!memcmp(bytes + at, "fmt ", 4) && at + 24 <= length) {
            if (number(bytes + at + 8, 2) != 1 || number(bytes + at + 22, 2) != 16) break;
            found.channels = number(bytes + at + 10, 2);
            found.rate_hz = number(bytes + at + 12, 4);
        } else if (!memcmp(bytes + at, "data", 4) && found.channels) {
            if (size > length - at - 8) size = length - at - 8;
            found.frames = size / 2 / found.channels;
            found.samples = (int16_t *)malloc(size + 1);
            if (found.samples) memcpy(found.samples, bytes + at + 8, size);
        }
        at += 8 + size + (size & 1);
    }
    if (!found.samples) {
        fprintf(stderr, "%s: no 16-bit PCM\n", path);
        exit(2);
    }
    return found;
}

static mynah_engine *open_engine(const char *path, uint32_t drive) {
    mynah_config config;
    mynah_engine *engine = NULL;
    size_t length;
    char *scene = read_file(path, &length);
    check(mynah_config_init(&config, sizeof config), "config");
    config.drive = drive;
    config.sessions_max = 8;
    config.scene_name = path;
    check(mynah_open(&config, scene, length, &engine), path);
    free(scene);
    return engine;
}

static mynah_session *open_session(mynah_engine *engine, const char *path, const wav *call) {
    mynah_session_config config;
    mynah_session *session = NULL;
    const char *name = strrchr(path, '/');
    check(mynah_session_config_init(&config, sizeof config), "session config");
    config.name = name ? name + 1 : path;
    config.input_rate_hz = call->rate_hz;
    config.input_channels = call->channels;
    check(mynah_session_open(engine, &config, &session), "session");
    return session;
}

static const char *NAMES[] = {
    "", "speech_started", "speech_confirmed", "speech_cancelled", "end_of_speech", "end_of_speech_retracted",
    "partial_transcript", "transcript", "line", "spoken", "answer_started", "answer_paused", "answer_resumed",
    "answer_interrupted", "answer_ended", "line_dropped", "text", "tool_call", "reply_requested", "reply_cancelled",
    "service_failed", "deadline_warning", "applied", "closed",
};

static const char *name_of(const mynah_event *event) {
    return event->kind < sizeof NAMES / sizeof *NAMES ? NAMES[event->kind] : "unknown";
}

/* ---- The same call in virtual time ---- */

static void print_event(const mynah_event *event) {
    size_t at;
    printf("%" PRIu64 " %s flags=%" PRIu32 " segment=%" PRIu32 " revision=%" PRIu32 " turn=%" PRIu32 " from_us=%" PRIu64
           " until_us=%" PRIu64 " number=%" PRIu64 " text=%s detail=%s id=%s spoken=",
           event->t_us, name_of(event), event->flags, event->segment, event->revision, event->turn, event->from_us,
           event->until_us, event->number, event->text ? event->text : "", event->detail ? event->detail : "",
           event->id ? event->id : "");
    for (at = 0; at < event->spoken_len; at++) {
        const mynah_spoken *part = event->spoken + at;
        printf("%s%" PRIu32 ":%" PRId32 ":%" PRIu64 "-%" PRIu64, at ? "," : "", part->what, part->viseme, part->from_us,
               part->until_us);
    }
    printf("\n");
}

static int print_events(mynah_engine *engine) {
    mynah_event events[64];
    size_t count, at;
    int closed = 0;
    do {
        check(mynah_events(engine, events, 64, &count), "events");
        for (at = 0; at < count; at++) {
            print_event(events + at);
            closed |= events[at].kind == MYNAH_CLOSED;
        }
    } while (count == 64);
    return closed;
}

static int story(const char *scene, const char *path, const char *out_path) {
    wav call = read_wav(path);
    mynah_engine *engine = open_engine(scene, MYNAH_DRIVE_VIRTUAL);
    mynah_session *session = open_session(engine, path, &call);
    FILE *out = fopen(out_path, "wb");
    mynah_formats formats;
    mynah_pulled pulled;
    size_t pushed = 0, total = 0, chunk = call.rate_hz / 50, piece;
    uint64_t now_us;
    int closed = 0, finished = 0;
    float *heard;
    if (!out) {
        fprintf(stderr, "%s: cannot be written\n", out_path);
        return 2;
    }
    check(mynah_session_formats(session, &formats), "formats");
    piece = formats.output_rate_hz / 200;
    heard = (float *)calloc(piece + 1, sizeof(float) * (formats.output_channels + 1));
    for (now_us = 0;; now_us += 5000) {
        int ended = pushed == call.frames;
        while (pushed < call.frames) {
            size_t frames = call.frames - pushed < chunk ? call.frames - pushed : chunk;
            uint64_t due_us = ((pushed + frames) * UINT64_C(1000000) + call.rate_hz - 1) / call.rate_hz;
            if (due_us > now_us) break;
            check(mynah_push_i16(session, call.samples + pushed * call.channels, frames), "push");
            pushed += frames;
        }
        if (ended && !finished) {
            finished = 1;
            check(mynah_finish(session), "finish");
        }
        check(mynah_tick(engine, now_us), "tick");
        closed |= print_events(engine);
        pulled.frames = 0;
        if (piece) check(mynah_pull(session, heard, piece, &pulled), "pull");
        fwrite(heard, sizeof(float) * formats.output_channels, pulled.frames, out);
        total += pulled.frames;
        if (closed && !pulled.frames) break;
    }
    printf("frames %zu\n", total);
    fclose(out);
    free(heard);
    free(call.samples);
    check(mynah_session_close(session), "close");
    check(mynah_close(engine), "close");
    return 0;
}

/* ---- In real time ---- */

typedef struct {
    mynah_session *session;
    const wav *call;
    mynah_formats formats;
    int over, has_spoken; /* of two threads: read and written as a whole */
    uint64_t refused, sounded;
    float loudest;
} device;

static void sleep_until(struct timespec *due, long ns) {
    due->tv_nsec += ns;
    if (due->tv_nsec >= 1000000000) {
        due->tv_nsec -= 1000000000;
        due->tv_sec++;
    }
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL)) {
    }
}

/* What a sound device calls every 10 ms: nothing in it waits. */
static void callback(device *of, size_t *at, float *heard) {
    mynah_pulled pulled;
    size_t frames = of->call->rate_hz / 100, left = of->call->frames - *at;
    if (left) {
        if (frames > left) frames = left;
        if (mynah_push_i16(of->session, of->call->samples + *at * of->call->channels, frames)) of->refused += frames;
        *at += frames;
        /* Ending the input is the game's to do. */
        if (frames == left) __atomic_store_n(&of->has_spoken, 1, __ATOMIC_RELEASE);
    }
    mynah_pull(of->session, heard, of->formats.output_rate_hz / 100, &pulled);
    of->sounded += pulled.frames;
    if (pulled.level > of->loudest) of->loudest = pulled.level;
}

static void *run_device(void *of_void) {
    device *of = (device *)of_void;
    float *heard = (float *)calloc(of->formats.output_rate_hz / 100 + 1, sizeof(float) * (of->formats.output_channels + 1));
    size_t at = 0;
    struct timespec due;
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (heard && !__atomic_load_n(&of->over, __ATOMIC_ACQUIRE)) {
        callback(of, &at, heard);
        sleep_until(&due, 10000000);
    }
    free(heard);
    return NULL;
}

static void play_event(const mynah_event *event) {
    /* A line is told again when its end is known. */
    static uint32_t turn;
    static uint64_t from_us = UINT64_MAX;
    switch (event->kind) {
    case MYNAH_TRANSCRIPT:
        if (event->text_len) printf("%7.2f s  player: %s\n", (double)event->t_us / 1e6, event->text);
        break;
    case MYNAH_LINE:
        if (event->turn != turn || event->from_us != from_us)
            printf("%7.2f s  character: %s\n", (double)event->t_us / 1e6, event->text);
        turn = event->turn;
        from_us = event->from_us;
        break;
    case MYNAH_ANSWER_INTERRUPTED:
        printf("%7.2f s  interrupted after %.2f s\n", (double)event->t_us / 1e6, (double)event->until_us / 1e6);
        break;
    case MYNAH_CLOSED: printf("%7.2f s  closed: %s\n", (double)event->t_us / 1e6, event->detail); break;
    default: break;
    }
    fflush(stdout);
}

static int game(const char *scene, const char *path) {
    wav call = read_wav(path);
    mynah_engine *engine = open_engine(scene, MYNAH_DRIVE_THREAD);
    device of;
    pthread_t thread;
    struct timespec due;
    int closed = 0, finished = 0;
    memset(&of, 0, sizeof of);
    of.session = open_session(engine, path, &call);
    of.call = &call;
    check(mynah_session_formats(of.session, &of.formats), "formats");
    if (pthread_create(&thread, NULL, run_device, &of)) return 2;
    clock_gettime(CLOCK_MONOTONIC, &due);
    while (!closed) {
        mynah_event events[32];
        size_t count, at;
        if (!finished && __atomic_load_n(&of.has_spoken, __ATOMIC_ACQUIRE)) {
            finished = 1;
            check(mynah_finish(of.session), "finish");
        }
        check(mynah_events(engine, events, 32, &count), "events");
        for (at = 0; at < count; at++) {
            play_event(events + at);
            closed |= events[at].kind == MYNAH_CLOSED;
        }
        sleep_until(&due, 16666667);
    }
    __atomic_store_n(&of.over, 1, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
    printf("%.1f s of the character's voice, level at most %.2f, %" PRIu64 " frames refused\n",
           of.formats.output_rate_hz ? (double)of.sounded / of.formats.output_rate_hz : 0.0, (double)of.loudest, of.refused);
    check(mynah_close(engine), "close");
    free(call.samples);
    return 0;
}

/* ---- Sizes and offsets ---- */

#define STRUCT(s) printf("%s %zu\n", #s, sizeof(s))
#define FIELD(s, f) printf("%s.%s %zu %zu\n", #s, #f, offsetof(s, f), sizeof(((s *)0)->f))

static void layout(void) {
    STRUCT(mynah_config);
    FIELD(mynah_config, size), FIELD(mynah_config, abi), FIELD(mynah_config, drive);
    FIELD(mynah_config, sessions_max), FIELD(mynah_config, threads), FIELD(mynah_config, events_max);
    FIELD(mynah_config, seed), FIELD(mynah_config, scene_name), FIELD(mynah_config, settings);
    FIELD(mynah_config, log), FIELD(mynah_config, log_user);
    STRUCT(mynah_session_config);
    FIELD(mynah_session_config, size), FIELD(mynah_session_config, abi), FIELD(mynah_session_config, name);
    FIELD(mynah_session_config, user), FIELD(mynah_session_config, input_rate_hz);
    FIELD(mynah_session_config, input_channels), FIELD(mynah_session_config, output_rate_hz);
    FIELD(mynah_session_config, output_channels), FIELD(mynah_session_config, lead_ms);
    FIELD(mynah_session_config, latency_ms), FIELD(mynah_session_config, interrupt_min_ms);
    FIELD(mynah_session_config, half_duplex), FIELD(mynah_session_config, gate), FIELD(mynah_session_config, reserved);
    FIELD(mynah_session_config, params), FIELD(mynah_session_config, history);
    STRUCT(mynah_say_config);
    FIELD(mynah_say_config, size), FIELD(mynah_say_config, abi), FIELD(mynah_say_config, interruptible);
    FIELD(mynah_say_config, priority), FIELD(mynah_say_config, wait), FIELD(mynah_say_config, reserved);
    STRUCT(mynah_spoken);
    FIELD(mynah_spoken, what), FIELD(mynah_spoken, viseme), FIELD(mynah_spoken, from_us);
    FIELD(mynah_spoken, until_us), FIELD(mynah_spoken, from_byte), FIELD(mynah_spoken, until_byte);
    FIELD(mynah_spoken, phone);
    STRUCT(mynah_event);
    FIELD(mynah_event, kind), FIELD(mynah_event, flags), FIELD(mynah_event, session), FIELD(mynah_event, user);
    FIELD(mynah_event, t_us), FIELD(mynah_event, from_us), FIELD(mynah_event, until_us), FIELD(mynah_event, number);
    FIELD(mynah_event, segment), FIELD(mynah_event, revision), FIELD(mynah_event, turn), FIELD(mynah_event, session_id);
    FIELD(mynah_event, text), FIELD(mynah_event, text_len), FIELD(mynah_event, detail), FIELD(mynah_event, id);
    FIELD(mynah_event, spoken), FIELD(mynah_event, spoken_len);
    STRUCT(mynah_pulled);
    FIELD(mynah_pulled, frames), FIELD(mynah_pulled, skipped), FIELD(mynah_pulled, turn), FIELD(mynah_pulled, flags);
    FIELD(mynah_pulled, level), FIELD(mynah_pulled, reserved);
    STRUCT(mynah_formats);
    FIELD(mynah_formats, input_rate_hz), FIELD(mynah_formats, input_channels);
    FIELD(mynah_formats, output_rate_hz), FIELD(mynah_formats, output_channels);
}

int main(int count, char **words) {
    if (mynah_abi() != MYNAH_ABI) {
        fprintf(stderr, "mynah.h is of interface %d, libmynah of %" PRIu32 "\n", MYNAH_ABI, mynah_abi());
        return 2;
    }
    if (count == 2 && !strcmp(words[1], "--layout")) {
        layout();
        return 0;
    }
    if (count == 5 && !strcmp(words[1], "--story")) return story(words[2], words[3], words[4]);
    if (count == 3) return game(words[1], words[2]);
    fprintf(stderr, "game SCENE CALL.wav | game --story SCENE CALL.wav OUT.f32 | game --layout\n");
    return 2;
}

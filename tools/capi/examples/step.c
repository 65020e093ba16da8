/* Many sessions in virtual time, a step of 20 ms at a time: how many seconds of sessions does a second of processor carry?
 *
 *   gcc -O2 -Wall -Wextra tools/capi/examples/step.c -Itools/capi -Ltarget/release -lmynah -o step
 *   LD_LIBRARY_PATH=target/release ./step scenes/gate_only.ron tests/recordings/voices.wav 64 500
 *
 * Each session hears the recording (16-bit PCM, one channel, 44-byte header) again and again, each from another place.
 * Prints the processor time of the calls, and of everything; the sum of all samples tells whether two runs were equal.
 */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "mynah.h"

enum { HEADER_BYTES = 44, RATE_HZ = 16000, STEP_US = 20000, FRAMES = RATE_HZ / 50, EVENTS_MAX = 4096 };

static mynah_event events[EVENTS_MAX];

static void check(mynah_status status) {
  if (status == MYNAH_OK) return;
  fprintf(stderr, "%s: %s\n", mynah_status_text(status), mynah_error());
  exit(1);
}

static void *memory(size_t count, size_t size) {
  void *found = calloc(count, size);
  if (found) return found;
  fprintf(stderr, "no memory for %zu elements\n", count);
  exit(1);
}

static char *contents(const char *path, size_t *length) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) {
    fprintf(stderr, "%s cannot be read\n", path);
    exit(1);
  }
  *length = (size_t)ftell(file);
  rewind(file);
  char *text = memory(*length + 1, 1);
  if (fread(text, 1, *length, file) != *length) exit(1);
  fclose(file);
  return text;
}

static double processor_s(void) {
  struct timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* A recording as floats, with its beginning once more behind its end, so that every step lies in one piece. */
static float *recording(const char *path, size_t *length) {
  size_t bytes;
  char *wav = contents(path, &bytes);
  *length = bytes > HEADER_BYTES ? (bytes - HEADER_BYTES) / 2 : 0;
  if (*length < FRAMES) {
    fprintf(stderr, "%s is shorter than a step\n", path);
    exit(1);
  }
  float *sound = memory(*length + FRAMES, sizeof *sound);
  for (size_t at = 0; at < *length + FRAMES; at++) {
    int16_t sample;
    memcpy(&sample, wav + HEADER_BYTES + 2 * (at % *length), 2);
    sound[at] = (float)sample / 32768.0f;
  }
  free(wav);
  return sound;
}

static mynah_engine *open_engine(const char *path, uint32_t sessions) {
  size_t length;
  char *scene = contents(path, &length);
  mynah_config config;
  mynah_engine *engine;
  check(mynah_config_init(&config, sizeof config));
  config.drive = MYNAH_DRIVE_VIRTUAL;
  config.sessions_max = 2 * sessions;
  check(mynah_open(&config, scene, length, &engine));
  free(scene);
  return engine;
}

static mynah_session *open_session(mynah_engine *engine, size_t number) {
  char name[32];
  mynah_session_config config;
  mynah_session *session;
  check(mynah_session_config_init(&config, sizeof config));
  snprintf(name, sizeof name, "s%zu", number);
  config.name = name;
  check(mynah_session_open(engine, &config, &session));
  return session;
}

int main(int argc, char **argv) {
  size_t n = argc == 5 ? strtoul(argv[3], NULL, 10) : 0, steps = argc == 5 ? strtoul(argv[4], NULL, 10) : 0;
  if (!n || n > 10000 || !steps) {
    fprintf(stderr, "expected: step SCENE.ron RECORDING.wav SESSIONS STEPS\n");
    return 2;
  }
  size_t length, count, told = 0, sounding = 0;
  float *sound = recording(argv[2], &length);
  mynah_engine *engine = open_engine(argv[1], (uint32_t)n);
  mynah_session **sessions = memory(n, sizeof *sessions);
  float *pcm = memory(n * FRAMES, sizeof *pcm), *out = memory(n * FRAMES, sizeof *out);
  uint32_t *got = memory(n, sizeof *got);
  for (size_t i = 0; i < n; i++) sessions[i] = open_session(engine, i);
  mynah_formats formats;
  check(mynah_session_formats(sessions[0], &formats));
  if (formats.input_channels != 1 || formats.output_channels > 1 || formats.output_rate_hz > RATE_HZ) {
    fprintf(stderr, "the arrays are for one channel of %d Hz\n", RATE_HZ);
    return 2;
  }
  double sum = 0, calls_s = 0, began_s = processor_s();
  for (size_t step = 0; step < steps; step++) {
    for (size_t i = 0; i < n; i++) {
      memcpy(pcm + i * FRAMES, sound + (step * FRAMES + i * RATE_HZ) % length, FRAMES * sizeof *pcm);
    }
    double before_s = processor_s();
    check(mynah_step(engine, sessions, n, pcm, FRAMES, out, FRAMES, got, (step + 1) * STEP_US));
    check(mynah_events(engine, events, EVENTS_MAX, &count));
    calls_s += processor_s() - before_s;
    told += count;
    for (size_t i = 0; i < n; i++) sounding += got[i];
    sum += out[(step * 7919) % (n * FRAMES)];
  }
  double all_s = processor_s() - began_s;
  printf("calls_s=%.6f all_s=%.6f events=%zu frames=%zu sum=%.9f\n", calls_s, all_s, told, sounding, sum);
  check(mynah_close(engine));
  free(sessions), free(pcm), free(out), free(got), free(sound);
  return 0;
}

/* mynah: voice sessions in a game, a simulation or a server. Generated from tools/capi; `docs/games.md` tells the story.
 *
 * Threads. Each call says whose it is. *Audio threads* are the callbacks of devices: one pushes into a session, one pulls from
 * it, and their calls take no lock, no heap and no system call. *The game thread* of an engine is one thread at a time of the
 * host's choice. *Any thread* may make the rest. A second thread in an audio call with the same handle gets MYNAH_BUSY.
 *
 * Calls return at once, except that mynah_open compiles a scene, mynah_session_open and mynah_say_clip may make a converter,
 * mynah_tick and mynah_step do the work of a tick, and closing waits for the call that is under way. None calls back but
 * `log`. No panic leaves a call.
 *
 * Handles are numbers in the shape of pointers: nothing lies where they point. A handle that is null, closed or made up
 * gets MYNAH_BAD_HANDLE.
 *
 * Pointers are null or lead to as many readable or writable elements as the call says, which nobody else writes meanwhile.
 * Texts are UTF-8.
 *
 * Structs that the host fills in begin with `size` and `abi`, and only grow at the end; the others stay as they are within a
 * MYNAH_ABI. MYNAH_ABI changes when a program has to. What a call could not do leaves null, or 0, where a result was to be.
 *
 * Times end in their unit. Samples are 32-bit floats from -1 to 1, interleaved; a frame is one sample of each channel.
 */


#ifndef MYNAH_H
#define MYNAH_H

#include <stddef.h>
#include <stdint.h>
typedef int32_t mynah_status;


// Number of this interface: programs pass theirs in every configuration.
#define MYNAH_ABI 1

// The game calls `mynah_tick` on the wall clock; voices and models work beside it.
#define MYNAH_DRIVE_REAL 0

// The game calls `mynah_tick`, and time is what it says: everything repeats exactly, as fast as it can be computed.
#define MYNAH_DRIVE_VIRTUAL 1

// The library ticks on a thread of its own, by the scene's driver; the game never calls `mynah_tick`.
#define MYNAH_DRIVE_THREAD 2

// The scene's own value.
#define MYNAH_SCENE -1

// Of `interrupt_min_ms`: no speech interrupts.
#define MYNAH_NEVER -2

// The detector decides what is speech.
#define MYNAH_GATE_AUTO 0

// Everything is speech: the key is down.
#define MYNAH_GATE_OPEN 1

// Nothing is speech: the key is up.
#define MYNAH_GATE_SHUT 2

// As the user's speech would: lines that must not be interrupted go on.
#define MYNAH_INTERRUPT_SOFT 0

// Everything that sounds or is to be answered, and the lines that wait.
#define MYNAH_INTERRUPT_NOW 1

// Of `mynah_log_fn`: something to look after.
#define MYNAH_LOG_WARNING 1

// Of `mynah_log_fn`: something ended that should not have.
#define MYNAH_LOG_ERROR 2

// Somebody seems to speak from `from_us` on; nothing is decided yet.
#define MYNAH_SPEECH_STARTED 1

// It is speech, from `from_us` to `until_us` as far as it was forwarded.
#define MYNAH_SPEECH_CONFIRMED 2

// It was no speech. `detail`: why. `MYNAH_LATE`: some of it had left already.
#define MYNAH_SPEECH_CANCELLED 3

// The speaker finished at `until_us`: so it seems, or with `MYNAH_LAST` for good.
#define MYNAH_END_OF_SPEECH 4

// The speaker went on after `until_us`: that revision is void.
#define MYNAH_END_OF_SPEECH_RETRACTED 5

// `text` was heard of the segment so far, in place of what was told before.
#define MYNAH_PARTIAL_TRANSCRIPT 6

// `text` was recognised of the segment. `MYNAH_LAST`: completely.
#define MYNAH_TRANSCRIPT 7

// `text` is being spoken, from `from_us` to `until_us` of the turn's answer; `until_us` 0: told again when it is known.
#define MYNAH_LINE 8

// When words and phones of the line at `from_us` sound: `spoken`, with times from there on.
#define MYNAH_SPOKEN 9

// The first sample of an answer leaves. `number`: that of the host's own line; 0: the scene answers.
#define MYNAH_ANSWER_STARTED 10

// The user speaks: the answer waits.
#define MYNAH_ANSWER_PAUSED 11

// The answer goes on.
#define MYNAH_ANSWER_RESUMED 12

// The answer is withdrawn after `until_us` of it were heard.
#define MYNAH_ANSWER_INTERRUPTED 13

// The answer was heard to its end: `until_us` of it.
#define MYNAH_ANSWER_ENDED 14

// The host's own line `number` is not spoken. `detail`: why.
#define MYNAH_LINE_DROPPED 15

// `text` leaves at the output, such as captions.
#define MYNAH_TEXT 16

// A service asks the host to do `detail` with the arguments `text`, JSON; `id` names the call.
#define MYNAH_TOOL_CALL 17

// The host is to answer `text`, by `mynah_reply` with this `number`.
#define MYNAH_REPLY_REQUESTED 18

// Nobody waits for the answer to `number` any more.
#define MYNAH_REPLY_CANCELLED 19

// The service `id` failed a call of the turn. `detail`: why.
#define MYNAH_SERVICE_FAILED 20

// Something of the turn has only `until_us` left.
#define MYNAH_DEADLINE_WARNING 21

// The host's own message `number` has taken effect. Those that are taken are numbered from 1 in each session.
#define MYNAH_APPLIED 22

// The session is over; nothing follows. `detail`: why. What has left can still be pulled; `mynah_session_close` gives its
// memory back.
#define MYNAH_CLOSED 23

// Of `mynah_event.flags`: nothing of this kind follows for the segment and revision.
#define MYNAH_LAST 1

// Of `mynah_event.flags`: some of it had left already.
#define MYNAH_LATE 2

// Of `mynah_spoken.what`: a word, the bytes from `from_byte` to `until_byte` of the line's text.
#define MYNAH_WORD 0

// Of `mynah_spoken.what`: a phone, by its name.
#define MYNAH_PHONE 1

// Of `mynah_spoken.what`: a pause.
#define MYNAH_PAUSE 2

// Bytes of a phone's name, the zero behind it included.
#define MYNAH_PHONE_BYTES 8

// Of `mynah_pulled.flags`: an answer began among the frames.
#define MYNAH_BEGAN 1

// Of `mynah_pulled.flags`: an answer ended among the frames.
#define MYNAH_ENDED_HERE 2

// Of `mynah_pulled.flags`: what sounded before was withdrawn: it breaks off.
#define MYNAH_CUT 4

// An engine that runs a scene. A handle is a number: nothing lies where it points.
typedef struct mynah_engine mynah_engine;

// A session of an engine. A handle is a number: nothing lies where it points.
typedef struct mynah_session mynah_session;

// Told what an engine has to say beside its events, such as warnings about its scene: on the thread that opens or closes
// it. `text` lives until the function returns. It calls nothing of this library, and it returns: no exception leaves it,
// and no jump.
typedef void (*mynah_log_fn)(void *user, int32_t level, const char *text);

// An engine to open. `mynah_config_init` fills it in.
typedef struct {
  // `sizeof(mynah_config)`.
  uint32_t size;
  // `MYNAH_ABI`.
  uint32_t abi;
  // Who ticks: `MYNAH_DRIVE_REAL`, `_VIRTUAL` or `_THREAD`.
  uint32_t drive;
  // Most sessions open at once, 1 to 1,000,000; 64 by default. Each costs some hundred bytes before it is opened.
  uint32_t sessions_max;
  // Threads that share the work of a tick, 1 to 256; 1 by default. Never changes a result.
  uint32_t threads;
  // Most events that wait to be fetched, 64 to 1,048,576; 4,096 by default. More wait with their sessions, and a
  // session of which 256 wait is closed.
  uint32_t events_max;
  // Seed of all random numbers; 1 by default.
  uint64_t seed;
  // Name of the scene in diagnostics, usually its file; null: `scene.ron`. Ends with a zero.
  const char *scene_name;
  // Settings that replace the scene's, one a line, such as `gate.threshold=0.8`; null: none. Ends with a zero.
  const char *settings;
  // Told of warnings; null: nobody is.
  mynah_log_fn log;
  // Passed to `log`.
  void *log_user;
} mynah_config;

// A word, a phone or a pause, and when it sounds: microseconds from the beginning of its line.
typedef struct {
  // `MYNAH_WORD`, `MYNAH_PHONE` or `MYNAH_PAUSE`.
  uint32_t what;
  // Shape of the mouth, 0 (rest) to 14 as `mynah_viseme_name` names them; -1: of words, and of unknown phones.
  int32_t viseme;
  // When it begins.
  uint64_t from_us;
  // When it ends.
  uint64_t until_us;
  // First byte of a word in the line's text.
  uint32_t from_byte;
  // The byte after its last.
  uint32_t until_byte;
  // Name of a phone, such as `aa` (ARPAbet); longer ones are cut. Ends with a zero.
  char phone[MYNAH_PHONE_BYTES];
} mynah_spoken;

// Something that happened in a session. Times are media time of the session in microseconds, unless the kind says
// otherwise. What a kind does not have is 0 or null. Texts are UTF-8, end with a zero, and live until the next call of
// `mynah_events` for the engine, or until it is closed. Zeros inside of texts are left out.
typedef struct {
  // Which: `MYNAH_SPEECH_STARTED` to `MYNAH_CLOSED`; another number is of a newer library, and to be passed over.
  uint32_t kind;
  // `MYNAH_LAST`, `MYNAH_LATE`.
  uint32_t flags;
  // The session.
  mynah_session *session;
  // What the session was opened with.
  void *user;
  // Engine time of the tick in which it was told.
  uint64_t t_us;
  // Where it begins.
  uint64_t from_us;
  // Where it ends, or how much of it there was.
  uint64_t until_us;
  // A message of the host's, or a request to it.
  uint64_t number;
  // Number of the segment within the session, from 1.
  uint32_t segment;
  // How often its end was believed.
  uint32_t revision;
  // The turn, from 1.
  uint32_t turn;
  // Number of the session within the engine.
  uint32_t session_id;
  // Words.
  const char *text;
  // Their length in bytes, without the zero.
  size_t text_len;
  // A reason or a name.
  const char *detail;
  // Who it is about.
  const char *id;
  // Of `MYNAH_SPOKEN`: the parts of speech, in order of their ends.
  const mynah_spoken *spoken;
  // How many.
  size_t spoken_len;
} mynah_event;

// A session to open. `mynah_session_config_init` fills it in.
typedef struct {
  // `sizeof(mynah_session_config)`.
  uint32_t size;
  // `MYNAH_ABI`.
  uint32_t abi;
  // Its name, 1 to 128 bytes of UTF-8, not in use by an open session; that of one that was closed is free at the next
  // tick. Ends with a zero.
  const char *name;
  // Comes back with each of its events.
  void *user;
  // Rate of the audio that arrives, 8,000 to 192,000 Hz; 0, with 0 channels: the scene's.
  uint32_t input_rate_hz;
  // Channels of the audio that arrives, interleaved, 1 to 8; 0, with a rate of 0: the scene's.
  uint32_t input_channels;
  // Rate of the audio that leaves; 0, with 0 channels: as the scene makes it.
  uint32_t output_rate_hz;
  // Channels of the audio that leaves; 0, with a rate of 0: as the scene makes it.
  uint32_t output_channels;
  // How far ahead of the ear answers leave, 0 to 10,000 ms: twice the callback with `MYNAH_DRIVE_THREAD`, two frames more
  // where the game ticks. `MYNAH_SCENE` by default.
  int32_t lead_ms;
  // Time from a sample's leaving until its sound, 0 to 10,000 ms: that of the device. 0 by default.
  int32_t latency_ms;
  // Speech of this length withdraws an answer, 100 to 5,000 ms; `MYNAH_NEVER`: none does. `MYNAH_SCENE` by default.
  int32_t interrupt_min_ms;
  // Whether nothing counts as speech while an answer sounds: 1 over loudspeakers, 0 with headphones. `MYNAH_SCENE` by
  // default.
  int32_t half_duplex;
  // The mode in which its gate begins: `MYNAH_GATE_AUTO`, `_OPEN` or `_SHUT`.
  int32_t gate;
  // For what is to come: 0.
  int32_t reserved;
  // What services should know of the caller, such as `{"pitch": 1.2}`: a JSON object; null: nothing. Ends with a zero.
  const char *params;
  // The conversation that goes on, as `mynah_history` gave it; null: none. Ends with a zero.
  const char *history;
} mynah_session_config;

// How a line is spoken. `mynah_say_config_init` fills it in.
typedef struct {
  // `sizeof(mynah_say_config)`.
  uint32_t size;
  // `MYNAH_ABI`.
  uint32_t abi;
  // Whether the user's speech may pause and withdraw the line; 1 by default.
  int32_t interruptible;
  // Rank among lines, -128 to 127; answers of the scene have 0. 0 by default.
  int32_t priority;
  // Whether the line waits until nobody speaks; 1 by default. 0: at once, or not at all.
  int32_t wait;
  // For what is to come: 0.
  int32_t reserved;
} mynah_say_config;

// Formats of a session's audio.
typedef struct {
  // Rate of the audio to push, Hz.
  uint32_t input_rate_hz;
  // Its channels.
  uint32_t input_channels;
  // Rate of the audio that is pulled, Hz; 0: the scene puts out none, and silence of one channel is pulled.
  uint32_t output_rate_hz;
  // Its channels.
  uint32_t output_channels;
} mynah_formats;

// What `mynah_pull` gave.
typedef struct {
  // Frames of sound; they come first, and silence fills the rest.
  uint32_t frames;
  // Frames that were withdrawn and are skipped.
  uint32_t skipped;
  // The turn that the last of them answers; 0: none.
  uint32_t turn;
  // `MYNAH_BEGAN`, `MYNAH_ENDED_HERE`, `MYNAH_CUT`.
  uint32_t flags;
  // Root mean square of the sound, 0 to 1.
  float level;
  // For what is to come: 0.
  uint32_t reserved;
} mynah_pulled;

// It is done.
#define MYNAH_OK 0

// An argument is null, out of range or no text.
#define MYNAH_BAD_ARGUMENT -1

// The program was built against a `mynah.h` that this library does not serve.
#define MYNAH_BAD_ABI -2

// The scene is wrong; `mynah_error` has the diagnostics.
#define MYNAH_BAD_SCENE -3

// A setting of the session is out of range, or nothing for this scene.
#define MYNAH_BAD_SETTING -4

// The handle names nothing: it is null, closed or made up.
#define MYNAH_BAD_HANDLE -5

// There is no room at present: audio or messages wait for the next tick.
#define MYNAH_FULL -6

// The session, or its input, has ended.
#define MYNAH_ENDED -7

// As many sessions are open as may be, or the name is in use.
#define MYNAH_NO_ROOM -8

// The scene does not speak what is said.
#define MYNAH_NO_VOICE -9

// The engine has another drive: it ticks by itself, or it does not.
#define MYNAH_BAD_DRIVE -10

// Another thread is in this call with the same handle.
#define MYNAH_BUSY -11

// The operating system refuses a thread, or the metrics page of a scene with `MYNAH_DRIVE_THREAD` an address.
#define MYNAH_UNAVAILABLE -12

// The library has a fault: the call was broken off. Close the engine: what it does from here on is not to be relied on.
#define MYNAH_PANIC -13

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Any thread: the number of the interface that this library serves. A program compares it with its `MYNAH_ABI`.
uint32_t mynah_abi(void);

// Any thread: the version of the library, such as "0.1.0".
const char *mynah_version(void);

// Any thread: the voice, detector and recogniser that are part of this library, such as "silero flite".
const char *mynah_features(void);

// Any thread: a status in words. Never null.
const char *mynah_status_text(mynah_status status);

// Any thread but an audio thread: what the last call of this thread that failed found wrong, with place, value and
// remedy; a scene with all its errors. Lives until the next call on this thread; empty if none has failed. Calls of audio
// threads leave no text.
const char *mynah_error(void);

// Any thread: the name that blend shapes have for a shape of the mouth, 0 to 14, such as "PP"; empty for other numbers.
const char *mynah_viseme_name(int32_t viseme);

// Fills `config` with the defaults; `size`: its `sizeof`.
mynah_status mynah_config_init(mynah_config *config, uint32_t size);

// Game thread: compiles a scene, RON of `scene_len` bytes, and starts it; `engine` becomes its handle. Takes some
// milliseconds. A wrong scene is `MYNAH_BAD_SCENE`, and `mynah_error` has what `mynah check` would print.
mynah_status mynah_open(const mynah_config *config,
                        const char *scene,
                        size_t scene_len,
                        mynah_engine **engine);

// Game thread: ends the engine, its sessions and its thread; waits for a tick under way. Null does nothing.
mynah_status mynah_close(mynah_engine *engine);

// Any thread: ends all engines that are open, as before a game reloads its scripts, and returns when all have ended, those
// that another thread is closing, too. The library stays loaded: threads of its voice live as long as the process.
mynah_status mynah_close_all(void);

// Game thread, not with `MYNAH_DRIVE_THREAD`: one tick at engine time `now_us`, microseconds since any start. A time
// before the last tick counts as that tick's.
mynah_status mynah_tick(mynah_engine *engine,
                        uint64_t now_us);

// Any thread: engine time of the last tick, microseconds; 0 without an engine.
uint64_t mynah_now_us(const mynah_engine *engine);

// Game thread: fetches up to `most` events, oldest first, of all sessions; `count` becomes their number. Their texts live
// until the next call for this engine, or until it is closed.
mynah_status mynah_events(mynah_engine *engine,
                          mynah_event *events,
                          size_t most,
                          size_t *count);

// Fills `config` with the defaults; `size`: its `sizeof`.
mynah_status mynah_session_config_init(mynah_session_config *config, uint32_t size);

// Fills `config` with the defaults; `size`: its `sizeof`.
mynah_status mynah_say_config_init(mynah_say_config *config, uint32_t size);

// Game thread: opens a session; `session` becomes its handle. It takes audio at once and is admitted by the next tick.
mynah_status mynah_session_open(mynah_engine *engine,
                                const mynah_session_config *config,
                                mynah_session **session);

// Game thread: hangs up, if the session is not over, and gives its memory back; no event of it is fetched any more. Waits
// for a push or a pull under way: devices are stopped before, not killed in a call. Null does nothing.
mynah_status mynah_session_close(mynah_session *session);

// Game thread: ends the input. What was pushed is still answered; then `MYNAH_CLOSED` is told.
mynah_status mynah_finish(mynah_session *session);

// Game thread: ends the session at the next tick, whatever is under way; then `MYNAH_CLOSED` is told.
mynah_status mynah_hang_up(mynah_session *session);

// Game thread: 1 if the session is over or the handle names none, 0 if not.
int32_t mynah_is_closed(const mynah_session *session);

// Game thread: the number of the session within its engine, as events have it; `UINT32_MAX`: the handle names none.
uint32_t mynah_session_id(const mynah_session *session);

// Game thread: the formats in which audio is pushed and pulled.
mynah_status mynah_session_formats(const mynah_session *session, mynah_formats *formats);

// Game thread: the conversation so far as JSON, to be kept and given to another session. Writes up to `most` bytes, a zero
// behind them if it fits; `length` becomes the whole length without it. Call with `most` 0 to ask how long it is.
mynah_status mynah_history(const mynah_session *session,
                           char *json,
                           size_t most,
                           size_t *length);

// Game thread: the time from the last step until `until_us`, for `n` sessions at once; time begins with 0, and a step is an
// hour at most. Ticks at every period of the scene before then, pushes `frames` of input for each session, which was spoken
// meanwhile, ticks at `until_us`, and pulls `out_frames` of output for each. `pcm` is `[n][frames x channels]`, `out` is
// `[n][out_frames x channels]`, each in the format of the sessions, which is the same for all; `got[i]` becomes the
// number of frames of sound of session i. The arrays do not overlap, but that `out` may be `pcm`. A session that has ended
// gets silence; a handle that is closed fails the step before anything has happened. The first error of a push is
// returned after the step is done. Sessions whose `lead_ms` is shorter than the step have holes in their answers.
mynah_status mynah_step(mynah_engine *engine,
                        mynah_session *const *sessions,
                        size_t n,
                        const float *pcm,
                        size_t frames,
                        float *out,
                        size_t out_frames,
                        uint32_t *got,
                        uint64_t until_us);

// Audio thread: takes `frames` interleaved sample frames in, all or none. No lock, no heap, no system call.
// `MYNAH_FULL`: there is no room, 1.1 s in all; more than that at once is `MYNAH_BAD_ARGUMENT`. `MYNAH_BUSY`: another
// thread pushes.
mynah_status mynah_push(mynah_session *session,
                        const float *samples,
                        size_t frames);

// Audio thread: `mynah_push` for 16-bit samples.
mynah_status mynah_push_i16(mynah_session *session, const int16_t *samples, size_t frames);

// Audio thread: fills `frames` interleaved sample frames: sound as far as there is any, then silence. `pulled`, if not
// null, becomes what there was. No lock, no heap, no system call. On an error the first `frames` samples are silent, for of
// a handle that names nothing the channels are not known: a host with several clears its buffer before.
mynah_status mynah_pull(mynah_session *session,
                        float *samples,
                        size_t frames,
                        mynah_pulled *pulled);

// The thread that pushes: sample frames for which there is room.
size_t mynah_room(const mynah_session *session);

// The thread that pulls: sample frames of sound that are there.
size_t mynah_available(const mynah_session *session);

// Game thread: speaks `text` of `length` bytes, a turn of its own, by the scene's voice. `config` null: it waits for its
// turn and may be interrupted. `number`, if not null, becomes that of the line.
mynah_status mynah_say(mynah_session *session,
                       const char *text,
                       size_t length,
                       const mynah_say_config *config,
                       uint64_t *number);

// Game thread: plays a recording of `frames` interleaved sample frames, at most 30 s, as a line; `subtitle` ends with a
// zero.
mynah_status mynah_say_clip(mynah_session *session,
                            const float *samples,
                            size_t frames,
                            uint32_t rate_hz,
                            uint32_t channels,
                            const char *subtitle,
                            const mynah_say_config *config,
                            uint64_t *number);

// Game thread: answers a `MYNAH_REPLY_REQUESTED` with its `number`, in one part or in many; `last`: 1 if nothing follows.
mynah_status mynah_reply(mynah_session *session,
                         uint64_t request,
                         const char *text,
                         size_t length,
                         int32_t last);

// Game thread: withdraws what sounds or is to be answered: `MYNAH_INTERRUPT_SOFT` or `_NOW`.
mynah_status mynah_interrupt(mynah_session *session, int32_t mode);

// Game thread: sets who decides what is speech: `MYNAH_GATE_AUTO`, `_OPEN` or `_SHUT`, for push to talk.
mynah_status mynah_gate(mynah_session *session, int32_t mode);

// Game thread: the user's turn ends here, without waiting for silence.
mynah_status mynah_end_turn(mynah_session *session);

// Game thread: forgets what the user has said and was not answered yet.
mynah_status mynah_discard(mynah_session *session);

// Game thread: has the scene answer now, whether anything was said or not.
mynah_status mynah_respond(mynah_session *session);

// Game thread: the listener has heard `us` microseconds of the answer of `turn`; from then on reports count.
mynah_status mynah_heard(mynah_session *session, uint32_t turn, uint64_t us);

// Game thread: sends what the user typed, answered like speech.
mynah_status mynah_send_text(mynah_session *session, const char *text, size_t length);

// Game thread: changes parameters that services see from the next call on; `params` is a JSON object that ends with a
// zero, and a value of `null` removes a parameter.
mynah_status mynah_set(mynah_session *session,
                       const char *params);

// Game thread: answers a `MYNAH_TOOL_CALL` with its `id`, which ends with a zero.
mynah_status mynah_tool_result(mynah_session *session, const char *id, const char *result, size_t length);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* MYNAH_H */

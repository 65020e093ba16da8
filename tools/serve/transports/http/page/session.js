// One session with `mynah serve` in a browser: the native protocol, a microphone and a loudspeaker.
//
//   const session = new Session();
//   session.addEventListener("Transcript", ({ detail }) => console.log(detail.text));
//   await session.connect("/v1/session", { model: "assistant", notes: ["turns"] });
//
// Events bear the names of control messages (`Transcript`, `Line`, `AnswerInterrupted`, ...) and notes (`speech_started`,
// `probability`, `turn`, ...); `detail` has the fields of both the message and its body, `segment` for `target_segment_id`.
// Beside them: `state` {state, reason}; `microphone` {samples, from_us}: sound that was sent; `playing` {turn, us, peak}:
// sound that is played; `withdrawn` {turn, ms}: sound that is not; `ack` {message_id, stage}; `error` {code, message}.

// Both ends of the sound run on the audio thread. What is played is cut there at once, whatever the page is busy with.
const SOUND = `
registerProcessor("mynah-microphone", class extends AudioWorkletProcessor {
  block = new Int16Array(Math.round(sampleRate / 50)); filled = 0;
  process([channels]) {
    for (let at = 0; at < (channels[0]?.length ?? 0); at++) {
      const sample = channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length;
      this.block[this.filled++] = Math.max(-32768, Math.min(32767, Math.round(sample * 32768)));
      if (this.filled < this.block.length) continue;
      this.port.postMessage(this.block, [this.block.buffer]);
      this.block = new Int16Array(Math.round(sampleRate / 50)); this.filled = 0;
    }
    return true;
  }
});
registerProcessor("mynah-loudspeaker", class extends AudioWorkletProcessor {
  // Sample frames: at of the first piece, queued in all, played of the turn, beyond the bound and so not played.
  queue = []; at = 0; queued = 0; turn = 0; played = 0; beyond = 0; held = false; dry = true; waited = 0; peak = 0; since = 0;
  constructor({ processorOptions }) {
    super();
    this.channels = processorOptions.channels;
    this.last = new Float32Array(this.channels); this.fade = 0;
    this.port.onmessage = ({ data }) => this.told(data);
  }
  told({ samples, tag, turn, skip, drop, token, held }) {
    if (held !== undefined) this.held = held;
    if (samples) {
      const length = samples.length / this.channels;
      if (this.queued + length > 120 * sampleRate) { this.beyond += length; this.port.postMessage({ beyond: length }); return; }
      this.queue.push({ samples, tag, turn, skip, length }); this.queued += length;
    }
    if (drop) {
      const before = this.queued, taken = new Set(drop), first = this.queue[0];
      this.queue = this.queue.filter(piece => !taken.has(piece.tag));
      if (first !== this.queue[0]) this.at = 0;
      this.queued = this.queue.reduce((sum, piece) => sum + piece.length, -this.at);
      this.port.postMessage({ token, turn: this.turn, played: this.played, cut: before - this.queued });
    }
  }
  // An answer begins once 40 ms of it are there, or have not come within 60 ms: the network is never even.
  waits() {
    if (this.held || !this.queue.length) return true;
    this.waited += 128;
    return this.dry && this.queued < .04 * sampleRate && this.waited < .06 * sampleRate;
  }
  process(_, [out]) {
    let done = 0;
    const wanted = out[0].length, ready = !this.waits();
    while (ready && done < wanted && this.queue.length) {
      const piece = this.queue[0];
      if (piece.turn !== this.turn) { this.turn = piece.turn; this.played = 0; }
      if (this.at === 0) this.played += piece.skip;
      this.dry = false; this.waited = 0;
      const taken = Math.min(wanted - done, piece.length - this.at);
      for (let step = 0; step < taken; step++, done++) for (let c = 0; c < out.length; c++) {
        const sample = piece.samples[(this.at + step) * this.channels + c % this.channels] / 32768;
        out[c][done] = sample; this.last[c % this.channels] = sample; this.peak = Math.max(this.peak, Math.abs(sample));
      }
      this.at += taken; this.queued -= taken; this.played += taken; this.fade = 1;
      if (this.at === piece.length) { this.queue.shift(); this.at = 0; }
    }
    // No click where sound is cut: the last sample falls to zero in 5 ms.
    for (let step = done; step < wanted && this.fade > 0; step++, this.fade -= 200 / sampleRate) {
      for (let c = 0; c < out.length; c++) out[c][step] = this.last[c % this.channels] * this.fade;
    }
    const ended = !this.dry && !this.queue.length;
    if (ended) { this.dry = true; this.waited = 0; this.played += this.beyond; this.beyond = 0; }
    this.since += wanted;
    if (ended || (done && this.since >= sampleRate / 50)) {
      this.port.postMessage({ turn: this.turn, played: this.played, peak: this.peak, ended });
      this.since = 0; this.peak = 0;
    }
    return true;
  }
});`;

// What the engine only tells, and nobody acknowledges.
const EVENTS = new Set(["Transcript", "Line", "AnswerStarted", "AnswerPaused", "AnswerResumed", "AnswerInterrupted", "AnswerEnded",
  "LineDropped", "ToolCall", "ReplyRequested", "ReplyCancelled", "ServiceFailed", "Closed"]);
// Which sound a correction takes back.
const TAKES_BACK = {
  CancelSpeculation: (sound, { segment }) => sound.segment === segment,
  RetractEndOfSpeech: (sound, { segment, revision }) => sound.segment === segment && sound.revision > 0 && sound.revision <= revision,
  CancelAnswer: (sound, { turn }) => sound.turn === turn,
  AnswerInterrupted: (sound, { turn }) => sound.turn === turn,
};
// Close codes after which there is no session to come back to.
const OVER = new Set([1000, 1001, 1008, 1009, 1011, 4000]);
const MICROPHONE = { channelCount: 1, echoCancellation: true, noiseSuppression: false, autoGainControl: true };
const after = ms => new Promise(resolve => setTimeout(resolve, ms));
// Keeps the newest entries of a map or set that would grow for ever.
const bound = (kept, most) => { if (kept.size > most) kept.delete(kept.keys().next().value); };

export class Session extends EventTarget {
  state = "idle"; opened = null; muted = false; context = null;
  // Milliseconds of sound, and messages. unsent: the network or the session took no more. late: came after it was withdrawn.
  figures = { sent_ms: 0, unsent_ms: 0, received_ms: 0, withdrawn_ms: 0, late_ms: 0, beyond_ms: 0, holes: 0, repeated: 0, unacknowledged: 0, resumed: 0 };
  #socket = null; #address = null; #protocols = []; #id = 0; #waiting = new Map(); #seen = new Map(); #newest = 0;
  #stream = null; #ours = false; #player = null; #tag = 0; #tags = new Map(); #rules = []; #flushes = new Map(); #flush = 0; #reason = "";
  #sent = 0; #expected_us = 0; #rejoined = false; #answer = { turn: 0, ended: true, at: 0 }; #told_at = 0;

  // Opens a session. `input`: true, constraints of a microphone, a MediaStream, or false; `output`: false for none. Everything
  // else goes into the `open` message: session, params, notes, gate, lead_ms, interruption, history. Must begin in a click or
  // key press where the browser holds back sound. Throws with `code` and `message` when it is refused.
  async connect(url = "/v1/session", { model, key, input = true, output = true, ...open } = {}) {
    this.#become("connecting");
    try {
      if (input || output) await this.#sound(input);
      const address = this.#address = new URL(url, location.href);
      if (model) address.searchParams.set("model", model);
      address.protocol = address.protocol.replace("http", "ws");
      this.#protocols = key ? ["mynah", `mynah-key.${key}`] : [];
      const format = { rate_hz: this.context?.sampleRate, channels: 1, encoding: "s16" };
      const latency_ms = Math.round(this.#latency_us() / 1000);
      const hello = { type: "open", lead_ms: 120, latency_ms, ...(input && { input: format }), ...(output && { output: format }), ...open };
      if (this.state !== "connecting") throw new Error("hung up before the session was open");
      this.opened = await this.#greet(hello, "opened");
      if (this.state !== "connecting") { this.#socket.close(); this.#socket = null; throw new Error("hung up before the session was open"); }
      if (output && this.opened.output) this.#play(this.opened.output);
      this.#become("open");
      return this.opened;
    } catch (error) {
      this.#end("failed", error.message);
      throw error;
    }
  }
  // What a host wants; each returns the id of its message, which `ack` events name.
  say(text, options = {}) { return this.send("Say", { text, ...options }); }
  interrupt(mode = "Soft") { return this.send("Interrupt", { mode }); }
  sendText(text) { return this.send("SendText", { text }); }
  set(params) { return this.send("Set", { params }); }
  endTurn() { return this.send("EndTurn"); }
  gate(mode) { return this.send("Gate", { mode }); }
  heard(turn, us) { return this.send("Heard", { us }, { turn }); }
  // The input ends: what was said is still answered, then the session closes. `close` hangs up.
  finish() { this.muted = true; this.#socket?.send('{"type":"finish"}'); }
  close() {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send('{"type":"close"}');
    this.#end("closed", "hung up");
  }
  // Sends any control message.
  send(type, body = {}, { segment = null, revision = null, turn = null } = {}) {
    if (!this.opened) throw new Error(`${type} needs an open session: connect first`);
    const message_id = ++this.#id, session_id = this.opened.session, timestamp = Date.now() * 1000;
    const text = JSON.stringify({ message_id, session_id, timestamp, target_segment_id: segment, revision, turn, message_type: { [type]: body } });
    // A WebSocket loses nothing while it stands, so only a new connection is told again what was not acknowledged.
    if (type !== "Ack") this.#waiting.set(message_id, text);
    if (this.#waiting.size > 256) { bound(this.#waiting, 256); this.figures.unacknowledged++; }
    if (this.state === "open") this.#socket.send(text);
    return message_id;
  }

  #tell(name, detail = {}) { this.dispatchEvent(new CustomEvent(name, { detail })); }
  #become(state, reason = "") { this.state = state; this.#tell("state", { state, reason }); }
  #latency_us() { return Math.min(1e7, ((this.context?.baseLatency ?? 0) + (this.context?.outputLatency ?? 0)) * 1e6); }
  #ms(length) { return length / this.context.sampleRate * 1000; }

  async #sound(input) {
    const context = this.context = new AudioContext({ latencyHint: "interactive" });
    const module = URL.createObjectURL(new Blob([SOUND], { type: "text/javascript" }));
    await context.audioWorklet.addModule(module).finally(() => URL.revokeObjectURL(module));
    if (!input) return;
    this.#ours = !(input instanceof MediaStream);
    if (this.#ours && !navigator.mediaDevices) throw Object.assign(new Error("The browser gives microphones to pages from https or localhost only."), { code: "insecure" });
    this.#stream = this.#ours ? await navigator.mediaDevices.getUserMedia({ audio: input === true ? MICROPHONE : input }) : input;
    const microphone = new AudioWorkletNode(context, "mynah-microphone", { outputChannelCount: [1] });
    microphone.port.onmessage = ({ data }) => this.#hear(data);
    // It puts out silence. Nodes that lead nowhere are not run everywhere.
    context.createMediaStreamSource(this.#stream).connect(microphone).connect(context.destination);
  }
  #hear(samples) {
    if (this.state !== "open" && this.state !== "resuming") return;
    if (this.state !== "open" || this.#socket.bufferedAmount > this.context.sampleRate * 2) {
      this.figures.unsent_ms += this.#ms(samples.length);
      return;
    }
    // Silence, not nothing: the session's time goes on while the caller is mute.
    if (this.muted) samples.fill(0);
    const from_us = this.#sent / this.context.sampleRate * 1e6;
    this.#socket.send(samples);
    this.#sent += samples.length;
    this.figures.sent_ms += this.#ms(samples.length);
    this.#tell("microphone", { samples, from_us });
  }
  #play({ rate_hz, channels }) {
    if (rate_hz !== this.context.sampleRate) throw new Error(`the server speaks at ${rate_hz} Hz, this device plays ${this.context.sampleRate} Hz`);
    const player = this.#player = new AudioWorkletNode(this.context, "mynah-loudspeaker",
      { numberOfInputs: 0, outputChannelCount: [channels], processorOptions: { channels } });
    player.connect(this.context.destination);
    player.port.onmessage = ({ data }) => this.#played(data);
  }
  #played({ token, turn, played, cut, peak, ended, beyond }) {
    if (beyond) { this.figures.beyond_ms += this.#ms(beyond); return; }
    const us = Math.round(played / this.context.sampleRate * 1e6);
    if (token) {
      this.figures.withdrawn_ms += this.#ms(cut);
      this.#flushes.get(token)();
      this.#flushes.delete(token);
      return this.#tell("withdrawn", { turn, us, ms: this.#ms(cut) });
    }
    this.#answer = { turn, ended, at: performance.now() };
    this.#tell("playing", { turn, us, peak });
    const heard = us => turn && this.state === "open" && this.heard(turn, us), latency_us = Math.round(this.#latency_us());
    // The last report is exact, or the engine would wait for the rest.
    if (ended) setTimeout(() => heard(us), latency_us / 1000);
    else if (performance.now() - this.#told_at >= 250 && us > latency_us) { this.#told_at = performance.now(); heard(us - latency_us); }
    if (ended && !this.#socket) this.context.close();
  }

  // Connects, says `first`, and waits for the answer named `wanted`.
  #greet(first, wanted) {
    return new Promise((resolve, reject) => {
      const address = new URL(this.#address);
      // A full server lets nobody else in.
      if (first.type === "resume") address.searchParams.set("resume", first.session);
      const socket = new WebSocket(address, this.#protocols);
      let greeted = false;
      const refuse = ({ code, message }) => reject(Object.assign(new Error(message), { code }));
      socket.binaryType = "arraybuffer";
      socket.onopen = () => socket.send(JSON.stringify(first));
      socket.onmessage = ({ data }) => {
        if (greeted) return this.#receive(data);
        const answer = JSON.parse(data);
        if (answer.type === "error") return refuse(answer.error);
        if (answer.type !== wanted) return;
        greeted = true;
        this.#socket = socket;
        resolve(answer);
      };
      socket.onclose = ({ code, reason }) => {
        if (!greeted && wanted === "resumed") refuse({ code: "unreachable", message: reason });
        else if (!greeted) this.#refusal(reason).then(refuse);
        else if (socket !== this.#socket) return;
        else if (OVER.has(code)) this.#end("closed", this.#reason || reason || `close code ${code}`);
        else this.#resume();
      };
    });
  }
  // A browser does not say why a WebSocket was refused; the same request without the upgrade is answered with the reason.
  async #refusal(reason) {
    const address = new URL(this.#address);
    address.protocol = address.protocol.replace("ws", "http");
    const key = this.#protocols[1]?.slice("mynah-key.".length);
    try {
      const { error } = await (await fetch(address, key && { headers: { Authorization: `Bearer ${key}` } })).json();
      if (error) return error;
    } catch { /* Nobody answers, or not in JSON: said below. */ }
    return { code: "unreachable", message: reason || `No session at ${address.host}: the server is gone, or refuses this page.` };
  }
  async #resume() {
    this.#become("resuming");
    const until = performance.now() + this.opened.resume_ms;
    for (let wait = 100; this.state === "resuming" && performance.now() < until; wait = Math.min(wait * 2, 1600)) {
      try {
        const { newest_id } = await this.#greet({ type: "resume", session: this.opened.session, token: this.opened.token }, "resumed");
        this.#id = Math.max(this.#id, newest_id);
        this.#rejoined = true;
        // That an answer goes on may have been told while nobody listened.
        this.#player?.port.postMessage({ held: false });
        this.figures.resumed++;
        if (this.state !== "resuming") return this.#socket.close();
        this.#become("open");
        return this.#waiting.forEach(text => this.#socket.send(text));
      } catch (error) {
        if (error.code === "not_found") break;
        await after(wait);
      }
    }
    if (this.state === "resuming") this.#end("closed", "the connection was lost");
  }
  #receive(data) {
    try {
      if (typeof data !== "string") return this.#sounds(data);
      const message = JSON.parse(data);
      if (message.message_type) this.#control(message);
      else if (message.type === "audio") this.#tagged(message);
      else if (message.type === "error") this.#tell("error", message.error);
      else this.#tell(message.type, message);
    } catch (error) {
      this.#tell("error", { code: "client", message: error.message });
    }
  }
  #control({ message_id: id, message_type, target_segment_id: segment, revision, turn }) {
    const [[type, body]] = Object.entries(message_type), event = EVENTS.has(type);
    if (type === "Ack") { this.#waiting.delete(body.message_id); return this.#tell("ack", body); }
    const ack = stage => { this.#seen.set(id, stage); if (!event) this.send("Ack", { message_id: id, stage }); };
    if (id <= this.#newest - 512) return;
    if (this.#seen.has(id)) {
      // Acknowledged again, without a second effect.
      this.figures.repeated++;
      const stage = this.#seen.get(id);
      ack("Delivered");
      return stage === "Applied" && ack(stage);
    }
    this.#newest = Math.max(this.#newest, id);
    ack("Delivered");
    bound(this.#seen, 512);
    const detail = { ...body, type, message_id: id, segment, revision, turn };
    if (type in TAKES_BACK) this.#withdraw(sound => TAKES_BACK[type](sound, detail)).then(() => ack("Applied"));
    if (type.startsWith("Answer")) this.#player?.port.postMessage({ held: type === "AnswerPaused" });
    if (type === "AnswerPaused") this.#answer.at = -Infinity;
    if (type === "Closed") this.#reason = body.reason;
    this.#tell(type, detail);
  }
  #withdraw(covers) {
    this.#rules = [...this.#rules.slice(-63), covers];
    const drop = [...this.#tags].filter(([, sound]) => covers(sound)).map(([tag]) => tag), token = ++this.#flush;
    if (!this.#player) return Promise.resolve();
    return new Promise(done => { this.#flushes.set(token, done); this.#player.port.postMessage({ drop, token }); });
  }
  #tagged(sound) {
    this.#tags.set(++this.#tag, sound);
    bound(this.#tags, 256);
    // What was said while the connection was lost does not come again, and counts as heard.
    const follows = this.#rejoined && sound.turn === this.#answer.turn && sound.pts_us > this.#expected_us;
    sound.skip = follows ? Math.round((sound.pts_us - this.#expected_us) / 1e6 * this.context.sampleRate) : 0;
    this.#rejoined = false;
    this.#expected_us = sound.pts_us;
  }
  #sounds(data) {
    const sound = this.#tags.get(this.#tag), samples = new Int16Array(data), ms = this.#ms(samples.length / this.opened.output.channels);
    this.figures.received_ms += ms;
    this.#expected_us += ms * 1000;
    if (this.#rules.some(covers => covers(sound))) { this.figures.late_ms += ms; return; }
    // Sound that comes within a second of the loudspeaker running dry in the same turn was waited for.
    const { turn, ended, at } = this.#answer;
    if (ended && turn === sound.turn && performance.now() - at < 1000) this.figures.holes++;
    this.#answer.ended = false;
    this.#player.port.postMessage({ samples, tag: this.#tag, turn: sound.turn, skip: sound.skip }, [data]);
    sound.skip = 0;
  }
  #end(state, reason) {
    if (this.state === "closed" || this.state === "failed") return;
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    if (this.#ours) this.#stream?.getTracks().forEach(track => track.stop());
    this.#player?.port.postMessage({ held: false });
    // A server that has finished leaves the last words to be heard.
    const sounds = this.#player && !this.#answer.ended && reason !== "hung up";
    if (!sounds && this.context?.state !== "closed") this.context?.close();
    this.#become(state, reason);
  }
}

// The strip: a voice, what the detector makes of it, and the answer below, on one axis of time. Times are microseconds of the
// session's media time, of which the microphone is the clock; without one it is the page's.

const BIN_US = 10_000, BINS = 4096;
// Keeps the newest entries of a list that would grow for ever; returns the entry.
const keep = (list, one, most) => { list.push(one); if (list.length > most) list.shift(); return one; };

export class Strip {
  // Draws a dashed line at this probability, if it is known.
  threshold = null;
  #canvas; #paint; #width = 0; #height = 0; #colour = {}; #drawn = 0; #moving = false; #hears = true; #at_us = 0; #at = 0;
  // Peaks, 0 to 1, one in 10 ms; those of the last 40 s.
  #voice = new Float32Array(BINS); #answer = new Float32Array(BINS); #filled = 0;
  #segments = []; #answers = []; #probabilities = [];
  #still = matchMedia("(prefers-reduced-motion: reduce)");

  constructor(canvas, legend) {
    this.#canvas = canvas;
    this.#paint = canvas.getContext("2d");
    legend.innerHTML = LEGEND.map(([name, shape]) => `<li><svg viewBox="0 0 20 12" aria-hidden="true">${shape}</svg>${name}</li>`).join("");
    // Sizes and colours are asked for when they change, so that drawing never makes the page lay itself out.
    new ResizeObserver(([{ contentRect: { width, height } }]) => {
      [this.#width, this.#height] = [width, height];
      canvas.width = Math.round(width * devicePixelRatio);
      canvas.height = Math.round(height * devicePixelRatio);
      this.draw();
    }).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#look());
    this.#look();
  }
  // Begins anew. `hears`: whether a microphone keeps the time.
  clear(hears) {
    this.#hears = hears;
    [this.#segments, this.#answers, this.#probabilities] = [[], [], []];
    [this.#filled, this.#at_us, this.#at] = [0, 0, performance.now()];
    this.#voice.fill(0);
    this.#answer.fill(0);
  }
  move(moving) {
    const begins = moving && !this.#moving;
    this.#moving = moving;
    if (begins) requestAnimationFrame(at => this.#animate(at));
    this.draw();
  }
  now_us() {
    const since_ms = this.#moving ? performance.now() - this.#at : 0;
    return this.#at_us + Math.min(since_ms, this.#hears ? 60 : Infinity) * 1000;
  }
  // Sound of the microphone, 16 bits, from this time on.
  hear(samples, from_us, rate_hz) {
    this.#advance(from_us + samples.length / rate_hz * 1e6);
    samples.forEach((sample, at) => {
      const bin = Math.floor((from_us + at / rate_hz * 1e6) / BIN_US) % BINS;
      this.#voice[bin] = Math.max(this.#voice[bin], Math.abs(sample) / 32768);
    });
  }
  // Sound of the loudspeaker, now: the peak of 20 ms, 0 to 1.
  play(peak) {
    if (!this.#hears) this.#advance(this.now_us());
    const now = Math.floor(this.now_us() / BIN_US);
    for (const bin of [now, now + 1]) this.#answer[(bin + BINS) % BINS] = Math.max(this.#answer[(bin + BINS) % BINS], peak);
  }
  probability(at_us, p) { keep(this.#probabilities, [at_us, p], 2048); }
  // A stretch of speech: {from_us, to_us, state: "supposed" | "confirmed" | "cancelled", ends}.
  segment(segment, change = {}) {
    const fresh = () => keep(this.#segments, { segment, from_us: this.now_us(), to_us: null, state: "supposed", ends: [] }, 64);
    return Object.assign(this.#segments.find(one => one.segment === segment) ?? fresh(), change, { changed: performance.now() });
  }
  // An end of speech: {at_us, state: "supposed" | "holds" | "void"}.
  end(segment, revision, change) {
    const { ends } = this.segment(segment);
    Object.assign(ends.find(end => end.revision === revision) ?? keep(ends, { revision, at_us: this.now_us() }, 32), change);
  }
  // An answer: {from_us, to_us, state: "sounding" | "paused" | "interrupted" | "ended", withheld_ms}.
  answer(turn, change = {}) {
    const fresh = () => {
      // One follows the other, and that one has ended may have been told while the connection was lost.
      for (const one of this.#answers) one.to_us ??= this.now_us();
      return keep(this.#answers, { turn, from_us: this.now_us(), to_us: null, state: "sounding", withheld_ms: 0 }, 64);
    };
    return Object.assign(this.#answers.find(one => one.turn === turn) ?? fresh(), change);
  }
  withheld(turn, ms) {
    const one = this.#answers.find(one => one.turn === turn);
    if (one) one.withheld_ms += ms;
  }

  #advance(us) {
    const bin = Math.floor(us / BIN_US) + 2;
    for (let at = Math.max(this.#filled, bin - BINS) + 1; at <= bin; at++) this.#voice[at % BINS] = this.#answer[at % BINS] = 0;
    this.#filled = Math.max(this.#filled, bin);
    [this.#at_us, this.#at] = [us, performance.now()];
  }
  #look() {
    const style = getComputedStyle(document.documentElement);
    for (const name of ["paper", "ink", "quiet", "rule", "grid", "wave", "blue", "orange", "green", "violet", "red"]) this.#colour[name] = style.getPropertyValue(`--${name}`).trim();
    this.draw();
  }
  #animate(at) {
    if (this.#moving) requestAnimationFrame(next => this.#animate(next));
    if (document.hidden || at - this.#drawn < (this.#still.matches ? 240 : 28)) return;
    this.#drawn = at;
    this.draw();
  }
  draw() {
    const width = this.#width, height = this.#height, paint = this.#paint, colour = this.#colour;
    if (!width) return;
    const long_us = width < 600 ? 6e6 : 12e6, now_us = this.now_us();
    // Who wants less motion sees a strip that stands still, fills, and is begun anew.
    const from_us = this.#still.matches ? Math.floor(now_us / long_us) * long_us : Math.max(0, now_us - long_us);
    const view = { from_us, to_us: from_us + long_us, now_us, x: us => (us - from_us) / long_us * width };
    const top = 6, voice = Math.round((height - 34) * .64), below = top + voice + 8, speech = height - 22 - below;
    paint.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    paint.clearRect(0, 0, width, height);
    paint.font = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";
    paint.textBaseline = "middle";
    for (let us = Math.ceil(from_us / long_us * 6) * long_us / 6; us < view.to_us; us += long_us / 6) {
      const x = Math.round(view.x(us)) + .5;
      this.#line(colour.grid, 1, [], [x, top], [x, height - 20]);
      if (x > 14 && x < width - 14) this.#words(`${us / 1e6} s`, x, height - 10, colour.quiet, "center");
    }
    for (const one of this.#segments) this.#drawSegment(one, view, top, voice);
    this.#wave(this.#voice, colour.wave, view, top + voice / 2, voice * .46);
    // Numbers of ends stand above the curve.
    const y = p => top + 18 + (voice - 22) * (1 - p);
    if (this.threshold !== null) this.#line(colour.orange, 1, [6, 4], [0, y(this.threshold)], [width, y(this.threshold)]);
    const curve = this.#probabilities.filter(([us]) => us > from_us - 1e5 && us < view.to_us);
    if (curve.length > 1) this.#line(colour.blue, 1.5, [], ...curve.map(([us, p]) => [view.x(us), y(p)]));
    for (const one of this.#segments) {
      this.#drawStrike(one, view, top + voice / 2);
      for (const end of one.ends) this.#drawEnd(end, view, top, voice);
    }
    this.#line(colour.rule, 1, [], [0, below - 3.5], [width, below - 3.5]);
    for (const one of this.#answers) this.#drawAnswer(one, view, below, speech);
    this.#wave(this.#answer, colour.violet, view, below + speech / 2, speech * .46);
    this.#answers.reduce((free, one, at) => this.#drawStop(one, view, below, free, view.x(this.#answers[at + 1]?.from_us ?? Infinity)), 0);
    this.#line(colour.rule, 1, [], [0, height - 20.5], [width, height - 20.5]);
    this.#words("you", 8, top + voice - 13, colour.quiet);
    this.#words("answer", 8, height - 32, colour.quiet);
  }
  #line(tone, width, dash, ...points) {
    const paint = this.#paint;
    [paint.strokeStyle, paint.lineWidth] = [tone, width];
    paint.setLineDash(dash);
    paint.beginPath();
    points.forEach(([x, y]) => paint.lineTo(x, y));
    paint.stroke();
  }
  #fill(tone, alpha, x, y, width, height) {
    const paint = this.#paint;
    [paint.fillStyle, paint.globalAlpha] = [tone, alpha];
    paint.fillRect(x, y, width, height);
    paint.globalAlpha = 1;
  }
  #words(text, x, y, tone, align = "left") {
    const paint = this.#paint;
    [paint.textAlign, paint.fillStyle] = [align, tone];
    paint.fillText(text, x, y);
  }
  #wave(bins, tone, view, middle, half) {
    const first = Math.max(0, Math.ceil(view.from_us / BIN_US), this.#filled - BINS + 1), last = Math.floor(Math.min(view.now_us, view.to_us) / BIN_US);
    // Soft sounds are to be seen beside loud ones.
    const tall = bin => Math.max(.5, half * Math.min(1, bins[bin % BINS]) ** .6);
    const paint = this.#paint;
    paint.fillStyle = tone;
    paint.beginPath();
    for (let bin = first; bin <= last; bin++) paint.lineTo(view.x(bin * BIN_US), middle - tall(bin));
    for (let bin = last; bin >= first; bin--) paint.lineTo(view.x(bin * BIN_US), middle + tall(bin));
    paint.fill();
  }
  #drawSegment({ state, from_us, to_us, changed }, view, top, height) {
    const left = Math.max(view.x(from_us), -8), right = Math.min(view.x(to_us ?? view.now_us), this.#width + 8), width = right - left, { green, wave, red } = this.#colour;
    if (width <= 0) return;
    const foot = top + height - 2;
    if (state === "cancelled") {
      // Fades, as it has no part in what follows.
      this.#fill(red, Math.max(.14, .4 - (performance.now() - changed) / 6000), left, top, width, height);
      this.#line(red, 2, [4, 3], [left, foot], [right, foot]);
    } else if (state === "confirmed") {
      this.#fill(green, .14, left, top, width, height);
      this.#fill(green, 1, left, foot - 1, width, 3);
    } else {
      this.#fill(wave, .22, left, top, width, height);
      this.#line(wave, 2, [4, 3], [left, foot], [right, foot]);
    }
  }
  #drawStrike({ state, from_us, to_us }, view, middle) {
    if (state === "cancelled") this.#line(this.#colour.red, 2, [], [view.x(from_us), middle], [view.x(to_us), middle]);
  }
  #drawEnd({ at_us, state, revision }, view, top, height) {
    const x = Math.round(view.x(at_us)) + .5, { ink, red } = this.#colour;
    if (x < -20 || x > this.#width + 20) return;
    if (state === "holds") this.#line(ink, 2, [], [x, top + 16], [x, top + height]);
    else this.#line(state === "void" ? red : ink, 1.2, [2, 3], [x, top + 16], [x, top + height]);
    if (state === "void") {
      this.#line(red, 2, [], [x - 4, top + 5], [x + 4, top + 13]);
      this.#line(red, 2, [], [x + 4, top + 5], [x - 4, top + 13]);
    } else if (revision) this.#words(String(revision), x, top + 9, ink, "center");
  }
  #drawAnswer({ state, from_us, to_us, paused_us }, view, top, height) {
    const left = view.x(from_us), right = view.x(to_us ?? view.now_us), { orange, violet } = this.#colour;
    const until = state === "paused" ? view.x(paused_us) : right;
    this.#fill(violet, .14, left, top, until - left, height);
    this.#fill(orange, .2, until, top, right - until, height);
    this.#line(violet, 2, [], [left, top], [left, top + height]);
  }
  // Words stand between where those before end, `free`, and where the next answer begins; returns where these end.
  #drawStop({ state, to_us, withheld_ms }, view, top, free, next) {
    const { red, orange } = this.#colour, x = view.x(to_us ?? view.now_us), wide = 112, left = x > this.#width - wide;
    const at = left ? x - 6 : x + 6, side = left ? "right" : "left";
    if (state === "paused") this.#words("waits", at, top + 10, orange, side);
    if (state !== "interrupted") return free;
    this.#line(red, 2, [], [x, top], [x, this.#height - 21]);
    if (left ? x - wide < free : next - x < wide || x < 48) return free;
    this.#words("interrupted", at, top + 10, red, side);
    if (withheld_ms >= 1) this.#words(`${Math.round(withheld_ms)} ms not played`, at, this.#height - 32, red, side);
    return left ? x : x + wide;
  }
}

const LEGEND = [
  ["probability of speech", '<path d="M0 10L6 9L11 2L20 3" fill="none" stroke="var(--blue)" stroke-width="1.5"/>'],
  ["opens at", '<path d="M0 6H20" stroke="var(--orange)" stroke-dasharray="6 4"/>'],
  ["speech, not yet sure", '<path d="M0 0H20V12H0Z" fill="var(--wave)" opacity=".25"/><path d="M0 11H20" stroke="var(--wave)" stroke-width="2" stroke-dasharray="4 3"/>'],
  ["speech", '<path d="M0 0H20V12H0Z" fill="var(--green)" opacity=".16"/><path d="M0 10.5H20" stroke="var(--green)" stroke-width="3"/>'],
  ["taken back: was none", '<path d="M0 0H20V12H0Z" fill="var(--red)" opacity=".16"/><path d="M0 6H20" stroke="var(--red)" stroke-width="1.5"/>'],
  ["end that holds", '<path d="M10 0V12" stroke="var(--ink)" stroke-width="2"/>'],
  ["end taken back", '<path d="M6 2L14 10M14 2L6 10" stroke="var(--red)" stroke-width="2"/>'],
];

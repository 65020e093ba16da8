// Speech for clients in JavaScript, and what has to be true of two turns: as `spoken.py` and `realtime_law.py` have it.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

export const OUTPUT_HZ = 24_000;
const TRIM = 0.02;
const HEARD_MS = 100;
const AFTER_MS = 800;
const STEP_MS = 40;

const top = fileURLToPath(new URL('../..', import.meta.url));
const folder = process.env.MYNAH_INTEROP ?? join(top, 'target/interop');

/** A package that `setup` has installed. */
export const installed = createRequire(join(folder, 'node/package.json'));

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, Math.max(0, ms)));

/** Reads the command line: what is said, where, as whom. */
export function wishes() {
    const { values, positionals } = parseArgs({
        allowPositionals: true,
        options: {
            tones: { type: 'boolean', default: false },
            model: { type: 'string', default: process.env.MYNAH_MODEL ?? 'assistant' },
            key: { type: 'string', default: process.env.MYNAH_KEY ?? 'sk-test' },
            seconds: { type: 'string', default: '60' },
        },
    });
    const [url, ...given] = positionals;
    const speech = given.length ? given : (process.env.MYNAH_SPEECH ?? '').split(':').filter(Boolean);
    if (!url || (!values.tones && (speech.length < 1 || speech.length > 2))) {
        console.error('usage: URL [FIRST.wav [SECOND.wav]] [--tones] [--model NAME] [--key KEY] [--seconds N]');
        process.exit(2);
    }
    const sounds = values.tones ? [tone(0.6), tone(0.5)] : speech.map(recorded);
    return { host: new URL(url).host, ...values, seconds: Number(values.seconds), first: sounds[0], second: sounds.at(-1) };
}

/** 300 Hz. */
function tone(seconds) {
    return Int16Array.from({ length: seconds * OUTPUT_HZ }, (_, i) => 9_000 * Math.sin((2 * Math.PI * 300 * i) / OUTPUT_HZ));
}

/** The samples of a 16-bit mono WAV file, without the silence at its ends. */
function recorded(path) {
    const file = readFileSync(path);
    let format;
    for (let at = 12; at + 8 <= file.length; at += 8 + file.readUInt32LE(at + 4) + (file.readUInt32LE(at + 4) % 2)) {
        const [name, size] = [file.toString('latin1', at, at + 4), file.readUInt32LE(at + 4)];
        if (name === 'fmt ') {
            format = { channels: file.readUInt16LE(at + 10), rate: file.readUInt32LE(at + 12), bits: file.readUInt16LE(at + 22) };
        }
        if (name !== 'data') continue;
        if (format?.channels !== 1 || format.bits !== 16) break;
        const samples = Int16Array.from({ length: size >> 1 }, (_, i) => file.readInt16LE(at + 8 + 2 * i));
        const least = TRIM * samples.reduce((loudest, sample) => Math.max(loudest, Math.abs(sample)), 1);
        const loud = (sample) => Math.abs(sample) > least;
        return resampled(samples.slice(samples.findIndex(loud), samples.findLastIndex(loud) + 1), format.rate);
    }
    throw new Error(`${path}: expected 16-bit mono`);
}

/** The same at the rate of the protocol: each sample is a sum over 32 neighbours, weighted by a windowed sinc. */
function resampled(samples, rate) {
    if (rate === OUTPUT_HZ) return samples;
    const cut = Math.min(1, OUTPUT_HZ / rate);
    const sinc = (x) => (x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x));
    return Int16Array.from({ length: Math.floor((samples.length * OUTPUT_HZ) / rate) }, (_, i) => {
        const place = (i * rate) / OUTPUT_HZ;
        let sum = 0;
        for (let at = Math.ceil(place - 16); at <= place + 16; at++) {
            const window = 0.5 + 0.5 * Math.cos((Math.PI * (at - place)) / 16);
            sum += (samples[at] ?? 0) * cut * sinc(cut * (at - place)) * window;
        }
        return Math.max(-32_768, Math.min(32_767, Math.round(sum)));
    });
}

/** Two turns: says the first, interrupts the answer with the second, notes what the server says, and judges. */
export class Story {
    constructor(client, given) {
        Object.assign(this, { client, given });
        this.counts = {};
        this.errors = [];
        this.responses = [];
        this.asked = [];
        this.cut = [];
        this.bytes = new Map();
        this.answered = this.over = false;
        this.#hearAnew();
        // A client that gives up fails like one that errs.
        process.on('uncaughtException', (error) => {
            console.log(`${client}: FAILED: ${error?.name}: ${error?.message ?? error}`);
            process.exit(1);
        });
    }

    #hearAnew() {
        this.ear = { began: null, end: 0, gaps: 0 };
    }

    /** Milliseconds of the answer that have sounded. */
    heardMs() {
        const { began, end, gaps } = this.ear;
        return began === null ? 0 : Math.min(performance.now(), end) - began - gaps;
    }

    /** The client plays this much 16-bit sound. */
    plays(bytes) {
        const now = performance.now();
        if (this.ear.began === null) this.ear.began = this.ear.end = now;
        if (now > this.ear.end) {
            this.ear.gaps += now - this.ear.end;
            this.ear.end = now;
        }
        this.ear.end += (bytes / 2 / OUTPUT_HZ) * 1e3;
        this.answered = true;
    }

    /** The client says this. */
    wants(event) {
        if (event.type === 'conversation.item.truncate') this.asked.push([event.item_id, event.audio_end_ms]);
    }

    /** The server says this. */
    says(event) {
        this.counts[event.type] = (this.counts[event.type] ?? 0) + 1;
        if (event.type === 'input_audio_buffer.speech_started' && this.answered && this.heard === undefined) {
            [this.heard, this.interrupted] = [this.heardMs(), this.sounding];
        }
        if (event.type === 'response.output_audio.delta') {
            const bytes = Buffer.byteLength(event.delta, 'base64');
            this.sounding = event.item_id;
            this.bytes.set(event.response_id, (this.bytes.get(event.response_id) ?? 0) + bytes);
        }
        if (event.type === 'conversation.item.truncated') this.cut.push([event.item_id, event.audio_end_ms]);
        if (event.type === 'error') this.errors.push(`${event.error?.code}: ${event.error?.message}`);
        if (event.type === 'response.done') {
            const { status, status_details: details } = event.response;
            this.responses.push([status, details?.reason].filter(Boolean).join('/'));
            if (this.responses.length === 1) this.#hearAnew();
        }
        this.over = this.responses.length >= 2 && this.#cutMs() !== undefined;
    }

    /** Says all of it, `send` by `send`, as a microphone would. */
    async speak(send) {
        const until = performance.now() + 1e3 * this.given.seconds;
        let due = performance.now();
        const say = async (samples) => {
            for (let at = 0; at < samples.length; at += (STEP_MS * OUTPUT_HZ) / 1e3) {
                const piece = samples.slice(at, at + (STEP_MS * OUTPUT_HZ) / 1e3);
                send(piece);
                due += (piece.length / OUTPUT_HZ) * 1e3;
                await sleep(due - performance.now());
            }
        };
        const nothing = (ms) => new Int16Array((ms * OUTPUT_HZ) / 1e3);
        await say(this.given.first);
        while (!this.answered && performance.now() < until) await say(nothing(STEP_MS));
        await say(nothing(AFTER_MS));
        await say(this.given.second);
        while (!this.over && performance.now() < until) await say(nothing(STEP_MS));
        if (!this.over) this.errors.push(`not over after ${this.given.seconds} s`);
        await sleep(500);
    }

    /** Where the item was cut that sounded when it was interrupted. */
    #cutMs() {
        return this.cut.find(([item]) => item === this.interrupted)?.[1];
    }

    #broken() {
        const found = this.errors.map((error) => `error event: ${error}`);
        if (String(this.responses.toSorted()) !== 'cancelled/turn_detected,completed') {
            found.push(`responses: ${this.responses}, expected one cancelled/turn_detected and one completed`);
        }
        if (this.bytes.size < 2) found.push(`audio of ${this.bytes.size} responses, expected that of two`);
        if (!this.cut.length || String(this.cut) !== String(this.asked)) {
            found.push(`truncated: ${this.cut}, asked for: ${this.asked}; expected the same, once at least`);
        }
        if (this.heard === undefined) found.push('no speech_started while an answer sounded');
        else if (Math.abs(this.heard - (this.#cutMs() ?? 0)) > HEARD_MS) {
            found.push(`${this.heard.toFixed()} ms of ${this.interrupted} were heard, truncated: ${this.cut}`);
        }
        return found;
    }

    /** Prints a line, and ends the program: 0 if everything holds. */
    judge() {
        const found = this.#broken();
        for (const what of found) console.error(`${this.client}: ${what}`);
        if (found.length) console.error(`${this.client}: events: ${JSON.stringify(this.counts)}`);
        const sounded = [...this.bytes.values()].map((size) => `${(size / 2 / OUTPUT_HZ).toFixed(1)} s`).join(', ');
        const cut = this.#cutMs() === undefined ? 'nowhere' : `${this.#cutMs()} ms`;
        const heard = this.heard === undefined ? 'nothing' : `${this.heard.toFixed()} ms`;
        console.log(
            `${this.client}: ${found.length ? 'FAILED' : 'ok'}: responses ${this.responses.join(' and ') || 'none'}, audio ` +
                `${sounded || 'none'}, heard ${heard}, cut at ${cut}, ${this.errors.length} errors`,
        );
        process.exit(found.length ? 1 : 0);
    }
}

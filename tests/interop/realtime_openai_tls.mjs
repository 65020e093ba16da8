// OpenAI's own client for JavaScript, which speaks TLS only, with a client secret: it plays nothing, so this script is ear and
// loudspeaker. NODE_EXTRA_CA_CERTS names the server's certificate.

import { installed, Story, wishes } from './spoken.mjs';

const { default: OpenAI } = installed('openai');
const { OpenAIRealtimeWS } = installed('openai/realtime/ws');

const given = wishes();
const story = new Story('openai (JavaScript)', given);
const baseURL = `https://${given.host}/v1`;
const session = { type: 'realtime', model: given.model };
const secret = await new OpenAI({ apiKey: given.key, baseURL }).realtime.clientSecrets.create({ session });
if (!secret.value.startsWith('ek_')) story.errors.push(`client secret ${secret.value.slice(0, 3)}..., expected ek_...`);

const realtime = new OpenAIRealtimeWS({ model: given.model }, new OpenAI({ apiKey: secret.value, baseURL }));
let item;
realtime.on('event', (event) => {
    if (event.type === 'response.output_audio.delta') {
        item = event.item_id;
        story.plays(Buffer.byteLength(event.delta, 'base64'));
    }
    story.says(event);
    if (event.type === 'input_audio_buffer.speech_started' && item && !story.asked.length) {
        const cut = { type: 'conversation.item.truncate', item_id: item, content_index: 0 };
        const event = { ...cut, audio_end_ms: Math.floor(story.heardMs()) };
        story.wants(event);
        realtime.send(event);
    }
});
// The server's errors are events, too, and are told there.
realtime.on('error', (error) => error.error ?? story.errors.push(`the SDK: ${error.message}`));
await new Promise((resolve) => realtime.socket.on('open', resolve));
const detection = { type: 'server_vad', silence_duration_ms: 400, interrupt_response: true };
realtime.send({ type: 'session.update', session: { type: 'realtime', audio: { input: { turn_detection: detection } } } });
await story.speak((samples) => {
    realtime.send({ type: 'input_audio_buffer.append', audio: Buffer.from(samples.buffer).toString('base64') });
});
realtime.close();
story.judge();

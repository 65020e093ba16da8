// OpenAI's Agents SDK for JavaScript: it cuts answers by a clock of its own.

import { installed, Story, wishes } from './spoken.mjs';

const { OpenAIRealtimeWebSocket, RealtimeAgent, RealtimeSession } = installed('@openai/agents-realtime');

const given = wishes();
const story = new Story('@openai/agents-realtime', given);
const url = `ws://${given.host}/v1/realtime?model=${encodeURIComponent(given.model)}`;
const transport = new OpenAIRealtimeWebSocket({ url, useInsecureApiKey: true });
const send = transport.sendEvent.bind(transport);
transport.sendEvent = (event) => {
    story.wants(event);
    send(event);
};
const agent = new RealtimeAgent({ name: 'a', instructions: 'Be brief.' });
const session = new RealtimeSession(agent, { transport, model: given.model });
session.on('audio', (event) => story.plays(event.data.byteLength));
session.on('transport_event', (event) => story.says(event));
// The server's errors are events, too, and are told there.
session.on('error', ({ error }) => error?.type !== 'error' && story.errors.push(`the SDK: ${error?.message ?? error}`));
await session.connect({ apiKey: given.key, url });
await story.speak((samples) => session.sendAudio(samples.buffer));
session.close();
story.judge();

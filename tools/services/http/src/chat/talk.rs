//! One reply: a request, and further ones with what tools have found.

use std::sync::Arc;

use hyper::Method;
use mynah_engine::speech::History;
use mynah_systems::service::OutsidePart;

use crate::body::{AnswerBody, ContentType};
use crate::chat::messages::{AskedTool, ChatMessage, body, conversation};
use crate::chat::reading::Reading;
use crate::chat::request::ChatRequest;
use crate::endpoint::{Endpoint, Outgoing};
use crate::errand::{Errand, Work};
use crate::sse::SseStream;

/// What a reply needs.
pub(crate) struct Talk {
    pub(crate) endpoint: Arc<Endpoint>,
    pub(crate) request: Arc<ChatRequest>,
    pub(crate) history: Arc<History>,
    pub(crate) text: Arc<str>,
}

impl Work for Talk {
    async fn run(self, errand: &Errand) -> Result<(), String> {
        let to = self.endpoint.url.with("/chat/completions")?;
        let mut messages = conversation(self.request.system.as_deref(), &self.history, &self.text);
        for round in 0..=self.request.tool_rounds {
            let outgoing = Outgoing {
                to: to.clone(),
                method: Method::POST,
                content_type: "application/json".into(),
                accept: "text/event-stream",
                body: body(&self.request, &messages)?.into(),
            };
            let answer = self.endpoint.ask(errand, &outgoing).await?;
            let (said, calls) =
                self.hear(errand, answer, round).await.map_err(|why| format!("{to}: {why}"))?;
            if calls.is_empty() {
                return Ok(());
            }
            if round < self.request.tool_rounds {
                let content = (!said.is_empty()).then(|| said.into());
                has_tools_answered(errand, content, calls, &mut messages).await;
            }
        }
        Err(format!(
            "{to}: the model asks for tools again after {} rounds of them; raise `tool_rounds`",
            self.request.tool_rounds
        ))
    }
}

impl Talk {
    /// Says an answer as it comes; what it said, and the tools that it calls.
    async fn hear(
        &self,
        errand: &Errand,
        mut answer: AnswerBody,
        round: u32,
    ) -> Result<(String, Vec<AskedTool>), String> {
        if matches!(answer.content_type, ContentType::Json | ContentType::Html) {
            return Err(answer.odd("stream of events", errand).await);
        }
        let (mut events, mut reading) = (SseStream::default(), Reading::default());
        // What follows after all was said is for nobody's ears.
        while !reading.is_done && !reading.has_said_all() {
            let bytes = match answer.next(errand).await {
                // What the answer says is known: its end may be missing.
                Err(_) if reading.is_over() => break,
                bytes => bytes?,
            };
            let pushed = match &bytes {
                Some(bytes) => events.push(bytes),
                None => events.finish(),
            };
            while let Some(event) = events.next() {
                let said = reading.take(&event.data, &mut |text| errand.writer.text(text));
                said.map_err(|why| self.endpoint.quoted(&why))?;
            }
            pushed.map_err(|why| why.to_string())?;
            if bytes.is_none() {
                break;
            }
        }
        let said = reading.said.clone();
        let calls = reading.end(round)?;
        if calls.is_empty() {
            errand.writer.done();
        }
        answer.finish(errand).await;
        Ok((said, calls))
    }
}

/// Has the host use the tools, and adds what came of it.
async fn has_tools_answered(
    errand: &Errand,
    content: Option<Arc<str>>,
    calls: Vec<AskedTool>,
    messages: &mut Vec<ChatMessage>,
) {
    for AskedTool { id, function, .. } in &calls {
        errand.writer.part(OutsidePart::ToolCall {
            call_id: Arc::clone(id),
            name: Arc::clone(&function.name),
            arguments: Arc::clone(&function.arguments),
        });
    }
    errand.writer.part(OutsidePart::AwaitHost);
    let ids: Vec<Arc<str>> = calls.iter().map(|call| Arc::clone(&call.id)).collect();
    let results = errand.results(&ids).await;
    messages.push(ChatMessage::Assistant { content, tool_calls: calls });
    let results = ids.into_iter().zip(results);
    messages.extend(results.map(|(tool_call_id, content)| ChatMessage::Tool { tool_call_id, content }));
}

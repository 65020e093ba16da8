//! The conversation's items, as clients name them: a chain in which each knows the one before it.

use std::collections::VecDeque;

use serde_json::{Value, json};

/// Most items that are remembered, and their bytes as JSON; beyond that the oldest are forgotten.
const ITEMS_MAX: usize = 256;
const BYTES_MAX: usize = 1024 * 1024;

/// An item of the conversation.
pub(super) struct Item {
    pub(super) id: String,
    /// The turn that it answers; `None`: it is no answer.
    pub(super) turn: Option<u32>,
    /// The item as clients are told of it.
    pub(super) body: Value,
    bytes: usize,
}

/// The items that are remembered, oldest first.
#[derive(Default)]
pub(super) struct Conversation {
    items: VecDeque<Item>,
    bytes: usize,
    last: Option<String>,
}

/// An item that was said: by whom (`user`, `assistant`, `system`), how far, and its content.
pub(super) fn message(id: &str, role: &str, status: &str, content: Value) -> Value {
    json!({
        "id": id, "object": "realtime.item", "type": "message", "status": status, "role": role,
        "content": content,
    })
}

impl Conversation {
    /// The id of the newest item.
    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    pub(super) fn find(&self, id: &str) -> Option<&Item> {
        self.items.iter().rev().find(|item| item.id == id)
    }

    /// Puts an item at the end, or in the place of the one with its id.
    pub(super) fn put(&mut self, id: &str, turn: Option<u32>, body: Value) {
        let bytes = body.to_string().len();
        if let Some(item) = self.items.iter_mut().rev().find(|item| item.id == id) {
            self.bytes = self.bytes + bytes - item.bytes;
            (item.body, item.bytes) = (body, bytes);
        } else {
            self.items.push_back(Item { id: id.into(), turn, body, bytes });
            self.bytes += bytes;
            self.last = Some(id.into());
        }
        while self.items.len() > ITEMS_MAX || (self.bytes > BYTES_MAX && self.items.len() > 1) {
            self.bytes -= self.items.pop_front().map_or(0, |item| item.bytes);
        }
    }

    /// Whether there was such an item.
    pub(super) fn delete(&mut self, id: &str) -> bool {
        let Some(at) = self.items.iter().position(|item| item.id == id) else { return false };
        self.bytes -= self.items.remove(at).map_or(0, |item| item.bytes);
        self.last = self.items.back().map(|item| item.id.clone());
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_forgotten_and_the_chain_goes_on() {
        let mut items = Conversation::default();
        for at in 0..ITEMS_MAX + 3 {
            items.put(&format!("item_{at}"), None, message("i", "user", "completed", json!([])));
        }
        assert!(items.find("item_2").is_none() && items.find("item_3").is_some());
        items.put("long", None, json!("x".repeat(BYTES_MAX - 100)));
        assert!(items.items.len() < 4 && items.last() == Some("long"), "{}", items.items.len());
        items.put("long", None, json!("short"));
        assert!(items.bytes < 1_000);
        assert!(items.delete("long") && !items.delete("long"));
    }
}

//! What a callback has for as long as its stream lives.

use std::ops::{Deref, DerefMut};
use std::sync::mpsc::Sender;

/// Gives its content back when it is dropped: a stream that ends, or does not open, takes nothing with it.
#[derive(Debug)]
pub(crate) struct Lease<T> {
    content: Option<T>,
    home: Sender<T>,
}

impl<T> Lease<T> {
    pub(crate) fn new(content: T, home: &Sender<T>) -> Self {
        Self { content: Some(content), home: home.clone() }
    }
}

impl<T> Deref for Lease<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.content.as_ref().expect("it is there until the drop")
    }
}

impl<T> DerefMut for Lease<T> {
    fn deref_mut(&mut self) -> &mut T {
        self.content.as_mut().expect("it is there until the drop")
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        if let Some(content) = self.content.take() {
            // Where nobody waits for it any more, it ends here.
            drop(self.home.send(content));
        }
    }
}

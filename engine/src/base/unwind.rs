//! Catches panics of code that the engine does not own: nodes, hosts, services.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Most characters of a panic's message that are kept.
pub(crate) const MESSAGE_CHARS_MAX: usize = 200;

/// Runs `work`. A panic in it comes back as its message, at most [`MESSAGE_CHARS_MAX`] characters; what `work` was
/// changing stays as the panic left it, and the caller has to know what of that is still sound.
#[inline]
pub(crate) fn caught<R>(work: impl FnOnce() -> R) -> Result<R, String> {
    catch_unwind(AssertUnwindSafe(work)).map_err(message)
}

/// What a panic said.
#[cold]
fn message(payload: Box<dyn Any + Send>) -> String {
    let said = match (payload.downcast_ref::<&str>(), payload.downcast_ref::<String>()) {
        (Some(said), _) => said,
        (_, Some(said)) => said.as_str(),
        _ => "a panic without a message",
    };
    let message = said.chars().take(MESSAGE_CHARS_MAX).collect();
    // What a program panics with may panic as it is dropped.
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(again);
    }
    message
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    struct Spiteful;

    impl Drop for Spiteful {
        fn drop(&mut self) {
            panic!("and once more");
        }
    }

    #[test]
    fn a_panic_comes_back_as_what_it_said_and_at_most_so_much_of_it() {
        let long = "ä".repeat(MESSAGE_CHARS_MAX + 1);
        let said = [
            caught(|| -> () { panic!("words") }),
            caught(|| -> () { panic!("{} words", 2) }),
            caught(|| -> () { panic!("{long}") }),
            caught(|| -> () { panic_any(7) }),
            caught(|| -> () { panic_any(Spiteful) }),
            caught(|| ()),
        ];
        let silent = || Err("a panic without a message".to_string());
        let cut = long.chars().take(MESSAGE_CHARS_MAX).collect();
        assert_eq!(said, [Err("words".into()), Err("2 words".into()), Err(cut), silent(), silent(), Ok(())]);
    }
}

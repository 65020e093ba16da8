//! Files as the program finds and leaves them: nothing that is read is overwritten, what is written is there whole or not
//! at all, also when somebody stops the program, and text and names are taken as the world writes them.
#![cfg(unix)]

#[path = "files/claims.rs"]
mod claims;
#[path = "files/dash.rs"]
mod dash;
#[path = "files/endless.rs"]
mod endless;
#[path = "files/interrupts.rs"]
mod interrupts;
#[path = "files/place.rs"]
mod place;
#[path = "files/texts.rs"]
mod texts;
#[path = "files/writing.rs"]
mod writing;

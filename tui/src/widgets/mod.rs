//! What screens are made of. All of it draws from a state and decides nothing.
//!
//! * [`panel`]: a framed area; [`text`]: lines in columns; [`list`]: rows, however many; [`arrange`], [`sheet`]: their order
//!   and filter
//! * [`field`]: a line that is typed, [`completed`] by Tab; [`dialog`]: questions; [`menu`]: what can be chosen
//! * [`gauge`], [`spark`]: numbers as pictures; [`words`]: the recovery words

pub mod arrange;
pub mod completed;
pub mod dialog;
pub mod field;
pub mod gauge;
pub mod list;
pub mod menu;
pub mod panel;
pub mod prompt;
pub mod sheet;
pub mod spark;
pub mod text;
pub mod words;

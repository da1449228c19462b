//! The configuration file: `$XDG_CONFIG_HOME/tuckbox/config.toml`. One table of keys ([`keys`]) is the parser's, the
//! template's and `config show`'s.

pub mod keys;
mod parse;
pub mod template;
pub mod units;

pub use keys::{Key, Kind, Section};
pub use parse::{Config, Table, Value};

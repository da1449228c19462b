//! The configuration file: `$XDG_CONFIG_HOME/tuckbox/config.toml`. One table of keys ([`keys`]) is the parser's, the
//! template's and `config show`'s. `load` reads it and what it includes, `variables` fills in `${name}`, `edit` changes
//! it and leaves comments alone.

pub mod edit;
pub mod keys;
mod load;
mod parse;
pub mod template;
pub mod units;
pub mod variables;

pub use keys::{Key, Kind, Section};
pub use parse::{Config, Spot, Table, Value};

//! SQLite: says where things are; always rebuilt from packs and links.

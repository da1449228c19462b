//! Everything that touches a key. Client only.

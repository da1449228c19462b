//! The requests and their answers, in CBOR.

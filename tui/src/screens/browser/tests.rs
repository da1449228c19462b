//! The browser by keys, answers and pictures.

//! Does the work at either end: backup, restore, serve, command line.

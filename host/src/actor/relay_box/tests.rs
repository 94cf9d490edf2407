//! The feeder against a box that a test plays at the other end of a pseudo-terminal.

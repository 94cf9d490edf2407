//! lvmbeat

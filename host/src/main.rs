//! lvmbeat
fn main() {}

//! Prints how large everything is, and what the goals are.

fn main() {
    print!("{}", box_tests::sizes::table());
}

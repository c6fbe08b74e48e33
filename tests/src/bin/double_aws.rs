//! `double-aws`: the double of AWS as a process of its own, for demonstrations.

fn main() {}

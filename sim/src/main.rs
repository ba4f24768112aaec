//! The simulator's command line: `cargo sim --help` says what there is.

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}

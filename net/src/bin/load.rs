//! The program `load`; all of it is in [`net::load`].

fn main() -> std::process::ExitCode {
    net::load::run()
}

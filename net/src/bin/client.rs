//! The program `client`; all of it is in [`net::client`].

fn main() -> std::process::ExitCode {
    net::client::run()
}

//! `portcullis serve` in bad times. Whatever is timed is held against a
//! baseline of the same run, since the machine may be busy; `PORTCULLIS_FULL`
//! (`cargo xtask test --full`) makes runs as long as the project promises.

mod bombs;
mod certificates;
mod clients;
mod compiling;
mod drain;
mod neighbours;
mod overload;
mod policies;
mod soak;
mod traffic;

/// `full` where everything is run, else a share of it.
fn extent<T>(share: T, full: T) -> T {
    match std::env::var_os("PORTCULLIS_FULL") {
        Some(_) => full,
        None => share,
    }
}

//! A console with a bug: takes the screen, and panics on the thread that its name says.

fn main() {
    let screen = tui::console::terminal::Screen::enter().expect("a terminal");
    if std::env::args().nth(1).as_deref() == Some("beside") {
        let beside = std::thread::spawn(|| panic!("a bug beside"));
        drop(beside.join());
    }
    drop(screen.size());
    panic!("a bug");
}

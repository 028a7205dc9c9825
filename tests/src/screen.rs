//! What a person does with a window by its frame, on a screen that has no window manager.

use std::time::Duration;

use x11rb::connection::Connection as _;
use x11rb::protocol::xproto::{Atom, AtomEnum, ClientMessageEvent, ConnectionExt as _, EventMask, MapState, Window};
use x11rb::rust_connection::RustConnection;
use x11rb::wrapper::ConnectionExt as _;

use crate::cli::finish;

const PATIENCE: Duration = Duration::from_secs(40);

/// Presses the cross of the window with this title, once it is there.
pub fn close(display: &str, title: &str) {
    let (screen, number) = RustConnection::connect(Some(display)).unwrap();
    let root = screen.setup().roots[number].root;
    let mut found = None;
    finish(&format!("a window {title:?}"), PATIENCE, || {
        found = shown(&screen, root).into_iter().find(|window| is_called(&screen, *window, title));
        found.is_some()
    });
    let atom = |name: &str| -> Atom { screen.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom };
    let window = found.unwrap();
    let data = [atom("WM_DELETE_WINDOW"), 0, 0, 0, 0];
    let message = ClientMessageEvent::new(32, window, atom("WM_PROTOCOLS"), data);
    screen.send_event(false, window, EventMask::NO_EVENT, message).unwrap();
    // What was sent is lost where the connection ends before the screen has read it.
    screen.sync().unwrap();
}

fn shown(screen: &RustConnection, root: Window) -> Vec<Window> {
    let mut windows = screen.query_tree(root).unwrap().reply().unwrap().children;
    windows.retain(|window| {
        // It may have gone meanwhile.
        let attributes = screen.get_window_attributes(*window).unwrap().reply();
        attributes.is_ok_and(|attributes| attributes.map_state == MapState::VIEWABLE)
    });
    windows
}

fn is_called(screen: &RustConnection, window: Window, title: &str) -> bool {
    let name = screen.get_property(false, window, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 256).unwrap().reply();
    name.is_ok_and(|name| name.value == title.as_bytes())
}

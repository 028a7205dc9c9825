//! Who may call what: each command from the one window, none from any other, nothing of a plugin's.

use tauri::test::{INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder};
use tauri::webview::InvokeRequest;
use tauri::{WebviewUrl, WebviewWindow, WebviewWindowBuilder};

/// The commands, as the build and the window have them.
macro_rules! for_each_command {
    ($($name:ident),* $(,)?) => { &[$(stringify!($name)),*] };
}

const COMMANDS: &[&str] = include!("command_names.rs");

fn called(window: &WebviewWindow<MockRuntime>, command: &str, from: &str) -> String {
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: tauri::ipc::CallbackFn(0),
        error: tauri::ipc::CallbackFn(1),
        url: from.parse().unwrap(),
        body: tauri::ipc::InvokeBody::default(),
        headers: tauri::http::HeaderMap::default(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    match get_ipc_response(window, request) {
        Ok(_) => "answered".to_owned(),
        Err(refused) => refused.as_str().map_or_else(|| refused.to_string(), str::to_owned),
    }
}

#[test]
fn every_command_is_the_one_windows_alone_and_of_plugins_there_is_none() {
    assert!(COMMANDS.len() > 50, "{COMMANDS:?}");
    let app = mock_builder().build(tauri::generate_context!()).unwrap();
    let window =
        |label: &str| WebviewWindowBuilder::new(&app, label, WebviewUrl::App("index.html".into())).build().unwrap();
    let (own, other) = (window("main"), window("other"));
    let page = "tauri://localhost";
    for command in COMMANDS {
        // Let through: this app has no commands behind the door.
        let let_in = called(&own, command, page);
        assert!(let_in.contains("not found"), "{command} from the window: {let_in}");
        let refused = called(&other, command, page);
        assert!(refused.contains("not allowed"), "{command} from another window: {refused}");
        let foreign = called(&own, command, "https://example.com/");
        assert!(foreign.contains("not allowed"), "{command} from a page of somebody else's: {foreign}");
    }
    for command in [
        "plugin:shell|execute",
        "plugin:shell|spawn",
        "plugin:shell|open",
        "plugin:event|listen",
        "plugin:window|close",
        "plugin:webview|create_webview_window",
        "plugin:app|version",
        "plugin:path|resolve_directory",
    ] {
        let refused = called(&own, command, page);
        assert!(refused.contains("not allowed"), "{command}: {refused}");
    }
}

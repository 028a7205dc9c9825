//! What children of ours see of the environment, and what of the user's git settings.

use std::collections::BTreeMap;

/// Variables that reach git and ssh. Everything else is left out: all `GIT_*` (they would redirect a call), and
/// whatever secrets the user keeps in the environment.
const PASSED_ON: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "XDG_CONFIG_HOME",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
    "SystemRoot",
    "SystemDrive",
    "ComSpec",
    "PATHEXT",
    "TEMP",
    "TMP",
    "USERNAME",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "ProgramData",
    "ProgramFiles",
];

/// The variables that a child may see, out of those that this program was started with.
pub(super) fn for_children(outside: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let passes = |name: &str| {
        PASSED_ON.iter().any(|passed| if cfg!(windows) { passed.eq_ignore_ascii_case(name) } else { *passed == name })
    };
    let mut children: BTreeMap<String, String> =
        outside.iter().filter(|(name, _)| passes(name)).map(|(name, value)| (name.clone(), value.clone())).collect();
    children.insert("LC_ALL".to_owned(), "C".to_owned());
    children
}

/// Whether a setting from the user's or the machine's git configuration is kept for our calls.
///
/// Their files are not read by our calls, since `url.<base>.insteadOf`, a hook folder or a credential helper there could send
/// a push or a token elsewhere. What a network needs to be reached at all is kept: proxies and certificates, for
/// all addresses or for one, and the folders of other owners that the user trusts.
pub(super) fn keeps_setting(key: &str) -> bool {
    if key == "safe.directory" {
        return true;
    }
    let Some(rest) = key.strip_prefix("http.") else { return false };
    let name = rest.rsplit_once('.').map_or(rest, |(_, name)| name);
    matches!(
        name,
        "proxy"
            | "proxyauthmethod"
            | "proxysslcainfo"
            | "proxysslcert"
            | "proxysslkey"
            | "sslcainfo"
            | "sslcapath"
            | "sslbackend"
            | "sslcert"
            | "sslkey"
            | "sslversion"
            | "schannelcheckrevoke"
            | "schannelusesslcainfo"
            | "version"
    )
}

/// The kept settings out of the answer of `git config --list -z`: `key\nvalue` pieces, each ended by a NUL.
pub(super) fn kept_settings(listed: &str) -> Vec<(String, String)> {
    listed
        .split('\0')
        .filter_map(|piece| piece.split_once('\n'))
        .filter(|(key, _)| keeps_setting(key))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The value of one setting in a listing of a git configuration; `key` in lower case. The last one counts.
pub(super) fn setting(listed: &str, key: &str) -> Option<String> {
    let pieces = listed.split('\0').filter_map(|piece| piece.split_once('\n'));
    pieces.filter(|(found, _)| *found == key).map(|(_, value)| value.to_owned()).next_back()
}

/// The settings as the text of a git configuration file.
pub(super) fn settings_file(settings: &[(String, String)]) -> String {
    let quoted = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut text = String::new();
    for (key, value) in settings {
        let (section, name) = key.rsplit_once('.').unwrap_or((key, ""));
        match section.split_once('.') {
            Some((section, address)) => text.push_str(&format!("[{section} \"{}\"]\n", quoted(address))),
            None => text.push_str(&format!("[{section}]\n")),
        }
        text.push_str(&format!("\t{name} = \"{}\"\n", quoted(value)));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_see_the_listed_variables_and_no_others() {
        let outside = [
            ("PATH", "/bin"),
            ("HOME", "/home/u"),
            ("GIT_DIR", "/elsewhere"),
            ("GIT_CONFIG_COUNT", "1"),
            ("GITHUB_TOKEN", "secret"),
            ("LC_ALL", "de_DE.UTF-8"),
            ("LANG", "de_DE.UTF-8"),
            ("SSH_ASKPASS", "/bin/ask"),
            ("https_proxy", "http://proxy:3128"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let seen: Vec<(String, String)> = for_children(&outside.into()).into_iter().collect();
        let expected = [("HOME", "/home/u"), ("LC_ALL", "C"), ("PATH", "/bin"), ("https_proxy", "http://proxy:3128")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(seen, expected);
    }

    #[test]
    fn only_network_and_trust_settings_of_the_user_are_kept() {
        let listed = "url.https://evil/.insteadof\nhttps://github.com/\0http.proxy\nhttp://p:1\0\
                      http.https://ghe.example.com.sslcainfo\n/etc/ca \"x\".pem\0core.hookspath\n/h\0\
                      credential.helper\nstore\0http.extraheader\nAuthorization: x\0http.cookiefile\n/c\0\
                      safe.directory\n/srv/git\0core.bare\0";
        assert_eq!(
            settings_file(&kept_settings(listed)),
            "[http]\n\tproxy = \"http://p:1\"\n[http \"https://ghe.example.com\"]\n\tsslcainfo = \
             \"/etc/ca \\\"x\\\".pem\"\n[safe]\n\tdirectory = \"/srv/git\"\n"
        );
    }
}

//! How the program under test is linked.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let system = |name: &str| std::env::var(name).unwrap_or_default();
    if system("CARGO_CFG_TARGET_OS") == "linux" && system("CARGO_CFG_TARGET_ENV") == "gnu" {
        // It is started many thousand times. At a fixed address it begins in half the time, as nothing in it has to be relocated.
        println!("cargo:rustc-link-arg-bin=standin-under-test=-no-pie");
    }
}

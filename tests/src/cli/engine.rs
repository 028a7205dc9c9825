//! The engine of a [`Machine`] in the test's own process.

use std::path::Path;
use std::sync::Arc;

use standin_core::engine::{Engine, EngineOptions};
use standin_core::gh::TokioGh;
use standin_core::outside::{Clock, Keychain, Outside, Silent};
use standin_core::state::config::LoadRequest;

use super::Machine;

impl Machine {
    /// An engine with this machine's environment and memory, standing in its HOME.
    pub fn engine(&self, keychain: Arc<dyn Keychain>, clock: Arc<dyn Clock>) -> Engine {
        let environment = self.environment.clone();
        let home = Path::new(&environment["HOME"]).to_owned();
        let outside = Outside {
            gh: Arc::new(TokioGh::new(Arc::new(environment.clone()))),
            keychain,
            progress: Arc::new(Silent),
            clock,
            credential_helper: self.program.clone(),
            environment: Arc::new(environment.clone()),
        };
        let load = LoadRequest {
            environment,
            current_dir: home.clone(),
            default_config_dir: home.join(".config/standin"),
            ..LoadRequest::default()
        };
        let options = EngineOptions { state_dir: self.state.clone(), load, outside, actor: "ada@test".to_owned() };
        Engine::open(options).expect("an engine").0
    }
}
